//! Small bad trees, and what is found in them.

use super::code::blanked;
use super::{Finding, check};

/// The findings, as `path:line`, of a tree with these files.
fn places(files: &[(&str, &str)]) -> Vec<String> {
    findings(files).iter().map(|found| format!("{}:{}", found.path, found.line)).collect()
}

fn findings(files: &[(&str, &str)]) -> Vec<Finding> {
    let root = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = root.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    check(root.path()).unwrap()
}

#[track_caller]
fn one(path: &str, text: &str, line: Option<usize>) {
    let expected: Vec<String> = line.map(|line| format!("{path}:{line}")).into_iter().collect();
    assert_eq!(places(&[(path, text)]), expected, "{text}");
}

const ENGINE: &str = "crates/seatrial-engine/src/a.rs";
const SCHED: &str = "crates/seatrial-sched/src/a.rs";

#[test]
fn a_file_begins_with_its_line() {
    one(ENGINE, "//! A.\nfn a() {}\n", None);
    one(ENGINE, "fn a() {}\n", Some(1));
    one("fixtures/suite/src/lib.rs", "fn a() {}\n", Some(1));
}

#[test]
fn files_have_800_lines_at_most() {
    one(ENGINE, &format!("//! A.\n{}", "\n".repeat(799)), None);
    one(ENGINE, &format!("//! A.\n{}", "\n".repeat(800)), Some(0));
}

#[test]
fn unsafe_code_has_two_files() {
    let text = "//! A.\nfn a() { unsafe { b() } }\n";
    one(ENGINE, text, Some(2));
    one("crates/seatrial-sandbox/src/sys.rs", text, None);
    one("crates/seatrial-sandbox/src/child.rs", text, None);
    one("crates/seatrial-sandbox/src/zygote.rs", text, Some(2));
    one(ENGINE, "//! A.\n// unsafe\n/* unsafe /* */ unsafe */\nconst A: &str = \"unsafe\";\n", None);
    one(ENGINE, "//! A.\n#![deny(unsafe_code)]\n", None);
}

#[test]
fn only_the_engine_starts_threads() {
    let spawn = "//! A.\nfn a() { std::thread::spawn(b); }\n";
    let builder = "//! A.\nfn a() { std::thread::Builder::new().spawn(b); }\n";
    let in_test = "//! A.\n#[cfg(test)]\nmod tests {\n    fn a() { std::thread::spawn(b); }\n}\n";
    one(ENGINE, spawn, None);
    one(SCHED, spawn, Some(2));
    one(SCHED, builder, Some(2));
    one(SCHED, in_test, None);
    one("crates/seatrial-sched/src/a/tests.rs", spawn, None);
    one("crates/seatrial-testkit/src/a.rs", spawn, None);
}

#[test]
fn tests_do_not_sleep() {
    let sleep = "//! A.\nfn a() { std::thread::sleep(b); }\n";
    one(ENGINE, sleep, None);
    one("crates/seatrial-engine/tests/a.rs", sleep, Some(2));
    one(ENGINE, "//! A.\n#[cfg(test)]\nmod tests {\n    fn a() { std::thread::sleep(b); }\n}\n", Some(4));
}

#[test]
fn stubs_are_found() {
    one(ENGINE, "//! A.\nfn a() { todo!() }\n", Some(2));
    one(ENGINE, "//! A.\nfn a() { unimplemented!() }\n", Some(2));
    one(ENGINE, "//! A.\n// todo!\n", None);
}

#[test]
fn what_is_written_lives_in_the_model() {
    let written = "//! A.\n#[derive(Clone,\n    Serialize)]\nstruct A;\n";
    let read = "//! A.\n#[derive(Deserialize)]\nstruct A;\n";
    one("crates/seatrial-model/src/a.rs", written, None);
    one("crates/seatrial-history/src/a.rs", written, Some(2));
    one("crates/seatrial-plan/src/a.rs", written, Some(2));
    one("crates/seatrial-plan/src/a.rs", read, None);
    one("crates/seatrial-history/src/a.rs", read, Some(2));
}

