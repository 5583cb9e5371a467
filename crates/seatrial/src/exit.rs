//! Exit codes and errors that end the command.

use seatrial_model::Counts;
use std::fmt;
use std::io::Write;

/// Everything that was asked for passed.
pub(crate) const OK: u8 = 0;
/// Tests failed.
pub(crate) const FAILED: u8 = 1;
/// The command line or the configuration is wrong.
pub(crate) const USAGE: u8 = 2;
/// The build, or finding the tests, failed.
pub(crate) const BUILD: u8 = 3;
/// The filter matched nothing.
pub(crate) const NOTHING: u8 = 4;
/// Results are incomplete through no fault of the tests.
pub(crate) const INCOMPLETE: u8 = 7;
/// The user ended the run.
pub(crate) const INTERRUPTED: u8 = 130;

/// An error that ends the command: what failed, with names, and what to do next.
#[derive(Debug)]
pub(crate) struct Error {
    pub(crate) code: u8,
    pub(crate) text: String,
    pub(crate) hint: Option<String>,
}

impl Error {
    pub(crate) fn new(code: u8, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.text)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// Prints an error where people look for it; a closed stream cannot be told anything.
pub(crate) fn say(error: &Error) {
    let _ = writeln!(std::io::stderr(), "{error}");
}

/// The code for a run with these results.
pub(crate) fn code(counts: &Counts, interrupted: bool) -> u8 {
    if interrupted {
        INTERRUPTED
    } else if counts.failed > 0 || counts.errors > 0 {
        FAILED
    } else if counts.not_run > 0 {
        INCOMPLETE
    } else if counts.passed == 0 && counts.skipped == 0 {
        NOTHING
    } else {
        OK
    }
}
