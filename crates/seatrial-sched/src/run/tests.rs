//! Transcripts of the run machine: what is said to it, and what it wants done.
//!
//! A line is `event => actions`. Jobs are letters; `a#2` is the second try of job `a`; `*` behind a result says that
//! another try follows. `n0.1` is slot 1 of node 0; where none is named it is slot 0.

mod members;
mod near;

use super::{JobResult, Part, Planned, RunAction, RunEvent, RunMachine, RunSettings};
use crate::{Class, Priority};
use seatrial_model::{
    Attempt, Bytes, Captured, Counts, End, Event, Instant, JobId, JobKind, JobSpec, LaunchId, Limits, Near,
    NodeId, Outcome, Output, Reading, Round, SlotId, TestRef, Usage, Verdict,
};
use std::time::Duration;

const PLAIN: RunSettings = RunSettings { retries: 0, max_fail: None, strict: false };
const RETRY: RunSettings = RunSettings { retries: 1, max_fail: None, strict: false };

fn letter(job: JobId) -> char {
    char::from(b'a' + u8::try_from(job.0).unwrap())
}

fn job(name: &str) -> JobId {
    JobId(u32::from(name.as_bytes()[0] - b'a'))
}

fn test_ref(name: &str) -> TestRef {
    TestRef::new("g", name)
}

/// `a`, `a:listing`, `a:relay`, `a:group`, `a:pytest`, `a:pytest,x,y` (a job of tests x and y), each with `@3` for an expected duration or `@failed`, then with `~7` for a
/// test that is near those of group 7, or `~7!` when they must be together.
fn planned(word: &str) -> Planned {
    let (word, near) = word.split_once('~').unwrap_or((word, ""));
    let (word, rank) = word.split_once('@').unwrap_or((word, ""));
    let (name, kind) = word.split_once(':').unwrap_or((word, ""));
    let kind = match kind {
        "listing" => (JobKind::Listing, Reading::LibtestList),
        "relay" => (JobKind::Relay, Reading::ExitCode),
        "group" => (JobKind::Verdict, Reading::LibtestMany),
        pytest if pytest.starts_with("pytest") => {
            let tests = pytest.split(',').skip(1).map(test_ref).collect();
            (JobKind::Verdict, Reading::Pytest { tests })
        }
        "" => (JobKind::Verdict, Reading::ExitCode),
        other => panic!("kind `{other}`"),
    };
    let (class, secs) = match rank {
        "failed" => (Class::Failed, 0),
        "" => (Class::New, 0),
        secs => (Class::Known, secs.parse().unwrap()),
    };
    Planned {
        spec: JobSpec {
            job: job(name),
            launch: LaunchId(0),
            kind: kind.0,
            test: test_ref(name),
            args: Vec::new(),
            env: Vec::new(),
            reading: kind.1,
            limits: Limits::default(),
            near: near
                .trim_end_matches('!')
                .parse()
                .ok()
                .map(|group| Near { group, together: near.ends_with('!') }),
        },
        priority: Priority { class, expected: Duration::from_secs(secs) },
    }
}

fn outcome(name: &str) -> Outcome {
    *Outcome::ALL.iter().find(|outcome| outcome.name() == name).unwrap()
}

/// `pass` for the job's own test, or `x:pass`; none: nothing was read. `x:fail^2`: two tests ran before it in its process.
/// `x:error?`: its turn did not come.
fn result(own: &str, words: &[&str]) -> JobResult {
    let read = |word: &&str| {
        let (name, word) = word.split_once(':').unwrap_or((own, word));
        let (word, before) = word.split_once('^').unwrap_or((word, "0"));
        let part = Part { ran: !word.ends_with('?'), before: before.parse().unwrap(), ..Part::default() };
        let outcome = outcome(word.trim_end_matches('?'));
        (Verdict { test: test_ref(name), outcome, reason: None }, part)
    };
    let (verdicts, parts): (Vec<_>, Vec<_>) = words.iter().map(read).unzip();
    JobResult {
        end: Some(if words == ["lost"] { End::SlotLost } else { End::Exit(0) }),
        usage: Usage { peak_memory: 7, ..Usage::default() },
        output: Output { stdout: Captured::whole(b"said".to_vec()), ..Output::default() },
        verdicts,
        notes: vec!["noted".to_owned()],
        report: Captured::whole(b"reported".to_vec()),
        parts,
    }
}

