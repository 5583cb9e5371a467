//! The node machine in every order of a few events.
//!
//! Two slots and a few jobs. Commands reach a helper at once, what it reports waits in line: so a job may have ended,
//! and the one behind it begun, without the machine knowing.

use crate::helper::Helper;
use crate::node::Node;
use crate::spec;
use seatrial_model::{Attempt, Instant, JobId, JobKind, Limits, Near, Reading, SlotId};
use seatrial_sched::{NodeAction, NodeEvent, NodeSettings};
use seatrial_testkit::choices::{Choices, explore};
use std::collections::VecDeque;
use std::time::Duration;

/// What there is, and what can happen.
#[derive(Clone, Copy)]
struct Small {
    slots: u32,
    jobs: u32,
    prefetch: bool,
    slot_deaths: u32,
    cancels: u32,
    cancel_all: u32,
    /// The first job has a time limit, and does not end when it is asked to.
    timeout: bool,
    /// Jobs that are offered though nobody asked for them, because a wish came twice.
    unasked: u32,
    /// The latest offer comes once more.
    echoes: u32,
    /// Which jobs are near which, first to last; beyond its end none.
    near: &'static [Option<Near>],
}

#[derive(Clone, Copy, Debug)]
enum Move {
    Offer(SlotId),
    /// The running job of this slot ends by itself.
    End(usize),
    /// The machine hears this slot's next report.
    Hear(usize),
    Die(usize),
    Cancel(u32),
    CancelAll(bool),
    Wake,
    Echo,
}

struct World {
    left: Small,
    node: Node,
    now: Instant,
    slots: Vec<(Option<Helper>, VecDeque<NodeEvent>)>,
    offered: u32,
}

impl World {
    fn new(small: Small) -> Self {
        let settings = NodeSettings {
            slots: small.slots,
            grace: Duration::from_millis(10),
            short_job: Duration::from_millis(50),
            prefetch: small.prefetch,
        };
        let mut world = Self {
            left: small,
            node: Node::new(settings),
            now: Instant(0),
            slots: (0..small.slots).map(|_| (None, VecDeque::new())).collect(),
            offered: 0,
        };
        world.tell(NodeEvent::Start);
        world.tell(NodeEvent::Expected { mean: Some(Duration::from_millis(1)) });
        world
    }

    fn tell(&mut self, event: NodeEvent) {
        for action in self.node.tell(self.now, event) {
            self.obey(&action);
        }
    }

    fn obey(&mut self, action: &NodeAction) {
        match action {
            NodeAction::Build { slot } => {
                let (helper, reports) = &mut self.slots[slot.0 as usize];
                *helper = Some(Helper::new(*slot));
                reports.push_back(NodeEvent::SlotReady { slot: *slot });
            }
            NodeAction::Send { slot, spec, attempt } => {
                // What is written to a dead helper is lost.
                if let Some(helper) = self.slots[slot.0 as usize].0.as_mut() {
                    helper.send(spec.job, *attempt);
                }
            }
            NodeAction::Recall { slot, job, attempt } => {
                let (helper, reports) = &mut self.slots[slot.0 as usize];
                if let Some(helper) = helper {
                    reports.push_back(helper.recall(*job, *attempt));
                }
            }
            NodeAction::Kill { slot, job, attempt } => {
                let helper = self.slots[slot.0 as usize].0.as_ref();
                if helper.is_some_and(|helper| helper.running == Some((*job, *attempt))) {
                    self.end(slot.0 as usize);
                }
            }
            // What is asked to end may take any time, and the first job does not listen.
            NodeAction::Terminate { .. }
            | NodeAction::Want { .. }
            | NodeAction::GiveUp { .. }
            | NodeAction::Started { .. }
            | NodeAction::Finished { .. }
            | NodeAction::Slow { .. }
            | NodeAction::Return { .. } => {}
        }
    }

    fn end(&mut self, index: usize) {
        let (helper, reports) = &mut self.slots[index];
        reports.push_back(helper.as_mut().expect("the helper lives").end());
    }

    fn moves(&self) -> Vec<Move> {
        let mut moves = Vec::new();
        if self.offered < self.left.jobs {
            let wishing = self.node.wished.iter().filter(|(_, count)| **count > 0);
            let mut slots: Vec<SlotId> = wishing.map(|(slot, _)| *slot).collect();
            if slots.is_empty() && self.left.unasked > 0 {
                slots.push(SlotId(0));
            }
            // Which slot has asked means something to jobs of a group alone.
            slots.truncate(if self.left.near.is_empty() { 1 } else { slots.len() });
            moves.extend(slots.into_iter().map(Move::Offer));
        }
        for (index, (helper, reports)) in self.slots.iter().enumerate() {
            let running = helper.as_ref().and_then(|helper| helper.running);
            let stubborn = self.left.timeout && running.is_some_and(|(job, _)| job == JobId(0));
            if running.is_some() && !stubborn {
                moves.push(Move::End(index));
            }
            if !reports.is_empty() {
                moves.push(Move::Hear(index));
            }
            // A helper that has died is quiet until its death is heard of.
            if self.left.slot_deaths > 0 && helper.is_some() {
                moves.push(Move::Die(index));
            }
        }
        if self.left.cancels > 0 {
            moves.extend((0..self.offered).map(Move::Cancel));
        }
        if self.left.cancel_all > 0 {
            moves.extend([Move::CancelAll(false), Move::CancelAll(true)]);
        }
        if self.node.wake_at().is_some() {
            moves.push(Move::Wake);
        }
        if self.left.echoes > 0 && self.offered > 0 {
            moves.push(Move::Echo);
        }
        moves
    }

