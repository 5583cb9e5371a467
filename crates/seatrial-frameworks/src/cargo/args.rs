//! The command line of `cargo test`, before and after `--`.

use seatrial_model::Bytes;
use std::fmt;

/// The arguments of `cargo test` taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestCommand {
    /// `+TOOLCHAIN`, which rustup's `cargo` takes before all else.
    pub toolchain: Option<Bytes>,
    /// What goes to cargo as it is: everything before `--` but the filter and `--message-format`.
    pub cargo: Vec<Bytes>,
    /// TESTNAME. With one, cargo leaves out doctests.
    pub filter: Option<Bytes>,
    /// What stands after `--`: for the test binaries.
    pub harness: Vec<Bytes>,
    /// The values of `--target`.
    pub targets: Vec<Bytes>,
    /// The values of `--config`, in order; the last is the strongest.
    pub config: Vec<Bytes>,
    /// `--manifest-path`.
    pub manifest_path: Option<Bytes>,
    /// `--target-dir`.
    pub target_dir: Option<Bytes>,
    /// `--no-run`: only build.
    pub no_run: bool,
    /// `--doc`: only doctests.
    pub doc: bool,
    /// `-h` or `--help`: cargo is to explain itself.
    pub help: bool,
}

/// A command line that cannot be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArgsError {
    /// cargo's messages are Seatrial's own source; they cannot also go to the user in this format.
    MessageFormat(String),
}

impl fmt::Display for ArgsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MessageFormat(format) => write!(
                f,
                "`--message-format {format}` cannot be given: Seatrial itself reads cargo's messages; for results as \
                 JSON use `--format json` before cargo's arguments"
            ),
        }
    }
}

impl std::error::Error for ArgsError {}

/// cargo's options that take the next argument as their value.
const CARGO_VALUES: [&str; 21] = [
    "-p",
    "--package",
    "--exclude",
    "--bin",
    "--example",
    "--test",
    "--bench",
    "-F",
    "--features",
    "-j",
    "--jobs",
    "--profile",
    "--target",
    "--target-dir",
    "--manifest-path",
    "--lockfile-path",
    "--message-format",
    "--color",
    "--config",
    "-Z",
    "-C",
];

/// Takes the arguments after `cargo test` apart, as cargo 1.95 reads them.
///
/// # Errors
/// A `--message-format` that cargo would print on stdout.
pub fn split(args: &[Bytes]) -> Result<TestCommand, ArgsError> {
    let mut command = TestCommand::default();
    let (before, after) = match args.iter().position(|arg| arg.0 == b"--") {
        Some(at) => (&args[..at], &args[at + 1..]),
        None => (args, &args[..0]),
    };
    command.harness = after.to_vec();
    let mut before = before.iter().peekable();
    while let Some(arg) = before.next() {
        if arg.0.first() == Some(&b'+') && command.toolchain.is_none() && command.cargo.is_empty() {
            command.toolchain = Some(arg.clone());
        } else if arg.0.first() != Some(&b'-') {
            // cargo takes one; a second it is to refuse itself.
            match command.filter {
                None => command.filter = Some(arg.clone()),
                Some(_) => command.cargo.push(arg.clone()),
            }
        } else {
            let (name, inline) = option(arg, &CARGO_VALUES);
            let follows = inline.is_none() && CARGO_VALUES.contains(&name.as_str());
            let value =
                if follows { before.next_if(|next| next.0.first() != Some(&b'-')).cloned() } else { None };
            command.note(&name, inline.as_ref().or(value.as_ref()))?;
            if name != "--message-format" {
                command.cargo.push(arg.clone());
                command.cargo.extend(value);
            }
        }
    }
    Ok(command)
}

impl TestCommand {
    /// The arguments to start cargo with: `test`, the user's, and what Seatrial needs to hear of every binary.
    #[must_use]
    pub fn argv(&self) -> Vec<Bytes> {
        let mut argv: Vec<Bytes> = self.toolchain.iter().cloned().collect();
        argv.push("test".into());
        argv.extend_from_slice(&self.cargo);
        // A failed doctest must not keep cargo from telling of the binaries after it.
        if !self.no_run && !self.cargo.iter().any(|arg| arg.0 == b"--no-fail-fast") {
            argv.push("--no-fail-fast".into());
        }
        argv.extend(["--message-format", "json-render-diagnostics"].map(Bytes::from));
        argv.extend(self.filter.clone());
        argv.push("--".into());
        argv.extend_from_slice(&self.harness);
        argv
    }

    fn note(&mut self, name: &str, value: Option<&Bytes>) -> Result<(), ArgsError> {
        match (name, value) {
            ("--target", Some(value)) => self.targets.push(value.clone()),
            ("--config", Some(value)) => self.config.push(value.clone()),
            ("--manifest-path", Some(value)) => self.manifest_path = Some(value.clone()),
            ("--target-dir", Some(value)) => self.target_dir = Some(value.clone()),
            ("--no-run", None) => self.no_run = true,
            ("--doc", None) => self.doc = true,
            ("-h" | "--help", None) => self.help = true,
            ("--message-format", Some(value)) if value.0.starts_with(b"json") => {
                return Err(ArgsError::MessageFormat(value.to_text().into_owned()));
            }
            _ => {}
        }
        Ok(())
    }
}

