//! The runs of the past, and how one is named.

use crate::results::outcome;
use crate::{Error, History, process};
use rusqlite::{OptionalExtension as _, Row, params};
use seatrial_model::{Counts, Outcome, RunHeader, RunId};
use std::time::Duration;

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// What was known at its beginning.
    pub header: RunHeader,
    /// Who began it.
    pub user: String,
    /// Labels by name.
    pub labels: Vec<(String, String)>,
    /// Whether it is over.
    pub state: RunState,
    /// Its wall time; `None` when its end was not recorded.
    pub wall: Option<Duration>,
    /// What the command exited with; `None` likewise.
    pub exit_code: Option<u8>,
    /// Results by kind. Where the run's end was not recorded they are counted from the results that were; `not_run`
    /// then knows of those alone that were cancelled.
    pub counts: Counts,
}

/// Whether a run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// The process that records it lives, or is in another container, where it cannot be seen.
    Running,
    /// It came to its end.
    Finished,
    /// The user ended it before its time, or the process that recorded it is gone. Results may be missing.
    Interrupted,
}

const COLUMNS: &str = "run.id, project.path, run.command, run.host, run.username, run.started_ms, run.wall_us, \
    run.isolation, run.slots, run.seed, run.revision, run.labels, run.recorder, run.state, run.exit_code, run.passed, \
    run.flaky, run.failed, run.errors, run.skipped, run.not_run \
    from run join project on project.id = run.project";

/// The fewest characters of a run's id that stand for it.
const FRAGMENT: usize = 4;

impl History {
    /// The latest runs (of one project), newest first, at most `limit`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn runs(&self, project: Option<&str>, limit: usize) -> Result<Vec<RunRow>, Error> {
        let sql =
            format!("select {COLUMNS} where ?1 is null or project.path = ?1 order by run.id desc limit ?2");
        self.run_rows(&sql, params![project, i64::try_from(limit).unwrap_or(i64::MAX)])
    }

    /// One run.
    ///
    /// # Errors
    /// [`Error::NoSuchRun`], or when the database cannot be read.
    pub fn run(&self, run: RunId) -> Result<RunRow, Error> {
        let sql = format!("select {COLUMNS} where run.id = ?1");
        self.run_rows(&sql, params![run.0])?.pop().ok_or_else(|| Error::NoSuchRun {
            spec: run.to_string(),
            detail: "the history has no run with this id".to_owned(),
        })
    }

    /// The run that `spec` means: `last`; `last~N`, the one N runs before it; a whole id; or four or more characters
    /// that an id, and no other, begins or ends with. With a project, `last` counts its runs alone, and its runs come
    /// before all others when a part of an id is looked up.
    ///
    /// # Errors
    /// [`Error::NoSuchRun`], [`Error::AmbiguousRun`], or when the database cannot be read.
    pub fn find_run(&self, spec: &str, project: Option<&str>) -> Result<RunId, Error> {
        let none = |detail: String| Error::NoSuchRun { spec: spec.to_owned(), detail };
        if let Some(rest) = spec.strip_prefix("last") {
            let back = match rest.strip_prefix('~') {
                Some(digits) => digits.parse::<u32>().ok(),
                None => rest.is_empty().then_some(0),
            };
            let Some(back) = back else {
                return Err(none("write `last`, `last~1` for the run before it, and so on".to_owned()));
            };
            return self.nth_last(back, project)?.ok_or_else(|| {
                let of = project.map_or_else(String::new, |project| format!(" of `{project}`"));
                match back {
                    0 => none(format!("the history has no run{of}")),
                    _ => none(format!("the history has not so many runs{of}")),
                }
            });
        }
        if let Ok(run) = spec.parse::<RunId>() {
            return self.run(run).map(|row| row.header.run);
        }
        if spec.chars().count() < FRAGMENT {
            return Err(none(format!("at least {FRAGMENT} characters of an id are needed")));
        }
        let mut found = self.ids_like(spec, project)?;
        if found.is_empty() && project.is_some() {
            found = self.ids_like(spec, None)?;
        }
        match found.as_slice() {
            [] => Err(none("no id begins or ends with it".to_owned())),
            [run] => Ok(*run),
            _ => Err(Error::AmbiguousRun { spec: spec.to_owned(), candidates: found }),
        }
    }

    fn nth_last(&self, back: u32, project: Option<&str>) -> Result<Option<RunId>, Error> {
        self.store
            .connection
            .query_row(
                "select run.id from run join project on project.id = run.project \
                 where ?1 is null or project.path = ?1 order by run.id desc limit 1 offset ?2",
                params![project, back],
                |row| row.get(0).map(RunId),
            )
            .optional()
            .map_err(|error| self.store.told(error))
    }

    /// Newest first.
    fn ids_like(&self, part: &str, project: Option<&str>) -> Result<Vec<RunId>, Error> {
        let part = part.to_ascii_lowercase();
        let told = |error| self.store.told(error);
        let mut statement = self
            .store
            .connection
            .prepare(
                "select run.id, run.name from run join project on project.id = run.project \
                 where ?1 is null or project.path = ?1 order by run.id desc",
            )
            .map_err(told)?;
        let mut rows = statement.query([project]).map_err(told)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(told)? {
            let name: String = row.get(1).map_err(told)?;
            if name.starts_with(&part) || name.ends_with(&part) {
                found.push(RunId(row.get(0).map_err(told)?));
            }
        }
        Ok(found)
    }

    fn run_rows(&self, sql: &str, params: impl rusqlite::Params) -> Result<Vec<RunRow>, Error> {
        let told = |error| self.store.told(error);
        let mut statement = self.store.connection.prepare(sql).map_err(told)?;
        let rows: Vec<(RunRow, bool)> =
            statement.query_map(params, run_row).and_then(Iterator::collect).map_err(told)?;
        rows.into_iter()
            .map(|(mut row, counted)| {
                if !counted {
                    row.counts = self.count(row.header.run).map_err(told)?;
                }
                Ok(row)
            })
            .collect()
    }

    /// Counts the results of a run whose end was not recorded, each test by its last try.
    fn count(&self, run: RunId) -> rusqlite::Result<Counts> {
        let mut statement = self
            .store
            .connection
            .prepare_cached("select test, outcome from result where run = ?1 order by test, attempt")?;
        let mut rows = statement.query([run.0])?;
        let mut counts = Counts::default();
        let mut current: Option<(i64, Outcome, bool)> = None;
        while let Some(row) = rows.next()? {
            let test: i64 = row.get(0)?;
            let outcome = outcome(row.get_ref(1)?.as_str()?).unwrap_or(Outcome::Error);
            let was_bad = match current {
                Some((same, before, was_bad)) if same == test => was_bad || before.is_bad(),
                Some((_, before, was_bad)) => {
                    tally(&mut counts, before, was_bad);
                    false
                }
                None => false,
            };
            current = Some((test, outcome, was_bad));
        }
        if let Some((_, outcome, was_bad)) = current {
            tally(&mut counts, outcome, was_bad);
        }
        Ok(counts)
    }
}

