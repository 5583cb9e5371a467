//! Rows into the database: what one flush does within its transaction.

use crate::shape::Shape;
use rusqlite::{Connection, OptionalExtension as _, params};
use seatrial_model::{End, Instant, NodeId, Outcome, Output, RunId, SlotId, SpawnStep, TestRef, Usage};
use std::collections::HashMap;
use std::time::Duration;

/// Names whose ids are remembered, and outputs; then all are forgotten at once. Memory stays flat.
const REMEMBERED: usize = 1024;

/// One row of `result`, not yet written.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) test: TestRef,
    pub(crate) attempt: u32,
    pub(crate) outcome: Outcome,
    pub(crate) reason: Option<String>,
    pub(crate) end: Option<End>,
    pub(crate) started: Option<Instant>,
    pub(crate) place: Option<(NodeId, SlotId)>,
    pub(crate) usage: Usage,
    pub(crate) output: Output,
    pub(crate) last: bool,
    pub(crate) notes: Vec<String>,
}

/// Writes the rows of one run.
#[derive(Debug)]
pub(crate) struct Writer {
    run: RunId,
    project: i64,
    tests: HashMap<TestRef, i64>,
    outputs: HashMap<Shape, i64>,
}

const INSERT_RESULT: &str = "insert into result (run, test, attempt, outcome, reason, exit_code, signal, fault, \
    errno, started_us, wall_us, user_us, system_us, peak_memory, node, slot, last, notes, output) \
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19) \
    on conflict do nothing";

const INSERT_OUTPUT: &str = "insert into output (named, stdout, stdout_tail, stdout_total, stdout_spill, stderr, \
    stderr_tail, stderr_total, stderr_spill) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

impl Writer {
    pub(crate) fn new(run: RunId, project: i64) -> Self {
        Self { run, project, tests: HashMap::new(), outputs: HashMap::new() }
    }

    /// Writes `rows` and leaves them empty. Of two rows with the same key the first stays: an attempt ends once.
    pub(crate) fn write(&mut self, connection: &Connection, rows: &mut Vec<Row>) -> rusqlite::Result<()> {
        let mut insert = connection.prepare_cached(INSERT_RESULT)?;
        for row in rows.drain(..) {
            let test = self.test(connection, &row.test)?;
            let (output, is_new) = self.output(connection, row.output, &row.test.name)?;
            let (exit_code, signal, fault, errno) = end_columns(row.end);
            let notes =
                (!row.notes.is_empty()).then(|| serde_json::Value::from(row.notes.as_slice()).to_string());
            let written = insert.execute(params![
                self.run.0,
                test,
                row.attempt,
                row.outcome.name(),
                row.reason,
                exit_code,
                signal,
                fault,
                errno,
                row.started.map(|at| integer(at.as_micros())),
                micros(row.usage.wall),
                micros(row.usage.user),
                micros(row.usage.system),
                integer(row.usage.peak_memory),
                row.place.map(|(node, _)| node.0),
                row.place.map(|(_, slot)| slot.0),
                row.last,
                notes,
                output,
            ])?;
            if let (0, Some(orphan), true) = (written, output, is_new) {
                connection.execute("delete from output where id = ?1", [orphan])?;
                self.outputs.retain(|_, id| *id != orphan);
            }
        }
        Ok(())
    }

    /// The run that is written.
    pub(crate) const fn run(&self) -> RunId {
        self.run
    }

    /// The id of a test's name, which is new to the database at times.
    pub(crate) fn test(&mut self, connection: &Connection, test: &TestRef) -> rusqlite::Result<i64> {
        if let Some(id) = self.tests.get(test) {
            return Ok(*id);
        }
        let key = params![self.project, &*test.group, &*test.name];
        let known = connection
            .prepare_cached("select id from test where project = ?1 and grp = ?2 and name = ?3")?
            .query_row(key, |row| row.get(0))
            .optional()?;
        let id = match known {
            Some(id) => id,
            None => connection
                .prepare_cached("insert into test (project, grp, name) values (?1, ?2, ?3)")?
                .insert(key)?,
        };
        if self.tests.len() >= REMEMBERED {
            self.tests.clear();
        }
        self.tests.insert(test.clone(), id);
        Ok(id)
    }

    /// The id of the row that holds `output`, and whether it was made just now.
    fn output(
        &mut self,
        connection: &Connection,
        output: Output,
        name: &str,
    ) -> rusqlite::Result<(Option<i64>, bool)> {
        if output == Output::default() {
            return Ok((None, false));
        }
        let shape = Shape::of(output, name);
        if let Some(id) = self.outputs.get(&shape) {
            return Ok((Some(*id), false));
        }
        let (stdout, stderr) = (&shape.stdout, &shape.stderr);
        let id = connection.prepare_cached(INSERT_OUTPUT)?.insert(params![
            shape.named,
            stdout.head,
            stdout.tail,
            stdout.total.map(integer),
            stdout.spill,
            stderr.head,
            stderr.tail,
            stderr.total.map(integer),
            stderr.spill,
        ])?;
        if shape.is_shareable() {
            if self.outputs.len() >= REMEMBERED {
                self.outputs.clear();
            }
            self.outputs.insert(shape, id);
        }
        Ok((Some(id), true))
    }
}

/// `exit_code`, `signal`, `fault` and `errno`.
type EndColumns = (Option<i32>, Option<i32>, Option<&'static str>, Option<i32>);

fn end_columns(end: Option<End>) -> EndColumns {
    match end {
        None => (None, None, None, None),
        Some(End::Exit(code)) => (Some(code), None, None, None),
        Some(End::Signal(signal)) => (None, Some(signal), None, None),
        Some(End::NotStarted { step, errno }) => (None, None, Some(step_name(step)), Some(errno)),
        Some(End::SlotLost) => (None, None, Some(SLOT_LOST), None),
    }
}

/// How a process ended, from its four columns.
pub(crate) fn end_from_columns(
    exit_code: Option<i32>,
    signal: Option<i32>,
    fault: Option<&str>,
    errno: Option<i32>,
) -> Option<End> {
    match (exit_code, signal, fault) {
        (Some(code), _, _) => Some(End::Exit(code)),
        (None, Some(signal), _) => Some(End::Signal(signal)),
        (None, None, Some(SLOT_LOST)) => Some(End::SlotLost),
        (None, None, Some(fault)) => {
            // A step of a newer version is somewhere between the two that every version knows.
            let step = STEPS.into_iter().find(|step| step_name(*step) == fault).unwrap_or(SpawnStep::Setup);
            Some(End::NotStarted { step, errno: errno.unwrap_or(0) })
        }
        (None, None, None) => None,
    }
}

const SLOT_LOST: &str = "slot-lost";

const STEPS: [SpawnStep; 4] = [SpawnStep::Clone, SpawnStep::Chdir, SpawnStep::Exec, SpawnStep::Setup];

fn step_name(step: SpawnStep) -> &'static str {
    match step {
        SpawnStep::Clone => "clone",
        SpawnStep::Chdir => "chdir",
        SpawnStep::Exec => "exec",
        SpawnStep::Setup => "setup",
    }
}

/// Whole microseconds.
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// SQLite's integers have a sign.
pub(crate) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
