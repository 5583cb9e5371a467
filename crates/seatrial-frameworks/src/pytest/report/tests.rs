//! Real reports of four versions of pytest, beside what pytest itself printed of them; and reports cut short.

mod deaths;
mod facts;
mod golden;

use super::page::{Page, python_lines};
use super::{Capture, Show, TestResult, Traceback, read};
use seatrial_model::{Captured, End, Outcome};

/// The results of these lines, when the process exited with status 0.
fn of_lines(lines: &str, tests: usize) -> Vec<TestResult> {
    read(&Captured::whole(lines.as_bytes().to_vec()), tests, &End::Exit(0))
}

/// A report line of test 0.
fn report(when: &str, outcome: &str, more: &str) -> String {
    let location = r#"["t.py",3,"test_it"]"#;
    format!(
        r#"{{"test":0,"report":{{"nodeid":"t.py::test_it","location":{location},"when":"{when}","outcome":"{outcome}","longrepr":null,"sections":[],"duration":0.5{more}}}}}"#
    ) + "\n"
}

fn start() -> String {
    "{\"test\":0,\"start\":true}\n".to_owned()
}

fn over() -> String {
    "{\"test\":0,\"end\":true}\n".to_owned()
}

/// A report line given as `setup passed`.
fn report_of(words: &str) -> String {
    let (when, outcome) = words.split_once(' ').expect("two words");
    report(when, outcome, "")
}

/// Start and end around reports with these outcomes, given as `setup passed` and so on.
fn protocol(reports: &[&str]) -> String {
    let reports: String = reports.iter().map(|words| report_of(words)).collect();
    start() + &reports + &over()
}

const PASSED: [&str; 3] = ["setup passed", "call passed", "teardown passed"];

fn check(lines: &str, outcome: Outcome, reason: Option<&str>) {
    let results = of_lines(lines, 1);
    let [result] = results.as_slice() else { panic!("{results:?}") };
    assert_eq!((result.outcome, result.reason.as_deref()), (outcome, reason), "{lines}");
}

#[test]
fn a_pass_needs_all_its_reports() {
    check(&protocol(&PASSED), Outcome::Pass, None);
    for left_out in 0..PASSED.len() {
        let mut reports = PASSED.to_vec();
        let words = match reports.remove(left_out) {
            "setup passed" => "there is no report of its set-up",
            "call passed" => "there is no report of its call",
            _ => "there is no report of its teardown",
        };
        check(&protocol(&reports), Outcome::Error, Some(words));
    }
    check(&(start() + &over()), Outcome::Error, Some("there is no report of its set-up"));
}

#[test]
fn every_phase_can_spoil_a_pass() {
    let outcomes = [("failed", Outcome::Error), ("skipped", Outcome::Skip), ("odd", Outcome::Error)];
    for (index, phase) in ["setup", "call", "teardown"].into_iter().enumerate() {
        for (word, expected) in outcomes {
            let mut reports = PASSED.map(str::to_owned);
            reports[index] = format!("{phase} {word}");
            let lines = protocol(&reports.each_ref().map(String::as_str));
            let expected = if (phase, word) == ("call", "failed") { Outcome::Fail } else { expected };
            assert_eq!(of_lines(&lines, 1)[0].outcome, expected, "{phase} {word}");
        }
    }
}

#[test]
fn reports_of_others_pass_for_nobody() {
    let subtest = r#","_report_type":"SubTestReport","_subtest.context":{"msg":null,"kwargs":{}}"#;
    let foreign = r#","$report_type":"CheckReport""#;
    for more in [subtest, foreign] {
        let around = |call: &str| {
            start() + &report("setup", "passed", "") + call + &report("teardown", "passed", "") + &over()
        };
        check(
            &around(&report("call", "passed", more)),
            Outcome::Error,
            Some("there is no report of its call"),
        );
        let both = report("call", "skipped", more) + &report("call", "passed", "");
        check(&around(&both), Outcome::Pass, None);
        let odd = report("call", "odd", more) + &report("call", "passed", "");
        check(&around(&odd), Outcome::Pass, None);
        let failed = report("call", "failed", more) + &report("call", "passed", "");
        assert_eq!(of_lines(&around(&failed), 1)[0].outcome, Outcome::Fail, "{more}");
    }
}

