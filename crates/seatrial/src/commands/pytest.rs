//! `seatrial pytest`

use crate::commands::exec;
use crate::commands::ours::{current_dir, separate};
use crate::exit::{self, BUILD, Error, NOTHING, USAGE};
use crate::options::{Context, RunOptions, new_run};
use crate::places;
use crate::revision::Revision;
use crate::subscribers::{self, Expectation};
use clap::Parser;
use seatrial_engine::inbox;
use seatrial_engine::pytest::{Lister, ListerRequest, ListerState};
use seatrial_frameworks::pytest::args::{PytestArgs, Workers, split};
use seatrial_frameworks::pytest::helper::{BOOT, FirstPacket, Role, Rule, Settings, last_payload};
use seatrial_frameworks::pytest::interpreter::{Interpreter, Place, find};
use seatrial_model::{Bytes, Counts, Launch, Warm};
use seatrial_plan::{Granularity, PytestPlan, Shape};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

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

/// A test that has taken longer has a fork of its own, which is a small part of that.
const SLOW: Duration = Duration::from_millis(250);

/// Collects with pytest and runs what it would run.
pub(crate) fn run(args: &Args) -> Result<u8, Error> {
    let (own, mut theirs) = separate::<Own>(&args.args, &[]);
    // pytest has no `--` of its own: what stands behind it is all pytest's.
    if let Some(at) = theirs.iter().position(|arg| arg.0 == b"--") {
        theirs.remove(at);
    }
    let split = split(&theirs).map_err(|error| Error::new(USAGE, error.to_string()))?;
    let cwd = current_dir()?;
    let environment = places::environment();
    let python = interpreter(&own, &environment, &cwd)?;
    if split.alone.is_some() {
        return alone(&own, &python, &split);
    }
    if split.foreground.is_some() {
        let words = foreground(&own, &python, &split);
        return exec::run_one(&own.options, words);
    }
    run_tests(&own, &split, &python, environment, &cwd)
}

fn run_tests(
    own: &Own,
    split: &PytestArgs,
    python: &Path,
    environment: Vec<(Bytes, Bytes)>,
    cwd: &Path,
) -> Result<u8, Error> {
    let incomplete = |error: std::io::Error| Error::new(exit::INCOMPLETE, error.to_string());
    let project = places::project_of(cwd);
    let revision = Revision::ask(&project);
    let mut settings = own.options.resolve(Context {
        project: project.clone(),
        keep_visible: [vec![cwd.to_path_buf()], roots_of(python)].concat(),
        passthrough: false,
        slots: slots(split),
        write_back: Vec::new(),
        run: new_run(),
    });
    let (environment, seed) = with_hash_seed(environment, settings.header.seed);
    let run = settings.header.run.to_string();
    let granularity = Granularity::from(own.granularity);
    settings.strict = granularity == Granularity::Test;
    let packet = |role| {
        let settings = Settings { workers: settings.slots, run: &run, seed, granularity: granularity.name() };
        let rule = if own.cwd_in_path { Rule::PythonM } else { Rule::Pytest };
        FirstPacket { role, args: &split.pytest, rule, settings }
            .encode()
            .map_err(|error| Error::new(USAGE, error.to_string()))
    };
    let (outbox, inbox) = inbox().map_err(incomplete)?;
    let request = ListerRequest {
        python: python.to_path_buf(),
        env: environment.clone(),
        cwd: cwd.to_path_buf(),
        first_packet: packet(Role::Lister)?,
    };
    let mut lister = Lister::start(&request, outbox.clone()).map_err(|error| {
        Error::new(USAGE, format!("`{}` could not be started: {error}", python.display()))
    })?;
    let warmer = Launch {
        program: python.as_os_str().as_bytes().into(),
        args: vec!["-c".into(), BOOT.into()],
        env: environment,
        cwd: cwd.as_os_str().as_bytes().into(),
        warm: Some(Warm {
            first_packet: Bytes(packet(Role::Warmer)?),
            last_job: last_payload().as_str().into(),
        }),
    };
    let history = exec::open_history();
    let facts = history.as_ref().and_then(|history| history.facts(&settings.header.project).ok());
    let facts = facts.unwrap_or_default();
    let slow = facts.tests.iter().filter(|(_, facts)| facts.duration > SLOW).map(|(test, _)| test.clone());
    let shape = Shape { granularity, slow: slow.collect(), explain: own.explain };
    let mut plan = PytestPlan::new(warmer, own.options.limits(), shape);
    let subscribers = subscribers::make(&own.options, history, &Expectation::default(), false)?;
    settings.header.revision = revision.and_then(Revision::answer);
    let watch = lister.watch();
    let exit_code = move |counts: &Counts, interrupted: bool| code(&watch(), counts, interrupted);
    let end = seatrial_engine::run(
        &mut settings,
        &facts,
        &mut plan,
        (outbox, inbox),
        &mut lister,
        subscribers,
        &exit_code,
    )
    .map_err(|text| {
        Error::new(exit::INCOMPLETE, text).hint("`seatrial doctor` tells what this machine lacks")
    })?;
    subscribers::say_problems(&end.problems);
    Ok(end.exit_code)
}