fn tally(counts: &mut Counts, outcome: Outcome, was_bad: bool) {
    match outcome {
        Outcome::Pass => {
            counts.passed += 1;
            counts.flaky += u32::from(was_bad);
        }
        Outcome::Fail | Outcome::Timeout | Outcome::Crash | Outcome::Oom => counts.failed += 1,
        Outcome::Error | Outcome::Lost => counts.errors += 1,
        Outcome::Skip => counts.skipped += 1,
        Outcome::Cancelled => counts.not_run += 1,
    }
}

/// A run, and whether it has its counts.
fn run_row(row: &Row<'_>) -> rusqlite::Result<(RunRow, bool)> {
    let command: String = row.get(2)?;
    let seed: String = row.get(9)?;
    let labels: String = row.get(11)?;
    let labels: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&labels).unwrap_or_default();
    let passed: Option<u32> = row.get(15)?;
    let count = |at: usize| row.get::<_, Option<u32>>(at).map(Option::unwrap_or_default);
    let result = RunRow {
        header: RunHeader {
            run: RunId(row.get(0)?),
            started_unix_ms: row.get(5)?,
            project: row.get(1)?,
            command: serde_json::from_str(&command).unwrap_or_default(),
            host: row.get(3)?,
            slots: row.get(8)?,
            isolation: row.get(7)?,
            seed: seed.parse().unwrap_or_default(),
            revision: row.get(10)?,
        },
        user: row.get(4)?,
        labels: labels
            .into_iter()
            .map(|(name, value)| (name, value.as_str().map_or_else(String::new, str::to_owned)))
            .collect(),
        state: state(row.get_ref(13)?.as_str()?, row.get_ref(12)?.as_str_or_null()?),
        wall: row.get::<_, Option<u64>>(6)?.map(Duration::from_micros),
        exit_code: row.get(14)?,
        counts: Counts {
            passed: passed.unwrap_or_default(),
            flaky: count(16)?,
            failed: count(17)?,
            errors: count(18)?,
            skipped: count(19)?,
            not_run: count(20)?,
            // Recorded with the test's tries alone.
            order_dependent: 0,
        },
    };
    Ok((result, passed.is_some()))
}

/// What the file says, and what became of the process that was to say more.
fn state(name: &str, recorder: Option<&str>) -> RunState {
    match name {
        "finished" => RunState::Finished,
        "running" if !recorder.is_some_and(process::is_gone) => RunState::Running,
        _ => RunState::Interrupted,
    }
}
