//! Jobs that report several tests, each by itself: what is decided of each of them, and what is run again.
//!
//! A bad test that ran after others in its process is run alone; one that is bad alone is run once more after all that
//! come before it in its file. One that then passes is order-dependent if it is bad once more where it was bad before;
//! else it is flaky, and has failed unless the user allows retries.

use super::settle::{no_result, told};
use super::{JobResult, Live, Part, Phase, RunAction, RunMachine};
use crate::retry;
use seatrial_model::{Attempt, Event, JobId, JobSpec, Outcome, Output, Round, TestRef, Usage, Verdict};
use std::collections::BTreeMap;
use std::time::Duration;

/// The tests of a job that are not decided yet.
#[derive(Clone, Debug)]
pub(super) struct Members(BTreeMap<TestRef, Member>);

#[derive(Clone, Debug)]
struct Member {
    attempt: Attempt,
    retried: u32,
    /// In whose company it runs next.
    round: Round,
    /// A bad result that stands unless it is shown to depend on the company.
    held: Option<Box<Held>>,
    /// A good result in other company, while it is looked whether the bad one comes again where it came before.
    good: Option<Box<Held>>,
}

/// A result before it is told.
#[derive(Clone, Debug)]
struct Held {
    verdict: Verdict,
    own: JobResult,
    /// The tests that ran before it in the same process and might have left something there.
    company: Vec<TestRef>,
}

/// What a try means for one of its tests.
enum Step {
    /// Its turn did not come.
    Wait,
    /// It is looked at in other company before anything is told.
    Hold(Round),
    /// It is good in other company: is it bad again in the one before?
    Confirm(Round),
    /// A bad try, and another one.
    Retry,
    /// This is its result.
    Final,
    /// What was held is its result.
    Stand,
    /// It is bad in one company and good in another.
    ByOrder,
    /// It is now good and now bad in the same company.
    Flaky,
    /// The run ends before it is known what it is.
    GiveUp,
}

impl Members {
    pub(super) fn of(spec: &JobSpec) -> Self {
        let member =
            Member { attempt: Attempt::FIRST, retried: 0, round: Round::Company, held: None, good: None };
        Self(spec.tests().iter().map(|test| (test.clone(), member.clone())).collect())
    }

    /// Those whose try is told when it begins: the others are looked at once more before anybody hears of them.
    pub(super) fn begun(&self, spec: &JobSpec) -> Vec<(TestRef, Attempt)> {
        let told = |test: &TestRef| {
            self.0
                .get(test)
                .filter(|member| member.held.is_none())
                .map(|member| (test.clone(), member.attempt))
        };
        spec.tests().iter().filter_map(told).collect()
    }

    /// The next round that has to be run, and the tests to be run in it. `patient`: what is to run after all others of its
    /// file comes last, and not before more is begun.
    fn next(&self, patient: bool) -> Option<(Round, Vec<TestRef>)> {
        let turn = |member: &Member| (patient && member.round == Round::After, member.round);
        let (first, member) = self.0.iter().min_by_key(|(_, member)| turn(member))?;
        if member.round == Round::Same {
            let company = member.held.as_ref().map(|held| held.company.clone()).unwrap_or_default();
            return Some((Round::Same, company.into_iter().chain([first.clone()]).collect()));
        }
        let tests = self.0.iter().filter(|(_, other)| other.round == member.round);
        Some((member.round, tests.map(|(test, _)| test.clone()).collect()))
    }
}

