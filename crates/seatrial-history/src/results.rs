//! One run's results, read back.

use crate::shape::{Shape, Stream};
use crate::write::end_from_columns;
use crate::{Error, History, schema};
use rusqlite::{OptionalExtension as _, Row, params};
use seatrial_model::{Attempt, End, Instant, NodeId, Outcome, Output, RunId, SlotId, TestRef, Usage};
use std::time::Duration;

/// One attempt of a test, or its being skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultRow {
    /// Which test.
    pub test: TestRef,
    /// Which try, from 1; 0 for a test that was skipped.
    pub attempt: Attempt,
    /// What became of it. An outcome that only a newer version knows reads as `Error`, with a reason that names it.
    pub outcome: Outcome,
    /// More about the outcome, in words.
    pub reason: Option<String>,
    /// How its process ended.
    pub end: Option<End>,
    /// When it began (was skipped), on the run's clock.
    pub started: Option<Instant>,
    /// What it used, in whole microseconds.
    pub usage: Usage,
    /// The machine it ran on.
    pub node: Option<NodeId>,
    /// The slot it ran in.
    pub slot: Option<SlotId>,
    /// True when no further try followed.
    pub last: bool,
    /// Things to tell the reader beside the outcome.
    pub notes: Vec<String>,
    /// True when it wrote something: [`History::output`] has it.
    pub has_output: bool,
}

const COLUMNS: &str = "t.grp, t.name, r.attempt, r.outcome, r.reason, r.exit_code, r.signal, r.fault, r.errno, \
    r.started_us, r.wall_us, r.user_us, r.system_us, r.peak_memory, r.node, r.slot, r.last, r.notes, \
    r.output is not null";

impl History {
    /// A run's attempts, in the order of group, name and attempt; with `only_bad`, those alone that make a run red,
    /// among them the bad tries of a test that passed later.
    ///
    /// # Errors
    /// When the database cannot be read. A run that does not exist has no results.
    pub fn results(&self, run: RunId, only_bad: bool) -> Result<Vec<ResultRow>, Error> {
        self.rows(&results_query(only_bad), params![run.0])
    }

    /// All attempts of one test in a run, the first one first; none when the run has no such test.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn attempts(&self, run: RunId, test: &TestRef) -> Result<Vec<ResultRow>, Error> {
        let sql = format!(
            "select {COLUMNS} from result r join test t on t.id = r.test join run on run.id = r.run where r.run = ?1 and t.project = run.project \
             and t.grp = ?2 and t.name = ?3 order by r.attempt"
        );
        self.rows(&sql, params![run.0, &*test.group, &*test.name])
    }

    /// The tests of a run that `text` means, in order: the one whose `group name` it is; or else all whose name it is,
    /// whatever their group; or else all whose `group name` contains it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn find_tests(&self, run: RunId, text: &str) -> Result<Vec<TestRef>, Error> {
        let told = |error| self.store.told(error);
        let mut statement = self
            .store
            .connection
            .prepare(
                "select t.grp, t.name from test t where t.id in (select test from result where run = ?1) \
                 order by t.grp, t.name",
            )
            .map_err(told)?;
        let tests: Vec<TestRef> = statement
            .query_map([run.0], |row| Ok(TestRef::new(row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?)))
            .and_then(Iterator::collect)
            .map_err(told)?;
        // Compared here and not by SQLite, whose text functions end at a NUL.
        let rules: [fn(&TestRef, &str) -> bool; 3] = [
            |test, text| test.to_string() == text,
            |test, text| &*test.name == text,
            |test, text| test.to_string().contains(text),
        ];
        for rule in rules {
            let found: Vec<TestRef> = tests.iter().filter(|test| rule(test, text)).cloned().collect();
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    /// What an attempt wrote, as much of it as was kept; `None` when there is no such attempt.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn output(&self, run: RunId, test: &TestRef, attempt: Attempt) -> Result<Option<Output>, Error> {
        let sql = "select o.named, o.stdout, o.stdout_tail, o.stdout_total, o.stdout_spill, o.stderr, \
             o.stderr_tail, o.stderr_total, o.stderr_spill \
             from result r join run on run.id = r.run join test t on t.id = r.test \
             left join output o on o.id = r.output \
             where r.run = ?1 and t.project = run.project and t.grp = ?2 and t.name = ?3 and r.attempt = ?4";
        let key = params![run.0, &*test.group, &*test.name, attempt.0];
        let shape = self
            .store
            .connection
            .query_row(sql, key, |row| {
                let named = row.get::<_, Option<bool>>(0)?.unwrap_or(false);
                Ok(Shape { named, stdout: stream(row, 1)?, stderr: stream(row, 5)? })
            })
            .optional()
            .map_err(|error| self.store.told(error))?;
        Ok(shape.map(|shape| shape.into_output(&test.name)))
    }

    fn rows(&self, sql: &str, params: impl rusqlite::Params) -> Result<Vec<ResultRow>, Error> {
        let told = |error| self.store.told(error);
        let mut statement = self.store.connection.prepare(sql).map_err(told)?;
        statement.query_map(params, result_row).and_then(Iterator::collect).map_err(told)
    }
}

/// The query for a run's results, or for the bad ones among them.
pub(crate) fn results_query(only_bad: bool) -> String {
    // Left to itself SQLite reads the whole run.
    let (index, bad) = if only_bad {
        ("indexed by result_bad", format!("and {}", schema::BAD))
    } else {
        ("", String::new())
    };
    format!(
        "select {COLUMNS} from result r {index} join test t on t.id = r.test where r.run = ?1 {bad} \
         order by t.grp, t.name, r.attempt"
    )
}

/// The outcome of this name.
pub(crate) fn outcome(name: &str) -> Option<Outcome> {
    Outcome::ALL.into_iter().find(|outcome| outcome.name() == name)
}

fn stream(row: &Row<'_>, at: usize) -> rusqlite::Result<Stream> {
    Ok(Stream {
        head: row.get(at)?,
        tail: row.get(at + 1)?,
        total: row.get(at + 2)?,
        spill: row.get(at + 3)?,
    })
}

fn result_row(row: &Row<'_>) -> rusqlite::Result<ResultRow> {
    let name = row.get_ref(3)?.as_str()?;
    let mut reason: Option<String> = row.get(4)?;
    let outcome = outcome(name).unwrap_or_else(|| {
        reason = Some(format!("outcome `{name}`, of a newer version of seatrial"));
        Outcome::Error
    });
    let notes: Option<String> = row.get(17)?;
    let fault: Option<String> = row.get(7)?;
    Ok(ResultRow {
        test: TestRef::new(row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?),
        attempt: Attempt(row.get(2)?),
        outcome,
        reason,
        end: end_from_columns(row.get(5)?, row.get(6)?, fault.as_deref(), row.get(8)?),
        started: row.get::<_, Option<u64>>(9)?.map(|us| Instant(us.saturating_mul(1000))),
        usage: Usage {
            wall: Duration::from_micros(row.get(10)?),
            user: Duration::from_micros(row.get(11)?),
            system: Duration::from_micros(row.get(12)?),
            peak_memory: row.get(13)?,
        },
        node: row.get::<_, Option<u32>>(14)?.map(NodeId),
        slot: row.get::<_, Option<u32>>(15)?.map(SlotId),
        last: row.get(16)?,
        notes: notes.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default(),
        has_output: row.get(18)?,
    })
}
