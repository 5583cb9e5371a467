//! pytest suites: what the lister has collected becomes jobs for warm interpreters; what jobs report goes back to it.
//!
//! Tests that share a fixture wider than a function are a group that stays together in one slot; other tests of a file
//! are a group too, so that a slot keeps to the file that it has imported, but any slot may help with them.

use crate::planner::{PlanAction, PlanEvent, Planner};
use seatrial_frameworks::pytest::helper::{How, Last, TestKey, function_key, payload_for, with_findings};
use seatrial_frameworks::pytest::listing::{Hello, JobOf, ListedAll, ListedTest, Message, read_message};
use seatrial_frameworks::pytest::replay;
use seatrial_frameworks::pytest::report::{self, Beside, Show, TestResult, beside};
use seatrial_model::{
    Bytes, Captured, End, JobId, JobKind, JobSpec, Launch, LaunchId, Limits, Near, NoticeLevel, Outcome,
    Output, Reading, TestRef, Verdict,
};
use std::collections::{BTreeMap, BTreeSet};

/// The planner of `seatrial pytest`.
#[derive(Debug)]
pub struct PytestPlan {
    warmer: Launch,
    limits: Limits,
    /// pytest's first words.
    hello: Hello,
    /// What has been collected so far.
    collected: Vec<ListedTest>,
    /// The tests of each job, until it has ended.
    jobs: BTreeMap<JobId, Vec<Key>>,
    listed: bool,
    /// What has been said once.
    said: BTreeSet<String>,
}

/// A test as pytest knows it, and as results name it.
#[derive(Clone, Debug)]
struct Key {
    id: String,
    n: u32,
    test: TestRef,
}

/// Groups of tests that belong together, as they are found.
#[derive(Default)]
struct Groups {
    numbers: BTreeMap<String, u32>,
    together: BTreeMap<u32, bool>,
}

impl PytestPlan {
    /// A planner whose jobs are run by `warmer`, the launch of a warm interpreter.
    #[must_use]
    pub fn new(warmer: Launch, limits: Limits) -> Self {
        Self {
            warmer,
            limits,
            hello: Hello::default(),
            collected: Vec::new(),
            jobs: BTreeMap::new(),
            listed: false,
            said: BTreeSet::new(),
        }
    }

    fn told(&mut self, message: &[u8], out: &mut Vec<PlanAction>) {
        match read_message(message) {
            Ok(Message::Hello(hello)) => self.greet(hello, out),
            Ok(Message::Tests(tests)) => self.collected.extend(tests),
            Ok(Message::Problem { id, text }) => out.push(problem(&id, text)),
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
            Err(error) => out.push(wrong(error.to_string())),
        }
    }

    /// pytest has begun: what it hands to workers is for the warm interpreters.
    fn greet(&mut self, hello: Hello, out: &mut Vec<PlanAction>) {
        if hello.pytest.is_none() {
            out.push(PlanAction::Notice {
                level: NoticeLevel::Error,
                text: format!("this Python ({}) has no pytest", hello.python),
                hint: Some(
                    "install it there (`python -m pip install pytest`), or name another with `--python`"
                        .into(),
                ),
            });
        }
        self.hello = hello;
    }

    fn all_listed(&mut self, all: &ListedAll, out: &mut Vec<PlanAction>) {
        let collected = std::mem::take(&mut self.collected);
        if std::mem::replace(&mut self.listed, true) {
            return;
        }
        if all.deselected > 0 {
            let text = format!("pytest deselected {} tests", all.deselected);
            out.push(PlanAction::Notice { level: NoticeLevel::Info, text, hint: None });
        }
        if all.exit.is_none() {
            if collected.len() as u64 == all.tests {
                let mut warmer = self.warmer.clone();
                if let Some(warm) = &mut warmer.warm {
                    warm.first_packet =
                        Bytes(with_findings(&warm.first_packet.0, &self.hello.nodes, &all.imports));
                }
                out.push(PlanAction::Launch(LaunchId(0), warmer));
                self.add(collected, out);
            } else {
                let text =
                    format!("pytest collected {} tests, but {} were named", all.tests, collected.len());
                out.push(wrong(text));
            }
        }
        out.push(PlanAction::Complete);
    }

