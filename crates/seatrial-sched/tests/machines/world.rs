//! A coordinator, its planner and several nodes in virtual time; processes, helpers and nodes die.
//!
//! What the engine promises, this world does: messages come through late, doubled and out of order while both sides
//! live; a node out of reach is reported lost after its lease, whether it is dead or not, and comes back under
//! another number; each slot reports in order.

use crate::coordinator::Coordinator;
use crate::helper::Helper;
use crate::network::{Timeline, Weather};
use crate::node::Node;
use crate::spec;
use seatrial_model::{
    Attempt, End, Instant, JobId, JobKind, JobSpec, Limits, Near, NodeId, Outcome, Reading, SlotId, TestRef,
    Verdict,
};
use seatrial_sched::{
    Cause, JobResult, NodeAction, NodeEvent, NodeSettings, Planned, RunAction, RunEvent, RunSettings,
    priority,
};
use seatrial_testkit::rng::Rng;
use std::collections::BTreeMap;
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(1);

/// How this world is, drawn from its seed.
#[derive(Clone, Debug)]
pub(crate) struct Climate {
    pub(crate) run: RunSettings,
    weather: Weather,
    nodes: u32,
    slots: u32,
    prefetch: bool,
    grace: Duration,
    /// Percent of nodes (but the first, which is the submitting machine) that die or are cut off, each life anew.
    node_deaths: u64,
    /// Percent of processes that take their slot with them.
    slot_deaths: u64,
    /// Percent of helpers that die before they are ready.
    stillborn: u64,
    /// Percent of tests that fail.
    failing: u64,
    cancel: Option<Duration>,
    hard: Option<Duration>,
    /// A test that takes its node with it, wherever it runs but on the first.
    poison: bool,
    pub(crate) listings: u32,
    /// Percent of tests that are near others; each group of about so many.
    near: u64,
    group: u32,
}

/// What happened in a world, to see that worlds are not empty.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) stale: u32,
    pub(crate) retries: u32,
    pub(crate) deaths: u32,
    pub(crate) gave_up: u32,
    pub(crate) returns: u32,
    pub(crate) came_back: u32,
    pub(crate) too_late: u32,
    pub(crate) timeouts: u32,
    pub(crate) slow: u32,
    pub(crate) slots_lost: u32,
    pub(crate) slots_given_up: u32,
    pub(crate) jobs: u32,
    pub(crate) moved: u32,
    pub(crate) helped: u32,
    pub(crate) set_up_once: u32,
}

enum Item {
    Coordinator(RunEvent),
    Node(usize, NodeEvent),
    Command(usize, u32, NodeAction),
    /// A report of this life of a slot's helper.
    Report(usize, u32, u32, NodeEvent),
    Tick(usize),
    ProcessEnds(usize, u32, u32, u64, bool),
    NodeFalls(usize),
    LeaseEnds(usize),
    Mean(usize),
    Relay,
    UserCancels,
    UserInsists,
}

struct Machine {
    node: Node,
    alive: bool,
    slots: Vec<Place>,
    /// What processes said before they were gone.
    heard: BTreeMap<(JobId, Attempt), Vec<Verdict>>,
    /// No message overtakes another on its way from a slot.
    last_report: Vec<Instant>,
    last_command: Vec<Instant>,
}

#[derive(Default)]
struct Place {
    helper: Option<Helper>,
    life: u32,
    process: u64,
}

pub(crate) struct World {
    climate: Climate,
    rng: Rng,
    time: Timeline<Item>,
    coordinator: Coordinator,
    machines: Vec<Machine>,
    specs: BTreeMap<JobId, JobSpec>,
    unread_listings: u32,
    /// The group that was set up last in each life of a slot, and how often each was.
    set_up: BTreeMap<(usize, u32, u32), Near>,
    set_ups: BTreeMap<Near, u32>,
    planned: bool,
    processes: u64,
    pub(crate) seen: Seen,
}

