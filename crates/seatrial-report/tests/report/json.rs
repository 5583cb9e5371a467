//! The wire form of every kind of event, held by golden files.

use crate::expect::{golden, read};
use crate::make::*;
use seatrial_model::*;
use seatrial_report::json;
use std::time::Duration;

fn check(kind: &str, events: &[Event]) {
    let at = Instant::from_millis(1_234);
    let lines: String = events.iter().map(|event| json::line(at, event) + "\n").collect();
    assert_eq!(lines.lines().count(), events.len(), "a line each");
    golden(&format!("json/{kind}.ndjson"), &lines);
    // What is read back comes from the file: what an earlier version wrote is still understood.
    for (line, event) in read(&format!("json/{kind}.ndjson")).lines().zip(events) {
        let back = json::read(line).unwrap();
        assert_eq!((back.v, back.at_us, &back.event), (WIRE_VERSION, 1_234_000, event));
        assert!(line.contains(&format!("\"event\":\"{kind}\"")), "{line}");
    }
}

#[test]
fn each_kind_of_event() {
    check("run-started", &[begun()]);
    check("group-listed", &[listed(7)]);
    check("skipped", &[skipped("a\n", Some("why")), skipped("b", None)]);
    check("attempt-started", &[start("a", 2, 3)]);
    check("slow", &[slow("a", 60_000)]);
    check(
        "notice",
        &[
            notice(NoticeLevel::Info, "text", None),
            notice(NoticeLevel::Warning, "text", None),
            notice(NoticeLevel::Error, "text\u{2028}", Some("hint")),
        ],
    );
    let files = FileFacts {
        tests: vec![TestRef::new("g", "a\n"), TestRef::new("g", "b")],
        interpreter: "i".into(),
        step: 1,
        opened: vec!["a b".into(), "\u{e9}".into()],
        left_out: 1,
        ..FileFacts::default()
    };
    check("facts", &[Event::Facts(FileFacts { shared: true, ..files.clone() }), Event::Facts(files)]);
    check(
        "run-finished",
        &[done(
            Counts { passed: 1, flaky: 2, failed: 3, errors: 4, skipped: 5, not_run: 6, order_dependent: 0 },
            1_500,
            130,
        )],
    );
}

#[test]
fn each_end_of_an_attempt() {
    let ends = [
        End::Exit(-1),
        End::Signal(11),
        End::NotStarted { step: SpawnStep::Clone, errno: 11 },
        End::NotStarted { step: SpawnStep::Chdir, errno: 2 },
        End::NotStarted { step: SpawnStep::Exec, errno: 8 },
        End::NotStarted { step: SpawnStep::Setup, errno: 1 },
        End::SlotLost,
    ];
    let mut events: Vec<Event> = Outcome::ALL.map(|outcome| end("t", outcome, 5).event()).into();
    events.extend(ends.map(|how| end("t", Outcome::Error, 5).with(|e| e.end = Some(how)).event()));
    let spilled =
        Captured { head: "a".into(), tail: vec![0xff, 0].into(), total: 1 << 40, spill: Some("f".into()) };
    let full = end("n\"\\\x1b", Outcome::Fail, 5).with(|e| {
        e.stdout = spilled;
        e.stderr = whole("é\n");
        e.reason = Some("why");
        e.last = false;
        e.notes = vec!["one".into(), "two".into()];
    });
    let mut full = full.event();
    if let Event::AttemptFinished { usage, .. } = &mut full {
        usage.user = Duration::from_micros(1);
        usage.system = Duration::from_secs(u64::from(u32::MAX));
        usage.peak_memory = u64::MAX;
    }
    events.push(full);
    check("attempt-finished", &events);
}

#[test]
fn later_versions_are_read() {
    let back =
        json::read(r#"{"v":9,"at_us":1,"event":"moon-landed","crater":{"x":[1]},"more":null}"#).unwrap();
    assert_eq!(back, EventLine { v: 9, at_us: 1, event: Event::Unknown });
    let back =
        json::read(r#"{"v":1,"at_us":1,"event":"group-listed","group":"g","tests":2,"new":[{}]}"#).unwrap();
    assert_eq!(back.event, Event::GroupListed { group: "g".into(), tests: 2 });
    for bad in
        ["", "{}", "[]", r#"{"v":1,"at_us":1,"event":"group-listed"}"#, r#"{"v":1,"at_us":-1,"event":"x"}"#]
    {
        assert!(json::read(bad).is_err(), "{bad}");
    }
}
