//! `seatrial cargo` in generated crates: `seatrial.toml`, retries, runners, many tests, odd names.

use super::world;
use seatrial_testkit::{Call, World};

/// A package of one library without dependencies.
fn package(lib: &str) -> World {
    let world = world();
    world.write("Cargo.toml", "[package]\nname = \"made\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[lib]\ndoctest = false\n[workspace]\n");
    world.write("src/lib.rs", lib);
    world
}

fn cargo(world: &World, args: &[&str]) -> Call {
    world.seatrial(["cargo", "--offline"]).args(args)
}

const SHARED: &str = "static N: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
fn count() -> u32 { N.fetch_add(1, std::sync::atomic::Ordering::SeqCst) }
#[test] fn one() { assert_eq!(count(), 0); }
#[test] fn two() { assert_eq!(count(), 0); }\n";

#[test]
fn tests_share_statics_only_when_a_binary_is_one_process() {
    let world = package(SHARED);
    cargo(&world, &[]).run().exits(0).ends("2 passed, 0 failed, 0 skipped");
    world.write("seatrial.toml", "[cargo]\nexecution = \"binary\"\n");
    cargo(&world, &[]).run().exits(1).ends("1 passed, 1 failed, 0 skipped");
    // The command line has the last word.
    cargo(&world, &["--execution", "test"]).run().exits(0).ends("2 passed, 0 failed, 0 skipped");
    world.write("seatrial.toml", "[[cargo.overrides]]\nbinary = \"ma*\"\nexecution = \"binary\"\n");
    cargo(&world, &[]).run().exits(1).ends("1 passed, 1 failed, 0 skipped");
}

#[test]
fn in_one_process_a_crash_fails_its_test_alone() {
    let world =
        package("#[test] fn a() {}\n#[test] fn crash() { std::process::abort() }\n#[test] fn z() {}\n");
    world.write("seatrial.toml", "[cargo]\nexecution = \"binary\"\n");
    let ran = cargo(&world, &["--format", "json"]).run().exits(1);
    let outcomes: Vec<(String, String)> =
        ran.outcomes().into_iter().map(|(_, name, outcome)| (name, outcome)).collect();
    let pair = |name: &str, outcome: &str| (name.to_owned(), outcome.to_owned());
    assert_eq!(outcomes, [pair("a", "pass"), pair("crash", "crash"), pair("z", "pass")]);
}

#[test]
fn an_early_exit_passes_only_on_the_users_word() {
    let world = package("#[test] fn leaves() { std::process::exit(0) }\n");
    cargo(&world, &[]).run().exits(1).tells("ended early");
    world.write("seatrial.toml", "[cargo]\nearly-exit = \"pass\"\n");
    cargo(&world, &[]).run().exits(0).ends("1 passed, 0 failed, 0 skipped");
}

#[test]
fn settings_that_nobody_knows_are_warned_of_and_wrong_ones_refused() {
    let world = package("#[test] fn fine() {}\n");
    world.write("seatrial.toml", "[cargo]\nexecutoin = \"binary\"\n[crago]\nx = 1\n");
    cargo(&world, &[]).run().exits(0).tells("cargo.executoin").tells("crago").tells("warning");
    for wrong in ["[cargo]\nexecution = \"never\"\n", "[cargo\n", "[cargo]\nearly-exit = 3\n"] {
        world.write("seatrial.toml", wrong);
        cargo(&world, &[]).run().exits(2).tells("seatrial.toml").hides("passed");
    }
}

#[test]
fn a_test_that_passes_when_tried_again_is_flaky() {
    let lib =
        "#[test] fn second() { assert_eq!(std::env::var(\"SEATRIAL_ATTEMPT\").as_deref(), Ok(\"2\")) }\n";
    let world = package(lib);
    let ran = cargo(&world, &["--retries", "2", "--format", "json"]).run().exits(0);
    let counts = ran.finished()["counts"].clone();
    assert_eq!((counts["passed"].clone(), counts["flaky"].clone()), (1.into(), 1.into()));
    cargo(&world, &["--retries", "1"]).run().exits(0).tells("flaky");
    cargo(&world, &[]).run().exits(1).ends("0 passed, 1 failed, 0 skipped");
}

#[test]
fn the_users_own_runner_is_chained() {
    let world = package(
        "#[test] fn runs_below_it() { assert_eq!(std::env::var(\"RAN_BY\").as_deref(), Ok(\"mine\")) }\n",
    );
    let runner = world.script("runner.sh", "#!/bin/sh\nRAN_BY=mine exec \"$@\"\n");
    let triple = if cfg!(target_arch = "aarch64") { "AARCH64" } else { "X86_64" };
    cargo(&world, &[]).run().exits(1);
    let name = format!("CARGO_TARGET_{triple}_UNKNOWN_LINUX_GNU_RUNNER");
    cargo(&world, &[]).env(&name, &runner).run().exits(0).ends("1 passed, 0 failed, 0 skipped");
    // Relative paths in a configuration are relative to the folder that holds `.cargo`.
    let key = format!("{}-unknown-linux-gnu", triple.to_lowercase());
    for (key, value) in [(key.as_str(), "./runner.sh"), ("'cfg(unix)'", "./runner.sh")] {
        world.write(".cargo/config.toml", format!("[target.{key}]\nrunner = \"{value}\"\n"));
        cargo(&world, &[]).run().exits(0).ends("1 passed, 0 failed, 0 skipped");
    }
}

