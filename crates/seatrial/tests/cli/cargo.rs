//! `seatrial cargo`: the fixture suite, and what cargo itself refuses.

use super::world;
use seatrial_testkit::{Call, World};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The fixture suite, copied to a place of its own beside a target directory that all tests of this file share.
fn suite() -> &'static Path {
    static SUITE: OnceLock<PathBuf> = OnceLock::new();
    SUITE.get_or_init(|| {
        let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rust-suite");
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/rust-suite"), &to);
        to
    })
}

/// Copies what differs, so that cargo finds its earlier work fresh.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            if entry.file_name() != "target" {
                copy(&source, &target);
            }
        } else {
            let content = fs::read(&source).unwrap();
            if fs::read(&target).ok().as_ref() != Some(&content) {
                fs::write(&target, content).unwrap();
            }
        }
    }
}

fn cargo(world: &World, args: &[&str]) -> Call {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rust-suite-target");
    world.seatrial(["cargo", "--offline"]).args(args).cwd(suite()).env("CARGO_TARGET_DIR", target)
}

/// The suite's model: group, test, outcome.
fn expected() -> BTreeSet<(String, String, String)> {
    let text = fs::read_to_string(suite().join("expected.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let fields: Vec<String> = line.split('\t').map(str::to_owned).collect();
            let [group, test, outcome]: [String; 3] = fields.try_into().unwrap();
            (group, test, outcome)
        })
        .collect()
}

#[test]
fn the_suite_ends_as_its_model_says() {
    let world = world();
    let ran = cargo(&world, &["--workspace", "--format", "json"]).run().exits(1);
    let (found, expected) = (ran.outcomes(), expected());
    assert_eq!(found.len(), expected.len(), "a test is told twice, or not at all");
    let found: BTreeSet<_> = found.into_iter().collect();
    let wrong: Vec<_> = found.symmetric_difference(&expected).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let count = |outcomes: &[&str]| {
        expected.iter().filter(|(_, _, outcome)| outcomes.contains(&outcome.as_str())).count()
    };
    let counts = ran.finished()["counts"].clone();
    assert_eq!(counts["passed"], count(&["pass"]));
    assert_eq!(counts["failed"], count(&["fail", "crash"]));
    assert_eq!(counts["skipped"], count(&["skip"]));
    // Said to people and to JUnit's readers, it is the same.
    let report = world.project.join("report.xml");
    let people = cargo(&world, &["--workspace", "--junit", report.to_str().unwrap()]).run().exits(1);
    people.ends(&format!(
        "{} passed, {} failed, {} skipped",
        count(&["pass"]),
        count(&["fail", "crash"]),
        count(&["skip"])
    ));
    let cases = fs::read_to_string(&report).unwrap().matches("<testcase ").count();
    assert_eq!(cases, expected.len());
    world.seatrial(["show", "last/outcomes tests::aborts"]).cwd(suite()).run().exits(0).tells("SIGABRT");
}

#[test]
fn a_filter_selects_as_cargos_does() {
    let world = world();
    let ran = cargo(&world, &["-p", "outcomes", "--format", "json", "nested::"]).run().exits(0);
    let names: Vec<(String, String)> =
        ran.outcomes().into_iter().map(|(_, name, outcome)| (name, outcome)).collect();
    assert_eq!(names, [("tests::nested::deeper::passes".to_owned(), "pass".to_owned())]);
}

#[test]
fn the_separator_may_be_the_first_word() {
    let world = world();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rust-suite-target");
    let ran = world
        .seatrial(["cargo", "--", "--exact", "tests::nested::deeper::passes"])
        .cwd(suite())
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_NET_OFFLINE", "true")
        .run();
    // The three harnesses that list nothing get the arguments as cargo would give them; one of them fails.
    ran.exits(1).ends("3 passed, 1 failed, 0 skipped");
}

#[test]
fn a_filter_that_matches_nothing_is_4() {
    let world = world();
    let ran = cargo(&world, &["-p", "outcomes", "no_such_test_anywhere"]).run().exits(4);
    ran.ends("0 passed, 0 failed, 0 skipped");
}

