//! A node machine under watch: every action is held against what the machine was told and what it did before.

use seatrial_model::{Attempt, Instant, JobId, JobSpec, SlotId};
use seatrial_sched::{Cause, NodeAction, NodeEvent, NodeMachine, NodeSettings};
use std::collections::{BTreeMap, BTreeSet};

type Try = (JobId, Attempt);

/// The machine and what is known about it.
pub(crate) struct Node {
    machine: NodeMachine,
    settings: NodeSettings,
    now: Instant,
    /// Jobs on this node.
    tries: BTreeMap<Try, Track>,
    ready: BTreeSet<SlotId>,
    gone: BTreeSet<SlotId>,
    building: BTreeSet<SlotId>,
    pub(crate) wished: u32,
    pub(crate) hard: bool,
    pub(crate) stopping: bool,
    /// Last words about a try: how often each was said, whatever came of it.
    pub(crate) last_words: BTreeMap<Try, u32>,
    pub(crate) returns: u32,
    pub(crate) came_back: u32,
    pub(crate) too_late: u32,
}

struct Track {
    spec: JobSpec,
    slot: Option<SlotId>,
    started: Option<Instant>,
    asked: Option<Instant>,
    killed: bool,
    cancelled: bool,
    recalled: bool,
    slow: u32,
}

impl Node {
    pub(crate) fn new(settings: NodeSettings) -> Self {
        Self {
            machine: NodeMachine::new(settings),
            settings,
            now: Instant(0),
            tries: BTreeMap::new(),
            ready: BTreeSet::new(),
            gone: BTreeSet::new(),
            building: BTreeSet::new(),
            wished: 0,
            hard: false,
            stopping: false,
            last_words: BTreeMap::new(),
            returns: 0,
            came_back: 0,
            too_late: 0,
        }
    }

    pub(crate) fn wake_at(&self) -> Option<Instant> {
        self.machine.wake_at()
    }

    /// Jobs on this node, as its machine says.
    pub(crate) fn held(&self) -> usize {
        self.machine.held()
    }

    /// Tells the machine and judges what it wants.
    pub(crate) fn tell(&mut self, now: Instant, event: NodeEvent) -> Vec<NodeAction> {
        self.now = now;
        let lost = self.understand(&event);
        let mut actions = Vec::new();
        self.machine.handle(now, event, &mut actions);
        for action in &actions {
            self.judge(action, lost);
        }
        self.judge_whole();
        actions
    }

    /// The slot that this event says is lost.
    fn understand(&mut self, event: &NodeEvent) -> Option<SlotId> {
        match event {
            NodeEvent::SlotReady { slot } => {
                assert!(self.building.remove(slot), "the world makes no sense");
                self.ready.insert(*slot);
            }
            NodeEvent::SlotLost { slot } => {
                self.ready.remove(slot);
                self.building.remove(slot);
                return Some(*slot);
            }
            NodeEvent::Offered { spec, attempt } => {
                let key = (spec.job, *attempt);
                if !self.tries.contains_key(&key) {
                    self.wished = self.wished.saturating_sub(1);
                    let spec = spec.clone();
                    let (slot, started, asked) = (None, None, None);
                    let (killed, cancelled, recalled) = (false, false, false);
                    let slow = 0;
                    let track = Track { spec, slot, started, asked, killed, cancelled, recalled, slow };
                    self.tries.insert(key, track);
                }
            }
            NodeEvent::Recalled { job, attempt, was_started, .. } => {
                self.came_back += u32::from(!was_started);
                self.too_late += u32::from(*was_started);
                if let Some(track) = self.tries.get_mut(&(*job, *attempt)) {
                    track.recalled = false;
                    if !was_started {
                        track.slot = None;
                    }
                }
            }
            NodeEvent::Cancel { job, attempt } => {
                if let Some(track) = self.tries.get_mut(&(*job, *attempt)) {
                    track.cancelled = true;
                }
            }
            NodeEvent::CancelAll { hard } => {
                self.stopping = true;
                self.hard |= hard;
                self.tries.values_mut().for_each(|track| track.cancelled = true);
            }
            NodeEvent::Start | NodeEvent::Ended { .. } | NodeEvent::Tick | NodeEvent::Expected { .. } => {}
        }
        None
    }

    fn track(&mut self, job: JobId, attempt: Attempt) -> &mut Track {
        self.tries.get_mut(&(job, attempt)).expect("the node holds this try")
    }

