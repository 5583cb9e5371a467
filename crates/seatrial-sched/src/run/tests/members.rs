//! Jobs of several tests, of which each is decided by itself.

use super::{PLAIN, RETRY, RunSettings, check};

const STRICT: RunSettings = RunSettings { strict: true, ..PLAIN };

#[test]
fn what_passes_together_is_over() {
    check(
        PLAIN,
        "add a:pytest,x,y,z                 =>
         planned                            =>
         n0 wants 1                         => n0 gets a#1
         n0 starts a#1                      => x#1 runs, y#1 runs, z#1 runs
         n0 ends a#1 x:pass y:pass^1 z:skip^2 => settled a reported pass+pass+skip, \
                                               x#1 pass, y#1 pass, z#1 skip, complete",
        "2 passed, 1 skipped",
    );
}

#[test]
fn a_test_that_fails_in_company_only_is_order_dependent() {
    check(
        PLAIN,
        "add a:pytest,x,y                   =>
         planned                            =>
         n0 wants 1                         => n0 gets a#1
         n0 starts a#1                      => x#1 runs, y#1 runs
         n0 ends a#1 x:pass y:fail^1        => settled a reported pass, x#1 pass, ask a y alone
         again a:pytest,y                   =>
         n0 wants 1                         => n0 gets a#2
         n0 starts a#2                      =>
         n0 ends a#2 y:pass                 => settled a reported, ask a x+y the same
         again a:pytest,x,y                 =>
         n0 wants 1                         => n0 gets a#3
         n0 starts a#3                      =>
         n0 ends a#3 x:pass y:fail^1        => settled a reported pass, y#1 fail*, y#2 pass by order, complete",
        "2 passed, 1 order-dependent",
    );
}

#[test]
fn a_test_that_passes_only_after_others_is_order_dependent() {
    let transcript = |end: &str| {
        format!(
            "add a:pytest,y             =>
             planned                    =>
             n0 wants 1                 => n0 gets a#1
             n0 starts a#1              => y#1 runs
             n0 ends a#1 y:fail         => settled a reported, ask a y after others
             again a:pytest,x,y         =>
             n0 wants 1                 => n0 gets a#2
             n0 starts a#2              =>
             n0 ends a#2 x:pass y:pass^1 => settled a reported, ask a y alone
             again a:pytest,y           =>
             n0 wants 1                 => n0 gets a#3
             n0 starts a#3              =>
             n0 ends a#3 y:fail         => {end}, complete"
        )
    };
    let by_order = transcript("settled a reported pass, y#1 fail*, y#2 pass by order");
    check(PLAIN, &by_order, "1 passed, 1 order-dependent");
    // Who asked for strictness is told, and the test has failed.
    check(STRICT, &transcript("settled a reported fail, y#1 fail"), "1 failed");
}

#[test]
fn a_test_that_is_bad_once_is_flaky_and_not_order_dependent() {
    let in_company = |end: &str| {
        format!(
            "add a:pytest,x,y               =>
             planned                        =>
             n0 wants 3                     => n0 gets a#1
             n0 ends a#1 x:pass y:fail^1    => settled a reported pass, x#1 pass, ask a y alone
             again a:pytest,y               => n0 gets a#2
             n0 ends a#2 y:pass             => settled a reported, ask a x+y the same
             again a:pytest,x,y             => n0 gets a#3
             n0 ends a#3 x:pass y:pass^1    => {end}, complete"
        )
    };
    check(PLAIN, &in_company("settled a reported fail, y#1 fail"), "1 passed, 1 failed");
    // A second chance was asked for.
    check(RETRY, &in_company("settled a reported pass, y#1 fail*, y#2 pass"), "2 passed, 1 flaky");

    let alone = "add a:pytest,y                 =>
                 planned                        =>
                 n0 wants 3                     => n0 gets a#1
                 n0 ends a#1 y:fail             => settled a reported, ask a y after others
                 again a:pytest,x,y             => n0 gets a#2
                 n0 ends a#2 x:pass y:pass^1    => settled a reported, ask a y alone
                 again a:pytest,y               => n0 gets a#3
                 n0 ends a#3 y:pass             => settled a reported fail, y#1 fail, complete";
    check(PLAIN, alone, "1 failed");
    check(STRICT, alone, "1 failed");
}

