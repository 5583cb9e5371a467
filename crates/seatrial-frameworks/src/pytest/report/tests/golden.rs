//! Recorded suites: every outcome, and the whole of what pytest prints about failures.

use super::super::page::rule;
use super::{Capture, Show, TestResult, Traceback, read};
use seatrial_model::{Captured, End, Outcome};

/// The recorded lines and text of a run.
macro_rules! recorded {
    ($name:literal) => {
        (
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/pytest/", $name, ".jsonl")),
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/pytest/", $name, ".txt")),
        )
    };
}

/// The recorded tests with their names.
fn results(lines: &str) -> Vec<(String, TestResult)> {
    let numbers = lines.lines().filter(|line| line.contains("\"start\":true"));
    let results = read(&Captured::whole(lines.into()), numbers.count(), &End::Exit(0));
    assert!(!results.is_empty());
    let name = |result: &TestResult| {
        let report = result.reports.iter().find(|report| report.is_of_a_phase()).expect("a report");
        report.headline()
    };
    results.into_iter().map(|result| (name(&result), result)).collect()
}

/// The two sections of pytest's output that hold failures, made from the reports.
fn printed(lines: &str, show: &Show) -> String {
    let shown: Vec<_> = results(lines).into_iter().flat_map(|(_, result)| result.shown(show)).collect();
    let mut text = String::new();
    for (title, error) in [("ERRORS", true), ("FAILURES", false)] {
        let mut of_kind = shown.iter().filter(|shown| shown.error == error).peekable();
        if of_kind.peek().is_some() {
            text.push_str(&rule("=", Some(title), show.width));
            text.push('\n');
        }
        for shown in of_kind {
            // With `--tb=line` pytest leaves out the headlines of failures.
            if show.traceback == Traceback::Line && !error {
                text.push_str(&shown.text);
            } else {
                text.push_str(&shown.with_headline(show.width));
            }
        }
    }
    text
}

fn check((lines, text): (&str, &str), show: &Show) {
    let own = printed(lines, show);
    let differs = own.lines().zip(text.lines()).position(|(own, pytests)| own != pytests);
    if let Some(at) = differs {
        let (own, pytests) = (own.lines().nth(at), text.lines().nth(at));
        panic!("line {}:\n  own:    {own:?}\n  pytest: {pytests:?}", at + 1);
    }
    assert_eq!(own, text);
}

#[test]
fn failures_look_as_pytest_prints_them() {
    let show = Show::default();
    check(recorded!("pytest6"), &show);
    check(recorded!("pytest7"), &show);
    check(recorded!("pytest8"), &show);
    check(recorded!("pytest9"), &show);
}

#[test]
fn styles_of_tracebacks_look_as_pytest_prints_them() {
    let show = Show::default();
    check(recorded!("short"), &show);
    check(recorded!("long"), &show);
    check(recorded!("native"), &show);
    check(recorded!("line"), &Show { traceback: Traceback::Line, ..show.clone() });
    check(recorded!("stderr"), &Show { capture: Capture::Stderr, ..show.clone() });
    check(recorded!("none"), &Show { capture: Capture::No, ..show });
}

