//! Transcripts of the node machine: what is said to it, and what it wants done.
//!
//! A line is `[@ms] event => actions`; time stands still where a line names none. Jobs are letters, `a#2` is the
//! second try of job `a`.

mod near;

use super::{Cause, NodeAction, NodeEvent, NodeMachine, NodeSettings};
use seatrial_model::{
    Attempt, Instant, JobId, JobKind, JobSpec, LaunchId, Limits, Near, Reading, SlotId, TestRef,
};
use std::collections::VecDeque;
use std::time::Duration;

const ONE: NodeSettings = NodeSettings {
    slots: 1,
    grace: Duration::from_millis(10),
    short_job: Duration::from_millis(50),
    prefetch: true,
};
const TWO: NodeSettings = NodeSettings { slots: 2, ..ONE };

/// One slot, with a job that runs and one behind it.
const RUNNING_AND_QUEUED: &str = "start         => build 0
                                  mean 1        =>
                                  ready 0       => want 2
                                  offer a#1     => send 0 a#1, runs 0 a#1
                                  offer b#1     => send 0 b#1\n";

fn attempt(word: &str) -> (JobId, Attempt) {
    let (name, number) = word.split_once('#').unwrap();
    (JobId(u32::from(name.as_bytes()[0] - b'a')), Attempt(number.parse().unwrap()))
}

fn show(job: JobId, attempt: Attempt) -> String {
    format!("{}#{}", char::from(b'a' + u8::try_from(job.0).unwrap()), attempt.0)
}

fn millis(word: &str) -> Duration {
    Duration::from_millis(word.parse().unwrap())
}

fn spec(job: JobId, words: &[&str]) -> JobSpec {
    let limit = |name: &str| words.iter().find_map(|word| word.strip_prefix(name)).map(millis);
    JobSpec {
        job,
        launch: LaunchId(0),
        kind: JobKind::Verdict,
        test: TestRef::new("g", "t"),
        args: Vec::new(),
        env: Vec::new(),
        reading: Reading::ExitCode,
        limits: Limits { timeout: limit("timeout="), slow_after: limit("slow="), memory: None },
        near: words.iter().find_map(|word| {
            let (name, group) = word.split_once('=')?;
            let together = name == "together";
            (together || name == "near").then(|| Near { group: group.parse().unwrap(), together })
        }),
    }
}

fn event(words: &[&str]) -> NodeEvent {
    let slot = |word: &str| SlotId(word.parse().unwrap());
    match words {
        ["start"] => NodeEvent::Start,
        ["ready", index] => NodeEvent::SlotReady { slot: slot(index) },
        ["lost", index] => NodeEvent::SlotLost { slot: slot(index) },
        ["offer", what, limits @ ..] => {
            let (job, attempt) = attempt(what);
            let index = limits.iter().find_map(|word| word.strip_prefix("slot=")).unwrap_or("0");
            NodeEvent::Offered { slot: slot(index), spec: spec(job, limits), attempt }
        }
        ["ended", index, what] => {
            let (job, attempt) = attempt(what);
            NodeEvent::Ended { slot: slot(index), job, attempt }
        }
        ["recalled", index, what, answer] => {
            let (job, attempt) = attempt(what);
            NodeEvent::Recalled { slot: slot(index), job, attempt, was_started: *answer == "late" }
        }
        ["released", index, group] => {
            let near = Near { group: group.parse().unwrap(), together: true };
            NodeEvent::Released { slot: slot(index), near }
        }
        ["cancel", what] => {
            let (job, attempt) = attempt(what);
            NodeEvent::Cancel { job, attempt }
        }
        ["cancel-all"] => NodeEvent::CancelAll { hard: false },
        ["cancel-all", "hard"] => NodeEvent::CancelAll { hard: true },
        ["goes-on", index, what] => {
            let (job, attempt) = attempt(what);
            NodeEvent::WentOn { slot: slot(index), job, attempt }
        }
        ["tick"] => NodeEvent::Tick,
        ["mean", mean] => NodeEvent::Expected { mean: Some(millis(mean)) },
        other => panic!("event {other:?}"),
    }
}

