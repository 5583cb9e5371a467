//! Transcripts of jobs that are near each other. `slot=1` in an offer is the slot whose wish it serves, `want 1:2` are
//! two wishes of slot 1.

use super::{NodeSettings, TWO, play};

const SINGLY: NodeSettings = NodeSettings { prefetch: false, ..TWO };

/// Both slots idle, two wishes each.
const READY: &str = "start         => build 0, build 1
                     mean 1        =>
                     ready 0       => want 0:2
                     ready 1       => want 1:2\n";

/// Both slots idle, a wish each.
const READY_SINGLY: &str = "start    => build 0, build 1
                            ready 0  => want 0:1
                            ready 1  => want 1:1\n";

/// Slot 0 runs a job of no group; behind it a group that has not begun, of which one job waits in the machine.
const NOT_BEGUN: &str = "start                        => build 0, build 1
                         mean 1                       =>
                         ready 0                      => want 0:2
                         offer p#1 slot=0             => send 0 p#1, runs 0 p#1
                         offer a#1 slot=0 together=7  => send 0 a#1
                         offer b#1 slot=0 together=7  =>
                         ready 1                      => recall 0 a#1, want 1:1\n";

#[track_caller]
fn check(settings: NodeSettings, held: usize, begin: &str, transcript: &str) {
    play(settings, held, &format!("{begin}{transcript}"), true);
}

#[test]
fn jobs_that_must_be_together_stay_in_their_slot() {
    check(
        TWO,
        2,
        READY,
        "offer a#1 slot=1 together=7 => send 1 a#1, runs 1 a#1
         offer b#1 slot=1 together=7 => send 1 b#1
         ended 1 a#1                 => a#1 natural, runs 1 b#1, want 1:1
         offer c#1 slot=1 together=7 => send 1 c#1",
    );
    check(
        SINGLY,
        2,
        READY_SINGLY,
        "offer a#1 slot=1 together=7 => send 1 a#1, runs 1 a#1
         offer b#1 slot=1 together=7 =>
         ended 1 a#1                 => a#1 natural, send 1 b#1, runs 1 b#1
         offer c#1 slot=0 together=8 => send 0 c#1, runs 0 c#1",
    );
}

#[test]
fn an_idle_slot_helps_with_what_is_only_near() {
    check(
        TWO,
        2,
        READY,
        "offer a#1 slot=1 near=7 => send 1 a#1, runs 1 a#1
         offer b#1 slot=1 near=7 => send 0 b#1, runs 0 b#1",
    );
    // Queued before the other slot was there.
    check(
        TWO,
        2,
        "",
        "start                   => build 0, build 1
         mean 1                  =>
         ready 0                 => want 0:2
         offer a#1 slot=0 near=7 => send 0 a#1, runs 0 a#1
         offer b#1 slot=0 near=7 => send 0 b#1
         ready 1                 => recall 0 b#1, want 1:2
         recalled 0 b#1 back     => send 1 b#1, runs 1 b#1",
    );
}

#[test]
fn what_is_near_waits_for_its_own_slot_while_no_other_is_idle() {
    check(
        TWO,
        4,
        READY,
        "offer p#1 slot=0        => send 0 p#1, runs 0 p#1
         offer a#1 slot=1 near=7 => send 1 a#1, runs 1 a#1
         offer b#1 slot=1 near=7 => send 1 b#1
         offer c#1 slot=1 near=7 =>
         ended 1 a#1             => a#1 natural, runs 1 b#1, send 1 c#1
         offer q#1 slot=0        => send 0 q#1",
    );
}

#[test]
fn a_group_that_has_not_begun_moves_as_a_whole() {
    check(
        TWO,
        4,
        NOT_BEGUN,
        "recalled 0 a#1 back         => send 1 a#1, runs 1 a#1, send 1 b#1
         offer c#1 slot=0 together=7 =>
         ended 1 a#1                 => a#1 natural, runs 1 b#1, send 1 c#1
         offer q#1 slot=1            => send 0 q#1",
    );
}