#[test]
fn what_has_failed_does_not_end_as_a_mere_skip() {
    let transcript = |end: &str| {
        format!(
            "add a:pytest,x,y               =>
             planned                        =>
             n0 wants 3                     => n0 gets a#1
             n0 ends a#1 x:pass y:fail^1    => settled a reported pass, x#1 pass, ask a y alone
             again a:pytest,y               => n0 gets a#2
             n0 ends a#2 y:skip             => settled a reported, ask a x+y the same
             again a:pytest,x,y             => n0 gets a#3
             {end}, complete"
        )
    };
    let by_order = "n0 ends a#3 x:pass y:fail^1 => settled a reported skip, y#1 fail*, y#2 skip by order";
    check(PLAIN, &transcript(by_order), "1 passed, 1 order-dependent, 1 skipped");
    let flaky = "n0 ends a#3 x:pass y:skip^1 => settled a reported fail, y#1 fail";
    check(PLAIN, &transcript(flaky), "1 passed, 1 failed");
}

#[test]
fn what_cannot_be_confirmed_has_failed() {
    let transcript = |third: &str| {
        format!(
            "add a:pytest,x,y               =>
             planned                        =>
             n0 wants 3                     => n0 gets a#1
             n0 ends a#1 x:pass y:fail^1    => settled a reported pass, x#1 pass, ask a y alone
             again a:pytest,y               => n0 gets a#2
             n0 ends a#2 y:pass             => settled a reported, ask a x+y the same
             {third}, y#1 fail, complete"
        )
    };
    check(PLAIN, &transcript("again a not => settled a  fail"), "1 passed, 1 failed");
    // The company died before its turn.
    let died = "again a:pytest,x,y => n0 gets a#3
                n0 ends a#3 x:crash y:error? => settled a reported fail";
    check(PLAIN, &transcript(died), "1 passed, 1 failed");
}

#[test]
fn what_fails_in_any_company_has_failed_once() {
    check(
        PLAIN,
        "add a:pytest,x,y                   =>
         planned                            =>
         n0 wants 3                         => n0 gets a#1
         n0 starts a#1                      => x#1 runs, y#1 runs
         n0 ends a#1 x:pass y:fail^1        => settled a reported pass, x#1 pass, ask a y alone
         again a:pytest,y                   => n0 gets a#2
         n0 ends a#2 y:crash                => settled a reported, ask a y after others
         again a:pytest,x,y                 => n0 gets a#3
         n0 ends a#3 x:pass y:fail          => settled a reported crash, y#1 crash, complete",
        "1 passed, 1 failed",
    );
    check(
        PLAIN,
        "add a:pytest                       =>
         planned                            =>
         n0 wants 1                         => n0 gets a#1
         n0 ends a#1 fail                   => settled a reported, ask a a after others
         again a not                        => settled a  fail, a#1 fail, complete",
        "1 failed",
    );
}

#[test]
fn what_did_not_run_runs_again_unless_nothing_does() {
    check(
        PLAIN,
        "add a:pytest,w,x,y                 =>
         planned                            =>
         n0 wants 3                         => n0 gets a#1
         n0 starts a#1                      => w#1 runs, x#1 runs, y#1 runs
         n0 ends a#1 w:pass x:crash y:error? => settled a reported pass, w#1 pass, ask a y in company
         again a:pytest,y                   => n0 gets a#2
         n0 starts a#2                      => y#1 runs
         n0 ends a#2 y:pass                 => settled a reported pass, y#1 pass, ask a x after others
         again a not                        => settled a  crash, x#1 crash, complete",
        "2 passed, 1 failed",
    );
    check(
        PLAIN,
        "add a:pytest,x,y                   =>
         planned                            =>
         n0 wants 1                         => n0 gets a#1
         n0 ends a#1 x:error? y:error?      => settled a reported error+error, x#1 error, y#1 error, complete",
        "2 errors",
    );
}

#[test]
fn a_test_that_is_not_named_has_no_result() {
    check(
        PLAIN,
        "add a:pytest,x,y                   =>
         planned                            =>
         n0 wants 1                         => n0 gets a#1
         n0 ends a#1 x:pass z:pass          => settled a reported pass, x#1 pass, ask a y after others
         again a not                        => settled a  error, y#1 error, complete",
        "1 passed, 1 errors",
    );
}

