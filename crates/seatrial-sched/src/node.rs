//! A node's decider: what runs in which slot, until when, and how many jobs to ask for.
//!
//! A slot holds one running job and one queued behind it, handed over before the first has ended, so that the gap
//! between two jobs costs nothing. That pays for short jobs only: behind a long one the queued job waits while other
//! nodes are idle. Jobs that have no slot yet wait in the machine.

mod ending;
mod filling;
mod slot;

use seatrial_model::{Attempt, Instant, JobId, JobSpec, SlotId};
use slot::{Helper, Queued, Recall, Running, Slot};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Deaths in a row, before it was ready once, that a slot is granted.
const MAX_STILLBORN: u32 = 3;

/// What a node is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeSettings {
    /// Jobs that run at a time.
    pub slots: u32,
    /// Time between asking a job to end and killing it; zero: it is killed at once.
    pub grace: Duration,
    /// Jobs up to this expected duration are worth being queued behind a running one.
    pub short_job: Duration,
    /// Whether to queue jobs at all.
    pub prefetch: bool,
}

/// What happens on a node. Each names its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeEvent {
    /// Engine: the first event. Later ones change nothing.
    Start,
    /// Slot, of a [`NodeAction::Build`]: its helper waits for a job.
    SlotReady {
        /// Which slot.
        slot: SlotId,
    },
    /// Slot: its helper died, or could not be made.
    SlotLost {
        /// Which slot.
        slot: SlotId,
    },
    /// Coordinator, of a [`NodeAction::Want`]: a job.
    Offered {
        /// The job.
        spec: JobSpec,
        /// Which try.
        attempt: Attempt,
    },
    /// Slot: the running job's process tree is gone. The job queued behind it, if it was not brought back by an
    /// earlier [`NodeEvent::Recalled`], started at this moment.
    Ended {
        /// Which slot.
        slot: SlotId,
        /// Which job.
        job: JobId,
        /// Which try.
        attempt: Attempt,
    },
    /// Slot, of a [`NodeAction::Recall`].
    Recalled {
        /// Which slot.
        slot: SlotId,
        /// Which job.
        job: JobId,
        /// Which try.
        attempt: Attempt,
        /// False: it came back unstarted. True: too late, it runs or has run.
        was_started: bool,
    },
    /// Coordinator: end the job.
    Cancel {
        /// Which job.
        job: JobId,
        /// Which try.
        attempt: Attempt,
    },
    /// Engine: end everything and take in nothing more. May be said again, harder.
    CancelAll {
        /// Kill without asking first.
        hard: bool,
    },
    /// Clock: [`NodeMachine::wake_at`] has come.
    Tick,
    /// Engine: the mean duration of this run's jobs so far, when there is one.
    Expected {
        /// The mean.
        mean: Option<Duration>,
    },
}

/// What a node wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeAction {
    /// Ask the coordinator for so many more jobs.
    Want {
        /// How many.
        count: u32,
    },
    /// Hand the job to the slot: to run now, or after the running one. Answered by `Ended`.
    Send {
        /// Which slot.
        slot: SlotId,
        /// The job.
        spec: JobSpec,
        /// Which try.
        attempt: Attempt,
    },
    /// Ask the slot for its queued job back. Answered by `Recalled`.
    Recall {
        /// Which slot.
        slot: SlotId,
        /// Which job.
        job: JobId,
        /// Which try.
        attempt: Attempt,
    },
    /// Send SIGTERM to the job's process tree.
    Terminate {
        /// Which slot.
        slot: SlotId,
        /// Which job.
        job: JobId,
        /// Which try.
        attempt: Attempt,
    },
    /// Send SIGKILL to the job's process tree, until nothing is left of it.
    Kill {
        /// Which slot.
        slot: SlotId,
        /// Which job.
        job: JobId,
        /// Which try.
        attempt: Attempt,
    },
    /// Make the slot's helper. Answered by `SlotReady` or `SlotLost`.
    Build {
        /// Which slot.
        slot: SlotId,
    },
    /// The slot's helper dies each time before it is ready: it is not built again. A node without slots asks for
    /// nothing; what it had asked for before it gives back.
    GiveUp {
        /// Which slot.
        slot: SlotId,
    },
    /// Tell the coordinator that the job runs.
    Started {
        /// In which slot.
        slot: SlotId,
        /// Which job.
        job: JobId,
        /// Which try.
        attempt: Attempt,
    },
    /// The job is over: tell the coordinator its result. The last word about this try.
    Finished {
        /// In which slot it ran.
        slot: SlotId,
        /// Which job.
        job: JobId,
        /// Which try.
        attempt: Attempt,
        /// Why it ended.
        cause: Cause,
    },
    /// Tell the coordinator that the job has passed its slow limit (once more).
    Slow {
        /// Which job.
        job: JobId,
        /// Which try.
        attempt: Attempt,
        /// How long it has run.
        elapsed: Duration,
    },
    /// Give the job back to the coordinator: it was not started here. The last word about this try.
    Return {
        /// Which job.
        job: JobId,
        /// Which try.
        attempt: Attempt,
    },
}

