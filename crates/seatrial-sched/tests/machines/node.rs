//! A node machine under watch: every action is held against what the machine was told and what it did before.

use seatrial_model::{Attempt, Instant, JobId, JobKind, JobSpec, Near, SlotId};
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
    /// Jobs asked for and not got, of each slot.
    pub(crate) wished: BTreeMap<SlotId, u32>,
    /// The group of which a job began there last.
    begun: BTreeMap<SlotId, Near>,
    /// Groups of which a job was offered for the slot, or was there before.
    meant: BTreeSet<(SlotId, Near)>,
    /// A job of a group was offered.
    grouped: bool,
    pub(crate) hard: bool,
    pub(crate) stopping: bool,
    /// Last words about a try: how often each was said, whatever came of it.
    pub(crate) last_words: BTreeMap<Try, u32>,
    pub(crate) returns: u32,
    pub(crate) came_back: u32,
    pub(crate) too_late: u32,
    /// Groups that an idle slot took over from the slot that they were meant for.
    pub(crate) moved: u32,
    /// Jobs that ran in another slot than the rest of their group.
    pub(crate) helped: u32,
}

struct Track {
    spec: JobSpec,
    /// The slot that it was offered for.
    asked: SlotId,
    slot: Option<SlotId>,
    started: Option<Instant>,
    told: Option<Instant>,
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
            wished: BTreeMap::new(),
            begun: BTreeMap::new(),
            meant: BTreeSet::new(),
            grouped: false,
            hard: false,
            stopping: false,
            last_words: BTreeMap::new(),
            returns: 0,
            came_back: 0,
            too_late: 0,
            moved: 0,
            helped: 0,
        }
    }

    /// Jobs asked for and not got.
    pub(crate) fn wishes(&self) -> u32 {
        self.wished.values().sum()
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
                self.begun.remove(slot);
                self.building.remove(slot);
                return Some(*slot);
            }
            NodeEvent::Offered { slot, spec, attempt } => {
                let key = (spec.job, *attempt);
                if !self.tries.contains_key(&key) {
                    let wished = self.wished.entry(*slot).or_default();
                    *wished = wished.saturating_sub(1);
                    self.grouped |= group(spec).is_some();
                    self.meant.extend(group(spec).map(|near| (*slot, near)));
                    self.tries.insert(key, Track::new(spec, *slot));
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
            NodeEvent::Released { slot, near } => {
                let more = self.tries.values().any(|track| {
                    track.bound() == Some(*near) && track.slot.is_none_or(|other| other == *slot)
                });
                if !more && self.begun.get(slot) == Some(near) {
                    self.begun.remove(slot);
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
            NodeEvent::Start
            | NodeEvent::Ended { .. }
            | NodeEvent::WentOn { .. }
            | NodeEvent::Tick
            | NodeEvent::Expected { .. } => {}
        }
        None
    }

    fn track(&mut self, job: JobId, attempt: Attempt) -> &mut Track {
        self.tries.get_mut(&(job, attempt)).expect("the node holds this try")
    }

    fn judge(&mut self, action: &NodeAction, lost: Option<SlotId>) {
        let now = self.now;
        match action {
            NodeAction::Want { slot, count } => {
                assert!(!self.stopping, "asks for jobs while stopping");
                assert!(*count > 0 && self.ready.contains(slot), "{action:?}");
                *self.wished.entry(*slot).or_default() += count;
            }
            NodeAction::Send { slot, spec, attempt } => {
                assert!(self.ready.contains(slot), "{slot:?} is not there");
                assert!(!self.stopping, "sends while stopping");
                self.judge_place(*slot, spec, *attempt);
                let track = self.track(spec.job, *attempt);
                assert!(!track.cancelled && track.slot.is_none() && track.spec == *spec, "{action:?}");
                track.slot = Some(*slot);
            }
            NodeAction::Recall { slot, job, attempt } => {
                self.judge_recall(*slot, *job, *attempt);
            }
            NodeAction::Terminate { slot, job, attempt } => {
                self.judge_ending(*slot, *job, *attempt);
                let track = self.track(*job, *attempt);
                assert!(track.told.is_none() && !track.killed, "asked twice to end");
                track.told = Some(now);
            }
            NodeAction::Kill { slot, job, attempt } => {
                self.judge_ending(*slot, *job, *attempt);
                let (grace, hard) = (self.settings.grace, self.hard);
                let track = self.track(*job, *attempt);
                assert!(!track.killed, "killed twice");
                let patient = track.told.is_some_and(|told| now.since(told) >= grace);
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
                if let Some(near) = group(&track.spec) {
                    self.begun.insert(*slot, near);
                }
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

    /// A job that must be together with others goes where they are.
    fn judge_place(&mut self, slot: SlotId, spec: &JobSpec, attempt: Attempt) {
        let asked = self.track(spec.job, attempt).asked;
        let Some(near) = group(spec) else { return };
        let mut elsewhere = self.tries.values().filter(|track| {
            group(&track.spec) == Some(near) && track.slot.is_some_and(|other| other != slot)
        });
        let torn = elsewhere.next().is_some();
        if self.meant.insert((slot, near)) {
            let kept = self.begun.get(&slot).filter(|begun| begun.together && **begun != near);
            assert_eq!(kept, None, "{slot:?} is kept for another group than {near:?}");
        }
        if !near.together {
            self.helped += u32::from(torn);
            return;
        }
        assert!(!torn, "{near:?} is in two slots");
        if slot != asked && self.begun.get(&slot) != Some(&near) {
            let home = self.begun.get(&asked) == Some(&near);
            assert!(!home, "{near:?} leaves {asked:?}, where it has begun");
            self.moved += 1;
        }
    }

    fn judge_recall(&mut self, slot: SlotId, job: JobId, attempt: Attempt) {
        let begun = self.begun.get(&slot).copied();
        let stopping = self.stopping;
        let track = self.track(job, attempt);
        let torn = track.bound().is_some() && track.bound() == begun;
        assert!(!torn || track.cancelled || stopping, "tears a group apart");
        let queued = track.slot == Some(slot) && track.started.is_none();
        assert!(queued && !track.recalled, "asks {slot:?} for {job:?} back");
        track.recalled = true;
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
        let ended = track.told.is_some() || track.killed;
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
        // One that an idle slot can run is taken in even when others have filled the node.
        let most = self.settings.slots * (each + u32::from(self.grouped));
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
                let grace = track.told.map(|told| told + self.settings.grace);
                let due = grace.unwrap_or(started + timeout);
                assert!(wake.is_some_and(|at| at <= due), "sleeps past {due:?}: {wake:?}");
            }
        }
        if self.stopping {
            for track in self.tries.values() {
                let told = track.told.is_some() && !self.hard;
                let ending = told || track.killed || track.recalled;
                assert!(ending || track.started.is_none(), "goes on while stopping");
                assert!(track.slot.is_some(), "keeps a job while stopping");
            }
            return;
        }
        self.judge_idle(&running);
    }

    /// No slot is idle beside a job that could run there, nor without having asked for one.
    fn judge_idle(&self, running: &BTreeSet<SlotId>) {
        let idle: Vec<&SlotId> = self.ready.iter().filter(|slot| !running.contains(slot)).collect();
        let settled = |near: Near| {
            let there = self.tries.values().any(|track| track.bound() == Some(near) && track.slot.is_some());
            there || self.begun.values().any(|begun| *begun == near)
        };
        let kept = |slot: &SlotId| self.begun.get(slot).is_some_and(|near| near.together);
        let takers = |track: &Track| {
            let open = |slot: &&&SlotId| group(&track.spec).is_none() || !kept(slot);
            idle.iter().filter(open).count()
        };
        for track in self.tries.values().filter(|track| track.slot.is_none()) {
            let free = !track.bound().is_some_and(settled);
            assert!(!free || takers(track) == 0, "{:?} waits beside idle slots {idle:?}", track.spec);
        }
        let coming = self.tries.values().filter(|track| track.recalled).count();
        for track in self.tries.values() {
            let still = track.started.is_none() && !track.recalled && !track.cancelled;
            let begun = track.slot.and_then(|slot| self.begun.get(&slot).copied());
            let free = track.slot.is_some() && (track.bound().is_none() || begun != track.bound());
            let stealable = still && free;
            assert!(!stealable || takers(track) <= coming, "{:?} is queued beside {idle:?}", track.spec);
        }
        // Every ready slot has a job, or one is asked for.
        let ready = u32::try_from(self.ready.len()).unwrap();
        let held = u32::try_from(self.tries.len()).unwrap();
        assert!(held + self.wishes() >= ready, "asks for too little");
        let mute = idle.iter().any(|slot| self.wished.get(slot).is_none_or(|count| *count == 0));
        assert!(!mute || !self.grouped, "an idle slot does not ask");
    }
}

impl Track {
    fn new(spec: &JobSpec, asked: SlotId) -> Self {
        Self {
            spec: spec.clone(),
            asked,
            slot: None,
            started: None,
            told: None,
            killed: false,
            cancelled: false,
            recalled: false,
            slow: 0,
        }
    }

    /// The group that it must be together with.
    fn bound(&self) -> Option<Near> {
        group(&self.spec).filter(|near| near.together)
    }
}

/// Only tests have a group.
fn group(spec: &JobSpec) -> Option<Near> {
    spec.near.filter(|_| spec.kind == JobKind::Verdict)
}
