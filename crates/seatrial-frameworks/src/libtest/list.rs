//! A test binary's list of tests.

use seatrial_model::Bytes;
use std::collections::BTreeSet;
use std::fmt;

/// One line of a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// The test's full name; any characters but a line break.
    pub name: String,
    /// What it is.
    pub kind: ListedKind,
}

/// What a listed item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListedKind {
    /// A test.
    Test,
    /// A benchmark; without `--bench` libtest runs it once, as a test.
    Benchmark,
}

/// Why some output is not a list of tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListError {
    /// This line (its number from 1, and its text) is neither a test nor a benchmark.
    Foreign {
        /// The line's number, from 1.
        number: usize,
        /// Its text.
        line: String,
    },
    /// This line (its number from 1) is not UTF-8.
    NotText {
        /// The line's number, from 1.
        number: usize,
    },
    /// The output ends in the middle of this line.
    CutOff {
        /// What there is of the line.
        line: String,
    },
    /// This name is there twice, so that it does not choose one test.
    Twice {
        /// The name.
        name: String,
    },
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign { number, line } => {
                write!(f, "line {number} of the list of tests is not `NAME: test`: `{line}`")
            }
            Self::NotText { number } => write!(f, "line {number} of the list of tests is not UTF-8"),
            Self::CutOff { line } => write!(f, "the list of tests ends in the middle of a line: `{line}`"),
            Self::Twice { name } => write!(f, "the list of tests names `{name}` twice"),
        }
    }
}

impl std::error::Error for ListError {}

/// The arguments that make a test binary list its tests: all of them, or only the ignored.
#[must_use]
pub fn list_args(ignored: bool) -> Vec<Bytes> {
    let mut args: Vec<Bytes> = ["--list", "--format", "terse"].map(Bytes::from).to_vec();
    args.extend(ignored.then(|| Bytes::from("--ignored")));
    args
}

/// Reads what a test binary writes on `--list --format terse`: each line `NAME: test` or `NAME: benchmark`.
///
/// Nothing written is an empty list.
///
/// # Errors
/// A line of any other form, and a name that is there twice: a harness that talks is not taken for one that lists.
pub fn parse_list(stdout: &[u8]) -> Result<Vec<Listed>, ListError> {
    let mut listed = Vec::new();
    let mut names = BTreeSet::new();
    for (index, line) in stdout.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let number = index + 1;
        let line = std::str::from_utf8(line).map_err(|_| ListError::NotText { number })?;
        let Some(line) = line.strip_suffix('\n') else {
            return Err(ListError::CutOff { line: line.to_owned() });
        };
        let item = parse_line(line).ok_or_else(|| ListError::Foreign { number, line: line.to_owned() })?;
        if !names.insert(item.name.clone()) {
            return Err(ListError::Twice { name: item.name });
        }
        listed.push(item);
    }
    Ok(listed)
}

fn parse_line(line: &str) -> Option<Listed> {
    let (name, kind) = line.rsplit_once(": ")?;
    let kind = match kind {
        "test" => ListedKind::Test,
        "benchmark" => ListedKind::Benchmark,
        _ => return None,
    };
    (!name.is_empty()).then(|| Listed { name: name.to_owned(), kind })
}
