//! Tests that have failed alone wait until all others of their file have run: then one process that runs them after
//! those before them tells of all of them.

use super::tests_of::Tests;
use seatrial_model::JobId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// For a file whose tests have taken longer nobody is kept waiting for its failures.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Tests that wait, by file.
#[derive(Debug, Default)]
pub(super) struct Waiting(BTreeMap<String, OfFile>);

#[derive(Debug, Default)]
struct OfFile {
    jobs: BTreeMap<JobId, Vec<usize>>,
    /// The job that runs for all.
    running: Option<JobId>,
}

impl Waiting {
    /// These tests of a job have failed alone.
    pub(super) fn add(&mut self, file: &str, job: JobId, places: Vec<usize>) {
        self.0.entry(file.to_owned()).or_default().jobs.insert(job, places);
    }

    /// Whether none has waited so far.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The job to be run for all that wait, and its own tests: the last of the file is among them. None as long as
    /// another test of the file is not done.
    pub(super) fn next(
        &mut self,
        file: &str,
        tests: &Tests,
        done: impl Fn(usize) -> bool,
    ) -> Option<(JobId, Vec<usize>)> {
        let of_file = self.0.get_mut(file)?;
        if of_file.running.is_some() || of_file.jobs.is_empty() {
            return None;
        }
        let waiting: BTreeSet<usize> = of_file.jobs.values().flatten().copied().collect();
        if !tests.of_file(file).all(|place| waiting.contains(&place) || done(place)) {
            return None;
        }
        let (&job, _) = of_file.jobs.iter().max_by_key(|(_, places)| places.iter().max())?;
        let places = of_file.jobs.remove(&job)?;
        of_file.running = Some(job);
        Some((job, places))
    }

    /// A try of a job has ended, in which these tests have failed. If it was the one that ran for all of its file: the
    /// jobs of which all tests are among them.
    pub(super) fn ended(&mut self, file: &str, job: JobId, failed: &BTreeSet<usize>) -> Vec<JobId> {
        let Some(of_file) = self.0.get_mut(file).filter(|of_file| of_file.running == Some(job)) else {
            return Vec::new();
        };
        of_file.running = None;
        of_file
            .jobs
            .extract_if(.., |_, places| places.iter().all(|place| failed.contains(place)))
            .map(|(job, _)| job)
            .collect()
    }
}
