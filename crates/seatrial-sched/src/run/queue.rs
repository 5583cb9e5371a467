//! Jobs that wait for a node.

use crate::Priority;
use seatrial_model::{JobId, JobKind};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// A job's place: priority, then order of addition. A job that comes back has its old place, which is the front of
/// its equals, for those added before it have gone.
pub(super) type Key = (Reverse<Priority>, u64, JobId);

/// One queue for each kind of job.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    relays: BTreeSet<Key>,
    listings: BTreeSet<Key>,
    tests: BTreeSet<Key>,
    /// Listings and tests take turns, so that the first test starts before the last binary is listed.
    tests_turn: bool,
}

impl Queue {
    pub(super) fn push(&mut self, kind: JobKind, key: Key) {
        self.of_mut(kind).insert(key);
    }

    /// The job to hand out next: relays first, because somebody waits for them.
    pub(super) fn pop(&mut self) -> Option<JobId> {
        if let Some((_, _, job)) = self.relays.pop_first() {
            return Some(job);
        }
        let test = self.listings.is_empty() || (self.tests_turn && !self.tests.is_empty());
        let (_, _, job) = if test { self.tests.pop_first() } else { self.listings.pop_first() }?;
        self.tests_turn = !test;
        Some(job)
    }

    /// Takes out every job of this kind.
    pub(super) fn take(&mut self, kind: JobKind) -> Vec<JobId> {
        std::mem::take(self.of_mut(kind)).into_iter().map(|(_, _, job)| job).collect()
    }

    /// Jobs of the same kind before this place. Walks them: for `explain` alone.
    pub(super) fn ahead(&self, kind: JobKind, key: &Key) -> usize {
        self.of(kind).range(..key).count()
    }

    pub(super) fn len(&self) -> usize {
        self.relays.len() + self.listings.len() + self.tests.len()
    }

    const fn of(&self, kind: JobKind) -> &BTreeSet<Key> {
        match kind {
            JobKind::Relay => &self.relays,
            JobKind::Listing => &self.listings,
            JobKind::Verdict => &self.tests,
        }
    }

    const fn of_mut(&mut self, kind: JobKind) -> &mut BTreeSet<Key> {
        match kind {
            JobKind::Relay => &mut self.relays,
            JobKind::Listing => &mut self.listings,
            JobKind::Verdict => &mut self.tests,
        }
    }
}
