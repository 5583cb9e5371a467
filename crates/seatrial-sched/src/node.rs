//! A node's decider: what runs in which slot, until when, and how many jobs to ask for.
//!
//! A slot holds one running job and one queued behind it, handed over before the first has ended, so that the gap
//! between two jobs costs nothing. That pays for short jobs only: behind a long one the queued job waits while other
//! nodes are idle. Jobs that have no slot yet wait in the machine (`waiting`).
//!
//! Each wish is a slot's own, and an offer names the slot whose wish it serves. A job that is near no other goes to any
//! slot all the same. One of a group goes to that slot; one that must be together with its group goes where the group
//! is, and nowhere else from the moment that the group has begun there. The slot is then kept for that group: of others it
//! takes only what is given for it, until the coordinator releases it.

mod ending;
mod filling;
mod messages;
mod slot;
mod waiting;

pub use messages::{Cause, NodeAction, NodeEvent, NodeSettings};

use crate::near;
use seatrial_model::{Attempt, Instant, JobId, JobSpec, Near, SlotId};
use slot::{Helper, Queued, Recall, Running, Slot};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use waiting::Waiting;

/// Deaths in a row, before it was ready once, that a slot is granted.
const MAX_STILLBORN: u32 = 3;

/// A node's decider.
#[derive(Clone, Debug)]
pub struct NodeMachine {
    settings: NodeSettings,
    slots: Vec<Slot>,
    /// Every job on this node, by number, and where it is.
    places: BTreeMap<(JobId, Attempt), Place>,
    waiting: Waiting,
    idle: BTreeSet<u32>,
    roomy: BTreeSet<u32>,
    stealable: BTreeSet<u32>,
    stealing: BTreeSet<u32>,
    deadlines: BTreeSet<(Instant, u32)>,
    ready: u32,
    gone: u32,
    /// Jobs asked for and not got, of all slots.
    wished: u32,
    /// A job of a group was here: wishes are not alike any more.
    grouped: bool,
    mean: Option<Duration>,
    stopping: Option<Stop>,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Waiting,
    Queued(u32),
    Running(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Polite,
    Hard,
}

impl NodeMachine {
    /// A node before [`NodeEvent::Start`].
    #[must_use]
    pub fn new(settings: NodeSettings) -> Self {
        Self {
            settings,
            slots: (0..settings.slots).map(|_| Slot::new()).collect(),
            places: BTreeMap::new(),
            waiting: Waiting::default(),
            idle: BTreeSet::new(),
            roomy: BTreeSet::new(),
            stealable: BTreeSet::new(),
            stealing: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            ready: 0,
            gone: 0,
            wished: 0,
            grouped: false,
            mean: None,
            stopping: None,
        }
    }

    /// Takes in one event; what is to be done is appended to `out`.
    pub fn handle(&mut self, now: Instant, event: NodeEvent, out: &mut Vec<NodeAction>) {
        match event {
            NodeEvent::Start => self.start(out),
            NodeEvent::SlotReady { slot } => self.slot_ready(slot),
            NodeEvent::SlotLost { slot } => self.slot_lost(slot, out),
            NodeEvent::Offered { slot, spec, attempt } => self.offered(slot, spec, attempt, out),
            NodeEvent::Ended { slot, job, attempt } => self.ended(now, slot, job, attempt, out),
            NodeEvent::WentOn { slot, job, attempt } => self.went_on(now, slot, job, attempt),
            NodeEvent::Recalled { slot, job, attempt, was_started } => {
                self.recalled((slot, job, attempt), was_started, out);
            }
            NodeEvent::Released { slot, near } => self.released(slot, near),
            NodeEvent::Cancel { job, attempt } => self.cancel(now, job, attempt, out),
            NodeEvent::CancelAll { hard } => self.cancel_all(now, hard, out),
            NodeEvent::Tick => self.tick(now, out),
            NodeEvent::Expected { mean } => self.mean = mean,
        }
        self.balance(now, out);
    }

    /// When [`NodeEvent::Tick`] is due; absent while nothing has a time limit.
    #[must_use]
    pub fn wake_at(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(at, _)| at)
    }

    /// Jobs on this node: running, queued or waiting for a slot.
    #[must_use]
    pub fn held(&self) -> usize {
        self.places.len()
    }

    fn start(&mut self, out: &mut Vec<NodeAction>) {
        if self.stopping.is_some() {
            return;
        }
        for (index, slot) in (0..).zip(&mut self.slots) {
            if slot.helper == Helper::Absent {
                slot.helper = Helper::Building;
                out.push(NodeAction::Build { slot: SlotId(index) });
            }
        }
    }

    fn slot_ready(&mut self, SlotId(index): SlotId) {
        let Some(slot) = self.slots.get_mut(index as usize) else { return };
        if slot.helper == Helper::Building {
            slot.helper = Helper::Ready;
            slot.stillborn = 0;
            self.ready += 1;
            self.file(index);
        }
    }

