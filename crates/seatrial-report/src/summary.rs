//! What is said when the run has ended.

use crate::finished::word;
use crate::style::{BAD, DIM, Paint, STRONG, WARN};
use crate::view::{RunView, Timed};
use crate::{format, scroll, text};
use seatrial_model::{Counts, Instant, NoticeLevel};
use std::time::Duration;

/// How many of the slowest tests are named.
const SLOWEST: usize = 5;

/// Tests up to this long are never called slow.
const QUICK: Duration = Duration::from_millis(100);

/// From so many failures on, a share of more than half of all is worth a remark.
const MANY_FAILURES: u32 = 10;

/// Exit code: building or listing failed.
const EXIT_BUILD: u8 = 3;
/// Exit code: nothing was selected.
const EXIT_NOTHING: u8 = 4;
/// Exit code: results are incomplete for a reason outside the tests.
const EXIT_INCOMPLETE: u8 = 7;
/// Exit code: the run's time limit.
const EXIT_TIME: u8 = 124;
/// Exit code: interrupted by the user.
const EXIT_INTERRUPTED: u8 = 130;

/// All lines of the summary, each with its line end. The last is [`last_line`].
pub(crate) fn text(view: &RunView, now: Instant, paint: Paint) -> String {
    let mut out = String::new();
    slowest(view, paint, &mut out);
    flaky(view, paint, &mut out);
    order_dependent(view, paint, &mut out);
    failed(view, paint, &mut out);
    suspicious(view, paint, &mut out);
    if let Some(ending) = ending(view) {
        out.push_str(&format!("{}\n", paint.paint(BAD, &ending)));
    }
    let run = view.header().map(|header| format!(", run {}", header.run)).unwrap_or_default();
    out.push_str(&format!("Took {}{run}\n", format::duration(view.elapsed(now))));
    out.push_str(&last_line(&view.counts()));
    out.push('\n');
    out
}

/// `N passed, N failed, N skipped`, then what else there was. Scripts read this line, so it never has colours.
fn last_line(counts: &Counts) -> String {
    let Counts { passed, flaky, order_dependent, failed, errors, skipped, not_run } = counts;
    let mut line = format!("{passed} passed, {failed} failed, {skipped} skipped");
    for (number, name) in
        [(flaky, "flaky"), (order_dependent, "order-dependent"), (errors, "errors"), (not_run, "not run")]
    {
        if *number > 0 {
            line.push_str(&format!(", {number} {name}"));
        }
    }
    line
}

/// The slowest tests that stand out: longer than [`QUICK`] and than twice the mean.
fn slowest(view: &RunView, paint: Paint, out: &mut String) {
    let limit = view.mean().map_or(QUICK, |mean| QUICK.max(mean.saturating_mul(2)));
    let slow: Vec<&Timed> = view.slowest().iter().take(SLOWEST).filter(|timed| timed.wall > limit).collect();
    if slow.is_empty() {
        return;
    }
    title("Slowest tests", STRONG, paint, out);
    for timed in slow {
        let wall = format::duration(timed.wall);
        out.push_str(&format!("  {wall:>11}  {}\n", scroll::name(&timed.test, paint)));
    }
}

/// Passes that are no plain ones: what they depend on is a fault of the tests, or of what they test.
fn order_dependent(view: &RunView, paint: Paint, out: &mut String) {
    let mut tests: Vec<_> = view.order_dependent().items().iter().collect();
    if tests.is_empty() {
        return;
    }
    tests.sort();
    title("Order-dependent tests (passed, but not in any company)", WARN, paint, out);
    for (test, how) in tests {
        out.push_str(&format!("  {}: {how}\n", scroll::name(test, paint)));
    }
    more(view.order_dependent().more(), view, paint, out);
}

fn flaky(view: &RunView, paint: Paint, out: &mut String) {
    let mut flaky: Vec<_> = view.flaky().items().iter().collect();
    if flaky.is_empty() {
        return;
    }
    flaky.sort_by_key(|flaky| &flaky.test);
    title("Flaky tests (passed, but not at once)", WARN, paint, out);
    for flaky in flaky {
        let before = if flaky.before.is_empty() { "a bad try" } else { &flaky.before };
        let name = scroll::name(&flaky.test, paint);
        out.push_str(&format!("  {name}: attempt {} passed after {before}\n", flaky.attempt.0));
    }
    more(view.flaky().more(), view, paint, out);
}

