//! The fold of events.

use crate::make::*;
use seatrial_model::*;
use seatrial_report::view::{KEPT, RunView, SLOWEST};
use std::time::Duration;

fn fold(events: impl IntoIterator<Item = (u64, Event)>) -> RunView {
    let mut view = RunView::new();
    events.into_iter().for_each(|(ms, event)| view.event(Instant::from_millis(ms), &event));
    view
}

/// What a view holds does not grow with the passes: its text is as long after 100,000 as after 100.
#[test]
fn passes_leave_only_sums() {
    let size = |tests: u32| {
        let mut view = fold([(0, begun()), (0, listed(tests))]);
        for i in 0..tests {
            let (name, ms) = (format!("test_{i:06}"), u64::from(i % 7) + 1);
            view.event(Instant::from_millis(1), &start(&name, 1, i % 4));
            view.event(Instant::from_millis(2), &end(&name, Outcome::Pass, ms).event());
        }
        assert_eq!((view.counts().passed, view.finished(), view.total()), (tests, tests, tests));
        format!("{view:?}").len()
    };
    let (few, many) = (size(100), size(100_000));
    assert!(many <= few + 64, "{few} bytes after 100 tests, {many} after 100,000");
}

#[test]
fn failures_and_notices_are_bounded() {
    let more = 5;
    let all = KEPT + more;
    let fails = (0..all)
        .map(|i| (1, end(&format!("t{i}"), Outcome::Fail, 1).with(|e| e.reason = Some("why")).event()));
    let infos = (0..all).map(|_| (1, notice(NoticeLevel::Info, "x", None)));
    let view = fold(fails.chain(infos).chain([(2, notice(NoticeLevel::Error, "grave", None))]));
    assert_eq!((view.failures().items().len(), view.failures().more() as usize), (KEPT, more));
    assert_eq!(view.counts().failed as usize, all);
    assert_eq!(view.failures().items()[0].reason, "exit code 101: why");
    assert_eq!(view.notices(NoticeLevel::Info).more() as usize, more);
    assert_eq!(view.notices(NoticeLevel::Error).items().len(), 1, "one level does not crowd out another");
    let long: &'static str = Box::leak("x".repeat(5_000).into_boxed_str());
    let view = fold([(1, end("t", Outcome::Fail, 1).with(|e| e.reason = Some(long)).event())]);
    assert_eq!(view.failures().items()[0].reason.chars().count(), 300);
}

#[test]
fn each_test_counts_once_by_its_last_try() {
    for outcome in Outcome::ALL {
        let first = end("t", Outcome::Fail, 1).with(|e| e.last = false).event();
        let second = end("t", outcome, 1).with(|e| e.attempt = 2).event();
        let counts = fold([(1, first), (2, second)]).counts();
        let zero = Counts::default();
        let want = match outcome {
            Outcome::Pass => Counts { passed: 1, flaky: 1, ..zero },
            Outcome::Fail | Outcome::Timeout | Outcome::Crash | Outcome::Oom => Counts { failed: 1, ..zero },
            Outcome::Error | Outcome::Lost => Counts { errors: 1, ..zero },
            Outcome::Skip => Counts { skipped: 1, ..zero },
            Outcome::Cancelled => Counts { not_run: 1, ..zero },
        };
        assert_eq!(counts, want, "{outcome:?}");
    }
}

#[test]
fn flaky_is_a_pass_after_a_bad_try() {
    let bad = |reason| {
        end("t", Outcome::Fail, 1)
            .with(|e| {
                e.last = false;
                e.reason = Some(reason);
            })
            .event()
    };
    let pass = |attempt| end("t", Outcome::Pass, 1).with(|e| e.attempt = attempt).event();
    let view = fold([(1, bad("first")), (2, bad("second")), (3, pass(3))]);
    let flaky = &view.flaky().items()[0];
    assert_eq!((flaky.attempt, flaky.before.as_str()), (Attempt(3), "exit code 101: first"));
    let view = fold([(1, bad("x")), (2, pass(2)), (3, pass(1)), (4, end("u", Outcome::Pass, 1).event())]);
    assert_eq!((view.counts().passed, view.counts().flaky), (3, 1), "the same test again is judged anew");
}

#[test]
fn the_slowest_are_kept_in_order() {
    let view = fold((0..100_u64).map(|i| (i, end(&format!("t{i}"), Outcome::Pass, i * 37 % 101).event())));
    let walls: Vec<_> = view.slowest().iter().map(|timed| timed.wall.as_millis()).collect();
    assert_eq!(walls.len(), SLOWEST);
    let mut all: Vec<_> = (0..100_u128).map(|i| i * 37 % 101).collect();
    all.sort_by_key(|wall| std::cmp::Reverse(*wall));
    assert_eq!(walls, all[..SLOWEST]);
    let view =
        fold([(1, end("first", Outcome::Pass, 5).event()), (2, end("second", Outcome::Pass, 5).event())]);
    assert_eq!(&*view.slowest()[0].test.name, "first");
}

