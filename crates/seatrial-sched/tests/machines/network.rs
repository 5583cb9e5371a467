//! Virtual time, and a network that loses, doubles, delays and reorders.

use seatrial_model::Instant;
use seatrial_testkit::rng::Rng;
use std::collections::BTreeMap;
use std::time::Duration;

/// What will happen, by when.
pub(crate) struct Timeline<T> {
    pub(crate) now: Instant,
    coming: BTreeMap<(Instant, u64), T>,
    serial: u64,
}

impl<T> Timeline<T> {
    pub(crate) const fn new() -> Self {
        Self { now: Instant(0), coming: BTreeMap::new(), serial: 0 }
    }

    pub(crate) fn at(&mut self, at: Instant, item: T) {
        self.serial += 1;
        self.coming.insert((at.max(self.now), self.serial), item);
    }

    pub(crate) fn after(&mut self, delay: Duration, item: T) {
        self.at(self.now + delay, item);
    }

    /// Moves on to what comes next.
    pub(crate) fn next(&mut self) -> Option<T> {
        let ((at, _), item) = self.coming.pop_first()?;
        self.now = at;
        Some(item)
    }
}

/// How bad a network is; numbers are percent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    pub(crate) late: u64,
    /// Every message takes the same time, so none overtakes another.
    pub(crate) even: bool,
}

impl Weather {
    /// When the copies of a message arrive. Both sides live, so a lost message is sent again until one arrives; as the
    /// sender cannot tell a lost message from a lost receipt, more than one may.
    pub(crate) fn delays(&self, rng: &mut Rng) -> Vec<Duration> {
        let mut delay = self.delay(rng);
        while rng.chance(self.lost) {
            delay += Duration::from_millis(50);
        }
        let mut delays = vec![delay];
        while rng.chance(self.doubled) {
            delays.push(Duration::from_millis(50) + self.delay(rng));
        }
        delays
    }

    fn delay(&self, rng: &mut Rng) -> Duration {
        if self.even {
            return Duration::from_millis(1);
        }
        let most = if rng.chance(self.late) { 3_000_000 } else { 5_000 };
        Duration::from_micros(rng.between(50, most))
    }
}
