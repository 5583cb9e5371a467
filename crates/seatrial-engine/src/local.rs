//! The loop: planner, deciders and slots of this machine, bound together in one thread.

mod last;

use crate::clock::Clock;
use crate::inbox::{Inbox, Input, Outbox};
use crate::launches::Prepared;
use crate::layers::{self, Policy, Work};
use crate::pool::{Pool, Token};
use crate::reporting::{Reporting, Subscriber};
use crate::results;
use crate::settings::Settings;
use crate::signals;
use crate::slots::{InFlight, tag};
use crate::source::Source;
use seatrial_model::{
    Attempt, Counts, End, Event, Facts, Instant, JobId, JobKind, JobSpec, LaunchId, NodeId, NoticeLevel,
    Outcome, Output, SlotId, SpawnStep, Usage, Verdict,
};
use seatrial_plan::{PlanAction, PlanEvent, Planner};
use seatrial_sandbox::{Ended, Isolation, JobEnd, SlotMessage, Step};
use seatrial_sched::{
    Cause, JobResult, NodeAction, NodeEvent, NodeMachine, NodeSettings, Planned, RunAction, RunEvent,
    RunMachine, RunSettings, priority,
};
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};
use std::sync::mpsc::Sender;
use std::time::Duration;

/// How a run ended.
#[derive(Clone, Debug)]
pub struct RunEnd {
    /// Results by kind.
    pub counts: Counts,
    /// True when the user ended it.
    pub interrupted: bool,
    /// The passed-through job's end, when there was one.
    pub end: Option<End>,
    /// What subscribers failed at, in words.
    pub problems: Vec<String>,
    /// The code that the command is to exit with.
    pub exit_code: u8,
}

/// This machine's own number.
const HERE: NodeId = NodeId(0);

/// A job that runs longer than this is listened to; shorter ones are read once, when they have ended.
const LISTEN_AFTER: Duration = Duration::from_millis(3);

/// Jobs as short as this on average are handed over before the one before them has ended.
const SHORT_JOB: Duration = Duration::from_millis(25);

/// What cannot be ignored.
const KILL: i32 = 9;

/// An array is asked for more jobs when fewer wait.
const LOW: usize = 500;

pub(crate) struct Local<'a> {
    settings: &'a Settings,
    clock: Clock,
    inbox: Inbox,
    planner: &'a mut dyn Planner,
    source: &'a mut dyn Source,
    facts: &'a Facts,
    run: RunMachine,
    node: NodeMachine,
    pool: Pool,
    launches: BTreeMap<LaunchId, Prepared>,
    reporting: Reporting,
    layers: Sender<Work>,
    policy: Policy,
    /// Ends that wait for the node's word on their cause, then for their layers.
    ended: Option<(InFlight, EndedParts)>,
    held: BTreeMap<u64, (JobId, Attempt, JobResult)>,
    lost: Option<InFlight>,
    lost_memory: bool,
    work: VecDeque<RunAction>,
    buffer: Vec<u8>,
    mean: Mean,
    interrupts: u32,
    complete: bool,
    passed_end: Option<End>,
    said_read_only: bool,
    given_up: u32,
    /// Why the framework wants no more tests.
    stopped: Option<String>,
}

/// What a slot said of an ended job.
pub(crate) struct EndedParts {
    pub(crate) end: End,
    pub(crate) usage: Usage,
    pub(crate) out_of_memory: bool,
    pub(crate) survivors: Vec<String>,
    written: Vec<seatrial_sandbox::LayerWritten>,
}

/// A running mean of job durations, newer ones counting more.
#[derive(Default)]
struct Mean(Option<Duration>);

