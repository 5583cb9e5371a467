//! Suites of pytest's and unittest's: what the lister has collected becomes jobs for warm interpreters; what jobs report
//! goes back to it.
//!
//! Tests that share a fixture wider than a function are a group that stays together in one slot; other tests of a file
//! are a group too, so that a slot keeps to the file that it has imported, but any slot may help with them.

mod after;
mod files;
mod jobs;
mod repeats;
mod tests_of;

pub use jobs::Granularity;

use crate::planner::{PlanAction, PlanEvent, Planner};
use after::{PATIENCE, Waiting};
use jobs::Job;
use repeats::Repeats;
use seatrial_frameworks::pytest::helper::{Framework, How, TestKey, payload_for, second_packet};
use seatrial_frameworks::pytest::listing::{Hello, ListedAll, ListedTest, Message, read_message};
use seatrial_frameworks::pytest::replay;
use seatrial_frameworks::pytest::report::{self, Beside, Show, TestResult, Unsafe, beside};
use seatrial_frameworks::pytest::run_fixtures::SetFixture;
use seatrial_model::{
    Bytes, Captured, End, JobId, JobKind, JobSpec, Launch, LaunchId, Limits, NoticeLevel, Outcome, Output,
    Reading, Round, TestRef, Verdict,
};
use std::collections::{BTreeMap, BTreeSet};
use tests_of::{Tests, name};

/// The planner of `seatrial pytest` and `seatrial unittest`.
#[derive(Debug)]
pub struct PytestPlan {
    warmer: Launch,
    limits: Limits,
    shape: Shape,
    /// pytest's first words.
    hello: Hello,
    /// What has been collected so far.
    collected: Vec<ListedTest>,
    tests: Tests,
    /// How each job's tests are run.
    jobs: BTreeMap<JobId, Job>,
    /// Results that are not final, of tests that are run again.
    kept: BTreeMap<TestRef, Vec<TestResult>>,
    /// Tests whose result is final.
    told: BTreeSet<TestRef>,
    repeats: Repeats,
    /// Tests that are to be run after those before them.
    waiting: Waiting,
    listed: bool,
    /// What has been said once.
    said: BTreeSet<String>,
}

/// How tests become jobs.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// Whose tests they are.
    pub framework: Framework,
    /// What shares a process.
    pub granularity: Granularity,
    /// Tests that are known to take so long that a fork of their own costs little.
    pub slow: BTreeSet<TestRef>,
    /// Tell what tests leave behind, and where that ended a batch.
    pub explain: bool,
    /// The files that tests open are asked for.
    pub record_files: bool,
    /// The run may end after some bad tests: of each it is said at once.
    pub hasty: bool,
}

impl PytestPlan {
    /// A planner whose jobs are run by `warmer`, the launch of a warm interpreter.
    #[must_use]
    pub fn new(warmer: Launch, limits: Limits, shape: Shape) -> Self {
        Self {
            warmer,
            limits,
            shape,
            hello: Hello::default(),
            collected: Vec::new(),
            tests: Tests::default(),
            jobs: BTreeMap::new(),
            kept: BTreeMap::new(),
            told: BTreeSet::new(),
            repeats: Repeats::default(),
            waiting: Waiting::default(),
            listed: false,
            said: BTreeSet::new(),
        }
    }

    fn told(&mut self, message: &[u8], out: &mut Vec<PlanAction>) {
        match read_message(message) {
            Ok(Message::Hello(hello)) => self.greet(hello, out),
            Ok(Message::Tests(tests)) => self.collected.extend(tests),
            Ok(Message::Problem { id, text }) => out.push(self.problem(&id, text)),
            // A file may be collected twice, and skip what it holds each time.
            Ok(Message::Skipped { id, reason }) if self.said.insert(format!("skipped {id}")) => {
                out.push(PlanAction::Skipped { test: name(&id, 0), reason: Some(reason) });
            }
            Ok(Message::Notice { file, text }) => out.push(PlanAction::Notice {
                level: NoticeLevel::Info,
                text: format!("{file}: {text}"),
                hint: None,
            }),
            Ok(Message::Listed(all)) => self.all_listed(&all, out),
            Ok(Message::Stop(reason)) => out.push(PlanAction::Stop(reason)),
            Ok(Message::Skipped { .. } | Message::Finished { .. } | Message::Other(_)) => {}
            Err(error) => out.push(self.wrong(error.to_string())),
        }
    }

