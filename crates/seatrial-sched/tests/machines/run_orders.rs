//! The run machine in every order of a few events.
//!
//! Two nodes ask for one job at a time. At each step one thing happens, of all that can: a node answers (pass, fail or
//! unstarted), node 1 dies, the user cancels, the rest of the plan arrives, a message comes twice or from beyond the
//! grave.

use crate::coordinator::Coordinator;
use crate::plain;
use seatrial_model::{
    Attempt, Instant, JobId, JobKind, JobSpec, Near, NodeId, Outcome, SlotId, TestRef, Verdict,
};
use seatrial_sched::{JobResult, Planned, RunAction, RunEvent, RunSettings, priority};
use seatrial_testkit::choices::{Choices, explore};

/// What can happen, beside answers.
#[derive(Clone, Copy, Default)]
struct Small {
    jobs: u32,
    retries: u32,
    max_fail: Option<u32>,
    deaths: u32,
    cancels: u32,
    echoes: u32,
    returns: u32,
    /// The start of a job is heard apart from its end, or not at all.
    starts: bool,
    /// Which jobs are near which, first to last; beyond its end none.
    near: &'static [Option<Near>],
}

#[derive(Clone, Copy)]
enum Move {
    Answer(usize, Option<Outcome>),
    Start(usize),
    Death,
    Cancel,
    Plan,
    Echo(usize),
}

struct World {
    left: Small,
    coordinator: Coordinator,
    held: Vec<(NodeId, JobId, Attempt, bool)>,
    /// Answers that were delivered, and those a dead node sent at its end.
    heard: Vec<RunEvent>,
    unplanned: bool,
}

impl World {
    fn new(small: Small) -> Self {
        let settings = RunSettings { retries: small.retries, max_fail: small.max_fail, strict: false };
        let mut world = Self {
            left: small,
            coordinator: Coordinator::new(settings),
            held: Vec::new(),
            heard: Vec::new(),
            unplanned: true,
        };
        world.add(0..small.jobs - 1);
        for node in [NodeId(0), NodeId(1)] {
            world.tell(RunEvent::Wanted { node, slot: SlotId(0), count: 1 });
        }
        world
    }

    fn add(&mut self, ids: std::ops::Range<u32>) {
        let near = self.left.near;
        let jobs = ids.map(|id| {
            let near = near.get(id as usize).copied().flatten();
            Planned { spec: JobSpec { near, ..plain(id) }, priority: priority(JobKind::Verdict, None) }
        });
        self.tell(RunEvent::JobsAdded(jobs.collect()));
    }

    fn tell(&mut self, event: RunEvent) {
        for action in self.coordinator.tell(Instant(0), event) {
            if let RunAction::Assign { node, slot: _, spec, attempt } = action {
                self.held.push((node, spec.job, attempt, false));
            }
        }
    }

    fn moves(&self) -> Vec<Move> {
        let mut moves = Vec::new();
        for (index, (_, _, _, started)) in self.held.iter().enumerate() {
            moves.push(Move::Answer(index, Some(Outcome::Pass)));
            moves.push(Move::Answer(index, Some(Outcome::Fail)));
            if self.left.returns > 0 && !started {
                moves.push(Move::Answer(index, None));
            }
            if self.left.starts && !started {
                moves.push(Move::Start(index));
            }
        }
        if self.unplanned {
            moves.push(Move::Plan);
        }
        if self.left.deaths > 0 {
            moves.push(Move::Death);
        }
        if self.left.cancels > 0 {
            moves.push(Move::Cancel);
        }
        if self.left.echoes > 0 {
            moves.extend((0..self.heard.len()).map(Move::Echo));
        }
        moves
    }

    fn make(&mut self, step: Move) {
        match step {
            Move::Answer(index, outcome) => {
                let (node, job, attempt, _) = self.held.remove(index);
                let event = self.answer(node, job, attempt, outcome);
                self.left.returns -= u32::from(outcome.is_none());
                self.heard.push(event.clone());
                self.tell(event);
                self.tell(RunEvent::Wanted { node, slot: SlotId(0), count: 1 });
            }
            Move::Start(index) => {
                self.held[index].3 = true;
                let (node, job, attempt, _) = self.held[index];
                let event = RunEvent::Started { node, slot: SlotId(0), job, attempt };
                self.heard.push(event.clone());
                self.tell(event);
            }
            Move::Death => {
                self.left.deaths = 0;
                let node = NodeId(1);
                for (_, job, attempt, _) in
                    self.held.extract_if(.., |held| held.0 == node).collect::<Vec<_>>()
                {
                    // It had passed, and the word was under way: it must not count beside the job's next try.
                    let last_words = self.answer(node, job, attempt, Some(Outcome::Pass));
                    self.heard.push(last_words);
                }
                self.heard.push(RunEvent::Wanted { node, slot: SlotId(0), count: 1 });
                self.tell(RunEvent::NodeLost { node });
            }
            Move::Cancel => {
                self.left.cancels = 0;
                self.tell(RunEvent::Cancel);
            }
            Move::Plan => {
                self.unplanned = false;
                self.add(self.left.jobs - 1..self.left.jobs);
                self.tell(RunEvent::PlanComplete);
            }
            Move::Echo(index) => {
                self.left.echoes -= 1;
                self.tell(self.heard[index].clone());
            }
        }
    }