/// Every test of the suite: its name, its outcome, its reason.
const EXPECTED: [(&str, Outcome, Option<&str>); 34] = [
    ("test_passes", Outcome::Pass, None),
    (
        "test_compares",
        Outcome::Fail,
        Some("AssertionError: assert {'a': [1, 2], 'b': 'x'} == {'a': [1, 3], 'b': 'x'}"),
    ),
    ("test_raises_deeper[gr\\xfcn]", Outcome::Fail, Some("ValueError: number 3")),
    ("test_raises_deeper[a[b]]", Outcome::Fail, Some("ValueError: number 3")),
    ("test_raises_deeper[two\\nlines]", Outcome::Fail, Some("ValueError: number 3")),
    ("test_chains", Outcome::Fail, Some("KeyError: 'second'")),
    ("test_recurses", Outcome::Fail, Some("RecursionError: maximum recursion depth exceeded")),
    ("test_many_arguments", Outcome::Fail, Some("TypeError: 111111111111111111111111111111")),
    ("test_fails_with_words", Outcome::Fail, Some("in a few")),
    (
        "test_error_before",
        Outcome::Error,
        Some("error at setup of test_error_before: RuntimeError: no database"),
    ),
    (
        "test_error_after",
        Outcome::Error,
        Some("error at teardown of test_error_after: RuntimeError: cannot close"),
    ),
    (
        "test_fails_and_error_after",
        Outcome::Fail,
        Some(
            "AssertionError: not eight; error at teardown of test_fails_and_error_after: RuntimeError: cannot close",
        ),
    ),
    (
        "test_unknown_fixture",
        Outcome::Error,
        Some("error at setup of test_unknown_fixture: fixture 'nobody' not found"),
    ),
    ("test_skipped", Outcome::Skip, Some("not today")),
    ("test_skips_itself", Outcome::Skip, Some("after a look")),
    ("test_skipped_if", Outcome::Skip, Some("other systems")),
    ("test_xfail", Outcome::Skip, Some("xfail: known")),
    ("test_xfail_not_run", Outcome::Skip, Some("xfail: [NOTRUN] never run")),
    ("test_xfails_itself", Outcome::Skip, Some("xfail: seen too late")),
    ("test_xfail_without_words", Outcome::Skip, Some("xfail")),
    ("test_xpass", Outcome::Pass, Some("xpass: cured")),
    ("test_xpass_strict", Outcome::Fail, Some("[XPASS(strict)] to be cured")),
    ("test_xfail_of_another_kind", Outcome::Fail, Some("KeyError: 'other'")),
    ("test_passes_on_rerun", Outcome::Pass, Some("passed after 2 reruns")),
    (
        "test_fails_on_rerun",
        Outcome::Fail,
        Some("assert 7 == 9; error at teardown of test_fails_on_rerun: RuntimeError: cannot close"),
    ),
    ("test_subtests", Outcome::Fail, Some("[odd] (number=1): assert (1 % 2) == 0")),
    ("test_subtests_pass", Outcome::Pass, None),
    ("TestInClass.test_fails", Outcome::Fail, Some("assert <test_ends.TestInClass object at 0x1> is None")),
    ("Old.test_expected", Outcome::Skip, Some("xfail")),
    ("Old.test_fails", Outcome::Fail, Some("AssertionError: Lists differ: [1] != [2]")),
    ("Old.test_skip", Outcome::Skip, Some("old reason")),
    ("Old.test_sub", Outcome::Fail, Some("(number=2): AssertionError: 2 != 1")),
    ("Old.test_unexpected", Outcome::Fail, Some("Unexpected success")),
    ("[doctest] test_words.txt", Outcome::Fail, Some("/project/test_words.txt:3: DocTestFailure")),
];

fn check_outcomes(lines: &str, group: (Outcome, &str)) {
    let mut results = results(lines);
    let group = ("test_group", group.0, Some(group.1));
    for (name, outcome, reason) in EXPECTED.into_iter().chain([group]) {
        let at = results.iter().position(|(found, _)| found == name);
        let (_, result) = results.remove(at.unwrap_or_else(|| panic!("{name} is not there")));
        assert_eq!((result.outcome, result.reason.as_deref()), (outcome, reason), "{name}");
        assert!(result.ran && result.replay, "{name}");
    }
    assert_eq!(results.into_iter().map(|(name, _)| name).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn every_end_is_read_alike_from_all_versions() {
    let skipped = (Outcome::Skip, "no groups before 3.11");
    let raised = (Outcome::Fail, "ExceptionGroup: several (2 sub-exceptions)");
    check_outcomes(recorded!("pytest6").0, skipped);
    check_outcomes(recorded!("pytest7").0, skipped);
    check_outcomes(recorded!("pytest8").0, raised);
    check_outcomes(recorded!("pytest9").0, raised);
}

#[test]
fn no_recorded_test_passes_when_its_lines_are_cut_anywhere() {
    let (lines, _) = recorded!("pytest9");
    let of_first: Vec<&str> = lines.lines().take_while(|line| line.starts_with("{\"test\":0,")).collect();
    let whole = of_first.join("\n") + "\n";
    for cut in 0..=whole.len() {
        let result = &read(&Captured::whole(whole.as_bytes()[..cut].to_vec()), 1, &End::Exit(0))[0];
        assert_eq!(result.outcome == Outcome::Pass, cut == whole.len(), "cut at {cut}: {:?}", result.reason);
    }
}
