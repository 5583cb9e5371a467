//! From a job's report lines and the end of its process to results.
//!
//! [`read`] gathers the lines of each test, finds the test that the end of the process is to be charged to, and judges.
//! A test has passed only when its protocol is over (`end`), set-up, call and teardown have reports that passed, no
//! report of it failed, and its process ended with status 0.

mod beside;
mod judge;
mod line;
mod longrepr;
mod page;
mod show;

pub use beside::{Beside, beside};
pub use line::{Facts, Report, Unsafe};
pub use show::{Capture, Show, Shown, Traceback};

use crate::end::{signal_name, without_a_word};
use seatrial_model::{Captured, End, Outcome, TestRef, Verdict};
use std::time::Duration;

/// What became of one test of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct TestResult {
    /// What became of it.
    pub outcome: Outcome,
    /// In words, when there is more to say.
    pub reason: Option<String>,
    /// False for a test whose turn did not come: it has no result yet and may be sent again.
    pub ran: bool,
    /// True when the lister can replay [`lines`](Self::lines): they are complete and say the same as `outcome`. Else it
    /// is to be told of a lost test.
    pub replay: bool,
    /// Wall time of set-up, call and teardown, of all tries.
    pub duration: Duration,
    /// How many tests ran before it in its process, where that may matter.
    pub before: u32,
    /// What it has left changed in its process, in words, where that was looked at.
    pub left: Option<String>,
    /// The test's lines as they came, each a JSON value without its line end.
    pub lines: Vec<String>,
    /// The reports of the last try.
    pub(crate) reports: Vec<Report>,
    /// What the helper, and not pytest, has to say.
    pub(crate) words: Option<String>,
}

impl TestResult {
    /// The result as a verdict on this test.
    #[must_use]
    pub fn verdict(&self, test: TestRef) -> Verdict {
        Verdict { test, outcome: self.outcome, reason: self.reason.clone() }
    }
}

/// What is known of a test.
#[derive(Debug, Default)]
struct Heard {
    started: bool,
    before: u32,
    ended: bool,
    left: Option<String>,
    reports: Vec<Report>,
    missing: Option<String>,
    broken: Option<String>,
    exit: Option<String>,
    lines: Vec<String>,
}

impl Heard {
    fn is_running(&self) -> bool {
        (self.started || !self.reports.is_empty()) && !self.ended && !self.has_words()
    }

    fn has_id(&self, id: &str) -> bool {
        self.reports.first().is_some_and(|report| report.nodeid == id)
    }

    fn has_words(&self) -> bool {
        self.missing.is_some() || self.broken.is_some() || self.exit.is_some()
    }
}

/// The results of a job of so many tests, in their order.
///
/// `report` is what came through the report pipe, `end` is how the process of the job's last test ended. A process that
/// died is charged to the test that ran then, or had just run. After an exit with status 0 between two tests, the tests
/// that follow have not run, and nobody is to blame.
#[must_use]
pub fn read(report: &Captured, tests: usize, end: &End) -> Vec<TestResult> {
    let (heard, unreadable) = gather(report, tests);
    let charged = charged(&heard, end);
    let results = heard.iter().enumerate().map(|(index, heard)| {
        let mut result = judge::judge(heard);
        if charged == Some(index) {
            charge(&mut result, heard, end);
        } else if !heard.ended && !heard.has_words() {
            result.ran = false;
            result.reason = Some(format!("not run: {}", why_not(end)));
        }
        if let Some(words) = unreadable.as_ref().filter(|_| !result.outcome.is_bad()) {
            result.outcome = Outcome::Error;
            result.reason = Some(words.clone());
            result.replay = false;
        }
        result
    });
    results.collect()
}

/// The lines of each test, and why some could not be read.
fn gather(report: &Captured, tests: usize) -> (Vec<Heard>, Option<String>) {
    let mut heard: Vec<Heard> = std::iter::repeat_with(Heard::default).take(tests).collect();
    let (lines, mut unreadable) = complete_lines(report);
    for raw in lines.iter().filter(|line| !line.is_empty()) {
        match line::parse(raw) {
            Ok(line) => match of_test(&line, &heard) {
                Some(test) if test < tests => take(&mut heard[test], line, raw),
                None if beside::is_known(&line) => {}
                Some(_) | None => {
                    unreadable.get_or_insert(unread(raw));
                }
            },
            Err(_) => {
                unreadable.get_or_insert(unread(raw));
            }
        }
    }
    (heard, unreadable)
}