fn event(line: &str) -> RunEvent {
    let words: Vec<&str> = line.split_whitespace().collect();
    let seat = |word: &str| {
        let (node, slot) = word.trim_start_matches('n').split_once('.').unwrap_or((&word[1..], "0"));
        (NodeId(node.parse().unwrap()), SlotId(slot.parse().unwrap()))
    };
    let node = |word: &str| seat(word).0;
    let attempt = |word: &str| {
        let (name, number) = word.split_once('#').unwrap();
        (job(name), Attempt(number.parse().unwrap()))
    };
    match words.as_slice() {
        ["add", jobs @ ..] => RunEvent::JobsAdded(jobs.iter().map(|word| planned(word)).collect()),
        ["planned"] => RunEvent::PlanComplete,
        ["skip", test] => RunEvent::Skipped { test: test_ref(test), reason: None },
        ["group", group, tests] => {
            RunEvent::GroupListed { group: (*group).to_owned(), tests: tests.parse().unwrap() }
        }
        ["judge", words @ ..] => RunEvent::Judged { result: result("", words) },
        ["again", name, "not"] => RunEvent::Again { job: job(name), spec: None },
        ["again", what] => {
            let spec = planned(what).spec;
            RunEvent::Again { job: spec.job, spec: Some(spec) }
        }
        ["most", limit] => RunEvent::MaxFail(limit.parse().unwrap()),
        ["stop"] => RunEvent::Stop,
        ["cancel"] => RunEvent::Cancel,
        [who, "dies"] => RunEvent::NodeLost { node: node(who) },
        [who, "gone"] => RunEvent::SlotGone { node: node(who), slot: seat(who).1 },
        [who, "wants", count] => {
            let (node, slot) = seat(who);
            RunEvent::Wanted { node, slot, count: count.parse().unwrap() }
        }
        [who, "starts", what] => {
            let (job, attempt) = attempt(what);
            RunEvent::Started { node: node(who), slot: seat(who).1, job, attempt }
        }
        [who, "returns", what] => {
            let (job, attempt) = attempt(what);
            RunEvent::Returned { node: node(who), job, attempt }
        }
        [who, "slow", what] => {
            let (job, attempt) = attempt(what);
            RunEvent::SlowJob { node: node(who), job, attempt, elapsed: Duration::from_secs(9) }
        }
        [who, "ends", what, words @ ..] => {
            let (job, attempt) = attempt(what);
            RunEvent::Finished { node: node(who), job, attempt, result: result(&what[..1], words) }
        }
        other => panic!("event {other:?}"),
    }
}

