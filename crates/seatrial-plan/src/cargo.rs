//! Rust suites: binaries that cargo would execute become listings, listings become tests.
//!
//! Each binary is listed twice, all tests and the ignored ones; when both lists are there its tests are jobs, while
//! other binaries are still being listed. A binary whose harness is its own and does not list is one job.

use crate::planner::{FoundBinary, PlanAction, PlanEvent, Planner};
use crate::settings::{CargoSettings, Execution};
use seatrial_frameworks::cargo::WHOLE_BINARY;
use seatrial_frameworks::cargo::args::{Choice, Ignored};
use seatrial_frameworks::libtest::{self, Listed, list_args, many_args, one_args, parse_list};
use seatrial_model::{
    Bytes, End, JobId, JobKind, JobSpec, LaunchId, Limits, NoticeLevel, Outcome, Output, Reading, TestRef,
    Verdict,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A listing that takes longer than this hangs.
const LIST_WITHIN: Duration = Duration::from_secs(60);

/// The name under which a binary's failed listing is reported.
const LISTING: &str = "(list)";

/// The planner of `seatrial cargo`.
#[derive(Debug)]
pub struct CargoPlan {
    settings: CargoSettings,
    limits: Limits,
    binaries: Vec<Binary>,
    /// What a job that comes back to the planner was for.
    open: BTreeMap<JobId, Purpose>,
    next_job: u32,
    next_launch: u32,
    found_all: bool,
    complete: bool,
}

#[derive(Debug)]
struct Binary {
    found: FoundBinary,
    group: Arc<str>,
    launch: LaunchId,
    all: Option<Result<Vec<Listed>, Box<Trouble>>>,
    ignored: Option<Result<Vec<Listed>, Box<Trouble>>>,
}

/// A listing that failed.
#[derive(Debug)]
struct Trouble {
    end: Option<End>,
    output: Output,
    outcome: Outcome,
    reason: String,
}

#[derive(Debug)]
enum Purpose {
    List {
        binary: usize,
        ignored: bool,
    },
    /// A whole binary's tests in one process, by name.
    Together {
        binary: usize,
        names: BTreeSet<String>,
    },
    Relay {
        call: u64,
    },
}

impl CargoPlan {
    /// A planner whose tests may use `limits`.
    #[must_use]
    pub fn new(settings: CargoSettings, limits: Limits) -> Self {
        Self {
            settings,
            limits,
            binaries: Vec::new(),
            open: BTreeMap::new(),
            next_job: 0,
            next_launch: 0,
            found_all: false,
            complete: false,
        }
    }

    fn job(
        &mut self,
        launch: LaunchId,
        kind: JobKind,
        test: TestRef,
        args: Vec<Bytes>,
        reading: Reading,
    ) -> JobSpec {
        let job = JobId(self.next_job);
        self.next_job += 1;
        let limits = match kind {
            JobKind::Listing => Limits { timeout: Some(LIST_WITHIN), ..Limits::default() },
            JobKind::Verdict | JobKind::Relay => self.limits.clone(),
        };
        let env = match kind {
            JobKind::Verdict => ["NEXTEST_TEST_NAME", "SEATRIAL_TEST"]
                .map(|name| (Bytes::from(name), Bytes::from(&*test.name)))
                .to_vec(),
            JobKind::Listing | JobKind::Relay => Vec::new(),
        };
        JobSpec { job, launch, kind, test, args, env, reading, limits, near: None }
    }

    fn launch(&mut self) -> LaunchId {
        let id = LaunchId(self.next_launch);
        self.next_launch += 1;
        id
    }

    fn found(&mut self, found: FoundBinary, out: &mut Vec<PlanAction>) {
        let launch = self.launch();
        out.push(PlanAction::Launch(launch, found.launch.clone()));
        let group: Arc<str> = found.group.as_str().into();
        let binary = self.binaries.len();
        for ignored in [false, true] {
            let test = TestRef { group: Arc::clone(&group), name: LISTING.into() };
            let spec = self.job(launch, JobKind::Listing, test, list_args(ignored), Reading::LibtestList);
            self.open.insert(spec.job, Purpose::List { binary, ignored });
            out.push(PlanAction::Job(spec));
        }
        self.binaries.push(Binary { found, group, launch, all: None, ignored: None });
    }

    fn relay(&mut self, call: u64, launch: seatrial_model::Launch, out: &mut Vec<PlanAction>) {
        let id = self.launch();
        let test = TestRef::new("relay", &call.to_string());
        let spec = self.job(id, JobKind::Relay, test, Vec::new(), Reading::ExitCode);
        out.push(PlanAction::Launch(id, launch));
        self.open.insert(spec.job, Purpose::Relay { call });
        out.push(PlanAction::Job(spec));
    }

    fn handed(
        &mut self,
        job: JobId,
        (end, output, verdicts): (Option<End>, Output, Vec<Verdict>),
        out: &mut Vec<PlanAction>,
    ) {
        match self.open.remove(&job) {
            Some(Purpose::Relay { call }) => out.push(PlanAction::Answer { call, end, output }),
            Some(Purpose::Together { binary, names }) => {
                self.together_ended(binary, &names, (end, output, verdicts), out);
            }
            Some(Purpose::List { binary, ignored }) => {
                let list = read_list(end, output, &verdicts);
                let Some(at) = self.binaries.get_mut(binary) else { return };
                if ignored {
                    at.ignored = Some(list);
                } else {
                    at.all = Some(list);
                }
                if at.all.is_some()
                    && at.ignored.is_some()
                    && let (Some(all), Some(ignored)) = (at.all.take(), at.ignored.take())
                {
                    self.listed(binary, all, ignored, out);
                }
            }
            None => {}
        }
    }

    /// Both lists of a binary are there.
    fn listed(
        &mut self,
        binary: usize,
        all: Result<Vec<Listed>, Box<Trouble>>,
        ignored: Result<Vec<Listed>, Box<Trouble>>,
        out: &mut Vec<PlanAction>,
    ) {
        let custom = self.binaries[binary].found.custom_harness;
        match (all, ignored) {
            (Ok(all), Ok(ignored)) if !custom || !all.is_empty() => self.tests(binary, all, &ignored, out),
            (Ok(_) | Err(_), Ok(_) | Err(_)) if custom => self.whole(binary, out),
            (Err(trouble), _) | (Ok(_), Err(trouble)) => self.unlisted(binary, *trouble, out),
            (Ok(_), Ok(_)) => {}
        }
    }

    /// A binary of libtest's that could not list its tests is an error under a name of its own.
    fn unlisted(&mut self, binary: usize, trouble: Trouble, out: &mut Vec<PlanAction>) {
        let group = Arc::clone(&self.binaries[binary].group);
        out.push(PlanAction::Listed { group: group.to_string(), tests: 1 });
        let test = TestRef { group, name: LISTING.into() };
        let verdict = Verdict { test, outcome: trouble.outcome, reason: Some(trouble.reason) };
        out.push(PlanAction::Judged { end: trouble.end, output: trouble.output, verdicts: vec![verdict] });
    }

    /// A binary with a harness of its own that lists nothing: one job, as cargo would run it.
    fn whole(&mut self, binary: usize, out: &mut Vec<PlanAction>) {
        let at = &self.binaries[binary];
        let (launch, group, args) = (at.launch, Arc::clone(&at.group), at.found.raw_args.clone());
        out.push(PlanAction::Listed { group: group.to_string(), tests: 1 });
        let test = TestRef { group, name: WHOLE_BINARY.into() };
        let spec = self.job(launch, JobKind::Verdict, test, args, Reading::ExitCode);
        out.push(PlanAction::Job(spec));
    }

    fn tests(&mut self, binary: usize, all: Vec<Listed>, ignored: &[Listed], out: &mut Vec<PlanAction>) {
        let at = &self.binaries[binary];
        let (launch, group, custom) = (at.launch, Arc::clone(&at.group), at.found.custom_harness);
        let args = at.found.args.clone();
        let ignored: BTreeSet<&str> = ignored.iter().map(|listed| listed.name.as_str()).collect();
        let mut skipped = Vec::new();
        let mut chosen = Vec::new();
        for listed in all {
            match args.choose(&listed.name, ignored.contains(listed.name.as_str())) {
                Choice::Run => chosen.push(listed.name),
                Choice::Skip => skipped.push(listed.name),
                Choice::LeaveOut => {}
            }
        }
        if chosen.is_empty() && skipped.is_empty() {
            return;
        }
        out.push(PlanAction::Listed { group: group.to_string(), tests: chosen.len() as u32 });
        for name in skipped {
            let test = TestRef { group: Arc::clone(&group), name: name.into() };
            out.push(PlanAction::Skipped { test, reason: Some("ignored".into()) });
        }
        if !chosen.is_empty() && !custom && self.settings.execution_of(&group) == Execution::Binary {
            let names: Vec<&str> = chosen.iter().map(String::as_str).collect();
            let words = many_args(&names, args.ignored != Ignored::No, &args.rest);
            let test = TestRef { group: Arc::clone(&group), name: WHOLE_BINARY.into() };
            let spec = self.job(launch, JobKind::Relay, test, words, Reading::LibtestMany);
            self.open.insert(spec.job, Purpose::Together { binary, names: chosen.into_iter().collect() });
            out.push(PlanAction::Job(spec));
            return;
        }
        for name in chosen {
            let is_ignored = ignored.contains(name.as_str());
            self.single(binary, name, is_ignored, out);
        }
    }

    fn single(&mut self, binary: usize, name: String, ignored: bool, out: &mut Vec<PlanAction>) {
        let at = &self.binaries[binary];
        let (launch, custom) = (at.launch, at.found.custom_harness);
        let args = one_args(&name, ignored, &at.found.args.rest);
        let test = TestRef { group: Arc::clone(&at.group), name: name.into() };
        let reading = if custom {
            Reading::ExitCode
        } else {
            Reading::LibtestOne { early_exit_passes: self.settings.early_exit_passes }
        };
        let spec = self.job(launch, JobKind::Verdict, test, args, reading);
        out.push(PlanAction::Job(spec));
    }

    /// Tests that ran together have ended: what has no result of its own runs singly.
    fn together_ended(
        &mut self,
        binary: usize,
        names: &BTreeSet<String>,
        (end, output, verdicts): (Option<End>, Output, Vec<Verdict>),
        out: &mut Vec<PlanAction>,
    ) {
        let (known, process): (Vec<Verdict>, Vec<Verdict>) =
            verdicts.into_iter().partition(|verdict| names.contains(&*verdict.test.name));
        let done: BTreeSet<&str> = known.iter().map(|verdict| &*verdict.test.name).collect();
        let missing: Vec<String> =
            names.iter().filter(|name| !done.contains(name.as_str())).cloned().collect();
        if let Some(verdict) = process.first().filter(|_| !missing.is_empty()) {
            let why = verdict.reason.clone().unwrap_or_else(|| verdict.outcome.name().to_owned());
            out.push(PlanAction::Notice {
                level: NoticeLevel::Warning,
                text: format!(
                    "{} in one process gave no result for {} of {} tests ({why}); these run singly",
                    self.binaries[binary].group,
                    missing.len(),
                    names.len()
                ),
                hint: None,
            });
        }
        if missing.is_empty() && !process.is_empty() {
            // Every test has its word, and yet the process went wrong: that is a result too, and a bad one.
            let mut all = known;
            all.extend(process);
            out.push(PlanAction::Judged { end, output, verdicts: all });
            return;
        }
        if !known.is_empty() {
            out.push(PlanAction::Judged { end, output, verdicts: known });
        }
        let all_ignored = self.binaries[binary].found.args.ignored != Ignored::No;
        for name in missing {
            self.single(binary, name, all_ignored, out);
        }
    }

    fn complete_if_done(&mut self, out: &mut Vec<PlanAction>) {
        if self.found_all && self.open.is_empty() && !self.complete {
            self.complete = true;
            out.push(PlanAction::Complete);
        }
    }
}

impl Planner for CargoPlan {
    fn handle(&mut self, event: PlanEvent, out: &mut Vec<PlanAction>) {
        match event {
            PlanEvent::Binary(found) => self.found(found, out),
            PlanEvent::Relay { call, launch } => self.relay(call, launch, out),
            PlanEvent::Reported { verdicts, output } => {
                for verdict in verdicts {
                    if verdict.outcome == Outcome::Skip {
                        out.push(PlanAction::Skipped { test: verdict.test, reason: verdict.reason });
                    } else {
                        let output = output.clone();
                        out.push(PlanAction::Judged { end: None, output, verdicts: vec![verdict] });
                    }
                }
            }
            PlanEvent::FoundAll => self.found_all = true,
            PlanEvent::Handed { spec, end, output, verdicts } => {
                self.handed(spec.job, (end, output, verdicts), out);
            }
            PlanEvent::Begin
            | PlanEvent::RunningLow
            | PlanEvent::Told(_)
            | PlanEvent::Settled { .. }
            | PlanEvent::Again { .. } => {}
        }
        self.complete_if_done(out);
    }
}

fn read_list(end: Option<End>, output: Output, verdicts: &[Verdict]) -> Result<Vec<Listed>, Box<Trouble>> {
    let trouble = |output, outcome, reason: String| Err(Box::new(Trouble { end, output, outcome, reason }));
    match verdicts.first() {
        Some(verdict) if verdict.outcome == Outcome::Pass => {
            let stdout = [output.stdout.head.0.as_slice(), output.stdout.tail.0.as_slice()].concat();
            parse_list(&stdout)
                .or_else(|error: libtest::ListError| trouble(output, Outcome::Error, error.to_string()))
        }
        Some(verdict) => {
            let reason = verdict.reason.clone().unwrap_or_else(|| "could not list its tests".into());
            trouble(output, verdict.outcome, reason)
        }
        None => trouble(output, Outcome::Error, "could not list its tests".into()),
    }
}
