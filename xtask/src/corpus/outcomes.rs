//! Outcomes of the same tests under two runners, compared.

use std::collections::{BTreeMap, BTreeSet};

/// A test: its binary's id or module, its name.
pub(crate) type Test = (String, String);

/// What became of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Pass,
    /// With the runner's own words for it.
    Bad(String),
    Skip,
}

/// Every test of one run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcomes {
    pub(crate) tests: BTreeMap<Test, Outcome>,
    /// What the runner said beside its tests, when it was grave.
    pub(crate) notices: Vec<String>,
}

impl Outcomes {
    /// Takes a test's outcome. Of several of one name a bad one counts, else a pass.
    pub(crate) fn add(&mut self, test: Test, outcome: Outcome) {
        let weight = |outcome: &Outcome| match outcome {
            Outcome::Skip => 0,
            Outcome::Pass => 1,
            Outcome::Bad(_) => 2,
        };
        let known = self.tests.entry(test).or_insert_with(|| outcome.clone());
        if weight(&outcome) > weight(known) {
            *known = outcome;
        }
    }
}

/// Tests whose outcome depends on something else than the runner: two native runs disagree about them.
#[derive(Debug, Default)]
pub(crate) struct Unsteady {
    tests: BTreeSet<Test>,
    /// Parametrised functions some of whose names change from run to run.
    functions: BTreeSet<Test>,
}

impl Unsteady {
    /// What two native runs disagree about.
    pub(crate) fn between(one: &Outcomes, two: &Outcomes) -> Self {
        let mut found = Self::default();
        let tests: BTreeSet<&Test> = one.tests.keys().chain(two.tests.keys()).collect();
        for test in tests {
            match (one.tests.get(test), two.tests.get(test)) {
                (Some(one), Some(two)) if kind(one) == kind(two) => {}
                (Some(_), Some(_)) => {
                    found.tests.insert(test.clone());
                }
                _ => {
                    found.functions.insert(function(test));
                    found.tests.insert(test.clone());
                }
            }
        }
        found
    }

    fn has(&self, test: &Test, known_to_both: bool) -> bool {
        self.tests.contains(test) || (!known_to_both && self.functions.contains(&function(test)))
    }
}

/// What the parametrised tests of a function have in common.
fn function((group, name): &Test) -> Test {
    (group.clone(), name.split('[').next().unwrap_or_default().to_owned())
}

fn kind(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::Bad(_) => "bad",
        Outcome::Skip => "skip",
    }
}

/// Two runs side by side.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    tests: usize,
    same: usize,
    /// Pass natively, not under Seatrial, with Seatrial's reason.
    pub(crate) only_natively: Vec<(Test, String)>,
    only_seatrial: Vec<(Test, String)>,
    both_bad: usize,
    skipped: usize,
    /// Known to one of the two alone, with which and how it ended.
    unmatched: Vec<(Test, String)>,
    /// Not counted: two native runs disagree.
    unsteady: Vec<Test>,
    /// Tests that the native runner does not run, when their group says so: how many passed, and what did not.
    doc: Option<(usize, Vec<(Test, String)>)>,
    /// Said beside the tests; differences of reports.
    pub(crate) notices: Vec<String>,
}

impl Comparison {
    /// Figures for the table: tests, same, only natively, only Seatrial, both fail, skipped, unmatched, and last what is
    /// peculiar to the corpus: unsteady tests, or doctests.
    pub(crate) fn cells(&self) -> Vec<String> {
        let lists = [self.only_natively.len(), self.only_seatrial.len()];
        let figures = [self.tests, self.same].into_iter().chain(lists).chain([
            self.both_bad,
            self.skipped,
            self.unmatched.len(),
        ]);
        let last = match &self.doc {
            Some((passed, failed)) => format!("{passed}/{}", failed.len()),
            None => self.unsteady.len().to_string(),
        };
        figures.map(|figure| figure.to_string()).chain([last]).collect()
    }

    /// Every difference, one a line.
    pub(crate) fn text(&self, label: &str) -> String {
        let mut text = String::new();
        let doc = self.doc.as_ref().map_or(&[][..], |(_, failed)| failed);
        let lists = [
            ("only natively passes", &self.only_natively[..]),
            ("only seatrial passes", &self.only_seatrial),
            ("known to one alone", &self.unmatched),
            ("doctest fails", doc),
        ];
        for (what, list) in lists {
            for ((group, name), reason) in list {
                text.push_str(&format!("{label}: {what}: {group} {name}: {reason}\n"));
            }
        }
        for (group, name) in &self.unsteady {
            text.push_str(&format!("{label}: unsteady: {group} {name}: two native runs disagree\n"));
        }
        for notice in &self.notices {
            text.push_str(&format!("{label}: notice: {notice}\n"));
        }
        if text.is_empty() { text } else { format!("\n{text}") }
    }

