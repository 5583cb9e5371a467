//! Transcripts of tests that are near each other.

use super::{PLAIN, RETRY, check, job};

#[test]
fn groups_and_single_tests_are_in_one_order_and_the_idle_help_where_most_is_left() {
    check(
        PLAIN,
        "add a@1~1 b@1~1 c@5 d@3~2 e@4~2 f@failed~3 =>
         n0 wants 1   => n0 gets f#1
         n0.1 wants 1 => n0.1 gets d#1
         n0.2 wants 1 => n0.2 gets c#1
         n0.3 wants 1 => n0.3 gets a#1
         n0 wants 1   => n0 gets e#1
         n0.1 wants 1 => n0.1 gets b#1",
        "",
    );
}

#[test]
fn a_slot_gets_the_next_of_its_own_group() {
    check(
        PLAIN,
        "add a~1 b~1 c~1 d~2 e~2 =>
         n0 wants 1    => n0 gets a#1
         n1 wants 2    => n1 gets d#1, n1 gets e#1
         n0.1 wants 1  => n0.1 gets b#1
         add f@failed  =>
         n0 wants 2    => n0 gets c#1, n0 gets f#1",
        "",
    );
}

#[test]
fn listings_and_relays_have_no_group() {
    check(
        PLAIN,
        "add a:listing~1! b:relay~1! c:listing~1! =>
         n0 wants 1   => n0 gets b#1
         n0.1 wants 1 => n0.1 gets a#1
         n0.2 wants 1 => n0.2 gets c#1",
        "",
    );
}

#[test]
fn within_a_group_the_order_stays_but_for_what_failed_where_order_means_nothing() {
    let wanted = "n0 gets b#1, n0 gets a#1, n0 gets c#1";
    check(PLAIN, &format!("add a@1~1 b@failed~1 c@9~1 =>\n n0 wants 3 => {wanted}"), "");
    let wanted = "n0 gets a#1, n0 gets b#1, n0 gets c#1";
    check(PLAIN, &format!("add a@1~1! b@failed~1! c@9~1! =>\n n0 wants 3 => {wanted}"), "");
}

#[test]
fn tests_that_must_be_together_go_to_one_slot() {
    let machine = check(
        PLAIN,
        "add a~1! b~1! c~1! d~2! =>
         n0 wants 1       => n0 gets a#1
         n0.1 wants 2     => n0.1 gets d#1
         n1 wants 1       =>
         n0 starts a#1    => a#1 runs
         n0 ends a#1 pass => a#1 pass",
        "1 passed",
    );
    for (name, words) in [
        ("b", "next of its group; only slot 0 of node 0 may have it"),
        ("c", "waits behind 1 job; only slot 0 of node 0 may have it"),
    ] {
        assert_eq!(machine.explain(job(name)).to_string(), words, "{name}");
    }
    check(
        PLAIN,
        "add a~1! b~1! c~1!  =>
         n0 wants 2          => n0 gets a#1, n0 gets b#1
         n1 wants 1          =>
         n0 starts a#1       => a#1 runs
         n0 ends a#1 pass    => a#1 pass
         n0 ends b#1 pass    => b#1 pass
         n0 wants 1          => n0 gets c#1",
        "2 passed",
    );
}

#[test]
fn a_waiting_group_is_explained() {
    let machine = check(PLAIN, "add a@1~1 b@1~1 c@5 d@3~2 e@4~2 f:listing =>", "");
    for (name, ahead) in [("d", 0), ("e", 1), ("c", 2), ("a", 3), ("b", 4)] {
        let words = match ahead {
            0 => "next in line; no slot is free".to_owned(),
            1 => "waits behind 1 job".to_owned(),
            more => format!("waits behind {more} jobs"),
        };
        assert_eq!(machine.explain(job(name)).to_string(), words, "{name}");
    }
}

