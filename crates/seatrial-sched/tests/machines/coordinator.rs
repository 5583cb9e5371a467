//! A run machine under watch: each event is first understood by a reference model, which then judges every action.
//!
//! The model is written the other way round than the machine: it keeps everything that ever happened and looks it up.

use crate::homes::Homes;
use seatrial_model::{
    Attempt, Counts, End, Event, Instant, JobId, JobKind, JobSpec, Near, NodeId, Outcome, Reading, SlotId,
    TestRef,
};
use seatrial_sched::{MAX_DEATHS, RunAction, RunEvent, RunMachine, RunSettings};
use std::collections::{BTreeMap, BTreeSet};

/// The machine and what is known about its run.
pub(crate) struct Coordinator {
    machine: RunMachine,
    settings: RunSettings,
    jobs: BTreeMap<JobId, Job>,
    tests: BTreeMap<TestRef, Test>,
    /// What processes really said, received or not.
    said: BTreeSet<(TestRef, Attempt, Outcome)>,
    homes: Homes,
    dead: BTreeSet<NodeId>,
    cancelled: bool,
    complete: bool,
    counts: Counts,
    /// Bad finals, those cancelled left out.
    bad: u32,
    pub(crate) stale: u32,
    pub(crate) retries: u32,
    pub(crate) deaths: u32,
    pub(crate) gave_up: u32,
}

struct Job {
    spec: JobSpec,
    holder: Option<(NodeId, Attempt)>,
    started: bool,
    highest: u32,
    deaths: u32,
    retried: u32,
    over: bool,
}

impl Job {
    fn new(spec: &JobSpec) -> Self {
        Self {
            spec: spec.clone(),
            holder: None,
            started: false,
            highest: 0,
            deaths: 0,
            retried: 0,
            over: false,
        }
    }

    fn near(&self) -> Option<Near> {
        self.spec.near.filter(|_| self.spec.kind == JobKind::Verdict)
    }
}

#[derive(Default)]
struct Test {
    owner: Option<JobId>,
    reported: BTreeSet<Attempt>,
    last: Option<Outcome>,
}

/// What the event at hand has stopped.
enum Stopped {
    All,
    /// The failure limit was reached.
    Unstarted,
    /// It was stopped before.
    Before,
}

/// What the event at hand allows.
#[derive(Clone, Debug, PartialEq)]
enum Grant {
    /// Nothing about any job but that jobs are handed out.
    Nothing,
    Started(JobId, Attempt),
    Slow(JobId),
    Result(JobId, Attempt, Vec<TestRef>),
    Death(BTreeSet<JobId>),
    Judgement,
    Said,
}

impl Coordinator {
    pub(crate) fn new(settings: RunSettings) -> Self {
        Self {
            machine: RunMachine::new(settings),
            settings,
            jobs: BTreeMap::new(),
            tests: BTreeMap::new(),
            said: BTreeSet::new(),
            homes: Homes::default(),
            dead: BTreeSet::new(),
            cancelled: false,
            complete: false,
            counts: Counts::default(),
            bad: 0,
            stale: 0,
            retries: 0,
            deaths: 0,
            gave_up: 0,
        }
    }

    /// A process ended and said this about a test, whether anybody hears it or not.
    pub(crate) fn said(&mut self, test: TestRef, attempt: Attempt, outcome: Outcome) {
        self.said.insert((test, attempt, outcome));
    }

    pub(crate) const fn is_complete(&self) -> bool {
        self.complete
    }

    /// True once no test may be handed out any more.
    pub(crate) fn is_stopped(&self) -> bool {
        self.cancelled || self.settings.max_fail.is_some_and(|limit| self.bad >= limit)
    }

    /// Tells the machine and judges what it wants.
    pub(crate) fn tell(&mut self, now: Instant, event: RunEvent) -> Vec<RunAction> {
        let before = self.complete;
        let first_cancel = event == RunEvent::Cancel && !self.cancelled;
        let stopped = self.is_stopped();
        let grant = self.understand(&event);
        let mut actions = Vec::new();
        self.machine.handle(now, event.clone(), &mut actions);
        assert!(!before || actions.is_empty(), "after the end: {actions:?}");
        for action in &actions {
            assert!(!self.complete, "after completion: {action:?}");
            self.judge(action, &grant);
        }
        if self.is_stopped() && !before {
            let which = match (first_cancel, stopped) {
                (true, _) => Stopped::All,
                (false, false) => Stopped::Unstarted,
                (false, true) => Stopped::Before,
            };
            self.expect_cancels(which, &grant, &actions);
        }
        if !self.is_stopped() && !self.complete {
            self.homes.judge(&self.waiting());
        }
        if !before && let Grant::Result(job, attempt, tests) = &grant {
            self.expect_answer(*job, *attempt, tests);
        }
        actions
    }

