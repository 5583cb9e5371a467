//! Planners as data: what is found goes in, what is wanted comes out as lines.

use crate::{ArrayPlan, CargoPlan, Execution, File, FoundBinary, PlanAction, PlanEvent, Planner, job_seed};
use seatrial_frameworks::cargo::args::libtest_args;
use seatrial_model::{
    Bytes, Captured, End, JobId, JobKind, JobSpec, Launch, Limits, Outcome, Output, Reading, TestRef, Verdict,
};
use std::collections::BTreeMap;

/// A planner with the jobs that it has asked for.
pub(crate) struct Bench<P> {
    planner: P,
    pub(crate) jobs: BTreeMap<JobId, JobSpec>,
}

impl<P: Planner> Bench<P> {
    pub(crate) fn new(planner: P) -> Self {
        Self { planner, jobs: BTreeMap::new() }
    }

    /// Feeds one event; gives what the planner wants, a line each.
    pub(crate) fn feed(&mut self, event: PlanEvent) -> Vec<String> {
        let mut actions = Vec::new();
        self.planner.handle(event, &mut actions);
        actions.into_iter().map(|action| self.line(action)).collect()
    }

    fn line(&mut self, action: PlanAction) -> String {
        match action {
            PlanAction::Launch(id, launch) => format!("launch {} {}", id.0, launch.program.to_text()),
            PlanAction::WarmUp(id) => format!("warm up {}", id.0),
            PlanAction::Invite(id) => format!("invite {}", id.0),
            PlanAction::Inform(id, second) => format!("inform {} {}", id.0, second.to_text()),
            PlanAction::Job(spec) => {
                let args: Vec<String> = spec.args.iter().map(|arg| arg.to_text().into_owned()).collect();
                let line = format!("{:?} {}: {} | {}", spec.kind, spec.job.0, spec.test, args.join(" "));
                self.jobs.insert(spec.job, spec);
                line
            }
            PlanAction::Skipped { test, reason } => format!("skip {test}: {}", reason.unwrap_or_default()),
            PlanAction::Listed { group, tests } => format!("listed {group}: {tests}"),
            PlanAction::Judged { verdicts, .. } => {
                let all: Vec<String> =
                    verdicts.iter().map(|v| format!("{} {}", v.test.name, v.outcome.name())).collect();
                format!("judged {}", all.join(", "))
            }
            PlanAction::Answer { call, end, .. } => format!("answer {call}: {end:?}"),
            PlanAction::Notice { text, .. } => format!("notice {text}"),
            PlanAction::Tell(message) => format!("tell {}", String::from_utf8_lossy(&message)),
            PlanAction::Facts(facts) => {
                let tests: Vec<String> = facts.tests.iter().map(ToString::to_string).collect();
                format!("facts {}: {}", tests.join(", "), facts.opened.join(", "))
            }
            PlanAction::Again { job, spec } => match spec {
                Some(spec) => {
                    let args: Vec<String> = spec.args.iter().map(|arg| arg.to_text().into_owned()).collect();
                    let line = format!("again {}: {} | {}", job.0, spec.test, args.join(" "));
                    self.jobs.insert(job, spec);
                    line
                }
                None => format!("again {}: not", job.0),
            },
            PlanAction::MaxFail(limit) => format!("max fail {limit}"),
            PlanAction::Stop(reason) => format!("stop: {reason}"),
            PlanAction::Forward(ports) => format!("forward {ports:?}"),
            PlanAction::Complete => "complete".into(),
        }
    }

    /// Ends a job with this output and these verdicts.
    fn end(&mut self, job: u32, stdout: &str, end: End, verdicts: &[(&str, Outcome)]) -> Vec<String> {
        let spec = self.jobs.remove(&JobId(job)).expect("the job was asked for");
        let group = spec.test.group.clone();
        let verdicts = verdicts
            .iter()
            .map(|(name, outcome)| Verdict {
                test: TestRef::new(&group, name),
                outcome: *outcome,
                reason: outcome.is_bad().then(|| "because".to_owned()),
            })
            .collect();
        let output = Output { stdout: Captured::whole(stdout.into()), stderr: Captured::default() };
        self.feed(PlanEvent::Handed { spec, end: Some(end), output, verdicts })
    }

    fn listing(&mut self, job: u32, stdout: &str) -> Vec<String> {
        self.end(job, stdout, End::Exit(0), &[("(list)", Outcome::Pass)])
    }
}

