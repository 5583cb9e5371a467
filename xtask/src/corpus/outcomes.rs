//! Outcomes of the same tests under two runners, read from their machine output and compared.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A test: its binary's id, its name.
type Test = (String, String);

/// What became of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Pass,
    /// With the runner's own words for it.
    Bad(String),
    Skip,
}

/// Every test of one run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcomes {
    tests: BTreeMap<Test, Outcome>,
    /// What the runner said beside its tests, when it was grave.
    notices: Vec<String>,
}

/// Two runs side by side.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    tests: usize,
    same: usize,
    /// Pass under nextest, not under Seatrial, with Seatrial's reason.
    pub(crate) only_nextest: Vec<(Test, String)>,
    only_seatrial: Vec<(Test, String)>,
    both_bad: usize,
    skipped: usize,
    /// Known to one of the two alone, with which and how it ended.
    unmatched: Vec<(Test, String)>,
    /// Doctests, which nextest does not run.
    doc: (usize, Vec<(Test, String)>),
    notices: Vec<String>,
}

/// A row of the table.
pub(crate) struct Row;

impl Row {
    /// The first one.
    pub(crate) fn heading() -> Vec<String> {
        "crate|tests|same|only nextest passes|only seatrial passes|both fail|skipped|unmatched|doc passed/failed"
            .split('|')
            .map(str::to_owned)
            .collect()
    }
}

impl Comparison {
    pub(crate) fn row(&self, label: &str) -> Vec<String> {
        let mut row = vec![label.to_owned()];
        row.extend(
            [
                self.tests,
                self.same,
                self.only_nextest.len(),
                self.only_seatrial.len(),
                self.both_bad,
                self.skipped,
            ]
            .map(|n| n.to_string()),
        );
        row.push(self.unmatched.len().to_string());
        row.push(format!("{}/{}", self.doc.0, self.doc.1.len()));
        row
    }

    /// Every difference, one a line.
    pub(crate) fn text(&self, label: &str) -> String {
        let mut text = String::new();
        let lists = [
            ("only nextest passes", &self.only_nextest),
            ("only seatrial passes", &self.only_seatrial),
            ("known to one alone", &self.unmatched),
            ("doctest fails", &self.doc.1),
        ];
        for (what, list) in lists {
            for ((group, name), reason) in list {
                text.push_str(&format!("{label}: {what}: {group} {name}: {reason}\n"));
            }
        }
        for notice in &self.notices {
            text.push_str(&format!("{label}: notice: {notice}\n"));
        }
        if text.is_empty() { text } else { format!("\n{text}") }
    }
}

/// Compares outcome by outcome.
pub(crate) fn compare(natively: &Outcomes, ours: &Outcomes) -> Comparison {
    let mut result = Comparison { notices: ours.notices.clone(), ..Comparison::default() };
    let tests: BTreeSet<&Test> = natively.tests.keys().chain(ours.tests.keys()).collect();
    for test in tests {
        let (theirs, ours) = (natively.tests.get(test), ours.tests.get(test));
        if test.0.ends_with(" (doc)") {
            match ours {
                Some(Outcome::Pass) => result.doc.0 += 1,
                Some(Outcome::Bad(reason)) => result.doc.1.push((test.clone(), reason.clone())),
                Some(Outcome::Skip) | None => {}
            }
            continue;
        }
        result.tests += 1;
        match (theirs, ours) {
            (Some(Outcome::Pass), Some(Outcome::Pass)) => result.same += 1,
            (Some(Outcome::Skip), Some(Outcome::Skip)) => {
                result.same += 1;
                result.skipped += 1;
            }
            (Some(Outcome::Bad(_)), Some(Outcome::Bad(_))) => {
                result.same += 1;
                result.both_bad += 1;
            }
            (Some(Outcome::Pass), Some(other)) => result.only_nextest.push((test.clone(), say(other))),
            (Some(other), Some(Outcome::Pass)) => result.only_seatrial.push((test.clone(), say(other))),
            (Some(theirs), Some(ours)) => {
                result
                    .unmatched
                    .push((test.clone(), format!("nextest: {}; seatrial: {}", say(theirs), say(ours))));
            }
            (Some(theirs), None) => {
                result.unmatched.push((test.clone(), format!("nextest alone: {}", say(theirs))))
            }
            (None, Some(ours)) => {
                result.unmatched.push((test.clone(), format!("seatrial alone: {}", say(ours))))
            }
            (None, None) => {}
        }
    }
    result
}

fn say(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Pass => "pass".to_owned(),
        Outcome::Bad(reason) => reason.clone(),
        Outcome::Skip => "skipped".to_owned(),
    }
}

/// Reads nextest's list (for what it skips) and its JUnit report.
pub(crate) fn of_nextest(listed: &[u8], junit: &str) -> Outcomes {
    let mut outcomes = Outcomes::default();
    let listed: Value = serde_json::from_slice(listed).unwrap_or_default();
    for suite in listed["rust-suites"].as_object().into_iter().flat_map(|suites| suites.values()) {
        let group = suite["binary-id"].as_str().unwrap_or_default();
        for name in suite["testcases"].as_object().into_iter().flat_map(|tests| tests.keys()) {
            outcomes.tests.insert((group.to_owned(), name.clone()), Outcome::Skip);
        }
    }
    let mut group = String::new();
    let mut test = None;
    for tag in junit.split('<').skip(1) {
        let (head, _) = tag.split_once('>').unwrap_or((tag, ""));
        if head.starts_with("testsuite ") {
            group = attribute(head, "name").unwrap_or_default();
        } else if head.starts_with("testcase ") {
            let key = (group.clone(), attribute(head, "name").unwrap_or_default());
            outcomes.tests.insert(key.clone(), Outcome::Pass);
            test = Some(key);
        } else if let (true, Some(test)) = (head.starts_with("failure") || head.starts_with("error"), &test) {
            let reason = attribute(head, "type").unwrap_or_else(|| "failed".to_owned());
            outcomes.tests.insert(test.clone(), Outcome::Bad(reason));
        }
    }
    outcomes
}

/// An attribute's value, unescaped.
fn attribute(head: &str, name: &str) -> Option<String> {
    let (_, rest) = head.split_once(&format!(" {name}=\""))?;
    let (value, _) = rest.split_once('"')?;
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    Some(pairs.iter().fold(value.to_owned(), |text, (from, to)| text.replace(from, to)))
}

/// Reads Seatrial's event lines; none when the run's last event is missing.
pub(crate) fn of_seatrial(events: &[u8]) -> Option<Outcomes> {
    let mut outcomes = Outcomes::default();
    let mut ended = false;
    for line in events.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let Ok(event) = serde_json::from_slice::<Value>(line) else { continue };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let test = (text(&event["test"]["group"]), text(&event["test"]["name"]));
        match event["event"].as_str().unwrap_or_default() {
            "skipped" => {
                outcomes.tests.insert(test, Outcome::Skip);
            }
            "attempt-finished" if event["last"] == true => {
                outcomes.tests.insert(test, of_attempt(&event));
            }
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
