//! A model of a slot's helper: it holds one running job and one queued, and reports in the order of what happened.

use seatrial_model::{Attempt, JobId, SlotId};
use seatrial_sched::NodeEvent;

/// One slot's helper, alive.
#[derive(Clone, Debug)]
pub(crate) struct Helper {
    slot: SlotId,
    pub(crate) running: Option<(JobId, Attempt)>,
    queued: Option<(JobId, Attempt)>,
}

impl Helper {
    pub(crate) const fn new(slot: SlotId) -> Self {
        Self { slot, running: None, queued: None }
    }

    /// Takes a job; true when it starts at once.
    pub(crate) fn send(&mut self, job: JobId, attempt: Attempt) -> bool {
        if self.running.is_none() {
            self.running = Some((job, attempt));
            return true;
        }
        assert!(self.queued.is_none(), "{:?} is sent a third job", self.slot);
        self.queued = Some((job, attempt));
        false
    }

    pub(crate) fn recall(&mut self, job: JobId, attempt: Attempt) -> NodeEvent {
        let was_started = self.queued != Some((job, attempt));
        if !was_started {
            self.queued = None;
        }
        NodeEvent::Recalled { slot: self.slot, job, attempt, was_started }
    }

    /// The running job's processes are gone, and the queued one starts.
    pub(crate) fn end(&mut self) -> NodeEvent {
        let (job, attempt) = self.running.take().expect("something runs");
        self.running = self.queued.take();
        NodeEvent::Ended { slot: self.slot, job, attempt }
    }
}
