//! The lister's words in, jobs and answers out.

use super::{Granularity, PytestPlan, Shape};
use crate::PlanEvent;
use crate::tests::Bench;
use seatrial_frameworks::pytest::helper::Framework;
use seatrial_model::{Captured, End, JobId, Launch, Limits, Near, Outcome, Reading, Round, TestRef, Verdict};
use serde_json::{Value, json};

fn bench() -> Bench<PytestPlan> {
    bench_of(Shape { granularity: Granularity::Test, ..Shape::default() })
}

fn bench_of(shape: Shape) -> Bench<PytestPlan> {
    let mut bench = silent(shape);
    let hello = r#"{"hello":{"python":"3.12.1","pytest":"9.0","rootdir":"/p","nodes":[{"workerid":"gw0"}],"forks":true}}"#;
    assert_eq!(say(&mut bench, hello), ["invite 0"]);
    bench
}

/// One whose lister has not said anything.
fn silent(shape: Shape) -> Bench<PytestPlan> {
    let warmer = Launch { program: "python".into(), args: vec![], env: vec![], cwd: "/p".into(), warm: None };
    let early: &[&str] = if shape.framework == Framework::Unittest { &["warm up 0"] } else { &[] };
    let mut bench = Bench::new(PytestPlan::new(warmer, Limits::default(), shape));
    assert_eq!(bench.feed(PlanEvent::Begin), [&["launch 0 python"], early].concat());
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
    let informed = said.remove(0);
    assert!(
        informed.starts_with("inform 0 {") && informed.contains(r#""imports":["os"],"nodes":["#),
        "{informed}"
    );
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
            r#"Verdict 0: a.py one | {"file":"/p/a.py","last":false,"tests":[{"id":"a.py::one","n":0}]}"#,
            r#"Verdict 1: a.py K::two[x] | {"file":"/p/a.py","last":false,"of":{"a.py::K::two":["a.py::K::two[x]"]},"tests":[{"id":"a.py::K::two[x]","n":0}]}"#,
            r#"Verdict 2: b.py one | {"file":"/p/b.py","last":false,"tests":[{"id":"b.py::one","n":0}]}"#,
            r#"Verdict 3: b.py two | {"file":"/p/b.py","last":true,"tests":[{"id":"b.py::two","n":0}]}"#,
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
    assert!(lines[2].starts_with(r#"Verdict 0: d.rst d.rst and 1 more | {"batch":true"#), "{lines:?}");
    assert!(lines[3].starts_with("Verdict 1: e.rst e.rst |"), "{lines:?}");
    let names = |job| {
        let Reading::Pytest { tests } = &bench.jobs[&JobId(job)].reading else { panic!("another reading") };
        tests.iter().map(|test| test.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!((names(0), names(1)), (vec!["d.rst".to_owned(), "second".to_owned()], vec![]));
}

#[test]
fn neighbours_of_one_unit_are_one_job_in_one_process() {
    for granularity in [Granularity::Test, Granularity::Auto] {
        let mut bench = bench_of(Shape { granularity, ..Shape::default() });
        let (k, l) = (r#","unit":"class K""#, r#","unit":"class L""#);
        let lines = listed(
            &mut bench,
            &[
                test("a.py::K.one", 0, false, "test", k),
                test("a.py::K.two", 0, false, "test", k),
                test("a.py::L.one", 0, false, "test", l),
                test("a.py::alone", 0, false, "test", ""),
                test("a.py::K.three", 0, false, "test", k),
                test("b.py::K.one", 0, false, "test", k),
            ],
        );
        let jobs: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("Verdict ")).collect();
        let names: Vec<&str> = jobs.iter().filter_map(|job| job.split(" |").next()).collect();
        assert_eq!(
            names,
            [
                "0: a.py K.one and 1 more",
                "1: a.py L.one",
                "2: a.py alone",
                "3: a.py K.three",
                "4: b.py K.one"
            ]
        );
        assert!(jobs[0].contains(r#""batch":true"#), "{lines:?}");
        assert!(!jobs[0].contains("check") && !jobs[0].contains("fresh"), "{lines:?}");
        // One that did not come to its turn gets a process with what its unit needs; none is tried after others.
        let mut again = |round| {
            let tests = vec![TestRef::new("a.py", "K.two")];
            bench.feed(PlanEvent::Again { job: JobId(0), tests, round })
        };
        let said = again(Round::Company);
        assert!(said[0].contains("K.two") && said[0].contains(r#""batch":true"#), "{said:?}");
        let said = again(Round::After);
        assert!(!said[0].contains("K.two"), "{said:?}");
    }
}

#[test]
fn words_name_the_framework() {
    let hello = r#"{"hello":{"python":"3.12.1","pytest":null,"rootdir":null,"nodes":[]}}"#;
    let named = |framework| {
        let mut bench = silent(Shape { framework, ..Shape::default() });
        let mut said = say(&mut bench, hello);
        said.extend(say(&mut bench, r#"{"listed":{"tests":0,"deselected":1,"exit":5}}"#));
        said
    };
    assert_eq!(
        named(Framework::Pytest),
        ["notice this Python (3.12.1) has no pytest", "notice pytest deselected 1 tests", "complete"]
    );
    assert_eq!(named(Framework::Unittest), ["notice unittest deselected 1 tests", "complete"]);
}

#[test]
fn slots_have_forks_of_the_session_or_begin_for_themselves() {
    let hello = |forks| {
        let mut bench = silent(Shape { explain: true, ..Shape::default() });
        let facts = json!({"python": "3.12.1", "pytest": "9.0", "rootdir": "/p", "forks": forks});
        let said = say(&mut bench, &json!({ "hello": facts }).to_string());
        (bench, said)
    };
    let (_, said) = hello(true);
    assert_eq!(said, ["invite 0"]);

    let (mut bench, said) = hello(false);
    assert_eq!(said, ["warm up 0"]);
    let facts = json!({"tests": 0, "deselected": 0, "exit": null, "refusal": "there are threads"});
    let said = say(&mut bench, &json!({ "listed": facts }).to_string());
    assert_eq!(
        said[1..],
        ["notice each slot imports and collects for itself: there are threads", "complete"]
    );
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
    let spec = bench.jobs[&JobId(0)].clone();
    bench.feed(PlanEvent::Settled { spec, end: Some(end), report, verdicts })
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
}

#[test]
fn fixtures_for_the_run_reach_every_slot() {
    let mut bench = bench();
    let fixtures = r#"[{"name":"db","value":{"port":5432}},{"name":"f","error":"it broke"},{"name":"g","value":"a","forward":[7]}]"#;
    say(&mut bench, &format!(r#"{{"tests":[{}]}}"#, test("a.py::one", 0, false, "test", "")));
    let listed = format!(r#"{{"listed":{{"tests":1,"deselected":0,"exit":null,"fixtures":{fixtures}}}}}"#);
    let said = say(&mut bench, &listed);
    assert_eq!(said[0], "forward [7, 5432]", "before any job");
    let told: Value = serde_json::from_str(said[1].strip_prefix("inform 0 ").unwrap()).unwrap();
    let values = json!({"db": {"value": {"port": 5432}}, "f": {"error": "it broke"}, "g": {"value": "a"}});
    assert_eq!(told["fixture_values"], values);
    let variables = json!({"SEATRIAL_FIXTURE_DB": "{\"port\":5432}", "SEATRIAL_FIXTURE_G": "a"});
    assert_eq!(told["environment"], variables);
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

/// The tests of each job by their last letters, and how it is run.
fn jobs(lines: &[String]) -> Vec<String> {
    let of_job = |line: &String| {
        let (_, payload) = line.split_once(" | ").expect("a payload");
        let payload: serde_json::Value = serde_json::from_str(payload).expect("JSON");
        let tests = payload["tests"].as_array().expect("tests");
        let names: Vec<&str> =
            tests.iter().filter_map(|test| test["id"].as_str()?.rsplit("::").next()).collect();
        let how =
            ["batch", "check", "share", "stop", "fresh"].into_iter().filter(|how| payload[*how] == true);
        let last = if payload["last"] == true { " last" } else { "" };
        format!("{}: {}{last}", names.join("+"), how.collect::<Vec<_>>().join(" "))
    };
    lines.iter().filter(|line| line.contains("Verdict") || line.starts_with("again")).map(of_job).collect()
}

fn suite() -> Vec<String> {
    let kind = |kind: u32| format!(r#","kind":{kind}"#);
    vec![
        test("a.py::one", 0, false, "test", &kind(0)),
        test("a.py::two", 0, false, "test", &kind(0)),
        test("a.py::K::three", 0, false, "test", &kind(0)),
        test("a.py::K::four[a::b]", 0, false, "test", &kind(1)),
        test("b.py::one", 0, true, "test", &kind(2)),
        test("b.py::two", 0, true, "test", &kind(2)),
        test("c.rst::c", 0, false, "file", ""),
        test("c.rst::d", 0, false, "file", ""),
        test("cases/e.yml::e", 0, false, "test", r#","kind":0,"alone":true"#),
        test("cases/f.yml::f", 0, false, "test", r#","kind":0,"alone":true"#),
        test("cases/g.yml::g", 0, false, "test", r#","kind":0"#),
        test("more/h.yml::h", 0, false, "test", r#","kind":0,"alone":true"#),
    ]
}

#[test]
fn what_shares_a_process_is_the_users_choice() {
    for (granularity, expected) in [
        (
            Granularity::Auto,
            vec![
                "one+two+three: batch check share",
                "b]: batch check share",
                "one+two: batch check last",
                "c+d: batch fresh",
                "e+f: batch check share",
                "g: batch check share",
                "h: batch check share",
            ],
        ),
        (
            Granularity::Test,
            vec![
                "one: ",
                "two: ",
                "three: ",
                "b]: ",
                "one: ",
                "two:  last",
                "c+d: batch fresh",
                "e: ",
                "f: ",
                "g: ",
                "h: ",
            ],
        ),
        (
            Granularity::Class,
            vec![
                "one+two: batch",
                "three+b]: batch",
                "one+two: batch last",
                "c+d: batch fresh",
                "e: batch",
                "f: batch",
                "g: batch",
                "h: batch",
            ],
        ),
        (
            Granularity::Module,
            vec![
                "one+two+three+b]: batch",
                "one+two: batch last",
                "c+d: batch fresh",
                "e: batch",
                "f: batch",
                "g: batch",
                "h: batch",
            ],
        ),
        (Granularity::Session, vec!["one+two+three+b]+one+two: batch", "c+d: batch fresh", "e+f+g+h: batch"]),
    ] {
        let mut bench = bench_of(Shape { granularity, ..Shape::default() });
        let lines = listed(&mut bench, &suite());
        assert_eq!(jobs(&lines), expected, "{granularity:?}");
    }
}

#[test]
fn whole_classes_share_a_job() {
    let of = |class: &str, test_name: &str, kind: u32, own: Option<u32>, wider: Option<u32>| {
        let number = |name: &str, number: Option<u32>| {
            number.map_or_else(String::new, |n| format!(r#","{name}":{n}"#))
        };
        let more = format!(r#","kind":{kind}{}{}"#, number("own", own), number("wider", wider));
        test(&format!("a.py::{class}{test_name}"), 0, true, "test", &more)
    };
    let tests = [
        of("A::", "a1", 1, Some(1), Some(9)),
        of("A::", "a2", 1, Some(1), Some(9)),
        of("B::", "b1", 2, Some(2), Some(9)),
        of("", "function", 3, None, Some(9)),
        // Some of its tests need more.
        of("C::", "c1", 4, Some(4), Some(9)),
        of("C::", "c2", 5, Some(4), Some(8)),
        of("D::", "d1", 6, Some(6), Some(8)),
        // One of its tests is slow.
        of("E::", "e1", 7, Some(7), Some(8)),
        of("E::", "e2", 7, Some(7), Some(8)),
        of("F::", "f1", 8, Some(8), Some(8)),
        of("G::H::", "g1", 9, None, None),
        of("I::", "i1", 10, Some(10), Some(8)),
    ];
    let slow = [TestRef::new("a.py", "E::e2")].into_iter().collect();
    let mut bench = bench_of(Shape { slow, ..Shape::default() });
    let lines = listed(&mut bench, &tests);
    let expected = ["a1+a2+b1+function", "c1", "c2", "d1", "e1", "e2", "f1", "g1", "i1"];
    let found: Vec<String> =
        jobs(&lines).iter().map(|job| job.split(':').next().unwrap_or_default().to_owned()).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_test_that_is_known_to_be_slow_is_alone() {
    let slow = [TestRef::new("a.py", "two")].into();
    let mut bench = bench_of(Shape { slow, ..Shape::default() });
    let lines = listed(&mut bench, &suite()[..3]);
    assert_eq!(
        jobs(&lines),
        ["one: batch check share", "two: batch check share", "three: batch check share"]
    );
}

#[test]
fn a_long_file_is_several_jobs() {
    let mut bench = bench_of(Shape::default());
    let tests: Vec<String> = (0..130).map(|n| test(&format!("a.py::t{n}"), 0, false, "test", "")).collect();
    listed(&mut bench, &tests);
    let sizes: Vec<usize> = bench.jobs.values().map(|spec| spec.tests().len()).collect();
    assert_eq!(sizes, [64, 64, 2]);
}

#[test]
fn the_frameworks_limit_is_passed_on_and_ends_jobs() {
    let warmer = Launch { program: "python".into(), args: vec![], env: vec![], cwd: "/p".into(), warm: None };
    let mut bench = Bench::new(PytestPlan::new(warmer, Limits::default(), Shape::default()));
    let hello = r#"{"hello":{"python":"3.12.1","pytest":"9.0","rootdir":"/p","maxfail":2,"forks":true}}"#;
    assert_eq!(say(&mut bench, hello), ["max fail 2", "invite 0"]);
    let lines = listed(&mut bench, &suite()[..2]);
    assert_eq!(jobs(&lines), ["one+two: batch check share stop"]);
}

#[test]
fn tests_run_again_in_other_company() {
    let mut bench = bench_of(Shape::default());
    listed(&mut bench, &suite());
    end(&mut bench, 0, &["one", "two", "K::three"], Outcome::Pass);
    let mut again = |job: u32, names: &[&str], round| {
        let tests = names.iter().map(|name| TestRef::new("a.py", name)).collect();
        bench.feed(PlanEvent::Again { job: JobId(job), tests, round })
    };
    assert_eq!(jobs(&again(0, &["two", "K::three"], Round::Company)), ["two+three: batch check share"]);
    assert_eq!(jobs(&again(0, &["two", "K::three"], Round::Alone)), ["two+three: "]);
    assert_eq!(jobs(&again(1, &["K::four[a::b]"], Round::After)), ["one+two+three+b]: batch"]);
    assert_eq!(again(0, &["one"], Round::After), ["again 0: not"], "nothing comes before it");
    // A file is run as a whole anyway.
    let tests = vec![TestRef::new("c.rst", "d")];
    assert_eq!(bench.feed(PlanEvent::Again { job: JobId(3), tests, round: Round::After }), ["again 3: not"]);
}

/// These tests have their last results.
fn end(bench: &mut Bench<PytestPlan>, job: u32, names: &[&str], outcome: Outcome) -> Vec<String> {
    let verdict = |name: &&str| Verdict { test: TestRef::new("a.py", name), outcome, reason: None };
    let verdicts = names.iter().map(verdict).collect();
    let (spec, report) = (bench.jobs[&JobId(job)].clone(), Captured::default());
    bench.feed(PlanEvent::Settled { spec, end: None, report, verdicts })
}

#[test]
fn tests_that_fail_alone_wait_for_the_others_of_their_file() {
    let listed_tests: Vec<String> =
        (0..4).map(|n| test(&format!("a.py::t{n}"), 0, false, "test", "")).collect();
    let report = |places: &[(u32, &str)]| {
        let lines = places.iter().map(|(place, outcome)| {
            passed().replace(r#""test":0"#, &format!(r#""test":{place}"#)).replace(
                r#""outcome":"passed","longrepr":null,"when":"call""#,
                &format!(r#""outcome":"{outcome}","longrepr":null,"when":"call""#),
            )
        });
        Captured::whole(lines.collect::<String>().into_bytes())
    };
    for (second, expected) in [("failed", "again 1: not"), ("passed", "t0+t1: batch")] {
        let mut bench = bench();
        listed(&mut bench, &listed_tests);
        let after = |bench: &mut Bench<PytestPlan>, job: u32| {
            let tests = vec![TestRef::new("a.py", &format!("t{job}"))];
            bench.feed(PlanEvent::Again { job: JobId(job), tests, round: Round::After })
        };
        assert_eq!(after(&mut bench, 1), [""; 0], "others have not ended");
        assert_eq!(jobs(&end(&mut bench, 0, &["t0"], Outcome::Pass)), [""; 0]);
        assert_eq!(after(&mut bench, 2), [""; 0]);
        let said = end(&mut bench, 3, &["t3"], Outcome::Pass);
        assert_eq!(jobs(&said), ["t0+t1+t2: batch"], "the last of them runs for all");
        let (spec, report) =
            (bench.jobs[&JobId(2)].clone(), report(&[(0, "passed"), (1, second), (2, "failed")]));
        let verdicts =
            vec![Verdict { test: TestRef::new("a.py", "t2"), outcome: Outcome::Fail, reason: None }];
        let said = bench.feed(PlanEvent::Settled { spec, end: Some(End::Exit(0)), report, verdicts });
        let (not, again): (Vec<String>, Vec<String>) =
            said.into_iter().filter(|line| line.starts_with("again")).partition(|line| line.ends_with("not"));
        assert_eq!([not, jobs(&again)].concat(), [expected], "{second}");
        assert_eq!(bench.jobs[&JobId(2)].tests().len(), 3);
    }
}

#[test]
fn after_some_tries_in_vain_a_file_is_believed() {
    let mut bench = silent(Shape::default());
    // Who wants to stop at a failure is not kept waiting.
    let hello = r#"{"hello":{"python":"3.12.1","pytest":"9.0","rootdir":"/p","maxfail":9,"forks":true}}"#;
    say(&mut bench, hello);
    let tests: Vec<String> = (0..9).map(|n| test(&format!("a.py::t{n}"), 0, false, "test", "")).collect();
    listed(&mut bench, &tests);
    let spec = bench.jobs[&JobId(0)].clone();
    let tried = (1..9).take_while(|n| {
        let test = TestRef::new("a.py", &format!("t{n}"));
        let said =
            bench.feed(PlanEvent::Again { job: JobId(0), tests: vec![test.clone()], round: Round::After });
        let verdicts = vec![Verdict { test, outcome: Outcome::Fail, reason: None }];
        let (spec, report) = (spec.clone(), Captured::default());
        bench.feed(PlanEvent::Settled { spec, end: None, report, verdicts });
        said != ["again 0: not"]
    });
    assert_eq!(tried.count(), 3);
}

#[test]
fn of_two_results_the_lister_is_told_the_one_that_stands() {
    let mut bench = bench();
    listed(&mut bench, &[test("a.py::one", 0, false, "test", "")]);
    let spec = bench.jobs[&JobId(0)].clone();
    let mut settled = |report: String, outcome: Option<Outcome>| {
        let test = TestRef::new("a.py", "one");
        let verdicts = outcome.map(|outcome| Verdict { test, outcome, reason: None }).into_iter().collect();
        let report = Captured::whole(report.into_bytes());
        bench.feed(PlanEvent::Settled { spec: spec.clone(), end: Some(End::Exit(0)), report, verdicts })
    };
    let failed = passed().replacen(r#""outcome":"passed""#, r#""outcome":"failed""#, 2);
    assert_eq!(settled(failed, None), [""; 0], "nothing is final");
    // It has passed after others, but that is not enough for who is strict.
    let told = settled(passed(), Some(Outcome::Fail));
    assert!(told[0].starts_with(r#"tell {"reports""#) && told[0].contains("failed"), "{told:?}");
}

#[test]
fn who_asks_is_told_what_tests_leave_behind() {
    for (explain, words) in [(true, "notice a.py one has changed: os.environ"), (false, "tell")] {
        let mut bench = bench_of(Shape { explain, ..Shape::default() });
        listed(&mut bench, &[test("a.py::one", 0, false, "test", "")]);
        let report = passed().replace(r#""end":true"#, r#""end":true,"left":"os.environ""#);
        let told = settle(&mut bench, &report, End::Exit(0), (Outcome::Pass, ""));
        assert!(told[0].starts_with(words), "{told:?}");
    }
}

#[test]
fn the_files_of_a_job_are_told_by_its_tests_names() {
    let mut bench = bench_of(Shape { granularity: Granularity::Module, ..Shape::default() });
    listed(&mut bench, &[test("a.py::one", 0, false, "test", ""), test("a.py::two", 0, false, "test", "")]);
    let spec = bench.jobs[&JobId(0)].clone();
    let line = |tests: &str| {
        format!(
            r#"{{"facts":{{"tests":[{tests}],"interpreter":"i","step":1,"opened":["x.txt"],"written":[],"imported":[],"left_out":0}}}}"#
        ) + "\n"
    };
    // A position that the job does not have is nobody's.
    let report = Captured::whole([line("0,1"), line("1"), line("2"), line("0,2")].concat().into_bytes());
    let event = |report| {
        let (spec, verdicts) = (spec.clone(), Vec::new());
        PlanEvent::Settled { spec, end: Some(End::Exit(0)), report, verdicts }
    };
    assert_eq!(bench.feed(event(report)), ["facts a.py one, a.py two: x.txt", "facts a.py two: x.txt"]);
}

#[test]
fn a_python_without_hooks_is_named_once_and_only_when_asked() {
    let hello = |version: &str| {
        format!(r#"{{"hello":{{"python":"{version}","pytest":"7.0","rootdir":"/p","nodes":[]}}}}"#)
    };
    let mut asked = bench_of(Shape { record_files: true, ..Shape::default() });
    for (version, cannot) in
        [("3.7.17", true), ("2.7.18", true), ("3.8.0", false), ("3.14.0rc1", false), ("4", false)]
    {
        let said = say(&mut asked, &hello(version));
        assert_eq!(said.iter().any(|line| line.starts_with("notice")), cannot, "{version}: {said:?}");
    }
    assert_eq!(say(&mut bench(), &hello("3.7.17")), ["warm up 0"]);
}
