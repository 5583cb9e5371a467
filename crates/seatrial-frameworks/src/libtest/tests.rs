//! Real output read, and made-up output that must not deceive.

use super::golden::{golden, recorded};
use super::{
    LineState, ListError, ListedKind, Many, list_args, many_args, one_args, parse_list, parse_summary,
    parse_test_line, read_many, read_one,
};
use seatrial_model::{Bytes, Captured, End, Outcome, Output, SpawnStep};
use std::collections::BTreeMap;

fn check_one(file: &[u8], name: &str, outcome: Outcome, reason: Option<&str>) {
    let (end, output) = recorded(file);
    assert_eq!(read_one(&end, &output, name, false), (outcome, reason.map(str::to_owned)), "{name}");
}

macro_rules! one {
    ($($case:literal $name:literal $outcome:ident $reason:expr;)*) => {
        $(check_one(golden!($case), $name, Outcome::$outcome, $reason);)*
    };
}

#[test]
fn recorded_tests() {
    one! {
        "one/passes.txt" "tests::passes" Pass None;
        "one/passes_too.txt" "tests::passes_too" Pass None;
        "one/nested-deeper-passes.txt" "tests::nested::deeper::passes" Pass None;
        "one/passes_on_one_thread.txt" "tests::passes" Pass None;
        "one/coloured.txt" "tests::passes" Pass None;
        "one/prints.txt" "tests::prints" Pass None;
        "one/prints_bytes.txt" "tests::prints_bytes" Pass None;
        "one/prints_half_a_line.txt" "tests::prints_half_a_line" Pass None;
        "one/prints_half_a_line_on_one_thread.txt" "tests::prints_half_a_line" Pass None;
        "one/prints_false_summary.txt" "tests::prints_false_summary" Pass None;
        "one/another_thread_panics.txt" "tests::another_thread_panics" Pass None;
        "one/should_panic_and_does.txt" "tests::should_panic_and_does" Pass None;
        "one/should_panic_and_does_on_one_thread.txt" "tests::should_panic_and_does" Pass None;
        "one/returns_ok.txt" "tests::returns_ok" Pass None;
        "one/runs_in_the_package.txt" "tests::runs_in_the_package" Pass None;
        "one/has_what_the_build_script_made.txt" "tests::has_what_the_build_script_made" Pass None;
        "one/ignored.txt" "tests::ignored" Skip Some("ignored");
        "one/ignored_with_reason.txt" "tests::ignored_with_reason" Skip Some("ignored");
        "one/ignored_asked_for.txt" "tests::ignored" Pass None;
        "one/unknown.txt" "tests::nobody" Error Some("libtest ran no test of this name");
        "one/bad_option.txt" "tests::passes" Error
            Some("libtest refused its arguments: Unrecognized option: 'no-such-option'");
    }
}

