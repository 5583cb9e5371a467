//! Which job is handed out first.

use seatrial_model::{JobKind, Outcome, TestFacts};
use std::time::Duration;

/// A job's place in the queue: the bigger goes first, equals in the order in which they were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Priority {
    /// Compared first.
    pub class: Class,
    /// Expected wall time: within a class the longest goes first, so that no long job is left for the end.
    pub expected: Duration,
}

/// The coarse part of a [`Priority`], from last to first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// A test with a past that is no reason to hurry.
    Known,
    /// A test that no earlier run has seen.
    New,
    /// A test whose latest run was bad: its result is what the user waits for.
    Failed,
    /// A listing. It takes turns with tests, whatever their class.
    Listing,
    /// Somebody waits for its output.
    Relay,
}

/// The place of a job of this kind with this past.
#[must_use]
pub fn priority(kind: JobKind, facts: Option<&TestFacts>) -> Priority {
    let class = match (kind, facts) {
        (JobKind::Relay, _) => Class::Relay,
        (JobKind::Listing, _) => Class::Listing,
        (JobKind::Verdict, None) => Class::New,
        // A cancelled run says nothing about the test, so it is no reason to hurry.
        (JobKind::Verdict, Some(facts)) if facts.last.is_bad() && facts.last != Outcome::Cancelled => {
            Class::Failed
        }
        (JobKind::Verdict, Some(_)) => Class::Known,
    };
    Priority { class, expected: facts.map_or(Duration::ZERO, |facts| facts.duration) }
}

#[cfg(test)]
mod tests;