/// Carries a run out to its end.
///
/// `source` gets the planner's words. Subscribers get every event, the last being `RunFinished`.
///
/// # Errors
/// The machine gives no descriptor, thread or process, or containers were demanded and cannot be had.
pub fn run(
    settings: &mut Settings,
    facts: &Facts,
    planner: &mut dyn Planner,
    (outbox, inbox): (Outbox, Inbox),
    source: &mut dyn Source,
    subscribers: Vec<Box<dyn Subscriber>>,
    exit_code: &dyn Fn(&Counts, bool) -> u8,
) -> Result<RunEnd, String> {
    let clock = Clock::start();
    let problem = |error: io::Error| format!("the run could not be set up: {error}");
    let mut policy = Policy::new(settings)?;
    signals::forward(&outbox).map_err(problem)?;
    let (pool, notices) = Pool::start(settings)?;
    settings.header.isolation = pool.isolation().to_string();
    let mut reporting = Reporting::start(subscribers, clock.clone()).map_err(problem)?;
    reporting.tell(clock.now(), Event::RunStarted(settings.header.clone()));
    for (text, hint) in notices {
        reporting.tell(clock.now(), Event::Notice { level: NoticeLevel::Warning, text, hint });
    }
    policy.on_disk = pool.on_disk();
    let layers = layers::start(policy.clone(), outbox.clone()).map_err(problem)?;
    let mut local = Local {
        run: RunMachine::new(RunSettings {
            retries: settings.retries,
            max_fail: settings.max_fail,
            strict: settings.strict,
        }),
        node: NodeMachine::new(NodeSettings {
            slots: settings.slots,
            grace: settings.grace,
            short_job: SHORT_JOB,
            prefetch: !settings.passthrough,
        }),
        settings,
        clock,
        inbox,
        planner,
        source,
        facts,
        pool,
        launches: BTreeMap::new(),
        reporting,
        layers,
        policy,
        ended: None,
        held: BTreeMap::new(),
        work: VecDeque::new(),
        buffer: vec![0; 64 << 10],
        mean: Mean::default(),
        interrupts: 0,
        complete: false,
        passed_end: None,
        said_read_only: false,
        given_up: 0,
        stopped: None,
        lost: None,
        lost_memory: false,
    };
    local.begin().map_err(problem)?;
    while !local.complete {
        local.turn().map_err(|error| format!("the run's loop failed: {error}"))?;
    }
    Ok(local.finish(exit_code))
}

