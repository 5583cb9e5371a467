//! What an answer means: a final result, another try, or a job left out.

use super::{JobResult, Live, Phase, RunAction, RunMachine};
use crate::{near, retry};
use seatrial_model::{Attempt, End, Event, JobId, JobKind, NodeId, Outcome, Output, TestRef, Verdict};

impl RunMachine {
    pub(super) fn finished(
        &mut self,
        node: NodeId,
        job: JobId,
        attempt: Attempt,
        mut result: JobResult,
        out: &mut Vec<RunAction>,
    ) {
        if let Some(near) = self.held_mut(node, job, attempt).and_then(|live| near::group(&live.spec)) {
            self.queue.groups.set_begun(near, result.end != Some(End::SlotLost));
        }
        let Some(live) = self.take_held(node, job, attempt) else { return };
        if live.spec.kind != JobKind::Verdict {
            self.hand_over(live, result, out);
            return;
        }
        if live.members.is_some() {
            self.finished_members(live, result, out);
            return;
        }
        let unread = result.verdicts.is_empty();
        if unread {
            result.verdicts.push(no_result(live.spec.test.clone()));
        }
        // A group of which nothing was read has no test to try again: the next try would report other names.
        let group_unread = unread && retry::is_group(&live.spec);
        if let [verdict] = result.verdicts.as_slice()
            && !group_unread
            && self.phase == Phase::Open
            && live.owed.as_ref().is_none_or(|owed| *owed == verdict.test)
            && retry::after_try(verdict.outcome, live.retried, self.settings.retries)
        {
            self.try_again(live, result, out);
        } else {
            self.conclude(live, result, out);
        }
    }

    /// The next number fences what the node may still say about this one.
    pub(super) fn returned(&mut self, node: NodeId, job: JobId, attempt: Attempt, out: &mut Vec<RunAction>) {
        // A node gives back only what it did not start, so this is the echo of a doubled offer: a result follows.
        if self.held_mut(node, job, attempt).is_none_or(|live| live.is_started()) {
            return;
        }
        self.held.remove(&(node, job));
        if let Some(mut live) = self.live.remove(&job) {
            live.attempt = attempt.next();
            let near = near::group(&live.spec);
            self.enqueue(live, out);
            // Only now, so that a group that has begun still waits for its slot.
            if let Some(near) = near {
                self.queue.groups.let_go(near);
            }
        }
    }

    pub(super) fn node_lost(&mut self, node: NodeId, out: &mut Vec<RunAction>) {
        self.lost.insert(node);
        self.wishes.forget(node);
        self.queue.groups.leave_node(node);
        let jobs: Vec<JobId> =
            self.held.range((node, JobId(0))..=(node, JobId(u32::MAX))).map(|&(_, job)| job).collect();
        // All first: the end of one may end the run, and nothing is asked of a dead node.
        let bereaved: Vec<Live> = jobs.into_iter().filter_map(|job| self.drop_held(node, job)).collect();
        for mut live in bereaved {
            live.deaths += 1;
            self.bereaved(live, out);
        }
    }

    /// Never to be run (again), because the run ends.
    pub(super) fn leave_out(&mut self, live: Live, out: &mut Vec<RunAction>) {
        let reason = "the run ended before its turn";
        if live.spec.kind != JobKind::Verdict {
            let result = JobResult::saying(&live.spec.test, Outcome::Cancelled, reason);
            self.hand_over(live, result, out);
        } else if live.members.is_some() {
            self.conclude_members(live, None, out);
        } else if let Some(test) = &live.owed {
            let result =
                JobResult::saying(test, Outcome::Cancelled, "the run ended before it was tried again");
            self.conclude(live, result, out);
        } else {
            self.counts.not_run += 1;
            self.done.insert(live.spec.job);
        }
    }

    /// A result that no job of this machine stands for.
    pub(super) fn judged(&mut self, result: JobResult, out: &mut Vec<RunAction>) {
        self.report(Attempt::FIRST, None, result, out);
    }

    /// The job's node died. It runs again elsewhere, unless it has seen too many die or the run ends.
    fn bereaved(&mut self, mut live: Live, out: &mut Vec<RunAction>) {
        let reason = if !retry::after_death(live.deaths) {
            format!("its node died {} times", live.deaths)
        } else if self.hands_out(live.spec.kind) {
            // An attempt that nobody heard of leaves no trace. Nor does a group's: its tests are not known by name.
            let speaks = live.members.is_none() && !retry::is_group(&live.spec);
            if live.is_started() && live.spec.kind == JobKind::Verdict && speaks {
                let lost = JobResult::saying(&live.spec.test, Outcome::Lost, "its node died");
                self.report_try(&mut live, lost, out);
            }
            live.attempt = live.attempt.next();
            self.enqueue(live, out);
            return;
        } else if live.is_started() {
            "its node died while the run was ending".to_owned()
        } else {
            self.leave_out(live, out);
            return;
        };
        let result = JobResult::saying(&live.spec.test, Outcome::Lost, &reason);
        if live.members.is_some() {
            self.conclude_members(live, result.verdicts.first(), out);
        } else if live.spec.kind == JobKind::Verdict {
            self.conclude(live, result, out);
        } else {
            self.hand_over(live, result, out);
        }
    }