fn unread(raw: &[u8]) -> String {
    let quoted: String = String::from_utf8_lossy(raw).chars().take(120).collect();
    format!("its report cannot be read: `{quoted}`")
}

/// The position of the test that a line is about. A late report names it by its id: the failure of a wide fixture's
/// teardown after a test of this very job.
fn of_test(line: &line::Line, heard: &[Heard]) -> Option<usize> {
    let late = line.late.as_ref();
    line.test.or_else(|| heard.iter().rposition(|heard| late.is_some_and(|late| heard.has_id(&late.id))))
}

fn take(heard: &mut Heard, line: line::Line, raw: &[u8]) {
    heard.lines.push(String::from_utf8_lossy(raw).into_owned());
    heard.started |= line.start;
    heard.before = heard.before.max(line.before);
    heard.left = heard.left.take().or(line.left);
    heard.ended |= line.end;
    heard.reports.extend(line.report);
    heard.missing = heard.missing.take().or(line.missing);
    heard.broken = heard.broken.take().or(line.broken);
    heard.exit = heard.exit.take().or(line.exit);
}

/// The lines that came whole: a last one without its end was cut off by a death.
fn complete_lines(report: &Captured) -> (Vec<Vec<u8>>, Option<String>) {
    let (head, tail) = (report.head.0.as_slice(), report.tail.0.as_slice());
    let lines = |bytes: &[u8]| -> Vec<Vec<u8>> {
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        bytes[..whole].split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
    };
    let left_out = report.left_out();
    if left_out == 0 {
        return (lines(&[head, tail].concat()), None);
    }
    let after = tail.iter().position(|byte| *byte == b'\n').map_or(tail.len(), |at| at + 1);
    let words = format!("its report is too long: {left_out} bytes of it were not kept");
    ([lines(head), lines(&tail[after..])].concat(), Some(words))
}

/// The test that the end of the process belongs to, when it was no good end.
fn charged(heard: &[Heard], end: &End) -> Option<usize> {
    if let Some(running) = heard.iter().rposition(Heard::is_running) {
        return Some(running);
    }
    let last = heard.iter().rposition(|heard| heard.started || heard.ended);
    let silent = last.is_none() && !heard.iter().any(Heard::has_words);
    match (end, last) {
        // A test that dies at once takes its first line along, so a silent process died in its only test.
        (End::Exit(0), None) if silent && heard.len() == 1 => Some(0),
        (End::Exit(0), _) => None,
        // Its own words say why its process ended.
        (_, Some(last)) => (!heard[last].has_words()).then_some(last),
        (_, None) => silent.then_some(0),
    }
}

/// Lets the end of the process change the result.
fn charge(result: &mut TestResult, heard: &Heard, end: &End) {
    result.ran = true;
    result.replay = false;
    let (outcome, died) = match end {
        End::Exit(code) => (Outcome::Crash, format!("exited with {code}")),
        End::Signal(number) => (Outcome::Crash, signal_name(*number)),
        End::NotStarted { .. } | End::SlotLost => {
            without_a_word(end).unwrap_or_else(|| (Outcome::Error, "its end is not known".to_owned()))
        }
    };
    let failure = result.reason.take().filter(|_| result.outcome.is_bad());
    let words = match (heard.ended, end) {
        (_, End::NotStarted { .. } | End::SlotLost) => died,
        (true, End::Exit(_) | End::Signal(_)) if result.outcome.is_bad() => {
            // The test has failed by its own word; that comes first.
            result.reason = Some(format!("{}; then {died}", failure.unwrap_or_default()));
            return;
        }
        (true, End::Exit(_) | End::Signal(_)) => format!("{died} after the test"),
        (false, End::Exit(_) | End::Signal(_)) => {
            let failed = judge::first_failure(&heard.reports);
            let failed = failed.map(|words| format!(", after {words}")).unwrap_or_default();
            format!("{died} in the middle of the test{failed}")
        }
    };
    result.outcome = outcome;
    result.reason = Some(words);
}

fn why_not(end: &End) -> String {
    match end {
        End::Exit(0) => "its process ended before its turn".to_owned(),
        End::Exit(code) => format!("its process exited with {code} before its turn"),
        End::Signal(number) => format!("its process ended with {} before its turn", signal_name(*number)),
        End::NotStarted { .. } | End::SlotLost => {
            without_a_word(end).map(|(_, words)| words).unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests;
