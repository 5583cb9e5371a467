//! `--format json`: one line an event.

use seatrial_model::{Event, EventLine, Instant, WIRE_VERSION};

/// `event` as one line of JSON, without its line end.
///
/// # Panics
/// Never: an event holds nothing that JSON cannot.
#[must_use]
pub fn line(at: Instant, event: &Event) -> String {
    let line = EventLine { v: WIRE_VERSION, at_us: at.as_micros(), event: event.clone() };
    serde_json::to_string(&line).expect("an event has only text keys and finite numbers")
}

/// Reads a line back. A kind of event that this version does not know becomes [`Event::Unknown`], and fields that it
/// does not know are passed over.
///
/// # Errors
/// When `line` is not JSON, or not an event.
pub fn read(line: &str) -> Result<EventLine, serde_json::Error> {
    serde_json::from_str(line)
}