    /// At the end of a world: everything has one result, and the counts are those of the reports.
    pub(crate) fn close(&mut self) {
        assert!(self.complete, "the run is stuck with {} waiting", self.machine.pending());
        for (test, track) in &self.tests {
            assert!(track.last.is_some(), "{test} has no final result");
        }
        for (id, job) in &self.jobs {
            assert!(job.holder.is_none(), "job {id:?} is still held");
            if !job.over {
                assert!(self.is_stopped(), "job {id:?} has no result");
                assert_eq!(job.spec.kind, JobKind::Verdict, "job {id:?} was not handed back");
                self.counts.not_run += 1;
            }
        }
        assert_eq!(self.machine.counts(), self.counts, "counts");
        assert_eq!(self.machine.pending(), 0);
    }

    /// The groups of jobs that wait for a node.
    fn waiting(&self) -> BTreeSet<Option<Near>> {
        let waiting = self.jobs.values().filter(|job| !job.over && job.holder.is_none());
        waiting.map(Job::near).collect()
    }

    fn is_owed_work(&self) -> bool {
        self.jobs.values().any(|job| job.holder.is_some())
    }

    /// The job of this answer, if the node holds that very try.
    fn current(&self, node: NodeId, job: JobId, attempt: Attempt) -> bool {
        self.jobs.get(&job).is_some_and(|job| job.holder == Some((node, attempt)))
    }

    fn understand(&mut self, event: &RunEvent) -> Grant {
        if self.complete {
            return Grant::Nothing;
        }
        let grant = match event {
            RunEvent::JobsAdded(jobs) => {
                for planned in jobs {
                    self.jobs.entry(planned.spec.job).or_insert(Job::new(&planned.spec));
                }
                return Grant::Nothing;
            }
            RunEvent::PlanComplete | RunEvent::Stop => return Grant::Nothing,
            RunEvent::Skipped { .. } => {
                self.counts.skipped += 1;
                return Grant::Said;
            }
            RunEvent::GroupListed { .. } => return Grant::Said,
            RunEvent::Judged { .. } => return Grant::Judgement,
            RunEvent::Wanted { node, slot, count } => {
                if !self.dead.contains(node) {
                    self.homes.wished((*node, *slot), *count);
                }
                return Grant::Nothing;
            }
            RunEvent::SlotGone { node, slot } => {
                self.homes.slot_gone((*node, *slot));
                return Grant::Nothing;
            }
            RunEvent::Cancel => {
                self.cancelled = true;
                return Grant::Nothing;
            }
            RunEvent::NodeLost { node } => return self.bury(*node),
            RunEvent::Started { node, slot, job, attempt } => {
                let fresh = self.current(*node, *job, *attempt) && !self.jobs[job].started;
                fresh.then(|| {
                    let began = self.jobs.get_mut(job).unwrap();
                    began.started = true;
                    self.homes.started((*node, *slot), *job, began.near());
                    Grant::Started(*job, *attempt)
                })
            }
            RunEvent::SlowJob { node, job, attempt, .. } => {
                self.current(*node, *job, *attempt).then_some(Grant::Slow(*job))
            }
            RunEvent::Returned { node, job, attempt } => {
                if self.current(*node, *job, *attempt) && !self.jobs[job].started {
                    self.release(*job, None);
                } else {
                    self.stale += 1;
                }
                return Grant::Nothing;
            }
            RunEvent::Finished { node, job, attempt, result } => {
                self.current(*node, *job, *attempt).then(|| {
                    self.release(*job, Some(result.end != Some(End::SlotLost)));
                    let job = &self.jobs[job];
                    let tests = result.verdicts.iter().map(|verdict| verdict.test.clone()).collect();
                    Grant::Result(job.spec.job, *attempt, tests)
                })
            }
            RunEvent::Again { .. } | RunEvent::MaxFail(_) => panic!("{event:?} is no part of these worlds"),
        };
        if grant.is_none() {
            self.stale += 1;
        }
        grant.unwrap_or(Grant::Nothing)
    }

    /// The job is held no longer; how it ran, if it did: see [`Homes::let_go`].
    fn release(&mut self, id: JobId, ran: Option<bool>) {
        let job = self.jobs.get_mut(&id).unwrap();
        job.holder = None;
        let near = job.near();
        let others = |(other, job): (&JobId, &Job)| {
            *other != id && !job.over && job.holder.is_none() && job.near() == near
        };
        let more = ran.is_none() || self.jobs.iter().any(others);
        self.homes.let_go(id, near, ran, more);
    }