#[test]
fn running_tests_come_and_go() {
    let view = fold([(1, start("a", 1, 0)), (2, start("b", 1, 1)), (3, start("a", 2, 0)), (4, slow("a", 3))]);
    assert_eq!(view.running_count(), 3);
    let names: Vec<_> =
        view.running().iter().map(|r| (r.test.name.to_string(), r.attempt.0, r.slow)).collect();
    assert_eq!(names, [("a".into(), 1, 1), ("b".into(), 1, 0), ("a".into(), 2, 1)]);
    let mut view = view;
    view.event(Instant::from_millis(5), &end("a", Outcome::Fail, 1).with(|e| e.last = false).event());
    assert_eq!(view.running_count(), 2);
    assert_eq!(view.running_test(&TestRef::new(GROUP, "a")).unwrap().attempt, Attempt(2));
    assert!(view.running_test(&TestRef::new(GROUP, "aa")).is_none());
    assert!(view.running_test(&TestRef::new("", "a")).is_none());
}

#[test]
fn the_total_is_never_less_than_what_was_seen() {
    assert_eq!(fold([(0, listed(3)), (0, listed(4))]).total(), 7);
    assert_eq!(fold([(0, start("a", 1, 0)), (1, end("b", Outcome::Pass, 1).event())]).total(), 2);
    let many = Event::GroupListed { group: "g".into(), tests: u32::MAX };
    assert_eq!(fold([(0, many.clone()), (0, many)]).total(), u32::MAX);
}

#[test]
fn the_time_left_is_estimated() {
    let ms = |view: &RunView, now| view.eta(Instant::from_millis(now)).map(|eta| eta.as_millis());
    let pass = |name: &str, wall| end(name, Outcome::Pass, wall).event();
    // Two slots (from the header), ten tests.
    let base = || vec![(0, begun()), (0, listed(10))];
    let with = |more: &[(u64, Event)]| fold(base().into_iter().chain(more.iter().cloned()));

    assert_eq!(ms(&with(&[]), 5), None, "nothing to go by");
    let view = with(&[(100, pass("a", 100)), (200, pass("b", 300))]);
    assert_eq!(ms(&view, 200), Some(800), "8 tests of 200 ms in 2 slots");
    let view = with(&[
        (100, pass("a", 100)),
        (200, pass("b", 300)),
        (200, start("c", 1, 0)),
        (200, start("d", 1, 1)),
    ]);
    assert_eq!(ms(&view, 300), Some(700), "100 ms of each running one are behind us");
    assert_eq!(ms(&view, 9_000), Some(600), "a test that takes longer than the mean is about to end");

    let mut view = with(&[(100, pass("a", 100)), (100, start("c", 1, 0))]);
    view.set_expected(Duration::from_millis(2_100));
    assert_eq!(ms(&view, 200), Some(950), "2,100 - 100 done - 100 begun, in 2 slots");
    view.set_expected(Duration::from_millis(150));
    assert_eq!(ms(&view, 200), Some(400), "used up: the mean speaks");

    let one_left = fold([(0, begun()), (0, listed(2)), (100, pass("a", 100))]);
    assert_eq!(ms(&one_left, 100), Some(100), "one test cannot be shared among slots");
    let late = fold([(0, begun()), (0, listed(2)), (100, pass("a", 100)), (100, start("b", 1, 0))]);
    assert_eq!(ms(&late, 200), None, "the estimate is used up");
    let none_left = fold([(0, begun()), (0, listed(1)), (100, pass("a", 100))]);
    assert_eq!(ms(&none_left, 100), None);
    let ended = with(&[(100, pass("a", 100)), (200, done(Counts::default(), 200, 130))]);
    assert_eq!(ms(&ended, 300), None);
    assert_eq!(ended.elapsed(Instant::from_millis(300)), Duration::from_millis(200));
}

#[test]
fn the_end_has_the_last_word_on_the_counts() {
    let said = Counts { passed: 7, ..Counts::default() };
    let view = fold([(1, end("a", Outcome::Pass, 1).event()), (2, done(said, 2, 9))]);
    assert_eq!((view.counts().passed, view.seen().passed), (7, 1));
    let end = view.end().unwrap();
    assert_eq!((end.exit_code, end.interrupted, end.wall), (9, false, Duration::from_millis(2)));
}
