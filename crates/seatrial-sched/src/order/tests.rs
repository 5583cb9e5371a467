//! The order of jobs, as one list from first to last.

use super::{Class, priority};
use seatrial_model::{JobKind, Outcome, TestFacts};
use std::time::Duration;

#[test]
fn jobs_go_out_in_this_order() {
    let past = |last, secs| Some(TestFacts { duration: Duration::from_secs(secs), last });
    let first_to_last = [
        (JobKind::Relay, None),
        (JobKind::Listing, past(Outcome::Pass, 2)),
        (JobKind::Listing, None),
        (JobKind::Verdict, past(Outcome::Timeout, 60)),
        (JobKind::Verdict, past(Outcome::Lost, 3)),
        (JobKind::Verdict, past(Outcome::Fail, 1)),
        (JobKind::Verdict, None),
        (JobKind::Verdict, past(Outcome::Pass, 100)),
        (JobKind::Verdict, past(Outcome::Cancelled, 50)),
        (JobKind::Verdict, past(Outcome::Skip, 1)),
        (JobKind::Verdict, past(Outcome::Pass, 0)),
    ];
    for pair in first_to_last.windows(2) {
        let [ahead, behind] = pair else { panic!("windows of two") };
        assert!(
            priority(ahead.0, [ahead.1.as_ref()]) > priority(behind.0, [behind.1.as_ref()]),
            "{ahead:?} goes before {behind:?}"
        );
    }
}

#[test]
fn a_job_of_several_is_as_urgent_as_its_most_urgent_and_as_long_as_all() {
    let past = |last, secs| TestFacts { duration: Duration::from_secs(secs), last };
    let (good, bad) = (past(Outcome::Pass, 2), past(Outcome::Fail, 3));
    let both = priority(JobKind::Verdict, [Some(&good), Some(&bad), None]);
    assert_eq!((both.class, both.expected), (Class::Failed, Duration::from_secs(5)));
    assert_eq!(priority(JobKind::Verdict, []), priority(JobKind::Verdict, [None]));
}