fn failed(view: &RunView, paint: Paint, out: &mut String) {
    let mut failures: Vec<_> = view.failures().items().iter().collect();
    if failures.is_empty() {
        return;
    }
    failures.sort_by_key(|failure| &failure.test);
    title("Failed tests", BAD, paint, out);
    for failure in failures {
        let word = paint.paint(scroll::style(failure.outcome), word(failure.outcome));
        let how = if failure.reason.is_empty() { String::new() } else { format!(": {}", failure.reason) };
        out.push_str(&format!("  {word} {}{how}\n", scroll::name(&failure.test, paint)));
        if let Some(header) = view.header() {
            let what = text::shell_quote(&format!("{}/{}", header.run, text::plain_name(&failure.test)));
            out.push_str(&format!("      {}\n", paint.paint(DIM, &format!("seatrial show {what}"))));
        }
    }
    more(view.failures().more(), view, paint, out);
}

fn more(more: u32, view: &RunView, paint: Paint, out: &mut String) {
    if more == 0 {
        return;
    }
    let command = view.header().map(|header| format!(": seatrial show {}", header.run)).unwrap_or_default();
    let line = format!("... and {} more{command}", format::count(more.into()));
    out.push_str(&format!("  {}\n", paint.paint(DIM, &line)));
}

/// What makes the results doubtful.
fn suspicious(view: &RunView, paint: Paint, out: &mut String) {
    let mut doubts = Vec::new();
    let errors = view.notices(NoticeLevel::Error);
    doubts.extend(errors.items().iter().map(|notice| scroll::hanging(&notice.text)));
    if errors.more() > 0 {
        doubts.push(format!("{} more errors were reported above\n", errors.more()));
    }
    doubts.extend(missing(view));
    if view.lost() > 0 {
        doubts.push(format!("{} lost with a slot or machine, and may be fine\n", tests(view.lost())));
    }
    let counts = view.counts();
    if counts.failed >= MANY_FAILURES && counts.failed > counts.passed {
        doubts.push("more than half of the tests failed: they may have one cause in common\n".to_owned());
    }
    if doubts.is_empty() {
        return;
    }
    title("Suspicious", WARN, paint, out);
    for doubt in doubts {
        out.push_str(&format!("  {doubt}"));
    }
}

/// Results that ought to be there, seen from the events. A pass that was never received must not hide in a sum.
fn missing(view: &RunView) -> Vec<String> {
    let mut doubts = Vec::new();
    let Some(end) = view.end() else { return doubts };
    let (seen, said) = (view.seen(), end.counts);
    let same = |counts: Counts| (counts.passed, counts.flaky, counts.failed, counts.errors, counts.skipped);
    if same(seen) != same(said) {
        doubts.push(format!("the results received add up to another sum: {}\n", last_line(&seen)));
    }
    // The run counts as not run also those that it cancelled, which have an end of their own.
    let unheard = view.total().saturating_sub(view.finished()) + seen.not_run;
    if unheard > said.not_run {
        doubts.push(format!("{} listed and got no result\n", tests(unheard - said.not_run)));
    }
    doubts
}

fn tests(number: u32) -> String {
    if number == 1 { "1 test was".to_owned() } else { format!("{} tests were", format::count(number.into())) }
}

/// Why the run is not a whole one, when it is not.
fn ending(view: &RunView) -> Option<String> {
    let Some(end) = view.end() else {
        return Some("The run has not come to its end: these results are not complete.".to_owned());
    };
    let not_run = end.counts.not_run;
    if end.interrupted || end.exit_code == EXIT_INTERRUPTED {
        return Some(match not_run {
            0 => "Interrupted.".to_owned(),
            _ => format!("Interrupted: {} not run.", tests(not_run)),
        });
    }
    let results = end.counts.passed + end.counts.failed + end.counts.errors + end.counts.skipped;
    match end.exit_code {
        EXIT_BUILD => Some("Not complete: building or listing the tests failed.".to_owned()),
        EXIT_NOTHING => Some("No test was selected, so none was run.".to_owned()),
        EXIT_INCOMPLETE => Some(format!(
            "Not complete: results are missing for a reason outside the tests, {} not run.",
            tests(not_run)
        )),
        EXIT_TIME => {
            Some(format!("Not complete: the run's time limit was reached, {} not run.", tests(not_run)))
        }
        _ if not_run > 0 => Some(format!("Not complete: {} not run.", tests(not_run))),
        _ if results == 0 => Some("No test was run.".to_owned()),
        _ => None,
    }
}

fn title(title: &str, style: anstyle::Style, paint: Paint, out: &mut String) {
    out.push_str(&format!("{}\n", paint.paint(style, &format!("{title}:"))));
}
