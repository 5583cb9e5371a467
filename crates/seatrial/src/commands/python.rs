//! What `seatrial pytest` and `seatrial unittest` have in common: the interpreter, the lister, the warm interpreters.

use crate::commands::exec;
use crate::commands::interpreter::{interpreter, roots_of, with_hash_seed};
use crate::commands::ours::current_dir;
use crate::commands::settings_file;
use crate::exit::{self, BUILD, Error, NOTHING, USAGE};
use crate::options::{Context, RunOptions, new_run};
use crate::places;
use crate::revision::Revision;
use crate::subscribers::{self, Expectation};
use seatrial_engine::inbox;
use seatrial_engine::pytest::{Lister, ListerRequest, ListerState};
use seatrial_frameworks::pytest::helper::{BOOT, FirstPacket, Framework, Role, Rule, Settings, last_payload};
use seatrial_model::{Bytes, Counts, Facts, Launch, Warm};
use seatrial_plan::{Granularity, PytestPlan, Shape};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A project's tests, and the Python that runs them.
pub(crate) struct Suite {
    pub(crate) python: PathBuf,
    rule: Rule,
    pub(crate) environment: Vec<(Bytes, Bytes)>,
    pub(crate) cwd: PathBuf,
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
    /// Patterns of files that tests are to write into the project.
    pub(crate) write_back: Vec<String>,
    /// Patterns of files that tests gather for later runs.
    pub(crate) gather: Vec<String>,
    /// The folder into which tests write reports.
    pub(crate) reports: Option<String>,
    /// Record which files tests open.
    pub(crate) record_files: bool,
}

/// A test that has taken longer has a fork of its own, which is a small part of that.
const SLOW: Duration = Duration::from_millis(250);

impl Wishes {
    /// How tests become jobs, as far as earlier runs are known.
    fn shape(&self, framework: Framework, facts: &Facts, max_fail: Option<u32>) -> Shape {
        let slow = facts.tests.iter().filter(|(_, facts)| facts.duration > SLOW);
        Shape {
            framework,
            granularity: self.granularity,
            slow: slow.map(|(test, _)| test.clone()).collect(),
            explain: self.explain,
            record_files: self.record_files,
            hasty: max_fail.is_some(),
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
            write_back: wishes.write_back.clone(),
            gather: wishes.gather.clone(),
            add: report_pattern(wishes.reports.as_deref(), &cwd, &project).into_iter().collect(),
            run: new_run(),
        });
        let (environment, seed) = with_hash_seed(environment, settings.header.seed, &python);
        let run = settings.header.run.to_string();
        let fixtures = match rule.framework() {
            Framework::Pytest => settings_file::run_fixtures(&cwd)?,
            Framework::Unittest => Vec::new(),
        };
        settings.strict = wishes.strict;
        let packet = |role| {
            let settings = Settings {
                workers: settings.slots,
                run: &run,
                seed,
                granularity: wishes.granularity.name(),
                record_files: wishes.record_files.then_some(settings.header.project.as_str()),
            };
            let args = &args_of(role, args);
            FirstPacket { role, args, rule, settings, fixtures: &fixtures }
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
        let warmer = warm_launch(&python, environment, &cwd, packet(Role::Warmer)?);
        let history = exec::open_history();
        let facts = history.as_ref().and_then(|history| history.facts(&settings.header.project).ok());
        let facts = facts.unwrap_or_default();
        let shape = wishes.shape(rule.framework(), &facts, settings.max_fail);
        let mut plan = PytestPlan::new(warmer, options.limits(), shape);
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

/// The pattern of all that is written into a folder of reports. What lies outside of the project stays in containers, which is
/// said; so does what would lie between other files of the project.
pub(crate) fn report_pattern(folder: Option<&str>, cwd: &Path, project: &Path) -> Option<String> {
    let folder = folder.filter(|folder| !folder.is_empty())?;
    let path = places::resolved(&cwd.join(folder));
    match path.strip_prefix(project) {
        Ok(inside) if !cwd.starts_with(&path) => {
            Some(format!("{}/**", globset::escape(&inside.to_string_lossy())))
        }
        Ok(_) | Err(_) => {
            let text = format!("what tests write into `{folder}` stays in their containers");
            let hint = format!("name a folder of its own below `{}`", project.display());
            subscribers::warn(&text, Some(&hint));
            None
        }
    }
}

/// The arguments for a role: an interpreter that comes when tests have written reports must not remove them as old ones.
fn args_of(role: Role, args: &[Bytes]) -> Vec<Bytes> {
    let is_for_it = |arg: &&Bytes| role == Role::Lister || arg.0 != b"--clean-alluredir";
    args.iter().filter(is_for_it).cloned().collect()
}

/// The launch of a warm interpreter.
fn warm_launch(python: &Path, env: Vec<(Bytes, Bytes)>, cwd: &Path, first_packet: Vec<u8>) -> Launch {
    Launch {
        program: python.as_os_str().as_bytes().into(),
        args: vec!["-c".into(), BOOT.into()],
        env,
        cwd: cwd.as_os_str().as_bytes().into(),
        warm: Some(Warm { first_packet: Bytes(first_packet), last_job: last_payload().as_str().into() }),
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
            (exit::OK, Some(1..)) => exit::FAILED,
            (code, _) => code,
        },
    }
}