#[test]
fn what_was_on_its_way_when_a_group_moved_does_not_part_it() {
    let moved = "recalled 0 a#1 back => send 1 a#1, runs 1 a#1, send 1 b#1\n";
    // The coordinator gave it for the wish of an idle slot.
    check(TWO, 3, &format!("{NOT_BEGUN}{moved}"), "offer c#1 slot=1 together=8 => return c#1, want 0:1");
    // By then it knew.
    check(
        TWO,
        3,
        &format!("{NOT_BEGUN}{moved}"),
        "offer c#1 slot=1 together=7 =>
         ended 1 a#1                 => a#1 natural, runs 1 b#1, send 1 c#1, want 0:1
         ended 1 b#1                 => b#1 natural, runs 1 c#1, want 1:1
         offer d#1 slot=1 together=8 => send 1 d#1",
    );
}

#[test]
fn a_group_that_has_begun_stays_even_if_a_job_was_asked_back() {
    check(
        TWO,
        2,
        NOT_BEGUN,
        "ended 0 p#1          => p#1 natural, runs 0 a#1, send 0 b#1, want 1:1
         recalled 0 a#1 late  =>",
    );
}

#[test]
fn a_group_whose_slot_is_lost_goes_elsewhere_whole() {
    check(
        SINGLY,
        1,
        READY_SINGLY,
        "offer a#1 slot=0 together=7 => send 0 a#1, runs 0 a#1
         offer b#1 slot=0 together=7 =>
         lost 0                      => a#1 slot-lost, build 0, send 1 b#1, runs 1 b#1
         ready 0                     => want 0:1",
    );
}

#[test]
fn a_full_node_takes_what_an_idle_slot_can_run() {
    check(
        SINGLY,
        3,
        READY_SINGLY,
        "offer a#1 slot=0 together=7 => send 0 a#1, runs 0 a#1
         offer b#1 slot=0 together=7 =>
         offer c#1 slot=0 together=7 => return c#1
         offer d#1 slot=1            => send 1 d#1, runs 1 d#1
         offer e#1 slot=1            => return e#1",
    );
}

#[test]
fn an_idle_slot_asks_though_others_have_asked_for_enough() {
    // Slot 0 is gone and its wish stands; what it brings is better off elsewhere.
    check(
        SINGLY,
        0,
        "",
        "start                       => build 0, build 1
         ready 0                     => want 0:1
         lost 0                      => build 0
         lost 0                      => build 0
         lost 0                      => build 0
         lost 0                      => build 0
         lost 0                      => give up 0
         ready 1                     =>
         offer a#1 slot=0 together=7 => return a#1, want 1:1",
    );
}

#[test]
fn what_waits_for_a_slot_that_is_given_up_is_given_back() {
    check(
        SINGLY,
        1,
        READY_SINGLY,
        "offer p#1 slot=1 near=9  => send 1 p#1, runs 1 p#1
         lost 0                   => build 0
         offer a#1 slot=0 near=7  =>
         lost 0                   => build 0
         lost 0                   => build 0
         lost 0                   => build 0
         lost 0                   => return a#1, give up 0",
    );
}

#[test]
fn a_slot_that_is_kept_for_a_group_helps_no_other_until_it_is_released() {
    let begin = format!(
        "{READY}
         offer a#1 slot=1 together=7 => send 1 a#1, runs 1 a#1
         offer b#1 slot=0 near=8     => send 0 b#1, runs 0 b#1
         offer c#1 slot=0 near=8     => send 0 c#1
         ended 1 a#1                 => a#1 natural, want 1:1\n"
    );
    check(TWO, 2, &begin, "released 1 6 =>\n released 1 7 => recall 0 c#1");
    // Of no group: it ends nothing that was set up.
    check(TWO, 3, &begin, "offer p#1 slot=0 => send 1 p#1, runs 1 p#1");
    // More of the group has overtaken the word.
    check(
        TWO,
        2,
        &begin,
        "offer d#1 slot=1 together=7 => send 1 d#1, runs 1 d#1
         released 1 7                =>
         ended 1 d#1                 => d#1 natural, want 1:1",
    );
}