fn text(action: &RunAction) -> String {
    match action {
        RunAction::Assign { node, slot: SlotId(0), spec, attempt } => {
            format!("n{} gets {}#{}", node.0, letter(spec.job), attempt.0)
        }
        RunAction::Assign { node, slot, spec, attempt } => {
            format!("n{}.{} gets {}#{}", node.0, slot.0, letter(spec.job), attempt.0)
        }
        RunAction::Release { node, slot, near } => format!("n{}.{} free of {}", node.0, slot.0, near.group),
        RunAction::Cancel { node, job, attempt } => {
            format!("n{} cancel {}#{}", node.0, letter(*job), attempt.0)
        }
        RunAction::Emit(Event::AttemptStarted { test, attempt, .. }) => {
            format!("{}#{} runs", test.name, attempt.0)
        }
        RunAction::Emit(Event::AttemptFinished { test, attempt, outcome, last, order_dependent, .. }) => {
            let order = if *order_dependent { " by order" } else { "" };
            format!("{}#{} {}{}{order}", test.name, attempt.0, outcome.name(), if *last { "" } else { "*" })
        }
        RunAction::Emit(Event::Slow { test, elapsed }) => format!("{} slow {}", test.name, elapsed.as_secs()),
        RunAction::Emit(Event::Skipped { test, .. }) => format!("{} skipped", test.name),
        RunAction::Emit(Event::GroupListed { group, tests }) => format!("group {group} {tests}"),
        RunAction::Emit(other) => panic!("{other:?}"),
        RunAction::Handed { spec, result } => {
            let verdicts: Vec<&str> = result.verdicts.iter().map(|v| v.outcome.name()).collect();
            format!("handed {} {}", letter(spec.job), verdicts.join("+")).trim_end().to_owned()
        }
        RunAction::Settled { spec, verdicts, report, .. } => {
            let verdicts: Vec<&str> = verdicts.iter().map(|v| v.outcome.name()).collect();
            let report = report.head.to_text();
            format!("settled {} {report} {}", letter(spec.job), verdicts.join("+")).trim_end().to_owned()
        }
        RunAction::Again { job, tests, round } => {
            let tests: Vec<&str> = tests.iter().map(|test| &*test.name).collect();
            let round = match round {
                Round::Company => "in company",
                Round::Alone => "alone",
                Round::Same => "the same",
                Round::After => "after others",
            };
            format!("ask {} {} {round}", letter(*job), tests.join("+"))
        }
        RunAction::Complete => "complete".to_owned(),
    }
}

fn counts_text(counts: Counts) -> String {
    let Counts { passed, flaky, order_dependent, failed, errors, skipped, not_run } = counts;
    let named = [
        (passed, "passed"),
        (flaky, "flaky"),
        (order_dependent, "order-dependent"),
        (failed, "failed"),
        (errors, "errors"),
        (skipped, "skipped"),
        (not_run, "not run"),
    ];
    let words: Vec<String> =
        named.iter().filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")).collect();
    words.join(", ")
}

#[track_caller]
fn check(settings: RunSettings, transcript: &str, counts: &str) -> RunMachine {
    let mut machine = RunMachine::new(settings);
    let mut out = Vec::new();
    for line in transcript.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (said, wanted) = line.split_once("=>").unwrap();
        machine.handle(Instant(0), event(said), &mut out);
        let actions: Vec<String> = out.drain(..).map(|action| text(&action)).collect();
        assert_eq!(actions.join(", "), wanted.trim(), "after `{}`", said.trim());
    }
    assert_eq!(counts_text(machine.counts()), counts);
    machine
}

#[test]
fn a_run_from_beginning_to_end() {
    check(
        PLAIN,
        "n0 wants 1       =>
         group g 2        => group g 2
         add a b          => n0 gets a#1
         skip s           => s skipped
         n0 starts a#1    => a#1 runs
         n0 slow a#1      => a slow 9
         n0 wants 1       => n0 gets b#1
         n0 ends a#1 pass => a#1 pass
         planned          =>
         n0 starts b#1    => b#1 runs
         n0 ends b#1 fail => b#1 fail, complete
         add c            =>
         cancel           =>",
        "1 passed, 1 failed, 1 skipped",
    );
}

#[test]
fn an_empty_plan_is_complete_at_once() {
    check(PLAIN, "planned => complete", "");
}

#[test]
fn the_bigger_goes_first_and_equals_in_order_of_addition() {
    check(
        PLAIN,
        "add a@1 b@5 c d@failed e =>
         n0 wants 5 => n0 gets d#1, n0 gets c#1, n0 gets e#1, n0 gets b#1, n0 gets a#1",
        "",
    );
}