impl Climate {
    fn draw(rng: &mut Rng) -> Self {
        let calm = rng.chance(25);
        let percent = |rng: &mut Rng, most: u64| if calm { 0 } else { rng.below(most + 1) };
        let some = |rng: &mut Rng, chance: u64, most: u64| {
            rng.chance(chance).then(|| Duration::from_millis(rng.between(1, most)))
        };
        let cancel = some(rng, 20, 800);
        let retries = u32::try_from(rng.below(3)).unwrap();
        let max_fail = rng.chance(20).then(|| u32::try_from(rng.between(1, 6)).unwrap());
        Self {
            run: RunSettings { retries, max_fail, strict: false },
            weather: Weather {
                lost: percent(rng, 30),
                doubled: percent(rng, 20),
                late: percent(rng, 3),
                even: calm,
            },
            nodes: u32::try_from(rng.between(1, 4)).unwrap(),
            slots: u32::try_from(rng.between(1, 4)).unwrap(),
            prefetch: rng.chance(70),
            grace: Duration::from_millis(*rng.of(&[0, 5, 20])),
            node_deaths: percent(rng, 80),
            slot_deaths: percent(rng, 10),
            stillborn: *rng.of(&[0, 0, 10, 60]),
            failing: rng.below(40),
            hard: cancel.and_then(|_| some(rng, 50, 100)),
            cancel,
            poison: rng.chance(15),
            listings: u32::try_from(rng.between(1, 4)).unwrap(),
            near: *rng.of(&[0, 50, 90, 100]),
            group: u32::try_from(rng.between(1, 8)).unwrap(),
        }
    }
}

