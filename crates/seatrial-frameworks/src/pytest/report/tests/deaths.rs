//! Processes that died, jobs of several tests, and report pipes that do not hold everything.

use super::{PASSED, check, protocol, read, report, start};
use crate::pytest::report::{Beside, Show, TestResult, beside};
use seatrial_model::{Bytes, Captured, End, Outcome, SpawnStep, TestRef};

/// What is expected of a test: outcome, reason, whether it ran, whether its lines can be replayed.
type Expected<'a> = (Outcome, Option<&'a str>, bool, bool);

const PASS: Expected<'_> = (Outcome::Pass, None, true, true);

fn check_job(lines: &str, end: End, expected: &[Expected<'_>]) {
    let results = read(&Captured::whole(lines.as_bytes().to_vec()), expected.len(), &end);
    let found: Vec<Expected<'_>> = results.iter().map(facts).collect();
    assert_eq!(found, expected, "{end:?} {lines}");
}

fn facts(result: &TestResult) -> Expected<'_> {
    (result.outcome, result.reason.as_deref(), result.ran, result.replay)
}

/// The lines of test 0 as those of another.
fn of(test: usize, lines: &str) -> String {
    lines.replace("\"test\":0,", &format!("\"test\":{test},"))
}

fn crash(reason: &str) -> Expected<'_> {
    (Outcome::Crash, Some(reason), true, false)
}

fn not_run(reason: &str) -> Expected<'_> {
    (Outcome::Error, Some(reason), false, false)
}

#[test]
fn a_death_in_the_middle_is_a_crash() {
    let begun = start() + &report("setup", "passed", "");
    check_job(&begun, End::Exit(0), &[crash("exited with 0 in the middle of the test")]);
    check_job(&begun, End::Exit(3), &[crash("exited with 3 in the middle of the test")]);
    check_job(&begun, End::Signal(11), &[crash("SIGSEGV in the middle of the test")]);
    // Its first line is lost with it.
    check_job("", End::Exit(0), &[crash("exited with 0 in the middle of the test")]);
    check_job("", End::Signal(9), &[crash("SIGKILL in the middle of the test")]);
    // All reports, but not the last line: plug-ins may still have had something to say.
    let all = protocol(&PASSED).replace("{\"test\":0,\"end\":true}\n", "");
    check_job(&all, End::Exit(0), &[crash("exited with 0 in the middle of the test")]);
}

#[test]
fn a_failure_before_the_death_is_told_and_shown() {
    let failed = report("call", "failed", "").replace("\"longrepr\":null", "\"longrepr\":\"assert 1 == 2\"");
    let lines = start() + &report("setup", "passed", "") + &failed;
    let words = "SIGABRT in the middle of the test, after assert 1 == 2";
    check_job(&lines, End::Signal(6), &[crash(words)]);
    let results = read(&Captured::whole(lines.into_bytes()), 1, &End::Signal(6));
    assert_eq!(results[0].shown(&Show::default())[0].text, "assert 1 == 2\n");
    let verdict = results[0].verdict(TestRef::new("pytest", "t.py::test_it"));
    assert_eq!((verdict.outcome, verdict.reason.as_deref()), (Outcome::Crash, Some(words)));
}

#[test]
fn a_death_after_the_end_takes_a_pass_away_but_not_a_failure() {
    let passed = protocol(&PASSED);
    check_job(&passed, End::Exit(0), &[PASS]);
    check_job(&passed, End::Exit(1), &[crash("exited with 1 after the test")]);
    check_job(&passed, End::Signal(11), &[crash("SIGSEGV after the test")]);
    let skipped = protocol(&["setup skipped", "teardown passed"]);
    check_job(&skipped, End::Signal(11), &[crash("SIGSEGV after the test")]);
    let failed = protocol(&["setup passed", "call failed", "teardown passed"]);
    let words = "failed without a word; then SIGSEGV";
    check_job(&failed, End::Signal(11), &[(Outcome::Fail, Some(words), true, false)]);
}

