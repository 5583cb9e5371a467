//! Wire forms against their golden files: what one version wrote, the next one reads.
//!
//! `UPDATE_EXPECT=1 cargo test -p seatrial-model` writes the files anew; a changed line in a review is a changed form.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "golden files on the disk, read by a test"
)]

use seatrial_model::{
    Attempt, Bytes, Captured, Counts, End, Event, EventLine, FileFacts, JOB_WIRE_VERSION, JobId, JobKind,
    JobLine, JobSpec, Launch, LaunchId, LaunchLine, Limits, Near, NodeId, NoticeLevel, Outcome, Output,
    Reading, RunHeader, RunId, SlotId, SpawnStep, TestRef, Usage, Verdict, WIRE_VERSION,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::path::Path;
use std::time::Duration;

/// Writes `values` a line each, compares with the golden file, reads the golden file back to the same values.
fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str, values: &[T]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let lines: Vec<String> = values.iter().map(|value| serde_json::to_string(value).unwrap()).collect();
    let text = lines.join("\n") + "\n";
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    assert_eq!(golden, text, "the form of {name} has changed");
    let read: Vec<T> = golden.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read, values);
}

fn test_ref() -> TestRef {
    TestRef::new("parser::lexer", "numbers::too \"long\"")
}

fn job(kind: JobKind, reading: Reading) -> JobSpec {
    JobSpec {
        job: JobId(7),
        launch: LaunchId(1),
        kind,
        test: test_ref(),
        args: vec!["--exact".into(), Bytes(vec![0xff, b'a'])],
        env: vec![("NEXTEST_ATTEMPT".into(), "1".into())],
        reading,
        limits: Limits {
            timeout: Some(Duration::from_millis(1500)),
            slow_after: None,
            memory: Some(1 << 30),
        },
        near: None,
    }
}

fn launch() -> Launch {
    Launch {
        program: "/p/target/debug/deps/parser-0a".into(),
        args: vec!["--nocapture".into()],
        env: vec![("PATH".into(), "/usr/bin".into()), ("ODD".into(), Bytes(vec![0x80]))],
        cwd: "/p".into(),
        warm: None,
    }
}

#[test]
fn jobs() {
    check(
        "job.jsonl",
        &[
            job(JobKind::Verdict, Reading::LibtestOne { early_exit_passes: false }),
            job(JobKind::Verdict, Reading::LibtestMany),
            job(JobKind::Listing, Reading::LibtestList),
            job(JobKind::Relay, Reading::ExitCode),
        ],
    );
}

#[test]
fn launches() {
    check("launch.jsonl", &[launch()]);
}

#[test]
fn lines_of_jobs_and_launches() {
    let plain = job(JobKind::Verdict, Reading::LibtestMany);
    let near = |together| {
        let near = Some(Near { group: 3, together });
        JobLine { v: JOB_WIRE_VERSION, spec: JobSpec { near, ..plain.clone() } }
    };
    let lines = [JobLine { v: JOB_WIRE_VERSION, spec: plain.clone() }, near(false), near(true)];
    check("job_line.jsonl", &lines);
    check("launch_line.jsonl", &[LaunchLine { v: JOB_WIRE_VERSION, id: LaunchId(1), launch: launch() }]);
}

/// The line as a later version might write it.
fn newer<T: Serialize>(line: &T) -> String {
    let mut value = serde_json::to_value(line).unwrap();
    value["v"] = (JOB_WIRE_VERSION + 1).into();
    value["colour"] = "red".into();
    value.to_string()
}

#[test]
fn lines_of_a_newer_version_are_read_and_not_written() {
    let v = JOB_WIRE_VERSION + 1;
    let job = JobLine { v: JOB_WIRE_VERSION, spec: job(JobKind::Relay, Reading::ExitCode) };
    let read: JobLine = serde_json::from_str(&newer(&job)).unwrap();
    assert_eq!(read, JobLine { v, ..job });
    let refusal = serde_json::to_string(&read).unwrap_err().to_string();
    assert_eq!(refusal, format!("a line of version `{v}` is not written by version `{JOB_WIRE_VERSION}`"));
    let launch = LaunchLine { v: JOB_WIRE_VERSION, id: LaunchId(1), launch: launch() };
    let read: LaunchLine = serde_json::from_str(&newer(&launch)).unwrap();
    assert_eq!(read, LaunchLine { v, ..launch });
    assert!(serde_json::to_string(&read).is_err());
}