/// pytest's exit status when it ran nothing, as ours: 4 is its usage error, 5 that it collected nothing.
fn code(state: &ListerState, counts: &Counts, interrupted: bool) -> u8 {
    match state.exit {
        _ if interrupted => exit::INTERRUPTED,
        Some(4) => USAGE,
        Some(5) => NOTHING,
        Some(_) => BUILD,
        None if !state.listed => BUILD,
        None => match (exit::code(counts, interrupted), state.last_exit) {
            // A plug-in of pytest's is not content: too little coverage, for one.
            (exit::OK, Some(1)) => exit::FAILED,
            (code, _) => code,
        },
    }
}

fn interpreter(own: &Own, environment: &[(Bytes, Bytes)], cwd: &Path) -> Result<PathBuf, Error> {
    let root = places::project_of(cwd);
    let place = Place {
        explicit: own.python.as_deref().map(OsStr::as_bytes),
        env: environment,
        cwd: cwd.as_os_str().as_bytes(),
        root: Some(root.as_os_str().as_bytes()),
    };
    let is_file = |path: &[u8]| Path::new(OsStr::from_bytes(path)).is_file();
    let Interpreter { path, wants_uv, .. } =
        find(&place, &is_file).map_err(|error| Error::new(USAGE, error.to_string()))?;
    if let Some(directory) = wants_uv {
        let text = format!("`{}` is a project of uv's without an environment yet", directory.to_text());
        subscribers::warn(&text, Some("`uv sync` makes it; another Python is used now"));
    }
    Ok(cwd.join(OsString::from_vec(path.0)))
}

/// The directories that an interpreter lives on: its environment's, and that of the installation behind it.
fn roots_of(python: &Path) -> Vec<PathBuf> {
    let installation = python.canonicalize().unwrap_or_else(|_| python.to_path_buf());
    [python, &installation].iter().filter_map(|path| Some(path.parent()?.parent()?.to_path_buf())).collect()
}

fn slots(split: &PytestArgs) -> Option<u32> {
    let processors = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    match split.workers? {
        Workers::Number(number) => Some(number),
        Workers::Auto | Workers::Logical => Some(processors.min(split.max_workers.unwrap_or(processors))),
    }
}

/// One hash seed for lister and warmers, so that sets have one order; the user's own, if there is one.
fn with_hash_seed(mut environment: Vec<(Bytes, Bytes)>, seed: u64) -> (Vec<(Bytes, Bytes)>, u32) {
    const NAME: &[u8] = b"PYTHONHASHSEED";
    let own = environment.iter().find(|(name, _)| name.0 == NAME).map(|(_, value)| value.to_text());
    if let Some(seed) = own.and_then(|text| text.parse().ok()) {
        return (environment, seed);
    }
    environment.retain(|(name, _)| name.0 != NAME);
    // Python takes 32 bits.
    let seed = (seed & u64::from(u32::MAX)) as u32;
    environment.push((Bytes(NAME.to_vec()), seed.to_string().into()));
    (environment, seed)
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
