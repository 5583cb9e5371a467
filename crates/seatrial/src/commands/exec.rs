//! `seatrial exec`

use crate::commands::ours::current_dir;
use crate::commands::past;
use crate::exit::{self, Error};
use crate::options::{Context, RunOptions, new_run};
use crate::places;
use crate::revision::Revision;
use crate::subscribers::{self, Expectation};
use seatrial_engine::{NoSource, inbox};
use seatrial_history::History;
use seatrial_model::{Bytes, End, Facts, Launch};
use seatrial_plan::ArrayPlan;
use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// Arguments of `seatrial exec`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without -n or --array the command is one job: its input, output and exit code are the command's own.

Examples:
  seatrial exec -- make check               one job, in a container
  seatrial exec -n 1000 -- ./mc {index}     jobs 1 to 1000
  seatrial exec --array 5..9 -j 2 -- ./sim --seed-from-env")]
pub(crate) struct Args {
    /// Run the command N times, with `{index}` from 1 to N
    #[arg(short = 'n', long = "count", value_name = "N", conflicts_with = "array")]
    count: Option<u64>,
    /// Run the command for each index from A to B, both included
    #[arg(long, value_name = "A..B", value_parser = range)]
    array: Option<RangeInclusive<u64>>,
    /// Jobs at once [default: one per processor]
    #[arg(short = 'j', value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    jobs: Option<u32>,
    #[command(flatten)]
    options: RunOptions,
    /// The command; `{index}` in its arguments stands for the job's index
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// Runs the command as one job, on the user's terminal.
/// What lies in `visible` is to be seen also below /tmp.
pub(crate) fn run_one(
    options: &RunOptions,
    command: Vec<OsString>,
    visible: Vec<PathBuf>,
) -> Result<u8, Error> {
    carry_out(&Args { count: None, array: None, jobs: None, options: options.clone(), command }, visible)
}

/// Runs the command as one job or as an array.
pub(crate) fn run(args: &Args) -> Result<u8, Error> {
    carry_out(args, Vec::new())
}

fn carry_out(args: &Args, visible: Vec<PathBuf>) -> Result<u8, Error> {
    let cwd = current_dir()?;
    let indices = match (&args.array, args.count) {
        (Some(range), _) => Some(range.clone()),
        (None, Some(count)) => Some(1..=count),
        (None, None) => None,
    };
    let passthrough = indices.is_none();
    let project = places::project_of(&cwd);
    let revision = Revision::ask(&project);
    // A program below /tmp must stay visible there.
    let program_file = args.command.first().map(|program| cwd.join(program));
    let mut words = args.command.iter().map(|word| Bytes(word.clone().into_vec()));
    let program = words.next().unwrap_or_default();
    let group = program.to_text().into_owned();
    let launch = Launch {
        args: words.collect(),
        env: places::environment(),
        cwd: cwd.clone().into_os_string().into_vec().into(),
        program,
        warm: None,
    };
    let mut settings = args.options.resolve(Context {
        project: project.clone(),
        keep_visible: visible.into_iter().chain([cwd]).chain(program_file).collect(),
        passthrough,
        slots: if passthrough { Some(1) } else { args.jobs },
        write_back: Vec::new(),
        gather: Vec::new(),
        add: Vec::new(),
        run: new_run(),
    });
    let seed = settings.header.seed;
    let mut plan = ArrayPlan::new(launch, &group, indices.unwrap_or(1..=1), seed, args.options.limits());
    let history = open_history();
    let facts = Facts::default();
    let subscribers = subscribers::make(&args.options, history, &Expectation::default(), passthrough)?;
    settings.header.revision = revision.and_then(Revision::answer);
    let (outbox, inbox) = inbox().map_err(|error| Error::new(exit::INCOMPLETE, error.to_string()))?;
    let end = seatrial_engine::run(
        &mut settings,
        &facts,
        &mut plan,
        (outbox, inbox),
        &mut NoSource,
        subscribers,
        &exit::code,
    )
    .map_err(|text| {
        Error::new(exit::INCOMPLETE, text).hint("`seatrial doctor` tells what this machine lacks")
    })?;
    subscribers::say_problems(&end.problems);
    Ok(match (passthrough, end.end) {
        (true, Some(End::Exit(code))) => code as u8,
        (true, Some(End::Signal(signal))) => 128 + signal as u8,
        (true, Some(End::NotStarted { errno, .. })) => {
            let error = std::io::Error::from_raw_os_error(errno);
            // As every shell has it: 127 for a program that is not there, 126 for one that cannot be executed.
            let code = if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 };
            return Err(Error::new(code, format!("`{group}` could not be started: {error}")));
        }
        (true, Some(End::SlotLost) | None) => {
            if end.interrupted {
                exit::INTERRUPTED
            } else {
                exit::INCOMPLETE
            }
        }
        (false, _) => end.exit_code,
    })
}

/// History for recording; without it the run goes on, and it is said.
pub(crate) fn open_history() -> Option<History> {
    let opened = past::folder().and_then(|folder| History::open(&folder).map_err(past::told));
    match opened {
        Ok(history) => Some(history),
        Err(error) => {
            subscribers::warn(&format!("this run is not recorded: {}", error.text), error.hint.as_deref());
            None
        }
    }
}

fn range(text: &str) -> Result<RangeInclusive<u64>, String> {
    let bad = || format!("`{text}` is no range (try `1..100`)");
    let (first, last) = text.split_once("..").ok_or_else(bad)?;
    let last = last.strip_prefix('=').unwrap_or(last);
    let first: u64 = first.parse().map_err(|_| bad())?;
    let last: u64 = last.parse().map_err(|_| bad())?;
    if first > last {
        Err(format!("`{text}` is empty: {first} is more than {last}"))
    } else {
        Ok(first..=last)
    }
}
