//! JUnit XML in the dialect of Jenkins and Maven Surefire: a suite for each group, a case for each test.

use crate::finished::{Finished, word};
use crate::text;
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestRerun, TestSuite};
use seatrial_model::{Attempt, Captured, Counts, Event, Instant, Outcome, RunHeader, TestRef};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Add;
use std::sync::Arc;
use std::time::Duration;

/// The suite and case that keep an incomplete run without failures from reading as a good one.
const RUN_SUITE: &str = "seatrial";
const RUN_CASE: &str = "the run is complete";

/// The last millisecond of the year 9999, the last that timestamps can tell.
const LAST_UNIX_MS: u64 = 253_402_300_799_999;

/// The report could not be written as XML.
#[derive(Debug)]
pub struct Error(quick_junit::SerializeError);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the JUnit report could not be written as XML")
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// Whose output the report holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outputs {
    /// That of bad tries only.
    #[default]
    OfFailures,
    /// That of passes too.
    OfAll,
}

/// The fold of a run into a report.
///
/// It holds every test of the run in memory until [`Junit::finish`], with the output of bad tries (on request of all)
/// as far as the events carry it: a head and a tail of bounded size.
///
/// Failed, timed out, crashed and out of memory become `<failure>`; errors, lost, cancelled and tests whose end was
/// never told become `<error>`. A run that is not complete and has neither gets one case of its own with an `<error>`.
#[derive(Clone, Debug, Default)]
pub struct Junit {
    outputs: Outputs,
    header: Option<RunHeader>,
    groups: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Vec<Case>>>,
    began: BTreeMap<(TestRef, Attempt), Instant>,
    end: Option<End>,
}

#[derive(Clone, Copy, Debug)]
struct End {
    counts: Counts,
    wall: Duration,
    interrupted: bool,
}

/// One test on its way to a result.
#[derive(Clone, Debug, Default)]
struct Case {
    tries: Vec<Try>,
    /// The last of `tries` is the result, or the test was skipped.
    complete: bool,
    skipped: Option<String>,
}

#[derive(Clone, Debug)]
struct Try {
    outcome: Outcome,
    how: String,
    notes: Vec<String>,
    began: Instant,
    wall: Duration,
    stdout: Option<String>,
    stderr: Option<String>,
}

impl Junit {
    /// An empty report.
    #[must_use]
    pub fn new(outputs: Outputs) -> Self {
        Self { outputs, ..Self::default() }
    }

    /// Folds one event in.
    pub fn event(&mut self, now: Instant, event: &Event) {
        match event {
            Event::RunStarted(header) => self.header = Some(header.clone()),
            Event::GroupListed { group, .. } => {
                self.groups.entry(group.as_str().into()).or_default();
            }
            Event::Skipped { test, reason } => {
                let case = self.case(test);
                case.complete = true;
                case.skipped = Some(reason.clone().unwrap_or_default());
            }
            Event::AttemptStarted { test, attempt, .. } => {
                self.began.insert((test.clone(), *attempt), now);
            }
            Event::AttemptFinished { .. } => {
                if let Some(finished) = Finished::of(event) {
                    self.attempt_finished(now, &finished);
                }
            }
            Event::RunFinished { counts, wall, interrupted, .. } => {
                self.end = Some(End { counts: *counts, wall: *wall, interrupted: *interrupted });
            }
            Event::Slow { .. } | Event::Notice { .. } | Event::Facts(_) | Event::Unknown => {}
        }
    }

    /// The report as XML.
    ///
    /// # Errors
    /// When the XML cannot be written.
    pub fn finish(mut self) -> Result<String, Error> {
        for (test, _) in std::mem::take(&mut self.began).into_keys() {
            // What began and was never told to have ended has a case without a result.
            self.case(&test);
        }
        let unix_ms = self.header.as_ref().map(|header| header.started_unix_ms);
        let mut report = Report::new(self.header.as_ref().map_or("seatrial", |header| &header.project));
        report.timestamp = unix_ms.map(stamp);
        report.time = self.end.map(|end| end.wall);
        for (group, tests) in &self.groups {
            report.add_test_suite(self.suite(group, tests));
        }
        if report.failures + report.errors == 0
            && let Some(why) = self.incomplete()
        {
            report.add_test_suite(self.run_suite(&why));
        }
        report.to_string().map_err(Error)
    }

