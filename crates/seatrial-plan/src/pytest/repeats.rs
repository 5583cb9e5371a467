//! Tests that fail alone are tried once more after all that come before them in their file. It is found out here
//! whether that is worth while: where tests simply fail, a few tries are enough to see it.

use super::tests_of::Tests;
use seatrial_model::{Outcome, TestRef, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Tests of one file that may have been tried in vain.
const OF_FILE: u32 = 3;

/// Tests of the whole run that may have been tried in vain.
const OF_RUN: u32 = 30;

/// What the first of one file may take: by the time that its tests have taken until now.
const LONGEST: Duration = Duration::from_secs(120);

/// What further ones may take together, when the first was in vain.
const FURTHER: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct Repeats {
    tried: BTreeSet<TestRef>,
    in_vain: BTreeMap<String, u32>,
    all_in_vain: u32,
    took: BTreeMap<String, Duration>,
}

impl Repeats {
    /// Whether these tests of one file are to be tried after those before them.
    pub(super) fn begin(&mut self, tests: &Tests, places: &[usize]) -> bool {
        let Some(&last) = places.iter().max() else { return false };
        let file = &tests.all()[last].file;
        let alone = tests.until(places).len() < 2;
        let in_vain = self.in_vain.get(file).copied().unwrap_or_default();
        let took = self.took(file);
        let too_long = if in_vain == 0 { took > LONGEST } else { took * in_vain > FURTHER };
        if alone || in_vain >= OF_FILE || self.all_in_vain >= OF_RUN || too_long {
            return false;
        }
        self.tried.extend(places.iter().map(|&place| tests.name(place).clone()));
        true
    }

    /// How long the tests of a file have taken until now.
    pub(super) fn took(&self, file: &str) -> Duration {
        self.took.get(file).copied().unwrap_or_default()
    }

    /// A test's result is final.
    pub(super) fn ended(&mut self, tests: &Tests, place: usize, verdict: &Verdict, took: Duration) {
        let file = &tests.all()[place].file;
        *self.took.entry(file.clone()).or_default() += took;
        if self.tried.remove(&verdict.test) && verdict.outcome != Outcome::Pass {
            *self.in_vain.entry(file.clone()).or_default() += 1;
            self.all_in_vain += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(each: Duration) -> usize {
        let test = |n| {
            let json = serde_json::json!({"id": format!("a.py::t{n}"), "n": 0, "file": "/a.py", "wide": false, "job": "test"});
            serde_json::from_value(json).unwrap()
        };
        let tests = Tests::of((0..9).map(test).collect());
        let mut repeats = Repeats::default();
        let in_vain = (1..9).take_while(|&place| {
            let begun = repeats.begin(&tests, &[place]);
            let verdict = Verdict { test: tests.name(place).clone(), outcome: Outcome::Fail, reason: None };
            repeats.ended(&tests, place, &verdict, each);
            begun
        });
        in_vain.count()
    }

    #[test]
    fn a_file_that_takes_long_is_believed_earlier() {
        for (seconds, times) in [(1, 3), (14, 2), (31, 1), (121, 1)] {
            assert_eq!(tried(Duration::from_secs(seconds)), times, "{seconds} s");
        }
    }
}
