//! Time limits and cancellation.

use super::slot::{Ending, Recall};
use super::{Cause, NodeAction, NodeMachine, Place, Stop};
use seatrial_model::{Attempt, Instant, JobId, SlotId};

impl NodeMachine {
    pub(super) fn cancel(&mut self, now: Instant, job: JobId, attempt: Attempt, out: &mut Vec<NodeAction>) {
        match self.places.get(&(job, attempt)) {
            // It has ended, or was never here: the coordinator hears, or has heard, of its end.
            None => {}
            Some(&Place::Waiting) => {
                self.waiting.remove(job, attempt);
                self.places.remove(&(job, attempt));
                out.push(NodeAction::Return { job, attempt });
            }
            Some(&Place::Queued(index)) => {
                self.recall(index, Recall::ForGood, out);
                self.file(index);
            }
            Some(&Place::Running(index)) => {
                self.end(now, index, Cause::Cancelled, out);
                self.file(index);
            }
        }
    }

    pub(super) fn cancel_all(&mut self, now: Instant, hard: bool, out: &mut Vec<NodeAction>) {
        if hard {
            self.stopping = Some(Stop::Hard);
        } else {
            self.stopping.get_or_insert(Stop::Polite);
        }
        while let Some((spec, attempt)) = self.waiting.pop_first() {
            self.places.remove(&(spec.job, attempt));
            out.push(NodeAction::Return { job: spec.job, attempt });
        }
        for index in 0..self.settings.slots {
            // The queued job first: it would start as soon as the running one is gone.
            self.recall(index, Recall::ForGood, out);
            self.end(now, index, Cause::Cancelled, out);
            self.file(index);
        }
    }

    /// Limits are a test's, and the next one begins.
    pub(super) fn went_on(&mut self, now: Instant, SlotId(index): SlotId, job: JobId, attempt: Attempt) {
        let Some(slot) = self.slots.get_mut(index as usize).filter(|slot| slot.runs(job, attempt)) else {
            return;
        };
        if let Some(running) = &mut slot.running {
            running.go_on(now);
        }
        self.file(index);
    }

    pub(super) fn tick(&mut self, now: Instant, out: &mut Vec<NodeAction>) {
        while let Some(&(at, index)) = self.deadlines.first()
            && at <= now
        {
            self.due(now, index, out);
            self.file(index);
        }
    }

    fn due(&mut self, now: Instant, index: u32, out: &mut Vec<NodeAction>) {
        let Some(running) = self.slots.get_mut(index as usize).and_then(|slot| slot.running.as_mut()) else {
            return;
        };
        let (slot, job, attempt) = (SlotId(index), running.job, running.attempt);
        match running.ending {
            Ending::Asked { cause, .. } => {
                running.ending = Ending::Killed { cause };
                out.push(NodeAction::Kill { slot, job, attempt });
            }
            Ending::Unasked if running.timeout_at.is_some_and(|at| at <= now) => {
                self.end(now, index, Cause::Timeout, out);
            }
            Ending::Unasked => {
                if let Some(elapsed) = running.slow(now) {
                    out.push(NodeAction::Slow { job, attempt, elapsed });
                }
            }
            Ending::Killed { .. } => {}
        }
    }

    /// Ends the slot's running job, politely first where there is time for it.
    pub(super) fn end(&mut self, now: Instant, index: u32, cause: Cause, out: &mut Vec<NodeAction>) {
        let hard = self.settings.grace.is_zero() || self.stopping == Some(Stop::Hard);
        let Some(running) = self.slots.get_mut(index as usize).and_then(|slot| slot.running.as_mut()) else {
            return;
        };
        let (slot, job, attempt) = (SlotId(index), running.job, running.attempt);
        match running.ending {
            Ending::Killed { .. } => {}
            Ending::Asked { .. } | Ending::Unasked if hard => {
                running.ending = Ending::Killed { cause: running.cause(cause) };
                out.push(NodeAction::Kill { slot, job, attempt });
            }
            Ending::Asked { .. } => {}
            Ending::Unasked => {
                running.ending = Ending::Asked { cause, kill_at: now + self.settings.grace };
                out.push(NodeAction::Terminate { slot, job, attempt });
            }
        }
    }
}
