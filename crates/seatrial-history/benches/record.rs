//! What recording and reading cost: `cargo bench -p seatrial-history`.
//!
//! Promises: less than 10 us a result while recording (12 where no two tests write alike); facts on 20,000 tests in less
//! than 50 ms; the output of passing tests takes less room than their results.

#![expect(clippy::print_stdout, reason = "its product is text")]

use seatrial_history::{Error, History, Recorder};
use seatrial_model::{
    Attempt, Counts, End, Event, Instant, NodeId, Outcome, Output, RunHeader, RunId, SlotId, TestRef, Usage,
};
use std::path::Path;
use std::time::{Duration, Instant as Clock};

/// What the tests of one measurement write.
#[derive(Clone, Copy)]
enum Writes {
    Nothing,
    /// libtest's words around the test's name, with a time that differs at times.
    Libtest,
    /// As long, but never twice the same.
    Unlike,
}

fn main() -> Result<(), Error> {
    for (what, writes) in [
        ("100,000 results, no output", Writes::Nothing),
        ("100,000 results, libtest's 150 bytes", Writes::Libtest),
        ("100,000 results, 150 bytes all different", Writes::Unlike),
    ] {
        let dir = tempfile::tempdir().map_err(|error| other(&error))?;
        for (run, kind) in
            [(1, "new names"), (2, "known names, other order"), (3, "known names, other order")]
        {
            let before = size(dir.path());
            let taken = record(dir.path(), run, 100_000, writes)?;
            println!(
                "{what}, {kind}: {:.2} us and {} bytes a result; the slowest flush took {:.1} ms; memory {} MiB",
                taken.all.as_secs_f64() * 10.0,
                (size(dir.path()) - before) / 100_000,
                taken.slowest.as_secs_f64() * 1e3,
                peak_memory(),
            );
        }
    }
    facts()
}

fn facts() -> Result<(), Error> {
    let dir = tempfile::tempdir().map_err(|error| other(&error))?;
    for run in 1..=8 {
        record(dir.path(), run, 20_000, Writes::Libtest)?;
    }
    for _ in 0..3 {
        let begin = Clock::now();
        let history = History::open(dir.path())?;
        let opened = begin.elapsed();
        let facts = history.facts("/p")?;
        let facts_taken = begin.elapsed() - opened;
        let begin = Clock::now();
        let rows = history.results(RunId::new(8, 0), false)?;
        let results_taken = begin.elapsed();
        println!(
            "open {:.2} ms; facts on {} tests after 8 runs {:.1} ms; {} results of a run {:.1} ms",
            opened.as_secs_f64() * 1e3,
            facts.tests.len(),
            facts_taken.as_secs_f64() * 1e3,
            rows.len(),
            results_taken.as_secs_f64() * 1e3,
        );
    }
    // An afternoon of the same ten tests, and a hunt for a flaky one.
    for run in 9..=208 {
        record(dir.path(), run, 10, Writes::Libtest)?;
    }
    for attempt in 1..=3 {
        hunt(dir.path(), 300 + attempt)?;
    }
    let begin = Clock::now();
    let found = History::open_read_only(dir.path())?.facts("/p")?.tests.len();
    println!(
        "facts on {found} tests after 200 runs of 10 of them and 3 hunts: {:.1} ms",
        begin.elapsed().as_secs_f64() * 1e3
    );
    Ok(())
}

/// Records 100,000 tries of one test.
fn hunt(dir: &Path, run: u64) -> Result<(), Error> {
    let mut recorder = begin(dir, run)?;
    for attempt in 1..=100_000 {
        for mut event in events(7, 0, Writes::Libtest) {
            if let Event::AttemptStarted { attempt: number, .. }
            | Event::AttemptFinished { attempt: number, .. } = &mut event
            {
                *number = Attempt(attempt);
            }
            recorder.record(Instant(0), &event)?;
        }
    }
    recorder.flush()
}

fn begin(dir: &Path, run: u64) -> Result<Recorder, Error> {
    let header = RunHeader {
        run: RunId::new(run, 0),
        started_unix_ms: 1_700_000_000_000 + run,
        project: "/p".to_owned(),
        command: vec!["seatrial".to_owned(), "run".to_owned()],
        host: "host".to_owned(),
        slots: 8,
        isolation: "cow".to_owned(),
        seed: run,
        revision: None,
    };
    History::open(dir)?.begin(&header, "user", &[])
}

struct Taken {
    all: Duration,
    slowest: Duration,
}

/// Records a run of `n` tests, with a flush after each 1,000 results, as 5,000 tests a second would have it.
fn record(dir: &Path, run: u64, n: u64, writes: Writes) -> Result<Taken, Error> {
    let mut recorder = begin(dir, run)?;
    let mut taken = Taken { all: Duration::ZERO, slowest: Duration::ZERO };
    for i in 0..n {
        // 7,919 is a prime: each number once, far from its neighbours.
        let number = if run == 1 { i } else { (i * 7919 + run * 13) % n };
        let events = events(number, i, writes);
        let begin = Clock::now();
        for event in &events {
            recorder.record(Instant::from_millis(i / 5), event)?;
        }
        if i % 1000 == 999 {
            let flush = Clock::now();
            recorder.flush()?;
            taken.slowest = taken.slowest.max(flush.elapsed());
        }
        taken.all += begin.elapsed();
    }
    let begin = Clock::now();
    let finished = Event::RunFinished {
        counts: Counts { passed: 100_000, ..Counts::default() },
        wall: Duration::from_secs(20),
        interrupted: false,
        exit_code: 0,
    };
    recorder.record(Instant::from_millis(20_000), &finished)?;
    drop(recorder);
    taken.all += begin.elapsed();
    Ok(taken)
}

fn events(number: u64, i: u64, writes: Writes) -> [Event; 2] {
    let test = TestRef::new(
        &format!("crate_number_{}::it", number / 500),
        &format!("module_{}::tests::a_name_of_usual_length_{number}", number / 50),
    );
    let output = match writes {
        Writes::Nothing => String::new(),
        Writes::Libtest => format!(
            "\nrunning 1 test\ntest {} ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; \
             499 filtered out; finished in 0.0{}s\n\n",
            test.name,
            i % 7 / 4,
        ),
        Writes::Unlike => format!("{i:0150}"),
    };
    let slot = SlotId(u32::try_from(i % 8).unwrap_or(0));
    let stdout = seatrial_model::Captured::whole(output.into_bytes());
    [
        Event::AttemptStarted { test: test.clone(), attempt: Attempt::FIRST, node: NodeId(0), slot },
        Event::AttemptFinished {
            test,
            attempt: Attempt::FIRST,
            outcome: Outcome::Pass,
            reason: None,
            end: Some(End::Exit(0)),
            usage: Usage {
                wall: Duration::from_micros(5_000 + i % 1000),
                user: Duration::from_micros(2_000 + i % 1000),
                system: Duration::from_micros(1_000 + i % 1000),
                peak_memory: 5_000_000 + i * 4096 % 1_000_000,
            },
            output: Output { stdout, ..Output::default() },
            last: true,
            order_dependent: false,
            notes: Vec::new(),
        },
    ]
}

fn size(dir: &Path) -> u64 {
    std::fs::metadata(dir.join("history.sqlite")).map_or(0, |file| file.len())
}

/// Of this process so far, in MiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) / 1024
}

fn other(error: &std::io::Error) -> Error {
    Error::NoAccess { path: std::env::temp_dir(), detail: error.to_string() }
}
