//! For people at a terminal: what scrolls, and the live region below it.

use crate::style::{BAD, DIM, GOOD, Paint, WARN};
use crate::view::{RunView, Running};
use crate::{format, scroll, summary, text};
use seatrial_model::{Attempt, Event, Instant};

/// The most running tests that the live region names.
pub const RUNNING: usize = 8;

/// Columns of the elapsed time before a running test's name.
const CLOCK: usize = 10;

/// The widest and the narrowest bar, without its brackets.
const BAR: std::ops::RangeInclusive<usize> = 8..=30;

/// The renderer for a terminal.
#[derive(Clone, Debug)]
pub struct Terminal {
    paint: Paint,
}

/// A fact beside the bar. Those with the highest rank go first where the line is narrow.
struct Fact {
    rank: u8,
    text: String,
}

impl Terminal {
    /// A renderer that uses colours or not.
    #[must_use]
    pub const fn new(colours: bool) -> Self {
        Self { paint: Paint { colours } }
    }

    /// The lines that scroll for `event`, each with its line end: failures with their output, slow tests (once each),
    /// notices. Passes add none. The view has the event folded in already.
    pub fn event(&mut self, view: &RunView, _now: Instant, event: &Event) -> String {
        // The clock of a slow test ticks in the live region; to say it again and again would bury the failures.
        if let Event::Slow { test, .. } = event
            && view.running_test(test).is_some_and(|running| running.slow > 1)
        {
            return String::new();
        }
        scroll::lines(view, event, self.paint, false)
    }

    /// The live region: the bar, and below it the running tests, longest first. No line is wider than `width`
    /// columns; they are fewer than `height`, so that the region and the cursor below it fit on the screen. Empty
    /// before any test is known (a build shows its own progress then) and once the run has ended.
    #[must_use]
    pub fn status(&self, view: &RunView, now: Instant, width: usize, height: usize) -> Vec<String> {
        let rows = height.saturating_sub(1);
        if rows == 0 || width == 0 || view.end().is_some() || view.total() == 0 {
            return Vec::new();
        }
        let mut lines = vec![self.bar(view, now, width)];
        let running = view.running().into_iter().take(RUNNING.min(rows - 1));
        lines.extend(running.map(|running| self.running(running, now, width)));
        lines
    }

    /// What is said at the end; its last line is `N passed, N failed, N skipped` and so on, without colours.
    #[must_use]
    pub fn summary(&self, view: &RunView, now: Instant) -> String {
        summary::text(view, now, self.paint)
    }

    fn bar(&self, view: &RunView, now: Instant, width: usize) -> String {
        let facts = self.facts(view, now, width);
        let (done, total) = (view.finished() as usize, view.total() as usize);
        let room = width.saturating_sub(text::width(&facts) + 3).min(*BAR.end());
        if room < *BAR.start() {
            return text::cut(&facts, width);
        }
        let filled = (room * done).checked_div(total).unwrap_or(0).min(room);
        let counts = view.counts();
        let style = if counts.failed + counts.errors > 0 { BAD } else { GOOD };
        let bar = self.paint.paint(style, &"=".repeat(filled));
        format!("[{bar}{}] {facts}", " ".repeat(room - filled))
    }

    /// The facts in one line, as many as fit.
    fn facts(&self, view: &RunView, now: Instant, width: usize) -> String {
        let counts = view.counts();
        let mut facts = vec![Fact { rank: 0, text: format!("{}/{}", view.finished(), view.total()) }];
        let numbers = [
            (1, counts.failed, "failed", BAD),
            (2, counts.errors, "errors", BAD),
            (4, counts.flaky, "flaky", WARN),
            (7, counts.skipped, "skipped", DIM),
            (6, view.running_count(), "running", DIM),
        ];
        for (rank, number, name, style) in numbers {
            if number > 0 {
                facts.push(Fact { rank, text: self.paint.paint(style, &format!("{number} {name}")) });
            }
        }
        facts.push(Fact { rank: 3, text: format::elapsed(view.elapsed(now)) });
        if let Some(eta) = view.eta(now) {
            facts.push(Fact { rank: 5, text: format!("about {} left", format::elapsed(eta)) });
        }
        loop {
            let line = facts.iter().map(|fact| fact.text.as_str()).collect::<Vec<_>>().join(", ");
            let least = facts.iter().map(|fact| fact.rank).max().unwrap_or(0);
            if least == 0 || text::width(&line) <= width {
                return line;
            }
            facts.retain(|fact| fact.rank != least);
        }
    }

    fn running(&self, running: &Running, now: Instant, width: usize) -> String {
        let clock = format::elapsed(now.since(running.started));
        let clock = format!("{clock:>CLOCK$}");
        let clock = if running.slow > 0 { self.paint.paint(WARN, &clock) } else { clock };
        let attempt = match running.attempt {
            Attempt::FIRST => String::new(),
            Attempt(number) => format!(" (attempt {number})"),
        };
        let room = width.saturating_sub(CLOCK + 2 + attempt.len());
        let name = text::cut_middle(&text::test_name(&running.test), room);
        text::cut(&format!("{clock}  {name}{attempt}"), width)
    }
}