fn binary(group: &str, args: &[&str], custom_harness: bool) -> PlanEvent {
    let launch = Launch {
        program: format!("/t/{group}").into(),
        args: vec![],
        env: vec![],
        cwd: "/p".into(),
        warm: None,
    };
    PlanEvent::Binary(FoundBinary {
        group: group.into(),
        launch,
        raw_args: args.iter().map(|arg| Bytes::from(*arg)).collect(),
        args: libtest_args(args.iter().map(|arg| arg.as_bytes())),
        custom_harness,
    })
}

fn cargo(text: &str) -> Bench<CargoPlan> {
    let file = File::parse(text).expect("the settings are right");
    Bench::new(CargoPlan::new(file.cargo, Limits::default()))
}

const LIST: &str = "Listing 0: a (list) | --list --format terse";
const LIST_IGNORED: &str = "Listing 1: a (list) | --list --format terse --ignored";

#[test]
fn a_binary_is_listed_and_its_tests_run() {
    let mut bench = cargo("");
    assert_eq!(bench.feed(binary("a", &["x", "--", "--skip"], false)), ["launch 0 /t/a", LIST, LIST_IGNORED]);
    assert!(bench.feed(PlanEvent::FoundAll).is_empty(), "listings are still open");
    assert!(bench.listing(1, "x::slow: test\n").is_empty());
    assert_eq!(
        bench.listing(0, "x::one: test\nx::slow: test\nother: test\nx::b: benchmark\n"),
        [
            "listed a: 2",
            "skip a x::slow: ignored",
            "Verdict 2: a x::one | --exact x::one --nocapture",
            "Verdict 3: a x::b | --exact x::b --nocapture",
            "complete",
        ]
    );
}

#[test]
fn the_ignored_run_when_asked_for_with_their_flag() {
    let mut bench = cargo("");
    bench.feed(binary("a", &["--include-ignored", "--show-output"], false));
    bench.listing(0, "one: test\nslow: test\n");
    let lines = bench.listing(1, "slow: test\n");
    assert_eq!(
        lines,
        [
            "listed a: 2",
            "Verdict 2: a one | --exact one --nocapture",
            "Verdict 3: a slow | --exact slow --nocapture --ignored",
        ]
    );
}

#[test]
fn a_listing_that_fails_is_an_error_of_its_binary_and_the_others_run() {
    let mut bench = cargo("");
    bench.feed(binary("a", &[], false));
    bench.feed(binary("b", &[], false));
    bench.feed(PlanEvent::FoundAll);
    bench.listing(1, "");
    let failed = bench.end(0, "nonsense", End::Signal(11), &[("(list)", Outcome::Crash)]);
    assert_eq!(failed, ["listed a: 1", "judged (list) crash"]);
    bench.listing(3, "");
    assert_eq!(
        bench.listing(2, "t: test\n"),
        ["listed b: 1", "Verdict 4: b t | --exact t --nocapture", "complete"]
    );
}

#[test]
fn a_list_that_cannot_be_read_is_an_error_although_its_process_ended_well() {
    let mut bench = cargo("");
    bench.feed(binary("a", &[], false));
    bench.listing(1, "");
    assert_eq!(bench.listing(0, "t: test\nhello\n"), ["listed a: 1", "judged (list) error"]);
}

#[test]
fn a_harness_of_its_own_that_lists_nothing_is_one_job_with_cargos_arguments() {
    for (stdout, end, outcome) in [
        ("", End::Exit(0), Outcome::Pass),
        ("", End::Exit(101), Outcome::Error),
        ("hello\n", End::Exit(0), Outcome::Error),
    ] {
        let mut bench = cargo("");
        bench.feed(binary("a", &["--quiet"], true));
        bench.end(1, stdout, end, &[("(list)", outcome)]);
        let lines = bench.end(0, stdout, end, &[("(list)", outcome)]);
        assert_eq!(lines, ["listed a: 1", "Verdict 2: a (main) | --quiet"], "{stdout} {end:?}");
        assert_eq!(bench.jobs[&JobId(2)].reading, Reading::ExitCode);
    }
}

#[test]
fn tests_together_run_singly_where_no_word_came() {
    let mut bench = cargo("[[cargo.overrides]]\nbinary = \"a*\"\nexecution = \"binary\"\n");
    bench.feed(binary("a", &[], false));
    bench.feed(PlanEvent::FoundAll);
    bench.listing(1, "");
    let lines = bench.listing(0, "one: test\ntwo: test\nthree: test\n");
    assert_eq!(lines, ["listed a: 3", "Relay 2: a (main) | --exact one two three"]);
    let ended = bench.end(
        2,
        "",
        End::Signal(6),
        &[("one", Outcome::Pass), ("stranger", Outcome::Pass), ("(main)", Outcome::Crash)],
    );
    assert_eq!(
        ended[1..],
        [
            "judged one pass",
            "Verdict 3: a three | --exact three --nocapture",
            "Verdict 4: a two | --exact two --nocapture",
            "complete"
        ]
    );
    assert!(ended[0].starts_with("notice a in one process gave no result for 2 of 3 tests"));
}