    fn bury(&mut self, node: NodeId) -> Grant {
        self.dead.insert(node);
        self.homes.node_lost(node);
        let mut bereaved = BTreeSet::new();
        for (id, job) in &mut self.jobs {
            if job.holder.is_some_and(|(holder, _)| holder == node) {
                job.holder = None;
                job.deaths += 1;
                self.deaths += 1;
                bereaved.insert(*id);
            }
        }
        Grant::Death(bereaved)
    }

    fn judge(&mut self, action: &RunAction, grant: &Grant) {
        match action {
            RunAction::Assign { node, slot, spec, attempt } => {
                self.judge_assign((*node, *slot), spec, *attempt);
            }
            RunAction::Release { node, near, .. } => {
                assert!(!self.dead.contains(node), "{action:?}");
                let held = self.jobs.values().any(|job| job.near() == Some(*near) && job.holder.is_some());
                assert!(near.together && !held, "{action:?}");
            }
            RunAction::Cancel { node, job, attempt } => {
                let unstarted =
                    matches!(grant, Grant::Started(began, _) if began == job) || !self.jobs[job].started;
                let ends = self.is_stopped() && unstarted && self.jobs[job].spec.kind != JobKind::Relay;
                assert!(self.cancelled || ends, "cancels without being asked");
                assert!(self.current(*node, *job, *attempt), "cancels what the node does not hold");
            }
            RunAction::Handed { spec, result } => {
                assert_ne!(spec.kind, JobKind::Verdict);
                let job = self.jobs.get_mut(&spec.job).unwrap();
                assert!(!job.over, "handed twice");
                job.over = true;
                let made_up = |outcome| result.verdicts.iter().any(|verdict| verdict.outcome == outcome);
                let ended = matches!(grant, Grant::Result(id, ..) if *id == spec.job);
                let died = matches!(grant, Grant::Death(jobs) if jobs.contains(&spec.job));
                assert!(
                    ended || (died && made_up(Outcome::Lost)) || made_up(Outcome::Cancelled),
                    "{action:?}"
                );
            }
            RunAction::Settled { .. } => panic!("no job of these worlds has a report"),
            RunAction::Complete => {
                self.complete = true;
                assert!(!self.is_owed_work(), "complete while jobs are held");
            }
            RunAction::Emit(Event::AttemptStarted { test, attempt, .. }) => {
                let Grant::Started(job, began) = grant else { panic!("{action:?} after {grant:?}") };
                assert_eq!((&self.jobs[job].spec.test, began), (test, attempt));
                assert_eq!(self.jobs[job].spec.kind, JobKind::Verdict);
            }
            RunAction::Emit(Event::Slow { test, .. }) => {
                let Grant::Slow(job) = grant else { panic!("{action:?} after {grant:?}") };
                assert_eq!(&self.jobs[job].spec.test, test);
            }
            RunAction::Emit(Event::AttemptFinished { test, attempt, outcome, reason, last, .. }) => {
                let said = reason.as_deref().unwrap_or("");
                self.judge_report((test, *attempt), *outcome, said, *last, grant);
            }
            RunAction::Emit(other) => assert_eq!(*grant, Grant::Said, "{other:?}"),
            RunAction::Again { job, .. } => panic!("{job:?} has no members"),
        }
    }

    fn judge_assign(&mut self, (node, slot): (NodeId, SlotId), spec: &JobSpec, attempt: Attempt) {
        assert!(!self.cancelled, "handed out after cancel");
        assert!(!self.is_stopped() || spec.kind == JobKind::Relay, "handed out after max_fail");
        assert!(!self.dead.contains(&node), "handed to a dead node");
        let job = self.jobs.get_mut(&spec.job).unwrap();
        self.homes.served((node, slot), spec.job, job.near());
        assert_eq!(&job.spec, spec);
        assert!(!job.over, "handed out after its end");
        assert!(job.holder.is_none(), "handed out while held");
        assert!(attempt.0 > job.highest, "attempt {} after {}", attempt.0, job.highest);
        assert!(job.deaths < MAX_DEATHS, "handed out after {} deaths", job.deaths);
        job.highest = attempt.0;
        job.holder = Some((node, attempt));
        job.started = false;
    }

