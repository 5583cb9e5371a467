//! What goes in comes out.

use super::*;
use seatrial_model::{Captured, SpawnStep};

/// Every outcome, each with another end, reason and use.
fn every_outcome() -> Vec<(Event, ResultRow)> {
    let ends = [
        Some(End::Exit(0)),
        Some(End::Exit(101)),
        Some(End::Signal(11)),
        None,
        Some(End::NotStarted { step: SpawnStep::Exec, errno: 2 }),
        Some(End::NotStarted { step: SpawnStep::Clone, errno: 11 }),
        Some(End::NotStarted { step: SpawnStep::Chdir, errno: 13 }),
        Some(End::NotStarted { step: SpawnStep::Setup, errno: 1 }),
        Some(End::SlotLost),
    ];
    let mut all = Vec::new();
    for (i, (outcome, end)) in Outcome::ALL.into_iter().zip(ends).enumerate() {
        let n = u32::try_from(i).unwrap();
        let test = TestRef::new("group", &format!("test{n}"));
        let usage = Usage {
            wall: Duration::from_micros(u64::from(n) * 10),
            user: Duration::from_micros(u64::from(n) * 100 + 1),
            system: Duration::from_micros(u64::from(n) * 1000 + 2),
            peak_memory: u64::from(n) << 30,
        };
        let reason = (n > 0).then(|| format!("reason {n}"));
        let notes: Vec<String> = (0..n % 3).map(|k| format!("note \"{k}\"\n")).collect();
        let event = Event::AttemptFinished {
            test: test.clone(),
            attempt: Attempt(n + 1),
            outcome,
            reason: reason.clone(),
            end,
            usage,
            output: Output::default(),
            last: n % 2 == 0,
            order_dependent: false,
            notes: notes.clone(),
        };
        let row = ResultRow {
            test,
            attempt: Attempt(n + 1),
            outcome,
            reason,
            end,
            started: Some(Instant::from_millis(u64::from(n))),
            usage,
            node: Some(NodeId(n)),
            slot: Some(SlotId(n + 7)),
            last: n % 2 == 0,
            notes,
            has_output: false,
        };
        all.push((event, row));
    }
    all
}

#[test]
fn every_outcome_round_trips() {
    let dir = tempfile::tempdir().unwrap();
    let mut recorder = begin(dir.path(), 1);
    let all = every_outcome();
    for (_, row) in &all {
        let (test, attempt) = (row.test.clone(), row.attempt);
        let (node, slot) = (row.node.unwrap(), row.slot.unwrap());
        let event = Event::AttemptStarted { test, attempt, node, slot };
        recorder.record(row.started.unwrap(), &event).unwrap();
    }
    for (event, _) in &all {
        recorder.record(Instant::from_millis(5000), event).unwrap();
    }
    recorder.record(Instant::from_millis(5000), &run_finished(false)).unwrap();
    let history = History::open_read_only(dir.path()).unwrap();
    let expected: Vec<ResultRow> = all.iter().map(|(_, row)| row.clone()).collect();
    assert_eq!(history.results(header(1).run, false).unwrap(), expected);
    let bad: Vec<ResultRow> = expected.iter().filter(|row| row.outcome.is_bad()).cloned().collect();
    assert_eq!(history.results(header(1).run, true).unwrap(), bad);
    assert_eq!(history.results(header(2).run, false).unwrap(), []);
}

#[test]
fn skipped_tests_have_a_reason_and_attempt_0() {
    let dir = tempfile::tempdir().unwrap();
    let mut recorder = begin(dir.path(), 1);
    let event = Event::Skipped { test: test("s"), reason: Some("needs root".to_owned()) };
    recorder.record(Instant::from_millis(3), &event).unwrap();
    recorder.flush().unwrap();
    let rows = History::open(dir.path()).unwrap().results(header(1).run, false).unwrap();
    let expected = ResultRow {
        test: test("s"),
        attempt: Attempt(0),
        outcome: Outcome::Skip,
        reason: Some("needs root".to_owned()),
        end: None,
        started: Some(Instant::from_millis(3)),
        usage: Usage::default(),
        node: None,
        slot: None,
        last: true,
        notes: Vec::new(),
        has_output: false,
    };
    assert_eq!(rows, [expected]);
}

#[test]
fn attempts_of_one_test_come_in_order_and_the_first_answer_stays() {
    let dir = tempfile::tempdir().unwrap();
    let mut recorder = begin(dir.path(), 1);
    for (name, attempt, outcome) in [
        ("flaky", 2, Outcome::Pass),
        ("flaky", 1, Outcome::Fail),
        ("other", 1, Outcome::Crash),
        ("flaky", 2, Outcome::Lost),
    ] {
        recorder.record(Instant(0), &finished(&test(name), attempt, outcome, 1)).unwrap();
    }
    recorder.flush().unwrap();
    let history = History::open(dir.path()).unwrap();
    let rows = history.attempts(header(1).run, &test("flaky")).unwrap();
    assert_eq!(outcomes(&rows), [("flaky", 1, Outcome::Fail), ("flaky", 2, Outcome::Pass)]);
    assert_eq!(history.attempts(header(1).run, &test("none")).unwrap(), []);
    assert_eq!(history.attempts(header(1).run, &TestRef::new("other group", "flaky")).unwrap(), []);
}