#[test]
fn while_its_last_test_is_under_way_a_group_goes_nowhere_else() {
    check(
        PLAIN,
        "add a~1! c~2!    =>
         n0 wants 2       => n0 gets a#1, n0 gets c#1
         add b~1!         =>
         n1 wants 1       =>
         n0 wants 1       =>
         n0 starts a#1    => a#1 runs
         n0 ends a#1 pass => a#1 pass, n1 gets b#1",
        "1 passed",
    );
}

#[test]
fn the_group_of_a_dead_node_begins_anew_in_one_slot() {
    check(
        PLAIN,
        "add a~1! b~1! c~1! =>
         n1 wants 1       => n1 gets a#1
         n1 starts a#1    => a#1 runs
         n2 wants 2       =>
         n3 wants 1       =>
         n1 dies          => a#1 lost*, n2 gets a#2, n2 gets b#1
         n2 ends a#2 pass => a#2 pass
         n2 wants 1       => n2 gets c#1",
        "1 passed, 1 flaky",
    );
}

/// A group has begun in slot 0; slot 1 has nothing to do.
const BEGUN: &str = "add a~1! b~1! c~1! =>
                     n0 wants 1       => n0 gets a#1
                     n0 starts a#1    => a#1 runs
                     n0.1 wants 2     =>\n";

#[test]
fn the_group_of_a_dead_slot_may_begin_anew_elsewhere() {
    // The slot died with the job.
    let lost = "n0 ends a#1 lost => a#1 lost, n0.1 gets b#1, n0.1 gets c#1";
    check(PLAIN, &format!("{BEGUN}{lost}"), "1 errors");
    // It was made again too often, between two jobs.
    let gone = "n0 ends a#1 pass => a#1 pass\n n0 gone => n0.1 gets b#1, n0.1 gets c#1";
    check(PLAIN, &format!("{BEGUN}{gone}"), "1 passed");
    // The word of that overtakes the result.
    let overtaken = "n0 gone =>\n n0 ends a#1 pass => a#1 pass, n0.1 gets b#1, n0.1 gets c#1";
    check(PLAIN, &format!("{BEGUN}{overtaken}"), "1 passed");
}

#[test]
fn what_comes_back_unstarted_frees_a_group_that_has_not_begun() {
    check(
        PLAIN,
        "add a~1! b~1!    =>
         n0 wants 2       => n0 gets a#1, n0 gets b#1
         n1 wants 2       =>
         n0 returns a#1   =>
         n0 returns b#1   => n1 gets a#2, n1 gets b#2",
        "",
    );
    // What has begun stays.
    check(
        PLAIN,
        "add a~1! b~1!    =>
         n0 wants 2       => n0 gets a#1, n0 gets b#1
         n1 wants 1       =>
         n0 starts a#1    => a#1 runs
         n0 ends a#1 pass => a#1 pass
         n0 returns b#1   =>
         n0 wants 1       => n0 gets b#2",
        "1 passed",
    );
}

#[test]
fn a_group_is_where_its_node_says_that_it_began() {
    check(
        PLAIN,
        "add a~1! b~1! c~1! =>
         n0 wants 1       => n0 gets a#1
         n0.1 wants 1     =>
         n0 wants 1       => n0 gets b#1
         n0.1 starts a#1  => a#1 runs, n0.1 gets c#1",
        "",
    );
}

#[test]
fn a_retry_stays_with_its_group_and_goes_anywhere_when_it_is_the_last() {
    check(
        RETRY,
        "add a~1! b~1!    =>
         n0 wants 1       => n0 gets a#1
         n1 wants 1       =>
         n0 ends a#1 fail => a#1 fail*
         n0 wants 2       => n0 gets a#2, n0 gets b#1
         n0 ends a#2 pass => a#2 pass
         n0 ends b#1 fail => b#1 fail*, n0.0 free of 1, n1 gets b#2",
        "1 passed, 1 flaky",
    );
}
