//! The run's clock: monotonic, standing still while the run is stopped by the terminal.

use seatrial_model::Instant;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A clock that starts at zero with its run; clones show the same time.
#[derive(Clone, Debug)]
pub struct Clock {
    start: std::time::Instant,
    stood_still: Arc<AtomicU64>,
}

impl Clock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        Self { start: std::time::Instant::now(), stood_still: Arc::default() }
    }

    /// Time since the start, without the time that it stood still.
    #[must_use]
    pub fn now(&self) -> Instant {
        let passed = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Instant(passed.saturating_sub(self.stood_still.load(Ordering::Relaxed)))
    }

    /// Runs `stopped`; the time that it takes does not count.
    pub(crate) fn stand_still(&self, stopped: impl FnOnce()) {
        let begun = std::time::Instant::now();
        stopped();
        let passed = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(0);
        self.stood_still.fetch_add(passed, Ordering::Relaxed);
    }
}
