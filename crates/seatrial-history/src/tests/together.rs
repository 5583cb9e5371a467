//! Several at once, and one that is killed.

use super::*;
use crate::{RunRow, RunState};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};

/// Where the other process records, and which run: `<n> <results> <folder>`.
const TASK: &str = "SEATRIAL_HISTORY_TEST_TASK";

/// This test binary once more, as another process that records a run. It writes a line when it has begun, begins to
/// record when it gets one, and ends its run when its input ends.
fn other_process(dir: &Path, n: u64, results: u32) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::together::other_process_body", "--ignored", "--nocapture"])
        .env(TASK, format!("{n} {results} {}", dir.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "it is the other process of the tests beside it"]
fn other_process_body() {
    let Ok(task) = std::env::var(TASK) else { return };
    let (n, rest) = task.split_once(' ').unwrap();
    let (results, dir) = rest.split_once(' ').unwrap();
    let mut recorder = begin(Path::new(dir), n.parse().unwrap());
    let say = |word: &str| writeln!(std::io::stdout(), "\n{word}").unwrap();
    say("begun");
    std::io::stdin().lock().read_line(&mut String::new()).unwrap();
    for i in 0..results.parse().unwrap() {
        let test = test(&format!("test {i}"));
        recorder.record(Instant(0), &started(&test, 1)).unwrap();
        recorder.record(Instant(1), &finished(&test, 1, Outcome::Pass, 1)).unwrap();
        if i % 20 == 0 {
            recorder.flush().unwrap();
        }
    }
    recorder.flush().unwrap();
    say("recorded");
    std::io::stdin().lock().read_to_end(&mut Vec::new()).unwrap();
    recorder.record(Instant(2), &run_finished(false)).unwrap();
}

/// Reads the other process's words up to this one.
fn wait_for(output: &mut impl std::io::BufRead, word: &str) {
    let mut seen = String::new();
    while !seen.lines().any(|line| line == word) {
        assert!(output.read_line(&mut seen).unwrap() > 0, "ended before `{word}`: {seen}");
    }
}

fn wait_until_over(history: &History, run: RunId) -> RunRow {
    let begin = std::time::Instant::now();
    loop {
        let row = history.run(run).unwrap();
        if row.state != RunState::Running {
            return row;
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "still {row:?}");
        std::thread::yield_now();
    }
}

#[test]
fn a_killed_run_reads_as_interrupted() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = other_process(dir.path(), 1, 25);
    let mut output = BufReader::new(child.stdout.take().unwrap());
    wait_for(&mut output, "begun");
    child.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    wait_for(&mut output, "recorded");
    let history = History::open_read_only(dir.path()).unwrap();
    assert_eq!(history.run(header(1).run).unwrap().state, RunState::Running);
    child.kill().unwrap();
    // Not waited for yet: a zombie records nothing more.
    let row = wait_until_over(&history, header(1).run);
    assert_eq!(row.state, RunState::Interrupted);
    child.wait().unwrap();
    assert_eq!(history.run(header(1).run).unwrap(), row);
    assert_eq!(row.counts, Counts { passed: 25, ..Counts::default() });
    assert_eq!(number(dir.path(), "select count(*) from run where state = 'running'"), 1);
    // The next run is not disturbed.
    run(dir.path(), 2, &[("test 1", Outcome::Fail, 1)]);
    assert_eq!(history.runs(None, 9).unwrap().len(), 2);
}

#[test]
fn processes_that_record_at_once_all_record() {
    let dir = tempfile::tempdir().unwrap();
    let mut children: Vec<Child> = (1..=3).map(|n| other_process(dir.path(), n, 2000)).collect();
    let mut outputs: Vec<_> =
        children.iter_mut().map(|child| BufReader::new(child.stdout.take().unwrap())).collect();
    outputs.iter_mut().for_each(|output| wait_for(output, "begun"));
    for child in &mut children {
        child.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    }
    outputs.iter_mut().for_each(|output| wait_for(output, "recorded"));
    for mut child in children {
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
    }
    let history = History::open_read_only(dir.path()).unwrap();
    for n in 1..=3 {
        assert_eq!(history.results(header(n).run, false).unwrap().len(), 2000);
        assert_eq!(history.run(header(n).run).unwrap().state, RunState::Finished);
    }
    assert_eq!(number(dir.path(), "select count(*) from test"), 2000);
}

#[test]
fn threads_that_begin_at_once_all_begin() {
    for _ in 0..50 {
        let dir = tempfile::tempdir().unwrap();
        let gate = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            for n in 1..=8 {
                let (dir, gate) = (dir.path(), &gate);
                scope.spawn(move || {
                    gate.wait();
                    run(dir, n, &[("a", Outcome::Pass, 1), ("b", Outcome::Fail, 1)]);
                });
            }
        });
        let rows = History::open(dir.path()).unwrap().runs(None, 99).unwrap();
        assert_eq!(rows.len(), 8);
        assert!(rows.iter().all(|row| row.state == RunState::Finished));
        assert_eq!(number(dir.path(), "select count(*) from result"), 16);
    }
}

#[test]
fn a_reader_sees_what_was_flushed() {
    let dir = tempfile::tempdir().unwrap();
    let history = History::open(dir.path()).unwrap();
    let mut recorder = begin(dir.path(), 1);
    let seen = || history.results(header(1).run, false).unwrap().len();
    recorder.record(Instant(0), &finished(&test("a"), 1, Outcome::Pass, 1)).unwrap();
    assert_eq!(seen(), 0);
    recorder.flush().unwrap();
    assert_eq!(seen(), 1);
    recorder.record(Instant(0), &finished(&test("b"), 1, Outcome::Pass, 1)).unwrap();
    recorder.record(Instant(0), &run_finished(false)).unwrap();
    assert_eq!(seen(), 2);
}

#[test]
fn both_can_be_sent_to_a_thread() {
    fn sent<T: Send + 'static>() {}
    sent::<History>();
    sent::<Recorder>();
}