#[test]
fn listings_and_tests_take_turns_and_relays_go_first() {
    check(
        PLAIN,
        "add a:listing b:listing c:listing d e =>
         n0 wants 3       => n0 gets a#1, n0 gets d#1, n0 gets b#1
         add f:relay      =>
         n0 wants 3       => n0 gets f#1, n0 gets e#1, n0 gets c#1
         n0 starts a#1    =>
         n0 slow a#1      =>
         n0 ends a#1      => handed a
         n0 ends f#1 fail => handed f fail",
        "",
    );
}

#[test]
fn few_jobs_are_spread_over_nodes() {
    check(PLAIN, "n0 wants 3 =>\n n1 wants 2 =>\n add a b c => n0 gets a#1, n1 gets b#1, n0 gets c#1", "");
}

#[test]
fn a_job_is_added_once() {
    check(
        PLAIN,
        "add a a          =>
         n0 wants 9       => n0 gets a#1
         n0 ends a#1 pass => a#1 pass
         add a            =>
         planned          => complete",
        "1 passed",
    );
}

#[test]
fn a_pass_after_a_bad_try_is_flaky() {
    check(
        RETRY,
        "add a b@1           =>
         planned             =>
         n0 wants 2          => n0 gets a#1, n0 gets b#1
         n0 ends a#1 crash   => a#1 crash*
         n0 ends b#1 timeout => b#1 timeout*
         n0 wants 2          => n0 gets a#2, n0 gets b#2
         n0 ends a#1 pass    =>
         n0 ends a#2 pass    => a#2 pass
         n0 ends b#2 lost    => b#2 lost, complete",
        "1 passed, 1 flaky, 1 errors",
    );
}

#[test]
fn a_retry_goes_before_its_equals() {
    check(
        RETRY,
        "add a b c@failed =>
         n0 wants 2       => n0 gets c#1, n0 gets a#1
         n0 ends a#1 fail => a#1 fail*
         add d@failed     =>
         n0 wants 3       => n0 gets d#1, n0 gets a#2, n0 gets b#1",
        "",
    );
}

#[test]
fn what_is_cancelled_or_good_is_not_tried_again() {
    check(
        RETRY,
        "add a b c             =>
         n0 wants 3            => n0 gets a#1, n0 gets b#1, n0 gets c#1
         n0 ends a#1 cancelled => a#1 cancelled
         n0 ends b#1 skip      => b#1 skip
         n0 ends c#1 pass      => c#1 pass",
        "1 passed, 1 skipped, 1 not run",
    );
}

#[test]
fn nothing_read_is_never_a_pass() {
    check(
        RETRY,
        "add a b:group c:group =>
         planned               =>
         n0 wants 4            => n0 gets a#1, n0 gets b#1, n0 gets c#1
         n0 ends a#1           => a#1 error*, n0 gets a#2
         n0 ends a#2           => a#2 error
         n0 ends b#1           => b#1 error
         n0 ends c#1 x:pass    => x#1 pass, complete",
        "1 passed, 2 errors",
    );
}

#[test]
fn a_test_that_is_owed_a_result_gets_one() {
    check(
        RETRY,
        "add a            =>
         planned          =>
         n0 wants 2       => n0 gets a#1
         n0 ends a#1 fail => a#1 fail*, n0 gets a#2
         n0 ends a#2 x:pass => x#2 pass, a#2 error, complete",
        "1 passed, 1 errors",
    );
}

#[test]
fn several_tests_of_one_process_have_a_result_each() {
    check(
        RETRY,
        "add a:group      =>
         planned          =>
         n0 wants 1       => n0 gets a#1
         n0 ends a#1 x:pass y:fail z:skip => x#1 pass, y#1 fail, z#1 skip, complete",
        "1 passed, 1 failed, 1 skipped",
    );
}

