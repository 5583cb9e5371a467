//! Which job goes to which slot, and how many to ask for.

use super::slot::{Queued, Recall, Running, Shelf};
use super::{NodeAction, NodeMachine, Place};
use seatrial_model::{Attempt, Instant, JobId, JobSpec, Limits, SlotId};
use std::collections::BTreeSet;

impl NodeMachine {
    /// Puts jobs into slots, and asks for as many as there is room for.
    pub(super) fn balance(&mut self, now: Instant, out: &mut Vec<NodeAction>) {
        if self.stopping.is_some() {
            return;
        }
        while let Some(&index) = self.idle.first()
            && let Some((_, (spec, attempt))) = self.waiting.pop_first()
        {
            let (job, limits) = (spec.job, spec.limits.clone());
            out.push(NodeAction::Send { slot: SlotId(index), spec, attempt });
            self.begin(now, index, (job, attempt), &limits, out);
            self.file(index);
        }
        let prefetching = self.prefetching();
        while prefetching
            && let Some(&index) = self.roomy.first()
            && let Some((_, (spec, attempt))) = self.waiting.pop_first()
        {
            self.queue(index, spec, attempt, out);
        }
        while self.idle.len() > self.stealing.len()
            && let Some(&index) = self.stealable.first()
        {
            self.recall(index, Recall::ForSlot, out);
            self.file(index);
        }
        let places = self.ready * if prefetching { 2 } else { 1 };
        let taken = u32::try_from(self.places.len()).unwrap_or(u32::MAX).saturating_add(self.wished);
        if places > taken {
            self.wished += places - taken;
            out.push(NodeAction::Want { count: places - taken });
        }
    }

    fn prefetching(&self) -> bool {
        self.settings.prefetch && self.mean.is_some_and(|mean| mean <= self.settings.short_job)
    }

    /// Jobs that this node can hold. Some may have to wait for a slot that is being built.
    pub(super) fn room(&self) -> usize {
        let slots = (self.settings.slots - self.gone) as usize;
        if self.settings.prefetch { slots * 2 } else { slots }
    }

    pub(super) fn wait(&mut self, place: i64, spec: JobSpec, attempt: Attempt) {
        self.places.insert((spec.job, attempt), Place::Waiting(place));
        self.waiting.insert(place, (spec, attempt));
    }

    /// The job runs in this slot from now on.
    pub(super) fn begin(
        &mut self,
        now: Instant,
        index: u32,
        (job, attempt): (JobId, Attempt),
        limits: &Limits,
        out: &mut Vec<NodeAction>,
    ) {
        let Some(slot) = self.slots.get_mut(index as usize) else { return };
        slot.running = Some(Running::new(now, job, attempt, limits));
        self.places.insert((job, attempt), Place::Running(index));
        out.push(NodeAction::Started { slot: SlotId(index), job, attempt });
    }

    /// The job is handed to the slot, to run after the one that runs there.
    fn queue(&mut self, index: u32, spec: JobSpec, attempt: Attempt, out: &mut Vec<NodeAction>) {
        let Some(slot) = self.slots.get_mut(index as usize) else { return };
        slot.queued = Some(Queued { spec: spec.clone(), attempt, recall: Recall::No });
        self.places.insert((spec.job, attempt), Place::Queued(index));
        out.push(NodeAction::Send { slot: SlotId(index), spec, attempt });
        self.file(index);
    }

    /// Asks for the slot's queued job, if it has one and was not asked before.
    pub(super) fn recall(&mut self, index: u32, recall: Recall, out: &mut Vec<NodeAction>) {
        let Some(queued) = self.slots.get_mut(index as usize).and_then(|slot| slot.queued.as_mut()) else {
            return;
        };
        if queued.recall == Recall::No {
            let (slot, job, attempt) = (SlotId(index), queued.spec.job, queued.attempt);
            out.push(NodeAction::Recall { slot, job, attempt });
        }
        queued.recall = recall;
    }

    /// Files the slot anew after a change: by what it can be used for, and by its next deadline.
    pub(super) fn file(&mut self, index: u32) {
        let Some(slot) = self.slots.get_mut(index as usize) else { return };
        let deadline = slot.running.as_ref().and_then(Running::deadline);
        if slot.deadline != deadline {
            if let Some(at) = slot.deadline {
                self.deadlines.remove(&(at, index));
            }
            if let Some(at) = deadline {
                self.deadlines.insert((at, index));
            }
            slot.deadline = deadline;
        }
        let (old, new) = (slot.shelf, slot.proper_shelf());
        if old != new {
            slot.shelf = new;
            if let Some(shelf) = self.shelf(old) {
                shelf.remove(&index);
            }
            if let Some(shelf) = self.shelf(new) {
                shelf.insert(index);
            }
        }
    }

    const fn shelf(&mut self, shelf: Shelf) -> Option<&mut BTreeSet<u32>> {
        match shelf {
            Shelf::Off => None,
            Shelf::Idle => Some(&mut self.idle),
            Shelf::Roomy => Some(&mut self.roomy),
            Shelf::Stealable => Some(&mut self.stealable),
            Shelf::Stealing => Some(&mut self.stealing),
        }
    }
}