fn text(action: &NodeAction) -> String {
    match action {
        NodeAction::Want { slot, count } => format!("want {}:{count}", slot.0),
        NodeAction::Send { slot, spec, attempt } => format!("send {} {}", slot.0, show(spec.job, *attempt)),
        NodeAction::Recall { slot, job, attempt } => format!("recall {} {}", slot.0, show(*job, *attempt)),
        NodeAction::Terminate { slot, job, attempt } => format!("term {} {}", slot.0, show(*job, *attempt)),
        NodeAction::Kill { slot, job, attempt } => format!("kill {} {}", slot.0, show(*job, *attempt)),
        NodeAction::Build { slot } => format!("build {}", slot.0),
        NodeAction::GiveUp { slot } => format!("give up {}", slot.0),
        NodeAction::Started { slot, job, attempt } => format!("runs {} {}", slot.0, show(*job, *attempt)),
        NodeAction::Finished { slot: _, job, attempt, cause } => {
            let cause = match cause {
                Cause::Natural => "natural",
                Cause::Timeout => "timeout",
                Cause::Cancelled => "cancelled",
                Cause::SlotLost => "slot-lost",
            };
            format!("{} {cause}", show(*job, *attempt))
        }
        NodeAction::Slow { job, attempt, elapsed } => {
            format!("{} slow {}", show(*job, *attempt), elapsed.as_millis())
        }
        NodeAction::Return { job, attempt } => format!("return {}", show(*job, *attempt)),
    }
}

/// Runs the transcript; at its end the node holds so many jobs. Which slot asks is of no interest: an offer serves the
/// oldest wish.
#[track_caller]
fn check(settings: NodeSettings, held: usize, transcript: &str) {
    play(settings, held, transcript, false);
}

#[track_caller]
fn play(settings: NodeSettings, held: usize, transcript: &str, named: bool) {
    let mut machine = NodeMachine::new(settings);
    let mut out = Vec::new();
    let mut now = 0;
    let mut wishes = VecDeque::new();
    for line in transcript.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (said, wanted) = line.split_once("=>").unwrap();
        let mut words: Vec<&str> = said.split_whitespace().collect();
        if let Some(at) = words[0].strip_prefix('@') {
            now = at.parse().unwrap();
            words.remove(0);
        }
        if words == ["wake"] {
            let at = machine.wake_at().map_or("never".to_owned(), |at| (at.as_micros() / 1_000).to_string());
            assert_eq!(at, wanted.trim(), "wake at {now}");
            continue;
        }
        let wish = if words[0] == "offer" { wishes.pop_front() } else { None };
        let wish = wish.map(|slot| format!("slot={slot}"));
        words.extend(wish.as_deref());
        machine.handle(Instant::from_millis(now), event(&words), &mut out);
        let mut actions = Vec::new();
        for action in out.drain(..) {
            if let NodeAction::Want { slot, count } = action
                && !named
            {
                wishes.extend((0..count).map(|_| slot.0));
                actions.push(format!("want {count}"));
            } else {
                actions.push(text(&action));
            }
        }
        assert_eq!(actions.join(", "), wanted.trim(), "after `{}`", said.trim());
    }
    assert_eq!(machine.held(), held);
}

#[test]
fn jobs_are_asked_for_one_a_free_slot() {
    check(
        TWO,
        1,
        "start         => build 0, build 1
         start         =>
         ready 1       => want 1
         ready 1       =>
         offer a#1     => send 1 a#1, runs 1 a#1
         offer a#1     =>
         ready 0       => want 1
         ended 1 a#1   => a#1 natural, want 1
         ended 1 a#1   =>
         offer b#1     => send 0 b#1, runs 0 b#1
         wake          => never",
    );
}

#[test]
fn short_jobs_are_queued_behind_the_running_one() {
    check(
        ONE,
        2,
        "start         => build 0
         ready 0       => want 1
         offer a#1     => send 0 a#1, runs 0 a#1
         mean 51       =>
         mean 50       => want 1
         offer b#1     => send 0 b#1
         ended 0 a#1   => a#1 natural, runs 0 b#1, want 1
         offer c#1     => send 0 c#1",
    );
    let never = NodeSettings { prefetch: false, ..ONE };
    check(never, 0, "start => build 0\n mean 1 =>\n ready 0 => want 1");
}

#[test]
fn long_jobs_wait_in_the_machine_for_a_slot() {
    check(
        ONE,
        1,
        "start         => build 0
         mean 1        =>
         ready 0       => want 2
         mean 60       =>
         offer a#1     => send 0 a#1, runs 0 a#1
         offer b#1     =>
         ended 0 a#1   => a#1 natural, send 0 b#1, runs 0 b#1",
    );
}

