//! `seatrial pytest`

use crate::commands::exec;
use crate::commands::interpreter::roots_of;
use crate::commands::ours::separate;
use crate::commands::python::{Suite, Wishes, report_pattern};
use crate::commands::settings_file;
use crate::exit::{self, Error, USAGE};
use crate::options::RunOptions;
use crate::places;
use crate::subscribers;
use clap::Parser;
use seatrial_frameworks::pytest::addopts;
use seatrial_frameworks::pytest::args::{PytestArgs, Workers, split};
use seatrial_frameworks::pytest::files::{GATHERED, session_writes, write_back};
use seatrial_frameworks::pytest::helper::Rule;
use seatrial_model::Bytes;
use seatrial_plan::Granularity;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

/// Arguments of `seatrial pytest`: pytest's and ours, mixed as they come.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What pytest takes, with Seatrial's options anywhere before `--`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    pub(crate) args: Vec<OsString>,
}

/// Our own options among pytest's.
#[derive(Debug, Parser)]
#[command(
    name = "seatrial pytest",
    about = "Run pytest tests: pytest's own arguments, each test in a process forked from a warm interpreter",
    override_usage = "seatrial pytest [OPTIONS] [PYTEST ARGUMENTS] [-- MORE PYTEST ARGUMENTS]",
    max_term_width = 110,
    after_help = "\
Everything else goes to pytest (`pytest --help`), which collects and decides what runs. `-n N` is the number of slots.
With -s or --pdb pytest itself runs, in one container, on your terminal.

Examples:
  seatrial pytest                       all tests that pytest collects
  seatrial pytest tests/unit -k parser -x
  seatrial pytest --retries 2 --timeout 30s"
)]
struct Own {
    /// The Python to use: a path, an environment's directory, or a name in PATH
    #[arg(long, value_name = "PYTHON")]
    python: Option<OsString>,
    /// Put the working directory first in `sys.path`, as `python -m pytest` does
    #[arg(long)]
    cwd_in_path: bool,
    /// What shares a process: short tests as long as none leaves anything behind (auto), or nothing (test), ...
    #[arg(long, value_enum, default_value_t = Sharing::Auto, value_name = "WHAT")]
    granularity: Sharing,
    /// Say which tests leave something behind in their process, and what
    #[arg(long)]
    explain: bool,
    /// Record which files each test opens and which modules it imports (Python 3.8 and newer)
    #[arg(long)]
    record_files: bool,
    /// Jobs at once, as `--slots` and pytest-xdist's `-n`
    #[arg(short = 'j', value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    jobs: Option<u32>,
    #[command(flatten)]
    options: RunOptions,
}

/// [`Granularity`] as a word on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Sharing {
    /// Short tests, several after one another, as long as none leaves anything behind
    Auto,
    /// Nothing: each test has a process of its own, and one that needs others' leavings fails
    Test,
    /// The tests of a class
    Class,
    /// The tests of a file
    Module,
    /// All tests
    Session,
}

impl From<Sharing> for Granularity {
    fn from(sharing: Sharing) -> Self {
        match sharing {
            Sharing::Auto => Self::Auto,
            Sharing::Test => Self::Test,
            Sharing::Class => Self::Class,
            Sharing::Module => Self::Module,
            Sharing::Session => Self::Session,
        }
    }
}

/// Collects with pytest and runs what it would run.
pub(crate) fn run(args: &Args) -> Result<u8, Error> {
    let (own, mut theirs) = separate::<Own>(&args.args, &[]);
    // pytest has no `--` of its own: what stands behind it is all pytest's.
    if let Some(at) = theirs.iter().position(|arg| arg.0 == b"--") {
        theirs.remove(at);
    }
    let mut split = split(&theirs).map_err(|error| Error::new(USAGE, error.to_string()))?;
    let suite =
        Suite::find(own.python.as_deref(), if own.cwd_in_path { Rule::PythonM } else { Rule::Pytest })?;
    let earlier = take_addopts(&mut split, &suite)?;
    if split.alone.is_some() {
        return alone(&own, &suite.python, &split);
    }
    if let Some(option) = &split.foreground {
        if !settings_file::run_fixtures(&suite.cwd)?.is_empty() {
            let text = format!("with `{option}` the `[[fixtures]]` of seatrial.toml are not set up");
            subscribers::warn(&text, Some("tests that use them fail: define them in a conftest file too"));
        }
        let words = foreground(&own, &suite.python, &split);
        let mut options = own.options;
        options.write_back.extend(write_back(&split.pytest));
        let project = places::project_of(&suite.cwd);
        options.write_back.extend(report_pattern(split.reports.as_deref(), &suite.cwd, &project));
        options.write_back.extend(session_writes(&[earlier, split.pytest].concat()));
        return exec::run_one(&options, words, roots_of(&suite.python));
    }
    let granularity = Granularity::from(own.granularity);
    let wishes = Wishes {
        slots: own.jobs.or_else(|| slots(&split)),
        granularity,
        strict: granularity == Granularity::Test,
        explain: own.explain,
        write_back: write_back(&split.pytest),
        gather: GATHERED.iter().map(|pattern| (*pattern).to_owned()).collect(),
        reports: split.reports.clone(),
        record_files: own.record_files,
    };
    suite.run(&own.options, &split.pytest, wishes)
}

/// What stands in the configuration file and in PYTEST_ADDOPTS comes before the command line: its words.
fn take_addopts(split: &mut PytestArgs, suite: &Suite) -> Result<Vec<Bytes>, Error> {
    let variable = suite.environment.iter().find(|(name, _)| name.0 == b"PYTEST_ADDOPTS");
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let before = addopts::find(split, variable.map(|(_, value)| value), &suite.cwd.to_string_lossy(), &read);
    addopts::complete(split, &before).map_err(|error| Error::new(USAGE, error.to_string()))?;
    Ok(before.into_iter().flat_map(|addopts| addopts.words).collect())
}

fn slots(split: &PytestArgs) -> Option<u32> {
    let processors = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    match split.workers? {
        Workers::Number(number) => Some(number),
        Workers::Auto | Workers::Logical => Some(processors.min(split.max_workers.unwrap_or(processors))),
    }
}

/// pytest as the user would start it.
fn foreground(own: &Own, python: &Path, split: &PytestArgs) -> Vec<OsString> {
    let script = python.parent().map(|folder| folder.join("pytest")).filter(|script| script.is_file());
    let mut words = match script {
        Some(script) if !own.cwd_in_path => vec![script.into_os_string()],
        Some(_) | None => vec![python.as_os_str().to_owned(), "-m".into(), "pytest".into()],
    };
    words.extend(split.pytest.iter().map(|arg| OsString::from_vec(arg.0.clone())));
    words
}

/// What pytest does without running a test: help, collection alone. And what is to change the project.
fn alone(own: &Own, python: &Path, split: &PytestArgs) -> Result<u8, Error> {
    if let Some(name) = split.update() {
        let text =
            format!("`{name}` lets tests write into the project: pytest itself runs, without containers");
        subscribers::warn(&text, None);
    }
    let words = foreground(own, python, split);
    match std::process::Command::new(&words[0]).args(&words[1..]).status() {
        Ok(status) => Ok(status.code().map_or(exit::FAILED, |code| code as u8)),
        Err(error) => {
            Err(Error::new(USAGE, format!("`{}` could not be started: {error}", words[0].to_string_lossy())))
        }
    }
}