    fn add(&mut self, collected: Vec<ListedTest>, out: &mut Vec<PlanAction>) {
        let mut groups = Groups::default();
        for test in &collected {
            groups.see(test);
        }
        let mut listed: Vec<(String, u32)> = Vec::new();
        let mut jobs: Vec<(ListedTest, Vec<Key>)> = Vec::new();
        for test in collected {
            let key = Key { id: test.id.clone(), n: test.n, test: name(&test.id, test.n) };
            match listed.last_mut().filter(|(group, _)| **group == *key.test.group) {
                Some((_, count)) => *count += 1,
                None => listed.push((key.test.group.to_string(), 1)),
            }
            match jobs.last_mut().filter(|(first, _)| {
                first.job == JobOf::File && test.job == JobOf::File && first.file == test.file
            }) {
                Some((_, keys)) => keys.push(key),
                None => jobs.push((test, vec![key])),
            }
        }
        for (group, tests) in listed {
            out.push(PlanAction::Listed { group, tests });
        }
        let last_of_group: BTreeMap<Option<Near>, usize> =
            jobs.iter().enumerate().map(|(at, (first, _))| (groups.near(first), at)).collect();
        let functions = functions(&jobs);
        for (at, (first, keys)) in jobs.into_iter().enumerate() {
            let number = u32::try_from(at).unwrap_or(u32::MAX);
            let near = groups.near(&first);
            let last = near.is_some_and(|near| near.together) && last_of_group.get(&near) == Some(&at);
            out.push(PlanAction::Job(self.job(JobId(number), &first, &keys, (near, last), &functions)));
            self.jobs.insert(JobId(number), keys);
        }
    }

    /// `last`: with this job its group has ended, so that what it has set up is torn down and belongs to its result.
    fn job(
        &self,
        job: JobId,
        first: &ListedTest,
        keys: &[Key],
        (near, last): (Option<Near>, bool),
        functions: &Functions,
    ) -> JobSpec {
        let whole = first.job == JobOf::File;
        let how = How { batch: whole, fresh: whole, last: if last { Last::OfGroup } else { Last::No } };
        let tests: Vec<TestKey<'_>> = keys.iter().map(|key| TestKey { id: &key.id, n: key.n }).collect();
        let test = match keys {
            [key] => key.test.clone(),
            _ => TestRef::new(&keys[0].test.group, WHOLE_FILE),
        };
        JobSpec {
            job,
            launch: LaunchId(0),
            kind: JobKind::Verdict,
            test,
            args: vec![
                payload_for(&first.file, &tests, how, &|id| functions.siblings(&first.file, id))
                    .as_str()
                    .into(),
            ],
            env: Vec::new(),
            reading: Reading::Pytest {
                tests: if keys.len() > 1 {
                    keys.iter().map(|key| key.test.clone()).collect()
                } else {
                    Vec::new()
                },
            },
            limits: self.limits.clone(),
            near,
        }
    }

    /// A job's results are final: the lister is told, in pytest's own words where they say the same.
    fn settled(
        &mut self,
        job: JobId,
        (end, report): (Option<End>, &Captured),
        verdicts: &[Verdict],
        out: &mut Vec<PlanAction>,
    ) {
        let keys = self.jobs.remove(&job).unwrap_or_default();
        let results = match end {
            Some(end) => report::read(report, keys.len(), &end),
            None => Vec::new(),
        };
        for told in beside(report, keys.len()) {
            self.told_beside(told, out);
        }
        for (index, key) in keys.iter().enumerate() {
            let Some(verdict) = verdicts.iter().find(|verdict| verdict.test == key.test) else { continue };
            let test = TestKey { id: &key.id, n: key.n };
            let result = results.get(index);
            // The engine may know better than the report: a time-out, a container that died.
            let told = result.filter(|result| result.replay && result.outcome == verdict.outcome);
            let message = match told {
                Some(TestResult { lines, .. }) => replay::reports([(test, lines.as_slice())]),
                None if verdict.outcome == Outcome::Cancelled => continue,
                None => {
                    let words = verdict.reason.clone().unwrap_or_else(|| verdict.outcome.name().to_owned());
                    replay::lost(test, &words, result.map(|result| result.duration).unwrap_or_default())
                }
            };
            out.push(PlanAction::Tell(message));
        }
    }

