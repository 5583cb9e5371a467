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

/// The place of a job of this kind whose tests have these pasts: the most urgent of them decides the class, all of
/// them how long it takes.
#[must_use]
pub fn priority<'a>(kind: JobKind, tests: impl IntoIterator<Item = Option<&'a TestFacts>>) -> Priority {
    let none = Priority { class: class(kind, None), expected: Duration::ZERO };
    tests.into_iter().map(|facts| of_test(kind, facts)).reduce(Priority::with).unwrap_or(none)
}

impl Priority {
    fn with(self, other: Self) -> Self {
        Self { class: self.class.max(other.class), expected: self.expected.saturating_add(other.expected) }
    }
}

fn of_test(kind: JobKind, facts: Option<&TestFacts>) -> Priority {
    Priority { class: class(kind, facts), expected: facts.map_or(Duration::ZERO, |facts| facts.duration) }
}

fn class(kind: JobKind, facts: Option<&TestFacts>) -> Class {
    match (kind, facts) {
        (JobKind::Relay, _) => Class::Relay,
        (JobKind::Listing, _) => Class::Listing,
        (JobKind::Verdict, None) => Class::New,
        // A cancelled run says nothing about the test, so it is no reason to hurry.
        (JobKind::Verdict, Some(facts)) if facts.last.is_bad() && facts.last != Outcome::Cancelled => {
            Class::Failed
        }
        (JobKind::Verdict, Some(_)) => Class::Known,
    }
}

#[cfg(test)]
mod tests;