#[test]
fn ignored_tests_run_when_asked_for() {
    let world = world();
    let ran =
        cargo(&world, &["-p", "outcomes", "--lib", "--format", "json", "--", "--ignored"]).run().exits(1);
    let names: Vec<(String, String)> =
        ran.outcomes().into_iter().map(|(_, name, outcome)| (name, outcome)).collect();
    let pair = |name: &str, outcome: &str| (format!("tests::{name}"), outcome.to_owned());
    assert_eq!(
        names,
        [pair("ignored", "pass"), pair("ignored_and_fails", "fail"), pair("ignored_with_reason", "pass")]
    );
}

#[test]
fn an_unknown_option_is_cargos_to_refuse() {
    let ran = cargo(&world(), &["--frobnicate"]).run().exits(3);
    ran.tells("--frobnicate");
}

#[test]
fn our_options_are_checked_before_cargo_starts() {
    let ran = cargo(&world(), &["--timeout", "soon"]).run().exits(2);
    ran.tells("soon").hides("Compiling");
}

#[test]
fn without_a_manifest_cargos_message_is_shown() {
    let world = world();
    world.seatrial(["cargo"]).run().exits(3).tells("could not find `Cargo.toml`");
}

#[test]
fn a_broken_manifest_is_shown_as_cargo_shows_it() {
    let world = world();
    world.write("Cargo.toml", "[package\nname = 3");
    world.seatrial(["cargo"]).run().exits(3).tells("Cargo.toml").tells("error");
}

#[test]
fn a_build_failure_is_3_and_no_pass() {
    let world = world();
    world.write("Cargo.toml", "[package]\nname = \"broken\"\nedition = \"2021\"\n[workspace]\n");
    world.write("src/lib.rs", "#[test] fn fine() {}\nfn wrong() -> u32 { \"text\" }\n");
    let ran = world.seatrial(["cargo", "--offline"]).run().exits(3);
    ran.tells("mismatched types").tells("src/lib.rs:2").hides("1 passed");
}

#[test]
fn without_cargo_it_says_so() {
    let world = world();
    world.write("Cargo.toml", "[package]\nname = \"none\"\n");
    let ran = world.seatrial(["cargo"]).env("CARGO", "/no/such/cargo").run().exits(2);
    ran.tells("/no/such/cargo");
}

#[test]
fn help_and_lists_are_cargos() {
    let world = world();
    let listed = cargo(&world, &["-p", "macros", "--lib", "--", "--list"]).run().exits(0);
    listed.tells("tests::passes: test");
    world.seatrial(["cargo", "--help"]).run().exits(0).tells("--retries");
}

#[test]
fn the_test_sees_what_cargo_test_gives_it() {
    // The suite's own tests check directory, build script output and programs; here the whole environment is compared.
    let world = world();
    world.write(
        "Cargo.toml",
        "[package]\nname = \"env-seen\"\nversion = \"1.2.3\"\nedition = \"2021\"\n[workspace]\n",
    );
    world.write(
        "src/lib.rs",
        "#[test] fn env() { for (k, v) in std::env::vars() { println!(\"VAR {k}={v}\"); } panic!() }\n",
    );
    let seen = |text: &str| -> BTreeSet<String> {
        let own = ["SEATRIAL_", "NEXTEST", "_=", "TMPDIR=", "CARGO_TARGET_X86_64", "CARGO_TARGET_AARCH64"];
        let lines = text.lines().filter_map(|line| line.trim().strip_prefix("VAR "));
        lines.filter(|line| !own.iter().any(|name| line.starts_with(name))).map(str::to_owned).collect()
    };
    let native = world.call("cargo".as_ref(), ["test", "--offline", "--lib", "--", "--nocapture"]).run();
    let ours = world.seatrial(["cargo", "--offline", "--lib"]).run().exits(1);
    let (native, ours) = (seen(&native.out()), seen(&ours.err()));
    assert!(native.len() > 20, "{native:?}");
    let missing: Vec<_> = native.difference(&ours).collect();
    assert!(missing.is_empty(), "{missing:#?} of {ours:#?}");
}