#[test]
fn recorded_failures_name_their_reason() {
    let half = "panicked at outcomes/src/lib.rs:80:9: after half a line";
    one! {
        "one/fails.txt" "tests::fails" Fail
            Some("panicked at outcomes/src/lib.rs:28:9: assertion `left == right` failed: twice two, left: 4, right: 5");
        "one/fails_on_one_thread.txt" "tests::fails" Fail
            Some("panicked at outcomes/src/lib.rs:28:9: assertion `left == right` failed: twice two, left: 4, right: 5");
        "one/panics_with_lines.txt" "tests::panics_with_lines" Fail
            Some("panicked at outcomes/src/lib.rs:33:9: first line");
        "one/prints_half_a_line_and_fails.txt" "tests::prints_half_a_line_and_fails" Fail Some(half);
        "one/prints_half_a_line_and_fails_on_one_thread.txt" "tests::prints_half_a_line_and_fails" Fail Some(half);
        "one/prints_false_summary_and_fails.txt" "tests::prints_false_summary_and_fails" Fail
            Some("panicked at outcomes/src/lib.rs:95:9: in truth");
        "one/another_thread_panics_and_counts.txt" "tests::another_thread_panics_and_counts" Fail
            Some("panicked at outcomes/src/lib.rs:177:64: called `Result::unwrap()` on an `Err` value: Any { .. }");
        "one/returns_err.txt" "tests::returns_err" Fail Some("Error: \"went wrong\"");
        "one/should_panic_and_does_not.txt" "tests::should_panic_and_does_not" Fail
            Some("test did not panic as expected at outcomes/src/lib.rs:44:8");
        "one/should_panic_and_says_another.txt" "tests::should_panic_and_says_another" Fail
            Some("panic did not contain expected string: panic message: \"another thing\", expected substring: \"one thing\"");
        "one/exits_with_0.txt" "tests::exits_with_0" Fail
            Some("ended early: exit code 0 before libtest's summary");
        "one/prints_false_summary_and_exits.txt" "tests::prints_false_summary_and_exits" Fail
            Some("ended early: exit code 0 before libtest's summary");
        "one/exits_with_3.txt" "tests::exits_with_3" Fail Some("exit code 3");
        "one/aborts.txt" "tests::aborts" Crash Some("SIGABRT");
        "one/segfaults.txt" "tests::segfaults" Crash Some("SIGSEGV");
        "one/overflows_its_stack.txt" "tests::overflows_its_stack" Crash Some("SIGABRT: stack overflow");
        "one/panics_while_panicking.txt" "tests::panics_while_panicking" Crash
            Some("SIGABRT: panicked at outcomes/src/lib.rs:152:17: second");
    }
}

#[test]
fn a_pass_of_another_test_is_none() {
    // The summary is there, but the line of this name is not: somebody else's word.
    for (name, outcome) in [("tests::passes", Outcome::Pass), ("tests::pass", Outcome::Fail)] {
        let (end, output) = recorded(golden!("one/passes.txt"));
        assert_eq!(read_one(&end, &output, name, false).0, outcome, "{name}");
    }
}

#[test]
fn every_cut_of_a_pass_is_none() {
    let (end, output) = recorded(golden!("one/prints_half_a_line.txt"));
    let stdout = &output.stdout.head.0;
    let summary_end = String::from_utf8_lossy(stdout).find(" filtered out").unwrap() + " filtered out".len();
    for cut in 0..stdout.len() {
        let output = Output { stdout: Captured::whole(stdout[..cut].to_vec()), ..Output::default() };
        let (outcome, _) = read_one(&end, &output, "tests::prints_half_a_line", false);
        // From here on only the time is missing.
        let whole = cut == summary_end || cut >= summary_end + "; finished in ".len();
        assert_eq!(outcome == Outcome::Pass, whole, "cut at {cut}: {outcome:?}");
    }
}

#[test]
fn the_middle_may_be_missing() {
    let (end, output) = recorded(golden!("one/passes_on_one_thread.txt"));
    let stdout = &output.stdout.head.0;
    let (head, tail) = stdout.split_at(stdout.iter().position(|byte| *byte == b'.').unwrap() + 4);
    let kept = Captured { head: head.into(), tail: tail.into(), total: 1 << 30, spill: None };
    let output = Output { stdout: kept, ..Output::default() };
    assert_eq!(read_one(&end, &output, "tests::passes", false), (Outcome::Pass, None));
    // Head and tail that do not touch make no line together.
    let kept = Captured {
        head: "test a ... ok\ntest result: ok. 1 pas".into(),
        tail: "sed; 0 failed; 0 ignored; 0 measured; 0 filtered out".into(),
        total: 1 << 30,
        spill: None,
    };
    let output = Output { stdout: kept, ..Output::default() };
    assert_eq!(read_one(&end, &output, "a", false).0, Outcome::Fail);
}

