//! The lister's words in, jobs and answers out.

use super::PytestPlan;
use crate::PlanEvent;
use crate::tests::Bench;
use seatrial_model::{Captured, End, JobId, Launch, Limits, Near, Outcome, Reading, TestRef, Verdict};

fn bench() -> Bench<PytestPlan> {
    let warmer = Launch { program: "python".into(), args: vec![], env: vec![], cwd: "/p".into(), warm: None };
    let mut bench = Bench::new(PytestPlan::new(warmer, Limits::default()));
    assert_eq!(bench.feed(PlanEvent::Begin), [""; 0]);
    let hello = r#"{"hello":{"python":"3.12.1","pytest":"9.0","rootdir":"/p","nodes":[{"workerid":"gw0"}]}}"#;
    assert_eq!(say(&mut bench, hello), [""; 0]);
    bench
}

fn say(bench: &mut Bench<PytestPlan>, message: &str) -> Vec<String> {
    bench.feed(PlanEvent::Told(message.as_bytes().to_vec()))
}

/// A test of `a.py` unless its id names another file; `more` are further keys.
fn test(id: &str, n: u32, wide: bool, job: &str, more: &str) -> String {
    let file = id.split("::").next().unwrap_or_default();
    format!(r#"{{"id":"{id}","n":{n},"file":"/p/{file}","line":1,"wide":{wide},"job":"{job}"{more}}}"#)
}

fn listed(bench: &mut Bench<PytestPlan>, tests: &[String]) -> Vec<String> {
    let said = say(bench, &format!(r#"{{"tests":[{}]}}"#, tests.join(",")));
    assert_eq!(said, [""; 0], "nothing begins before all is known");
    let listed =
        format!(r#"{{"listed":{{"tests":{},"deselected":0,"exit":null,"imports":["os"]}}}}"#, tests.len());
    let mut said = say(bench, &listed);
    assert_eq!(said.remove(0), "launch 0 python");
    said
}

fn near(bench: &Bench<PytestPlan>) -> Vec<(u32, bool)> {
    bench
        .jobs
        .values()
        .filter_map(|spec| spec.near)
        .map(|Near { group, together }| (group, together))
        .collect()
}

#[test]
fn each_test_is_a_job_near_its_file() {
    let mut bench = bench();
    let lines = listed(
        &mut bench,
        &[
            test("a.py::one", 0, false, "test", ""),
            test("a.py::K::two[x]", 0, false, "test", ""),
            test("b.py::one", 0, true, "test", ""),
            test("b.py::two", 0, false, "test", ""),
        ],
    );
    assert_eq!(
        lines,
        [
            "listed a.py: 2",
            "listed b.py: 2",
            r#"Verdict 0: a.py one | {"batch":false,"file":"/p/a.py","fresh":false,"last":false,"tests":[{"id":"a.py::one","n":0}]}"#,
            r#"Verdict 1: a.py K::two[x] | {"batch":false,"file":"/p/a.py","fresh":false,"last":false,"tests":[{"id":"a.py::K::two[x]","n":0,"of":["a.py::K::two[x]"]}]}"#,
            r#"Verdict 2: b.py one | {"batch":false,"file":"/p/b.py","fresh":false,"last":false,"tests":[{"id":"b.py::one","n":0}]}"#,
            r#"Verdict 3: b.py two | {"batch":false,"file":"/p/b.py","fresh":false,"last":true,"tests":[{"id":"b.py::two","n":0}]}"#,
            "complete",
        ]
    );
    // One wide fixture holds its whole file together.
    assert_eq!(near(&bench), [(0, false), (0, false), (1, true), (1, true)]);
}

#[test]
fn a_directorys_fixture_holds_its_files_together() {
    let mut bench = bench();
    let group = r#","group":"/p/d""#;
    listed(
        &mut bench,
        &[
            test("d/a.py::one", 0, false, "test", group),
            test("d/b.py::one", 0, false, "test", group),
            test("c.py::one", 0, false, "test", ""),
        ],
    );
    assert_eq!(near(&bench), [(0, true), (0, true), (1, false)]);
}

#[test]
fn a_file_that_cannot_be_taken_apart_is_one_job() {
    let mut bench = bench();
    let lines = listed(
        &mut bench,
        &[
            test("d.rst::d.rst", 0, false, "file", ""),
            test("d.rst::second", 0, false, "file", ""),
            test("e.rst::e.rst", 0, false, "file", ""),
        ],
    );
    assert!(lines[2].starts_with(r#"Verdict 0: d.rst (file) | {"batch":true"#), "{lines:?}");
    assert!(lines[3].starts_with("Verdict 1: e.rst e.rst |"), "{lines:?}");
    let names = |job| {
        let Reading::Pytest { tests } = &bench.jobs[&JobId(job)].reading else { panic!("another reading") };
        tests.iter().map(|test| test.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!((names(0), names(1)), (vec!["d.rst".to_owned(), "second".to_owned()], vec![]));
}

#[test]
fn equal_ids_get_names_of_their_own() {
    let mut bench = bench();
    let lines =
        listed(&mut bench, &[test("a.py::x", 0, false, "test", ""), test("a.py::x", 1, false, "test", "")]);
    assert!(
        lines[1].starts_with("Verdict 0: a.py x |") && lines[2].starts_with("Verdict 1: a.py x (2) |"),
        "{lines:?}"
    );
}

fn settle(bench: &mut Bench<PytestPlan>, report: &str, end: End, verdict: (Outcome, &str)) -> Vec<String> {
    let verdicts = vec![Verdict {
        test: TestRef::new("a.py", "one"),
        outcome: verdict.0,
        reason: Some(verdict.1.to_owned()).filter(|reason| !reason.is_empty()),
    }];
    let report = Captured::whole(report.as_bytes().to_vec());
    bench.feed(PlanEvent::Settled { job: JobId(0), end: Some(end), report, verdicts })
}

/// What a test's process writes when all is well.
fn passed() -> String {
    let report = |when: &str| {
        format!(
            r#"{{"test":0,"report":{{"$report_type":"TestReport","nodeid":"a.py::one","location":["a.py",0,"one"],"keywords":{{}},"outcome":"passed","longrepr":null,"when":"{when}","user_properties":[],"sections":[],"duration":0.001}}}}"#
        )
    };
    let lines =
        [r#"{"test":0,"start":true}"#.to_owned(), report("setup"), report("call"), report("teardown")];
    format!("{}\n{{\"test\":0,\"end\":true}}\n", lines.join("\n"))
}

#[test]
fn the_lister_gets_pytests_own_reports() {
    let mut bench = bench();
    listed(&mut bench, &[test("a.py::one", 0, false, "test", "")]);
    let told = settle(&mut bench, &passed(), End::Exit(0), (Outcome::Pass, ""));
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with(r#"tell {"reports":[{"id":"a.py::one","n":0,"lines":["#), "{told:?}");
    assert_eq!(told[0].matches(r#""$report_type""#).count(), 3);
    assert_eq!(
        settle(&mut bench, &passed(), End::Exit(0), (Outcome::Pass, "")),
        [""; 0],
        "a job settles once"
    );
}

#[test]
fn what_the_engine_knows_better_is_told_as_lost() {
    for (report, end, verdict) in [
        (passed(), End::Signal(9), (Outcome::Timeout, "timed out after 1.0 s")),
        (String::new(), End::Signal(11), (Outcome::Crash, "SIGSEGV")),
    ] {
        let mut bench = bench();
        listed(&mut bench, &[test("a.py::one", 0, false, "test", "")]);
        let told = settle(&mut bench, &report, end, verdict);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(r#"tell {"lost":{"#) && told[0].contains(verdict.1), "{told:?}");
    }
    let mut bench = bench();
    listed(&mut bench, &[test("a.py::one", 0, false, "test", "")]);
    assert_eq!(settle(&mut bench, "", End::Signal(15), (Outcome::Cancelled, "")), [""; 0]);
}

#[test]
fn nothing_is_taken_for_all() {
    let lost =
        |bench: &mut Bench<PytestPlan>| say(bench, r#"{"listed":{"tests":2,"deselected":1,"exit":null}}"#);
    assert_eq!(
        lost(&mut bench()),
        ["notice pytest deselected 1 tests", "judged (session) error", "complete"],
        "tests that were counted but not named"
    );
    assert_eq!(bench().feed(PlanEvent::FoundAll), ["judged (session) error", "complete"]);
    let mut ended = bench();
    listed(&mut ended, &[]);
    assert_eq!(ended.feed(PlanEvent::FoundAll), [""; 0]);
    assert_eq!(say(&mut bench(), "what?"), ["judged (session) error"]);
}

#[test]
fn collection_errors_are_results() {
    let mut bench = bench();
    assert_eq!(
        say(&mut bench, r#"{"problem":{"id":"a.py","text":"E   ImportError"}}"#),
        ["judged (collection) error"]
    );
    assert_eq!(say(&mut bench, r#"{"listed":{"tests":1,"deselected":0,"exit":2}}"#), ["complete"]);
    assert_eq!(
        say(&mut bench, r#"{"stop":"stopping after 1 failures"}"#),
        ["stop: stopping after 1 failures"]
    );
}

#[test]
fn a_teardown_that_fails_later_is_an_error_of_its_test() {
    let mut bench = bench();
    listed(&mut bench, &[test("a.py::one", 0, true, "test", ""), test("a.py::two", 0, true, "test", "")]);
    let late = r#"{"late":{"id":"a.py::zero","n":0},"report":{"$report_type":"TestReport","nodeid":"a.py::zero","location":["a.py",0,"zero"],"keywords":{},"outcome":"failed","longrepr":"it broke","when":"teardown","user_properties":[],"sections":[],"duration":0.001}}"#;
    let told = settle(&mut bench, &format!("{}{late}\n", passed()), End::Exit(0), (Outcome::Pass, ""));
    assert_eq!(told[0], "judged zero error", "{told:?}");
    assert!(told[1].contains(r#""id":"a.py::zero""#) && told[1].contains("it broke"), "{told:?}");
    assert!(told[2].contains(r#""id":"a.py::one""#), "{told:?}");
}
