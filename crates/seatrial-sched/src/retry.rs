//! When a job is tried again.

use seatrial_model::{JobSpec, Outcome, Reading};

/// Deaths of its node that a job may live through: at this many it is given up as lost, because it may be what kills
/// them.
pub const MAX_DEATHS: u32 = 3;

/// True when a test whose try ended so is run once more. `retried` counts the retries that it has had.
///
/// A cancelled try is never repeated: the user asked for its end.
pub(crate) fn after_try(outcome: Outcome, retried: u32, retries: u32) -> bool {
    outcome.is_bad() && outcome != Outcome::Cancelled && retried < retries
}

/// True when a job is run again after this many deaths of its node. They are no fault of the test, as far as anybody
/// knows, so they use up no retry.
pub(crate) fn after_death(deaths: u32) -> bool {
    deaths < MAX_DEATHS
}

/// True when the job's name is not the name of the one test that it runs: it reports several, each under its own.
///
/// Such a job has no result of its own unless nothing else was read from it.
pub(crate) fn is_group(spec: &JobSpec) -> bool {
    spec.reading == Reading::LibtestMany
}