#[test]
fn every_outcome_is_counted_once_and_in_its_place() {
    check(
        PLAIN,
        "add a:group      =>
         n0 wants 1       => n0 gets a#1
         n0 ends a#1 a:pass b:fail c:error d:skip e:timeout f:crash g:oom h:lost i:cancelled => \
            a#1 pass, b#1 fail, c#1 error, d#1 skip, e#1 timeout, f#1 crash, g#1 oom, h#1 lost, i#1 cancelled",
        "1 passed, 4 failed, 2 errors, 1 skipped, 1 not run",
    );
}

#[test]
fn output_goes_with_the_first_bad_test_and_usage_with_the_first() {
    // (verdicts, index with output, has an end)
    for (words, speaker, has_end) in [
        (vec!["a:pass"], 0, true),
        (vec!["a:fail"], 0, true),
        (vec!["a:pass", "b:skip"], 0, false),
        (vec!["a:pass", "b:fail", "c:fail"], 1, false),
    ] {
        let mut machine = RunMachine::new(PLAIN);
        let mut out = Vec::new();
        for line in ["add a:group", "n0 wants 1"] {
            machine.handle(Instant(0), event(line), &mut out);
        }
        out.clear();
        let result = result("a", &words);
        let finished = RunEvent::Finished { node: NodeId(0), job: JobId(0), attempt: Attempt::FIRST, result };
        machine.handle(Instant(0), finished, &mut out);
        assert_eq!(out.len(), words.len());
        for (index, action) in out.iter().enumerate() {
            let RunAction::Emit(Event::AttemptFinished { output, usage, end, notes, .. }) = action else {
                panic!("{action:?}")
            };
            let said: &Bytes = &output.stdout.head;
            assert_eq!(said.to_text(), if index == speaker { "said" } else { "" }, "{words:?} {index}");
            assert_eq!(notes.is_empty(), index != speaker, "{words:?} {index}");
            assert_eq!(usage.peak_memory, if index == 0 { 7 } else { 0 }, "{words:?} {index}");
            assert_eq!(end.is_some(), has_end, "{words:?}");
        }
    }
}

#[test]
fn answers_that_are_late_doubled_or_foreign_are_dropped() {
    check(
        RETRY,
        "add a            =>
         n0 wants 1       => n0 gets a#1
         n1 starts a#1    =>
         n1 ends a#1 pass =>
         n1 returns a#1   =>
         n1 slow a#1      =>
         n0 starts a#1    => a#1 runs
         n0 starts a#1    =>
         n0 returns a#1   =>
         n0 ends a#1 fail => a#1 fail*
         n0 ends a#1 pass =>
         n0 starts a#1    =>
         n1 wants 1       => n1 gets a#2
         n0 ends a#2 pass =>
         n1 ends a#1 pass =>
         n1 ends b#1 pass =>
         n1 ends a#2 pass => a#2 pass
         n1 ends a#2 fail =>",
        "1 passed, 1 flaky",
    );
}

#[test]
fn what_comes_back_unstarted_waits_again_and_uses_no_retry() {
    check(
        RETRY,
        "add a              =>
         n0 wants 1         => n0 gets a#1
         n0 returns a#1     =>
         n0 returns a#1     =>
         n1 wants 2         => n1 gets a#2
         n0 ends a#1 pass   =>
         n1 ends a#2 fail   => a#2 fail*, n1 gets a#3
         n1 ends a#3 fail   => a#3 fail",
        "1 failed",
    );
}

#[test]
fn jobs_of_a_dead_node_run_elsewhere_and_use_no_retry() {
    check(
        RETRY,
        "add a b c           =>
         n0 wants 9          => n0 gets a#1, n0 gets b#1, n0 gets c#1
         n0 starts a#1       => a#1 runs
         n0 ends c#1 pass    => c#1 pass
         n0 dies             => a#1 lost*
         n0 dies             =>
         n0 wants 3          =>
         n0 ends a#1 pass    =>
         n1 wants 3          => n1 gets a#2, n1 gets b#2
         n1 ends a#2 fail    => a#2 fail*, n1 gets a#3
         n1 ends a#3 fail    => a#3 fail
         n1 ends b#2 pass    => b#2 pass",
        "2 passed, 1 failed",
    );
}