#[test]
fn an_idle_slot_gets_the_job_queued_elsewhere() {
    let begin = "start         => build 0, build 1
                 mean 1        =>
                 ready 0       => want 2
                 offer a#1     => send 0 a#1, runs 0 a#1
                 offer b#1     => send 0 b#1
                 ready 1       => recall 0 b#1, want 2\n";
    check(TWO, 2, &format!("{begin} recalled 0 b#1 back => send 1 b#1, runs 1 b#1"));
    // The queued job was faster than the recall.
    check(
        TWO,
        1,
        &format!("{begin} ended 0 a#1 => a#1 natural, runs 0 b#1, want 1\n recalled 0 b#1 late =>"),
    );
    check(
        TWO,
        1,
        &format!("{begin} recalled 0 b#1 late =>\n ended 0 a#1 => a#1 natural, runs 0 b#1, want 1"),
    );
    // Another job came first: the one brought back is queued again.
    check(
        TWO,
        3,
        &format!("{begin} offer c#1 => send 1 c#1, runs 1 c#1\n recalled 0 b#1 back => send 0 b#1"),
    );
    // The coordinator cancels it meanwhile.
    check(TWO, 1, &format!("{begin} cancel b#1 =>\n recalled 0 b#1 back => return b#1, want 1"));
    check(
        TWO,
        0,
        &format!(
            "{begin} cancel b#1 =>\n ended 0 a#1 => a#1 natural, runs 0 b#1, term 0 b#1, want 1
             recalled 0 b#1 late =>\n ended 0 b#1 => b#1 cancelled, want 1"
        ),
    );
    // The slot dies with both.
    check(TWO, 0, &format!("{begin} lost 0 => a#1 slot-lost, return b#1, build 0"));
}

#[test]
fn one_recall_for_each_idle_slot() {
    check(
        NodeSettings { slots: 3, ..ONE },
        4,
        "start         => build 0, build 1, build 2
         mean 1        =>
         ready 0       => want 2
         ready 1       => want 2
         offer a#1     => send 0 a#1, runs 0 a#1
         offer b#1     => send 1 b#1, runs 1 b#1
         offer c#1     => send 0 c#1
         offer d#1     => send 1 d#1
         ready 2       => recall 0 c#1, want 2
         mean 1        =>
         recalled 0 c#1 back => send 2 c#1, runs 2 c#1",
    );
}

#[test]
fn a_job_beyond_its_time_is_asked_to_end_and_then_killed() {
    check(
        ONE,
        0,
        "start                    => build 0
         ready 0                  => want 1
         @100 offer a#1 timeout=30 => send 0 a#1, runs 0 a#1
         wake                     => 130
         @129 tick                =>
         @130 tick                => term 0 a#1
         wake                     => 140
         cancel a#1               =>
         @140 tick                => kill 0 a#1
         wake                     => never
         @150 tick                =>
         ended 0 a#1              => a#1 timeout, want 1",
    );
    check(
        NodeSettings { grace: Duration::ZERO, ..ONE },
        1,
        "start                  => build 0
         ready 0                => want 1
         offer a#1 timeout=30   => send 0 a#1, runs 0 a#1
         @30 tick               => kill 0 a#1",
    );
}

#[test]
fn time_of_a_queued_job_counts_from_its_start() {
    check(
        ONE,
        1,
        "start                  => build 0
         mean 1                 =>
         ready 0                => want 2
         offer a#1              => send 0 a#1, runs 0 a#1
         offer b#1 timeout=30   => send 0 b#1
         wake                   => never
         @100 ended 0 a#1       => a#1 natural, runs 0 b#1, want 1
         wake                   => 130",
    );
}

#[test]
fn a_slow_job_is_announced_again_and_again() {
    check(
        ONE,
        1,
        "start                         => build 0
         ready 0                       => want 1
         @5 offer a#1 slow=10 timeout=60 => send 0 a#1, runs 0 a#1
         wake                          => 15
         @15 tick                      => a#1 slow 10
         wake                          => 25
         @47 tick                      => a#1 slow 42
         wake                          => 55
         @55 tick                      => a#1 slow 50
         wake                          => 65
         @65 tick                      => term 0 a#1
         wake                          => 75",
    );
    check(
        ONE,
        1,
        "start              => build 0
         ready 0            => want 1
         offer a#1 slow=0   => send 0 a#1, runs 0 a#1
         wake               => never",
    );
}

#[test]
fn the_earliest_deadline_of_all_slots_wakes() {
    check(
        TWO,
        1,
        "start                 => build 0, build 1
         ready 0               => want 1
         ready 1               => want 1
         offer a#1 timeout=50  => send 0 a#1, runs 0 a#1
         offer b#1 timeout=20  => send 1 b#1, runs 1 b#1
         wake                  => 20
         @20 tick              => term 1 b#1
         ended 1 b#1           => b#1 timeout, want 1
         wake                  => 50",
    );
}

