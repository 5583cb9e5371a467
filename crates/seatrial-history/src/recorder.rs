//! Folds a run's event stream into rows.
//!
//! Rows are gathered in memory and written by [`Recorder::flush`] in one short transaction. The lock is thus held for
//! milliseconds at a time, and two runs at once do not starve each other, which they would if each kept a transaction
//! open from one flush to the next.

use crate::files::Files;
use crate::store::Store;
use crate::write::{Row, Writer, micros};
use crate::{Error, process, shape};
use rusqlite::{Connection, TransactionBehavior, params};
use seatrial_model::{
    Attempt, Counts, Event, FileFacts, Instant, NodeId, Outcome, Output, RunHeader, RunId, SlotId, TestRef,
    Usage,
};
use std::collections::HashMap;
use std::time::Duration;

/// Rows, and bytes of output, that are gathered before the recorder flushes by itself.
const GATHERED_ROWS: usize = 4096;
const GATHERED_BYTES: usize = 8 << 20;

/// Records one run.
///
/// After the first error it records nothing more and says nothing more: the run goes on without history, and the
/// caller, who was told once, says so. Such a run never reads as finished, nor does one whose recorder is dropped before
/// [`Event::RunFinished`].
#[derive(Debug)]
pub struct Recorder {
    pub(crate) store: Store,
    run: RunId,
    writer: Writer,
    phase: Phase,
    /// Attempts that run.
    running: HashMap<(TestRef, Attempt), (Instant, NodeId, SlotId)>,
    rows: Vec<Row>,
    bytes: usize,
    files: Files,
    /// Facts that are not yet written.
    facts: Vec<FileFacts>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Recording,
    Finished,
    Failed,
}

/// What is known at a run's end.
struct Finish {
    counts: Counts,
    wall: Duration,
    interrupted: bool,
    exit_code: u8,
}

impl Recorder {
    pub(crate) fn begin(
        mut store: Store,
        header: &RunHeader,
        user: &str,
        labels: &[(String, String)],
    ) -> Result<Self, Error> {
        match insert_run(&mut store.connection, header, user, labels) {
            Ok(project) => Ok(Self {
                store,
                run: header.run,
                writer: Writer::new(header.run, project),
                phase: Phase::Recording,
                running: HashMap::new(),
                rows: Vec::new(),
                bytes: 0,
                files: Files::default(),
                facts: Vec::new(),
            }),
            Err(error) => Err(store.told(error)),
        }
    }

    /// Takes in one event of the run, which happened at `at`. It reaches the disk with the next [`Recorder::flush`], or
    /// before when much has gathered; [`Event::RunFinished`] writes all there is.
    ///
    /// # Errors
    /// Whatever kept SQLite from writing, once; afterwards nothing is recorded.
    pub fn record(&mut self, at: Instant, event: &Event) -> Result<(), Error> {
        if self.phase != Phase::Recording {
            return Ok(());
        }
        match event {
            Event::AttemptStarted { test, attempt, node, slot } => {
                self.running.insert((test.clone(), *attempt), (at, *node, *slot));
            }
            Event::AttemptFinished { .. } | Event::Skipped { .. } => self.gather(at, event),
            Event::RunFinished { counts, wall, interrupted, exit_code } => {
                let (counts, wall, interrupted, exit_code) = (*counts, *wall, *interrupted, *exit_code);
                return self.finish(&Finish { counts, wall, interrupted, exit_code });
            }
            Event::Facts(facts) => {
                self.bytes += crate::files::size(facts);
                self.facts.push(facts.clone());
            }
            Event::RunStarted(_)
            | Event::GroupListed { .. }
            | Event::Slow { .. }
            | Event::Notice { .. }
            | Event::Unknown => {}
        }
        if self.rows.len() >= GATHERED_ROWS || self.bytes >= GATHERED_BYTES { self.flush() } else { Ok(()) }
    }

    /// Writes what has gathered, so that others see it and a crash does not lose it. To be called five times a second
    /// or so while tests run; it costs nothing when nothing has happened.
    ///
    /// # Errors
    /// Whatever kept SQLite from writing, once; afterwards nothing is recorded.
    pub fn flush(&mut self) -> Result<(), Error> {
        if self.phase != Phase::Recording || (self.rows.is_empty() && self.facts.is_empty()) {
            return Ok(());
        }
        self.write(None)
    }

    fn finish(&mut self, finish: &Finish) -> Result<(), Error> {
        self.write(Some(finish))?;
        self.phase = Phase::Finished;
        // Statistics for the query planner, taken when SQLite finds it worthwhile. The run is recorded without them.
        drop(self.store.connection.execute_batch("pragma optimize"));
        Ok(())
    }

