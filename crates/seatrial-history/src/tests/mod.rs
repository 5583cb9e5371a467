//! Tests with real databases in folders of their own.

mod broken;
mod facts;
mod files;
mod results;
mod runs;
mod schema;
mod shape;
mod together;

use crate::{History, Recorder, ResultRow};
use seatrial_model::{
    Attempt, Counts, End, Event, Instant, NodeId, Outcome, Output, RunHeader, RunId, SlotId, TestRef, Usage,
};
use std::path::Path;
use std::time::Duration;

const PROJECT: &str = "/home/me/project";

/// The `n`th run of [`PROJECT`].
fn header(n: u64) -> RunHeader {
    RunHeader {
        run: RunId::new(1_700_000_000_000 + n * 1000, u32::try_from(n * 7919).unwrap()),
        started_unix_ms: 1_700_000_000_000 + n * 1000,
        project: PROJECT.to_owned(),
        command: vec!["seatrial".to_owned(), "cargo".to_owned(), "a \"b\"".to_owned()],
        host: "h7".to_owned(),
        slots: 4,
        isolation: "cow".to_owned(),
        seed: u64::MAX - n,
        revision: Some("abc123-dirty".to_owned()),
    }
}

fn begin(dir: &Path, n: u64) -> Recorder {
    History::open(dir).unwrap().begin(&header(n), "me", &[]).unwrap()
}

fn test(name: &str) -> TestRef {
    TestRef::new("group", name)
}

/// A test's last try, which took `wall_ms`.
fn finished(test: &TestRef, attempt: u32, outcome: Outcome, wall_ms: u64) -> Event {
    Event::AttemptFinished {
        test: test.clone(),
        attempt: Attempt(attempt),
        outcome,
        reason: None,
        end: Some(End::Exit(0)),
        usage: Usage { wall: Duration::from_millis(wall_ms), ..Usage::default() },
        output: Output::default(),
        last: true,
        order_dependent: false,
        notes: Vec::new(),
    }
}

fn started(test: &TestRef, attempt: u32) -> Event {
    Event::AttemptStarted { test: test.clone(), attempt: Attempt(attempt), node: NodeId(0), slot: SlotId(2) }
}

fn run_finished(interrupted: bool) -> Event {
    Event::RunFinished {
        counts: Counts {
            passed: 6,
            flaky: 1,
            failed: 2,
            errors: 3,
            skipped: 4,
            not_run: 5,
            order_dependent: 0,
        },
        wall: Duration::from_micros(1_234_567),
        interrupted,
        exit_code: 130,
    }
}

/// Records a whole run of last tries: name, outcome, wall time in milliseconds.
fn run(dir: &Path, n: u64, results: &[(&str, Outcome, u64)]) {
    let mut recorder = begin(dir, n);
    for (name, outcome, wall_ms) in results {
        recorder.record(Instant(0), &finished(&test(name), 1, *outcome, *wall_ms)).unwrap();
    }
    recorder.record(Instant(0), &run_finished(false)).unwrap();
}

fn outcomes(rows: &[ResultRow]) -> Vec<(&str, u32, Outcome)> {
    rows.iter().map(|row| (&*row.test.name, row.attempt.0, row.outcome)).collect()
}

/// One number that plain SQL finds in a history's file.
fn number(dir: &Path, sql: &str) -> i64 {
    connection(dir).query_row(sql, [], |row| row.get(0)).unwrap()
}

/// One text that plain SQL finds in a history's file.
fn text(dir: &Path, sql: &str) -> String {
    connection(dir).query_row(sql, [], |row| row.get(0)).unwrap()
}

fn connection(dir: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(dir.join("history.sqlite")).unwrap()
}