    fn add(&mut self, test: &Test, natively: Option<&Outcome>, ours: Option<&Outcome>) {
        self.tests += 1;
        match (natively, ours) {
            (Some(Outcome::Pass), Some(Outcome::Pass)) => self.same += 1,
            (Some(Outcome::Skip), Some(Outcome::Skip)) => {
                self.same += 1;
                self.skipped += 1;
            }
            (Some(Outcome::Bad(_)), Some(Outcome::Bad(_))) => {
                self.same += 1;
                self.both_bad += 1;
            }
            (Some(Outcome::Pass), Some(other)) => self.only_natively.push((test.clone(), say(other))),
            (Some(other), Some(Outcome::Pass)) => self.only_seatrial.push((test.clone(), say(other))),
            (Some(natively), Some(ours)) => {
                let both = format!("natively: {}; seatrial: {}", say(natively), say(ours));
                self.unmatched.push((test.clone(), both));
            }
            // Not run is not passed.
            (Some(Outcome::Pass), None) => {
                self.only_natively.push((test.clone(), "seatrial does not know it".to_owned()));
            }
            (Some(natively), None) => {
                self.unmatched.push((test.clone(), format!("natively alone: {}", say(natively))));
            }
            (None, Some(ours)) => {
                self.unmatched.push((test.clone(), format!("seatrial alone: {}", say(ours))));
            }
            (None, None) => {}
        }
    }

    fn add_doc(&mut self, test: &Test, ours: Option<&Outcome>) {
        let (passed, failed) = self.doc.get_or_insert_default();
        match ours {
            Some(Outcome::Pass) => *passed += 1,
            Some(Outcome::Bad(reason)) => failed.push((test.clone(), reason.clone())),
            Some(Outcome::Skip) | None => {}
        }
    }
}

/// Compares outcome by outcome. With `doc`, tests of groups that end in ` (doc)` have no peer and are counted apart.
pub(crate) fn compare(natively: &Outcomes, ours: &Outcomes, unsteady: &Unsteady, doc: bool) -> Comparison {
    let doc = doc.then(Default::default);
    let mut result = Comparison { notices: ours.notices.clone(), doc, ..Comparison::default() };
    let tests: BTreeSet<&Test> = natively.tests.keys().chain(ours.tests.keys()).collect();
    for test in tests {
        let (theirs, ours) = (natively.tests.get(test), ours.tests.get(test));
        if result.doc.is_some() && test.0.ends_with(" (doc)") {
            result.add_doc(test, ours);
        } else if unsteady.has(test, theirs.is_some() && ours.is_some()) {
            result.unsteady.push(test.clone());
        } else {
            result.add(test, theirs, ours);
        }
    }
    result
}

pub(crate) fn say(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Pass => "pass".to_owned(),
        Outcome::Bad(reason) => reason.clone(),
        Outcome::Skip => "skipped".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Comparison, Outcome, Outcomes, Unsteady, compare};

    fn run(tests: &[(&str, Outcome)]) -> Outcomes {
        let mut outcomes = Outcomes::default();
        for (name, outcome) in tests {
            outcomes.add(("g".to_owned(), (*name).to_owned()), outcome.clone());
        }
        outcomes
    }

    fn bad() -> Outcome {
        Outcome::Bad("why".to_owned())
    }

    fn cells(comparison: &Comparison) -> String {
        comparison.cells().join(" ")
    }

    #[test]
    fn each_pair_of_outcomes_is_counted_where_it_belongs() {
        let natively = run(&[
            ("a", Outcome::Pass),
            ("b", Outcome::Pass),
            ("c", bad()),
            ("d", bad()),
            ("e", Outcome::Skip),
            ("f", Outcome::Pass),
            ("g", Outcome::Skip),
        ]);
        let ours = run(&[
            ("a", Outcome::Pass),
            ("b", bad()),
            ("c", Outcome::Pass),
            ("d", bad()),
            ("e", Outcome::Skip),
            ("h", Outcome::Pass),
        ]);
        let compared = compare(&natively, &ours, &Unsteady::default(), false);
        assert_eq!(cells(&compared), "8 3 2 1 1 1 2 0");
        let names: Vec<&str> = compared.only_natively.iter().map(|((_, name), _)| name.as_str()).collect();
        assert_eq!(names, ["b", "f"]);
    }

    #[test]
    fn what_two_native_runs_disagree_about_is_not_counted() {
        let one = run(&[("a", Outcome::Pass), ("t[1]", Outcome::Pass), ("t[x]", Outcome::Pass)]);
        let two = run(&[("a", bad()), ("t[2]", Outcome::Pass), ("t[x]", Outcome::Pass)]);
        let ours = run(&[("a", bad()), ("t[3]", Outcome::Pass), ("t[x]", bad())]);
        let compared = compare(&one, &ours, &Unsteady::between(&one, &two), false);
        // `t[x]` is known to all, and so is compared.
        assert_eq!(cells(&compared), "1 0 1 0 0 0 0 3");
    }

    #[test]
    fn a_bad_outcome_is_not_hidden_by_another_of_its_name() {
        assert_eq!(run(&[("a", bad()), ("a", Outcome::Pass)]), run(&[("a", bad())]));
        assert_eq!(run(&[("a", Outcome::Pass), ("a", bad())]), run(&[("a", bad())]));
    }

    #[test]
    fn doctests_are_counted_apart() {
        let mut ours = Outcomes::default();
        ours.add(("g (doc)".to_owned(), "a".to_owned()), Outcome::Pass);
        ours.add(("g (doc)".to_owned(), "b".to_owned()), bad());
        let compared = compare(&run(&[]), &ours, &Unsteady::default(), true);
        assert_eq!(cells(&compared), "0 0 0 0 0 0 0 1/1");
    }
}
