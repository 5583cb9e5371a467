//! The end of an attempt in words.

use crate::{format, signal, text};
use seatrial_model::{Attempt, End, Event, Outcome, Output, SpawnStep, TestRef, Usage};

/// The fields of [`Event::AttemptFinished`], borrowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finished<'a> {
    pub(crate) test: &'a TestRef,
    pub(crate) attempt: Attempt,
    pub(crate) outcome: Outcome,
    pub(crate) reason: Option<&'a str>,
    pub(crate) end: Option<End>,
    pub(crate) usage: &'a Usage,
    pub(crate) output: &'a Output,
    pub(crate) last: bool,
    pub(crate) order_dependent: bool,
    pub(crate) notes: &'a [String],
}

impl<'a> Finished<'a> {
    /// The fields when `event` is the end of an attempt.
    pub(crate) fn of(event: &'a Event) -> Option<Self> {
        let Event::AttemptFinished {
            test,
            attempt,
            outcome,
            reason,
            end,
            usage,
            output,
            last,
            order_dependent,
            notes,
        } = event
        else {
            return None;
        };
        Some(Self {
            test,
            attempt: *attempt,
            outcome: *outcome,
            reason: reason.as_deref(),
            end: *end,
            usage,
            output,
            last: *last,
            order_dependent: *order_dependent,
            notes,
        })
    }

    /// How it ended and why, on one line without colours: `exit code 101`, `SIGSEGV (11)`, `timed out after 2.0 s`.
    /// Empty when there is nothing to say beside the outcome.
    pub(crate) fn how(&self) -> String {
        let how = self.ended();
        let Some(reason) = self.reason.map(text::one_line).filter(|reason| !reason.is_empty()) else {
            return how;
        };
        // A reason often repeats how the process ended (`SIGSEGV`, `exit code 101: ...`): each is said once.
        if how.contains(&reason) {
            how
        } else if how.is_empty() || reason.contains(&how) {
            reason
        } else {
            format!("{how}: {reason}")
        }
    }

    fn ended(&self) -> String {
        match self.outcome {
            Outcome::Timeout => format!("timed out after {}", format::elapsed(self.usage.wall)),
            Outcome::Oom => "out of memory".to_owned(),
            Outcome::Cancelled => "ended because the run was cancelled".to_owned(),
            Outcome::Lost => "its slot died, nobody knows how it ended".to_owned(),
            Outcome::Fail | Outcome::Error | Outcome::Crash => self.end.map(end).unwrap_or_default(),
            // What is as it should be needs no telling.
            Outcome::Pass | Outcome::Skip => String::new(),
        }
    }
}

/// An outcome as the word that a line of ours begins with.
pub(crate) fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "PASS",
        Outcome::Fail => "FAIL",
        Outcome::Error => "ERROR",
        Outcome::Skip => "SKIP",
        Outcome::Timeout => "TIMEOUT",
        Outcome::Crash => "CRASH",
        Outcome::Oom => "OOM",
        Outcome::Lost => "LOST",
        Outcome::Cancelled => "CANCELLED",
    }
}

fn end(end: End) -> String {
    match end {
        End::Exit(code) => format!("exit code {code}"),
        End::Signal(number) => format!("{} ({number})", signal::name(number)),
        End::NotStarted { step, errno } => {
            let what = match step {
                SpawnStep::Clone => "no process could be made",
                SpawnStep::Chdir => "its working directory could not be entered",
                SpawnStep::Exec => "its program could not be executed",
                SpawnStep::Setup => "its surroundings could not be set up",
            };
            format!("{what}: {}", std::io::Error::from_raw_os_error(errno))
        }
        End::SlotLost => "its slot died while it ran".to_owned(),
    }
}