#[test]
fn a_subtest_is_named_as_pytest_names_it() {
    let more = r#","_report_type":"SubTestReport","_subtest.context":{"msg":"a","kwargs":{"z":1,"b":null,"c":{"$repr":"<o>"},"a":"'x'"}}"#;
    let lines = start() + &report("call", "failed", more) + &over();
    check(&lines, Outcome::Fail, Some("[a] (z=1, b=None, c=<o>, a='x'): failed without a word"));
    assert_eq!(
        of_lines(&lines, 1)[0].shown(&Show::default())[0].headline,
        "test_it [a] (z=1, b=None, c=<o>, a='x')"
    );
}

#[test]
fn a_late_failure_counts() {
    let lines = protocol(&PASSED) + &report("teardown", "failed", "");
    let words = "error at teardown of test_it: failed without a word";
    check(&lines, Outcome::Error, Some(words));
}

#[test]
fn a_rerun_forgives_only_its_own_try() {
    let rerun = ["setup passed", "call rerun", "teardown passed"];
    let tries = |tries: &[[&str; 3]]| protocol(&tries.concat());
    check(&tries(&[rerun, PASSED]), Outcome::Pass, Some("passed after 1 rerun"));
    check(&tries(&[rerun, rerun, PASSED]), Outcome::Pass, Some("passed after 2 reruns"));
    check(&tries(&[rerun]), Outcome::Error, Some("it was to be run again, and was not"));
    let failed = ["setup passed", "call failed", "teardown passed"];
    // A second try that nobody announced as a rerun.
    assert_eq!(of_lines(&tries(&[failed, PASSED]), 1)[0].outcome, Outcome::Fail);
    assert_eq!(of_lines(&tries(&[rerun, failed]), 1)[0].outcome, Outcome::Fail);
    // The older plug-in does not tell of the teardown of a try that it reruns.
    let old = [&["setup passed", "call rerun"], PASSED.as_slice()].concat();
    check(&protocol(&old), Outcome::Pass, Some("passed after 1 rerun"));
}