    fn slot_lost(&mut self, SlotId(index): SlotId, out: &mut Vec<NodeAction>) {
        let Some(slot) = self.slots.get_mut(index as usize) else { return };
        match slot.helper {
            Helper::Absent | Helper::Gone => return,
            Helper::Building => slot.stillborn += 1,
            Helper::Ready => self.ready -= 1,
        }
        if let Some(running) = slot.running.take() {
            let Running { job, attempt, .. } = running;
            self.places.remove(&(job, attempt));
            let cause = running.cause(Cause::SlotLost);
            out.push(NodeAction::Finished { slot: SlotId(index), job, attempt, cause });
        }
        // It may have started unnoticed, so the coordinator gives it a new number; here it would keep the old one.
        if let Some(Queued { spec, attempt, .. }) = slot.queued.take() {
            self.places.remove(&(spec.job, attempt));
            out.push(NodeAction::Return { job: spec.job, attempt });
        }
        if self.stopping.is_none() && slot.stillborn <= MAX_STILLBORN {
            slot.helper = Helper::Building;
            out.push(NodeAction::Build { slot: SlotId(index) });
        } else {
            slot.helper = Helper::Gone;
            self.gone += 1;
            // What was meant for this slot finds a better one from the coordinator, who knows which are kept for others.
            while let Some(waits) = self.waiting.take_bound(&BTreeSet::from([index])) {
                self.places.remove(&(waits.spec.job, waits.attempt));
                out.push(NodeAction::Return { job: waits.spec.job, attempt: waits.attempt });
            }
            if self.stopping.is_none() {
                out.push(NodeAction::GiveUp { slot: SlotId(index) });
            }
        }
        if let Some(slot) = self.slots.get_mut(index as usize) {
            (slot.near, slot.unaware) = (None, 0);
        }
        self.file(index);
        while self.places.len() > self.room()
            && let Some((spec, attempt)) = self.waiting.pop_last()
        {
            self.places.remove(&(spec.job, attempt));
            out.push(NodeAction::Return { job: spec.job, attempt });
        }
    }

    fn offered(&mut self, SlotId(index): SlotId, spec: JobSpec, attempt: Attempt, out: &mut Vec<NodeAction>) {
        let key = (spec.job, attempt);
        if self.places.contains_key(&key) {
            return;
        }
        let welcome = self.wish_served(index, &spec);
        self.grouped |= near::group(&spec).is_some();
        let home = near::bound(&spec).and_then(|near| self.home(near)).unwrap_or(index);
        // Jobs of a group may fill the room while a slot that may not have them is idle.
        let fits = self.places.len() < self.room() || self.can_start(home, &spec);
        let gone = near::group(&spec).is_some() && self.is_gone(home);
        if self.stopping.is_some() || gone || !welcome || !fits {
            out.push(NodeAction::Return { job: spec.job, attempt });
            return;
        }
        self.places.insert(key, Place::Waiting);
        self.waiting.push_back(home, spec, attempt);
    }

    /// A word that was overtaken by more of the group changes nothing.
    fn released(&mut self, SlotId(index): SlotId, near: Near) {
        let waits = self.waiting.home(near).is_some();
        if let Some(slot) = self.slots.get_mut(index as usize)
            && slot.near == Some(near)
            && !slot.holds(near)
            && !waits
        {
            slot.near = None;
        }
    }

    fn ended(
        &mut self,
        now: Instant,
        SlotId(index): SlotId,
        job: JobId,
        attempt: Attempt,
        out: &mut Vec<NodeAction>,
    ) {
        let Some(slot) = self.slots.get_mut(index as usize) else { return };
        if !slot.runs(job, attempt) {
            return;
        }
        let cause = slot.running.take().map_or(Cause::Natural, |running| running.cause(Cause::Natural));
        let queued = slot.queued.take();
        self.places.remove(&(job, attempt));
        out.push(NodeAction::Finished { slot: SlotId(index), job, attempt, cause });
        if let Some(Queued { spec, attempt, recall }) = queued {
            self.begin(index, Running::new(now, &spec, attempt), out);
            if recall == Recall::ForGood {
                self.end(now, index, Cause::Cancelled, out);
            }
        }
        self.file(index);
    }

    fn recalled(
        &mut self,
        (SlotId(index), job, attempt): (SlotId, JobId, Attempt),
        was_started: bool,
        out: &mut Vec<NodeAction>,
    ) {
        let Some(slot) = self.slots.get_mut(index as usize) else { return };
        if !slot.queues(job, attempt) {
            return;
        }
        if was_started {
            // Its start is told by the end of the job before it, which is still to come.
            if let Some(queued) = slot.queued.as_mut().filter(|queued| queued.recall == Recall::ForSlot) {
                queued.recall = Recall::TooLate;
            }
        } else if let Some(Queued { spec, attempt, recall }) = slot.queued.take() {
            if recall == Recall::ForGood {
                self.places.remove(&(job, attempt));
                out.push(NodeAction::Return { job, attempt });
            } else {
                self.places.insert((job, attempt), Place::Waiting);
                self.waiting.push_front(index, spec, attempt);
            }
        }
        self.file(index);
    }
}

#[cfg(test)]
mod tests;