    fn gather(&mut self, at: Instant, event: &Event) {
        let row = match event {
            Event::AttemptFinished {
                test,
                attempt,
                outcome,
                reason,
                end,
                usage,
                output,
                last,
                notes,
                ..
            } => {
                let started = self.running.remove(&(test.clone(), *attempt));
                Row {
                    test: test.clone(),
                    attempt: attempt.0,
                    outcome: *outcome,
                    reason: reason.clone(),
                    end: *end,
                    started: started.map(|(at, _, _)| at),
                    place: started.map(|(_, node, slot)| (node, slot)),
                    usage: *usage,
                    output: output.clone(),
                    last: *last,
                    notes: notes.clone(),
                }
            }
            Event::Skipped { test, reason } => Row::skipped(test, reason.as_deref(), at),
            Event::RunStarted(_)
            | Event::GroupListed { .. }
            | Event::AttemptStarted { .. }
            | Event::Slow { .. }
            | Event::Notice { .. }
            | Event::Facts(_)
            | Event::RunFinished { .. }
            | Event::Unknown => return,
        };
        self.bytes += shape::size(&row.output);
        self.rows.push(row);
    }

    fn write(&mut self, finish: Option<&Finish>) -> Result<(), Error> {
        self.bytes = 0;
        self.transact(finish).map_err(|error| {
            self.phase = Phase::Failed;
            self.rows = Vec::new();
            self.facts = Vec::new();
            self.running = HashMap::new();
            self.store.told(error)
        })
    }

    fn transact(&mut self, finish: Option<&Finish>) -> rusqlite::Result<()> {
        // Immediate: a transaction that begins as a reader's may find, when it comes to write, that it read the past.
        let transaction = self.store.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        self.writer.write(&transaction, &mut self.rows)?;
        self.files.write(&transaction, &mut self.writer, &mut self.facts)?;
        if let Some(finish) = finish {
            finish_run(&transaction, self.run, finish)?;
        }
        transaction.commit()
    }
}

impl Drop for Recorder {
    /// A run that was given up keeps what is known of it, and reads as interrupted at once.
    fn drop(&mut self) {
        if self.phase == Phase::Finished {
            return;
        }
        // Nobody can be told of an error here; without this line a reader finds out from the process that is gone.
        drop(self.flush());
        let update = "update run set state = 'interrupted' where id = ?1";
        drop(self.store.connection.execute(update, [self.run.0]));
    }
}

impl Row {
    fn skipped(test: &TestRef, reason: Option<&str>, at: Instant) -> Self {
        Self {
            test: test.clone(),
            attempt: 0,
            outcome: Outcome::Skip,
            reason: reason.map(str::to_owned),
            end: None,
            started: Some(at),
            place: None,
            usage: Usage::default(),
            output: Output::default(),
            last: true,
            notes: Vec::new(),
        }
    }
}

/// Returns the project's id.
fn insert_run(
    connection: &mut Connection,
    header: &RunHeader,
    user: &str,
    labels: &[(String, String)],
) -> rusqlite::Result<i64> {
    let labels: serde_json::Map<String, serde_json::Value> =
        labels.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction
        .execute("insert into project (path) values (?1) on conflict do nothing", [&header.project])?;
    let project: i64 =
        transaction
            .query_row("select id from project where path = ?1", [&header.project], |row| row.get(0))?;
    transaction.execute(
        "insert into run (id, name, project, command, host, username, started_ms, isolation, slots, seed, \
         revision, labels, recorder, state) \
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 'running')",
        params![
            header.run.0,
            header.run.to_string(),
            project,
            serde_json::Value::from(header.command.as_slice()).to_string(),
            header.host,
            user,
            crate::write::integer(header.started_unix_ms),
            header.isolation,
            header.slots,
            header.seed.to_string(),
            header.revision,
            serde_json::Value::from(labels).to_string(),
            process::own(),
        ],
    )?;
    transaction.commit()?;
    Ok(project)
}

fn finish_run(connection: &Connection, run: RunId, finish: &Finish) -> rusqlite::Result<()> {
    let counts = finish.counts;
    connection.execute(
        "update run set state = ?2, wall_us = ?3, exit_code = ?4, passed = ?5, flaky = ?6, failed = ?7, \
         errors = ?8, skipped = ?9, not_run = ?10 where id = ?1",
        params![
            run.0,
            if finish.interrupted { "interrupted" } else { "finished" },
            micros(finish.wall),
            finish.exit_code,
            counts.passed,
            counts.flaky,
            counts.failed,
            counts.errors,
            counts.skipped,
            counts.not_run,
        ],
    )?;
    Ok(())
}
