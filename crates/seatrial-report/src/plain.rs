//! For logs and CI services, where nothing that was written can be drawn over.

use crate::style::Paint;
use crate::view::RunView;
use crate::{format, scroll, summary, text};
use seatrial_model::{Event, Instant};
use std::time::Duration;

/// How often a run says that it goes on.
pub const HEARTBEAT: Duration = Duration::from_secs(30);

/// The renderer for streams that are not terminals.
#[derive(Clone, Debug)]
pub struct Plain {
    paint: Paint,
    verbose: bool,
    next: Instant,
}

impl Plain {
    /// A renderer that uses colours or not; with `verbose` it names the passed and the skipped tests too.
    #[must_use]
    pub fn new(colours: bool, verbose: bool) -> Self {
        Self { paint: Paint { colours }, verbose, next: Instant::default() + HEARTBEAT }
    }

    /// The lines for `event`, each with its line end: failures with their output, slow tests, notices. The view has
    /// the event folded in already.
    pub fn event(&mut self, view: &RunView, _now: Instant, event: &Event) -> String {
        scroll::lines(view, event, self.paint, self.verbose)
    }

    /// A line (with its line end) that says how far the run is, when one is due: every [`HEARTBEAT`] while it lasts.
    pub fn tick(&mut self, view: &RunView, now: Instant) -> Option<String> {
        if now < self.next || view.end().is_some() {
            return None;
        }
        self.next = now + HEARTBEAT;
        Some(heartbeat(view, now))
    }

    /// When the next heartbeat is due.
    #[must_use]
    pub const fn wake_at(&self) -> Instant {
        self.next
    }

    /// What is said at the end; its last line is `N passed, N failed, N skipped` and so on, without colours.
    #[must_use]
    pub fn summary(&self, view: &RunView, now: Instant) -> String {
        summary::text(view, now, self.paint)
    }
}

fn heartbeat(view: &RunView, now: Instant) -> String {
    if view.total() == 0 {
        return format!("[{}] no test is known yet\n", format::elapsed(view.elapsed(now)));
    }
    let counts = view.counts();
    let mut line = format!(
        "[{}] {} of {} tests done",
        format::elapsed(view.elapsed(now)),
        view.finished(),
        view.total()
    );
    for (number, name) in [(counts.failed, "failed"), (counts.errors, "errors"), (counts.flaky, "flaky")] {
        if number > 0 {
            line.push_str(&format!(", {number} {name}"));
        }
    }
    if let Some(eta) = view.eta(now) {
        line.push_str(&format!(", about {} left", format::elapsed(eta)));
    }
    if let Some(longest) = view.running().first() {
        let (name, since) = (text::test_name(&longest.test), format::elapsed(now.since(longest.started)));
        line.push_str(&format!(", {} running, the longest {name} ({since})", view.running_count()));
    }
    line.push('\n');
    line
}