impl Member {
    /// `retries`: none when the run ends.
    fn step(&self, held: &Held, ran: bool, retries: Option<u32>) -> Step {
        let outcome = held.verdict.outcome;
        match (retries, &self.held) {
            (None, Some(_)) => Step::GiveUp,
            (None, None) => Step::Final,
            (Some(_), Some(_)) if self.good.is_some() && !ran => Step::Stand,
            (Some(_), Some(_)) if self.good.is_some() && outcome.is_bad() => Step::ByOrder,
            (Some(_), Some(_)) if self.good.is_some() => Step::Flaky,
            // Something before it has ended the process: it will do so again.
            (Some(_), Some(_)) if self.round == Round::After && !ran => Step::Stand,
            (Some(_), _) if !ran => Step::Wait,
            (Some(_), _) if outcome == Outcome::Cancelled => Step::Final,
            // Also one that skips itself: what failed must not end as if it had not.
            (Some(_), Some(first)) if !outcome.is_bad() => {
                Step::Confirm(if first.company.is_empty() { Round::Alone } else { Round::Same })
            }
            (Some(_), None) if !outcome.is_bad() => Step::Final,
            (Some(_), Some(_)) if self.round == Round::After => Step::Stand,
            (Some(_), None) if !held.company.is_empty() => Step::Hold(Round::Alone),
            (Some(retries), _) if retry::after_try(outcome, self.retried, retries) => Step::Retry,
            (Some(_), _) => Step::Hold(Round::After),
        }
    }
}

impl RunMachine {
    /// A try of a job with members has ended.
    pub(super) fn finished_members(
        &mut self,
        mut live: Live,
        mut result: JobResult,
        out: &mut Vec<RunAction>,
    ) {
        let Some(mut members) = live.members.take() else { return };
        let open = self.phase == Phase::Open;
        let ran = |part: &Part| part.ran;
        for test in live.spec.tests() {
            if !result.verdicts.iter().any(|verdict| verdict.test == *test) {
                result.verdicts.push(no_result(test.clone()));
            }
        }
        let progress = result.parts.is_empty() || result.parts.iter().any(ran);
        let report = std::mem::take(&mut result.report);
        let end = result.end;
        let mut finals = Vec::new();
        let mut told = Vec::new();
        for (held, part) in split(result) {
            let test = held.verdict.test.clone();
            let Some(mut member) = members.0.remove(&test) else { continue };
            match member.step(&held, part.ran, open.then_some(self.settings.retries)) {
                Step::Wait if progress => {
                    members.0.insert(test, member);
                }
                Step::Hold(round) => {
                    // Of two bad results the one that was alone says more.
                    (member.round, member.held) = (round, Some(Box::new(held)));
                    members.0.insert(test, member);
                }
                Step::Confirm(round) => {
                    (member.round, member.good) = (round, Some(Box::new(held)));
                    members.0.insert(test, member);
                }
                Step::Retry => {
                    told.push(bad_try(&mut member, held));
                    members.0.insert(test, member);
                }
                Step::Wait | Step::Final => {
                    let held = not_begun(held, part.ran, open);
                    finals.push(self.tell(&member, held, false, &mut told));
                }
                Step::Stand | Step::GiveUp => finals.push(self.give_up(test, member, &mut told)),
                Step::ByOrder => finals.push(self.by_order(test, member, &mut told)),
                Step::Flaky => finals.push(self.flaky(test, member, &mut told)),
            }
        }
        if !open {
            for (test, member) in std::mem::take(&mut members.0) {
                finals.push(self.give_up(test, member, &mut told));
            }
        }
        out.push(RunAction::Settled { spec: live.spec.clone(), end, report, verdicts: finals });
        out.extend(told.into_iter().map(RunAction::Emit));
        live.members = Some(members);
        self.ask_again(live, out);
        self.heed_max_fail(out);
    }

    /// The planner's answer.
    pub(super) fn again(&mut self, job: JobId, spec: Option<JobSpec>, out: &mut Vec<RunAction>) {
        let Some(mut live) = self.asked.remove(&job) else { return };
        live.attempt = live.attempt.next();
        if let Some(spec) = spec {
            live.spec = spec;
            self.enqueue(live, out);
            return;
        }
        let Some(mut members) = live.members.take() else { return };
        let (mut finals, mut told) = (Vec::new(), Vec::new());
        for test in members.next(self.is_patient()).map(|(_, tests)| tests).unwrap_or_default() {
            if let Some(member) = members.0.remove(&test) {
                finals.push(self.give_up(test, member, &mut told));
            }
        }
        self.say_late(&live, finals, told, out);
        live.members = Some(members);
        self.ask_again(live, out);
        self.heed_max_fail(out);
    }