#[test]
fn a_job_whose_node_dies_three_times_is_lost() {
    let machine = check(
        RETRY,
        "add a b:listing c:group d  =>
         planned             =>
         n1 wants 3          => n1 gets b#1, n1 gets a#1, n1 gets c#1
         n1 starts a#1       => a#1 runs
         n1 dies             => a#1 lost*
         n2 wants 3          => n2 gets b#2, n2 gets a#2, n2 gets c#2
         n2 starts c#2       => c#2 runs
         n2 dies             =>
         n3 wants 3          => n3 gets b#3, n3 gets a#3, n3 gets c#3
         n3 dies             => a#3 lost, handed b lost, c#3 lost",
        "2 errors",
    );
    assert_eq!(machine.pending(), 1);
}

#[test]
fn the_reason_of_a_lost_job_is_said() {
    let mut machine = RunMachine::new(PLAIN);
    let mut out = Vec::new();
    for line in ["add a", "n1 wants 1", "n1 dies", "n2 wants 1", "n2 dies", "n3 wants 1", "n3 dies"] {
        machine.handle(Instant(0), event(line), &mut out);
    }
    let Some(RunAction::Emit(Event::AttemptFinished { reason: Some(reason), .. })) = out.last() else {
        panic!("{out:?}")
    };
    assert_eq!(reason, "its node died 3 times");
}

#[test]
fn cancel_ends_what_runs_and_counts_the_rest() {
    check(
        RETRY,
        "add a b c d e:listing f =>
         n0 wants 4            => n0 gets e#1, n0 gets a#1, n0 gets b#1, n0 gets c#1
         n0 starts a#1         => a#1 runs
         n0 ends b#1 fail      => b#1 fail*
         add g:listing h:relay =>
         cancel                => handed h cancelled, handed g cancelled, b#2 cancelled, \
                                  n0 cancel a#1, n0 cancel c#1, n0 cancel e#1
         cancel                =>
         n0 wants 9            =>
         add i j:relay         => handed j cancelled
         n0 returns c#1        =>
         n0 ends e#1 fail      => handed e fail
         n0 ends a#1 fail      => a#1 fail, complete",
        "1 failed, 5 not run",
    );
}

#[test]
fn a_cancellation_that_overtook_the_job_is_said_again() {
    check(
        PLAIN,
        "add a                 =>
         n0 wants 1            => n0 gets a#1
         cancel                => n0 cancel a#1
         n0 starts a#1         => a#1 runs, n0 cancel a#1
         n0 starts a#1         =>
         n0 ends a#1 cancelled => a#1 cancelled, complete",
        "1 not run",
    );
}

#[test]
fn nodes_that_die_while_the_run_ends() {
    check(
        RETRY,
        "add a b c        =>
         n1 wants 2       => n1 gets a#1, n1 gets b#1
         n1 starts a#1    => a#1 runs
         cancel           => n1 cancel a#1, n1 cancel b#1
         n1 dies          => a#1 lost, complete",
        "1 errors, 2 not run",
    );
}

#[test]
fn after_max_fail_the_running_finish_and_nothing_starts() {
    let settings = RunSettings { max_fail: Some(2), ..RETRY };
    check(
        settings,
        "add a b c d e:listing f =>
         n0 wants 4            => n0 gets e#1, n0 gets a#1, n0 gets b#1, n0 gets c#1
         n0 starts c#1         => c#1 runs
         n0 starts e#1         =>
         n0 ends a#1 fail      => a#1 fail*
         n0 wants 1            => n0 gets a#2
         n0 ends a#2 fail      => a#2 fail
         n0 ends b#1 fail      => b#1 fail*
         n0 wants 1            => n0 gets b#2
         n0 ends b#2 error     => b#2 error
         n0 wants 9            =>
         add g h:relay         => n0 gets h#1
         n0 ends h#1 pass      => handed h pass
         n0 ends c#1 fail      => c#1 fail
         n0 ends e#1 pass      => handed e pass, complete",
        "2 failed, 1 errors, 3 not run",
    );
    let settings = RunSettings { max_fail: Some(1), ..PLAIN };
    check(
        settings,
        "add a b c             =>
         n0 wants 2            => n0 gets a#1, n0 gets b#1
         n0 starts b#1         => b#1 runs
         n0 ends a#1 cancelled => a#1 cancelled
         n0 wants 1            => n0 gets c#1
         n0 ends c#1 oom       => c#1 oom
         cancel                => n0 cancel b#1
         n0 ends b#1 cancelled => b#1 cancelled, complete",
        "1 failed, 2 not run",
    );
}