    /// The test's case that has no result yet. A test that is run again after its result gets another case.
    fn case(&mut self, test: &TestRef) -> &mut Case {
        let group = self.groups.entry(test.group.clone()).or_default();
        let cases = group.entry(test.name.clone()).or_default();
        let open = match cases.last() {
            Some(case) if !case.complete => cases.len() - 1,
            Some(_) | None => {
                cases.push(Case::default());
                cases.len() - 1
            }
        };
        &mut cases[open]
    }

    fn attempt_finished(&mut self, now: Instant, finished: &Finished<'_>) {
        let wall = finished.usage.wall;
        let began = self.began.remove(&(finished.test.clone(), finished.attempt)).unwrap_or_else(|| {
            // Tests that share a process are told at their end only.
            Instant::default() + now.since(Instant::default()).saturating_sub(wall)
        });
        let keep = finished.outcome.is_bad() || self.outputs == Outputs::OfAll;
        let stream = |captured: &Captured| (keep && !captured.is_empty()).then(|| output(captured));
        let case = self.case(finished.test);
        case.complete = finished.last;
        case.tries.push(Try {
            outcome: finished.outcome,
            how: finished.how(),
            notes: finished.notes.to_vec(),
            began,
            wall,
            stdout: stream(&finished.output.stdout),
            stderr: stream(&finished.output.stderr),
        });
    }

    fn suite(&self, group: &str, tests: &BTreeMap<Arc<str>, Vec<Case>>) -> TestSuite {
        let mut suite = TestSuite::new(line(group));
        let tries = || tests.values().flatten().flat_map(|case| &case.tries);
        if let Some(began) = tries().map(|one| one.began).min() {
            let end = tries().map(|one| one.began + one.wall).max().unwrap_or(began);
            suite.time = Some(end.since(began));
            suite.timestamp = self.timestamp(began);
        }
        self.describe(&mut suite);
        for (name, cases) in tests {
            for case in cases {
                suite.add_test_case(self.test_case(group, name, case));
            }
        }
        suite
    }

    /// Where and how the suite ran.
    fn describe(&self, suite: &mut TestSuite) {
        let Some(header) = &self.header else { return };
        suite.extra.insert("hostname".into(), xml(&header.host).into());
        let command: Vec<String> = header.command.iter().map(|word| text::shell_quote(word)).collect();
        let mut property = |name: &str, value: &str| {
            suite.add_property(Property::new(name, xml(value)));
        };
        property("seatrial.run", &header.run.to_string());
        property("seatrial.project", &header.project);
        property("seatrial.command", &command.join(" "));
        property("seatrial.isolation", &header.isolation);
        property("seatrial.seed", &header.seed.to_string());
        if let Some(revision) = &header.revision {
            property("seatrial.revision", revision);
        }
    }

