//! The command line of pytest: what Seatrial takes for itself, what goes to pytest, and what is seen on the way.
//!
//! Taken are the options of pytest-xdist that say how many processes there are and which test goes to which, because
//! Seatrial does that; pytest-xdist need not be installed. Everything else goes to pytest as it is.

use super::files;
use super::report::{Capture, Traceback};
use seatrial_model::Bytes;
use std::fmt;

mod words;

use words::Word;

/// The arguments of pytest taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PytestArgs {
    /// What goes to pytest, in its order.
    pub pytest: Vec<Bytes>,
    /// `-n` or `--numprocesses`, else what `--tx` adds up to.
    pub workers: Option<Workers>,
    /// `--maxprocesses`: no more workers than this, where their number is found by counting processors.
    pub max_workers: Option<u32>,
    /// `--dist`, in pytest-xdist's words, such as `loadfile`.
    pub dist: Option<String>,
    /// `-x` is 1, `--maxfail` its number, and 0 is none, as pytest has it. It goes to pytest, whose session decides.
    pub max_fail: Option<u32>,
    /// `--tb=line` and `--tb=no`, which change how failures are shown. It goes to pytest.
    pub traceback: Traceback,
    /// `--show-capture`. It goes to pytest.
    pub capture: Capture,
    /// `-c` or `--config-file`: the configuration file. It goes to pytest.
    pub config_file: Option<String>,
    /// `--alluredir`: the folder into which each test writes reports of its own; the last counts, and an empty one is none. It goes to
    /// pytest.
    pub reports: Option<String>,
    /// `-o addopts=...`, which replaces that of the file. It goes to pytest.
    pub addopts: Option<String>,
    /// The option that wants the terminal for the tests (`-s`, `--pdb`): one slot, in the foreground.
    pub foreground: Option<String>,
    /// The option for which pytest is run as it is, without slots: it lists or explains, and runs no test, or is an
    /// update.
    pub alone: Option<String>,
}

impl PytestArgs {
    /// The option by which tests are to write into the project, which no container lets them.
    #[must_use]
    pub fn update(&self) -> Option<&str> {
        self.alone.as_deref().filter(|name| UPDATES.contains(name))
    }
}

/// How many workers, as pytest-xdist is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workers {
    /// So many, at least one. pytest-xdist's 0, no workers, is one slot: tests one after the other.
    Number(u32),
    /// `auto`: one for each physical processor core.
    Auto,
    /// `logical`: one for each logical processor.
    Logical,
}

/// A command line that cannot be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArgsError {
    /// An option that Seatrial takes has no value.
    NoValue(String),
    /// An option that Seatrial takes has a value that it cannot have.
    Value {
        /// The option.
        option: String,
        /// Its value.
        value: String,
        /// What it may be.
        wanted: &'static str,
    },
}

impl fmt::Display for ArgsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoValue(option) => write!(f, "`{option}` needs a value"),
            Self::Value { option, value, wanted } => {
                write!(f, "`{option} {value}` cannot be given: it wants {wanted}")
            }
        }
    }
}

impl std::error::Error for ArgsError {}

/// Options of plug-ins for which tests write what they expect into the project, many into one file.
const UPDATES: [&str; 1] = ["--snapshot-update"];

/// Options for which pytest runs no test.
const ALONE: [&str; 15] = [
    "--collect-only",
    "--collectonly",
    "--co",
    "--version",
    "-V",
    "--help",
    "-h",
    "--fixtures",
    "--funcargs",
    "--fixtures-per-test",
    "--markers",
    "--setup-plan",
    "--setupplan",
    "--setup-only",
    "--setuponly",
];

