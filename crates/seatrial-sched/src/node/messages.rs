//! What is said to a node's decider, and what it wants done.

use seatrial_model::{Attempt, JobId, JobSpec, Near, SlotId};
use std::time::Duration;

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
        /// The slot whose wish it serves. The node may have a better one for it.
        slot: SlotId,
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
    /// Slot: the running job has come to another of its tests. Time limits count from here.
    WentOn {
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
    /// Coordinator: the slot need not be kept for the group any longer.
    Released {
        /// Which slot.
        slot: SlotId,
        /// Which group.
        near: Near,
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
    /// Clock: [`crate::NodeMachine::wake_at`] has come.
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
    /// Ask the coordinator for so many more jobs for this slot.
    Want {
        /// Which slot.
        slot: SlotId,
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
    /// The slot's helper dies each time before it is ready: it is not built again. Tell the coordinator. A node
    /// without slots asks for nothing; what it had asked for before it gives back.
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