    fn try_again(&mut self, mut live: Live, result: JobResult, out: &mut Vec<RunAction>) {
        self.report_try(&mut live, result, out);
        live.retried += 1;
        live.attempt = live.attempt.next();
        self.enqueue(live, out);
    }

    fn hand_over(&mut self, live: Live, result: JobResult, out: &mut Vec<RunAction>) {
        self.done.insert(live.spec.job);
        out.push(RunAction::Handed { spec: live.spec, result: Box::new(result) });
    }

    /// Reports a bad try that is not the last; a final report is owed from now on.
    fn report_try(&self, live: &mut Live, result: JobResult, out: &mut Vec<RunAction>) {
        let JobResult { end, usage, output, verdicts, notes, .. } = result;
        if let Some(verdict) = verdicts.into_iter().next() {
            live.owed = Some(verdict.test.clone());
            let own = JobResult { end, usage, output, notes, ..JobResult::default() };
            out.push(RunAction::Emit(told(verdict, live.attempt, (false, false), own)));
        }
    }

    /// The job is done with these verdicts.
    fn conclude(&mut self, live: Live, mut result: JobResult, out: &mut Vec<RunAction>) {
        // A test that was announced as tried again must not vanish when the repetition does not name it.
        if let Some(owed) = &live.owed
            && !result.verdicts.iter().any(|verdict| verdict.test == *owed)
        {
            result.verdicts.push(no_result(owed.clone()));
        }
        self.done.insert(live.spec.job);
        self.report(live.attempt, live.owed.as_ref(), result, out);
    }

    /// Reports and counts final verdicts. What belongs to the process as a whole goes with one of them: its use with
    /// the first, its output with the first that is bad, where a reader looks for it.
    fn report(
        &mut self,
        attempt: Attempt,
        owed: Option<&TestRef>,
        result: JobResult,
        out: &mut Vec<RunAction>,
    ) {
        let JobResult { end, usage, output, verdicts, notes, .. } = result;
        let end = if verdicts.len() > 1 { None } else { end };
        let speaker = verdicts.iter().position(|verdict| verdict.outcome.is_bad()).unwrap_or(0);
        let mut said = Some((output, notes));
        for (index, verdict) in verdicts.into_iter().enumerate() {
            self.tally(verdict.outcome, owed == Some(&verdict.test));
            let (output, notes): (Output, Vec<String>) =
                if index == speaker { said.take().unwrap_or_default() } else { Default::default() };
            let usage = if index == 0 { usage } else { Default::default() };
            let own = JobResult { end, usage, output, notes, ..JobResult::default() };
            out.push(RunAction::Emit(told(verdict, attempt, (true, false), own)));
        }
        self.heed_max_fail(out);
    }

    pub(super) fn heed_max_fail(&mut self, out: &mut Vec<RunAction>) {
        if self.settings.max_fail.is_some_and(|limit| self.bad >= limit.max(1)) {
            self.stop(Phase::Draining, out);
        }
    }

    pub(super) fn tally(&mut self, outcome: Outcome, tried_before: bool) {
        let counts = &mut self.counts;
        match outcome {
            Outcome::Pass => {
                counts.passed += 1;
                counts.flaky += u32::from(tried_before);
            }
            Outcome::Fail | Outcome::Timeout | Outcome::Crash | Outcome::Oom => counts.failed += 1,
            Outcome::Error | Outcome::Lost => counts.errors += 1,
            Outcome::Skip => counts.skipped += 1,
            Outcome::Cancelled => counts.not_run += 1,
        }
        self.bad += u32::from(outcome.is_bad() && outcome != Outcome::Cancelled);
    }
}

impl JobResult {
    /// A result without a process: one verdict.
    fn saying(test: &TestRef, outcome: Outcome, reason: &str) -> Self {
        let verdict = Verdict { test: test.clone(), outcome, reason: Some(reason.to_owned()) };
        Self { verdicts: vec![verdict], ..Self::default() }
    }
}

pub(super) fn no_result(test: TestRef) -> Verdict {
    Verdict { test, outcome: Outcome::Error, reason: Some("no result was read".to_owned()) }
}

/// The report of one verdict, with what of its job's result goes with it.
pub(super) fn told(
    verdict: Verdict,
    attempt: Attempt,
    (last, order_dependent): (bool, bool),
    own: JobResult,
) -> Event {
    let Verdict { test, outcome, reason } = verdict;
    let JobResult { end, usage, output, notes, .. } = own;
    Event::AttemptFinished {
        test,
        attempt,
        outcome,
        reason,
        end,
        usage,
        output,
        last,
        order_dependent,
        notes,
    }
}
