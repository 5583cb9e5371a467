//! The coordinator's decider: who gets which job, what an answer means, when the run is over.
//!
//! The machine keeps a job's spec while the job waits or is held by a node, for it may have to be handed out again.
//! Afterwards only its number is left. Results are settled in `settle`, waiting jobs are in `queue`, what nodes have
//! asked for is in `wishes`.

mod ids;
mod queue;
mod settle;
mod wishes;

use crate::{Explanation, Priority};
use ids::IdSet;
use queue::{Key, Queue};
use seatrial_model::{
    Attempt, Counts, End, Event, Instant, JobId, JobKind, JobSpec, NodeId, Output, SlotId, TestRef, Usage,
    Verdict,
};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use wishes::Wishes;

/// What the user wants of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunSettings {
    /// How often a bad test is tried again.
    pub retries: u32,
    /// After this many tests with a bad result no further job is handed out; absent: never. 0 is read as 1.
    pub max_fail: Option<u32>,
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
    /// What was read from end and output. For [`JobKind::Verdict`] an empty list is an error, never a pass.
    pub verdicts: Vec<Verdict>,
    /// Things to tell the reader beside the outcome, one sentence each.
    pub notes: Vec<String>,
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
    /// Planner, of a [`RunAction::Handed`] job: it does count as a test's result (a listing that failed). Every
    /// verdict is reported as final.
    Judged {
        /// The result with the planner's verdicts.
        result: JobResult,
    },
    /// Node: so many more jobs, please. Wishes add up and stand until they are served.
    Wanted {
        /// Which node.
        node: NodeId,
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
        /// The job.
        spec: JobSpec,
        /// Which try.
        attempt: Attempt,
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
        result: JobResult,
    },
    /// The run is over: the last action, said once. Events after it change nothing.
    Complete,
}

/// The coordinator's decider.
#[derive(Clone, Debug)]
pub struct RunMachine {
    settings: RunSettings,
    phase: Phase,
    plan_complete: bool,
    /// Jobs that wait or are held by a node.
    live: BTreeMap<JobId, Live>,
    done: IdSet,
    queue: Queue,
    held: BTreeSet<(NodeId, JobId)>,
    wishes: Wishes,
    lost: BTreeSet<NodeId>,
    added: u64,
    counts: Counts,
    /// Tests with a final bad result, those cancelled left out.
    bad: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Open,
    /// `max_fail` is reached: what runs may finish.
    Draining,
    Cancelled,
    Complete,
}

#[derive(Clone, Debug)]
struct Live {
    spec: JobSpec,
    priority: Priority,
    order: u64,
    /// The number of the try that is under way, or of the next.
    attempt: Attempt,
    retried: u32,
    deaths: u32,
    /// The test that was reported with a bad try to be repeated: a final report is owed, and a pass is flaky.
    owed: Option<TestRef>,
    place: Place,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Queued,
    Held { node: NodeId, slot: Option<SlotId>, since: Instant },
}

impl RunMachine {
    /// A run without jobs.
    #[must_use]
    pub fn new(settings: RunSettings) -> Self {
        Self {
            settings,
            phase: Phase::Open,
            plan_complete: false,
            live: BTreeMap::new(),
            done: IdSet::default(),
            queue: Queue::default(),
            held: BTreeSet::new(),
            wishes: Wishes::default(),
            lost: BTreeSet::new(),
            added: 0,
            counts: Counts::default(),
            bad: 0,
        }
    }

    /// Takes in one event; what is to be done is appended to `out`.
    pub fn handle(&mut self, now: Instant, event: RunEvent, out: &mut Vec<RunAction>) {
        if self.phase == Phase::Complete {
            return;
        }
        match event {
            RunEvent::JobsAdded(jobs) => self.add(jobs, out),
            RunEvent::PlanComplete => self.plan_complete = true,
            RunEvent::Skipped { test, reason } => {
                self.counts.skipped += 1;
                out.push(RunAction::Emit(Event::Skipped { test, reason }));
            }
            RunEvent::GroupListed { group, tests } => {
                out.push(RunAction::Emit(Event::GroupListed { group, tests }));
            }
            RunEvent::Judged { result } => self.judged(result, out),
            RunEvent::Wanted { node, count } => {
                if !self.lost.contains(&node) {
                    self.wishes.add(node, count);
                }
            }
            RunEvent::Started { node, slot, job, attempt } => {
                self.started(now, (node, slot), (job, attempt), out);
            }
            RunEvent::Finished { node, job, attempt, result } => {
                self.finished(node, job, attempt, result, out);
            }
            RunEvent::Returned { node, job, attempt } => self.returned(node, job, attempt, out),
            RunEvent::NodeLost { node } => self.node_lost(node, out),
            RunEvent::SlowJob { node, job, attempt, elapsed } => {
                self.slow(node, job, attempt, elapsed, out);
            }
            RunEvent::Cancel => self.stop(Phase::Cancelled, out),
        }
        self.assign(now, out);
        if self.live.is_empty() && (self.plan_complete || self.phase != Phase::Open) {
            self.phase = Phase::Complete;
            out.push(RunAction::Complete);
        }
    }