#[test]
fn early_exit_passes_only_on_request() {
    let (end, output) = recorded(golden!("one/exits_with_0.txt"));
    assert_eq!(read_one(&end, &output, "tests::exits_with_0", true), (Outcome::Pass, None));
    let (end, output) = recorded(golden!("one/unknown.txt"));
    assert_eq!(read_one(&end, &output, "tests::nobody", true).0, Outcome::Error);
    let (end, output) = recorded(golden!("one/exits_with_3.txt"));
    assert_eq!(read_one(&end, &output, "tests::exits_with_3", true).0, Outcome::Fail);
}

#[test]
fn exit_code_0_does_not_outweigh_a_failed_test() {
    let (_, output) = recorded(golden!("one/fails.txt"));
    assert_eq!(read_one(&End::Exit(0), &output, "tests::fails", false).0, Outcome::Fail);
    let (_, output) = recorded(golden!("one/passes.txt"));
    for end in [End::Exit(1), End::Exit(101), End::Signal(9), End::SlotLost] {
        assert_ne!(read_one(&end, &output, "tests::passes", true).0, Outcome::Pass, "{end:?}");
    }
}

#[test]
fn ends_without_a_word() {
    let none = Output::default();
    let start = End::NotStarted { step: SpawnStep::Exec, errno: 2 };
    let words = "could not be started: exec: No such file or directory (os error 2)";
    assert_eq!(read_one(&start, &none, "a", true), (Outcome::Error, Some(words.to_owned())));
    let lost = (Outcome::Lost, Some("its slot died while it ran".to_owned()));
    assert_eq!(read_one(&End::SlotLost, &none, "a", true), lost);
    assert_eq!(read_one(&End::Signal(99), &none, "a", true), (Outcome::Crash, Some("signal 99".to_owned())));
}

#[test]
fn panics_of_older_toolchains() {
    let stderr =
        "thread 'tests::a' panicked at 'one, two', src/lib.rs:3:5\nnote: run with `RUST_BACKTRACE=1`\n";
    let output = Output { stderr: Captured::whole(stderr.into()), stdout: Captured::whole("\n".into()) };
    let reason = "panicked at src/lib.rs:3:5: one, two".to_owned();
    assert_eq!(read_one(&End::Exit(101), &output, "tests::a", false), (Outcome::Fail, Some(reason)));
}

#[test]
fn recorded_lists() {
    let list = |file: &[u8]| parse_list(&recorded(file).1.stdout.head.0);
    let names = |file: &[u8]| -> Vec<String> { list(file).unwrap().into_iter().map(|l| l.name).collect() };
    assert_eq!(names(golden!("list/all.txt")).len(), 30);
    assert_eq!(names(golden!("list/all.txt"))[10], "tests::nested::deeper::passes");
    assert_eq!(
        names(golden!("list/ignored.txt")),
        ["tests::ignored", "tests::ignored_and_fails", "tests::ignored_with_reason"]
    );
    assert_eq!(names(golden!("list/mimic.txt")), ["file: one.txt", "file two", "broken", "later"]);
    assert!(names(golden!("list/silent.txt")).is_empty());
    let foreign = |number, line: &str| Err(ListError::Foreign { number, line: line.to_owned() });
    assert_eq!(list(golden!("list/chatty.txt")), foreign(2, "starting up ..."));
    assert_eq!(list(golden!("list/pretty.txt")), foreign(31, ""));
}

#[test]
fn what_is_no_list() {
    let check = |text: &[u8], wrong: ListError| assert_eq!(parse_list(text), Err(wrong));
    let foreign = |number, line: &str| ListError::Foreign { number, line: line.to_owned() };
    check(b": test\n", foreign(1, ": test"));
    check(b"a: test\nb: tests\n", foreign(2, "b: tests"));
    check(b"a: test \n", foreign(1, "a: test "));
    check(b"a: test\r\n", foreign(1, "a: test\r"));
    check(b"a:test\n", foreign(1, "a:test"));
    check(b"a: test\n\nb: test\n", foreign(2, ""));
    check(b"a: test\n\xff: test\n", ListError::NotText { number: 2 });
    check(b"a: test\nb: test", ListError::CutOff { line: "b: test".to_owned() });
    check(b"a: test\na: test\n", ListError::Twice { name: "a".to_owned() });
    assert_eq!(foreign(2, "hello").to_string(), "line 2 of the list of tests is not `NAME: test`: `hello`");
}

