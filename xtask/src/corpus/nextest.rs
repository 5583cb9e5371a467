//! cargo-nextest's list and report.

use super::junit;
use super::outcomes::{Outcome, Outcomes};
use serde_json::Value;

/// Reads nextest's list (for what it skips) and its JUnit report.
pub(crate) fn outcomes(listed: &[u8], xml: &str) -> Outcomes {
    let mut outcomes = Outcomes::default();
    let listed: Value = serde_json::from_slice(listed).unwrap_or_default();
    for suite in listed["rust-suites"].as_object().into_iter().flat_map(|suites| suites.values()) {
        let group = suite["binary-id"].as_str().unwrap_or_default();
        for name in suite["testcases"].as_object().into_iter().flat_map(|tests| tests.keys()) {
            outcomes.tests.insert((group.to_owned(), name.clone()), Outcome::Skip);
        }
    }
    for case in junit::read(xml) {
        let bad = case.inner.iter().find(|(element, _, _)| element == "failure" || element == "error");
        let outcome = match bad {
            Some((_, kind, _)) if kind.is_empty() => Outcome::Bad("failed".to_owned()),
            Some((_, kind, _)) => Outcome::Bad(kind.clone()),
            None => Outcome::Pass,
        };
        outcomes.tests.insert((case.suite, case.name), outcome);
    }
    outcomes
}
