//! `seatrial exec -n`: many jobs, counted and reported.

use super::{world, worlds};
use rustix::process::Signal;
use std::collections::BTreeMap;

#[test]
fn each_index_is_run_once() {
    for world in worlds() {
        let ran = world
            .seatrial(["exec", "-n", "40", "-j", "4", "--format", "json", "--", "sh", "-c"])
            .arg("test $SEATRIAL_INDEX = {index} && echo {index}:$SEATRIAL_ATTEMPT")
            .run()
            .exits(0);
        let outputs: BTreeMap<u32, String> = ran
            .events_of("attempt-finished")
            .iter()
            .map(|event| {
                let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
                (text(&event["test"]["name"]).parse().unwrap(), text(&event["output"]["stdout"]["head"]))
            })
            .collect();
        let expected: BTreeMap<u32, String> = (1..=40).map(|index| (index, format!("{index}:1\n"))).collect();
        assert_eq!(outputs, expected);
        assert_eq!(ran.finished()["counts"]["passed"], 40);
    }
}

#[test]
fn a_range_has_both_its_ends() {
    let ran = world().seatrial(["exec", "--array", "5..7", "--format", "json", "--", "true"]).run().exits(0);
    let names: Vec<String> = ran.outcomes().into_iter().map(|(_, name, _)| name).collect();
    assert_eq!(names, ["5", "6", "7"]);
}

#[test]
fn failures_are_shown_with_their_output_and_counted_last() {
    for world in worlds() {
        let ran = world
            .seatrial(["exec", "-n", "6", "--", "sh", "-c"])
            .arg("echo said-{index}; echo moaned-{index} >&2; test {index} != 4")
            .run()
            .exits(1);
        ran.tells("said-4")
            .tells("moaned-4")
            .tells("exit code 1")
            .hides("said-3")
            .ends("5 passed, 1 failed, 0 skipped");
        assert!(ran.stdout.is_empty(), "talk belongs on stderr: {ran:?}");
    }
}

#[test]
fn all_passed_is_0() {
    world().seatrial(["exec", "-n", "3", "--", "true"]).run().exits(0).ends("3 passed, 0 failed, 0 skipped");
}

#[test]
fn nothing_selected_is_4() {
    world().seatrial(["exec", "-n", "0", "--", "true"]).run().exits(4);
}

fn seeds(seed: &str) -> Vec<(String, String)> {
    let world = world();
    let call = world.seatrial(["exec", "-n", "5", "--format", "json", "--seed", seed, "--"]);
    let ran = call.args(["sh", "-c", "echo $SEATRIAL_SEED"]).run().exits(0);
    let text = |value: &serde_json::Value| value.as_str().unwrap().trim().to_owned();
    let events = ran.events_of("attempt-finished");
    let mut seeds: Vec<_> = events
        .iter()
        .map(|event| (text(&event["test"]["name"]), text(&event["output"]["stdout"]["head"])))
        .collect();
    seeds.sort();
    seeds
}

#[test]
fn a_seed_repeats_the_jobs_seeds() {
    let first = seeds("42");
    assert_eq!(first, seeds("42"));
    let others = seeds("43");
    assert!(
        first.iter().zip(&others).all(|(one, other)| one.0 == other.0 && one.1 != other.1),
        "{first:?} {others:?}"
    );
    let distinct: std::collections::BTreeSet<&str> = first.iter().map(|(_, seed)| seed.as_str()).collect();
    assert_eq!(distinct.len(), 5);
}

#[test]
fn after_max_fail_the_rest_is_not_run() {
    let ran = world()
        .seatrial(["exec", "-n", "50", "-j", "1", "--max-fail", "2", "--format", "json", "--", "false"])
        .run()
        .exits(1);
    let counts = ran.finished()["counts"].clone();
    let (failed, not_run) = (counts["failed"].as_u64().unwrap(), counts["not_run"].as_u64().unwrap());
    // The slot may hold its next job already, which runs on.
    assert!((2..=3).contains(&failed) && failed + not_run == 50, "{ran:?}");
}

#[test]
fn a_second_attempt_that_passes_is_flaky() {
    let world = world();
    let call = world.seatrial(["exec", "-n", "3", "--retries", "2", "--format", "json", "--", "sh", "-c"]);
    let ran = call.arg("test {index} != 2 || test $SEATRIAL_ATTEMPT = 3").run().exits(0);
    let counts = ran.finished()["counts"].clone();
    assert_eq!((counts["passed"].clone(), counts["flaky"].clone()), (3.into(), 1.into()), "{ran:?}");
    assert_eq!(ran.events_of("attempt-finished").len(), 5);
    let people = world
        .seatrial(["exec", "-n", "2", "--retries", "1", "--", "sh", "-c", "test $SEATRIAL_ATTEMPT = 2"])
        .run();
    people.exits(0).tells("flaky");
}

#[test]
fn a_job_that_keeps_failing_is_tried_so_often() {
    let world = world();
    let ran = world
        .seatrial(["exec", "-n", "1", "--retries", "2", "--format", "json", "--", "false"])
        .run()
        .exits(1);
    assert_eq!(ran.events_of("attempt-finished").len(), 3);
    assert_eq!(ran.finished()["counts"]["failed"], 1);
}

#[test]
fn an_interrupt_ends_the_run_with_a_summary() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let world = world();
        let call = world.seatrial(["exec", "-n", "500", "-j", "2", "--show-passes", "--", "sh", "-c"]);
        let started = call.arg("test {index} = 1 || exec sleep 1000").start();
        started.tells("PASS");
        started.signal(signal);
        let ran = started.end().exits(130);
        ran.tells("Interrupted").tells("not run");
    }
}

#[test]
fn a_second_interrupt_does_not_wait_for_the_grace() {
    let world = world();
    let call = world
        .seatrial(["exec", "-n", "4", "-j", "2", "--grace", "1000s", "--format", "json", "--", "sh", "-c"]);
    // A job that ignores the polite signal holds the run up until the second one.
    let started = call.arg("trap '' TERM INT HUP; echo up; while :; do sleep 1000; done").start();
    started.tells("attempt-started");
    // Two kinds, since the kernel may join two equal signals into one.
    started.signal(Signal::INT);
    started.signal(Signal::TERM);
    let ran = started.end().exits(130);
    assert_eq!(ran.finished()["interrupted"], true);
}

#[test]
fn many_slots_do_no_harm() {
    let ran = world()
        .seatrial(["exec", "-n", "60", "-j", "12", "--", "sh", "-c", "echo x > /tmp/mine"])
        .run()
        .exits(0);
    ran.ends("60 passed, 0 failed, 0 skipped");
}