#[test]
fn names_hold_anything() {
    let listed = parse_list("a: test: test\nb c \u{1f980}: benchmark\n".as_bytes()).unwrap();
    assert_eq!((listed[0].name.as_str(), listed[0].kind), ("a: test", ListedKind::Test));
    assert_eq!((listed[1].name.as_str(), listed[1].kind), ("b c \u{1f980}", ListedKind::Benchmark));
}

#[test]
fn test_lines() {
    let check = |line: &str, name: &str, state: LineState| {
        let read = parse_test_line(line).unwrap_or_else(|| panic!("{line}"));
        assert_eq!((read.name.as_str(), read.state), (name, state), "{line}");
    };
    check("test a::b ... ok", "a::b", LineState::Ok);
    check("test a - should panic ... FAILED", "a", LineState::Failed);
    check("test a.rs - f (line 3) - compile fail ... ok", "a.rs - f (line 3)", LineState::Ok);
    check("test a.rs - f (line 3) - compile ... ok", "a.rs - f (line 3)", LineState::Ok);
    check("test a ... ignored", "a", LineState::Ignored(None));
    check("test a ... ignored, no ... ok", "a", LineState::Ignored(Some("no ... ok".to_owned())));
    check("test a ... ok <0.123s>", "a", LineState::Ok);
    check("test a ... bench:           1 ns/iter (+/- 0)", "a", LineState::Ok);
    for line in [
        "test a ... okay",
        "test a .. ok",
        "xtest a ... ok",
        "test a ... ",
        "test  ... ok",
        "test result: ok.",
    ] {
        assert_eq!(parse_test_line(line), None, "{line}");
    }
}

#[test]
fn summary_lines() {
    let whole =
        "test result: ok. 12 passed; 1 failed; 2 ignored; 3 measured; 4 filtered out; finished in 0.00s";
    let read = parse_summary(whole).unwrap();
    let numbers = [read.passed, read.failed, read.ignored, read.measured, read.filtered_out];
    assert_eq!((read.ok, numbers), (true, [12, 1, 2, 3, 4]));
    assert!(parse_summary(&whole[..whole.find(';').unwrap()]).is_none());
    assert!(parse_summary(&whole.replace("ok.", "fine.")).is_none());
    assert!(parse_summary(&format!("x{whole}")).is_none());
    assert!(parse_summary(&whole.replace("12 ", "-1 ")).is_none());
    // Before Rust 1.49 there was no time.
    assert!(parse_summary(whole.split("; finished").next().unwrap()).is_some());
}

fn many(file: &[u8]) -> (Many, Vec<(String, Outcome)>) {
    let (end, output) = recorded(file);
    let many = read_many(&end, &output);
    let brief = many.results.iter().map(|r| (r.name.replace("tests::", ""), r.outcome)).collect();
    (many, brief)
}

#[test]
fn recorded_binaries() {
    let (all, brief) = many(golden!("many/ends.txt"));
    assert_eq!(all.trouble, None);
    assert_eq!(brief.len(), 20);
    let outcome = |name: &str| brief.iter().find(|(n, _)| n == name).map(|(_, outcome)| *outcome);
    assert_eq!(outcome("passes"), Some(Outcome::Pass));
    assert_eq!(outcome("should_panic_and_does"), Some(Outcome::Pass));
    assert_eq!(outcome("should_panic_and_does_not"), Some(Outcome::Fail));
    assert_eq!(outcome("prints_false_summary"), Some(Outcome::Pass));
    assert_eq!(outcome("ignored_with_reason"), Some(Outcome::Skip));
    let of = |name: &str| all.results.iter().find(|result| result.name == name).unwrap();
    assert_eq!(of("tests::ignored_with_reason").reason.as_deref(), Some("needs a moon ... ok"));
    assert_eq!(of("tests::returns_err").reason.as_deref(), Some("Error: \"went wrong\""));
    assert_eq!(of("tests::returns_err").output.as_deref(), Some("Error: \"went wrong\"\n"));
    let false_summary = of("tests::prints_false_summary_and_fails");
    assert_eq!(false_summary.reason.as_deref(), Some("panicked at outcomes/src/lib.rs:95:9: in truth"));
    assert!(false_summary.output.as_deref().unwrap().starts_with("running 1 test\ntest other ... ok\n"));
    assert_eq!(of("tests::passes").output, None);

    let (all, brief) = many(golden!("many/all_pass.txt"));
    assert_eq!(all.trouble, None);
    assert_eq!(brief.iter().filter(|(_, outcome)| *outcome == Outcome::Pass).count(), 3);
    assert_eq!(many(golden!("many/none.txt")), (Many::default(), Vec::new()));
}