    fn judge_report(
        &mut self,
        (name, attempt): (&TestRef, Attempt),
        outcome: Outcome,
        reason: &str,
        last: bool,
        grant: &Grant,
    ) {
        let stopped = self.is_stopped();
        let owner = self.owner(name, grant);
        let test = self.tests.entry(name.clone()).or_default();
        // A group's test has no job of its name: whose it is, its first report said.
        let owner = owner.or(test.owner);
        test.owner = owner;
        assert!(test.last.is_none(), "{name} is reported after its final result");
        assert!(test.reported.insert(attempt), "{name} #{} is counted twice", attempt.0);
        let again = test.reported.len() > 1;
        let said = self.said.contains(&(name.clone(), attempt, outcome));
        let of_result = matches!(grant, Grant::Result(job, number, _)
            if Some(*job) == owner && *number == attempt);
        let died = matches!(grant, Grant::Death(jobs) if owner.is_some_and(|job| jobs.contains(&job)));
        let cut_off = stopped && outcome == Outcome::Cancelled && reason.starts_with("the run ended");
        let unread = (of_result || died) && outcome == Outcome::Error && reason == "no result was read";
        let fair = (said && of_result)
            || (died && outcome == Outcome::Lost)
            || (*grant == Grant::Judgement && last)
            || cut_off
            || unread;
        assert!(fair, "{name} #{} {outcome:?} ({reason}) out of nothing, after {grant:?}", attempt.0);
        let job = owner.and_then(|job| self.jobs.get_mut(&job));
        if last {
            test.last = Some(outcome);
            if let Some(job) = job {
                job.over = true;
                let single = matches!(grant, Grant::Result(_, _, tests) if tests.len() < 2);
                let may_retry = single && job.spec.reading != Reading::LibtestMany;
                if may_retry && !stopped && outcome.is_bad() && outcome != Outcome::Cancelled {
                    assert_eq!(job.retried, self.settings.retries, "{name} had retries left");
                }
                if died && !stopped {
                    assert_eq!(job.deaths, MAX_DEATHS, "{name} was given up early");
                    self.gave_up += 1;
                }
            }
            self.count(outcome, again);
        } else {
            let job = job.expect("only a job is tried again");
            assert!(
                outcome.is_bad() && outcome != Outcome::Cancelled,
                "{name} is tried again after {outcome:?}"
            );
            assert!(!stopped, "{name} is to be tried again while the run ends");
            if !died {
                job.retried += 1;
                self.retries += 1;
                assert!(job.retried <= self.settings.retries, "{name} is tried too often");
            }
        }
    }

    /// The job that a report is about: by its own name, or the group that just ended.
    fn owner(&self, name: &TestRef, grant: &Grant) -> Option<JobId> {
        let named = || self.jobs.values().find(|job| job.spec.test == *name).map(|job| job.spec.job);
        match grant {
            Grant::Result(job, _, tests) if tests.contains(name) => Some(*job),
            Grant::Nothing
            | Grant::Started(..)
            | Grant::Slow(_)
            | Grant::Result(..)
            | Grant::Death(_)
            | Grant::Said => named(),
            Grant::Judgement => None,
        }
    }

    fn count(&mut self, outcome: Outcome, again: bool) {
        let counts = &mut self.counts;
        match outcome {
            Outcome::Pass => {
                counts.passed += 1;
                counts.flaky += u32::from(again);
            }
            Outcome::Fail | Outcome::Timeout | Outcome::Crash | Outcome::Oom => counts.failed += 1,
            Outcome::Error | Outcome::Lost => counts.errors += 1,
            Outcome::Skip => counts.skipped += 1,
            Outcome::Cancelled => counts.not_run += 1,
        }
        if outcome.is_bad() && outcome != Outcome::Cancelled {
            self.bad += 1;
        }
    }

    /// The word reaches every job that it concerns, and those that it missed when they start.
    fn expect_cancels(&self, which: Stopped, grant: &Grant, actions: &[RunAction]) {
        for (&id, job) in &self.jobs {
            let spared = !self.cancelled && job.spec.kind == JobKind::Relay;
            let began = matches!(grant, Grant::Started(started, _) if *started == id);
            let due = match which {
                Stopped::All => true,
                Stopped::Unstarted => !job.started,
                Stopped::Before => began,
            };
            if let Some((node, attempt)) = job.holder.filter(|_| due && !spared) {
                assert!(
                    actions.contains(&RunAction::Cancel { node, job: id, attempt }),
                    "job {id:?} goes on"
                );
            }
        }
    }

    /// A result from the node that holds the try must have been reported, once for each test, or handed on.
    fn expect_answer(&self, job: JobId, attempt: Attempt, tests: &[TestRef]) {
        let job = &self.jobs[&job];
        if job.spec.kind != JobKind::Verdict {
            assert!(job.over, "the result was not handed on");
            return;
        }
        let own = std::slice::from_ref(&job.spec.test);
        for test in if tests.is_empty() { own } else { tests } {
            let reported = self.tests.get(test).is_some_and(|track| track.reported.contains(&attempt));
            assert!(reported, "{test} #{} was received and not reported", attempt.0);
        }
    }
}