    /// The job will not be run any more: what is known of its members is told, and `word` of those that ran last.
    pub(super) fn conclude_members(
        &mut self,
        mut live: Live,
        word: Option<&Verdict>,
        out: &mut Vec<RunAction>,
    ) {
        let Some(members) = live.members.take() else { return };
        let (mut finals, mut told) = (Vec::new(), Vec::new());
        for (test, member) in members.0 {
            match word {
                Some(word) => {
                    let verdict = Verdict { test, ..word.clone() };
                    finals.push(self.tell(&member, Held::word(verdict), false, &mut told));
                }
                None if member.held.is_none() && member.retried == 0 => self.counts.not_run += 1,
                None => finals.push(self.give_up(test, member, &mut told)),
            }
        }
        self.done.insert(live.spec.job);
        self.say_late(&live, finals, told, out);
        self.heed_max_fail(out);
    }

    /// Whether nobody waits for the first failure.
    const fn is_patient(&self) -> bool {
        self.settings.max_fail.is_none()
    }

    /// Asks the planner for the next round, if there is one.
    fn ask_again(&mut self, live: Live, out: &mut Vec<RunAction>) {
        let job = live.spec.job;
        let patient = self.is_patient();
        match live.members.as_ref().and_then(|members| members.next(patient)) {
            Some((round, tests)) => {
                self.asked.insert(job, live);
                out.push(RunAction::Again { job, tests, round });
            }
            None => self.done.insert(job),
        }
    }

    fn say_late(&self, live: &Live, verdicts: Vec<Verdict>, told: Vec<Event>, out: &mut Vec<RunAction>) {
        if !verdicts.is_empty() {
            let (spec, report) = (live.spec.clone(), Default::default());
            out.push(RunAction::Settled { spec, end: None, report, verdicts });
        }
        out.extend(told.into_iter().map(RunAction::Emit));
    }

    /// It is not run again. What was held is the result, unless the run ends before it is known what that means.
    fn give_up(&mut self, test: TestRef, mut member: Member, told: &mut Vec<Event>) -> Verdict {
        match member.held.take() {
            Some(held)
                if self.phase == Phase::Open || is_known(&member, &held) && self.phase != Phase::Draining =>
            {
                self.tell(&member, *held, false, told)
            }
            held => {
                told.extend(held.map(|held| bad_try(&mut member, *held)));
                let reason = Some("the run ended before it was tried again".to_owned());
                let word = Held::word(Verdict { test, outcome: Outcome::Cancelled, reason });
                self.tell(&member, word, false, told)
            }
        }
    }

    /// It is bad in one company and good in another, each time.
    fn by_order(&mut self, test: TestRef, mut member: Member, told: &mut Vec<Event>) -> Verdict {
        let (Some(held), Some(mut good)) = (member.held.take(), member.good.take()) else {
            return self.give_up(test, member, told);
        };
        let others = held.company.len();
        let is_good = if good.verdict.outcome == Outcome::Skip { "is skipped" } else { "passes" };
        if others > 0 {
            let how = format!("{is_good} alone, failed after {others} other tests in one process");
            good.verdict.reason = Some(format!("order-dependent: {how}"));
        } else if self.settings.strict {
            let how = format!("it {is_good} after the tests before it in its file: order-dependent");
            return self.tell(&member, held.with_reason(&how), false, told);
        } else {
            let how = format!("fails alone, {is_good} after the tests before it in its file");
            good.verdict.reason = Some(format!("order-dependent: {how}"));
        }
        told.push(bad_try(&mut member, *held));
        self.tell(&member, *good, true, told)
    }

    /// Nothing has changed between a bad try and a good one: a second chance is the user's to give.
    fn flaky(&mut self, test: TestRef, mut member: Member, told: &mut Vec<Event>) -> Verdict {
        let (Some(held), Some(good)) = (member.held.take(), member.good.take()) else {
            return self.give_up(test, member, told);
        };
        if self.settings.retries == 0 {
            return self.tell(&member, held.with_reason("flaky: run again, it passed"), false, told);
        }
        told.push(bad_try(&mut member, *held));
        self.tell(&member, *good, false, told)
    }

