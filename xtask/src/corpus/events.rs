//! Seatrial's event lines.

use super::outcomes::{Outcome, Outcomes, Test};
use serde_json::Value;

/// Reads event lines; none when the run's last event is missing. `key` says under which name a test is compared.
pub(crate) fn outcomes(events: &[u8], key: fn(&str, &str) -> Test) -> Option<Outcomes> {
    let mut outcomes = Outcomes::default();
    let mut ended = false;
    for line in events.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let Ok(event) = serde_json::from_slice::<Value>(line) else { continue };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let test = || key(&text(&event["test"]["group"]), &text(&event["test"]["name"]));
        match event["event"].as_str().unwrap_or_default() {
            "skipped" => outcomes.add(test(), Outcome::Skip),
            "attempt-finished" if event["last"] == true => outcomes.add(test(), of_attempt(&event)),
            "notice" if event["level"] != "info" => outcomes.notices.push(text(&event["text"])),
            "run-finished" => ended = true,
            _ => {}
        }
    }
    ended.then_some(outcomes)
}

fn of_attempt(event: &Value) -> Outcome {
    match event["outcome"].as_str().unwrap_or("no outcome") {
        "pass" => Outcome::Pass,
        "skip" => Outcome::Skip,
        bad => {
            let stderr = event["output"]["stderr"]["head"].as_str().unwrap_or_default();
            let stdout = event["output"]["stdout"]["head"].as_str().unwrap_or_default();
            let said: Vec<&str> =
                stderr.lines().chain(stdout.lines()).filter(|line| !is_noise(line)).take(3).collect();
            Outcome::Bad(format!("{bad} ({}): {}", event["reason"].as_str().unwrap_or(""), said.join(" / ")))
        }
    }
}

/// Lines that say nothing about why a test failed.
fn is_noise(line: &str) -> bool {
    let line = line.trim();
    line.is_empty()
        || line.starts_with("running ")
        || line.starts_with("note: ")
        || line.starts_with("stack backtrace")
}
