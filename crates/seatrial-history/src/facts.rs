//! What earlier runs know about a project's tests.
//!
//! Runs are read from the latest backwards, each as one range of the primary key. How far: until every test has its
//! samples, or five whole runs' worth of results have been read. A run of a few tests costs little of that, so that
//! an afternoon of running one test again and again does not wipe out what is known of the others.

use crate::results::outcome;
use crate::{Error, History};
use seatrial_model::{Facts, Outcome, TestFacts, TestRef};
use std::time::Duration;

/// Measurements that a test's expected time is the mean of.
const SAMPLES: u32 = 3;

/// Whole runs' worth of results that are read at most.
const RUNS_WORTH: usize = 5;

/// Runs that are looked into at most.
const RUNS: usize = 1000;

/// Tries of one test that are stepped over before the next test is sought instead.
const STEPS: u32 = 16;

/// One test while its past is read, latest run first.
struct Past {
    id: i64,
    test: TestRef,
    last: Option<Outcome>,
    /// Wall time of the latest attempt that ran at all, in microseconds: better than nothing.
    lone: Option<u64>,
    samples: u32,
    sum_us: u64,
}

impl History {
    /// What is known of a project's tests: the expected wall time, which is the mean of the last three passes or
    /// failures (or the time of the latest attempt that ended otherwise), and the outcome of the latest run. Only each
    /// run's last try of a test counts. A test that was only ever skipped is not among them.
    ///
    /// # Errors
    /// When the database cannot be read. A project without a past has no facts.
    pub fn facts(&self, project: &str) -> Result<Facts, Error> {
        self.read_facts(project).map_err(|error| self.store.told(error))
    }

    fn read_facts(&self, project: &str) -> rusqlite::Result<Facts> {
        let mut tests = self.known_tests(project)?;
        let mut budget = tests.len() * RUNS_WORTH;
        let mut lacking = tests.len();
        for run in self.latest_runs(project)? {
            let (read, completed) = self.read_run(run, &mut tests)?;
            budget = budget.saturating_sub(read);
            lacking -= completed;
            if budget == 0 || lacking == 0 {
                break;
            }
        }
        Ok(Facts { tests: tests.into_iter().filter_map(Past::into_facts).collect() })
    }

    fn latest_runs(&self, project: &str) -> rusqlite::Result<Vec<i64>> {
        self.store
            .connection
            .prepare(
                "select run.id from run join project on project.id = run.project where project.path = ?1 \
                 order by run.id desc limit ?2",
            )?
            .query_map((project, RUNS), |row| row.get(0))?
            .collect()
    }

    /// In the order of their ids. Sorted here: asked for the order, SQLite walks through every project's tests.
    fn known_tests(&self, project: &str) -> rusqlite::Result<Vec<Past>> {
        let mut tests: Vec<Past> = self
            .store
            .connection
            .prepare(
                "select test.id, test.grp, test.name from test \
                 where test.project = (select id from project where path = ?1)",
            )?
            .query_map([project], |row| {
                let test = TestRef::new(row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_str()?);
                Ok(Past { id: row.get(0)?, test, last: None, lone: None, samples: 0, sum_us: 0 })
            })?
            .collect::<rusqlite::Result<_>>()?;
        tests.sort_unstable_by_key(|past| past.id);
        Ok(tests)
    }

    /// Adds one run to the tests' past. Returns how many tests had a result, and how many have all their samples now
    /// that lacked some before.
    fn read_run(&self, run: i64, tests: &mut [Past]) -> rusqlite::Result<(usize, usize)> {
        // Backwards, so that the first row of a test is its last try.
        let mut statement = self.store.connection.prepare_cached(
            "select test, outcome, wall_us from result where run = ?1 and test < ?2 \
             order by test desc, attempt desc",
        )?;
        let (mut read, mut completed) = (0, 0);
        // Both sides are in the order of test ids.
        let mut rest = tests.iter_mut().rev();
        let mut below = i64::MAX;
        loop {
            let mut rows = statement.query([run, below])?;
            let mut tries = 0;
            loop {
                let Some(row) = rows.next()? else { return Ok((read, completed)) };
                let id: i64 = row.get(0)?;
                if id < below {
                    (below, tries) = (id, 0);
                    read += 1;
                    if let Some(past) = rest.find(|past| past.id <= id).filter(|past| past.id == id) {
                        let outcome = outcome(row.get_ref(1)?.as_str()?).unwrap_or(Outcome::Error);
                        completed += usize::from(past.add(outcome, row.get(2)?));
                    }
                }
                tries += 1;
                // A hunt for a flaky test leaves 100,000 rows of it: rather seek than step.
                if tries == STEPS {
                    break;
                }
            }
        }
    }
}

impl Past {
    /// Adds the next older run's result; true when that was the last sample that was wanted.
    fn add(&mut self, outcome: Outcome, wall_us: u64) -> bool {
        self.last = self.last.or(Some(outcome));
        match outcome {
            Outcome::Pass | Outcome::Fail if self.samples < SAMPLES => {
                self.samples += 1;
                self.sum_us = self.sum_us.saturating_add(wall_us);
                self.samples == SAMPLES
            }
            Outcome::Pass | Outcome::Fail | Outcome::Skip => false,
            Outcome::Error
            | Outcome::Timeout
            | Outcome::Crash
            | Outcome::Oom
            | Outcome::Lost
            | Outcome::Cancelled => {
                self.lone = self.lone.or(Some(wall_us));
                false
            }
        }
    }

    fn into_facts(self) -> Option<(TestRef, TestFacts)> {
        let micros = self.sum_us.checked_div(u64::from(self.samples)).or(self.lone)?;
        Some((self.test, TestFacts { duration: Duration::from_micros(micros), last: self.last? }))
    }
}
