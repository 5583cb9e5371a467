//! Jobs that wait for a node.

use super::groups::Groups;
use super::wishes::{Seat, Wishes};
use crate::Priority;
use seatrial_model::{JobId, JobKind, Near};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// A job's place: priority, then order of addition. A job that comes back has its old place, which is the front of
/// its equals, for those added before it have gone.
pub(super) type Key = (Reverse<Priority>, u64, JobId);

/// One queue for each kind of job, and one for each group of tests.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    relays: BTreeSet<Key>,
    listings: BTreeSet<Key>,
    /// Tests that are near no other.
    tests: BTreeSet<Key>,
    pub(super) groups: Groups,
    /// Listings and tests take turns, so that the first test starts before the last binary is listed.
    tests_turn: bool,
}

/// What a slot may get of the tests.
enum Choice {
    Alone(Seat),
    Group(Seat, Near),
}

impl Queue {
    pub(super) fn push(&mut self, kind: JobKind, near: Option<Near>, key: Key) {
        if let Some(near) = near {
            self.groups.push(near, key);
        } else {
            self.of_mut(kind).insert(key);
        }
    }

    /// The job to hand out next and the wish that it serves, which is taken: relays first, because somebody waits for
    /// them.
    pub(super) fn next(&mut self, wishes: &mut Wishes) -> Option<(Seat, JobId)> {
        let front = wishes.front()?;
        let (seat, job) = if let Some((_, _, job)) = self.relays.pop_first() {
            (front, job)
        } else {
            self.next_in_turn(front, wishes)?
        };
        wishes.serve(seat);
        Some((seat, job))
    }

    /// Takes out every job of this kind.
    pub(super) fn take(&mut self, kind: JobKind) -> Vec<JobId> {
        let mut jobs: Vec<JobId> =
            std::mem::take(self.of_mut(kind)).into_iter().map(|(_, _, job)| job).collect();
        if kind == JobKind::Verdict {
            jobs.extend(self.groups.take());
        }
        jobs
    }

    /// Jobs of the same kind before this place. Walks them: for `explain` alone.
    pub(super) fn ahead(&self, kind: JobKind, near: Option<Near>, key: &Key) -> usize {
        let (within, place) = match near.map(|near| self.groups.ahead(near, key)) {
            // Its group has begun: nobody goes before it but the group's own.
            Some((within, None)) => return within,
            Some((within, Some((priority, added, _)))) => (within, (priority, added)),
            None => (0, (key.0, key.1)),
        };
        let alone = self.of(kind).iter().take_while(|&&(priority, order, _)| (priority, order) < place);
        let grouped = if kind == JobKind::Verdict { self.groups.before(place) } else { 0 };
        within + alone.count() + grouped
    }

    pub(super) fn len(&self) -> usize {
        self.relays.len() + self.listings.len() + self.tests.len() + self.groups.len()
    }

    fn next_in_turn(&mut self, front: Seat, wishes: &Wishes) -> Option<(Seat, JobId)> {
        let choice =
            if self.listings.is_empty() || self.tests_turn { self.choose(front, wishes) } else { None };
        let Some(choice) = choice else {
            let (_, _, job) = self.listings.pop_first()?;
            self.tests_turn = true;
            return Some((front, job));
        };
        self.tests_turn = false;
        match choice {
            Choice::Alone(seat) => self.tests.pop_first().map(|(_, _, job)| (seat, job)),
            Choice::Group(seat, near) => self.groups.hand(near, seat).map(|job| (seat, job)),
        }
    }

    /// A slot gets the next job of its own group; else one of those that nobody holds; else it helps.
    fn choose(&mut self, front: Seat, wishes: &Wishes) -> Option<Choice> {
        if let Some((seat, near)) = self.groups.eager(wishes) {
            return Some(Choice::Group(seat, near));
        }
        match (self.tests.first(), self.groups.first_free()) {
            (Some(&(of_test, order, _)), Some(&(of_group, added, near))) => {
                let test = (of_test, order) < (of_group, added);
                Some(if test { Choice::Alone(front) } else { Choice::Group(front, near) })
            }
            (Some(_), None) => Some(Choice::Alone(front)),
            (None, Some(&(_, _, near))) => Some(Choice::Group(front, near)),
            (None, None) => self.groups.most_work().map(|near| Choice::Group(front, near)),
        }
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