impl Local<'_> {
    fn begin(&mut self) -> io::Result<()> {
        self.pool.watch_inbox(self.inbox.descriptor())?;
        self.node(NodeEvent::Start);
        self.plan(PlanEvent::Begin);
        self.settle();
        Ok(())
    }

    /// Waits for something to happen and does what follows from it.
    fn turn(&mut self) -> io::Result<()> {
        let now = self.clock.now();
        let wake = [self.node.wake_at(), self.reporting.wake_at(), self.pool.listen_at(LISTEN_AFTER)];
        let wait = wake.into_iter().flatten().min().map(|at| at.since(now));
        for token in self.pool.wait(wait)? {
            match token {
                Token::Inbox => self.take_inputs(),
                Token::Slot(slot) => self.slot_messages(slot),
                Token::Output(slot) => self.read_output(slot),
            }
        }
        let now = self.clock.now();
        if self.node.wake_at().is_some_and(|at| at <= now) {
            self.node(NodeEvent::Tick);
        }
        self.pool.listen(now, LISTEN_AFTER)?;
        if self.reporting.wake_at().is_some_and(|at| at <= now) {
            self.reporting.flush();
        }
        self.settle();
        Ok(())
    }

    /// Carries out what the coordinator's decider wants, until it wants nothing more.
    fn settle(&mut self) {
        loop {
            while let Some(action) = self.work.pop_front() {
                self.run_action(action);
            }
            if self.run.pending() < LOW && !self.complete {
                self.plan(PlanEvent::RunningLow);
            }
            if self.work.is_empty() {
                return;
            }
        }
    }

    fn take_inputs(&mut self) {
        for input in self.inbox.take() {
            match input {
                Input::Plan(event) => self.plan(*event),
                Input::Notice { level, text, hint } => {
                    self.reporting.tell(self.clock.now(), Event::Notice { level, text, hint });
                }
                Input::Signal(signal) => self.signal(signal),
                Input::LayersDone { tag, notes, error } => self.layers_done(tag, notes, error),
            }
        }
    }

    /// Once polite, twice hard.
    fn signal(&mut self, signal: i32) {
        if signal == signals::STOP {
            self.stand_still();
            return;
        }
        self.interrupts += 1;
        let hard = self.interrupts > 1;
        if !hard {
            self.run(RunEvent::Cancel);
        }
        self.node(NodeEvent::CancelAll { hard });
    }

    /// The terminal's stop key: the tests stop too, and no clock runs meanwhile.
    fn stand_still(&mut self) {
        self.signal_jobs(signal_hook::consts::SIGSTOP);
        self.reporting.flush();
        self.clock.stand_still(signals::stop_here);
        self.signal_jobs(signal_hook::consts::SIGCONT);
    }

    fn signal_jobs(&mut self, signal: i32) {
        for (_, slot) in self.pool.slots() {
            if let Some(job) = &slot.running {
                let _ = slot.slot.signal(job.tag(), signal);
            }
        }
    }

    fn slot_messages(&mut self, id: SlotId) {
        while let Some(message) = self.pool.receive(id) {
            match message {
                SlotMessage::Ready { read_only, .. } => {
                    self.read_only_notice(&read_only);
                    self.node(NodeEvent::SlotReady { slot: id });
                }
                SlotMessage::Listening { refused, .. } => self.refused_notice(&refused),
                SlotMessage::Invitation(invitation) => {
                    // Where its groups cannot be entered, nobody comes and the slot starts the program itself.
                    if let Ok(doors) = self.pool.doors(id) {
                        self.source.invited(id, invitation, doors);
                    }
                }
                SlotMessage::Failed(failure) => {
                    let text = format!("slot {} could not be made: {failure}", id.0);
                    self.reporting.tell(
                        self.clock.now(),
                        Event::Notice { level: NoticeLevel::Warning, text, hint: None },
                    );
                }
                SlotMessage::Ended(ended) => self.job_ended(id, ended),
                SlotMessage::WentOn { tag } => {
                    let (job, attempt) = (JobId((tag >> 32) as u32), Attempt(tag as u32));
                    self.node(NodeEvent::WentOn { slot: id, job, attempt });
                }
                SlotMessage::Recalled { tag: recalled, was_started } => {
                    self.recalled(id, recalled, was_started)
                }
                SlotMessage::Gone => {
                    self.slot_lost(id);
                    return;
                }
            }
            // The answer may have set other things going; they come before the slot's next message.
            self.settle();
        }
    }

    fn read_only_notice(&mut self, read_only: &[String]) {
        if read_only.is_empty() || std::mem::replace(&mut self.said_read_only, true) {
            return;
        }
        let text =
            format!("shown read-only to tests, as it cannot be copied on write: {}", read_only.join(", "));
        self.reporting
            .tell(self.clock.now(), Event::Notice { level: NoticeLevel::Warning, text, hint: None });
    }

    fn refused_notice(&mut self, ports: &[u16]) {
        for port in ports {
            let text = format!("port {port} of this machine cannot be opened in a container");
            let told = Event::Notice { level: NoticeLevel::Warning, text, hint: None };
            self.reporting.tell(self.clock.now(), told);
        }
    }

    fn recalled(&mut self, id: SlotId, recalled: u64, was_started: bool) {
        let Some(slot) = self.pool.slot(id) else { return };
        if !was_started && slot.queued.as_ref().is_some_and(|job| job.tag() == recalled) {
            slot.queued = None;
            slot.slot.recalled();
        }
        let (job, attempt) = (JobId((recalled >> 32) as u32), Attempt(recalled as u32));
        self.node(NodeEvent::Recalled { slot: id, job, attempt, was_started });
    }

    fn job_ended(&mut self, id: SlotId, ended: Ended) {
        let now = self.clock.now();
        if self.settings.passthrough {
            self.read_output(id);
        }
        self.pool.unlisten(id);
        let Some((slot, folder)) = self.pool.slot_and_spill(id) else { return };
        let Some(job) = slot.ended(now, &mut self.buffer, folder) else { return };
        let (number, attempt, clean) = (job.spec.job, job.attempt, ended.clean);
        if job.tag() != ended.tag {
            // Not the job that we believe to run: the slot and we disagree, so it is not to be trusted.
            slot.running = Some(job);
            self.slot_lost(id);
            return;
        }
        self.mean.add(ended.wall);
        self.ended = Some((job, EndedParts::of(ended)));
        if clean {
            self.node(NodeEvent::Ended { slot: id, job: number, attempt });
            self.node(NodeEvent::Expected { mean: self.mean.0 });
        } else {
            // It ends by itself and its queued job has not started: the same as a death, but the result stands.
            self.pool.drop_slot(id);
            self.node(NodeEvent::SlotLost { slot: id });
        }
        self.ended = None;
    }

    /// A zygote is gone: what ran in its slot is lost, what was queued there is given back.
    fn slot_lost(&mut self, id: SlotId) {
        self.pool.unlisten(id);
        self.lost = self.pool.slot(id).and_then(|slot| slot.running.take());
        self.lost_memory = self.pool.lacked_memory(id);
        self.pool.drop_slot(id);
        self.node(NodeEvent::SlotLost { slot: id });
        self.lost = None;
    }

    fn read_output(&mut self, id: SlotId) {
        let passthrough = self.settings.passthrough;
        let mut broken = false;
        if let Some((slot, folder)) = self.pool.slot_and_spill(id) {
            slot.read(&mut self.buffer, folder, |stream, bytes| {
                if passthrough {
                    broken |= pass(stream, bytes).is_err();
                }
            });
        }
        if broken {
            // Nobody reads any more: natively the job would get SIGPIPE.
            self.run(RunEvent::Cancel);
        }
    }

    fn plan(&mut self, event: PlanEvent) {
        let mut actions = Vec::new();
        self.planner.handle(event, &mut actions);
        let mut planned = Vec::new();
        for action in actions {
            if let PlanAction::Job(spec) = action {
                let facts = spec.tests().iter().map(|test| self.facts.tests.get(test));
                let priority = priority(spec.kind, facts);
                planned.push(Planned { spec, priority });
                continue;
            }
            if !planned.is_empty() {
                self.run(RunEvent::JobsAdded(std::mem::take(&mut planned)));
            }
            self.plan_action(action);
        }
        if !planned.is_empty() {
            self.run(RunEvent::JobsAdded(planned));
        }
    }

    fn plan_action(&mut self, action: PlanAction) {
        match action {
            PlanAction::Launch(id, launch) => {
                self.launches.insert(id, Prepared::new(&launch));
            }
            PlanAction::WarmUp(id) => self.warm_up(id),
            PlanAction::Invite(id) => self.invite(id),
            PlanAction::Inform(id, second) => {
                if let Some(warm) = self.launches.get_mut(&id).and_then(|launch| launch.warm.as_mut()) {
                    warm.second = Some(second.0);
                }
            }
            PlanAction::Skipped { test, reason } => self.run(RunEvent::Skipped { test, reason }),
            PlanAction::Listed { group, tests } => self.run(RunEvent::GroupListed { group, tests }),
            PlanAction::Judged { end, output, verdicts } => {
                let result = JobResult { end, output, verdicts, ..JobResult::default() };
                self.run(RunEvent::Judged { result });
            }
            PlanAction::Answer { call, end, output } => self.source.answer(call, end, output),
            PlanAction::Forward(ports) => self.pool.forward(&ports),
            PlanAction::Tell(message) => self.source.tell(message),
            PlanAction::Facts(facts) => self.reporting.tell(self.clock.now(), Event::Facts(facts)),
            PlanAction::Again { job, spec } => self.run(RunEvent::Again { job, spec }),
            PlanAction::MaxFail(limit) => self.run(RunEvent::MaxFail(limit)),
            PlanAction::Stop(reason) => {
                self.stopped.get_or_insert(reason);
                self.run(RunEvent::Stop);
            }
            PlanAction::Notice { level, text, hint } => {
                self.reporting.tell(self.clock.now(), Event::Notice { level, text, hint });
            }
            PlanAction::Complete => self.run(RunEvent::PlanComplete),
            PlanAction::Job(_) => {}
        }
    }

    /// Programs that stay in their slots start while the framework still looks for tests; one slot is left out, for its
    /// processor is the framework's.
    fn warm_up(&mut self, id: LaunchId) {
        let Some(launch) = self.launches.get(&id) else { return };
        let early = self.settings.slots.saturating_sub(1).max(1) as usize;
        for (_, slot) in self.pool.slots().take(early) {
            // One that cannot be told is gone: its own message will say so.
            let _ = slot.prepare(id.0, launch, true);
        }
    }

    /// Slots ask the framework's process for a fork of it. It cannot enter what is no container.
    fn invite(&mut self, id: LaunchId) {
        if self.pool.isolation() == Isolation::Process {
            return self.warm_up(id);
        }
        let Some(launch) = self.launches.get(&id) else { return };
        for (_, slot) in self.pool.slots() {
            let _ = slot.invite(id.0, launch);
        }
    }

    fn run(&mut self, event: RunEvent) {
        let mut actions = Vec::new();
        self.run.handle(self.clock.now(), event, &mut actions);
        self.work.extend(actions);
    }

    fn run_action(&mut self, action: RunAction) {
        match action {
            RunAction::Assign { slot, spec, attempt, .. } => {
                self.node(NodeEvent::Offered { slot, spec, attempt });
            }
            RunAction::Release { slot, near, .. } => self.node(NodeEvent::Released { slot, near }),
            RunAction::Cancel { job, attempt, .. } => self.node(NodeEvent::Cancel { job, attempt }),
            RunAction::Emit(event) => self.reporting.tell(self.clock.now(), event),
            RunAction::Handed { spec, result } => {
                let JobResult { end, output, verdicts, .. } = *result;
                self.plan(PlanEvent::Handed { spec, end, output, verdicts });
            }
            RunAction::Settled { spec, end, report, verdicts } => {
                self.plan(PlanEvent::Settled { spec, end, report, verdicts });
            }
            RunAction::Again { job, tests, round } => self.plan(PlanEvent::Again { job, tests, round }),
            RunAction::Complete => self.complete = true,
        }
    }

    fn node(&mut self, event: NodeEvent) {
        let mut actions = Vec::new();
        self.node.handle(self.clock.now(), event, &mut actions);
        for action in actions {
            self.node_action(action);
        }
    }

    fn node_action(&mut self, action: NodeAction) {
        match action {
            NodeAction::Want { slot, count } => self.run(RunEvent::Wanted { node: HERE, slot, count }),
            NodeAction::Send { slot, spec, attempt } => self.send(slot, spec, attempt),
            NodeAction::Recall { slot, job, attempt } => {
                self.tell_slot(slot, |slot| slot.recall(tag(job, attempt)));
            }
            NodeAction::Terminate { slot, job, attempt } => {
                self.tell_slot(slot, |slot| slot.signal(tag(job, attempt), signal_hook::consts::SIGTERM));
            }
            NodeAction::Kill { slot, job, attempt } => {
                self.tell_slot(slot, |slot| slot.signal(tag(job, attempt), KILL));
            }
            NodeAction::Build { slot } => match self.pool.build(slot) {
                Ok(true) => self.node(NodeEvent::SlotReady { slot }),
                Ok(false) => {}
                Err(_) => self.node(NodeEvent::SlotLost { slot }),
            },
            NodeAction::GiveUp { slot } => self.give_up(slot),
            NodeAction::Started { slot, job, attempt } => {
                self.run(RunEvent::Started { node: HERE, slot, job, attempt });
            }
            NodeAction::Finished { job, attempt, cause, .. } => self.finished(job, attempt, cause),
            NodeAction::Slow { job, attempt, elapsed } => {
                self.run(RunEvent::SlowJob { node: HERE, job, attempt, elapsed });
            }
            NodeAction::Return { job, attempt } => self.run(RunEvent::Returned { node: HERE, job, attempt }),
        }
    }

    /// A slot that cannot be told is gone; its own message will say so.
    fn tell_slot(&mut self, id: SlotId, tell: impl FnOnce(&seatrial_sandbox::Slot) -> io::Result<()>) {
        if let Some(slot) = self.pool.slot(id) {
            let _ = tell(&slot.slot);
        }
    }

    fn send(&mut self, slot: SlotId, spec: JobSpec, attempt: Attempt) {
        let now = self.clock.now();
        let stdin = self.settings.passthrough.then(rustix::stdio::stdin);
        let Some(launch) = self.launches.get(&spec.launch) else { return };
        // A slot that takes nothing is gone: its own message gives the job back.
        let _ = self.pool.send(slot, now, launch, (spec, attempt), stdin);
    }

    fn give_up(&mut self, slot: SlotId) {
        self.pool.drop_slot(slot);
        self.given_up += 1;
        self.run(RunEvent::SlotGone { node: HERE, slot });
        let text = format!("slot {} died three times while it was made; it is not made again", slot.0);
        let hint = Some("`seatrial doctor` tells what this machine lacks".into());
        self.reporting.tell(self.clock.now(), Event::Notice { level: NoticeLevel::Error, text, hint });
        if self.given_up >= self.settings.slots {
            self.run(RunEvent::NodeLost { node: HERE });
            self.run(RunEvent::Cancel);
        }
    }

    /// The node's last word about a job: reads its result and passes it on, at once or when its layers are seen to.
    fn finished(&mut self, job: JobId, attempt: Attempt, cause: Cause) {
        let lost = self.lost.take().map(|in_flight| (in_flight, EndedParts::lost(self.lost_memory)));
        let Some((in_flight, parts)) = self.ended.take().or(lost) else { return };
        let program = self.launches.get(&in_flight.spec.launch).map(|launch| launch.program.clone());
        let (spec, attempt_of, output, report) = in_flight.output();
        debug_assert_eq!((spec.job, attempt_of), (job, attempt));
        if self.settings.passthrough {
            self.passed_end = Some(parts.end);
        }
        let results::Judged { verdicts, output, parts: told } =
            results::judge(&spec, cause, &parts, (output, &report), program.as_deref());
        let bad = verdicts.iter().any(|verdict| verdict.outcome.is_bad());
        let notes = results::notes(&parts, bad, &output);
        let result = JobResult {
            end: Some(parts.end),
            usage: parts.usage,
            output,
            verdicts,
            notes,
            report,
            parts: told,
        };
        let answer = self.policy.decides(bad) && !parts.written.is_empty() && spec.kind != JobKind::Listing;
        let key = tag(job, attempt);
        if !parts.written.is_empty() {
            let test = spec.test.to_string();
            let _ = self.layers.send(Work { tag: key, test, bad, written: parts.written, answer });
        }
        if answer {
            self.held.insert(key, (job, attempt, result));
        } else {
            self.run(RunEvent::Finished { node: HERE, job, attempt, result });
        }
    }

    fn layers_done(&mut self, key: u64, notes: Vec<String>, error: Option<String>) {
        let Some((job, attempt, mut result)) = self.held.remove(&key) else { return };
        result.notes.extend(notes);
        if let Some(error) = error {
            let told = Event::Notice { level: NoticeLevel::Error, text: error.clone(), hint: None };
            self.reporting.tell(self.clock.now(), told);
            for verdict in &mut result.verdicts {
                verdict.outcome = Outcome::Error;
                verdict.reason = Some(error.clone());
            }
        }
        self.run(RunEvent::Finished { node: HERE, job, attempt, result });
    }

    fn finish(mut self, exit_code: &dyn Fn(&Counts, bool) -> u8) -> RunEnd {
        let mut counts = self.run.counts();
        let interrupted = self.interrupts > 0;
        self.end_source(interrupted, &mut counts);
        let now = self.clock.now();
        let exit_code = exit_code(&counts, interrupted);
        // Containers take some milliseconds to die: meanwhile the reports are written.
        self.pool.close();
        let wall = now.since(Instant(0));
        self.reporting.tell(now, Event::RunFinished { counts, wall, interrupted, exit_code });
        let mut problems = self.reporting.finish();
        problems.extend(self.pool.finish());
        RunEnd { counts, interrupted, end: self.passed_end, problems, exit_code }
    }
}

