//! What a plan is told of the past.

use super::*;
use seatrial_model::TestFacts;

type Results<'a> = &'a [(&'a str, Outcome, u64)];

/// The facts after these runs, oldest first: name, wall time in milliseconds, latest outcome.
fn check(runs: &[Results<'_>], expected: Results<'_>) {
    let dir = tempfile::tempdir().unwrap();
    drop(History::open(dir.path()).unwrap());
    for (n, results) in runs.iter().enumerate() {
        run(dir.path(), n as u64, results);
    }
    compare(dir.path(), expected);
}

fn compare(dir: &Path, expected: Results<'_>) {
    let facts = History::open_read_only(dir).unwrap().facts(PROJECT).unwrap();
    let expected = expected
        .iter()
        .map(|(name, last, ms)| (test(name), TestFacts { duration: Duration::from_millis(*ms), last: *last }))
        .collect();
    assert_eq!(facts.tests, expected);
}

use Outcome::{Cancelled, Fail, Lost, Pass, Skip, Timeout};

#[test]
fn the_mean_of_the_last_three() {
    check(&[], &[]);
    check(&[&[("a", Pass, 10)]], &[("a", Pass, 10)]);
    check(&[&[("a", Pass, 10)], &[("a", Fail, 20)]], &[("a", Fail, 15)]);
    check(&[&[("a", Fail, 900)], &[("a", Pass, 1)], &[("a", Fail, 2)], &[("a", Pass, 3)]], &[("a", Pass, 2)]);
}

#[test]
fn what_is_no_measurement_is_not_in_the_mean() {
    check(&[&[("a", Pass, 10)], &[("a", Timeout, 9000)], &[("a", Cancelled, 1)]], &[("a", Cancelled, 10)]);
    check(&[&[("a", Pass, 10)], &[("a", Skip, 0)]], &[("a", Skip, 10)]);
    check(&[&[("a", Timeout, 9000)], &[("a", Timeout, 8000)]], &[("a", Timeout, 8000)]);
    check(&[&[("a", Skip, 0)], &[("b", Lost, 7)]], &[("b", Lost, 7)]);
}

#[test]
fn runs_of_other_tests_do_not_wipe_out_what_is_known() {
    let whole: Results<'_> = &[("a", Pass, 1), ("b", Fail, 2), ("c", Pass, 3), ("d", Pass, 4)];
    let one: Results<'_> = &[("c", Fail, 30)];
    check(
        &[whole, one, one, one, one, one, one],
        &[("a", Pass, 1), ("b", Fail, 2), ("c", Fail, 30), ("d", Pass, 4)],
    );
}

#[test]
fn only_the_last_try_of_a_run_counts() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), 1, &[("a", Pass, 100), ("b", Pass, 4), ("c", Pass, 6)]);
    let mut recorder = begin(dir.path(), 2);
    for attempt in 1..=40_u32 {
        let outcome = if attempt == 40 { Pass } else { Fail };
        let event = finished(&test("b"), attempt, outcome, if attempt == 40 { 8 } else { 5000 });
        recorder.record(Instant(0), &event).unwrap();
    }
    for name in ["a", "c"] {
        recorder.record(Instant(0), &finished(&test(name), 1, Fail, 10)).unwrap();
    }
    recorder.flush().unwrap();
    compare(dir.path(), &[("a", Fail, 55), ("b", Pass, 6), ("c", Fail, 8)]);
}

#[test]
fn another_projects_tests_are_not_known() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), 1, &[("a", Pass, 10)]);
    let mut history = History::open(dir.path()).unwrap();
    let other = RunHeader { project: "/other".to_owned(), ..header(2) };
    let mut recorder = history.begin(&other, "me", &[]).unwrap();
    recorder.record(Instant(0), &finished(&test("a"), 1, Fail, 999)).unwrap();
    recorder.flush().unwrap();
    compare(dir.path(), &[("a", Pass, 10)]);
    assert_eq!(history.facts("/none").unwrap().tests.len(), 0);
}