    fn test_case(&self, group: &str, name: &str, case: &Case) -> TestCase {
        let mut junit = match case.tries.split_last() {
            _ if case.skipped.is_some() => {
                let mut status = TestCaseStatus::skipped();
                if let Some(reason) = case.skipped.as_ref().filter(|reason| !reason.is_empty()) {
                    status.set_message(xml(reason));
                }
                TestCase::new(line(name), status)
            }
            Some((result, before)) if case.complete => self.decided(name, result, before),
            _ => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
                status.set_type("no-result").set_message("its end was never told");
                status.add_reruns(case.tries.iter().map(|one| self.rerun(one)));
                TestCase::new(line(name), status)
            }
        };
        junit.set_classname(line(group));
        junit
    }

    /// The case of a test with a result and perhaps earlier tries.
    fn decided(&self, name: &str, result: &Try, before: &[Try]) -> TestCase {
        let mut status = match kind(result.outcome) {
            Some(kind) => {
                let mut status = TestCaseStatus::non_success(kind);
                status.set_type(result.outcome.name()).set_message(xml(&message(result)));
                status.set_description(xml(&description(result)));
                status
            }
            None if result.outcome == Outcome::Skip => {
                let mut status = TestCaseStatus::skipped();
                if !result.how.is_empty() {
                    status.set_message(xml(&result.how));
                }
                status
            }
            None => TestCaseStatus::success(),
        };
        let bad = before.iter().filter(|one| one.outcome.is_bad());
        status.add_reruns(bad.map(|one| self.rerun(one)));
        let mut case = TestCase::new(line(name), status);
        case.time = Some(result.wall);
        case.timestamp = self.timestamp(result.began);
        case.system_out = result.stdout.as_deref().map(Into::into);
        case.system_err = result.stderr.as_deref().map(Into::into);
        case
    }

    fn rerun(&self, one: &Try) -> TestRerun {
        let mut rerun = TestRerun::new(kind(one.outcome).unwrap_or(NonSuccessKind::Error));
        rerun.set_type(one.outcome.name()).set_message(xml(&message(one)));
        rerun.set_description(xml(&description(one)));
        rerun.time = Some(one.wall);
        rerun.timestamp = self.timestamp(one.began);
        rerun.system_out = one.stdout.as_deref().map(Into::into);
        rerun.system_err = one.stderr.as_deref().map(Into::into);
        rerun
    }

    /// Why the run is not a whole one, when it is not.
    fn incomplete(&self) -> Option<String> {
        let Some(end) = self.end else { return Some("the run has not come to its end".to_owned()) };
        let not_run = end.counts.not_run;
        if end.interrupted {
            return Some(format!("the run was interrupted, {not_run} tests were not run"));
        }
        (not_run > 0).then(|| format!("{not_run} tests were not run"))
    }

    fn run_suite(&self, why: &str) -> TestSuite {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_type("incomplete").set_message(why);
        let mut case = TestCase::new(RUN_CASE, status);
        case.set_classname(RUN_SUITE);
        let mut suite = TestSuite::new(RUN_SUITE);
        self.describe(&mut suite);
        suite.add_test_case(case);
        suite
    }

    fn timestamp<T: Default + Add<Duration, Output = T>>(&self, at: Instant) -> Option<T> {
        let unix_ms = self.header.as_ref()?.started_unix_ms;
        Some(stamp(unix_ms.saturating_add(at.as_micros() / 1_000)))
    }
}

/// A point in time in the type that quick-junit asks for, whose default is the beginning of 1970.
fn stamp<T: Default + Add<Duration, Output = T>>(unix_ms: u64) -> T {
    T::default() + Duration::from_millis(unix_ms.min(LAST_UNIX_MS))
}

fn kind(outcome: Outcome) -> Option<NonSuccessKind> {
    match outcome {
        Outcome::Pass | Outcome::Skip => None,
        Outcome::Fail | Outcome::Timeout | Outcome::Crash | Outcome::Oom => Some(NonSuccessKind::Failure),
        Outcome::Error | Outcome::Lost | Outcome::Cancelled => Some(NonSuccessKind::Error),
    }
}

fn message(one: &Try) -> String {
    if one.how.is_empty() { word(one.outcome).to_lowercase() } else { one.how.clone() }
}

fn description(one: &Try) -> String {
    let mut lines = vec![message(one)];
    lines.extend(one.notes.iter().map(|note| format!("note: {note}")));
    lines.join("\n")
}

/// A stream with a line where its middle is left out.
fn output(captured: &Captured) -> String {
    let mut out = xml(&captured.head.to_text());
    let left_out = captured.left_out();
    if left_out > 0 {
        let place =
            captured.spill.as_ref().map(|path| format!("; more of them in {path}")).unwrap_or_default();
        out.push_str(&xml(&format!("\n[... {left_out} bytes left out here{place} ...]\n")));
    }
    out.push_str(&xml(&captured.tail.to_text()));
    out
}

/// A name on one line.
fn line(text: &str) -> String {
    xml(&text::one_line(text))
}

/// Text that XML 1.0 can hold and that quick-junit passes on as it is. quick-junit drops tabs and all control
/// characters, and after the beginning of an escape sequence without end everything that follows; so they are shown
/// in visible form before it sees them. The two non-characters it would write are not allowed in XML.
fn xml(text: &str) -> String {
    text::expand_tabs(&text::many_lines(text, false))
        .replace('\u{fffe}', "\\u{fffe}")
        .replace('\u{ffff}', "\\u{ffff}")
}