#[test]
fn an_answer_that_comes_twice_leaves_no_output_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut recorder = begin(dir.path(), 1);
    for text in ["first", "second", "second"] {
        let mut event = finished(&test("t"), 1, Outcome::Pass, 1);
        set_output(&mut event, Output { stdout: Captured::whole(text.into()), ..Output::default() });
        recorder.record(Instant(0), &event).unwrap();
    }
    recorder.flush().unwrap();
    assert_eq!(number(dir.path(), "select count(*) from output"), 1);
    let mut event = finished(&test("u"), 1, Outcome::Pass, 1);
    let second = Output { stdout: Captured::whole("second".into()), ..Output::default() };
    set_output(&mut event, second.clone());
    recorder.record(Instant(0), &event).unwrap();
    recorder.flush().unwrap();
    assert_eq!(number(dir.path(), "select count(*) from output"), 2);
    let history = History::open(dir.path()).unwrap();
    let first = history.output(header(1).run, &test("t"), Attempt(1)).unwrap().unwrap();
    assert_eq!(first.stdout.head.to_text(), "first");
    assert_eq!(history.output(header(1).run, &test("u"), Attempt(1)).unwrap(), Some(second));
}

#[test]
fn any_name_goes() {
    let dir = tempfile::tempdir().unwrap();
    let names = [
        "",
        " ",
        "a",
        "a\0b",
        "a\0c",
        "line\nbreak\r\n",
        "ünï/çødé \u{1f980}",
        "' or 1=1; drop table run --",
        "%_*?[a]",
        "\u{1a}",
        "test[param with \"quotes\"]",
    ];
    let mut recorder = begin(dir.path(), 1);
    for (group, name) in names.into_iter().flat_map(|group| names.map(|name| (group, name))) {
        let test = TestRef::new(group, name);
        let mut event = finished(&test, 1, Outcome::Fail, 1);
        let stdout = Captured::whole(format!("this is {name}, in {group}").into_bytes());
        set_output(&mut event, Output { stdout, ..Output::default() });
        recorder.record(Instant(0), &event).unwrap();
    }
    recorder.flush().unwrap();
    let history = History::open(dir.path()).unwrap();
    let run = header(1).run;
    assert_eq!(history.results(run, true).unwrap().len(), names.len() * names.len());
    for (group, name) in names.into_iter().flat_map(|group| names.map(|name| (group, name))) {
        let test = TestRef::new(group, name);
        assert_eq!(history.attempts(run, &test).unwrap().len(), 1, "{test:?}");
        let output = history.output(run, &test, Attempt(1)).unwrap().unwrap();
        assert_eq!(output.stdout.head.to_text(), format!("this is {name}, in {group}"));
        assert!(history.find_tests(run, &test.to_string()).unwrap().contains(&test), "{test:?}");
    }
}

#[test]
fn find_tests_prefers_the_whole_name() {
    let dir = tempfile::tempdir().unwrap();
    let mut recorder = begin(dir.path(), 1);
    let tests = [("a", "one"), ("a", "one two"), ("b", "one"), ("b", "three")];
    for (group, name) in tests {
        let event = finished(&TestRef::new(group, name), 1, Outcome::Pass, 1);
        recorder.record(Instant(0), &event).unwrap();
    }
    recorder.flush().unwrap();
    // Another run's tests are not meant.
    let mut other = begin(dir.path(), 2);
    other.record(Instant(0), &finished(&TestRef::new("a", "one of run 2"), 1, Outcome::Pass, 1)).unwrap();
    other.flush().unwrap();
    let history = History::open(dir.path()).unwrap();
    let check = |text: &str, expected: &[(&str, &str)]| {
        let expected: Vec<TestRef> = expected.iter().map(|(group, name)| TestRef::new(group, name)).collect();
        assert_eq!(history.find_tests(header(1).run, text).unwrap(), expected, "{text}");
    };
    check("a one", &[("a", "one")]);
    check("one", &[("a", "one"), ("b", "one")]);
    check("ne t", &[("a", "one two")]);
    check("b t", &[("b", "three")]);
    check("t", &[("a", "one two"), ("b", "three")]);
    check("four", &[]);
}

fn set_output(event: &mut Event, new: Output) {
    if let Event::AttemptFinished { output, .. } = event {
        *output = new;
    }
}

