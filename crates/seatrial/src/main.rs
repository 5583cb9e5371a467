//! The `seatrial` command: parses what was typed, and hands it to the one file of the command.

mod commands;
mod exit;
mod options;
mod places;
mod revision;
mod subscribers;

use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs a project's tests, each in a container of its own, and keeps the history of every result.
#[derive(Debug, Parser)]
#[command(name = "seatrial", version, max_term_width = 110, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Exit codes:
  0  all passed                         4  nothing was selected
  1  tests failed                       7  results are incomplete
  2  usage or configuration             130  interrupted
  3  build or collection failed

Put it in front of the command you know:
  seatrial cargo -p mycrate parser::    every matching test in its own container
  seatrial pytest tests -k parser       the same for pytest
  seatrial unittest discover -s tests   the same for `python -m unittest`
  seatrial exec -n 1000 -- ./mc {index} a thousand jobs of one command
  seatrial show                         the last run's failures with their output";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run Rust tests: `cargo test`'s arguments, each test in its own container
    #[command(disable_help_flag = true)]
    Cargo(Box<commands::cargo::Args>),
    /// Run pytest tests: pytest's own arguments, each test forked from a warm interpreter in a container
    #[command(disable_help_flag = true)]
    Pytest(Box<commands::pytest::Args>),
    /// Run unittest tests: `python -m unittest`'s arguments, each test forked from a warm interpreter in a container
    #[command(disable_help_flag = true)]
    Unittest(Box<commands::unittest::Args>),
    /// Run any command as jobs in containers
    Exec(Box<commands::exec::Args>),
    /// List past runs
    History(commands::history::Args),
    /// Show a run, or one test of it with its output
    Show(commands::show::Args),
    /// Tell what this machine can and cannot do, with one fix a line
    Doctor,
    /// Print a completion script for a shell
    Completions(commands::completions::Args),
}

fn main() -> ExitCode {
    seatrial_sandbox::enter_if_asked();
    seatrial_engine::cargo::shim_if_asked();
    let mut cli = Cli::parse();
    // As typed: the parser takes a `--` in the first place for its own.
    let typed = || std::env::args_os().skip(2).collect::<Vec<OsString>>();
    match &mut cli.command {
        Command::Cargo(args) => args.args = typed(),
        Command::Pytest(args) => args.args = typed(),
        Command::Unittest(args) => args.args = typed(),
        Command::Exec(_)
        | Command::History(_)
        | Command::Show(_)
        | Command::Doctor
        | Command::Completions(_) => {}
    }
    let result = match cli.command {
        Command::Cargo(args) => commands::cargo::run(&args),
        Command::Pytest(args) => commands::pytest::run(&args),
        Command::Unittest(args) => commands::unittest::run(&args),
        Command::Exec(args) => commands::exec::run(&args),
        Command::History(args) => commands::history::run(&args),
        Command::Show(args) => commands::show::run(&args),
        Command::Doctor => Ok(commands::doctor::run()),
        Command::Completions(args) => Ok(commands::completions::run(&args)),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            exit::say(&error);
            ExitCode::from(error.code)
        }
    }
}