#[test]
fn paths_of_a_machine_are_found() {
    let home = format!("//! A.\nconst A: &str = \"{}someone/x\";\n", "/home/");
    one(ENGINE, &home, Some(2));
    one("docs/a.md", &format!("see {}someone/x\n", "/home/"), Some(1));
    one("docs/a.md", &format!("see {}ada/x\n", "/home/"), None);
    one("docs/a.md", "the folder `/home` of a machine\n", None);
}

#[test]
fn marked_figures_have_a_bench() {
    one("README.md", "0.3x <!-- bench: trivial -->\n", None);
    one("README.md", "\n0.3x <!-- bench: no-such -->\n", Some(2));
}

/// What a crate of this name with these dependencies is told.
fn manifest(name: &str, table: &str, clippy: bool) -> Vec<String> {
    let path = format!("crates/{name}/Cargo.toml");
    let text = format!("[package]\nname = \"{name}\"\n{table}\n");
    let mut files = vec![(path.clone(), text)];
    if clippy {
        files.push((format!("crates/{name}/clippy.toml"), String::new()));
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    findings(&files).into_iter().map(|found| found.what).collect()
}

#[test]
fn crates_keep_to_their_floors() {
    let depends = |on: &str| format!("[dependencies]\n{on}.workspace = true\n");
    let allowed = [
        ("seatrial-plan", "seatrial-frameworks"),
        ("seatrial-sched", "seatrial-model"),
        ("seatrial-history", "seatrial-model"),
        ("seatrial-engine", "seatrial-sandbox"),
        ("seatrial", "seatrial-engine"),
        ("seatrial-model", "serde"),
    ];
    for (name, on) in allowed {
        assert_eq!(manifest(name, &depends(on), true), Vec::<String>::new(), "{name} on {on}");
    }
    let forbidden = [
        ("seatrial-frameworks", "seatrial-plan"),
        ("seatrial-sched", "seatrial-report"),
        ("seatrial-history", "seatrial-sandbox"),
        ("seatrial-model", "seatrial-sched"),
        ("seatrial-engine", "seatrial"),
        ("seatrial-engine", "seatrial-testkit"),
    ];
    for (name, on) in forbidden {
        let found = manifest(name, &depends(on), true);
        assert_eq!(found.len(), 1, "{name} on {on}: {found:?}");
        assert!(found[0].contains(on), "{found:?}");
    }
}

#[test]
fn a_floor_is_not_left_by_a_detour() {
    let renamed = "[dependencies]\nbox = { package = \"seatrial-sandbox\", path = \"x\" }\n";
    let platform = "[target.'cfg(unix)'.dependencies]\nseatrial-sandbox.workspace = true\n";
    let build = "[build-dependencies]\nseatrial-sandbox.workspace = true\n";
    for table in [renamed, platform, build] {
        assert_eq!(manifest("seatrial-history", table, true).len(), 1, "{table}");
    }
    let dev = "[dev-dependencies]\nseatrial-testkit.workspace = true\n";
    assert_eq!(manifest("seatrial-history", dev, true), Vec::<String>::new());
}

#[test]
fn every_crate_has_a_floor_and_pure_ones_their_bans() {
    assert_eq!(manifest("seatrial-other", "", true).len(), 1);
    assert_eq!(manifest("seatrial-sched", "", false).len(), 1);
    assert_eq!(manifest("seatrial-history", "", false), Vec::<String>::new());
    assert_eq!(manifest("seatrial-testkit", "", false), Vec::<String>::new());
}

#[test]
fn what_is_built_is_not_looked_at() {
    assert_eq!(places(&[("target/debug/a.rs", "fn a() {}\n")]), Vec::<String>::new());
}

#[test]
fn literals_and_comments_are_blanked() {
    let kept = |source: &str| blanked(source).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(kept("a(\"b \\\" c\") d"), "a( ) d");
    assert_eq!(kept("a(r#\"b \" c\"#) d"), "a(r# ) d");
    assert_eq!(kept("let a: &'static str = '\"'; b"), "let a: &'static str = ; b");
    assert_eq!(kept("'\\'' a '\\u{41}' b"), "a b");
    assert_eq!(kept("a // b\nc /* d\n */ e"), "a c e");
    assert_eq!(blanked("a\n/*\n*/\nb").lines().count(), 4);
}