#[test]
fn outputs_round_trip() {
    let dir = tempfile::tempdir().unwrap();
    let whole = |bytes: &[u8]| Captured::whole(bytes.to_vec());
    let long: Vec<u8> = (0..3_000_000_u32).map(|i| u8::try_from(i % 251).unwrap()).collect();
    let cut = Captured {
        head: "the beginning of t5".into(),
        tail: (&b"\xff\xfet5 end"[..]).into(),
        total: 123_456_789,
        spill: Some("/tmp/spill 1".to_owned()),
    };
    let outputs = [
        Output::default(),
        Output { stdout: whole(b"out"), stderr: Captured::default() },
        Output { stdout: Captured::default(), stderr: whole(b"\xff\xfe\0 not text") },
        Output { stdout: whole(b"\x1a is kept, t3 too"), stderr: whole(b"t3") },
        Output { stdout: whole(&long), stderr: whole(b"") },
        Output { stdout: cut.clone(), stderr: cut },
        Output { stdout: Captured { total: 9, ..Captured::default() }, stderr: Captured::default() },
        Output { stdout: whole(b"t7t7tt7 t"), stderr: whole(b"t7") },
    ];
    let mut recorder = begin(dir.path(), 1);
    for (i, output) in outputs.iter().enumerate() {
        let mut event = finished(&test(&format!("t{i}")), 1, Outcome::Fail, 1);
        set_output(&mut event, output.clone());
        recorder.record(Instant(0), &event).unwrap();
    }
    recorder.flush().unwrap();
    let history = History::open(dir.path()).unwrap();
    let rows = history.results(header(1).run, false).unwrap();
    for (i, output) in outputs.iter().enumerate() {
        let found = history.output(header(1).run, &test(&format!("t{i}")), Attempt(1)).unwrap();
        assert!(found.as_ref() == Some(output), "output {i}");
        assert_eq!(rows[i].has_output, i > 0, "output {i}");
    }
    assert_eq!(history.output(header(1).run, &test("t1"), Attempt(2)).unwrap(), None);
    assert_eq!(number(dir.path(), "select count(*) from output"), 7, "nothing written, nothing stored");
}

#[test]
fn a_large_output_is_written_before_much_gathers() {
    let dir = tempfile::tempdir().unwrap();
    let mut recorder = begin(dir.path(), 1);
    for i in 0..3 {
        let mut event = finished(&test(&format!("t{i}")), 1, Outcome::Pass, 1);
        set_output(&mut event, Output { stdout: Captured::whole(vec![b'x'; 5 << 20]), ..Output::default() });
        recorder.record(Instant(0), &event).unwrap();
    }
    assert_eq!(number(dir.path(), "select count(*) from result"), 2);
}

#[test]
fn many_results_are_written_before_a_flush() {
    let dir = tempfile::tempdir().unwrap();
    let mut recorder = begin(dir.path(), 1);
    for i in 0..5000 {
        recorder.record(Instant(0), &finished(&test(&format!("t{i}")), 1, Outcome::Pass, 1)).unwrap();
    }
    assert_eq!(number(dir.path(), "select count(*) from result"), 4096);
    drop(recorder);
    assert_eq!(number(dir.path(), "select count(*) from result"), 5000);
}

/// The promise about room, in rows: `benches/record.rs` has it in bytes.
#[test]
fn passes_that_differ_in_their_name_alone_share_an_output() {
    let dir = tempfile::tempdir().unwrap();
    let mut recorder = begin(dir.path(), 1);
    for i in 0..5000 {
        let name = format!("module::case_{i}");
        let mut event = finished(&test(&name), 1, Outcome::Pass, 1);
        let stdout = Captured::whole(format!("running 1 test\ntest {name} ... ok\n").into_bytes());
        set_output(&mut event, Output { stdout, ..Output::default() });
        recorder.record(Instant(0), &event).unwrap();
    }
    recorder.record(Instant(0), &run_finished(false)).unwrap();
    assert_eq!(number(dir.path(), "select count(*) from output"), 1);
    let history = History::open(dir.path()).unwrap();
    let output = history.output(header(1).run, &test("module::case_4321"), Attempt(1)).unwrap().unwrap();
    assert_eq!(output.stdout.head.to_text(), "running 1 test\ntest module::case_4321 ... ok\n");
    let shown = text(dir.path(), "select stdout from outputs where test = 'module::case_77'");
    assert_eq!(shown, "running 1 test\ntest module::case_77 ... ok\n");
}

#[test]
fn an_outcome_of_a_newer_version_is_no_pass() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), 1, &[("t", Outcome::Pass, 1)]);
    connection(dir.path()).execute("update result set outcome = 'infra'", []).unwrap();
    let history = History::open(dir.path()).unwrap();
    let rows = history.results(header(1).run, false).unwrap();
    assert_eq!(outcomes(&rows), [("t", 1, Outcome::Error)]);
    assert_eq!(rows[0].reason.as_deref(), Some("outcome `infra`, of a newer version of seatrial"));
}
