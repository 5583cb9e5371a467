//! Short ways to events.

use seatrial_model::*;
use std::time::Duration;

/// The end of an attempt, to be filled in.
#[derive(Clone)]
pub(crate) struct End_ {
    pub(crate) group: &'static str,
    pub(crate) name: String,
    pub(crate) attempt: u32,
    pub(crate) outcome: Outcome,
    pub(crate) reason: Option<&'static str>,
    pub(crate) end: Option<End>,
    pub(crate) ms: u64,
    pub(crate) stdout: Captured,
    pub(crate) stderr: Captured,
    pub(crate) last: bool,
    pub(crate) notes: Vec<String>,
}

pub(crate) const GROUP: &str = "app::bin/tool";

/// A last first try of `name`.
pub(crate) fn end(name: &str, outcome: Outcome, ms: u64) -> End_ {
    End_ {
        group: GROUP,
        name: name.to_owned(),
        attempt: 1,
        outcome,
        reason: None,
        end: match outcome {
            Outcome::Pass => Some(End::Exit(0)),
            Outcome::Fail => Some(End::Exit(101)),
            Outcome::Error
            | Outcome::Skip
            | Outcome::Timeout
            | Outcome::Crash
            | Outcome::Oom
            | Outcome::Lost
            | Outcome::Cancelled => None,
        },
        ms,
        stdout: Captured::default(),
        stderr: Captured::default(),
        last: true,
        notes: Vec::new(),
    }
}

impl End_ {
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub(crate) fn event(self) -> Event {
        Event::AttemptFinished {
            test: TestRef::new(self.group, &self.name),
            attempt: Attempt(self.attempt),
            outcome: self.outcome,
            reason: self.reason.map(str::to_owned),
            end: self.end,
            usage: Usage { wall: Duration::from_millis(self.ms), ..Usage::default() },
            output: Output { stdout: self.stdout, stderr: self.stderr },
            last: self.last,
            order_dependent: false,
            notes: self.notes,
        }
    }
}

pub(crate) fn start(name: &str, attempt: u32, slot: u32) -> Event {
    Event::AttemptStarted {
        test: TestRef::new(GROUP, name),
        attempt: Attempt(attempt),
        node: NodeId(0),
        slot: SlotId(slot),
    }
}

pub(crate) fn listed(tests: u32) -> Event {
    Event::GroupListed { group: GROUP.to_owned(), tests }
}

pub(crate) fn skipped(name: &str, reason: Option<&str>) -> Event {
    Event::Skipped { test: TestRef::new(GROUP, name), reason: reason.map(str::to_owned) }
}

pub(crate) fn slow(name: &str, ms: u64) -> Event {
    Event::Slow { test: TestRef::new(GROUP, name), elapsed: Duration::from_millis(ms) }
}

pub(crate) fn notice(level: NoticeLevel, text: &str, hint: Option<&str>) -> Event {
    Event::Notice { level, text: text.to_owned(), hint: hint.map(str::to_owned) }
}

pub(crate) fn begun() -> Event {
    Event::RunStarted(RunHeader {
        run: RunId::new(1_760_000_000_000, 7),
        started_unix_ms: 1_760_000_000_000,
        project: "/home/ada/app".to_owned(),
        command: vec!["seatrial".to_owned(), "cargo".to_owned(), "a b".to_owned()],
        host: "quay".to_owned(),
        slots: 2,
        isolation: "cow".to_owned(),
        seed: 42,
        revision: Some("0123abc-dirty".to_owned()),
    })
}

pub(crate) fn done(counts: Counts, wall_ms: u64, exit_code: u8) -> Event {
    Event::RunFinished {
        counts,
        wall: Duration::from_millis(wall_ms),
        interrupted: exit_code == 130,
        exit_code,
    }
}

pub(crate) fn whole(text: &str) -> Captured {
    Captured::whole(text.as_bytes().to_vec())
}