/// A result that no job stands for.
fn late(Verdict { test, outcome, reason }: Verdict, output: Output) -> Event {
    Event::AttemptFinished {
        test,
        attempt: Attempt::FIRST,
        outcome,
        reason,
        end: None,
        usage: Usage::default(),
        output,
        last: true,
        order_dependent: false,
        notes: Vec::new(),
    }
}

impl EndedParts {
    fn of(ended: Ended) -> Self {
        let end = match ended.end {
            JobEnd::Exit(code) => End::Exit(code),
            JobEnd::Signal(signal) => End::Signal(signal),
            JobEnd::NotStarted { step, errno } => End::NotStarted {
                step: match step {
                    Step::Clone => SpawnStep::Clone,
                    Step::Setup => SpawnStep::Setup,
                    Step::Chdir => SpawnStep::Chdir,
                    Step::Exec => SpawnStep::Exec,
                },
                errno,
            },
        };
        Self {
            end,
            usage: Usage {
                wall: ended.wall,
                user: ended.user,
                system: ended.system,
                peak_memory: ended.peak_memory,
            },
            out_of_memory: ended.out_of_memory,
            survivors: ended.survivors,
            written: ended.written,
        }
    }

    fn lost(out_of_memory: bool) -> Self {
        Self {
            end: End::SlotLost,
            usage: Usage::default(),
            out_of_memory,
            survivors: Vec::new(),
            written: Vec::new(),
        }
    }
}

impl Mean {
    fn add(&mut self, duration: Duration) {
        self.0 = Some(self.0.map_or(duration, |mean| (mean * 7 + duration) / 8));
    }
}

/// Passes a piece of output on to the user's own stream.
fn pass(stream: usize, bytes: &[u8]) -> io::Result<()> {
    if stream == 0 {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()
    } else {
        io::stderr().lock().write_all(bytes)
    }
}