    /// Jobs that wait for a node. The engine adds the jobs of an array while this is small.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.queue.len()
    }

    /// Results so far. A test counts when its result is final; a job that the end of the run kept from being run
    /// counts once in `not_run`, and so does a test that was cancelled.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Where a job is and what it waits for.
    #[must_use]
    pub fn explain(&self, job: JobId) -> Explanation {
        let Some(live) = self.live.get(&job) else {
            return if self.done.contains(job) { Explanation::Done } else { Explanation::Unknown };
        };
        let attempt = live.attempt;
        match live.place {
            Place::Held { node, slot: Some(slot), since } => {
                Explanation::Running { node, slot, attempt, since }
            }
            Place::Held { node, slot: None, since } => Explanation::Assigned { node, attempt, since },
            Place::Queued => Explanation::Waiting {
                ahead: self.queue.ahead(live.spec.kind, &live.key()),
                wanted: self.wishes.total(),
                attempt,
                retried: live.retried,
                deaths: live.deaths,
            },
        }
    }

    fn add(&mut self, jobs: Vec<Planned>, out: &mut Vec<RunAction>) {
        for Planned { spec, priority } in jobs {
            if self.live.contains_key(&spec.job) || self.done.contains(spec.job) {
                continue;
            }
            let order = self.added;
            self.added += 1;
            let live = Live {
                spec,
                priority,
                order,
                attempt: Attempt::FIRST,
                retried: 0,
                deaths: 0,
                owed: None,
                place: Place::Queued,
            };
            self.enqueue(live, out);
        }
    }

    /// Lets the job wait for a node; when the run hands out no more of its kind, that is its end.
    fn enqueue(&mut self, mut live: Live, out: &mut Vec<RunAction>) {
        if self.hands_out(live.spec.kind) {
            live.place = Place::Queued;
            self.queue.push(live.spec.kind, live.key());
            self.live.insert(live.spec.job, live);
        } else {
            self.leave_out(live, out);
        }
    }

    /// After `max_fail` relays are still served: what runs waits for them and is to finish.
    fn hands_out(&self, kind: JobKind) -> bool {
        match self.phase {
            Phase::Open => true,
            Phase::Draining => kind == JobKind::Relay,
            Phase::Cancelled | Phase::Complete => false,
        }
    }

    fn assign(&mut self, now: Instant, out: &mut Vec<RunAction>) {
        while !self.wishes.is_empty()
            && let Some(job) = self.queue.pop()
            && let Some(node) = self.wishes.serve()
            && let Some(live) = self.live.get_mut(&job)
        {
            live.place = Place::Held { node, slot: None, since: now };
            self.held.insert((node, job));
            out.push(RunAction::Assign { node, spec: live.spec.clone(), attempt: live.attempt });
        }
    }

    fn started(
        &mut self,
        now: Instant,
        (node, slot): (NodeId, SlotId),
        (job, attempt): (JobId, Attempt),
        out: &mut Vec<RunAction>,
    ) {
        let cancelled = self.phase == Phase::Cancelled;
        let Some(live) = self.held_mut(node, job, attempt) else { return };
        if live.is_started() {
            return;
        }
        live.place = Place::Held { node, slot: Some(slot), since: now };
        if live.spec.kind == JobKind::Verdict {
            let test = live.spec.test.clone();
            out.push(RunAction::Emit(Event::AttemptStarted { test, attempt, node, slot }));
        }
        // The cancellation may have overtaken the job on its way to the node, which then knew nothing to cancel.
        if cancelled {
            out.push(RunAction::Cancel { node, job, attempt });
        }
    }

    fn slow(
        &mut self,
        node: NodeId,
        job: JobId,
        attempt: Attempt,
        elapsed: Duration,
        out: &mut Vec<RunAction>,
    ) {
        if let Some(live) = self.held_mut(node, job, attempt)
            && live.spec.kind == JobKind::Verdict
        {
            let test = live.spec.test.clone();
            out.push(RunAction::Emit(Event::Slow { test, elapsed }));
        }
    }

    /// Ends the handing out. The second step, from draining to cancelled, ends what still runs.
    fn stop(&mut self, phase: Phase, out: &mut Vec<RunAction>) {
        if self.phase >= phase {
            return;
        }
        self.phase = phase;
        for kind in [JobKind::Relay, JobKind::Listing, JobKind::Verdict] {
            if self.hands_out(kind) {
                continue;
            }
            for job in self.queue.take(kind) {
                if let Some(live) = self.live.remove(&job) {
                    self.leave_out(live, out);
                }
            }
        }
        if phase == Phase::Cancelled {
            for (&job, live) in &self.live {
                if let Place::Held { node, .. } = live.place {
                    out.push(RunAction::Cancel { node, job, attempt: live.attempt });
                }
            }
        }
    }

    /// The job, if this node holds this try of it. All other answers are late or doubled, and dropped.
    fn held_mut(&mut self, node: NodeId, job: JobId, attempt: Attempt) -> Option<&mut Live> {
        self.live.get_mut(&job).filter(|live| live.is_held_by(node) && live.attempt == attempt)
    }

    fn take_held(&mut self, node: NodeId, job: JobId, attempt: Attempt) -> Option<Live> {
        self.held_mut(node, job, attempt)?;
        self.held.remove(&(node, job));
        self.live.remove(&job)
    }
}

impl Live {
    fn key(&self) -> Key {
        (Reverse(self.priority), self.order, self.spec.job)
    }

    fn is_held_by(&self, by: NodeId) -> bool {
        matches!(self.place, Place::Held { node, .. } if node == by)
    }

    const fn is_started(&self) -> bool {
        matches!(self.place, Place::Held { slot: Some(_), .. })
    }
}

#[cfg(test)]
mod tests;