    fn answer(&mut self, node: NodeId, job: JobId, attempt: Attempt, outcome: Option<Outcome>) -> RunEvent {
        let Some(outcome) = outcome else { return RunEvent::Returned { node, job, attempt } };
        let test = TestRef::new("g", &format!("t{}", job.0));
        self.coordinator.said(test.clone(), attempt, outcome);
        let verdicts = vec![Verdict { test, outcome, reason: None }];
        RunEvent::Finished { node, job, attempt, result: JobResult { verdicts, ..JobResult::default() } }
    }
}

fn live(small: Small, choices: &mut Choices) {
    let mut world = World::new(small);
    while !world.coordinator.is_complete() {
        let moves = world.moves();
        assert!(!moves.is_empty(), "nothing can happen any more, and the run is not complete");
        let step = *choices.of(&moves);
        world.make(step);
    }
    world.coordinator.close();
    // Nothing that comes later changes anything; `tell` checks that.
    for event in world.heard.clone() {
        world.tell(event);
    }
    world.tell(RunEvent::PlanComplete);
    world.tell(RunEvent::Cancel);
}

/// Explores the world. That there were so many paths shows that no choice has silently vanished.
#[track_caller]
fn check(small: Small, at_least: u64) {
    let paths = explore(|choices| live(small, choices));
    assert!(paths >= at_least, "only {paths} paths");
}

const SMALL: Small = Small {
    jobs: 3,
    retries: 1,
    max_fail: None,
    deaths: 0,
    cancels: 0,
    echoes: 0,
    returns: 0,
    starts: false,
    near: &[],
};

const TOGETHER: Option<Near> = Some(Near { group: 1, together: true });
const HELPED: Option<Near> = Some(Near { group: 2, together: false });

#[test]
fn three_jobs_with_a_retry_and_a_death() {
    check(Small { deaths: 1, ..SMALL }, 5_000);
}

#[test]
fn three_jobs_with_a_retry_and_a_cancellation() {
    check(Small { cancels: 1, ..SMALL }, 4_000);
}

#[test]
fn three_jobs_with_a_doubled_answer() {
    check(Small { echoes: 1, retries: 0, ..SMALL }, 300);
}

#[test]
fn three_jobs_with_a_failure_limit() {
    check(Small { max_fail: Some(1), ..SMALL }, 800);
}

#[test]
fn two_jobs_with_everything_at_once() {
    check(Small { jobs: 2, deaths: 1, cancels: 1, echoes: 1, returns: 1, ..SMALL }, 80_000);
}

#[test]
fn two_jobs_whose_starts_are_heard() {
    check(
        Small { jobs: 2, retries: 0, deaths: 1, cancels: 1, echoes: 1, starts: true, returns: 1, ..SMALL },
        0,
    );
}

#[test]
fn three_jobs_with_a_death_a_cancellation_and_a_doubled_answer() {
    check(Small { deaths: 1, cancels: 1, echoes: 1, ..SMALL }, 100_000);
}

#[test]
fn a_group_that_must_be_together_and_a_death() {
    check(Small { near: &[TOGETHER, TOGETHER, None], deaths: 1, starts: true, retries: 0, ..SMALL }, 4_000);
    check(Small { near: &[TOGETHER, TOGETHER, TOGETHER], deaths: 1, returns: 1, ..SMALL }, 6_000);
}

#[test]
fn a_group_that_is_helped_beside_one_that_is_not() {
    let near = &[TOGETHER, HELPED, HELPED, TOGETHER];
    check(Small { jobs: 4, near, retries: 0, returns: 1, echoes: 1, ..SMALL }, 40_000);
}

#[test]
fn a_group_of_two_with_everything_at_once() {
    let near = &[TOGETHER, TOGETHER];
    let small = Small {
        jobs: 2,
        near,
        deaths: 1,
        cancels: 1,
        echoes: 1,
        returns: 1,
        retries: 0,
        starts: true,
        ..SMALL
    };
    check(Small { max_fail: Some(1), ..small }, 20_000);
}
