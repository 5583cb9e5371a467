//! Tests that are near each other: which wait, and which slot has begun with which group.
//!
//! A group belongs to the slots that got a job of it last. One that belongs to none is *free*: it goes to whichever slot
//! asks, whole. One that is not `together` may be *shared* with a slot that has nothing else to do.

use super::queue::Key;
use super::wishes::{Seat, Wishes};
use crate::{Class, Priority};
use seatrial_model::{JobId, Near, NodeId, SlotId};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A free group's place among the tests: its best class, then its work, then the order of addition.
type FreeKey = (Reverse<Priority>, u64, Near);

/// A shared group's place: the most work first.
type SharedKey = (Reverse<Duration>, u64, Near);

/// All groups of which a job waits or is held.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    groups: BTreeMap<Near, Group>,
    /// The group that a seat belongs to: that of its latest job.
    seats: BTreeMap<Seat, Near>,
    free: BTreeSet<FreeKey>,
    shared: BTreeSet<SharedKey>,
    /// Seats that may have both a wish and a job of their own group that waits; all others have not.
    fresh: BTreeSet<Seat>,
    waiting: usize,
    /// Seats that are kept for no group any more, of which their nodes are still to be told.
    released: Vec<(Seat, Near)>,
}

#[derive(Clone, Debug)]
struct Group {
    /// Order of addition of its first job.
    added: u64,
    waiting: BTreeMap<Rank, Priority>,
    classes: BTreeMap<Class, u32>,
    /// Expected time of all that waits.
    work: Duration,
    /// Jobs that nodes hold.
    held: u32,
    /// A job of it has begun where it belongs, and left something there.
    begun: bool,
    /// Where it belongs; of one that is `together` one seat at most.
    seats: BTreeSet<Seat>,
    filed: Filed,
}

/// A job's place within its group: in order of addition, but where order means nothing those that failed go first.
type Rank = (bool, u64, JobId);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filed {
    No,
    Free(FreeKey),
    Shared(SharedKey),
}

impl Groups {
    /// The job waits.
    pub(super) fn push(&mut self, near: Near, (Reverse(priority), order, job): Key) {
        let group = self.groups.entry(near).or_insert_with(|| Group::new(order));
        if group.waiting.is_empty() {
            self.fresh.extend(&group.seats);
        }
        group.waiting.insert(rank(near, priority, order, job), priority);
        *group.classes.entry(priority.class).or_default() += 1;
        group.work += priority.expected;
        self.waiting += 1;
        self.refile(near);
    }

    /// This seat has asked for something.
    pub(super) fn asked(&mut self, seat: Seat) {
        if self.seats.contains_key(&seat) {
            self.fresh.insert(seat);
        }
    }

    /// A seat with a wish whose own group has a job that waits.
    pub(super) fn eager(&mut self, wishes: &Wishes) -> Option<(Seat, Near)> {
        while let Some(&seat) = self.fresh.first() {
            if let Some(&near) = self.seats.get(&seat)
                && wishes.has(seat)
                && self.groups.get(&near).is_some_and(|group| !group.waiting.is_empty())
            {
                return Some((seat, near));
            }
            self.fresh.remove(&seat);
        }
        None
    }

    /// The free group to begin with, and its place among the tests.
    pub(super) fn first_free(&self) -> Option<&FreeKey> {
        self.free.first()
    }

    /// The group that needs help most.
    pub(super) fn most_work(&self) -> Option<Near> {
        self.shared.first().map(|&(_, _, near)| near)
    }

    /// The group's next job goes to this seat.
    pub(super) fn hand(&mut self, near: Near, seat: Seat) -> Option<JobId> {
        let group = self.groups.get_mut(&near)?;
        let ((_, _, job), priority) = group.waiting.pop_first()?;
        if let Some(count) = group.classes.get_mut(&priority.class) {
            *count -= 1;
            if *count == 0 {
                group.classes.remove(&priority.class);
            }
        }
        group.work = group.work.saturating_sub(priority.expected);
        group.held += 1;
        self.waiting -= 1;
        self.enter(seat, near);
        Some(job)
    }

    /// The seat belongs to this group from now on.
    pub(super) fn enter(&mut self, seat: Seat, near: Near) {
        let before = self.seats.insert(seat, near);
        if let Some(before) = before.filter(|before| *before != near) {
            self.lose(before, seat);
        }
        let Some(group) = self.groups.get_mut(&near) else { return };
        if near.together {
            for other in std::mem::take(&mut group.seats) {
                if other != seat {
                    self.seats.remove(&other);
                }
            }
        }
        group.seats.insert(seat);
        self.fresh.insert(seat);
        self.refile(near);
    }

    /// A job of the group has begun in its slot; or the slot has died, with whatever the group had set up there.
    pub(super) fn set_begun(&mut self, near: Near, begun: bool) {
        if let Some(group) = self.groups.get_mut(&near) {
            group.begun = begun;
        }
    }

