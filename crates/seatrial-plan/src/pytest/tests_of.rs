//! All tests of a session, as pytest has listed them.

use seatrial_frameworks::pytest::helper::{TestKey, function_key};
use seatrial_frameworks::pytest::listing::ListedTest;
use seatrial_model::{Near, TestRef};
use std::collections::BTreeMap;

/// All tests, in collection order; a place is an index into them.
#[derive(Debug, Default)]
pub(super) struct Tests {
    listed: Vec<ListedTest>,
    names: Vec<TestRef>,
    places: BTreeMap<TestRef, usize>,
    /// The ids of parametrised tests by file and function.
    functions: BTreeMap<(String, String), Vec<String>>,
    groups: Groups,
}

/// Groups of tests that belong together, as they are found.
#[derive(Debug, Default)]
struct Groups {
    numbers: BTreeMap<String, u32>,
    together: BTreeMap<u32, bool>,
}

/// A function with more tests than this would make its jobs too long.
const SIBLINGS: usize = 64;

impl Tests {
    pub(super) fn of(listed: Vec<ListedTest>) -> Self {
        let mut tests = Self::default();
        // Files outside of pytest's root directory may have the same ids.
        let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
        for (place, test) in listed.iter().enumerate() {
            let number = seen.entry(&test.id).or_default();
            let own = name(&test.id, *number);
            *number += 1;
            tests.groups.see(test);
            tests.places.insert(own.clone(), place);
            tests.names.push(own);
            if test.id.contains('[') {
                let function = (test.file.clone(), function_key(&test.id).to_owned());
                tests.functions.entry(function).or_default().push(test.id.clone());
            }
        }
        tests.listed = listed;
        tests
    }

    pub(super) fn all(&self) -> &[ListedTest] {
        &self.listed
    }

    pub(super) fn name(&self, place: usize) -> &TestRef {
        &self.names[place]
    }

    pub(super) fn place(&self, test: &TestRef) -> Option<usize> {
        self.places.get(test).copied()
    }

    pub(super) fn key(&self, place: usize) -> TestKey<'_> {
        let test = &self.listed[place];
        TestKey { id: &test.id, n: test.n, file: &test.file }
    }

    /// All ids of the test's function, where there are parameters that may change.
    pub(super) fn siblings(&self, test: &TestKey<'_>) -> &[String] {
        if !test.id.contains('[') {
            return &[];
        }
        let ids = self.functions.get(&(test.file.to_owned(), function_key(test.id).to_owned()));
        ids.filter(|ids| ids.len() <= SIBLINGS).map_or(&[], Vec::as_slice)
    }

    /// What is near the test, so that both are better off in one slot.
    pub(super) fn near(&self, place: usize) -> Option<Near> {
        self.groups.near(&self.listed[place])
    }

    /// The groups of results in the order of their tests, and how many of these follow each other.
    pub(super) fn listed(&self) -> Vec<(String, u32)> {
        let mut groups: Vec<(String, u32)> = Vec::new();
        for test in &self.names {
            match groups.last_mut().filter(|(group, _)| **group == *test.group) {
                Some((_, count)) => *count += 1,
                None => groups.push((test.group.to_string(), 1)),
            }
        }
        groups
    }

    /// The places of a file's tests.
    pub(super) fn of_file(&self, file: &str) -> impl Iterator<Item = usize> {
        (0..self.listed.len()).filter(move |&place| self.listed[place].file == file)
    }

    /// These tests of one file with all that come before the last of them in it.
    pub(super) fn until(&self, places: &[usize]) -> Vec<usize> {
        let Some(&last) = places.iter().max() else { return Vec::new() };
        let file = &self.listed[last].file;
        (0..=last).filter(|&place| self.listed[place].file == *file).collect()
    }
}

impl Groups {
    /// The name by which tests are grouped: a directory's when they share its fixtures, else the file's.
    fn name(test: &ListedTest) -> &str {
        test.group.as_deref().unwrap_or(&test.file)
    }

    fn see(&mut self, test: &ListedTest) {
        let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(Self::name(test).to_owned()).or_insert(next);
        *self.together.entry(number).or_default() |= test.wide || test.group.is_some();
    }

    fn near(&self, test: &ListedTest) -> Option<Near> {
        let group = *self.numbers.get(Self::name(test))?;
        Some(Near { group, together: self.together.get(&group).copied().unwrap_or(false) })
    }
}

/// How results name a test: the file, and what follows it in the node id.
pub(super) fn name(id: &str, n: u32) -> TestRef {
    let (group, name) = id.split_once("::").unwrap_or((id, id));
    match n {
        0 => TestRef::new(group, name),
        n => TestRef::new(group, &format!("{name} ({})", n + 1)),
    }
}
