//! rustdoc's calls and words.

use crate::cargo::doctest::{BUNDLE_PATH, Doctests, heading, package_of, parse, recognise};
use crate::cargo::group::doc_group_name;
use crate::cargo::shim::ShimCall;
use crate::libtest::golden::golden;
use crate::libtest::tests::expected;
use seatrial_model::{Bytes, Outcome};
use std::collections::BTreeMap;
use std::path::Path;

/// Each result as `NAME OUTCOME`, without the file.
fn brief(doctests: &Doctests) -> Vec<String> {
    let line =
        |name: &str, outcome: Outcome| format!("{} {}", name.split_once(" - ").unwrap().1, outcome.name());
    let mut brief: Vec<String> = doctests.results.iter().map(|r| line(&r.name, r.outcome)).collect();
    brief.sort();
    brief
}

fn reason<'a>(doctests: &'a Doctests, item: &str) -> &'a str {
    let of = |name: &str| name.split_once(" - ").unwrap().1.split(' ').next() == Some(item);
    doctests.results.iter().find(|result| of(&result.name)).unwrap().reason.as_deref().unwrap()
}

#[test]
fn one_program_each() {
    let doctests = parse(golden!("cargo/doctests-2021.txt"));
    assert_eq!(doctests.troubles, Vec::<String>::new());
    let expected = [
        "Wrapper<T>::get (line 85) pass",
        "aborts (line 76) fail",
        "compile_fail (line 34) pass",
        "compile_fail_that_compiles (line 41) fail",
        "does_not_compile (line 27) fail",
        "double (line 5) pass",
        "double (line 9) pass",
        "fails (line 19) fail",
        "ignored (line 69) skip",
        "no_run (line 48) pass",
        "should_panic (line 55) pass",
        "should_panic_and_does_not (line 62) fail",
    ];
    assert_eq!(brief(&doctests), expected);
    let check = |item, words| assert_eq!(reason(&doctests, item), words);
    check("aborts", "Test executable failed (signal: 6 (SIGABRT)).");
    check("compile_fail_that_compiles", "Test compiled successfully, but it's marked `compile_fail`.");
    check("does_not_compile", "error[E0425]: cannot find function `nowhere` in crate `docs_2021`");
    check("should_panic_and_does_not", "Test executable succeeded, but it's marked `should_panic`.");
    let failed = "panicked at docs-2021/src/lib.rs:6:1: assertion `left == right` failed, left: 4, right: 5";
    check("fails", failed);
    let output = doctests.results.iter().find(|r| r.name.contains("fails")).unwrap().output.as_deref();
    assert!(output.unwrap().contains("\nstdout:\non stdout\n"));
}

#[test]
fn a_bundle_and_the_rest() {
    let doctests = parse(golden!("cargo/doctests-2024.txt"));
    assert_eq!(doctests.troubles, Vec::<String>::new());
    let expected = [
        "Wrapper<T>::get (line 78) pass",
        "aborts (line 69) fail",
        "compile_fail (line 27) pass",
        "compile_fail_that_compiles (line 34) fail",
        "double (line 5) pass",
        "double (line 9) pass",
        "fails (line 19) fail",
        "ignored (line 62) skip",
        "no_run (line 41) pass",
        "should_panic (line 48) pass",
        "should_panic_and_does_not (line 55) fail",
        "standalone (line 88) pass",
    ];
    assert_eq!(brief(&doctests), expected);
    let words = "test did not panic as expected at docs-2024/src/lib.rs:55:0";
    assert_eq!(reason(&doctests, "should_panic_and_does_not"), words);
}

#[test]
fn a_bundle_that_ends_early_is_trouble() {
    let doctests = parse(golden!("cargo/doctests-2024-one-process.txt"));
    assert_eq!(doctests.results.len(), 4);
    assert_eq!(doctests.troubles, ["ended early: 8 tests announced, 0 reported"]);
}

#[test]
fn several_crates_between_messages() {
    let doctests = parse(golden!("cargo/messages.txt"));
    assert_eq!((doctests.results.len(), doctests.troubles.len()), (24, 0));
    assert_eq!(parse(b""), Doctests::default());
}

#[test]
fn a_lost_line_is_trouble() {
    let whole = String::from_utf8(golden!("cargo/doctests-2021.txt").to_vec()).unwrap();
    for line in whole.lines().filter(|line| line.starts_with("test ")) {
        let rest = whole.replace(&format!("{line}\n"), "");
        assert_ne!(parse(rest.as_bytes()).troubles, Vec::<String>::new(), "{line}");
    }
}

#[test]
fn the_fixture_suite_is_as_expected() {
    let doctests = parse(golden!("cargo/messages.txt"));
    for package in ["docs-2021", "docs-2024"] {
        let of_package =
            doctests.results.iter().filter(|r| package_of(&r.name, &[(package, package)]).is_some());
        let found: BTreeMap<&str, &str> = of_package.map(|r| (r.name.as_str(), r.outcome.name())).collect();
        assert_eq!(found, expected(&doc_group_name(package, None)));
    }
}

#[test]
fn recognised() {
    let call = |program: &str| ShimCall {
        argv: vec![program.into(), b"x".to_vec()],
        cwd: b"/p".to_vec(),
        env: vec![(b"CARGO_PKG_NAME".to_vec(), b"docs-2021".to_vec())],
    };
    let doctest = recognise(&call("/tmp/rustdoctestAbCdEf/rust_out")).unwrap();
    assert_eq!(doctest.program, Path::new("/tmp/rustdoctestAbCdEf/rust_out"));
    assert_eq!(doctest.directory, Path::new("/tmp/rustdoctestAbCdEf"));
    assert_eq!(doctest.package, "docs-2021");
    assert_eq!(doctest.env, [(BUNDLE_PATH.into(), Bytes::from("/tmp/rustdoctestAbCdEf/rust_out"))]);
    for other in ["/target/debug/deps/rust_out", "/tmp/rustdoctestAbCdEf/other", "rust_out", ""] {
        assert_eq!(recognise(&call(other)), None, "{other}");
    }
    assert_eq!(recognise(&ShimCall::default()), None);
    // Every recorded call is one or the other.
    let calls = std::str::from_utf8(golden!("cargo/calls.txt")).unwrap();
    let doctests = calls.lines().filter(|line| recognise(&call(line.split('\t').nth(1).unwrap())).is_some());
    assert_eq!(doctests.count(), 9);
}

#[test]
fn packages() {
    let packages = [("root", ""), ("a", "crates/a"), ("a-b", "crates/a-b"), ("inner", "crates/a/inner")];
    let check = |name: &str, package: &str| assert_eq!(package_of(name, &packages), Some(package), "{name}");
    check("src/lib.rs - (line 1)", "root");
    check("crates/a/src/lib.rs - f (line 1)", "a");
    check("crates/a-b/src/lib.rs - f (line 1)", "a-b");
    check("crates/a/inner/src/lib.rs - f (line 1)", "inner");
    check("crates/a/src/../../../README.md - (line 3)", "a");
    assert_eq!(package_of("other/src/lib.rs - f (line 1)", &packages[1..]), None);
    assert_eq!(heading("   Doc-tests docs_2021"), Some("docs_2021"));
    assert_eq!(heading("     Running unittests src/lib.rs (x)"), None);
}