    /// What a job's report tells of others: a wide fixture's teardown that failed is an error of an earlier test.
    fn told_beside(&mut self, told: Beside, out: &mut Vec<PlanAction>) {
        match told {
            Beside::Late { id, n, result } => {
                let text: String =
                    result.shown(&Show::default()).into_iter().map(|shown| shown.text).collect();
                let output = Output { stdout: Captured::whole(text.into_bytes()), ..Output::default() };
                let verdicts = vec![result.verdict(name(&id, n))];
                out.push(PlanAction::Judged { end: None, output, verdicts });
                let lines = result.lines.as_slice();
                out.push(PlanAction::Tell(replay::reports([(TestKey { id: &id, n }, lines)])));
            }
            Beside::Unsafe(fixture) => {
                let text = format!(
                    "fixture `{}` is set up for each test anew: its set-up leaves {} behind, which cannot be inherited",
                    fixture.fixture, fixture.left
                );
                if self.said.insert(text.clone()) {
                    out.push(PlanAction::Notice { level: NoticeLevel::Info, text, hint: None });
                }
            }
            Beside::Line(line) => {
                let none = TestKey { id: "", n: 0 };
                out.push(PlanAction::Tell(replay::reports([(none, std::slice::from_ref(&line))])));
            }
        }
    }
}

/// The name of a job that runs a file which cannot be taken apart.
const WHOLE_FILE: &str = "(file)";

impl Planner for PytestPlan {
    fn handle(&mut self, event: PlanEvent, out: &mut Vec<PlanAction>) {
        match event {
            PlanEvent::Told(message) => self.told(&message, out),
            PlanEvent::FoundAll if !self.listed => {
                self.listed = true;
                out.push(wrong("pytest ended before it had collected the tests".to_owned()));
                out.push(PlanAction::Complete);
            }
            PlanEvent::Settled { job, end, report, verdicts } => {
                self.settled(job, (end, &report), &verdicts, out);
            }
            PlanEvent::FoundAll
            | PlanEvent::Begin
            | PlanEvent::Binary(_)
            | PlanEvent::Relay { .. }
            | PlanEvent::Reported { .. }
            | PlanEvent::Handed { .. }
            | PlanEvent::RunningLow => {}
        }
    }
}

/// The ids of parametrised tests by file and function.
#[derive(Default)]
struct Functions(BTreeMap<(String, String), Vec<String>>);

/// A function with more tests than this would make its jobs too long.
const SIBLINGS: usize = 64;

impl Functions {
    /// All ids of the test's function, where there are parameters that may change.
    fn siblings(&self, file: &str, id: &str) -> &[String] {
        let ids = self.0.get(&(file.to_owned(), function_key(id).to_owned()));
        ids.filter(|ids| id.contains('[') && ids.len() <= SIBLINGS).map_or(&[], Vec::as_slice)
    }
}

fn functions(jobs: &[(ListedTest, Vec<Key>)]) -> Functions {
    let mut functions = Functions::default();
    for (first, keys) in jobs {
        for key in keys {
            let function = (first.file.clone(), function_key(&key.id).to_owned());
            functions.0.entry(function).or_default().push(key.id.clone());
        }
    }
    functions
}

impl Groups {
    /// The name by which tests are grouped: a directory's when they share its fixtures, else the file's.
    fn name(test: &ListedTest) -> &str {
        test.group.as_deref().unwrap_or(&test.file)
    }

    fn see(&mut self, test: &ListedTest) {
        let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(Self::name(test).to_owned()).or_insert(next);
        *self.together.entry(number).or_default() |= test.wide || test.group.is_some();
    }

    fn near(&self, test: &ListedTest) -> Option<Near> {
        let group = *self.numbers.get(Self::name(test))?;
        Some(Near { group, together: self.together.get(&group).copied().unwrap_or(false) })
    }
}

/// How results name a test: the file, and what follows it in the node id.
fn name(id: &str, n: u32) -> TestRef {
    let (group, name) = id.split_once("::").unwrap_or((id, id));
    match n {
        0 => TestRef::new(group, name),
        n => TestRef::new(group, &format!("{name} ({})", n + 1)),
    }
}

/// What could not be collected, in pytest's words.
fn problem(id: &str, text: String) -> PlanAction {
    let test = TestRef::new(if id.is_empty() { "pytest" } else { id }, "(collection)");
    let reason = Some("could not be collected".into());
    let verdict = Verdict { test, outcome: Outcome::Error, reason };
    let output = Output { stdout: Captured::whole(text.into_bytes()), ..Output::default() };
    PlanAction::Judged { end: None, output, verdicts: vec![verdict] }
}

/// Something between us and the helper went wrong: results may be missing.
fn wrong(text: String) -> PlanAction {
    let test = TestRef::new("pytest", "(session)");
    let verdict = Verdict { test, outcome: Outcome::Error, reason: Some(text) };
    PlanAction::Judged { end: None, output: Output::default(), verdicts: vec![verdict] }
}

#[cfg(test)]
mod tests;