    fn judge(&mut self, action: &NodeAction, lost: Option<SlotId>) {
        let now = self.now;
        match action {
            NodeAction::Want { count } => {
                assert!(!self.stopping, "asks for jobs while stopping");
                assert!(*count > 0);
                self.wished += count;
            }
            NodeAction::Send { slot, spec, attempt } => {
                assert!(self.ready.contains(slot), "{slot:?} is not there");
                assert!(!self.stopping, "sends while stopping");
                let track = self.track(spec.job, *attempt);
                assert!(!track.cancelled && track.slot.is_none() && track.spec == *spec, "{action:?}");
                track.slot = Some(*slot);
            }
            NodeAction::Recall { slot, job, attempt } => {
                let track = self.track(*job, *attempt);
                assert!(
                    track.slot == Some(*slot) && track.started.is_none() && !track.recalled,
                    "{action:?}"
                );
                track.recalled = true;
            }
            NodeAction::Terminate { slot, job, attempt } => {
                self.judge_ending(*slot, *job, *attempt);
                let track = self.track(*job, *attempt);
                assert!(track.asked.is_none() && !track.killed, "asked twice to end");
                track.asked = Some(now);
            }
            NodeAction::Kill { slot, job, attempt } => {
                self.judge_ending(*slot, *job, *attempt);
                let (grace, hard) = (self.settings.grace, self.hard);
                let track = self.track(*job, *attempt);
                assert!(!track.killed, "killed twice");
                let patient = track.asked.is_some_and(|asked| now.since(asked) >= grace);
                assert!(hard || patient || grace.is_zero(), "killed before its grace was over");
                track.killed = true;
            }
            NodeAction::Build { slot } => {
                assert!(!self.gone.contains(slot) && !self.ready.contains(slot), "{action:?}");
                assert!(self.building.insert(*slot), "built twice");
            }
            NodeAction::GiveUp { slot } => assert!(self.gone.insert(*slot), "given up twice"),
            NodeAction::Started { slot, job, attempt } => {
                let track = self.track(*job, *attempt);
                assert!(track.slot == Some(*slot) && track.started.is_none(), "{action:?}");
                track.started = Some(now);
            }
            NodeAction::Finished { slot, job, attempt, cause } => {
                self.judge_finish(*slot, (*job, *attempt), *cause, lost);
            }
            NodeAction::Slow { job, attempt, elapsed } => {
                let track = self.track(*job, *attempt);
                track.slow += 1;
                let period = track.spec.limits.slow_after.expect("a slow limit");
                assert_eq!(*elapsed, now.since(track.started.expect("it runs")));
                assert!(*elapsed >= period * track.slow, "announced too early: {elapsed:?}");
            }
            NodeAction::Return { job, attempt } => {
                let track = self.tries.remove(&(*job, *attempt)).expect("the node holds this try");
                assert!(track.started.is_none(), "gives back what it has started");
                assert!(track.slot.is_none() || track.slot == lost, "gives back what a slot still holds");
                *self.last_words.entry((*job, *attempt)).or_default() += 1;
                self.returns += 1;
            }
        }
    }

    fn judge_ending(&mut self, slot: SlotId, job: JobId, attempt: Attempt) {
        let now = self.now;
        let track = self.track(job, attempt);
        assert_eq!(track.slot, Some(slot));
        let started = track.started.expect("it runs");
        let late = track.spec.limits.timeout.is_some_and(|timeout| now.since(started) >= timeout);
        assert!(track.cancelled || late, "ended for no reason");
    }

    fn judge_finish(&mut self, slot: SlotId, key: Try, cause: Cause, lost: Option<SlotId>) {
        let track = self.tries.remove(&key).expect("the node holds this try");
        assert_eq!(track.slot, Some(slot));
        let started = track.started.expect("it ran");
        let ended = track.asked.is_some() || track.killed;
        let late = track.spec.limits.timeout.is_some_and(|timeout| self.now.since(started) >= timeout);
        match cause {
            Cause::Natural => assert!(!ended && lost.is_none()),
            Cause::Timeout => assert!(ended && late),
            Cause::Cancelled => assert!(ended && track.cancelled),
            Cause::SlotLost => assert!(!ended && lost == Some(slot)),
        }
        *self.last_words.entry(key).or_default() += 1;
    }

    /// What must hold after every event.
    fn judge_whole(&self) {
        assert_eq!(self.machine.held(), self.tries.len(), "jobs on the node");
        let each = if self.settings.prefetch { 2 } else { 1 };
        let most = self.settings.slots * each;
        let held = u32::try_from(self.tries.len()).unwrap();
        assert!(held <= most, "{held} jobs for {} slots", self.settings.slots);
        let mut running = BTreeSet::new();
        let mut queued = BTreeSet::new();
        for track in self.tries.values() {
            let Some(slot) = track.slot else { continue };
            assert!(self.ready.contains(&slot), "a job sits in a dead slot");
            let place = if track.started.is_some() { &mut running } else { &mut queued };
            assert!(place.insert(slot), "two jobs in one place of {slot:?}");
        }
        assert!(queued.is_subset(&running), "a job is queued behind nothing");
        let wake = self.machine.wake_at();
        for track in self.tries.values() {
            if let (Some(started), Some(timeout)) = (track.started, track.spec.limits.timeout)
                && !track.killed
            {
                let grace = track.asked.map(|asked| asked + self.settings.grace);
                let due = grace.unwrap_or(started + timeout);
                assert!(wake.is_some_and(|at| at <= due), "sleeps past {due:?}: {wake:?}");
            }
        }
        if self.stopping {
            for track in self.tries.values() {
                let asked = track.asked.is_some() && !self.hard;
                let ending = asked || track.killed || track.recalled;
                assert!(ending || track.started.is_none(), "goes on while stopping");
                assert!(track.slot.is_some(), "keeps a job while stopping");
            }
            return;
        }
        // No slot is idle beside a job that could run there.
        let idle = self.ready.iter().filter(|slot| !running.contains(slot)).count();
        let waiting = self.tries.values().filter(|track| track.slot.is_none()).count();
        assert!(idle == 0 || waiting == 0, "{waiting} jobs wait beside {idle} idle slots");
        let coming = self.tries.values().filter(|track| track.recalled).count();
        let stealable = self
            .tries
            .values()
            .filter(|track| track.slot.is_some() && track.started.is_none() && !track.recalled)
            .filter(|track| !track.cancelled)
            .count();
        assert!(idle <= coming || stealable == 0, "{stealable} queued beside {idle} idle slots");
        // Every ready slot has a job, or one is asked for.
        let ready = u32::try_from(self.ready.len()).unwrap();
        assert!(held + self.wished >= ready, "asks for too little");
    }
}
