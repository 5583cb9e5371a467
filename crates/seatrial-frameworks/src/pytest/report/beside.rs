//! Report lines about no test of the job.

use super::line::{Facts, Line, Report, Unsafe};
use super::{Heard, complete_lines, gather, judge, line};
use seatrial_model::{Captured, Outcome};

/// Something that a report pipe tells beside the results of its job.
#[derive(Clone, Debug, PartialEq)]
pub enum Beside {
    /// The teardown of a wide fixture failed after a test of an earlier job: that test is an error.
    Late {
        /// The test's node id.
        id: String,
        /// How many tests of its file with the same id come before it.
        n: u32,
        /// Why, as for a test of the job itself; its outcome is bad.
        result: Box<super::TestResult>,
    },
    /// A fixture is set up in each test's process, because it cannot be inherited: to be said once.
    Unsafe(Unsafe),
    /// Which files a process of the job opened.
    Facts(Facts),
    /// A line for the lister that belongs to no test, such as coverage of the warmer itself.
    Line(String),
}

/// What a job's report pipe tells beside the results of its tests, or that of a warmer that has ended (`tests` is 0).
#[must_use]
pub fn beside(report: &Captured, tests: usize) -> Vec<Beside> {
    let (heard, _) = gather(report, tests);
    let (lines, _) = complete_lines(report);
    lines.iter().filter_map(|raw| one(line::parse(raw).ok()?, raw, &heard)).collect()
}

/// Whether a line without a test of this job is of a kind that this version knows.
pub(super) fn is_known(line: &Line) -> bool {
    let late = line.late.is_some() && line.report.is_some();
    let other = line.unsafe_fixture.is_some() || line.coverage.is_some() || line.snapshots.is_some();
    line.test.is_none() && (late || other || line.facts.is_some())
}

fn one(line: Line, raw: &[u8], heard: &[Heard]) -> Option<Beside> {
    if !is_known(&line) || super::of_test(&line, heard).is_some() {
        return None;
    }
    let text = String::from_utf8_lossy(raw).into_owned();
    match (line.late, line.report, line.unsafe_fixture, line.facts) {
        (Some(late), Some(report), ..) => {
            Some(Beside::Late { id: late.id, n: late.n, result: result(report, text) })
        }
        (_, _, Some(fixture), _) => Some(Beside::Unsafe(fixture)),
        (.., Some(facts)) => Some(Beside::Facts(facts)),
        _ => Some(Beside::Line(text)),
    }
}

/// A late report is there because something failed, so it is bad whatever it says.
fn result(report: Report, text: String) -> Box<super::TestResult> {
    let reason = judge::error_around(&report);
    let heard = Heard { ended: true, reports: vec![report], lines: vec![text], ..Heard::default() };
    let mut result = judge::judge(&heard);
    result.outcome = Outcome::Error;
    result.reason = Some(reason);
    Box::new(result)
}
