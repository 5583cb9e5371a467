//! The order of jobs, as one list from first to last.

use super::priority;
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
            priority(ahead.0, ahead.1.as_ref()) > priority(behind.0, behind.1.as_ref()),
            "{ahead:?} goes before {behind:?}"
        );
    }
}