    /// pytest has begun: what it hands to workers is for the warm interpreters.
    fn greet(&mut self, hello: Hello, out: &mut Vec<PlanAction>) {
        if self.shape.framework == Framework::Pytest && hello.pytest.is_none() {
            out.push(PlanAction::Notice {
                level: NoticeLevel::Error,
                text: format!("this Python ({}) has no pytest", hello.python),
                hint: Some(
                    "install it there (`python -m pip install pytest`), or name another with `--python`"
                        .into(),
                ),
            });
        }
        if self.shape.record_files && !files::can_be_recorded(&hello.python) {
            out.push(files::cannot(&hello.python));
        }
        self.shape.hasty |= hello.maxfail > 0 || hello.stepwise;
        if hello.maxfail > 0 {
            out.push(PlanAction::MaxFail(hello.maxfail));
        }
        if self.shape.framework == Framework::Pytest && hello.rootdir.is_some() {
            let early = if hello.forks { PlanAction::Invite } else { PlanAction::WarmUp };
            out.push(early(LaunchId(0)));
        }
        self.hello = hello;
    }

    fn all_listed(&mut self, all: &ListedAll, out: &mut Vec<PlanAction>) {
        let collected = std::mem::take(&mut self.collected);
        if std::mem::replace(&mut self.listed, true) {
            return;
        }
        if all.deselected > 0 {
            let text = format!("{} deselected {} tests", self.shape.framework.name(), all.deselected);
            out.push(PlanAction::Notice { level: NoticeLevel::Info, text, hint: None });
        }
        if all.exit.is_none() {
            if collected.len() as u64 == all.tests {
                open_ports(&all.fixtures, out);
                let second = Bytes(second_packet(&self.hello.nodes, all));
                out.push(PlanAction::Inform(LaunchId(0), second));
                if let Some(why) = all.refusal.as_ref().filter(|_| self.shape.explain) {
                    let text = format!("each slot imports and collects for itself: {why}");
                    out.push(PlanAction::Notice { level: NoticeLevel::Info, text, hint: None });
                }
                self.add(collected, out);
            } else {
                let (name, named) = (self.shape.framework.name(), collected.len());
                out.push(self.wrong(format!("{name} collected {} tests, but {named} were named", all.tests)));
            }
        }
        out.push(PlanAction::Complete);
    }

    fn add(&mut self, collected: Vec<ListedTest>, out: &mut Vec<PlanAction>) {
        self.tests = Tests::of(collected);
        for (group, tests) in self.tests.listed() {
            out.push(PlanAction::Listed { group, tests });
        }
        let jobs = jobs::form(&self.tests, &self.shape, self.shape.hasty);
        for (number, job) in (0..).zip(jobs) {
            let id = JobId(number);
            out.push(PlanAction::Job(self.spec(id, &job, &job.tests)));
            self.jobs.insert(id, job);
        }
    }

    /// The job with these of all tests.
    fn spec(&self, id: JobId, job: &Job, tests: &[usize]) -> JobSpec {
        let names: Vec<TestRef> = tests.iter().map(|&at| self.tests.name(at).clone()).collect();
        let test = match names.as_slice() {
            [one] => one.clone(),
            [first, more @ ..] => {
                TestRef::new(&first.group, &format!("{} and {} more", first.name, more.len()))
            }
            [] => TestRef::new(self.shape.framework.name(), "(nothing)"),
        };
        let keys: Vec<TestKey<'_>> = tests.iter().map(|&at| self.tests.key(at)).collect();
        let payload = payload_for(&keys, job.how, &|key| self.tests.siblings(key));
        JobSpec {
            job: id,
            launch: LaunchId(0),
            kind: JobKind::Verdict,
            test,
            args: vec![payload.as_str().into()],
            env: Vec::new(),
            reading: Reading::Pytest { tests: if names.len() > 1 { names } else { Vec::new() } },
            limits: self.limits.clone(),
            near: job.near,
        }
    }

    /// The job with those of its tests that are run (again) in this company.
    fn again(&mut self, id: JobId, tests: &[TestRef], round: Round) -> Option<JobSpec> {
        let places: Vec<usize> = tests.iter().filter_map(|test| self.tests.place(test)).collect();
        let job = self.jobs.get(&id)?;
        let alone = How { batch: false, check: false, share: false, ..job.how };
        match round {
            Round::Company => Some(self.spec(id, job, &places)),
            Round::Alone => Some(self.spec(id, &Job { how: alone, ..job.clone() }, &places)),
            Round::Same => {
                let how = How { batch: true, ..alone };
                Some(self.spec(id, &Job { how, ..job.clone() }, &places))
            }
            Round::After => {
                if !job.repeats || !self.repeats.begin(&self.tests, &places) {
                    return None;
                }
                let job = Job { how: How { batch: true, ..alone }, ..self.jobs.get(&id)?.clone() };
                Some(self.spec(id, &job, &self.tests.until(&places)))
            }
        }
    }