#[test]
fn a_line_torn_by_leaked_output_is_missing() {
    let (all, brief) = many(golden!("many/one_thread.txt"));
    assert_eq!(all.missing(&["tests::passes", "tests::prints_bytes"]), ["tests::prints_bytes"]);
    assert_eq!(brief.len(), 19);
    assert_eq!(all.trouble.unwrap().0, Outcome::Error);
}

#[test]
fn a_crash_leaves_the_rest_missing() {
    let (all, brief) = many(golden!("many/crash.txt"));
    assert_eq!(all.trouble, Some((Outcome::Crash, "SIGSEGV".to_owned())));
    // With more than one thread the last name would be that of a test which has ended well.
    assert!(brief.iter().all(|(_, outcome)| *outcome != Outcome::Crash), "{brief:?}");
    assert_eq!(all.missing(&["tests::prints", "segfaults", "tests::z"]), ["segfaults", "tests::z"]);

    let (all, brief) = many(golden!("many/exits.txt"));
    assert!(brief.is_empty());
    let words = "ended early: 4 tests announced, 0 reported".to_owned();
    assert_eq!(all.trouble, Some((Outcome::Error, words)));
}

#[test]
fn made_up_lines_count_for_nothing() {
    let check = |lines: &str, summary: &str, passes: &[&str]| {
        let stdout = format!(
            "\nrunning 2 tests\n{lines}\ntest result: {summary} ignored; 0 measured; 0 filtered out; finished in 0.00s\n"
        );
        let output = Output { stdout: Captured::whole(stdout.into_bytes()), ..Output::default() };
        let many = read_many(&End::Exit(if summary.starts_with("ok") { 0 } else { 101 }), &output);
        let passed: Vec<&str> =
            many.results.iter().filter(|r| r.outcome == Outcome::Pass).map(|r| r.name.as_str()).collect();
        assert_eq!(passed, passes, "{lines}");
        many.trouble.is_some()
    };
    assert!(!check("test a ... ok\ntest b ... ok\n", "ok. 2 passed; 0 failed; 0", &["a", "b"]));
    // A line too few, a line too many, a name twice, numbers that do not fit, a pass that the summary calls a failure.
    assert!(check("test a ... ok\n", "ok. 2 passed; 0 failed; 0", &["a"]));
    assert!(check("test a ... ok\ntest b ... ok\ntest c ... ok\n", "ok. 2 passed; 0 failed; 0", &[]));
    assert!(check("test a ... ok\ntest a ... FAILED\n", "FAILED. 1 passed; 1 failed; 0", &[]));
    assert!(check("test a ... ok\ntest b ... ok\n", "FAILED. 1 passed; 1 failed; 0", &[]));
    assert!(check("test a ... ok\ntest b ... ok\n", "FAILED. 2 passed; 0 failed; 0", &["a", "b"]));
    assert!(check("leaktest a ... ok\ntest b ... ok\n", "ok. 2 passed; 0 failed; 0", &["b"]));
    // Numbers that agree with each other, but not with what was announced.
    assert!(check("test a ... ok\n", "ok. 1 passed; 0 failed; 0", &["a"]));
    // A summary of somebody else's, which agrees for a moment.
    let early = "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
    assert!(!check(
        &format!("test a ... ok\n{early}\ntest b ... ok\n"),
        "ok. 2 passed; 0 failed; 0",
        &["a", "b"]
    ));
    // A child's whole output in between.
    let child = "running 1 test\ntest a ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n";
    assert!(check(
        &format!("{child}test a ... FAILED\ntest b ... ok\n"),
        "FAILED. 1 passed; 1 failed; 0",
        &[]
    ));
}