/// An option's name, and its value when that stands in the same argument (`--name=VALUE`, `-nVALUE`).
fn option(arg: &Bytes, with_value: &[&str]) -> (String, Option<Bytes>) {
    let bytes = arg.0.as_slice();
    if bytes.starts_with(b"--") {
        return match bytes.iter().position(|byte| *byte == b'=') {
            Some(at) => {
                (String::from_utf8_lossy(&bytes[..at]).into_owned(), Some(Bytes::from(&bytes[at + 1..])))
            }
            None => (arg.to_text().into_owned(), None),
        };
    }
    let name = String::from_utf8_lossy(bytes.get(..2).unwrap_or(bytes)).into_owned();
    if bytes.len() > 2 && with_value.contains(&name.as_str()) {
        let value = bytes[2..].strip_prefix(b"=").unwrap_or(&bytes[2..]);
        return (name, Some(Bytes::from(value)));
    }
    (arg.to_text().into_owned(), None)
}

/// The arguments of a test binary, as libtest reads them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HarnessArgs {
    /// Names or parts of names; a test that matches one is chosen, and every test when there are none.
    pub filters: Vec<String>,
    /// `--exact`: filters and skips are whole names.
    pub exact: bool,
    /// `--skip`: a test that matches one is left out.
    pub skip: Vec<String>,
    /// Which of the chosen tests run, as to `#[ignore]`.
    pub ignored: Ignored,
    /// `--test-threads`.
    pub test_threads: Option<u32>,
    /// `--nocapture`.
    pub nocapture: bool,
    /// `--show-output`: the output of tests that pass is wanted.
    pub show_output: bool,
    /// `--list`: nothing is to run.
    pub list: bool,
    /// `--bench`: benchmarks run (and are measured), tests do not unless `--test` is there too.
    pub bench: bool,
    /// What is passed on to each test's process: every option that does not choose or show.
    pub rest: Vec<Bytes>,
    /// Options about the harness's own display or log, which Seatrial takes the place of; not passed on.
    pub display: Vec<Bytes>,
}

/// Which tests run, as to `#[ignore]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ignored {
    /// The ignored are told of, not run.
    #[default]
    No,
    /// `--ignored`: only the ignored run.
    Only,
    /// `--include-ignored`: both run.
    Include,
}

/// What is to be done with a listed test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Run it.
    Run,
    /// Report it as skipped.
    Skip,
    /// Say nothing of it: it was not asked for.
    LeaveOut,
}

/// libtest's options that take the next argument as their value.
const HARNESS_VALUES: [&str; 7] =
    ["--logfile", "--test-threads", "--skip", "--color", "--format", "-Z", "--shuffle-seed"];

/// Reads the arguments after the binary's path.
#[must_use]
pub fn libtest_args<'a>(args: impl IntoIterator<Item = &'a [u8]>) -> HarnessArgs {
    let mut read = HarnessArgs::default();
    let mut args = args.into_iter().map(Bytes::from);
    while let Some(arg) = args.next() {
        if arg.0 == b"--" {
            read.filters.extend(args.by_ref().map(|arg| arg.to_text().into_owned()));
        } else if arg.0.first() != Some(&b'-') || arg.0 == b"-" {
            read.filters.push(arg.to_text().into_owned());
        } else {
            let (name, inline) = option(&arg, &HARNESS_VALUES);
            let follows = inline.is_none() && HARNESS_VALUES.contains(&name.as_str());
            let value = if follows { args.next() } else { None };
            let words: Vec<Bytes> = std::iter::once(arg).chain(value.clone()).collect();
            read.option(&name, inline.or(value), words);
        }
    }
    read
}

impl HarnessArgs {
    fn option(&mut self, name: &str, value: Option<Bytes>, words: Vec<Bytes>) {
        let text = value.map(|value| value.to_text().into_owned());
        match (name, text) {
            ("--exact", None) => self.exact = true,
            ("--skip", Some(skip)) => self.skip.push(skip),
            ("--ignored", None) => self.ignored = Ignored::Only,
            ("--include-ignored", None) => self.ignored = Ignored::Include,
            ("--nocapture" | "--no-capture", None) => self.nocapture = true,
            ("--show-output", None) => self.show_output = true,
            ("--list", None) => self.list = true,
            ("--test-threads", Some(threads)) if threads.parse::<u32>().is_ok_and(|n| n > 0) => {
                self.test_threads = threads.parse().ok();
            }
            ("-q" | "--quiet" | "--color" | "--format" | "--logfile" | "--shuffle" | "--shuffle-seed", _) => {
                self.display.extend(words);
            }
            ("--bench", None) => {
                self.bench = true;
                self.rest.extend(words);
            }
            _ => self.rest.extend(words),
        }
    }

    /// True when the filters choose the test of this name, by libtest's rules.
    #[must_use]
    pub fn selects(&self, name: &str) -> bool {
        let matches =
            |filter: &String| if self.exact { name == filter } else { name.contains(filter.as_str()) };
        (self.filters.is_empty() || self.filters.iter().any(matches)) && !self.skip.iter().any(matches)
    }

    /// What is to be done with a test of this name; `ignored` is true when its list calls it so.
    #[must_use]
    pub fn choose(&self, name: &str, ignored: bool) -> Choice {
        match (self.selects(name), self.ignored, ignored) {
            (false, _, _) | (true, Ignored::Only, false) => Choice::LeaveOut,
            (true, Ignored::No, true) => Choice::Skip,
            (true, Ignored::No, false) | (true, Ignored::Only, true) | (true, Ignored::Include, _) => {
                Choice::Run
            }
        }
    }
}