#[test]
fn verdicts() {
    let verdicts = Outcome::ALL.map(|outcome| Verdict { test: test_ref(), outcome, reason: None });
    check("verdict.jsonl", &verdicts);
}

fn finished(end: Option<End>, outcome: Outcome) -> Event {
    Event::AttemptFinished {
        test: test_ref(),
        attempt: Attempt(2),
        outcome,
        reason: Some("exit code 101".into()),
        end,
        usage: Usage {
            wall: Duration::from_micros(1234),
            user: Duration::from_micros(1000),
            system: Duration::from_micros(200),
            peak_memory: 4096,
        },
        output: Output {
            stdout: Captured::whole(b"ok\n".to_vec()),
            stderr: Captured {
                head: "a".into(),
                tail: Bytes(vec![0xfe]),
                total: 1 << 30,
                spill: Some("/s/7-2.err".into()),
            },
        },
        last: true,
        order_dependent: outcome == Outcome::Pass,
        notes: vec!["left running and ended: sleep".into()],
    }
}

#[test]
fn events() {
    let header = RunHeader {
        run: RunId::new(1_700_000_000_000, 0x2a_aaaa),
        started_unix_ms: 1_700_000_000_000,
        project: "/p".into(),
        command: vec!["seatrial".into(), "cargo".into()],
        host: "h7".into(),
        slots: 4,
        isolation: "cow".into(),
        seed: u64::MAX,
        revision: None,
    };
    let not_started = End::NotStarted { step: SpawnStep::Exec, errno: 2 };
    let events = [
        Event::RunStarted(header),
        Event::GroupListed { group: "parser".into(), tests: 12 },
        Event::Skipped { test: test_ref(), reason: Some("ignored".into()) },
        Event::AttemptStarted { test: test_ref(), attempt: Attempt::FIRST, node: NodeId(0), slot: SlotId(3) },
        Event::Slow { test: test_ref(), elapsed: Duration::from_secs(60) },
        finished(Some(End::Exit(101)), Outcome::Fail),
        finished(Some(End::Signal(11)), Outcome::Crash),
        finished(Some(not_started), Outcome::Error),
        finished(Some(End::SlotLost), Outcome::Lost),
        finished(None, Outcome::Pass),
        Event::Notice { level: NoticeLevel::Warning, text: "t".into(), hint: Some("h".into()) },
        Event::Facts(FileFacts {
            tests: vec![test_ref()],
            interpreter: "3f2a90b1c4d5".into(),
            step: 1,
            shared: true,
            opened: vec!["src/parser.py".into(), "/etc/hosts".into()],
            written: vec!["out \"1\"".into()],
            imported: vec!["parser".into()],
            left_out: 2,
        }),
        Event::Facts(FileFacts { interpreter: "3f2a90b1c4d5".into(), ..FileFacts::default() }),
        Event::RunFinished {
            counts: Counts {
                passed: 1,
                flaky: 1,
                failed: 2,
                errors: 3,
                skipped: 4,
                not_run: 5,
                order_dependent: 6,
            },
            wall: Duration::from_millis(10),
            interrupted: true,
            exit_code: 130,
        },
    ];
    let lines: Vec<EventLine> =
        events.into_iter().map(|event| EventLine { v: WIRE_VERSION, at_us: 5, event }).collect();
    check("event.jsonl", &lines);
}

#[test]
fn a_newer_writer_is_read() {
    let unknown: EventLine =
        serde_json::from_str(r#"{"v":2,"at_us":1,"event":"moon-rose","phase":3}"#).unwrap();
    assert_eq!(unknown.event, Event::Unknown);
    let more = r#"{"v":2,"at_us":1,"event":"group-listed","group":"g","tests":1,"colour":"red"}"#;
    let known: EventLine = serde_json::from_str(more).unwrap();
    assert_eq!(known.event, Event::GroupListed { group: "g".into(), tests: 1 });
}

#[test]
fn run_ids_order_by_time_and_survive_text() {
    let (early, late) = (RunId::new(1_000, 0x3f_ffff), RunId::new(1_001, 0));
    assert!(early < late && early.to_string() < late.to_string());
    assert_eq!(late.unix_ms(), 1_001);
    assert_eq!(early.to_string().parse(), Ok(early));
    for bad in ["", "abc", "zzzzzzzzzzzzz", "0000000000000000", "000000000000!"] {
        assert!(bad.parse::<RunId>().is_err(), "{bad}");
    }
}