#[test]
fn a_rerun_may_be_told_by_numbers_alone() {
    // In a worker, pytest-rerunfailures tells of the failed call only where pytest-xdist is installed.
    let numbered = |reports: &[&str], number: usize| -> String {
        let more = format!(r#","rerun":{number}"#);
        let lines = reports.iter().map(|words| words.split_once(' ').expect("two words"));
        lines.map(|(when, outcome)| report(when, outcome, &more)).collect()
    };
    let silent = ["setup passed", "teardown passed"];
    let tries = |first: String, second: String| start() + &first + &second + &over();
    check(&tries(numbered(&silent, 0), numbered(&PASSED, 1)), Outcome::Pass, Some("passed after 1 rerun"));
    // A failed subtest of a try that was rerun is forgiven, as the plug-in does.
    let more = r#","_report_type":"SubTestReport","_subtest.context":{"msg":null,"kwargs":{}}"#;
    let subtest = report("call", "failed", more);
    let first = numbered(&silent[..1], 0) + &subtest + &numbered(&silent[1..], 0);
    check(&tries(first.clone(), numbered(&PASSED, 1)), Outcome::Pass, Some("passed after 1 rerun"));
    let words = Some("(<subtest>): failed without a word");
    check(&tries(first.clone(), numbered(&PASSED, 0)), Outcome::Fail, words);
    check(&tries(first, PASSED.map(report_of).concat()), Outcome::Fail, words);
    // A failure that was told is one.
    let told = numbered(&["setup passed", "call failed", "teardown passed"], 0);
    assert_eq!(of_lines(&tries(told, numbered(&PASSED, 1)), 1)[0].outcome, Outcome::Fail);
}

#[test]
fn the_helpers_own_words_are_errors() {
    let said =
        |key: &str, text: &str| format!("{{\"test\":0,\"{key}\":{}}}\n", serde_json::Value::from(text));
    check(&said("missing", "no such test now"), Outcome::Error, Some("no such test now"));
    let traceback = "t.py:1: in <module>\n    import nothing\nE   ImportError: nothing\n";
    check(&said("broken", traceback), Outcome::Error, Some("ImportError: nothing"));
    let result = &of_lines(&said("broken", traceback), 1)[0];
    assert_eq!(result.shown(&Show::default())[0].text, traceback);
    assert!(result.ran && !result.replay);
    let exits = start() + &report("setup", "passed", "") + &said("exit", "enough");
    check(&exits, Outcome::Error, Some("it ended pytest's session: enough"));
    // No such word makes a pass, not even after a whole protocol.
    for key in ["missing", "broken", "exit"] {
        assert_eq!(of_lines(&(protocol(&PASSED) + &said(key, "x")), 1)[0].outcome, Outcome::Error, "{key}");
    }
}

#[test]
fn lines_are_kept_for_the_lister_and_times_are_summed() {
    let lines = protocol(&PASSED);
    let result = &of_lines(&lines, 1)[0];
    assert!(result.replay);
    assert_eq!(result.lines.join("\n") + "\n", lines);
    assert_eq!(result.duration.as_secs_f64(), 0.5 * PASSED.len() as f64);
}

#[test]
fn numbers_that_json_does_not_know() {
    let strange = r#","user_properties":[["a",NaN],["b",-Infinity],["NaN","\"Infinity"]]"#;
    let lines = start()
        + &report("setup", "passed", "")
        + &report("call", "passed", strange)
        + &report("teardown", "passed", "")
        + &over();
    check(&lines, Outcome::Pass, None);
    assert!(of_lines(&lines, 1)[0].lines[2].contains(strange), "kept as they came");
}

#[test]
fn pairs_fill_a_line_to_its_end() {
    let pairs =
        [("a", "1"), ("b", "'22'"), ("c", "333")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    for (width, text) in [
        (22, "a = 1, b = '22'\nc = 333\n"),
        (23, "a = 1, b = '22'\nc = 333\n"),
        (24, "a = 1, b = '22', c = 333\n"),
        (15, "a = 1, b = '22'\nc = 333\n"),
        (14, "a = 1\nb = '22'\nc = 333\n"),
        (1, "a = 1\nb = '22'\nc = 333\n"),
    ] {
        let mut page = Page::new(width);
        page.pairs(&pairs);
        assert_eq!(page.into_text(), text, "{width}");
    }
}

#[test]
fn pythons_lines() {
    assert_eq!(python_lines("a\r\nb\rc\u{2028}d\x0c\n"), ["a", "b", "c", "d", ""]);
    assert_eq!(python_lines("a\n\n"), ["a", ""]);
    assert_eq!(python_lines(""), [""; 0]);
}

#[test]
fn options_that_show_less() {
    let sections = r#","sections":[["Captured stdout call","o\n"],["Captured stderr call","e\n"],["Captured log call","l"]]"#;
    let lines = start()
        + &report("call", "failed", sections)
            .replace(r#""longrepr":null,"sections":[],"#, r#""longrepr":"words","#)
        + &over();
    let result = &of_lines(&lines, 1)[0];
    let texts = |traceback, capture| -> Vec<String> {
        result.shown(&Show { width: 40, traceback, capture }).into_iter().map(|shown| shown.text).collect()
    };
    let section = |name: &str, text: &str| format!("{}\n{text}\n", super::page::rule("-", Some(name), 40));
    let (o, e, l) = (
        section("Captured stdout call", "o"),
        section("Captured stderr call", "e"),
        section("Captured log call", "l"),
    );
    assert_eq!(texts(Traceback::Full, Capture::All), [format!("words\n{o}{e}{l}")]);
    assert_eq!(texts(Traceback::Full, Capture::Stdout), [format!("words\n{o}")]);
    assert_eq!(texts(Traceback::Full, Capture::Stderr), [format!("words\n{e}")]);
    assert_eq!(texts(Traceback::Full, Capture::Log), [format!("words\n{l}")]);
    assert_eq!(texts(Traceback::Full, Capture::No), ["words\n"]);
    assert_eq!(texts(Traceback::Line, Capture::All), ["words\n"]);
    assert_eq!(texts(Traceback::No, Capture::All), [""; 0]);
}

#[test]
fn a_checked_batch_tells_what_came_before_and_what_was_left() {
    let lines = protocol(&PASSED)
        .replace(r#""start":true"#, r#""start":true,"before":2"#)
        .replace(r#""end":true"#, r#""end":true,"left":"umask""#);
    let [result] = of_lines(&lines, 1).try_into().expect("one result");
    assert_eq!((result.before, result.left.as_deref()), (2, Some("umask")));
    let [result] = of_lines(&protocol(&PASSED), 1).try_into().expect("one result");
    assert_eq!((result.before, result.left), (0, None));
}
