//! What the reports of one test mean.

use super::line::Report;
use super::longrepr::{Longrepr, telling_line};
use super::{Heard, TestResult};
use seatrial_model::Outcome;
use std::time::Duration;

/// The result by the test's own word; how its process ended is not yet in it.
pub(super) fn judge(heard: &Heard) -> TestResult {
    let seconds: f64 = heard.reports.iter().map(Report::seconds).sum();
    let (reports, reruns) = last_try(&heard.reports);
    let own = heard.broken.as_ref().or(heard.missing.as_ref()).or(heard.exit.as_ref());
    let (outcome, reason) = if let Some(text) = heard.broken.as_ref().or(heard.missing.as_ref()) {
        (Outcome::Error, telling_line(text).map(str::to_owned))
    } else if let Some(text) = &heard.exit {
        (Outcome::Error, Some(format!("it ended pytest's session: {}", first_line(text))))
    } else if !heard.ended {
        (Outcome::Error, None)
    } else {
        verdict(&reports, reruns)
    };
    TestResult {
        outcome,
        reason,
        ran: true,
        // The lister hears of `pytest.exit` by its own line.
        replay: heard.exit.is_some() || (heard.ended && own.is_none()),
        duration: Duration::try_from_secs_f64(seconds).unwrap_or_default(),
        before: heard.before,
        left: heard.left.clone(),
        lines: heard.lines.clone(),
        reports: reports.into_iter().cloned().collect(),
        words: own.cloned(),
    }
}

/// An error at set-up or teardown in words, as pytest's headline has it.
pub(super) fn error_around(report: &Report) -> String {
    let when = report.when.as_deref().unwrap_or("teardown");
    format!("error at {when} of {}: {}", report.headline(), words(report))
}

/// The first failure among these reports, in words.
pub(super) fn first_failure(reports: &[Report]) -> Option<String> {
    reports.iter().find(|report| report.outcome == "failed").map(words)
}

/// The reports of the tries that count, and how many tries were rerun. A set-up begins a try. Nothing in a try that was
/// rerun counts, its failed subtests neither.
fn last_try(reports: &[Report]) -> (Vec<&Report>, usize) {
    let mut tries: Vec<Vec<&Report>> = Vec::new();
    for report in reports {
        match tries.last_mut().filter(|_| !report.is("setup")) {
            Some(last) => last.push(report),
            None => tries.push(vec![report]),
        }
    }
    let all = tries.len();
    let last = tries.last().and_then(|reports| number(reports));
    tries.retain(|reports| !was_rerun(reports, last));
    (tries.concat(), all - tries.len())
}

/// Whether a plug-in reran this try: it says so by a report with the outcome `rerun`, or, in a worker without
/// pytest-xdist, only by numbering the reports of the next try.
fn was_rerun(reports: &[&Report], last: Option<u64>) -> bool {
    let said = reports.iter().any(|report| report.outcome == "rerun");
    let failed = reports.iter().any(|report| report.is_of_a_phase() && report.outcome == "failed");
    said || (!failed && number(reports) < last && number(reports).is_some())
}

fn number(reports: &[&Report]) -> Option<u64> {
    reports.iter().find_map(|report| report.reruns_before())
}

/// What the reports of a test mean whose protocol is over.
fn verdict(reports: &[&Report], reruns: usize) -> (Outcome, Option<String>) {
    let error = |words: &str| (Outcome::Error, Some(words.to_owned()));
    let is_around = |report: &Report| matches!(report.when.as_deref(), Some("setup" | "teardown"));
    let failed: Vec<&Report> = reports.iter().copied().filter(|report| report.outcome == "failed").collect();
    let around = failed.iter().find(|report| is_around(report)).map(|report| error_around(report));
    if let Some(failure) = failed.iter().find(|report| !is_around(report)) {
        let mut reason = words(failure);
        reason.extend(around.map(|around| format!("; {around}")));
        return (Outcome::Fail, Some(reason));
    }
    if around.is_some() {
        return (Outcome::Error, around);
    }
    let known = |report: &Report| matches!(report.outcome.as_str(), "passed" | "skipped");
    let strange = reports.iter().find(|report| report.is_of_a_phase() && !known(report));
    if let Some(report) = strange {
        return error(&format!("a report with the unknown outcome `{}`", report.outcome));
    }
    let of = |when: &str| reports.iter().rev().find(|report| report.is(when)).copied();
    let (setup, call, teardown) = (of("setup"), of("call"), of("teardown"));
    match (setup, call, teardown) {
        (None, None, None) if reruns > 0 => error("it was to be run again, and was not"),
        (None, _, _) => error("there is no report of its set-up"),
        (_, _, None) => error("there is no report of its teardown"),
        (Some(setup), None, _) if setup.outcome != "skipped" => error("there is no report of its call"),
        (Some(setup), call, Some(teardown)) => {
            let phases = [Some(setup), call, Some(teardown)];
            let skipped = phases.into_iter().flatten().find(|report| report.outcome == "skipped");
            skipped
                .map_or_else(|| (Outcome::Pass, praise(call, reruns)), |report| (Outcome::Skip, skip(report)))
        }
    }
}

/// What is to be said of a test that passed.
fn praise(call: Option<&Report>, reruns: usize) -> Option<String> {
    match (call.and_then(Report::xfail), reruns) {
        (Some(""), _) => Some("xpass".to_owned()),
        (Some(reason), _) => Some(format!("xpass: {}", first_line(reason))),
        (None, 0) => None,
        (None, 1) => Some("passed after 1 rerun".to_owned()),
        (None, reruns) => Some(format!("passed after {reruns} reruns")),
    }
}

fn skip(report: &Report) -> Option<String> {
    if let Some(reason) = report.xfail() {
        let reason = first_line(reason);
        return Some(if reason.is_empty() { "xfail".to_owned() } else { format!("xfail: {reason}") });
    }
    let words = Longrepr::read(&report.longrepr).words()?;
    let reason =
        words.strip_prefix("Skipped").map_or(words.as_str(), |rest| rest.trim_start_matches(':').trim());
    (!reason.is_empty()).then(|| reason.to_owned())
}

/// A failed report in one line.
fn words(report: &Report) -> String {
    let words =
        Longrepr::read(&report.longrepr).words().unwrap_or_else(|| "failed without a word".to_owned());
    match report.subtest() {
        Some(subtest) => format!("{subtest}: {words}"),
        None => words,
    }
}

fn first_line(text: &str) -> String {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
}