#[test]
fn ends_that_are_no_deaths_of_the_test() {
    let lost = (Outcome::Lost, Some("its slot died while it ran"), true, false);
    check_job(&protocol(&PASSED), End::SlotLost, &[lost]);
    check_job(&start(), End::SlotLost, &[lost]);
    check_job("", End::SlotLost, &[lost]);
    let end = End::NotStarted { step: SpawnStep::Exec, errno: 2 };
    let words = "could not be started: exec: No such file or directory (os error 2)";
    check_job("", end, &[(Outcome::Error, Some(words), true, false)]);
}

#[test]
fn of_several_tests_the_one_that_ran_is_charged() {
    let (first, second) = (protocol(&PASSED), of(1, &protocol(&PASSED)));
    check_job(&(first.clone() + &second), End::Exit(0), &[PASS, PASS]);
    check_job(&(first.clone() + &second), End::Signal(11), &[PASS, crash("SIGSEGV after the test")]);
    let middle = crash("SIGSEGV in the middle of the test");
    let later = not_run("not run: its process ended with SIGSEGV before its turn");
    check_job(&(first.clone() + &of(1, &start())), End::Signal(11), &[PASS, middle, later]);
    // It died between two tests: what the first left behind is the likely cause, and must not be forgotten.
    let after = crash("SIGSEGV after the test");
    check_job(&first, End::Signal(11), &[after, later]);
    let first_by_code = [
        crash("exited with 4 after the test"),
        not_run("not run: its process exited with 4 before its turn"),
    ];
    check_job(&first, End::Exit(4), &first_by_code);
    // It left the rest to another fork.
    let rest = not_run("not run: its process ended before its turn");
    check_job(&first, End::Exit(0), &[PASS, rest, rest]);
    check_job("", End::Exit(0), &[rest, rest]);
    check_job("", End::Signal(11), &[middle, later]);
    // The second began, and the process pretends that all is well.
    let silent = crash("exited with 0 in the middle of the test");
    check_job(&(first + &of(1, &start())), End::Exit(0), &[PASS, silent, rest]);
}

#[test]
fn a_broken_file_blames_no_test_with_its_status() {
    let broken = "{\"test\":0,\"broken\":\"cannot import\"}\n";
    let error = (Outcome::Error, Some("cannot import"), true, false);
    check_job(broken, End::Exit(1), &[error]);
    check_job(broken, End::Signal(11), &[error]);
    let rest = not_run("not run: its process exited with 1 before its turn");
    check_job(broken, End::Exit(1), &[error, rest]);
}

#[test]
fn an_unreadable_line_takes_every_pass_away() {
    let late = "{\"late\":{\"id\":\"t.py::test_it\",\"n\":0}}";
    let foreign = [
        "no JSON",
        late,
        "{\"new\":1}",
        "{\"test\":7,\"end\":true}",
        "{\"end\":true}",
        "{\"test\":0,\"report\":{}}",
    ];
    for foreign in foreign {
        let words = format!("its report cannot be read: `{foreign}`");
        check(&format!("{foreign}\n{}", protocol(&PASSED)), Outcome::Error, Some(&words));
        let failed = protocol(&["setup passed", "call failed", "teardown passed"]);
        check(&format!("{failed}{foreign}\n"), Outcome::Fail, Some("failed without a word"));
    }
    // What a newer helper adds is none.
    let newer = "{\"test\":0,\"warning\":[\"w\"]}\n{\"test\":0,\"new\":{\"end\":false}}\n\n";
    check(&format!("{newer}{}", protocol(&PASSED)), Outcome::Pass, None);
}