#[test]
fn a_process_that_went_wrong_after_every_word_is_still_red() {
    let mut bench = cargo("[cargo]\nexecution = \"binary\"\n");
    bench.feed(binary("a", &[], false));
    bench.listing(1, "");
    bench.listing(0, "one: test\n");
    let ended = bench.end(2, "", End::Signal(11), &[("one", Outcome::Pass), ("(main)", Outcome::Crash)]);
    assert_eq!(ended, ["judged one pass, (main) crash"]);
}

#[test]
fn a_relay_is_answered_and_keeps_the_plan_open() {
    let mut bench = cargo("");
    let launch =
        Launch { program: "/d/rust_out".into(), args: vec![], env: vec![], cwd: "/p".into(), warm: None };
    let lines = bench.feed(PlanEvent::Relay { call: 9, launch });
    assert_eq!(lines, ["launch 0 /d/rust_out", "Relay 0: relay 9 | "]);
    assert!(bench.feed(PlanEvent::FoundAll).is_empty());
    let answered = bench.end(0, "", End::Exit(3), &[("9", Outcome::Fail)]);
    assert_eq!(answered, ["answer 9: Some(Exit(3))", "complete"]);
}

#[test]
fn settings_name_what_they_do_not_know() {
    let file = File::parse("colour = 1\n[cargo]\nexecution = \"binary\"\nspeed = 2\n").unwrap();
    assert_eq!(file.unknown, ["colour", "cargo.speed"]);
    assert_eq!(file.cargo.execution, Execution::Binary);
    for bad in ["[cargo", "[cargo]\nexecution = \"thread\"\n", "[cargo]\nearly-exit = 1\n"] {
        assert!(File::parse(bad).is_err(), "{bad}");
    }
    assert!(File::parse("[cargo]\nearly-exit = \"pass\"\n").unwrap().cargo.early_exit_passes);
}

#[test]
fn overrides_match_with_stars_and_the_last_counts() {
    let text = "[[cargo.overrides]]\nbinary = \"*::it\"\nexecution = \"binary\"\n\
                [[cargo.overrides]]\nbinary = \"b::*\"\nexecution = \"test\"\n";
    let settings = File::parse(text).unwrap().cargo;
    let of = |group: &str| settings.execution_of(group);
    assert_eq!(
        [of("a::it"), of("b::it"), of("a"), of("it")],
        [Execution::Binary, Execution::Test, Execution::Test, Execution::Test]
    );
}

fn array(first: u64, last: u64) -> Bench<ArrayPlan> {
    let launch = Launch {
        program: "./mc".into(),
        args: vec!["--quiet".into(), "n={index},{index}".into(), "end".into()],
        env: vec![],
        cwd: "/p".into(),
        warm: None,
    };
    Bench::new(ArrayPlan::new(launch, "./mc", first..=last, 5, Limits::default()))
}

#[test]
fn an_array_is_made_as_it_is_needed_and_completed_once() {
    let mut bench = array(1, 5_000);
    let lines = bench.feed(PlanEvent::Begin);
    assert_eq!(lines[..3], ["launch 0 ./mc", "listed ./mc: 5000", "Verdict 0: ./mc 1 | n=1,1 end"]);
    let mut jobs = lines.len() - 2;
    let mut completed = 0;
    for _ in 0..20 {
        let more = bench.feed(PlanEvent::RunningLow);
        completed += more.iter().filter(|line| *line == "complete").count();
        jobs += more.iter().filter(|line| line.starts_with("Verdict")).count();
    }
    assert_eq!((jobs, completed), (5_000, 1));
    assert!(bench.jobs.values().all(|job| job.kind == JobKind::Verdict));
}

#[test]
fn an_empty_array_is_complete_at_once() {
    let launch = Launch { program: "x".into(), args: vec![], env: vec![], cwd: "/".into(), warm: None };
    #[expect(clippy::reversed_empty_ranges, reason = "emptiness is the case")]
    let mut bench = Bench::new(ArrayPlan::new(launch, "x", 1..=0, 5, Limits::default()));
    assert_eq!(bench.feed(PlanEvent::Begin), ["launch 0 x", "listed x: 0", "complete"]);
}

#[test]
fn seeds_are_splitmix64s() {
    // The first outputs of SplitMix64 for seed 1234567, as published with the reference implementation.
    let seeds: Vec<u64> = (1..=3).map(|index| job_seed(1_234_567, index)).collect();
    assert_eq!(seeds, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
}