    fn make(&mut self, step: Move) {
        match step {
            Move::Offer(slot) => {
                self.left.unasked -= u32::from(self.node.wishes() == 0);
                self.offered += 1;
                self.offer(self.offered - 1, slot);
            }
            Move::End(index) => self.end(index),
            Move::Hear(index) => {
                let report = self.slots[index].1.pop_front().expect("a report");
                self.tell(report);
            }
            Move::Die(index) => {
                self.left.slot_deaths -= 1;
                let slot = SlotId(u32::try_from(index).unwrap());
                let (helper, reports) = &mut self.slots[index];
                *helper = None;
                reports.push_back(NodeEvent::SlotLost { slot });
            }
            Move::Cancel(id) => {
                self.left.cancels -= 1;
                self.tell(NodeEvent::Cancel { job: JobId(id), attempt: Attempt::FIRST });
            }
            Move::CancelAll(hard) => {
                self.left.cancel_all -= 1;
                self.tell(NodeEvent::CancelAll { hard });
            }
            Move::Wake => {
                self.now = self.node.wake_at().expect("a deadline");
                self.tell(NodeEvent::Tick);
            }
            Move::Echo => {
                self.left.echoes -= 1;
                self.offer(self.offered - 1, SlotId(0));
            }
        }
    }

    fn offer(&mut self, id: u32, slot: SlotId) {
        let timeout = (id == 0 && self.left.timeout).then_some(Duration::from_millis(100));
        let limits = Limits { timeout, ..Limits::default() };
        let mut spec = spec(id, JobKind::Verdict, Reading::ExitCode, limits);
        spec.near = self.left.near.get(id as usize).copied().flatten();
        self.tell(NodeEvent::Offered { slot, spec, attempt: Attempt::FIRST });
    }
}

impl Move {
    /// True for what happens sooner or later, whatever else does.
    const fn must_come(self) -> bool {
        match self {
            Self::Offer(_) | Self::End(_) | Self::Hear(_) | Self::Wake => true,
            Self::Die(_) | Self::Cancel(_) | Self::CancelAll(_) | Self::Echo => false,
        }
    }
}

fn live(small: Small, choices: &mut Choices) {
    let mut world = World::new(small);
    loop {
        let moves = world.moves();
        if !moves.iter().any(|step| step.must_come()) {
            break;
        }
        let step = *choices.of(&moves);
        world.make(step);
    }
    assert_eq!(world.node.held(), 0, "jobs are left on the node");
    assert!(world.offered == small.jobs || world.node.stopping, "asks for no more jobs");
    for id in 0..world.offered {
        let words = world.node.last_words.get(&(JobId(id), Attempt::FIRST)).copied().unwrap_or(0);
        assert!(words == 1 || (small.echoes > 0 && words == 2), "{words} last words about job {id}");
    }
}

#[track_caller]
fn check(small: Small, at_least: u64) {
    let paths = explore(|choices| live(small, choices));
    assert!(paths >= at_least, "only {paths} paths");
}

const SMALL: Small = Small {
    slots: 2,
    jobs: 3,
    prefetch: true,
    slot_deaths: 0,
    cancels: 0,
    cancel_all: 0,
    timeout: false,
    unasked: 0,
    echoes: 0,
    near: &[],
};

const TOGETHER: Option<Near> = Some(Near { group: 1, together: true });
const HELPED: Option<Near> = Some(Near { group: 2, together: false });

#[test]
fn four_jobs() {
    check(Small { jobs: 4, ..SMALL }, 70_000);
}

#[test]
fn three_jobs_without_prefetch_one_beyond_its_time() {
    check(Small { prefetch: false, timeout: true, slot_deaths: 1, ..SMALL }, 90_000);
}

#[test]
fn three_jobs_one_cancelled() {
    check(Small { cancels: 1, ..SMALL }, 140_000);
}

#[test]
fn two_jobs_one_cancelled_and_a_slot_dies() {
    check(Small { jobs: 2, cancels: 1, slot_deaths: 1, ..SMALL }, 290_000);
}

#[test]
fn three_jobs_and_a_slot_dies() {
    check(Small { slot_deaths: 1, ..SMALL }, 240_000);
}

#[test]
fn two_jobs_all_cancelled_once_or_twice() {
    check(Small { jobs: 2, cancel_all: 2, ..SMALL }, 16_000);
}

#[test]
fn three_jobs_in_one_slot_with_everything_at_once() {
    let small = Small { slots: 1, cancels: 1, cancel_all: 1, slot_deaths: 1, timeout: true, ..SMALL };
    check(small, 300_000);
}

#[test]
fn more_jobs_than_were_asked_for() {
    check(Small { slots: 1, unasked: 2, echoes: 1, slot_deaths: 1, ..SMALL }, 9_000);
}

#[test]
fn a_group_that_must_be_together_and_a_helper() {
    check(Small { near: &[TOGETHER, TOGETHER, None], ..SMALL }, 3_000);
    check(Small { near: &[None, TOGETHER, TOGETHER], ..SMALL }, 4_000);
}

#[test]
fn a_group_that_must_be_together_and_a_slot_dies() {
    check(
        Small { near: &[TOGETHER, TOGETHER, HELPED], slot_deaths: 1, prefetch: false, unasked: 1, ..SMALL },
        160_000,
    );
}

#[test]
fn a_group_that_is_helped() {
    check(Small { near: &[HELPED, HELPED, TOGETHER], ..SMALL }, 6_000);
}
