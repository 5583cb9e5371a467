//! Which jobs are near each other.

use seatrial_model::{JobKind, JobSpec, Near};

/// The group of a test. Listings and relays have none, whatever is said of them: somebody waits for their output, so
/// they go where there is room.
pub(crate) fn group(spec: &JobSpec) -> Option<Near> {
    spec.near.filter(|_| spec.kind == JobKind::Verdict)
}

/// The group of a test that goes where its group is, and nowhere else.
pub(crate) fn bound(spec: &JobSpec) -> Option<Near> {
    group(spec).filter(|near| near.together)
}
