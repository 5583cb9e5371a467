//! Which tests share a job, and how they share it.

use super::Shape;
use super::tests_of::Tests;
use seatrial_frameworks::pytest::helper::{How, Last, function_key};
use seatrial_frameworks::pytest::listing::{JobOf, ListedTest};
use seatrial_model::Near;
use std::collections::BTreeMap;

/// What shares a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Granularity {
    /// Short tests, several after one another, as long as none leaves anything behind.
    #[default]
    Auto,
    /// Nothing: each test has a process of its own, and none may depend on another.
    Test,
    /// The tests of a class, or the functions between two classes.
    Class,
    /// The tests of a file.
    Module,
    /// All tests.
    Session,
}

impl Granularity {
    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Test => "test",
            Self::Class => "class",
            Self::Module => "module",
            Self::Session => "session",
        }
    }
}

/// Tests that are sent to a slot together.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) tests: Vec<usize>,
    pub(super) how: How,
    pub(super) near: Option<Near>,
    /// A test of it that fails may be tried after those before it in its file.
    pub(super) repeats: bool,
}

/// Tests of a job of checked batches: two forks of them.
const BATCHES: usize = 64;

/// Bytes of the ids of a job's tests: a message to a warm interpreter holds so many in any case.
const IDS: usize = 48 << 10;

/// The jobs of all tests, in collection order. `stop`: the first bad test may be the last.
pub(super) fn form(tests: &Tests, shape: &Shape, stop: bool) -> Vec<Job> {
    let mut jobs: Vec<Job> = Vec::new();
    for (place, test) in tests.all().iter().enumerate() {
        let fits = |job: &&mut Job| {
            let first = job.tests[0];
            if job.tests.iter().map(|&place| tests.all()[place].id.len() + 40).sum::<usize>() > IDS {
                return false;
            }
            let slow = shape.slow.contains(tests.name(place)) || shape.slow.contains(tests.name(first));
            share(shape.granularity, &tests.all()[first], test, job.tests.len(), slow)
        };
        match jobs.last_mut().filter(fits) {
            Some(job) => job.tests.push(place),
            None => jobs.push(job(tests, test, place, (shape.granularity, stop))),
        }
    }
    if shape.granularity == Granularity::Auto {
        jobs = join_classes(tests, shape, jobs);
    }
    mark_last(&mut jobs);
    jobs
}

/// Jobs of one class each, of which the fixtures are set up for nobody else, become jobs of several whole classes: they
/// share a process that sets up and tears down one class after the other.
fn join_classes(tests: &Tests, shape: &Shape, jobs: Vec<Job>) -> Vec<Job> {
    let mut of_class: BTreeMap<u32, usize> = BTreeMap::new();
    for class in tests.all().iter().filter_map(|test| test.own) {
        *of_class.entry(class).or_default() += 1;
    }
    let is_whole = |job: &Job| {
        let first = &tests.all()[job.tests[0]];
        let cut = first.own.is_some_and(|class| of_class.get(&class) != Some(&job.tests.len()));
        first.unit.is_none() && job.how.check && !cut && !shape.slow.contains(tests.name(job.tests[0]))
    };
    let bytes = |job: &Job| job.tests.iter().map(|&place| tests.all()[place].id.len() + 40).sum::<usize>();
    let mut joined: Vec<Job> = Vec::new();
    // Of the last one.
    let mut open = false;
    for job in jobs {
        let whole = is_whole(&job);
        let fits = |last: &&mut Job| {
            let (before, test) = (&tests.all()[last.tests[0]], &tests.all()[job.tests[0]]);
            let same = test.wider.is_some() && before.wider == test.wider && before.file == test.file;
            let small = last.tests.len() + job.tests.len() <= BATCHES && bytes(last) + bytes(&job) <= IDS;
            open && whole && same && small
        };
        match joined.last_mut().filter(fits) {
            Some(last) => last.tests.extend(job.tests),
            None => {
                joined.push(job);
                open = whole;
            }
        }
    }
    joined
}

/// Whether a test goes into the job that another has begun.
fn share(granularity: Granularity, first: &ListedTest, test: &ListedTest, so_far: usize, slow: bool) -> bool {
    if first.unit.is_some() || test.unit.is_some() {
        return first.job == test.job && first.file == test.file && first.unit == test.unit;
    }
    if first.job == JobOf::File || test.job == JobOf::File {
        return first.job == test.job && first.file == test.file;
    }
    let same_file = first.file == test.file;
    match granularity {
        Granularity::Auto => {
            let beside = first.alone && test.alone && folder(&first.file) == folder(&test.file);
            (same_file || beside) && first.kind == test.kind && so_far < BATCHES && !slow
        }
        Granularity::Test => false,
        Granularity::Class => same_file && class(&first.id) == class(&test.id),
        Granularity::Module => same_file,
        Granularity::Session => true,
    }
}

fn job(tests: &Tests, first: &ListedTest, place: usize, (granularity, stop): (Granularity, bool)) -> Job {
    let fresh = first.job == JobOf::File;
    let whole = fresh || first.unit.is_some();
    let near = tests.near(place).filter(|_| granularity != Granularity::Session);
    let check = granularity == Granularity::Auto && !whole;
    let how = How {
        batch: whole || granularity != Granularity::Test,
        check,
        share: check && near.is_none_or(|near| !near.together),
        stop,
        fresh,
        last: Last::No,
    };
    let repeats = !whole && matches!(granularity, Granularity::Auto | Granularity::Test);
    Job { tests: vec![place], how, near, repeats }
}

/// With its last job a group has ended, so that what it has set up is torn down and belongs to that job's result.
fn mark_last(jobs: &mut [Job]) {
    let last: BTreeMap<Near, usize> =
        jobs.iter().enumerate().filter_map(|(at, job)| Some((job.near?, at))).collect();
    for (near, at) in last {
        if near.together {
            jobs[at].how.last = Last::OfGroup;
        }
    }
}

/// Where a file lies.
fn folder(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// What stands before a test's own name in its id.
fn class(id: &str) -> &str {
    function_key(id).rsplit_once("::").map_or("", |(class, _)| class)
}