/// Takes the arguments after `seatrial pytest`, without Seatrial's own long options, apart.
///
/// # Errors
/// An option that Seatrial takes, without a value or with one that it cannot have.
pub fn split(args: &[Bytes]) -> Result<PytestArgs, ArgsError> {
    let mut split = PytestArgs::default();
    let mut from_tx: Option<u32> = None;
    let mut capture_off = None;
    for word in words::words(args) {
        match word {
            Word::Plain(words) => split.pytest.extend(words),
            Word::Option { name, value, words } => {
                split.note(&name, value.as_deref(), &mut capture_off);
                split.pytest.extend(words);
            }
            Word::Taken { name, value } => {
                let value = value.ok_or_else(|| ArgsError::NoValue(name.clone()))?;
                split.take(&name, value.trim(), &mut from_tx)?;
            }
        }
    }
    split.workers = split.workers.or(from_tx.map(Workers::Number));
    let whole = files::whole_session(&split.pytest).map(str::to_owned);
    split.foreground = split.foreground.or(capture_off).or(whole);
    Ok(split)
}

impl PytestArgs {
    fn take(&mut self, name: &str, value: &str, from_tx: &mut Option<u32>) -> Result<(), ArgsError> {
        let wrong = |wanted| ArgsError::Value { option: name.to_owned(), value: value.to_owned(), wanted };
        match name {
            "--dist" => self.dist = Some(value.to_owned()),
            "--maxprocesses" => {
                self.max_workers = Some(value.parse().map_err(|_| wrong("a number"))?);
            }
            "--tx" => {
                let more = popen(value)
                    .ok_or_else(|| wrong("`popen` or `NUMBER*popen`: Seatrial starts its workers itself"))?;
                *from_tx = Some(from_tx.unwrap_or_default().saturating_add(more));
            }
            _ => {
                self.workers = Some(match value {
                    "auto" => Workers::Auto,
                    "logical" => Workers::Logical,
                    number => {
                        let number: u32 =
                            number.parse().map_err(|_| wrong("a number, `auto` or `logical`"))?;
                        Workers::Number(number.max(1))
                    }
                });
            }
        }
        Ok(())
    }

    /// Looks at an option that goes to pytest. A value that pytest will refuse is left to pytest.
    fn note(&mut self, name: &str, value: Option<&str>, capture_off: &mut Option<String>) {
        match (name, value) {
            ("-x" | "--exitfirst", _) => self.max_fail = Some(1),
            ("--maxfail", Some(value)) => self.max_fail = value.parse().ok().or(self.max_fail),
            ("-s", _) => *capture_off = Some("-s".to_owned()),
            // The last of these counts.
            ("--capture", Some(value)) => {
                *capture_off = (value == "no").then(|| "--capture=no".to_owned());
            }
            ("-c" | "--config-file", Some(value)) => self.config_file = Some(value.to_owned()),
            ("--alluredir", Some(value)) => self.reports = Some(value.to_owned()),
            ("-o" | "--override-ini", Some(value)) => {
                let of_addopts = value.split_once('=').filter(|(key, _)| key.trim() == "addopts");
                self.addopts = of_addopts.map(|(_, value)| value.to_owned()).or(self.addopts.take());
            }
            ("--pdb" | "--trace" | "--pdbcls", _) => {
                self.foreground.get_or_insert(name.to_owned());
            }
            ("--tb", Some(value)) => {
                self.traceback = match value {
                    "line" => Traceback::Line,
                    "no" => Traceback::No,
                    _ => Traceback::Full,
                };
            }
            ("--show-capture", Some(value)) => {
                self.capture = match value {
                    "stdout" => Capture::Stdout,
                    "stderr" => Capture::Stderr,
                    "log" => Capture::Log,
                    "no" => Capture::No,
                    _ => Capture::All,
                };
            }
            ("--cache-show", _) => self.be_alone(name),
            _ if ALONE.contains(&name) || UPDATES.contains(&name) => self.be_alone(name),
            _ => {}
        }
    }

    fn be_alone(&mut self, name: &str) {
        self.alone.get_or_insert(name.to_owned());
    }
}

/// How many workers `popen`, `3*popen` or `popen//python=...` mean.
fn popen(specification: &str) -> Option<u32> {
    let (number, rest) = match specification.split_once('*') {
        Some((number, rest)) => (number.trim().parse().ok()?, rest.trim()),
        None => (1, specification),
    };
    (rest == "popen" && number > 0).then_some(number)
}

#[cfg(test)]
mod tests;
