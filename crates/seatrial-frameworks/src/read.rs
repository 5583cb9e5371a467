//! From a job's end and output to verdicts: what every node does when a job has ended.

use crate::end::{by_exit_code, without_a_word};
use crate::libtest::{parse_list, read_many, read_one};
use seatrial_model::{End, Outcome, Output, Reading, TestRef, Verdict};

/// The verdicts of a job that was to be read in this way, and that `test` names.
///
/// There is one, about `test`, except for [`Reading::LibtestMany`]: there it is one for each test that libtest gave
/// its word of, in the group of `test`; and one about `test` itself only when the process as a whole went wrong, so
/// that whoever asked knows that tests without a verdict are still to be run.
///
/// For [`Reading::LibtestList`] a pass means that the whole list was received and can be read.
#[must_use]
pub fn read(reading: &Reading, test: &TestRef, end: &End, output: &Output) -> Vec<Verdict> {
    let verdict = |(outcome, reason)| vec![Verdict { test: test.clone(), outcome, reason }];
    match reading {
        Reading::ExitCode => verdict(by_exit_code(end)),
        Reading::LibtestOne { early_exit_passes } => {
            verdict(read_one(end, output, &test.name, *early_exit_passes))
        }
        Reading::LibtestMany => {
            let many = read_many(end, output);
            let mut verdicts: Vec<Verdict> = many
                .results
                .into_iter()
                .map(|result| Verdict {
                    test: TestRef { group: test.group.clone(), name: result.name.into() },
                    outcome: result.outcome,
                    reason: result.reason,
                })
                .collect();
            let trouble = many.trouble.map(|(outcome, words)| (outcome, Some(words)));
            verdicts.extend(trouble.into_iter().flat_map(verdict));
            verdicts
        }
        Reading::LibtestList => verdict(read_list(end, output)),
        // Its word comes by the report pipe, which `pytest::report` reads.
        Reading::Pytest { .. } => verdict((Outcome::Error, Some("its report was not read".to_owned()))),
    }
}

fn read_list(end: &End, output: &Output) -> (Outcome, Option<String>) {
    if *end != End::Exit(0) {
        return match without_a_word(end) {
            Some((outcome, words)) => (outcome, Some(words)),
            None => {
                let (outcome, reason) = by_exit_code(end);
                let outcome = if outcome == Outcome::Crash { Outcome::Crash } else { Outcome::Error };
                (outcome, Some(format!("could not list its tests: {}", reason.unwrap_or_default())))
            }
        };
    }
    if output.stdout.left_out() > 0 {
        let words =
            format!("the list of tests is too long: {} bytes of it were not kept", output.stdout.left_out());
        return (Outcome::Error, Some(words));
    }
    let stdout = [output.stdout.head.0.as_slice(), output.stdout.tail.0.as_slice()].concat();
    match parse_list(&stdout) {
        Ok(_) => (Outcome::Pass, None),
        Err(error) => (Outcome::Error, Some(error.to_string())),
    }
}

#[cfg(test)]
mod tests;
