//! The coordinator's decider: who gets which job, what an answer means, when the run is over.
//!
//! The machine keeps a job's spec while the job waits or is held by a node, for it may have to be handed out again.
//! Afterwards only its number is left. Results are settled in `settle`, waiting jobs are in `queue`, what nodes have
//! asked for is in `wishes`, tests that are near each other are in `groups`.

mod groups;
mod ids;
mod members;
mod messages;
mod queue;
mod settle;
mod wishes;

pub use messages::{JobResult, Part, Planned, RunAction, RunEvent, RunSettings};

use crate::{Explanation, Priority, near};
use ids::IdSet;
use members::Members;
use queue::{Key, Queue};
use seatrial_model::{
    Attempt, Counts, Event, Instant, JobId, JobKind, JobSpec, NodeId, Reading, SlotId, TestRef,
};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use wishes::Wishes;

/// The coordinator's decider.
#[derive(Clone, Debug)]
pub struct RunMachine {
    settings: RunSettings,
    phase: Phase,
    plan_complete: bool,
    /// Jobs that wait or are held by a node.
    live: BTreeMap<JobId, Live>,
    /// Jobs that wait for the planner's word on how they go on.
    asked: BTreeMap<JobId, Live>,
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
    /// Of a job whose reading tells of each test by itself: those that are not decided.
    members: Option<Members>,
    place: Place,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Queued,
    /// Handed out for a wish of slot `asked`; it runs in `slot`.
    Held {
        node: NodeId,
        asked: SlotId,
        slot: Option<SlotId>,
        since: Instant,
    },
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
            asked: BTreeMap::new(),
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
            RunEvent::Again { job, spec } => self.again(job, spec, out),
            RunEvent::Judged { result } => self.judged(result, out),
            RunEvent::Wanted { node, slot, count } => {
                if !self.lost.contains(&node) {
                    self.wishes.add((node, slot), count);
                    self.queue.groups.asked((node, slot));
                }
            }
            RunEvent::SlotGone { node, slot } => self.queue.groups.leave((node, slot)),
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
            RunEvent::MaxFail(limit) => {
                let most = self.settings.max_fail.map_or(limit, |own| own.min(limit));
                self.settings.max_fail = Some(most);
                self.heed_max_fail(out);
            }
            RunEvent::Stop => self.stop(Phase::Draining, out),
            RunEvent::Cancel => self.stop(Phase::Cancelled, out),
        }
        for ((node, slot), near) in self.queue.groups.take_released() {
            out.push(RunAction::Release { node, slot, near });
        }
        self.assign(now, out);
        if self.live.is_empty() && self.asked.is_empty() && (self.plan_complete || self.phase != Phase::Open)
        {
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
            let done = self.done.contains(job) || self.asked.contains_key(&job);
            return if done { Explanation::Done } else { Explanation::Unknown };
        };
        let attempt = live.attempt;
        match live.place {
            Place::Held { node, slot: Some(slot), since, .. } => {
                Explanation::Running { node, slot, attempt, since }
            }
            Place::Held { node, slot: None, since, .. } => Explanation::Assigned { node, attempt, since },
            Place::Queued => Explanation::Waiting {
                ahead: self.queue.ahead(live.spec.kind, near::group(&live.spec), &live.key()),
                holder: near::group(&live.spec).and_then(|near| self.queue.groups.holder(near)),
                wanted: self.wishes.total(),
                attempt,
                retried: live.retried,
                deaths: live.deaths,
            },
        }
    }

    fn add(&mut self, jobs: Vec<Planned>, out: &mut Vec<RunAction>) {
        for Planned { spec, priority } in jobs {
            if self.live.contains_key(&spec.job)
                || self.asked.contains_key(&spec.job)
                || self.done.contains(spec.job)
            {
                continue;
            }
            let order = self.added;
            self.added += 1;
            let members = matches!(spec.reading, Reading::Pytest { .. }).then(|| Members::of(&spec));
            let live = Live {
                spec,
                priority,
                order,
                attempt: Attempt::FIRST,
                retried: 0,
                deaths: 0,
                owed: None,
                members,
                place: Place::Queued,
            };
            self.enqueue(live, out);
        }
    }

    /// Lets the job wait for a node; when the run hands out no more of its kind, that is its end.
    fn enqueue(&mut self, mut live: Live, out: &mut Vec<RunAction>) {
        if self.hands_out(live.spec.kind) {
            live.place = Place::Queued;
            self.queue.push(live.spec.kind, near::group(&live.spec), live.key());
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
        while let Some(((node, slot), job)) = self.queue.next(&mut self.wishes)
            && let Some(live) = self.live.get_mut(&job)
        {
            live.place = Place::Held { node, asked: slot, slot: None, since: now };
            self.held.insert((node, job));
            out.push(RunAction::Assign { node, slot, spec: live.spec.clone(), attempt: live.attempt });
        }
    }

    fn started(
        &mut self,
        now: Instant,
        (node, slot): (NodeId, SlotId),
        (job, attempt): (JobId, Attempt),
        out: &mut Vec<RunAction>,
    ) {
        let Some(live) = self.held_mut(node, job, attempt) else { return };
        let Place::Held { asked, slot: None, .. } = live.place else { return };
        live.place = Place::Held { node, asked, slot: Some(slot), since: now };
        let (kind, near) = (live.spec.kind, near::group(&live.spec));
        if kind == JobKind::Verdict {
            let begun = match &live.members {
                Some(members) => members.begun(&live.spec),
                None => vec![(live.spec.test.clone(), attempt)],
            };
            for (test, attempt) in begun {
                out.push(RunAction::Emit(Event::AttemptStarted { test, attempt, node, slot }));
            }
        }
        // The cancellation may have overtaken the job on its way to the node, which then knew nothing to cancel.
        if !self.hands_out(kind) {
            out.push(RunAction::Cancel { node, job, attempt });
        }
        if let Some(near) = near {
            self.queue.groups.set_begun(near, true);
            // The node has found a better place; a group that must be together is there now.
            if slot != asked && near.together {
                self.queue.groups.enter((node, slot), near);
            }
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

    /// Ends the handing out. What is held and has not begun is asked back, so that no further test starts; the second
    /// step, from draining to cancelled, ends what runs, too.
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
        if !self.hands_out(JobKind::Verdict) {
            // The planner's answer comes too late.
            for (_, live) in std::mem::take(&mut self.asked) {
                self.leave_out(live, out);
            }
        }
        for (&job, live) in &self.live {
            let spared = phase == Phase::Draining && (live.is_started() || live.spec.kind == JobKind::Relay);
            if let Place::Held { node, .. } = live.place
                && !spared
            {
                out.push(RunAction::Cancel { node, job, attempt: live.attempt });
            }
        }
    }

    /// The job, if this node holds this try of it. All other answers are late or doubled, and dropped.
    fn held_mut(&mut self, node: NodeId, job: JobId, attempt: Attempt) -> Option<&mut Live> {
        self.live.get_mut(&job).filter(|live| live.is_held_by(node) && live.attempt == attempt)
    }

    fn take_held(&mut self, node: NodeId, job: JobId, attempt: Attempt) -> Option<Live> {
        self.held_mut(node, job, attempt)?;
        self.drop_held(node, job)
    }

    fn drop_held(&mut self, node: NodeId, job: JobId) -> Option<Live> {
        self.held.remove(&(node, job));
        let live = self.live.remove(&job)?;
        if let Some(near) = near::group(&live.spec) {
            self.queue.groups.let_go(near);
        }
        Some(live)
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