    /// The final word about a member.
    fn tell(&mut self, member: &Member, last: Held, order_dependent: bool, told: &mut Vec<Event>) -> Verdict {
        self.tally(last.verdict.outcome, member.retried > 0 && !order_dependent);
        self.counts.order_dependent += u32::from(order_dependent);
        let verdict = last.verdict.clone();
        told.push(last.event(member.attempt, true, order_dependent));
        verdict
    }
}

/// Whether it was bad alone: other company could only show what it depends on.
const fn is_known(member: &Member, held: &Held) -> bool {
    held.company.is_empty() && member.good.is_none()
}

/// A try that is not the last.
fn bad_try(member: &mut Member, held: Held) -> Event {
    let event = held.event(member.attempt, false, false);
    member.attempt = member.attempt.next();
    member.retried += 1;
    (member.round, member.held) = (Round::Alone, None);
    event
}

impl Held {
    fn word(verdict: Verdict) -> Self {
        Self { verdict, own: JobResult::default(), company: Vec::new() }
    }

    fn with_reason(mut self: Box<Self>, more: &str) -> Self {
        let reason = self.verdict.reason.take().filter(|reason| !reason.is_empty());
        self.verdict.reason =
            Some(reason.map_or_else(|| more.to_owned(), |reason| format!("{reason}; {more}")));
        *self
    }

    fn event(self, attempt: Attempt, last: bool, order_dependent: bool) -> Event {
        told(self.verdict, attempt, (last, order_dependent), self.own)
    }
}

/// A test of a run that ends, whose turn did not come, is not an error.
fn not_begun(mut held: Held, ran: bool, open: bool) -> Held {
    if !ran && !open && held.verdict.outcome == Outcome::Error {
        held.verdict.outcome = Outcome::Cancelled;
        held.verdict.reason = None;
    }
    held
}

/// Each verdict with what belongs to it. What belongs to the process as a whole goes with one of them: its use with
/// the first, its output with the first that is bad, where a reader looks for it.
fn split(result: JobResult) -> Vec<(Held, Part)> {
    let JobResult { end, usage, output, verdicts, notes, parts, .. } = result;
    let several = verdicts.len() > 1;
    // Where a report speaks, a good end of the process says nothing.
    let end = end.filter(|end| !several && *end != seatrial_model::End::Exit(0));
    let speaker = verdicts.iter().position(|verdict| verdict.outcome.is_bad()).unwrap_or(0);
    let mut said = Some((output, notes));
    // The one in which the process died has told no time: the rest is its own.
    let died =
        parts.iter().rposition(|part| part.ran).filter(|&last| parts[last].wall == Some(Duration::ZERO));
    let told: Duration = parts.iter().filter_map(|part| part.wall).sum();
    let mut parts = parts.into_iter();
    let mut ran: Vec<TestRef> = Vec::new();
    let whole = usage.wall;
    let share = whole / u32::try_from(verdicts.len()).unwrap_or(u32::MAX).max(1);
    let split = verdicts.into_iter().enumerate().map(|(index, verdict)| {
        let mut part = parts.next().unwrap_or_default();
        let (mut output, notes): (Output, Vec<String>) =
            if index == speaker { said.take().unwrap_or_default() } else { Default::default() };
        if let Some(text) = part.text.take() {
            output.stdout = text;
        }
        let mut usage = if index == 0 { usage } else { Usage::default() };
        if let Some(wall) = part.wall {
            // A test that plays with the clock may have measured anything.
            usage.wall = match wall {
                _ if died == Some(index) && verdict.outcome.is_bad() => whole.saturating_sub(told),
                wall if wall > whole => share,
                wall => wall,
            };
        }
        let company = ran[ran.len().saturating_sub(part.before as usize)..].to_vec();
        if part.ran {
            ran.push(verdict.test.clone());
        }
        let own = JobResult { end, usage, output, notes, ..JobResult::default() };
        (Held { verdict, own, company }, part)
    });
    split.collect()
}
