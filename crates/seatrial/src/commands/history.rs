//! `seatrial history`

use super::past::{date, open, print, told};
use crate::exit::Error;
use crate::places;
use seatrial_history::{RunRow, RunState};
use seatrial_report::format;

/// Arguments of `seatrial history`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Runs of all projects, not only of this one
    #[arg(long)]
    all: bool,
    /// At most so many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    limit: usize,
}

/// Prints past runs, newest first.
pub(crate) fn run(args: &Args) -> Result<u8, Error> {
    let history = open()?;
    let project = std::env::current_dir().ok().map(|dir| places::project_of(&dir));
    let mut runs = history.runs(None, if args.all { args.limit } else { usize::MAX }).map_err(told)?;
    if let (false, Some(project)) = (args.all, &project) {
        let mine = |run: &RunRow| {
            let path = std::path::Path::new(&run.header.project);
            path.starts_with(project) || project.starts_with(path)
        };
        runs.retain(mine);
        runs.truncate(args.limit);
    }
    let mut text = String::new();
    for run in &runs {
        text.push_str(&line(run, args.all));
    }
    if runs.is_empty() {
        text.push_str("no runs of this project are recorded (`--all` shows those of others)\n");
    }
    print(&text);
    Ok(crate::exit::OK)
}

fn line(run: &RunRow, with_project: bool) -> String {
    let counts = &run.counts;
    let state = match run.state {
        RunState::Running => "running",
        RunState::Finished if counts.failed + counts.errors > 0 => "failed",
        RunState::Finished => "passed",
        RunState::Interrupted => "interrupted",
    };
    let wall = run.wall.map_or_else(|| "-".to_owned(), format::duration);
    let command = run.header.command.iter().skip(1).cloned().collect::<Vec<_>>().join(" ");
    let project = if with_project { format!("  {}", run.header.project) } else { String::new() };
    format!(
        "{}  {}  {state:<11}  {:>6} passed {:>4} failed {:>4} skipped  {wall:>10}  {command}{project}\n",
        run.header.run,
        date(run.header.started_unix_ms),
        counts.passed,
        counts.failed + counts.errors,
        counts.skipped,
    )
}