    /// Tests of a job are to be run after those before them in their file, together with others of it that wait for that.
    fn after(&mut self, job: JobId, tests: &[TestRef], out: &mut Vec<PlanAction>) {
        let places: Vec<usize> = tests.iter().filter_map(|test| self.tests.place(test)).collect();
        let file = places.iter().max().map(|&last| self.tests.all()[last].file.clone());
        let repeats =
            self.jobs.get(&job).is_some_and(|job| job.repeats) && self.tests.until(&places).len() > 1;
        match file {
            Some(file) if repeats && !self.shape.hasty && self.repeats.took(&file) < PATIENCE => {
                self.waiting.add(&file, job, places);
                self.after_all(&file, out);
            }
            _ => {
                let spec = self.again(job, tests, Round::After);
                out.push(PlanAction::Again { job, spec });
            }
        }
    }

    /// If nothing else of the file is left to do, those that wait have their turn.
    fn after_all(&mut self, file: &str, out: &mut Vec<PlanAction>) {
        let done = |place| self.told.contains(self.tests.name(place));
        if let Some((job, places)) = self.waiting.next(file, &self.tests, done) {
            let names: Vec<TestRef> = places.iter().map(|&place| self.tests.name(place).clone()).collect();
            let spec = self.again(job, &names, Round::After);
            let is_none = spec.is_none();
            out.push(PlanAction::Again { job, spec });
            if is_none {
                self.waiting.ended(file, job, &BTreeSet::new());
                self.after_all(file, out);
            }
        }
    }

    /// A try has ended: the lister is told what is final, in pytest's own words where they say the same.
    fn settled(
        &mut self,
        spec: &JobSpec,
        (end, report): (Option<End>, &Captured),
        verdicts: &[Verdict],
        out: &mut Vec<PlanAction>,
    ) {
        // The job that tears everything down has none.
        let tests = if self.jobs.contains_key(&spec.job) { spec.tests() } else { &[] };
        let mut failed = BTreeSet::new();
        if let Some(end) = end {
            for told in beside(report, tests.len()) {
                self.told_beside(told, tests, out);
            }
            for (test, result) in tests.iter().zip(report::read(report, tests.len(), &end)) {
                self.explain(test, &result, out);
                failed.extend(self.tests.place(test).filter(|_| result.ran && result.outcome.is_bad()));
                // A company that is run again for another test has had its results.
                if result.ran && !self.told.contains(test) {
                    self.kept.entry(test.clone()).or_default().push(result);
                }
            }
        }
        for verdict in verdicts {
            let Some(at) = self.tests.place(&verdict.test) else { continue };
            self.told.insert(verdict.test.clone());
            let results = self.kept.remove(&verdict.test).unwrap_or_default();
            let took = results.iter().map(|result| result.duration).max().unwrap_or_default();
            self.repeats.ended(&self.tests, at, verdict, took);
            let test = self.tests.key(at);
            // Of several results the lister is told the one that says what the verdict says. The engine may know better
            // than all of them: a time-out, a container that died.
            let told = results.iter().find(|result| result.replay && result.outcome == verdict.outcome);
            let message = match told {
                Some(TestResult { lines, .. }) => replay::reports([(test, lines.as_slice())]),
                None if verdict.outcome == Outcome::Cancelled => continue,
                None => {
                    let words = verdict.reason.clone().unwrap_or_else(|| verdict.outcome.name().to_owned());
                    replay::lost(test, &words, took)
                }
            };
            out.push(PlanAction::Tell(message));
        }
        if !self.waiting.is_empty() {
            self.after_waiting(spec.job, tests, &failed, out);
        }
    }

    /// A try of a job has ended: others may have waited for it.
    fn after_waiting(
        &mut self,
        job: JobId,
        tests: &[TestRef],
        failed: &BTreeSet<usize>,
        out: &mut Vec<PlanAction>,
    ) {
        let files: BTreeSet<String> = tests
            .iter()
            .filter_map(|test| Some(self.tests.all()[self.tests.place(test)?].file.clone()))
            .collect();
        for file in files {
            let in_vain = self.waiting.ended(&file, job, failed);
            out.extend(in_vain.into_iter().map(|job| PlanAction::Again { job, spec: None }));
            self.after_all(&file, out);
        }
    }

    /// What a test has left in its process, for those who ask.
    fn explain(&mut self, test: &TestRef, result: &TestResult, out: &mut Vec<PlanAction>) {
        if let Some(left) = result.left.as_ref().filter(|_| self.shape.explain)
            && self.said.insert(format!("left {} {left}", test.group))
        {
            let text = format!("{test} has changed: {left}. The tests after it got a new process");
            out.push(PlanAction::Notice { level: NoticeLevel::Info, text, hint: None });
        }
    }