/// Why a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// By itself.
    Natural,
    /// It was ended at its time limit.
    Timeout,
    /// It was ended because the coordinator or the user said so.
    Cancelled,
    /// Its slot died. A job that was being ended already keeps the cause of that.
    SlotLost,
}

/// A node's decider.
#[derive(Clone, Debug)]
pub struct NodeMachine {
    settings: NodeSettings,
    slots: Vec<Slot>,
    /// Every job on this node, by number, and where it is.
    places: BTreeMap<(JobId, Attempt), Place>,
    /// Jobs without a slot, oldest first; what a slot gave back comes before.
    waiting: BTreeMap<i64, (JobSpec, Attempt)>,
    idle: BTreeSet<u32>,
    roomy: BTreeSet<u32>,
    stealable: BTreeSet<u32>,
    stealing: BTreeSet<u32>,
    deadlines: BTreeSet<(Instant, u32)>,
    ready: u32,
    gone: u32,
    /// Jobs asked for and not got.
    wished: u32,
    mean: Option<Duration>,
    stopping: Option<Stop>,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Waiting(i64),
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
            waiting: BTreeMap::new(),
            idle: BTreeSet::new(),
            roomy: BTreeSet::new(),
            stealable: BTreeSet::new(),
            stealing: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            ready: 0,
            gone: 0,
            wished: 0,
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
            NodeEvent::Offered { spec, attempt } => self.offered(spec, attempt, out),
            NodeEvent::Ended { slot, job, attempt } => self.ended(now, slot, job, attempt, out),
            NodeEvent::Recalled { slot, job, attempt, was_started } => {
                self.recalled((slot, job, attempt), was_started, out);
            }
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
            if self.stopping.is_none() {
                out.push(NodeAction::GiveUp { slot: SlotId(index) });
            }
        }
        self.file(index);
        while self.places.len() > self.room()
            && let Some((_, (spec, attempt))) = self.waiting.pop_last()
        {
            self.places.remove(&(spec.job, attempt));
            out.push(NodeAction::Return { job: spec.job, attempt });
        }
    }

    fn offered(&mut self, spec: JobSpec, attempt: Attempt, out: &mut Vec<NodeAction>) {
        let key = (spec.job, attempt);
        if self.places.contains_key(&key) {
            return;
        }
        self.wished = self.wished.saturating_sub(1);
        if self.stopping.is_some() || self.places.len() >= self.room() {
            out.push(NodeAction::Return { job: spec.job, attempt });
            return;
        }
        let place = self.waiting.last_key_value().map_or(0, |(last, _)| last + 1);
        self.wait(place, spec, attempt);
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
            self.begin(now, index, (spec.job, attempt), &spec.limits, out);
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
                let place = self.waiting.first_key_value().map_or(0, |(first, _)| first - 1);
                self.wait(place, spec, attempt);
            }
        }
        self.file(index);
    }
}

#[cfg(test)]
mod tests;
