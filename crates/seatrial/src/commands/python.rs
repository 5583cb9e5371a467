//! What `seatrial pytest` and `seatrial unittest` have in common: the interpreter, the lister, the warm interpreters.

use crate::commands::exec;
use crate::commands::ours::current_dir;
use crate::exit::{self, BUILD, Error, NOTHING, USAGE};
use crate::options::{Context, RunOptions, new_run};
use crate::places;
use crate::revision::Revision;
use crate::subscribers::{self, Expectation};
use seatrial_engine::inbox;
use seatrial_engine::pytest::{Lister, ListerRequest, ListerState};
use seatrial_frameworks::pytest::helper::{BOOT, FirstPacket, Framework, Role, Rule, Settings, last_payload};
use seatrial_frameworks::pytest::interpreter::{Interpreter, Place, find};
use seatrial_model::{Bytes, Counts, Facts, Launch, Warm};
use seatrial_plan::{Granularity, PytestPlan, Shape};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A project's tests, and the Python that runs them.
pub(crate) struct Suite {
    pub(crate) python: PathBuf,
    rule: Rule,
    environment: Vec<(Bytes, Bytes)>,
    cwd: PathBuf,
}

/// What the user wants of a run, beside what every command knows.
pub(crate) struct Wishes {
    /// The framework's own word for jobs at once.
    pub(crate) slots: Option<u32>,
    pub(crate) granularity: Granularity,
    /// A test that passes only in some company has failed.
    pub(crate) strict: bool,
    /// Say what tests leave behind.
    pub(crate) explain: bool,
}

/// A test that has taken longer has a fork of its own, which is a small part of that.
const SLOW: Duration = Duration::from_millis(250);

impl Wishes {
    /// How tests become jobs, as far as earlier runs are known.
    fn shape(&self, framework: Framework, facts: &Facts) -> Shape {
        let slow = facts.tests.iter().filter(|(_, facts)| facts.duration > SLOW);
        Shape {
            framework,
            granularity: self.granularity,
            slow: slow.map(|(test, _)| test.clone()).collect(),
            explain: self.explain,
        }
    }
}

impl Suite {
    /// The suite of the current directory; `python` is what the user named.
    pub(crate) fn find(python: Option<&OsStr>, rule: Rule) -> Result<Self, Error> {
        let cwd = current_dir()?;
        let environment = places::environment();
        let python = interpreter(python, &environment, &cwd)?;
        Ok(Self { python, rule, environment, cwd })
    }

    /// Runs what the framework finds with these arguments.
    pub(crate) fn run(self, options: &RunOptions, args: &[Bytes], wishes: Wishes) -> Result<u8, Error> {
        let Self { python, rule, environment, cwd } = self;
        let incomplete = |error: std::io::Error| Error::new(exit::INCOMPLETE, error.to_string());
        let project = places::project_of(&cwd);
        let revision = Revision::ask(&project);
        let mut settings = options.resolve(Context {
            project: project.clone(),
            keep_visible: [vec![cwd.clone()], roots_of(&python)].concat(),
            passthrough: false,
            slots: wishes.slots,
            write_back: Vec::new(),
            run: new_run(),
        });
        let (environment, seed) = with_hash_seed(environment, settings.header.seed);
        let run = settings.header.run.to_string();
        settings.strict = wishes.strict;
        let packet = |role| {
            let settings =
                Settings { workers: settings.slots, run: &run, seed, granularity: wishes.granularity.name() };
            FirstPacket { role, args, rule, settings }
                .encode()
                .map_err(|error| Error::new(USAGE, error.to_string()))
        };
        let (outbox, inbox) = inbox().map_err(incomplete)?;
        let request = ListerRequest {
            framework: rule.framework(),
            python: python.clone(),
            env: environment.clone(),
            cwd: cwd.clone(),
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
        let mut plan = PytestPlan::new(warmer, options.limits(), wishes.shape(rule.framework(), &facts));
        let subscribers = subscribers::make(options, history, &Expectation::default(), false)?;
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
}

/// The session's exit status when it ran nothing, as ours: 4 is a usage error, 5 that nothing was collected.
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

fn interpreter(python: Option<&OsStr>, environment: &[(Bytes, Bytes)], cwd: &Path) -> Result<PathBuf, Error> {
    let root = places::project_of(cwd);
    let place = Place {
        explicit: python.map(OsStr::as_bytes),
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
