//! Every way of reading, over the recorded runs and over all ends.

use super::read;
use crate::libtest::golden::{golden, recorded};
use seatrial_model::{Captured, End, Outcome, Output, Reading, SpawnStep, TestRef};

const ONE: Reading = Reading::LibtestOne { early_exit_passes: false };

fn outcomes(reading: &Reading, name: &str, file: &[u8]) -> Vec<(String, Outcome)> {
    let (end, output) = recorded(file);
    let verdicts = read(reading, &TestRef::new("outcomes", name), &end, &output);
    assert!(verdicts.iter().all(|verdict| &*verdict.test.group == "outcomes"));
    verdicts.into_iter().map(|verdict| (verdict.test.name.to_string(), verdict.outcome)).collect()
}

#[test]
fn one_verdict_for_one_test() {
    let check = |reading: &Reading, name: &str, file, outcome| {
        assert_eq!(outcomes(reading, name, file), [(name.to_owned(), outcome)]);
    };
    check(&ONE, "tests::passes", golden!("one/passes.txt"), Outcome::Pass);
    check(&ONE, "tests::exits_with_0", golden!("one/exits_with_0.txt"), Outcome::Fail);
    let lenient = Reading::LibtestOne { early_exit_passes: true };
    check(&lenient, "tests::exits_with_0", golden!("one/exits_with_0.txt"), Outcome::Pass);
    check(&Reading::ExitCode, "(main)", golden!("one/exits_with_0.txt"), Outcome::Pass);
    check(&Reading::ExitCode, "(main)", golden!("one/exits_with_3.txt"), Outcome::Fail);
    check(&Reading::ExitCode, "(main)", golden!("one/segfaults.txt"), Outcome::Crash);
    check(&Reading::LibtestList, "(list)", golden!("list/all.txt"), Outcome::Pass);
    check(&Reading::LibtestList, "(list)", golden!("list/silent.txt"), Outcome::Pass);
    check(&Reading::LibtestList, "(list)", golden!("list/chatty.txt"), Outcome::Error);
    check(&Reading::LibtestList, "(list)", golden!("one/exits_with_3.txt"), Outcome::Error);
    check(&Reading::LibtestList, "(list)", golden!("one/segfaults.txt"), Outcome::Crash);
}

#[test]
fn many_verdicts_and_one_for_the_process_in_trouble() {
    let pass = |name: &str| (name.to_owned(), Outcome::Pass);
    let skip = |name: &str| (name.to_owned(), Outcome::Skip);
    let many = Reading::LibtestMany;
    let mut all = outcomes(&many, "(main)", golden!("many/all_pass.txt"));
    all.sort();
    let should = pass("tests::should_panic_and_does");
    assert_eq!(all, [skip("tests::ignored"), pass("tests::passes"), pass("tests::passes_too"), should]);
    let crashed = outcomes(&many, "(main)", golden!("many/crash.txt"));
    assert_eq!(crashed.last(), Some(&("(main)".to_owned(), Outcome::Crash)));
    assert_eq!(outcomes(&many, "(main)", golden!("many/exits.txt")), [("(main)".to_owned(), Outcome::Error)]);
}

#[test]
fn nothing_but_an_exit_passes() {
    let readings = [Reading::ExitCode, ONE, Reading::LibtestMany, Reading::LibtestList];
    let steps = [SpawnStep::Clone, SpawnStep::Chdir, SpawnStep::Exec, SpawnStep::Setup];
    let starts = steps.map(|step| (End::NotStarted { step, errno: 13 }, Outcome::Error));
    let ends = [(End::SlotLost, Outcome::Lost), (End::Signal(9), Outcome::Crash)];
    let (_, output) = recorded(golden!("one/passes.txt"));
    for reading in &readings {
        for (end, outcome) in starts.iter().chain(&ends) {
            let verdicts = read(reading, &TestRef::new("g", "tests::passes"), end, &output);
            let last = verdicts.last().unwrap();
            assert_eq!(last.outcome, *outcome, "{reading:?} {end:?}");
            assert!(last.reason.is_some());
        }
    }
}

#[test]
fn a_list_with_a_hole_is_no_list() {
    let stdout = Captured { head: "a: test\n".into(), tail: "z: test\n".into(), total: 100, spill: None };
    let output = Output { stdout, ..Output::default() };
    let verdicts = read(&Reading::LibtestList, &TestRef::new("g", "(list)"), &End::Exit(0), &output);
    assert_eq!(verdicts[0].outcome, Outcome::Error);
    let reason = verdicts[0].reason.as_deref().unwrap();
    assert_eq!(reason, "the list of tests is too long: 84 bytes of it were not kept");
}

#[test]
fn a_list_in_two_halves_is_whole() {
    let stdout = Captured { head: "a: te".into(), tail: "st\n".into(), total: 8, spill: None };
    let output = Output { stdout, ..Output::default() };
    let verdicts = read(&Reading::LibtestList, &TestRef::new("g", "(list)"), &End::Exit(0), &output);
    assert_eq!(verdicts[0].outcome, Outcome::Pass);
}