#[test]
fn a_cancelled_job_ends_wherever_it_is() {
    check(
        ONE,
        1,
        &format!(
            "{RUNNING_AND_QUEUED} cancel a#1 => term 0 a#1\n wake => 10\n @3 ended 0 a#1 => a#1 cancelled, runs 0 b#1, want 1
             wake => never\n cancel a#1 =>\n cancel b#2 =>"
        ),
    );
    check(
        ONE,
        1,
        &format!(
            "{RUNNING_AND_QUEUED} cancel b#1 => recall 0 b#1\n cancel b#1 =>\n recalled 0 b#1 back => return b#1, want 1"
        ),
    );
    check(
        ONE,
        0,
        "start => build 0\n ready 0 => want 1\n lost 0 => build 0\n offer a#1 =>\n cancel a#1 => return a#1",
    );
}

#[test]
fn no_job_is_queued_behind_one_that_is_being_ended() {
    check(
        ONE,
        2,
        "start         => build 0
         mean 1        =>
         ready 0       => want 2
         offer a#1     => send 0 a#1, runs 0 a#1
         cancel a#1    => term 0 a#1
         offer b#1     =>
         @10 tick      => kill 0 a#1
         ended 0 a#1   => a#1 cancelled, send 0 b#1, runs 0 b#1, want 1
         offer c#1     => send 0 c#1",
    );
}

#[test]
fn cancel_all_once_is_polite_and_twice_hard() {
    check(
        ONE,
        0,
        &format!(
            "{RUNNING_AND_QUEUED} cancel-all       => recall 0 b#1, term 0 a#1
             cancel-all               =>
             offer c#1                => return c#1
             recalled 0 b#1 back      => return b#1
             cancel-all hard          => kill 0 a#1
             cancel-all hard          =>
             ended 0 a#1              => a#1 cancelled
             lost 0                   =>"
        ),
    );
    // Hard at once, and the queued job starts before the recall is read.
    check(
        ONE,
        0,
        &format!(
            "{RUNNING_AND_QUEUED} cancel-all hard  => recall 0 b#1, kill 0 a#1
             ended 0 a#1              => a#1 cancelled, runs 0 b#1, kill 0 b#1
             recalled 0 b#1 late      =>
             ended 0 b#1              => b#1 cancelled"
        ),
    );
    // What has no slot yet is given back.
    check(
        ONE,
        0,
        "start => build 0\n ready 0 => want 1\n lost 0 => build 0\n offer a#1 =>\n cancel-all => return a#1",
    );
    check(ONE, 0, "cancel-all =>\n start =>");
}

#[test]
fn a_lost_slot_is_built_again() {
    check(
        ONE,
        0,
        "start         => build 0
         mean 1        =>
         ready 0       => want 2
         offer a#1 timeout=10 => send 0 a#1, runs 0 a#1
         offer b#1     => send 0 b#1
         lost 0        => a#1 slot-lost, return b#1, build 0
         wake          => never
         ended 0 a#1   =>
         recalled 0 b#1 late =>
         ready 0       => want 2",
    );
    // What was being ended keeps its cause.
    check(
        ONE,
        0,
        "start         => build 0
         ready 0       => want 1
         offer a#1     => send 0 a#1, runs 0 a#1
         cancel a#1    => term 0 a#1
         lost 0        => a#1 cancelled, build 0",
    );
}

#[test]
fn a_slot_that_is_never_ready_is_given_up() {
    check(
        TWO,
        2,
        "start         => build 0, build 1
         ready 1       => want 1
         lost 0        => build 0
         lost 0        => build 0
         lost 0        => build 0
         ready 0       => want 1
         lost 0        => build 0
         lost 0        => build 0
         lost 0        => build 0
         lost 0        => build 0
         lost 0        => give up 0
         lost 0        =>
         ready 0       =>
         mean 1        =>
         offer a#1     => send 1 a#1, runs 1 a#1
         offer b#1     => send 1 b#1
         offer c#1     => return c#1",
    );
}

#[test]
fn a_node_that_loses_its_last_slot_gives_everything_back() {
    check(
        ONE,
        0,
        "start         => build 0
         mean 1        =>
         ready 0       => want 2
         lost 0        => build 0
         offer a#1     =>
         lost 0        => build 0
         lost 0        => build 0
         lost 0        => build 0
         lost 0        => give up 0, return a#1
         offer b#1     => return b#1",
    );
}

#[test]
fn limits_count_from_each_test_of_a_job() {
    check(
        ONE,
        1,
        "start                          => build 0
         ready 0                        => want 1
         offer a#1 timeout=30 slow=20   => send 0 a#1, runs 0 a#1
         wake                           => 20
         @19 goes-on 0 a#1              =>
         wake                           => 39
         goes-on 0 a#2                  =>
         goes-on 0 b#1                  =>
         @39 tick                       => a#1 slow 20
         wake                           => 49
         @49 tick                       => term 0 a#1
         goes-on 0 a#1                  =>
         wake                           => 59",
    );
}