impl Climate {
    /// Nothing happens that makes it right to set a group up more than once.
    const fn is_smooth(&self) -> bool {
        let Weather { lost, doubled, late, even } = self.weather;
        let deaths = self.node_deaths + self.slot_deaths + self.stillborn;
        even && lost + doubled + late + deaths == 0 && self.run.retries == 0 && !self.poison
    }
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let climate = Climate::draw(&mut rng);
        let mut world = Self {
            coordinator: Coordinator::new(climate.run),
            unread_listings: climate.listings,
            climate,
            rng,
            time: Timeline::new(),
            machines: Vec::new(),
            specs: BTreeMap::new(),
            set_up: BTreeMap::new(),
            set_ups: BTreeMap::new(),
            planned: false,
            processes: 0,
            seen: Seen::default(),
        };
        for _ in 0..world.climate.nodes {
            world.join();
        }
        for _ in 0..world.rng.below(4) {
            let at = Duration::from_millis(world.rng.between(1, 300));
            world.time.after(at, Item::Relay);
        }
        if let Some(at) = world.climate.cancel {
            world.time.after(at, Item::UserCancels);
            if let Some(later) = world.climate.hard {
                world.time.after(at + later, Item::UserInsists);
            }
        }
        let listings = world.climate.listings;
        let added = (0..listings).map(|_| world.plan(JobKind::Listing, Reading::LibtestList)).collect();
        world.coordinate(RunEvent::JobsAdded(added));
        world
    }

    /// Lives until nothing moves any more, and checks that all is done.
    pub(crate) fn live(&mut self) {
        while let Some(item) = self.time.next() {
            assert!(self.time.now < Instant::from_millis(3_600_000), "no end in sight");
            self.happen(item);
        }
        self.coordinator.close();
        if self.climate.is_smooth() {
            let again = self.set_ups.iter().find(|(near, count)| near.together && **count > 1);
            assert_eq!(again, None, "a group was set up more than once");
            let together = self.set_ups.keys().filter(|near| near.together).count();
            self.seen.set_up_once += u32::try_from(together).unwrap();
        }
        self.seen.stale = self.coordinator.stale;
        self.seen.retries = self.coordinator.retries;
        self.seen.deaths = self.coordinator.deaths;
        self.seen.gave_up = self.coordinator.gave_up;
        self.seen.jobs = u32::try_from(self.specs.len()).unwrap();
        for machine in &self.machines {
            self.seen.returns += machine.node.returns;
            self.seen.came_back += machine.node.came_back;
            self.seen.too_late += machine.node.too_late;
            self.seen.moved += machine.node.moved;
            self.seen.helped += machine.node.helped;
            if machine.alive {
                assert_eq!(machine.node.held(), 0, "a node is left with jobs");
            }
        }
    }

    fn happen(&mut self, item: Item) {
        match item {
            Item::Coordinator(event) => self.coordinate(event),
            Item::Node(index, event) => self.tell_node(index, event),
            Item::Command(index, life, action) => self.command(index, life, action),
            Item::Report(index, slot, life, event) => self.report(index, slot, life, event),
            Item::Tick(index) => {
                // An alarm that was set for a job since gone is not wrong, only early.
                self.tell_node(index, NodeEvent::Tick);
            }
            Item::ProcessEnds(index, slot, life, process, natural) => {
                self.process_ends((index, slot, life), process, natural);
            }
            Item::NodeFalls(index) => self.node_falls(index),
            Item::LeaseEnds(index) => {
                let node = node_id(index);
                self.coordinate(RunEvent::NodeLost { node });
                self.join();
            }
            Item::Mean(index) => {
                let mean = Some(Duration::from_millis(*self.rng.of(&[5, 5, 500])));
                self.tell_node(index, NodeEvent::Expected { mean });
                if !self.coordinator.is_complete() {
                    let later = Duration::from_millis(self.rng.between(20, 200));
                    self.time.after(later, Item::Mean(index));
                }
            }
            Item::Relay => {
                let relay = self.plan(JobKind::Relay, Reading::ExitCode);
                if !self.planned {
                    self.coordinate(RunEvent::JobsAdded(vec![relay]));
                } else {
                    self.specs.remove(&relay.spec.job);
                }
            }
            Item::UserCancels => self.coordinate(RunEvent::Cancel),
            Item::UserInsists => {
                for index in 0..self.machines.len() {
                    self.tell_node(index, NodeEvent::CancelAll { hard: true });
                }
            }
        }
    }

    // The coordinator and its planner.

    fn plan(&mut self, kind: JobKind, reading: Reading) -> Planned {
        let id = u32::try_from(self.specs.len()).unwrap();
        let limit = |rng: &mut Rng, ms: u64| rng.chance(30).then(|| Duration::from_millis(ms));
        let limits =
            Limits { timeout: limit(&mut self.rng, 60), slow_after: limit(&mut self.rng, 25), memory: None };
        let mut spec = spec(id, kind, reading, limits);
        if self.rng.chance(self.climate.near) {
            // What one listing brings is added at once: no group is over and then goes on.
            let group = self.unread_listings * 1_000 + id / self.climate.group;
            spec.near = Some(Near { group, together: group.is_multiple_of(2) });
        }
        self.specs.insert(spec.job, spec.clone());
        let mut priority = priority(kind, None);
        priority.expected = Duration::from_millis(self.rng.below(5));
        Planned { spec, priority }
    }

    fn coordinate(&mut self, event: RunEvent) {
        for action in self.coordinator.tell(self.time.now, event) {
            match action {
                RunAction::Assign { node, slot, spec, attempt } => {
                    self.send(node, NodeEvent::Offered { slot, spec, attempt });
                }
                RunAction::Release { node, slot, near } => {
                    self.send(node, NodeEvent::Released { slot, near });
                }
                RunAction::Cancel { node, job, attempt } => {
                    self.send(node, NodeEvent::Cancel { job, attempt });
                }
                RunAction::Handed { spec, result } => self.handed(&spec, *result),
                RunAction::Emit(_) | RunAction::Settled { .. } | RunAction::Complete => {}
                RunAction::Again { job, .. } => panic!("{job:?} has no members"),
            }
        }
    }

    fn handed(&mut self, spec: &JobSpec, mut result: JobResult) {
        if spec.kind != JobKind::Listing {
            return;
        }
        if result.verdicts.is_empty() {
            let count = self.rng.between(0, 12);
            let mut jobs = Vec::new();
            for _ in 0..count {
                let reading = if self.rng.chance(15) { Reading::LibtestMany } else { Reading::ExitCode };
                jobs.push(self.plan(JobKind::Verdict, reading));
            }
            let tests = u32::try_from(count).unwrap();
            self.coordinate(RunEvent::GroupListed { group: "g".to_owned(), tests });
            let test = TestRef::new("g", &format!("ignored in {}", spec.job.0));
            self.coordinate(RunEvent::Skipped { test, reason: None });
            self.coordinate(RunEvent::JobsAdded(jobs));
        } else {
            let test = TestRef::new("g", &format!("listing {}", spec.job.0));
            result.verdicts = vec![Verdict { test, outcome: Outcome::Error, reason: None }];
            self.coordinate(RunEvent::Judged { result });
        }
        self.unread_listings -= 1;
        if self.unread_listings == 0 {
            self.planned = true;
            self.coordinate(RunEvent::PlanComplete);
        }
    }

    fn send(&mut self, NodeId(node): NodeId, event: NodeEvent) {
        for delay in self.climate.weather.delays(&mut self.rng) {
            self.time.after(delay, Item::Node(node as usize, event.clone()));
        }
    }

    fn answer(&mut self, event: &RunEvent) {
        for delay in self.climate.weather.delays(&mut self.rng) {
            self.time.after(delay, Item::Coordinator(event.clone()));
        }
    }

    // Nodes.

    fn join(&mut self) {
        let index = self.machines.len();
        let settings = NodeSettings {
            slots: self.climate.slots,
            grace: self.climate.grace,
            short_job: Duration::from_millis(50),
            prefetch: self.climate.prefetch,
        };
        let slots = self.climate.slots as usize;
        self.machines.push(Machine {
            node: Node::new(settings),
            alive: true,
            slots: (0..slots).map(|_| Place::default()).collect(),
            heard: BTreeMap::new(),
            last_report: vec![Instant(0); slots],
            last_command: vec![Instant(0); slots],
        });
        self.time.after(Duration::ZERO, Item::Node(index, NodeEvent::Start));
        self.time.after(Duration::ZERO, Item::Mean(index));
        if index > 0 && self.rng.chance(self.climate.node_deaths) {
            let at = Duration::from_millis(self.rng.between(1, 500));
            self.time.after(at, Item::NodeFalls(index));
        }
    }

    /// The node dies, or is only cut off; its lease runs out either way.
    fn node_falls(&mut self, index: usize) {
        let machine = &mut self.machines[index];
        if machine.alive && !self.coordinator.is_complete() {
            machine.alive = self.rng.chance(40);
            self.time.after(LEASE, Item::LeaseEnds(index));
        }
    }

    fn tell_node(&mut self, index: usize, event: NodeEvent) {
        if !self.machines[index].alive {
            return;
        }
        let actions = self.machines[index].node.tell(self.time.now, event);
        for action in actions {
            self.obey(index, action);
        }
        if let Some(at) = self.machines[index].node.wake_at() {
            self.time.at(at, Item::Tick(index));
        }
    }

    fn obey(&mut self, index: usize, action: NodeAction) {
        let node = node_id(index);
        match action {
            NodeAction::Want { slot, count } => self.answer(&RunEvent::Wanted { node, slot, count }),
            NodeAction::Started { slot, job, attempt } => {
                self.answer(&RunEvent::Started { node, slot, job, attempt });
            }
            NodeAction::Slow { job, attempt, elapsed } => {
                self.seen.slow += 1;
                self.answer(&RunEvent::SlowJob { node, job, attempt, elapsed });
            }
            NodeAction::Return { job, attempt } => self.answer(&RunEvent::Returned { node, job, attempt }),
            NodeAction::Finished { job, attempt, cause, .. } => {
                let result = self.read(index, job, attempt, cause);
                self.answer(&RunEvent::Finished { node, job, attempt, result });
            }
            NodeAction::GiveUp { slot } => {
                self.seen.slots_given_up += 1;
                self.answer(&RunEvent::SlotGone { node, slot });
            }
            NodeAction::Build { slot } => self.build(index, slot),
            NodeAction::Send { slot, .. }
            | NodeAction::Recall { slot, .. }
            | NodeAction::Terminate { slot, .. }
            | NodeAction::Kill { slot, .. } => {
                let delay = Duration::from_micros(self.rng.between(5, 2_000));
                let machine = &mut self.machines[index];
                let last = &mut machine.last_command[slot.0 as usize];
                *last = (*last).max(self.time.now + delay);
                let life = machine.slots[slot.0 as usize].life;
                self.time.at(*last, Item::Command(index, life, action));
            }
        }
    }

    /// What the node makes of an ended job, as the engine does.
    fn read(&mut self, index: usize, job: JobId, attempt: Attempt, cause: Cause) -> JobResult {
        let own = self.specs[&job].test.clone();
        let heard = self.machines[index].heard.remove(&(job, attempt));
        let outcome = match cause {
            Cause::Natural => {
                let verdicts = heard.expect("a process that ended by itself was heard");
                return JobResult { verdicts, ..JobResult::default() };
            }
            Cause::Timeout => Outcome::Timeout,
            Cause::Cancelled => Outcome::Cancelled,
            Cause::SlotLost => Outcome::Lost,
        };
        self.seen.timeouts += u32::from(outcome == Outcome::Timeout);
        self.coordinator.said(own.clone(), attempt, outcome);
        let verdicts = vec![Verdict { test: own, outcome, reason: None }];
        let end = (cause == Cause::SlotLost).then_some(End::SlotLost);
        JobResult { end, verdicts, ..JobResult::default() }
    }

    // Slots and processes.

    fn build(&mut self, index: usize, slot: SlotId) {
        let place = &mut self.machines[index].slots[slot.0 as usize];
        place.life += 1;
        // The first node is the submitting machine: without it a world could be left without any slot.
        if index > 0 && self.rng.chance(self.climate.stillborn) {
            self.slot_says(index, slot, NodeEvent::SlotLost { slot });
        } else {
            self.machines[index].slots[slot.0 as usize].helper = Some(Helper::new(slot));
            self.slot_says(index, slot, NodeEvent::SlotReady { slot });
        }
    }

    fn slot_says(&mut self, index: usize, slot: SlotId, event: NodeEvent) {
        let delay = Duration::from_micros(self.rng.between(5, 2_000));
        let machine = &mut self.machines[index];
        let last = &mut machine.last_report[slot.0 as usize];
        *last = (*last).max(self.time.now + delay);
        let life = machine.slots[slot.0 as usize].life;
        self.time.at(*last, Item::Report(index, slot.0, life, event));
    }

    fn report(&mut self, index: usize, slot: u32, life: u32, event: NodeEvent) {
        assert!(life <= self.machines[index].slots[slot as usize].life);
        self.tell_node(index, event);
    }

    fn command(&mut self, index: usize, life: u32, action: NodeAction) {
        let (NodeAction::Send { slot, .. }
        | NodeAction::Recall { slot, .. }
        | NodeAction::Terminate { slot, .. }
        | NodeAction::Kill { slot, .. }) = action
        else {
            return;
        };
        let machine = &mut self.machines[index];
        let place = &mut machine.slots[slot.0 as usize];
        let Some(helper) = place.helper.as_mut().filter(|_| machine.alive && place.life == life) else {
            return;
        };
        match action {
            NodeAction::Send { spec, attempt, .. } => {
                if helper.send(spec.job, attempt) {
                    self.process_begins(index, slot);
                }
            }
            NodeAction::Recall { job, attempt, .. } => {
                let answer = helper.recall(job, attempt);
                self.slot_says(index, slot, answer);
            }
            NodeAction::Terminate { job, attempt, .. } if helper.running == Some((job, attempt)) => {
                // Two of three listen.
                if self.rng.chance(66) {
                    let process = place.process;
                    let later = Duration::from_millis(self.rng.between(0, 30));
                    self.time.after(later, Item::ProcessEnds(index, slot.0, life, process, false));
                }
            }
            NodeAction::Kill { job, attempt, .. } if helper.running == Some((job, attempt)) => {
                let process = place.process;
                self.process_ends((index, slot.0, life), process, false);
            }
            NodeAction::Terminate { .. }
            | NodeAction::Kill { .. }
            | NodeAction::Want { .. }
            | NodeAction::Build { .. }
            | NodeAction::GiveUp { .. }
            | NodeAction::Started { .. }
            | NodeAction::Finished { .. }
            | NodeAction::Slow { .. }
            | NodeAction::Return { .. } => {}
        }
    }

    fn process_begins(&mut self, index: usize, slot: SlotId) {
        self.processes += 1;
        let place = &mut self.machines[index].slots[slot.0 as usize];
        place.process = self.processes;
        let life = place.life;
        let (job, _) = place.helper.as_ref().and_then(|helper| helper.running).expect("it runs");
        let spec = &self.specs[&job];
        if let Some(near) = spec.near.filter(|_| spec.kind == JobKind::Verdict)
            && self.set_up.insert((index, slot.0, life), near) != Some(near)
        {
            *self.set_ups.entry(near).or_default() += 1;
        }
        let most = if self.rng.chance(10) { 300 } else { 40 };
        let lasts = Duration::from_micros(self.rng.between(100, most * 1_000));
        self.time.after(lasts, Item::ProcessEnds(index, slot.0, life, self.processes, true));
        let poisonous = self.climate.poison && job == JobId(self.climate.listings);
        if poisonous && index > 0 && !self.coordinator.is_complete() {
            self.machines[index].alive = false;
            self.time.after(LEASE, Item::LeaseEnds(index));
        }
    }

    fn process_ends(&mut self, (index, slot, life): (usize, u32, u32), process: u64, natural: bool) {
        let machine = &mut self.machines[index];
        let place = &mut machine.slots[slot as usize];
        if !machine.alive || place.life != life || place.process != process {
            return;
        }
        let Some(helper) = place.helper.as_mut() else { return };
        let (job, attempt) = helper.running.expect("its process runs");
        if natural && self.rng.chance(self.climate.slot_deaths) {
            self.seen.slots_lost += 1;
            place.helper = None;
            self.slot_says(index, SlotId(slot), NodeEvent::SlotLost { slot: SlotId(slot) });
            return;
        }
        let ended = helper.end();
        let more = helper.running.is_some();
        place.process = 0;
        // Even one that was asked to end may have said something first; only the natural end is read.
        let verdicts = self.verdicts(job, attempt);
        self.machines[index].heard.insert((job, attempt), verdicts);
        self.slot_says(index, SlotId(slot), ended);
        if more {
            self.process_begins(index, SlotId(slot));
        }
    }

    fn verdicts(&mut self, job: JobId, attempt: Attempt) -> Vec<Verdict> {
        let (kind, reading, own) = {
            let spec = &self.specs[&job];
            (spec.kind, spec.reading.clone(), spec.test.clone())
        };
        if kind == JobKind::Listing && !self.rng.chance(5) {
            return Vec::new();
        }
        let tests: Vec<TestRef> = if self.rng.chance(2) {
            Vec::new()
        } else if reading == Reading::LibtestMany {
            let count = self.rng.between(1, 4);
            (0..count).map(|index| TestRef::new("g", &format!("{}/{index}", own.name))).collect()
        } else {
            vec![own]
        };
        let bad = [Outcome::Fail, Outcome::Fail, Outcome::Crash, Outcome::Oom, Outcome::Error];
        let mut verdicts = Vec::new();
        for test in tests {
            let outcome = if self.rng.chance(self.climate.failing) {
                *self.rng.of(&bad)
            } else if self.rng.chance(5) {
                Outcome::Skip
            } else {
                Outcome::Pass
            };
            self.coordinator.said(test.clone(), attempt, outcome);
            verdicts.push(Verdict { test, outcome, reason: None });
        }
        verdicts
    }
}

fn node_id(index: usize) -> NodeId {
    NodeId(u32::try_from(index).unwrap())
}
