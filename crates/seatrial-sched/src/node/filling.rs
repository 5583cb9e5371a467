//! Which job goes to which slot, and how many to ask for.

use super::slot::{Helper, Queued, Recall, Running, Shelf, Slot};
use super::waiting::Waits;
use super::{NodeAction, NodeMachine, Place};
use crate::near;
use seatrial_model::{Instant, JobSpec, Near, SlotId};
use std::cmp::Reverse;
use std::collections::BTreeSet;

impl NodeMachine {
    /// Puts jobs into slots, and asks for as many as there is room for.
    pub(super) fn balance(&mut self, now: Instant, out: &mut Vec<NodeAction>) {
        if self.stopping.is_some() {
            return;
        }
        self.fill_idle(now, out);
        let prefetching = self.prefetching();
        if prefetching {
            self.fill_roomy(out);
        }
        self.steal(out);
        self.ask(if prefetching { 2 } else { 1 }, out);
    }

    /// What is near to a slot goes there; the rest goes to any slot that may have it, oldest first.
    fn fill_idle(&mut self, now: Instant, out: &mut Vec<NodeAction>) {
        while let Some(waits) = self.waiting.take_bound(&self.idle) {
            self.run(now, waits.home, waits, out);
        }
        if self.waiting.is_empty() {
            return;
        }
        for index in self.idle.clone() {
            let slots = &self.slots;
            // Where one job of a group is, or has begun, the others follow.
            let settled = |near: Near, home: u32| {
                let there = slots.get(home as usize).and_then(|slot| slot.near);
                there == Some(near) || slots.iter().any(|slot| slot.holds(near))
            };
            let kept = self.is_kept(index);
            let fits = |waits: &Waits| match near::group(&waits.spec) {
                None => true,
                Some(near) => !(kept || near.together && settled(near, waits.home)),
            };
            let Some(waits) = self.waiting.take(fits) else { continue };
            if let Some(near) = near::bound(&waits.spec) {
                self.waiting.move_home(near, index);
                if let Some(slot) = self.slots.get_mut(index as usize) {
                    slot.unaware = slot.wished;
                }
            }
            self.run(now, index, waits, out);
        }
    }

    /// Behind a running job goes what is near to its slot, or what is near to none.
    fn fill_roomy(&mut self, out: &mut Vec<NodeAction>) {
        while let Some(waits) = self.waiting.take_bound(&self.roomy) {
            self.queue(waits.home, waits, out);
        }
        while let Some(&index) = self.roomy.first()
            && let Some(waits) = self.waiting.take(|waits| near::group(&waits.spec).is_none())
        {
            self.queue(index, waits, out);
        }
    }

    /// Asks for queued jobs back, one for each idle slot that may have it.
    fn steal(&mut self, out: &mut Vec<NodeAction>) {
        if self.stealable.is_empty() || self.idle.len() <= self.stealing.len() {
            return;
        }
        let open = self.idle.iter().filter(|&&index| !self.is_kept(index)).count();
        for index in self.stealable.clone() {
            let queued = self.slots.get(index as usize).and_then(|slot| slot.queued.as_ref());
            let grouped = queued.is_some_and(|queued| near::group(&queued.spec).is_some());
            if self.stealing.len() < if grouped { open } else { self.idle.len() } {
                self.recall(index, Recall::ForSlot, out);
                self.file(index);
            }
        }
    }

    fn is_kept(&self, index: u32) -> bool {
        self.slots.get(index as usize).is_some_and(Slot::is_kept)
    }

    /// Asks for jobs, so many a slot. Jobs move between slots, so the whole node says how many are lacking; they are
    /// asked for where most are.
    fn ask(&mut self, each: u32, out: &mut Vec<NodeAction>) {
        let taken = u32::try_from(self.places.len()).unwrap_or(u32::MAX).saturating_add(self.wished);
        let lacking = (self.ready * each).saturating_sub(taken);
        // What waits for other slots, or their wishes, may be nothing for an idle one.
        let must = |index: u32| if self.grouped { self.lacks(index, 1) } else { 0 };
        let urgent: u32 = self.idle.iter().map(|&index| must(index)).sum();
        let mut spare = lacking.saturating_sub(urgent);
        if lacking == 0 && urgent == 0 {
            return;
        }
        let mut wants: Vec<(u32, u32)> =
            (0..self.settings.slots).map(|index| (self.lacks(index, each), index)).collect();
        wants.sort_by_key(|&(count, index)| (Reverse(count), index));
        for (count, index) in &mut wants {
            let urgent = if self.idle.contains(index) { must(*index) } else { 0 };
            let more = (*count - urgent).min(spare);
            spare -= more;
            *count = urgent + more;
        }
        for (count, index) in wants {
            self.want(index, count, out);
        }
    }