#[test]
fn a_report_of_which_the_middle_is_missing_is_no_pass() {
    let lines = protocol(&PASSED);
    let total = lines.len() as u64;
    let kept = |head: &str, tail: &str, total| Captured {
        head: Bytes::from(head),
        tail: Bytes::from(tail),
        total,
        spill: None,
    };
    for cut in 0..lines.len() {
        let (head, tail) = lines.split_at(cut);
        // Nothing is missing: the two ends touch, wherever the cut is.
        assert_eq!(facts(&read(&kept(head, tail, total), 1, &End::Exit(0))[0]), PASS, "{cut}");
        let result = &read(&kept(head, tail, total + 5), 1, &End::Exit(0))[0];
        assert!(result.outcome.is_bad(), "{cut}: {result:?}");
        // The end of one line and the beginning of another make none together.
        assert!(
            result.lines.iter().all(|line| lines.lines().any(|whole| whole == line)),
            "{cut}: {result:?}"
        );
    }
    // What was lost between two whole lines may have been a failure.
    let at = lines.find("{\"test\":0,\"end\"").expect("an end");
    let words = "its report is too long: 5 bytes of it were not kept";
    let result =
        read(&kept(&lines[..at], &format!("rest\n{}", &lines[at..]), total + 5 + 5), 1, &End::Exit(0));
    assert_eq!(facts(&result[0]), (Outcome::Error, Some(words), true, false));
}

fn late(id: &str, n: u32) -> String {
    let line = report("teardown", "failed", "").replace("t.py::test_it", id);
    line.replace("{\"test\":0,", &format!("{{\"late\":{{\"id\":\"{id}\",\"n\":{n}}},"))
}

#[test]
fn a_late_failure_of_a_test_of_this_job_is_its_own() {
    let words = "error at teardown of test_it: failed without a word";
    let lines = protocol(&PASSED) + &late("t.py::test_it", 0);
    check(&lines, Outcome::Error, Some(words));
    let whole = Captured::whole(lines.into_bytes());
    assert_eq!(beside(&whole, 1), []);
    assert!(
        read(&whole, 1, &End::Exit(0))[0].lines.iter().any(|line| line.contains("late")),
        "the lister hears it"
    );
}

#[test]
fn what_is_told_beside_a_job_spoils_none_of_its_tests() {
    let covered = "{\"coverage\":{\"a.py\":[1]}}";
    let left = "{\"unsafe\":{\"fixture\":\"server\",\"left\":\"a thread\"}}";
    let lines = format!("{}{covered}\n{left}\n{}", protocol(&PASSED), late("t.py::test_other", 3));
    check(&lines, Outcome::Pass, None);
    let told = beside(&Captured::whole(lines.into_bytes()), 1);
    let [Beside::Line(line), Beside::Unsafe(fixture), Beside::Late { id, n, result }] = told.as_slice()
    else {
        panic!("{told:?}")
    };
    assert_eq!(
        (line.as_str(), fixture.fixture.as_str(), fixture.left.as_str()),
        (covered, "server", "a thread")
    );
    assert_eq!((id.as_str(), *n, result.outcome), ("t.py::test_other", 3, Outcome::Error));
    assert_eq!(result.reason.as_deref(), Some("error at teardown of test_it: failed without a word"));
    assert_eq!(result.shown(&Show::default()).len(), 1);
    // What a warmer says at its own end belongs to no job.
    let told = beside(&Captured::whole(late("t.py::test_it", 0).into_bytes()), 0);
    assert!(matches!(told.as_slice(), [Beside::Late { .. }]), "{told:?}");
}

#[test]
fn the_lister_hears_of_a_tests_exit_by_its_line() {
    let lines = start() + "{\"test\":0,\"exit\":\"enough\"}\n";
    let words = "it ended pytest's session: enough";
    check_job(&lines, End::Exit(70), &[(Outcome::Error, Some(words), true, true)]);
}

#[test]
fn an_end_that_has_been_explained_is_nobody_elses() {
    let first = protocol(&PASSED);
    let second = first.replace("\"test\":0", "\"test\":1");
    let interrupted = "{\"test\":2,\"start\":true}\n{\"test\":2,\"broken\":\"KeyboardInterrupt\"}\n";
    let lines = format!("{first}{second}{interrupted}");
    let results = read(&Captured::whole(lines.into_bytes()), 4, &End::Exit(1));
    let outcomes: Vec<(Outcome, bool)> = results.iter().map(|result| (result.outcome, result.ran)).collect();
    let expected =
        [(Outcome::Pass, true), (Outcome::Pass, true), (Outcome::Error, true), (Outcome::Error, false)];
    assert_eq!(outcomes, expected);
}
