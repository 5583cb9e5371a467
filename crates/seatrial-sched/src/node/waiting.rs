//! Jobs on a node that have no slot yet.

use crate::near;
use seatrial_model::{Attempt, JobId, JobSpec, Near};
use std::collections::{BTreeSet, VecDeque};

/// Oldest first; what a slot gave back comes before. They are few: two for each slot at the most.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting {
    jobs: VecDeque<Waits>,
}

/// One that waits.
#[derive(Clone, Debug)]
pub(super) struct Waits {
    /// The slot that it was given for. Only those of a group are bound to it.
    pub(super) home: u32,
    pub(super) spec: JobSpec,
    pub(super) attempt: Attempt,
}

impl Waiting {
    pub(super) fn push_back(&mut self, home: u32, spec: JobSpec, attempt: Attempt) {
        self.jobs.push_back(Waits { home, spec, attempt });
    }

    pub(super) fn push_front(&mut self, home: u32, spec: JobSpec, attempt: Attempt) {
        self.jobs.push_front(Waits { home, spec, attempt });
    }

    pub(super) fn pop_first(&mut self) -> Option<(JobSpec, Attempt)> {
        self.jobs.pop_front().map(|waits| (waits.spec, waits.attempt))
    }

    pub(super) fn pop_last(&mut self) -> Option<(JobSpec, Attempt)> {
        self.jobs.pop_back().map(|waits| (waits.spec, waits.attempt))
    }

    /// Takes out the oldest that is fit.
    pub(super) fn take(&mut self, fit: impl Fn(&Waits) -> bool) -> Option<Waits> {
        let at = self.jobs.iter().position(fit)?;
        self.jobs.remove(at)
    }

    /// Takes out the oldest of those of a group that are given for one of these slots.
    pub(super) fn take_bound(&mut self, slots: &BTreeSet<u32>) -> Option<Waits> {
        self.take(|waits| near::group(&waits.spec).is_some() && slots.contains(&waits.home))
    }

    pub(super) fn remove(&mut self, job: JobId, attempt: Attempt) {
        self.take(|waits| (waits.spec.job, waits.attempt) == (job, attempt));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Those of a group that wait for this slot alone.
    pub(super) fn bound_to(&self, index: u32) -> usize {
        self.jobs.iter().filter(|waits| waits.home == index && near::group(&waits.spec).is_some()).count()
    }

    /// The slot that this group waits for.
    pub(super) fn home(&self, near: Near) -> Option<u32> {
        self.jobs.iter().find(|waits| near::bound(&waits.spec) == Some(near)).map(|waits| waits.home)
    }

    /// The whole group waits for this slot from now on.
    pub(super) fn move_home(&mut self, near: Near, index: u32) {
        for waits in &mut self.jobs {
            if near::bound(&waits.spec) == Some(near) {
                waits.home = index;
            }
        }
    }
}
