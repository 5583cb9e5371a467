//! The lines that an event adds to what stays on the screen or in the log.

use crate::finished::{Finished, word};
use crate::noise::Noise;
use crate::style::{BAD, DIM, GOOD, Paint, STRONG, WARN};
use crate::view::RunView;
use crate::{format, text};
use anstyle::Style;
use seatrial_model::{Captured, Event, NoticeLevel, Outcome, RunHeader, TestRef};

/// Where a test's own text begins: further in than any line of ours.
const MARGIN: &str = "    ";

/// The lines for `event`, each with its line end; empty when it adds none. The view has the event folded in.
pub(crate) fn lines(view: &RunView, event: &Event, paint: Paint, verbose: bool) -> String {
    match event {
        Event::RunStarted(header) => started(header, paint),
        Event::Skipped { test, reason } if verbose => skipped(test, reason.as_deref(), paint),
        Event::Slow { test, elapsed } => {
            let name = name(test, paint);
            format!("{} {name}: running for {}\n", paint.paint(WARN, "SLOW"), format::elapsed(*elapsed))
        }
        Event::AttemptFinished { .. } => {
            Finished::of(event).map_or_else(String::new, |finished| ended(view, &finished, paint, verbose))
        }
        Event::Notice { level, text, hint } => notice(*level, text, hint.as_deref(), paint),
        Event::GroupListed { .. }
        | Event::Skipped { .. }
        | Event::AttemptStarted { .. }
        | Event::RunFinished { .. }
        | Event::Facts(_)
        | Event::Unknown => String::new(),
    }
}

/// The style of an outcome's word.
pub(crate) fn style(outcome: Outcome) -> Style {
    match outcome {
        Outcome::Pass => GOOD,
        Outcome::Skip => DIM,
        Outcome::Cancelled => WARN,
        Outcome::Fail | Outcome::Error | Outcome::Timeout | Outcome::Crash | Outcome::Oom | Outcome::Lost => {
            BAD
        }
    }
}

/// A test's name with its group held back.
pub(crate) fn name(test: &TestRef, paint: Paint) -> String {
    let own = paint.paint(STRONG, &text::one_line(&test.name));
    if test.group.is_empty() {
        return own;
    }
    format!("{} {own}", paint.paint(DIM, &text::one_line(&test.group)))
}

fn started(header: &RunHeader, paint: Paint) -> String {
    let RunHeader { run, slots, isolation, seed, host, .. } = header;
    let (host, isolation) = (text::one_line(host), text::one_line(isolation));
    let slots = if *slots == 1 { "1 slot".to_owned() } else { format!("{slots} slots") };
    let line = format!("Run {run} on {host}: {slots}, isolation {isolation}, seed {seed}");
    paint.paint(DIM, &line) + "\n"
}

fn skipped(test: &TestRef, reason: Option<&str>, paint: Paint) -> String {
    let reason = reason.map(|reason| format!(": {}", text::one_line(reason))).unwrap_or_default();
    format!("{} {}{reason}\n", paint.paint(DIM, "SKIP"), name(test, paint))
}

fn notice(level: NoticeLevel, message: &str, hint: Option<&str>, paint: Paint) -> String {
    let (style, label) = match level {
        NoticeLevel::Info => (STRONG, "note"),
        NoticeLevel::Warning => (WARN, "warning"),
        NoticeLevel::Error => (BAD, "error"),
    };
    let mut out = format!("{}: {}", paint.paint(style, label), hanging(message));
    if let Some(hint) = hint {
        out.push_str(&format!("  {}: {}", paint.paint(STRONG, "hint"), hanging(hint)));
    }
    out
}

/// A message of one or more lines; those after the first stand further in.
pub(crate) fn hanging(message: &str) -> String {
    let message = text::many_lines(message, false);
    match message.trim_end_matches('\n').split_once('\n') {
        Some((first, rest)) => format!("{first}\n{}", text::indent(rest, MARGIN)),
        None => format!("{}\n", message.trim_end_matches('\n')),
    }
}

fn ended(view: &RunView, finished: &Finished<'_>, paint: Paint, verbose: bool) -> String {
    match finished.outcome {
        Outcome::Pass | Outcome::Skip if verbose => header(view, finished, paint),
        Outcome::Pass | Outcome::Skip => String::new(),
        // What never began when the run was cancelled is counted, not told one by one.
        Outcome::Cancelled if finished.usage.wall.is_zero() => String::new(),
        Outcome::Cancelled => header(view, finished, paint),
        Outcome::Fail | Outcome::Error | Outcome::Timeout | Outcome::Crash | Outcome::Oom | Outcome::Lost => {
            block(view, finished, paint)
        }
    }
}

/// `FAIL group name: exit code 101 [attempt 2 of 3, 1.24 s]`
fn header(view: &RunView, finished: &Finished<'_>, paint: Paint) -> String {
    let mut facts = Vec::new();
    let attempt = finished.attempt.0;
    if attempt > 1 || !finished.last {
        let of = view.attempts().map(|most| format!(" of {}", most.max(attempt))).unwrap_or_default();
        let again = if finished.last { "" } else { ", will be tried again" };
        facts.push(format!("attempt {attempt}{of}{again}"));
    }
    facts.push(format::duration(finished.usage.wall));
    let how = match finished.how() {
        how if how.is_empty() => how,
        how => format!(": {how}"),
    };
    let word = paint.paint(style(finished.outcome), word(finished.outcome));
    let facts = paint.paint(DIM, &format!("[{}]", facts.join(", ")));
    format!("{word} {}{how} {facts}\n", name(finished.test, paint))
}

/// A bad try with its output, closed by an empty line.
fn block(view: &RunView, finished: &Finished<'_>, paint: Paint) -> String {
    let mut out = header(view, finished, paint);
    let mut noise = Noise::new(&finished.test.name);
    out.push_str(&stream("stdout", &finished.output.stdout, paint, |piece| noise.strip(piece)));
    out.push_str(&stream("stderr", &finished.output.stderr, paint, str::to_owned));
    for note in finished.notes {
        out.push_str(&format!("  {}: {}", paint.paint(STRONG, "note"), hanging(note)));
    }
    out.push('\n');
    out
}

/// One stream under its name; nothing when nothing is left to show.
fn stream(label: &str, captured: &Captured, paint: Paint, mut strip: impl FnMut(&str) -> String) -> String {
    let mut piece = |bytes: &seatrial_model::Bytes| {
        let text = text::many_lines(&strip(&bytes.to_text()), paint.colours);
        if text.trim().is_empty() { String::new() } else { text::indent(&text, MARGIN) }
    };
    let (head, tail) = (piece(&captured.head), piece(&captured.tail));
    // A panic's message begins with an empty line, which would only set it off from our label.
    let head = head.trim_start_matches('\n');
    let gap = match captured.left_out() {
        0 => String::new(),
        bytes => {
            let spill = captured.spill.as_deref().map(text::one_line);
            let place = spill.map(|path| format!("; more of them in {path}")).unwrap_or_default();
            let line = format!("... {} bytes left out here{place} ...", format::count(bytes));
            format!("  {}\n", paint.paint(DIM, &line))
        }
    };
    if head.is_empty() && gap.is_empty() && tail.is_empty() {
        return String::new();
    }
    format!("  {}\n{head}{gap}{tail}", paint.paint(STRONG, &format!("{label}:")))
}