#[test]
fn the_exit_code_must_fit_too() {
    let (_, output) = recorded(golden!("many/all_pass.txt"));
    for end in [End::Exit(101), End::Exit(1), End::Exit(2), End::Signal(11)] {
        assert!(read_many(&end, &output).trouble.is_some(), "{end:?}");
    }
    let (_, output) = recorded(golden!("many/ends.txt"));
    assert!(read_many(&End::Exit(0), &output).trouble.is_some());
    let lost = read_many(&End::SlotLost, &output);
    assert_eq!((lost.results.len(), lost.trouble.unwrap().0), (0, Outcome::Lost));
    assert!(read_many(&End::Exit(0), &Output::default()).trouble.is_some());
}

#[test]
fn arguments() {
    let words =
        |args: Vec<Bytes>| args.iter().map(|a| a.to_text().into_owned()).collect::<Vec<_>>().join(" ");
    let rest = [Bytes::from("--report-time")];
    assert_eq!(words(one_args("a::b", false, &[])), "--exact a::b --nocapture");
    assert_eq!(words(one_args("a::b", true, &rest)), "--exact a::b --nocapture --ignored --report-time");
    assert_eq!(words(many_args(&["a", "b"], false, &rest)), "--exact --report-time a b");
    assert_eq!(words(many_args(&["a"], true, &[])), "--exact --include-ignored a");
    assert_eq!(words(list_args(false)), "--list --format terse");
    assert_eq!(words(list_args(true)), "--list --format terse --ignored");
}

/// The outcomes that `expected.txt` of the fixture suite gives for a group, by test.
pub(crate) fn expected(group: &str) -> BTreeMap<&'static str, &'static str> {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/rust-suite/expected.txt"));
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split('\t').collect::<Vec<_>>())
        .filter(|row| row[0] == group)
        .map(|row| (row[1], row[2]))
        .collect()
}

#[test]
fn the_fixture_suite_is_as_expected() {
    let expected = expected("outcomes");
    let listed = parse_list(&recorded(golden!("list/all.txt")).1.stdout.head.0).unwrap();
    assert_eq!(
        listed.iter().map(|l| l.name.as_str()).collect::<Vec<_>>(),
        expected.keys().copied().collect::<Vec<_>>()
    );
    macro_rules! agree {
        ($($test:literal)*) => { [$((concat!("tests::", $test), golden!(concat!("one/", $test, ".txt")))),*] };
    }
    let runs = agree!(
        "aborts" "another_thread_panics" "another_thread_panics_and_counts" "exits_with_0" "exits_with_3" "fails"
        "has_what_the_build_script_made" "ignored" "ignored_and_fails" "ignored_with_reason" "overflows_its_stack"
        "panics_while_panicking" "panics_with_lines" "passes" "passes_too" "prints" "prints_bytes"
        "prints_false_summary" "prints_false_summary_and_exits" "prints_false_summary_and_fails" "prints_half_a_line"
        "prints_half_a_line_and_fails" "returns_err" "returns_ok" "runs_in_the_package" "segfaults"
        "should_panic_and_does" "should_panic_and_does_not" "should_panic_and_says_another"
    );
    assert_eq!(runs.len() + 1, expected.len(), "all but the nested one");
    for (name, file) in runs {
        let (end, output) = recorded(file);
        assert_eq!(read_one(&end, &output, name, false).0.name(), expected[name], "{name}");
    }
}
