//! The end of a run: warm interpreters tear down what they have set up, and the source says its last words.

use super::{Local, late};
use crate::capture::drain;
use crate::inbox::Input;
use crate::pool::Token;
use seatrial_model::{
    Attempt, Captured, Counts, End, Event, JobId, JobKind, JobSpec, LaunchId, Limits, NoticeLevel, Outcome,
    Output, Reading, SlotId, TestRef, Verdict,
};
use seatrial_plan::{PlanAction, PlanEvent};
use seatrial_sandbox::{JobEnd, SlotMessage};
use std::collections::BTreeSet;
use std::time::Duration;

/// How long the last teardown in a slot may take.
const TEAR_DOWN: Duration = Duration::from_secs(30);

/// The same when the user wants the run to end.
const HURRY: Duration = Duration::from_secs(2);

impl Local<'_> {
    /// Lets warm interpreters and the source end, and counts what they still report.
    pub(super) fn end_source(&mut self, interrupted: bool, counts: &mut Counts) {
        self.cool_down(interrupted, counts);
        let reason = self.stopped.take().or_else(|| interrupted.then(|| "interrupted".to_owned()));
        let inbox = &self.inbox;
        let mut is_interrupted = || inbox.take().iter().any(|input| matches!(input, Input::Signal(_)));
        let closing = self.source.close(reason.as_deref(), &mut is_interrupted);
        if let Some(text) = closing.text {
            let told = Event::Notice { level: NoticeLevel::Info, text, hint: None };
            self.reporting.tell(self.clock.now(), told);
        }
        for verdict in closing.verdicts {
            self.tell_late(verdict, Output::default(), counts);
        }
    }

    fn tell_late(&mut self, verdict: Verdict, output: Output, counts: &mut Counts) {
        counts.errors += u32::from(verdict.outcome.is_bad());
        self.reporting.tell(self.clock.now(), late(verdict, output));
    }

    /// Gives each warm interpreter its last job and waits until all have ended.
    fn cool_down(&mut self, interrupted: bool, counts: &mut Counts) {
        let mut waiting = self.send_last_jobs();
        let deadline = self.clock.now() + if interrupted { HURRY } else { TEAR_DOWN };
        while !waiting.is_empty() {
            let now = self.clock.now();
            if now >= deadline {
                break;
            }
            let _ = self.pool.listen(now, Duration::ZERO);
            for token in self.pool.wait(Some(deadline.since(now))).unwrap_or_default() {
                match token {
                    Token::Output(slot) => self.read_output(slot),
                    Token::Slot(slot) => self.last_word(slot, &mut waiting, counts),
                    Token::Inbox => {
                        if self.inbox.take().iter().any(|input| matches!(input, Input::Signal(_))) {
                            waiting.clear();
                        }
                    }
                }
            }
        }
        self.read_what_is_left(counts);
        if !waiting.is_empty() && !interrupted {
            let reason = "what fixtures had set up for the session was not torn down in time".to_owned();
            let test = TestRef::new("pytest", "(teardown)");
            let verdict = Verdict { test, outcome: Outcome::Error, reason: Some(reason) };
            self.tell_late(verdict, Output::default(), counts);
        }
    }

    /// An interpreter that was dismissed during the run may have reported its teardown after its last job was read.
    fn read_what_is_left(&mut self, counts: &mut Counts) {
        if !self.launches.values().any(|prepared| prepared.warm.is_some()) {
            return;
        }
        let (mut left, buffer) = (Vec::new(), &mut self.buffer);
        for (_, slot) in self.pool.slots() {
            for set in 0..2 {
                drain(slot.slot.pipe(set, 2), buffer, |bytes| left.extend_from_slice(bytes));
            }
        }
        if !left.is_empty() {
            let nobodys = last_job(LaunchId(0), SlotId(0), &seatrial_model::Bytes::default());
            self.settle_late(nobodys, End::Exit(0), Captured::whole(left), counts);
        }
    }

    /// Lets the planner read a report that came after all results.
    fn settle_late(&mut self, spec: JobSpec, end: End, report: Captured, counts: &mut Counts) {
        let mut actions = Vec::new();
        let settled = PlanEvent::Settled { spec, end: Some(end), report, verdicts: Vec::new() };
        self.planner.handle(settled, &mut actions);
        for action in actions {
            self.last_action(action, counts);
        }
    }

    /// The slots that got one.
    fn send_last_jobs(&mut self) -> BTreeSet<SlotId> {
        let now = self.clock.now();
        let mut waiting = BTreeSet::new();
        for (launch, prepared) in &self.launches {
            let Some(warm) = &prepared.warm else { continue };
            for (id, slot) in self.pool.slots() {
                if !slot.has_served(launch.0) || slot.running.is_some() {
                    continue;
                }
                let spec = last_job(*launch, *id, &warm.last);
                if slot.send(now, prepared, spec, Attempt::FIRST, None).is_ok() {
                    waiting.insert(*id);
                }
            }
        }
        waiting
    }

    fn last_word(&mut self, id: SlotId, waiting: &mut BTreeSet<SlotId>, counts: &mut Counts) {
        let now = self.clock.now();
        while let Some(message) = self.pool.receive(id) {
            let end = match message {
                SlotMessage::Ended(ended) => match ended.end {
                    JobEnd::Exit(code) => End::Exit(code),
                    JobEnd::Signal(signal) => End::Signal(signal),
                    JobEnd::NotStarted { .. } => End::SlotLost,
                },
                SlotMessage::Gone => End::SlotLost,
                SlotMessage::Ready { .. }
                | SlotMessage::Listening { .. }
                | SlotMessage::Failed(_)
                | SlotMessage::WentOn { .. }
                | SlotMessage::Invitation(_)
                | SlotMessage::Recalled { .. } => continue,
            };
            self.pool.unlisten(id);
            waiting.remove(&id);
            let Some((slot, folder)) = self.pool.slot_and_spill(id) else { return };
            let Some(job) = slot.ended(now, &mut self.buffer, folder) else { return };
            let (spec, _, _, report) = job.output();
            self.settle_late(spec.clone(), end, report, counts);
            if end != End::Exit(0) {
                // Whether what was set up could be torn down is not known: that is no pass.
                let how = match end {
                    End::Signal(signal) => format!("it was killed by signal {signal}"),
                    End::Exit(code) => format!("it exited with {code}"),
                    End::SlotLost | End::NotStarted { .. } => "its slot died".to_owned(),
                };
                let reason = format!("the interpreter of slot {} did not end its teardown: {how}", id.0);
                let verdict = Verdict { test: spec.test, outcome: Outcome::Error, reason: Some(reason) };
                self.tell_late(verdict, Output::default(), counts);
            }
            if end == End::SlotLost {
                return;
            }
        }
    }

    fn last_action(&mut self, action: PlanAction, counts: &mut Counts) {
        match action {
            PlanAction::Judged { verdicts, output, .. } => {
                let mut said = Some(output);
                for verdict in verdicts {
                    self.tell_late(verdict, said.take().unwrap_or_default(), counts);
                }
            }
            PlanAction::Tell(message) => self.source.tell(message),
            PlanAction::Facts(facts) => self.reporting.tell(self.clock.now(), Event::Facts(facts)),
            PlanAction::Notice { level, text, hint } => {
                self.reporting.tell(self.clock.now(), Event::Notice { level, text, hint });
            }
            PlanAction::Launch(..)
            | PlanAction::Inform(..)
            | PlanAction::WarmUp(_)
            | PlanAction::Invite(_)
            | PlanAction::Job(_)
            | PlanAction::Skipped { .. }
            | PlanAction::Listed { .. }
            | PlanAction::Answer { .. }
            | PlanAction::Again { .. }
            | PlanAction::MaxFail(_)
            | PlanAction::Forward(_)
            | PlanAction::Stop(_)
            | PlanAction::Complete => {}
        }
    }
}

/// Jobs of a run count from 0; those of its end from the other side.
fn last_job(launch: LaunchId, slot: SlotId, payload: &seatrial_model::Bytes) -> JobSpec {
    JobSpec {
        job: JobId(u32::MAX - slot.0),
        launch,
        kind: JobKind::Verdict,
        test: TestRef::new("pytest", "(teardown)"),
        args: vec![payload.clone()],
        env: Vec::new(),
        reading: Reading::Pytest { tests: Vec::new() },
        limits: Limits::default(),
        near: None,
    }
}
