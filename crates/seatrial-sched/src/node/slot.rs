//! What a node knows of one slot.

use super::Cause;
use crate::near;
use seatrial_model::{Attempt, Instant, JobId, JobSpec, Near};
use std::time::Duration;

/// One slot: its helper, the job that runs there and the one behind it.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) helper: Helper,
    /// Deaths in a row before it was ready.
    pub(super) stillborn: u32,
    pub(super) running: Option<Running>,
    pub(super) queued: Option<Queued>,
    /// The group of which a job began here last: what it has set up is here.
    pub(super) near: Option<Near>,
    /// Jobs asked for on this slot's behalf and not got.
    pub(super) wished: u32,
    /// Of these, wishes from before a group moved here: what they bring was chosen without knowing of it.
    pub(super) unaware: u32,
    /// As it is filed in the machine's sets.
    pub(super) shelf: Shelf,
    pub(super) deadline: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Helper {
    /// Not asked for yet.
    Absent,
    Building,
    Ready,
    /// Never built again.
    Gone,
}

/// What a slot can be used for. It is on one shelf at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shelf {
    /// For nothing.
    Off,
    /// To run a job at once.
    Idle,
    /// To queue a job behind the running one.
    Roomy,
    /// To take its queued job away.
    Stealable,
    /// Its queued job is on its way back, meant for another slot.
    Stealing,
}

#[derive(Clone, Debug)]
pub(super) struct Queued {
    /// Kept, because a recall brings back no spec.
    pub(super) spec: JobSpec,
    pub(super) attempt: Attempt,
    pub(super) recall: Recall,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recall {
    No,
    /// Asked back for another slot.
    ForSlot,
    /// The answer was: too late.
    TooLate,
    /// To be given back; should it start all the same, it is ended.
    ForGood,
}

#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) job: JobId,
    pub(super) attempt: Attempt,
    pub(super) near: Option<Near>,
    pub(super) started: Instant,
    pub(super) timeout_at: Option<Instant>,
    timeout: Option<Duration>,
    slow_after: Option<Duration>,
    slow_at: Option<Instant>,
    pub(super) ending: Ending,
}

/// How far the ending of a running job has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Unasked,
    Asked { cause: Cause, kill_at: Instant },
    Killed { cause: Cause },
}

impl Slot {
    pub(super) const fn new() -> Self {
        Self {
            helper: Helper::Absent,
            stillborn: 0,
            running: None,
            queued: None,
            near: None,
            wished: 0,
            unaware: 0,
            shelf: Shelf::Off,
            deadline: None,
        }
    }

    /// Where the slot belongs now.
    pub(super) fn proper_shelf(&self) -> Shelf {
        match (self.helper, &self.running, &self.queued) {
            (Helper::Absent | Helper::Building | Helper::Gone, _, _) => Shelf::Off,
            (Helper::Ready, None, None) => Shelf::Idle,
            // Behind a job that is being ended a queued one could wait for the whole grace.
            (Helper::Ready, Some(running), None) if running.ending == Ending::Unasked => Shelf::Roomy,
            (Helper::Ready, Some(_), None) => Shelf::Off,
            (Helper::Ready, _, Some(queued)) => match queued.recall {
                Recall::No if self.has_begun(&queued.spec) => Shelf::Off,
                Recall::No => Shelf::Stealable,
                Recall::ForSlot => Shelf::Stealing,
                Recall::TooLate | Recall::ForGood => Shelf::Off,
            },
        }
    }

    pub(super) fn runs(&self, job: JobId, attempt: Attempt) -> bool {
        self.running.as_ref().is_some_and(|running| (running.job, running.attempt) == (job, attempt))
    }

    /// True when the job's group has begun here, and may not be torn apart.
    pub(super) fn has_begun(&self, spec: &JobSpec) -> bool {
        near::bound(spec).is_some_and(|near| self.near == Some(near))
    }

    /// True when a group has begun here that has nowhere else to go: jobs of other groups would end what it has set up.
    pub(super) fn is_kept(&self) -> bool {
        self.near.is_some_and(|near| near.together)
    }

    /// True when a job of this group runs here or is queued.
    pub(super) fn holds(&self, near: Near) -> bool {
        let running = self.running.as_ref().and_then(|running| running.near);
        let queued = self.queued.as_ref().and_then(|queued| near::group(&queued.spec));
        running == Some(near) || queued == Some(near)
    }

    /// Jobs that run here or are queued.
    pub(super) fn load(&self) -> u32 {
        u32::from(self.running.is_some()) + u32::from(self.queued.is_some())
    }

    pub(super) fn queues(&self, job: JobId, attempt: Attempt) -> bool {
        self.queued.as_ref().is_some_and(|queued| (queued.spec.job, queued.attempt) == (job, attempt))
    }
}

impl Running {
    pub(super) fn new(now: Instant, spec: &JobSpec, attempt: Attempt) -> Self {
        let limits = &spec.limits;
        // A period of nothing would announce the job without end.
        let slow_after = limits.slow_after.filter(|period| !period.is_zero());
        Self {
            job: spec.job,
            attempt,
            near: near::group(spec),
            started: now,
            timeout_at: limits.timeout.map(|timeout| now + timeout),
            timeout: limits.timeout,
            slow_after,
            slow_at: slow_after.map(|period| now + period),
            ending: Ending::Unasked,
        }
    }

    /// Another test of the job begins.
    pub(super) fn go_on(&mut self, now: Instant) {
        self.started = now;
        self.timeout_at = self.timeout.map(|timeout| now + timeout);
        self.slow_at = self.slow_after.map(|period| now + period);
    }

    /// The next moment at which something is to be done about the job.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.ending {
            Ending::Unasked => match (self.timeout_at, self.slow_at) {
                (Some(timeout), Some(slow)) => Some(timeout.min(slow)),
                (timeout, slow) => timeout.or(slow),
            },
            Ending::Asked { kill_at, .. } => Some(kill_at),
            Ending::Killed { .. } => None,
        }
    }

    /// When the job is slow once more: how long it has run. A late look announces it once, not once for each period.
    pub(super) fn slow(&mut self, now: Instant) -> Option<Duration> {
        let period = self.slow_after?;
        if self.slow_at? > now {
            return None;
        }
        let elapsed = now.since(self.started);
        let periods = elapsed.as_nanos() / period.as_nanos() + 1;
        let next = u64::try_from(period.as_nanos().saturating_mul(periods)).unwrap_or(u64::MAX);
        self.slow_at = Some(self.started + Duration::from_nanos(next));
        Some(elapsed)
    }

    /// Why the job ends, as far as this side had a part in it.
    pub(super) const fn cause(&self, otherwise: Cause) -> Cause {
        match self.ending {
            Ending::Unasked => otherwise,
            Ending::Asked { cause, .. } | Ending::Killed { cause } => cause,
        }
    }
}
