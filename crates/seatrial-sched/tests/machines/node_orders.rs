//! The node machine in every order of a few events.
//!
//! Two slots and a few jobs. Commands reach a helper at once, what it reports waits in line: so a job may have ended,
//! and the one behind it begun, without the machine knowing.

use crate::helper::Helper;
use crate::node::Node;
use crate::spec;
use seatrial_model::{Attempt, Instant, JobId, JobKind, Limits, Reading, SlotId};
use seatrial_sched::{NodeAction, NodeEvent, NodeSettings};
use seatrial_testkit::choices::{Choices, explore};
use std::collections::VecDeque;
use std::time::Duration;

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
    /// Jobs may be offered that nobody asked for, because a message came twice.
    unasked: u32,
    echoes: u32,
}

#[derive(Clone, Copy, Debug)]
enum Move {
    Offer,
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
    killed: u32,
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
            killed: 0,
        };
        world.tell(NodeEvent::Start);
        world.tell(NodeEvent::Expected { mean: Some(Duration::from_millis(1)) });
        world
    }

    fn tell(&mut self, event: NodeEvent) {
        for action in self.node.tell(self.now, event) {
            match action {
                NodeAction::Build { slot } => {
                    let entry = &mut self.slots[slot.0 as usize];
                    entry.0 = Some(Helper::new(slot));
                    entry.1.push_back(NodeEvent::SlotReady { slot });
                }
                NodeAction::Send { slot, spec, attempt } => {
                    self.helper(slot).send(spec.job, attempt);
                }
                NodeAction::Recall { slot, job, attempt } => {
                    let answer = self.helper(slot).recall(job, attempt);
                    self.slots[slot.0 as usize].1.push_back(answer);
                }
                NodeAction::Kill { slot, job, attempt } => {
                    if self.helper(slot).running == Some((job, attempt)) {
                        self.killed += 1;
                        self.end(slot.0 as usize);
                    }
                }
                // What it asks to end may take any time, and the first job does not listen.
                NodeAction::Terminate { .. }
                | NodeAction::Want { .. }
                | NodeAction::GiveUp { .. }
                | NodeAction::Started { .. }
                | NodeAction::Finished { .. }
                | NodeAction::Slow { .. }
                | NodeAction::Return { .. } => {}
            }
        }
    }

    fn helper(&mut self, slot: SlotId) -> &mut Helper {
        self.slots[slot.0 as usize].0.as_mut().expect("the helper lives")
    }

    fn end(&mut self, index: usize) {
        let (helper, reports) = &mut self.slots[index];
        reports.push_back(helper.as_mut().expect("the helper lives").end());
    }

    fn moves(&self) -> Vec<Move> {
        let mut moves = Vec::new();
        if self.offered < self.left.jobs && (self.node.wished > 0 || self.left.unasked > 0) {
            moves.push(Move::Offer);
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
            Move::Offer => {
                self.left.unasked -= u32::from(self.node.wished == 0);
                self.offered += 1;
                self.offer(self.offered - 1);
            }
            Move::End(index) => self.end(index),
            Move::Hear(index) => {
                let report = self.slots[index].1.pop_front().expect("a report");
                self.tell(report);
            }
            Move::Die(index) => {
                self.left.slot_deaths -= 1;
                let slot = SlotId(u32::try_from(index).unwrap());
                self.slots[index].0 = None;
                // The pipe still holds what it said before.
                while let Some(report) = self.slots[index].1.pop_front() {
                    self.tell_dying(report);
                }
                self.tell(NodeEvent::SlotLost { slot });
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
                self.offer(self.offered - 1);
            }
        }
    }

    /// Like `tell`, while the helper is dead: what is written to it is lost.
    fn tell_dying(&mut self, event: NodeEvent) {
        let dying: Vec<bool> = self.slots.iter().map(|(helper, _)| helper.is_none()).collect();
        for action in self.node.tell(self.now, event) {
            let target = match &action {
                NodeAction::Send { slot, .. }
                | NodeAction::Recall { slot, .. }
                | NodeAction::Kill { slot, .. } => Some(slot.0 as usize),
                NodeAction::Terminate { .. }
                | NodeAction::Build { .. }
                | NodeAction::Want { .. }
                | NodeAction::GiveUp { .. }
                | NodeAction::Started { .. }
                | NodeAction::Finished { .. }
                | NodeAction::Slow { .. }
                | NodeAction::Return { .. } => None,
            };
            if target.is_some_and(|index| !dying[index]) {
                self.obey(action);
            }
        }
    }

    fn obey(&mut self, action: NodeAction) {
        if let NodeAction::Send { slot, spec, attempt } = action {
            self.helper(slot).send(spec.job, attempt);
        } else if let NodeAction::Recall { slot, job, attempt } = action {
            let answer = self.helper(slot).recall(job, attempt);
            self.slots[slot.0 as usize].1.push_back(answer);
        }
    }

    fn offer(&mut self, id: u32) {
        let timeout = (id == 0 && self.left.timeout).then_some(Duration::from_millis(100));
        let limits = Limits { timeout, ..Limits::default() };
        let spec = spec(id, JobKind::Verdict, Reading::ExitCode, limits);
        self.tell(NodeEvent::Offered { spec, attempt: Attempt::FIRST });
    }
}