    /// A job of the group is held no longer, whatever became of it.
    pub(super) fn let_go(&mut self, near: Near) {
        let Some(group) = self.groups.get_mut(&near) else { return };
        group.held = group.held.saturating_sub(1);
        if group.held == 0 && (group.waiting.is_empty() || !group.begun) {
            for seat in std::mem::take(&mut group.seats) {
                self.seats.remove(&seat);
                if near.together && group.begun {
                    self.released.push((seat, near));
                }
            }
        }
        self.refile(near);
    }

    /// Takes out the seats whose nodes are to be told that the group does not need them.
    pub(super) fn take_released(&mut self) -> Vec<(Seat, Near)> {
        std::mem::take(&mut self.released)
    }

    /// This seat is gone.
    pub(super) fn leave(&mut self, seat: Seat) {
        if let Some(near) = self.seats.remove(&seat) {
            self.lose(near, seat);
        }
    }

    /// All seats of this node are gone.
    pub(super) fn leave_node(&mut self, node: NodeId) {
        let all = (node, SlotId(0))..=(node, SlotId(u32::MAX));
        let seats: Vec<Seat> = self.seats.range(all).map(|(&seat, _)| seat).collect();
        for seat in seats {
            self.leave(seat);
        }
    }

    /// Takes out every job that waits.
    pub(super) fn take(&mut self) -> Vec<JobId> {
        let mut jobs = Vec::new();
        let groups: Vec<Near> = self.groups.keys().copied().collect();
        for near in groups {
            if let Some(group) = self.groups.get_mut(&near) {
                jobs.extend(std::mem::take(&mut group.waiting).into_keys().map(|(_, _, job)| job));
                group.classes.clear();
                group.work = Duration::ZERO;
            }
            self.refile(near);
        }
        self.waiting = 0;
        jobs
    }

    /// Jobs that wait.
    pub(super) const fn len(&self) -> usize {
        self.waiting
    }

    /// The seat that has begun with a group of which no other seat may have a job.
    pub(super) fn holder(&self, near: Near) -> Option<Seat> {
        self.groups.get(&near)?.seats.first().copied().filter(|_| near.together)
    }

    /// Jobs of the group that go out before this one, and the group's place if it is free. Walks them: for `explain`.
    pub(super) fn ahead(
        &self,
        near: Near,
        (Reverse(priority), order, job): &Key,
    ) -> (usize, Option<FreeKey>) {
        let Some(group) = self.groups.get(&near) else { return (0, None) };
        let within = group.waiting.range(..rank(near, *priority, *order, *job)).count();
        match group.filed {
            Filed::Free(key) => (within, Some(key)),
            Filed::No | Filed::Shared(_) => (within, None),
        }
    }

    /// Jobs of free groups that go out before this place. Walks them: for `explain`.
    pub(super) fn before(&self, place: (Reverse<Priority>, u64)) -> usize {
        let earlier = self.free.iter().take_while(|&&(priority, added, _)| (priority, added) < place);
        earlier.filter_map(|(_, _, near)| self.groups.get(near)).map(|group| group.waiting.len()).sum()
    }

    /// Nothing is remembered of groups and seats.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.seats.is_empty() && self.free.is_empty() && self.shared.is_empty()
    }

    /// The group belongs to this seat no longer.
    fn lose(&mut self, near: Near, seat: Seat) {
        if let Some(group) = self.groups.get_mut(&near) {
            group.seats.remove(&seat);
        }
        self.refile(near);
    }

    /// Files the group anew after a change; of one that is over nothing is kept.
    fn refile(&mut self, near: Near) {
        let Some(group) = self.groups.get_mut(&near) else { return };
        let filed = group.proper_file(near);
        let old = std::mem::replace(&mut group.filed, filed);
        if group.waiting.is_empty() && group.held == 0 {
            for seat in std::mem::take(&mut group.seats) {
                self.seats.remove(&seat);
            }
            self.groups.remove(&near);
        }
        if old != filed {
            match old {
                Filed::No => false,
                Filed::Free(key) => self.free.remove(&key),
                Filed::Shared(key) => self.shared.remove(&key),
            };
            match filed {
                Filed::No => false,
                Filed::Free(key) => self.free.insert(key),
                Filed::Shared(key) => self.shared.insert(key),
            };
        }
    }
}

impl Group {
    const fn new(added: u64) -> Self {
        Self {
            added,
            waiting: BTreeMap::new(),
            classes: BTreeMap::new(),
            work: Duration::ZERO,
            held: 0,
            begun: false,
            seats: BTreeSet::new(),
            filed: Filed::No,
        }
    }

    /// Where the group belongs now.
    fn proper_file(&mut self, near: Near) -> Filed {
        // While a job of a `together` group is under way, the slot that it has left still runs it.
        let free = self.seats.is_empty() && (self.held == 0 || !near.together);
        if free {
            self.begun = false;
        }
        match self.classes.last_key_value() {
            Some((&class, _)) if free => {
                Filed::Free((Reverse(Priority { class, expected: self.work }), self.added, near))
            }
            Some(_) if !near.together => Filed::Shared((Reverse(self.work), self.added, near)),
            Some(_) | None => Filed::No,
        }
    }
}

fn rank(near: Near, priority: Priority, order: u64, job: JobId) -> Rank {
    let in_turn = near.together || priority.class != Class::Failed;
    (in_turn, order, job)
}