#[test]
fn a_report_goes_to_the_planner_with_what_is_final() {
    check(
        RETRY,
        "add a:pytest c    =>
         n0 wants 2        => n0 gets a#1, n0 gets c#1
         n0 starts a#1     => a#1 runs
         n0 ends a#1 fail  => settled a reported, a#1 fail*, ask a a alone
         again a:pytest    =>
         n0 wants 1        => n0 gets a#2
         n0 starts a#2     => a#2 runs
         n0 ends a#2 pass  => settled a reported pass, a#2 pass
         n0 ends a#2 pass  =>
         n0 ends c#1 pass  => c#1 pass",
        "2 passed, 1 flaky",
    );
}

#[test]
fn each_verdict_shows_its_own_text() {
    let mut machine = RunMachine::new(RETRY);
    let mut out = Vec::new();
    for line in ["add a:pytest,b,c,d", "n0 wants 1", "n0 starts a#1"] {
        machine.handle(Instant(0), event(line), &mut out);
    }
    out.clear();
    let RunEvent::Finished { node, job, attempt, mut result } = event("n0 ends a#1 b:pass c:skip d:pass")
    else {
        panic!("no end");
    };
    let text = |text: &str| Some(Captured::whole(text.as_bytes().to_vec()));
    result.parts[1].text = text("of c");
    result.parts[2].text = text("of d");
    machine.handle(Instant(0), RunEvent::Finished { node, job, attempt, result }, &mut out);
    let shown = out.iter().filter_map(|action| {
        let RunAction::Emit(Event::AttemptFinished { output, .. }) = action else { return None };
        Some(output.stdout.head.to_text().into_owned())
    });
    assert_eq!(shown.collect::<Vec<_>>(), ["said", "of c", "of d"]);
}

#[test]
fn when_the_framework_wants_no_more_nothing_starts() {
    check(
        RunSettings::default(),
        "add a b c d     =>
         n0 wants 2      => n0 gets a#1, n0 gets b#1
         n0 starts a#1   => a#1 runs
         stop            => n0 cancel b#1
         n0 returns b#1  =>
         stop            =>
         n0 wants 4      =>
         n0 ends a#1 pass => a#1 pass, complete",
        "1 passed, 3 not run",
    );
}

#[test]
fn after_max_fail_what_has_not_begun_is_asked_back() {
    let settings = RunSettings { max_fail: Some(1), ..PLAIN };
    check(
        settings,
        "add a b c d f:listing g:listing e:relay =>
         n0 wants 7            => n0 gets e#1, n0 gets f#1, n0 gets a#1, n0 gets g#1, n0 gets b#1, \
                                  n0 gets c#1, n0 gets d#1
         n0 starts a#1         => a#1 runs
         n0 starts b#1         => b#1 runs
         n0 starts f#1         =>
         n0 ends a#1 fail      => a#1 fail, n0 cancel c#1, n0 cancel d#1, n0 cancel g#1
         n0 starts c#1         => c#1 runs, n0 cancel c#1
         n0 starts e#1         =>
         n0 ends c#1 cancelled => c#1 cancelled
         n0 returns d#1        =>
         n0 returns g#1        => handed g cancelled
         n0 ends e#1 pass      => handed e pass
         n0 ends f#1           => handed f
         n0 ends b#1 pass      => b#1 pass, complete",
        "1 passed, 1 failed, 2 not run",
    );
}

