//! What the lister is told: reports to replay, tests that were lost, the end.

use super::helper::TestKey;
use serde_json::{Value, json};
use std::time::Duration;

/// The message with the report lines of tests that have ended, in the order of their end.
///
/// Each line is a JSON value, as [`TestResult::lines`](super::report::TestResult) has them; they stand in the message as
/// they came, so that what only Python's JSON knows is not lost. Lines of no test go under an empty id.
#[must_use]
pub fn reports<'a>(tests: impl IntoIterator<Item = (TestKey<'a>, &'a [String])>) -> Vec<u8> {
    let tests: Vec<String> = tests
        .into_iter()
        .map(|(test, lines)| {
            format!(r#"{{"id":{},"n":{},"lines":[{}]}}"#, Value::from(test.id), test.n, lines.join(","))
        })
        .collect();
    format!(r#"{{"reports":[{}]}}"#, tests.join(",")).into_bytes()
}

/// The message about a test that gave no complete report: why, and how long it took.
#[must_use]
pub fn lost(test: TestKey<'_>, text: &str, duration: Duration) -> Vec<u8> {
    let lost = json!({"id": test.id, "n": test.n, "text": text, "duration": duration.as_secs_f64()});
    json!({ "lost": lost }).to_string().into_bytes()
}

/// The message that the lister answers with `synced` and this number, when it is through with all before.
#[must_use]
pub fn sync(number: u64) -> Vec<u8> {
    json!({ "sync": number }).to_string().into_bytes()
}

/// The message with which a slot's descriptors come: its channel, pipes and namespaces, then `doors` of control groups.
/// `capabilities` are bits, `processes` is a limit, `filter` is a program for seccomp(2).
#[must_use]
pub fn invitation(
    slot: u32,
    (capabilities, processes): (u64, Option<u64>),
    filter: &[u8],
    doors: usize,
) -> Vec<u8> {
    let filter: String = filter.iter().map(|byte| format!("{byte:02x}")).collect();
    let facts = json!({
        "slot": slot,
        "capabilities": capabilities,
        "processes": processes,
        "filter": filter,
        "doors": doors,
    });
    json!({ "invitation": facts }).to_string().into_bytes()
}

/// The message that lets the lister finish its session; with a reason when the run ended early.
#[must_use]
pub fn end(reason: Option<&str>) -> Vec<u8> {
    json!({"end": {"reason": reason}}).to_string().into_bytes()
}

#[cfg(test)]
mod tests;