#[test]
fn ten_thousand_tests_are_listed_and_a_selection_runs() {
    // Ten modules of ten of ten of ten tests: one macro, expanded four deep.
    let digits = "d0 d1 d2 d3 d4 d5 d6 d7 d8 d9";
    let modules = |inner: &str| {
        digits.split(' ').map(|digit| format!("mod {digit} {{ {inner} }} ")).collect::<String>()
    };
    let tests: String = digits.split(' ').map(|digit| format!("#[test] fn {digit}() {{}} ")).collect();
    let lib = format!(
        "macro_rules! tens {{ () => {{ {tests} }} }}
macro_rules! hundreds {{ () => {{ {} }} }}
macro_rules! thousands {{ () => {{ {} }} }}
{}",
        modules("tens!();"),
        modules("hundreds!();"),
        modules("thousands!();"),
    );
    let world = package(&lib);
    let ran = cargo(&world, &["--format", "json", "d3::d1::", "d7::d2::"]).run();
    // cargo takes one filter; the second is refused by it.
    assert_eq!(ran.code(), 3, "{ran:?}");
    let ran = cargo(&world, &["--format", "json", "d3::d1::"]).run().exits(0);
    let outcomes = ran.outcomes();
    assert!(outcomes.iter().all(|(_, name, outcome)| name.contains("d3::d1::") && outcome == "pass"));
    // d3::d1::*::*, and *::d3::d1::*.
    assert_eq!(outcomes.len(), 100 + 100, "{}", outcomes.len());
    let ran =
        cargo(&world, &["--format", "json", "--", "d3::d1::", "d7::d2::d", "--exact", "d0::d0::d0::d0"])
            .run()
            .exits(0);
    assert_eq!(ran.outcomes().len(), 1);
}

#[test]
fn names_that_are_no_identifiers_are_kept() {
    let world = world();
    world.write(
        "Cargo.toml",
        "[package]\nname = \"odd\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[workspace]\n[[test]]\nname = \"odd\"\nharness = false\n",
    );
    world.write("src/lib.rs", "");
    let main = r##"const NAMES: [&str; 4] = ["größe: 船", "with  two blanks", "a/b::c <T> 'q'", "fails ✗"];
fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.iter().any(|arg| arg == "--list") {
        if !args.iter().any(|arg| arg == "--ignored") { for name in NAMES { println!("{name}: test"); } }
        return;
    }
    let name = args.iter().find(|arg| NAMES.contains(&arg.as_str())).expect("one of ours");
    if name.starts_with("fails") { eprintln!("no: {name}"); std::process::exit(1) }
    println!("test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
}
"##;
    world.write("tests/odd.rs", main);
    let ran = cargo(&world, &["--format", "json", "--test", "odd"]).run().exits(1);
    let outcomes: Vec<(String, String)> =
        ran.outcomes().into_iter().map(|(_, name, outcome)| (name, outcome)).collect();
    let pair = |name: &str, outcome: &str| (name.to_owned(), outcome.to_owned());
    let expected = [
        pair("a/b::c <T> 'q'", "pass"),
        pair("fails ✗", "fail"),
        pair("größe: 船", "pass"),
        pair("with  two blanks", "pass"),
    ];
    assert_eq!(outcomes, expected);
    world.seatrial(["show", "last/odd::odd fails ✗"]).run().exits(0).tells("no: fails ✗");
}

#[test]
fn tests_do_not_see_each_others_files() {
    let lib = "fn first(name: &str) { for dir in [\"/tmp\", env!(\"CARGO_MANIFEST_DIR\")] {
    let path = format!(\"{dir}/mark\"); assert!(std::fs::metadata(&path).is_err(), \"{path}\"); std::fs::write(&path, name).unwrap(); } }
#[test] fn one() { first(\"one\") }\n#[test] fn two() { first(\"two\") }\n#[test] fn three() { first(\"three\") }\n";
    let world = package(lib);
    cargo(&world, &["--slots", "1"]).run().exits(0).ends("3 passed, 0 failed, 0 skipped");
    assert!(!world.project.join("mark").exists());
}

#[test]
fn snapshots_are_written_back_when_the_environment_asks() {
    let lib = "#[test] fn snapshot() { std::fs::write(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/src/one.snap\"), \"new\").unwrap() }\n";
    let world = package(lib);
    cargo(&world, &[]).run().exits(0);
    assert!(!world.project.join("src/one.snap").exists());
    cargo(&world, &[]).env("INSTA_UPDATE", "always").run().exits(0);
    assert_eq!(std::fs::read_to_string(world.project.join("src/one.snap")).unwrap(), "new");
}