#[test]
fn a_process_that_dies_before_a_tests_turn_does_so_once() {
    check(
        PLAIN,
        "add a:pytest,y                     =>
         planned                            =>
         n0 wants 2                         => n0 gets a#1
         n0 ends a#1 y:fail                 => settled a reported, ask a y after others
         again a:pytest,x,y                 => n0 gets a#2
         n0 ends a#2 x:crash y:error?       => settled a reported fail, y#1 fail, complete",
        "1 failed",
    );
}

#[test]
fn retries_are_alone_and_flaky_is_not_order_dependent() {
    check(
        RETRY,
        "add a:pytest,x,y                   =>
         planned                            =>
         n0 wants 3                         => n0 gets a#1
         n0 starts a#1                      => x#1 runs, y#1 runs
         n0 ends a#1 x:pass y:fail^1        => settled a reported pass, x#1 pass, ask a y alone
         again a:pytest,y                   => n0 gets a#2
         n0 ends a#2 y:fail                 => settled a reported, y#1 fail*, ask a y alone
         again a:pytest,y                   => n0 gets a#3
         n0 ends a#3 y:pass                 => settled a reported pass, y#2 pass, complete",
        "2 passed, 1 flaky",
    );
}

#[test]
fn a_run_that_ends_waits_for_nothing() {
    check(
        RunSettings { max_fail: Some(1), ..PLAIN },
        "add a:pytest,x,y b:pytest,w,z c:pytest,u,v =>
         planned                            =>
         n0 wants 2                         => n0 gets a#1, n0 gets b#1
         n0 starts a#1                      => x#1 runs, y#1 runs
         n0 starts b#1                      => w#1 runs, z#1 runs
         n0 ends b#1 w:pass z:fail^1        => settled b reported pass, w#1 pass, ask b z alone
         n0 ends a#1 x:fail y:error?        => settled a reported, ask a x after others
         again a not                        => settled a  fail, x#1 fail, ask a y in company, settled b  cancelled, z#1 fail*, z#2 cancelled, complete
         again a:pytest,y                   =>
         again b:pytest,z                   =>",
        "1 passed, 1 failed, 4 not run",
    );
    check(
        PLAIN,
        "add a:pytest,x,y b:pytest,w        =>
         n0 wants 1                         => n0 gets a#1
         n0 starts a#1                      => x#1 runs, y#1 runs
         cancel                             => n0 cancel a#1
         n0 ends a#1 x:cancelled y:error?   => settled a reported cancelled+cancelled, x#1 cancelled, \
                                               y#1 cancelled, complete",
        "3 not run",
    );
}

#[test]
fn what_failed_alone_has_failed_when_the_run_ends_before_others_are_asked() {
    check(
        PLAIN,
        "add a:pytest,x,y                   =>
         planned                            =>
         n0 wants 1                         => n0 gets a#1
         n0 starts a#1                      => x#1 runs, y#1 runs
         n0 ends a#1 x:pass y:fail          => settled a reported pass, x#1 pass, ask a y after others
         cancel                             => settled a  fail, y#1 fail, complete
         again a:pytest,x,y                 =>",
        "1 passed, 1 failed",
    );
}

#[test]
fn members_of_a_job_whose_nodes_die_are_all_lost() {
    check(
        PLAIN,
        "add a:pytest,x,y                   =>
         planned                            =>
         n0 wants 1                         => n0 gets a#1
         n0 starts a#1                      => x#1 runs, y#1 runs
         n0 dies                            =>
         n1 wants 1                         => n1 gets a#2
         n1 dies                            =>
         n2 wants 1                         => n2 gets a#3
         n2 dies                            => settled a  lost+lost, x#1 lost, y#1 lost, complete",
        "2 errors",
    );
}

#[test]
fn the_frameworks_own_limit_holds_too() {
    check(
        PLAIN,
        "add a b c        =>
         most 2           =>
         most 3           =>
         n0 wants 3       => n0 gets a#1, n0 gets b#1, n0 gets c#1
         n0 starts c#1    => c#1 runs
         n0 ends a#1 fail => a#1 fail
         n0 ends b#1 fail => b#1 fail
         n0 ends c#1 pass => c#1 pass, complete",
        "1 passed, 2 failed",
    );
}