    /// How many jobs this slot has less than so many, counting those on their way.
    fn lacks(&self, index: u32, each: u32) -> u32 {
        let Some(slot) = self.slots.get(index as usize).filter(|slot| slot.helper == Helper::Ready) else {
            return 0;
        };
        let bound = u32::try_from(self.waiting.bound_to(index)).unwrap_or(u32::MAX);
        each.saturating_sub(slot.load().saturating_add(slot.wished).saturating_add(bound))
    }

    fn want(&mut self, index: u32, count: u32, out: &mut Vec<NodeAction>) {
        if count > 0
            && let Some(slot) = self.slots.get_mut(index as usize)
        {
            slot.wished += count;
            self.wished += count;
            out.push(NodeAction::Want { slot: SlotId(index), count });
        }
    }

    /// An offer of this job has come for a wish of this slot; one that nobody asked for serves no wish. False when the
    /// job would part a group that has moved here since.
    pub(super) fn wish_served(&mut self, index: u32, spec: &JobSpec) -> bool {
        let Some(slot) = self.slots.get_mut(index as usize).filter(|slot| slot.wished > 0) else {
            return true;
        };
        slot.wished -= 1;
        self.wished -= 1;
        let unaware = slot.unaware > 0;
        slot.unaware = slot.unaware.saturating_sub(1);
        let other = near::group(spec).is_some_and(|near| slot.near != Some(near));
        !(unaware && other && slot.is_kept())
    }

    /// The slot where jobs of this group are; else the idle one that was the last to have any.
    pub(super) fn home(&self, near: Near) -> Option<u32> {
        let find = |fit: &dyn Fn(&Slot) -> bool| {
            self.slots.iter().position(fit).and_then(|index| u32::try_from(index).ok())
        };
        find(&|slot| slot.holds(near))
            .or_else(|| self.waiting.home(near))
            .or_else(|| find(&|slot| slot.shelf == Shelf::Idle && slot.near == Some(near)))
    }

    pub(super) fn is_gone(&self, index: u32) -> bool {
        self.slots.get(index as usize).is_none_or(|slot| slot.helper == Helper::Gone)
    }

    /// True when the job would run as soon as it came.
    pub(super) fn can_start(&self, home: u32, spec: &JobSpec) -> bool {
        let helper = |&index: &u32| near::group(spec).is_none() || !self.is_kept(index);
        self.idle.contains(&home) || (near::bound(spec).is_none() && self.idle.iter().any(helper))
    }

    fn prefetching(&self) -> bool {
        self.settings.prefetch && self.mean.is_some_and(|mean| mean <= self.settings.short_job)
    }

    /// Jobs that this node can hold. Some may have to wait for a slot that is being built.
    pub(super) fn room(&self) -> usize {
        let slots = (self.settings.slots - self.gone) as usize;
        if self.settings.prefetch { slots * 2 } else { slots }
    }

    fn run(&mut self, now: Instant, index: u32, waits: Waits, out: &mut Vec<NodeAction>) {
        let Waits { home: _, spec, attempt } = waits;
        let running = Running::new(now, &spec, attempt);
        out.push(NodeAction::Send { slot: SlotId(index), spec, attempt });
        self.begin(index, running, out);
        self.file(index);
    }

    /// The job runs in this slot from now on.
    pub(super) fn begin(&mut self, index: u32, running: Running, out: &mut Vec<NodeAction>) {
        let Some(slot) = self.slots.get_mut(index as usize) else { return };
        let (job, attempt) = (running.job, running.attempt);
        slot.near = running.near.or(slot.near);
        slot.running = Some(running);
        self.places.insert((job, attempt), Place::Running(index));
        out.push(NodeAction::Started { slot: SlotId(index), job, attempt });
    }

    /// The job is handed to the slot, to run after the one that runs there.
    fn queue(&mut self, index: u32, waits: Waits, out: &mut Vec<NodeAction>) {
        let Waits { home: _, spec, attempt } = waits;
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
