//! All automation of this repository: `cargo xtask COMMAND`.

mod corpus;
mod process;
mod sources;
mod table;

use process::Result;
use std::io::Write as _;
use std::process::ExitCode;

const HELP: &str = "\
usage: cargo xtask COMMAND

  corpus rust [--user NAME] [--doc] [--work DIR] [CRATE]...
                        run published crates' own tests under cargo-nextest and under Seatrial, and compare
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match dispatch(&words) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Carries a command out; false when it ran and found something wrong.
fn dispatch(words: &[&str]) -> Result<bool> {
    let out = &mut std::io::stdout();
    match words {
        ["corpus", rest @ ..] => corpus::run(rest, out),
        [] | ["help" | "--help" | "-h"] => {
            out.write_all(HELP.as_bytes()).map(|()| true).map_err(|error| format!("standard output: {error}"))
        }
        [other, ..] => Err(format!("no command `{other}`; `cargo xtask help` lists them")),
    }
}