#[test]
fn the_planner_can_judge_what_it_was_handed() {
    check(
        RunSettings { retries: 3, max_fail: Some(1), ..PLAIN },
        "add a:listing b     =>
         n0 wants 1          => n0 gets a#1
         n0 ends a#1         => handed a
         judge x:error       => x#1 error, complete",
        "1 errors, 1 not run",
    );
}

#[test]
fn a_waiting_job_is_explained() {
    let machine = check(
        RETRY,
        "add a b c d       =>
         n0 wants 2        => n0 gets a#1, n0 gets b#1
         n0 starts a#1     => a#1 runs
         add e:listing     =>
         n1 wants 2        => n1 gets e#1, n1 gets c#1
         n1 ends c#1 fail  => c#1 fail*
         n2 wants 1        => n2 gets c#2
         n2 dies           =>",
        "",
    );
    for (name, words) in [
        ("a", "attempt 1 runs on node 0, slot 0"),
        ("b", "attempt 1 was handed to node 0 and has not begun"),
        ("c", "next in line; no slot is free; retry 1; its node died once"),
        ("d", "waits behind 1 job"),
        ("z", "no such job in this run"),
    ] {
        assert_eq!(machine.explain(job(name)).to_string(), words, "{name}");
    }
    let machine =
        check(PLAIN, "add a =>\n n0 wants 1 => n0 gets a#1\n n0 ends a#1 pass => a#1 pass", "1 passed");
    assert_eq!(machine.explain(job("a")).to_string(), "done");
}

#[test]
fn a_finished_job_leaves_nothing_but_its_number() {
    let mut machine = RunMachine::new(RETRY);
    let mut out = Vec::new();
    let jobs: u32 = 100_000;
    let nodes = 7;
    for node in 0..nodes {
        machine.handle(
            Instant(0),
            RunEvent::Wanted { node: NodeId(node), slot: SlotId(0), count: 3 },
            &mut out,
        );
    }
    let mut most_live = 0;
    let mut under_way: std::collections::VecDeque<(NodeId, JobId, Attempt)> = Default::default();
    let mut added = 0;
    loop {
        for action in out.drain(..) {
            if let RunAction::Assign { node, slot: _, spec, attempt } = action {
                under_way.push_back((node, spec.job, attempt));
            }
        }
        // As the engine does with an array: a few at a time.
        if machine.pending() < 10 && added < jobs {
            let planned = (added..added + 100).map(|id| {
                let mut planned = planned("a");
                planned.spec.job = JobId(id);
                // Every third is alone, the others are in groups of some tens.
                planned.spec.near = (id % 3 != 0).then_some(Near { group: id / 50, together: id % 3 == 1 });
                planned
            });
            machine.handle(Instant(0), RunEvent::JobsAdded(planned.collect()), &mut out);
            added += 100;
            continue;
        }
        most_live = most_live.max(machine.live.len());
        let Some((node, job, attempt)) = under_way.pop_front() else { break };
        let verdict = if job.0 % 10 == 0 && attempt == Attempt::FIRST { "fail" } else { "pass" };
        let events = [
            RunEvent::Started { node, slot: SlotId(0), job, attempt },
            RunEvent::Finished { node, job, attempt, result: result("a", &[verdict]) },
            RunEvent::Wanted { node, slot: SlotId(0), count: 1 },
        ];
        for event in events {
            machine.handle(Instant(0), event, &mut out);
        }
    }
    assert_eq!(counts_text(machine.counts()), "100000 passed, 10000 flaky");
    assert!(most_live < 200, "{most_live}");
    assert_eq!((machine.live.len(), machine.held.len(), machine.done.ranges()), (0, 0, 1));
    assert!(machine.queue.groups.is_empty());
}