    /// What a job's report tells of others: a wide fixture's teardown that failed is an error of an earlier test.
    fn told_beside(&mut self, told: Beside, tests: &[TestRef], out: &mut Vec<PlanAction>) {
        match told {
            Beside::Late { id, n, result } => {
                let text: String =
                    result.shown(&Show::default()).into_iter().map(|shown| shown.text).collect();
                let output = Output { stdout: Captured::whole(text.into_bytes()), ..Output::default() };
                let verdicts = vec![result.verdict(name(&id, n))];
                out.push(PlanAction::Judged { end: None, output, verdicts });
                let lines = result.lines.as_slice();
                out.push(PlanAction::Tell(replay::reports([(TestKey { id: &id, n, file: "" }, lines)])));
            }
            Beside::Unsafe(fixture) => {
                let Unsafe { fixture, left, stays, shared } = fixture;
                let text = if stays {
                    format!(
                        "fixture `{fixture}` holds {left}: as long as it does, files that tests write stay for the next tests in its slot"
                    )
                } else if shared {
                    let why = if left.is_empty() {
                        "needs what cannot be inherited".to_owned()
                    } else {
                        format!("leaves {left} behind, which cannot be inherited")
                    };
                    format!(
                        "tests that use fixture `{fixture}` share a process in each slot: its set-up takes long, and {why}"
                    )
                } else {
                    format!(
                        "fixture `{fixture}` is set up for each test anew: its set-up leaves {left} behind, which cannot be inherited"
                    )
                };
                if self.said.insert(text.clone()) {
                    out.push(PlanAction::Notice { level: NoticeLevel::Info, text, hint: None });
                }
            }
            Beside::Facts(facts) => out.extend(facts.of(tests).map(PlanAction::Facts)),
            Beside::Line(line) => {
                let none = TestKey { id: "", n: 0, file: "" };
                out.push(PlanAction::Tell(replay::reports([(none, std::slice::from_ref(&line))])));
            }
        }
    }

    /// What could not be collected, in the framework's words.
    fn problem(&self, id: &str, text: String) -> PlanAction {
        let test = TestRef::new(if id.is_empty() { self.shape.framework.name() } else { id }, "(collection)");
        let reason = Some("could not be collected".into());
        let verdict = Verdict { test, outcome: Outcome::Error, reason };
        let output = Output { stdout: Captured::whole(text.into_bytes()), ..Output::default() };
        PlanAction::Judged { end: None, output, verdicts: vec![verdict] }
    }

    /// Something between us and the helper went wrong: results may be missing.
    fn wrong(&self, text: String) -> PlanAction {
        let test = TestRef::new(self.shape.framework.name(), "(session)");
        let verdict = Verdict { test, outcome: Outcome::Error, reason: Some(text) };
        PlanAction::Judged { end: None, output: Output::default(), verdicts: vec![verdict] }
    }
}

impl Planner for PytestPlan {
    fn handle(&mut self, event: PlanEvent, out: &mut Vec<PlanAction>) {
        match event {
            PlanEvent::Told(message) => self.told(&message, out),
            PlanEvent::FoundAll if !self.listed => {
                self.listed = true;
                let text = format!("{} ended before it had collected the tests", self.shape.framework.name());
                out.push(self.wrong(text));
                out.push(PlanAction::Complete);
            }
            PlanEvent::Settled { spec, end, report, verdicts } => {
                self.settled(&spec, (end, &report), &verdicts, out);
            }
            PlanEvent::Again { job, tests, round: Round::After } => self.after(job, &tests, out),
            PlanEvent::Again { job, tests, round } => {
                let spec = self.again(job, &tests, round);
                out.push(PlanAction::Again { job, spec });
            }
            PlanEvent::Begin => {
                out.push(PlanAction::Launch(LaunchId(0), self.warmer.clone()));
                if self.shape.framework == Framework::Unittest {
                    out.push(PlanAction::WarmUp(LaunchId(0)));
                }
            }
            PlanEvent::FoundAll
            | PlanEvent::Binary(_)
            | PlanEvent::Relay { .. }
            | PlanEvent::Reported { .. }
            | PlanEvent::Handed { .. }
            | PlanEvent::RunningLow => {}
        }
    }
}

/// Fixtures for the whole run: their ports answer in all slots.
fn open_ports(fixtures: &[SetFixture], out: &mut Vec<PlanAction>) {
    let ports: BTreeSet<u16> = fixtures.iter().flat_map(SetFixture::ports).collect();
    if !ports.is_empty() {
        out.push(PlanAction::Forward(ports.into_iter().collect()));
    }
}

#[cfg(test)]
mod tests;
