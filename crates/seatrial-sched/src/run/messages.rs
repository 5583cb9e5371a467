//! What is said to the coordinator's decider, and what it wants done.

use crate::Priority;
use seatrial_model::{
    Attempt, Captured, End, Event, JobId, JobSpec, Near, NodeId, Output, Round, SlotId, TestRef, Usage,
    Verdict,
};
use std::time::Duration;

/// What the user wants of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunSettings {
    /// How often a bad test is tried again.
    pub retries: u32,
    /// After this many tests with a bad result no further job is handed out; absent: never. 0 is read as 1.
    pub max_fail: Option<u32>,
    /// True: a test that passes only after other tests has not passed.
    pub strict: bool,
}

/// A job and its place in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The job. Its number is new in this run: a job that is known already is not added twice.
    pub spec: JobSpec,
    /// See [`crate::priority`].
    pub priority: Priority,
}

/// What a node found out about a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobResult {
    /// How its process ended, when there was one.
    pub end: Option<End>,
    /// What it used.
    pub usage: Usage,
    /// What it wrote.
    pub output: Output,
    /// What was read from end and output. For [`seatrial_model::JobKind::Verdict`] an empty list is an error, never a pass.
    pub verdicts: Vec<Verdict>,
    /// Things to tell the reader beside the outcome, one sentence each.
    pub notes: Vec<String>,
    /// What came through the report pipe of a job that has one.
    pub report: Captured,
    /// What is known of each verdict's test by itself, in the order of the verdicts. The list may be shorter.
    pub parts: Vec<Part>,
}

/// One test of a job of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What there is to show of it; absent: the output says it.
    pub text: Option<Captured>,
    /// How long it took by its own report, without what its job did besides. Absent: its job's time.
    pub wall: Option<Duration>,
    /// False: its turn did not come, so that its verdict says nothing about it.
    pub ran: bool,
    /// How many tests ran before it in the same process and might have left something there.
    pub before: u32,
}

impl Default for Part {
    fn default() -> Self {
        Self { text: None, wall: None, ran: true, before: 0 }
    }
}

/// What happens to a run. Each names its sender.
#[derive(Clone, Debug, PartialEq)]
pub enum RunEvent {
    /// Planner: these jobs too.
    JobsAdded(Vec<Planned>),
    /// Planner: no more jobs will be added.
    PlanComplete,
    /// Planner: a test is not run.
    Skipped {
        /// Which.
        test: TestRef,
        /// Why, in words.
        reason: Option<String>,
    },
    /// Planner: a group of tests is known.
    GroupListed {
        /// Its name.
        group: String,
        /// How many of its tests will be run.
        tests: u32,
    },
    /// Planner, of a [`RunAction::Again`]: run this for it. Absent: these tests cannot be run in that round.
    Again {
        /// Which job.
        job: JobId,
        /// The same job with other tests.
        spec: Option<JobSpec>,
    },
    /// Planner, of a [`RunAction::Handed`] job: it does count as a test's result (a listing that failed). Every
    /// verdict is reported as final.
    Judged {
        /// The result with the planner's verdicts.
        result: JobResult,
    },
    /// Node: so many more jobs for this slot, please. Wishes add up and stand until they are served.
    Wanted {
        /// Which node.
        node: NodeId,
        /// For which slot.
        slot: SlotId,
        /// How many.
        count: u32,
    },
    /// Node, of an [`RunAction::Assign`]: the job runs now.
    Started {
        /// Which node.
        node: NodeId,
        /// In which slot.
        slot: SlotId,
        /// Which job.
        job: JobId,
        /// Which try.
        attempt: Attempt,
    },
    /// Node, of an [`RunAction::Assign`]: the job has ended.
    Finished {
        /// Which node.
        node: NodeId,
        /// Which job.
        job: JobId,
        /// Which try.
        attempt: Attempt,
        /// With what.
        result: JobResult,
    },
    /// Node, of an [`RunAction::Assign`]: the job comes back unstarted. It waits again, under the next attempt number,
    /// so that whatever is still under way about this one is dropped; no retry is used up.
    Returned {
        /// Which node.
        node: NodeId,
        /// Which job.
        job: JobId,
        /// Which try.
        attempt: Attempt,
    },
    /// Node, of a [`crate::NodeAction::GiveUp`]: the slot is gone for good. What was near to it may go elsewhere.
    SlotGone {
        /// Which node.
        node: NodeId,
        /// Which slot.
        slot: SlotId,
    },
    /// Engine: the node is dead or out of reach. Its number is never served again.
    NodeLost {
        /// Which node.
        node: NodeId,
    },
    /// Node: a running job has passed its slow limit (once more).
    SlowJob {
        /// Which node.
        node: NodeId,
        /// Which job.
        job: JobId,
        /// Which try.
        attempt: Attempt,
        /// How long it has run.
        elapsed: Duration,
    },
    /// Planner: the framework wants no further test started after so many bad ones.
    MaxFail(u32),
    /// Planner: the framework wants no further test started; what runs may finish.
    Stop,
    /// User: end the run.
    Cancel,
}

/// What a run wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum RunAction {
    /// Hand the job to the node. Answered by `Started`, `Finished` or `Returned`.
    Assign {
        /// To which node.
        node: NodeId,
        /// The slot whose wish it serves.
        slot: SlotId,
        /// The job.
        spec: JobSpec,
        /// Which try.
        attempt: Attempt,
    },
    /// Tell the node that it need not keep this slot for the group any longer: nothing of it waits for that.
    Release {
        /// Which node.
        node: NodeId,
        /// Which slot.
        slot: SlotId,
        /// Which group.
        near: Near,
    },
    /// Ask the node to end the job. Answered by `Finished` or `Returned`. May be said twice.
    Cancel {
        /// Which node.
        node: NodeId,
        /// Which job.
        job: JobId,
        /// Which try.
        attempt: Attempt,
    },
    /// Tell the world.
    Emit(Event),
    /// A listing or relay has ended: the planner reads it. One that was never run has a single verdict, `Cancelled`;
    /// one whose node died too often, `Lost`.
    Handed {
        /// The job.
        spec: JobSpec,
        /// Its result.
        result: Box<JobResult>,
    },
    /// A try of a test job whose reading has a report has ended: the planner passes the report on.
    Settled {
        /// The job.
        spec: JobSpec,
        /// How its process ended.
        end: Option<End>,
        /// What came through its report pipe.
        report: Captured,
        /// What is final of it. Of a test that is run again it is said later, with that try or by itself.
        verdicts: Vec<Verdict>,
    },
    /// These tests of a job whose try has ended are to be run (again), in this company. Answered by
    /// [`RunEvent::Again`].
    Again {
        /// Which job.
        job: JobId,
        /// Which of its tests.
        tests: Vec<TestRef>,
        /// In whose company.
        round: Round,
    },
    /// The run is over: the last action, said once. Events after it change nothing.
    Complete,
}
