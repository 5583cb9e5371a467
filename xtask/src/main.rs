//! All automation of this repository: `cargo xtask COMMAND`.

mod bench;
mod corpus;
mod picture;
mod process;
mod sources;
mod table;
mod test;
mod tidy;

use process::Result;
use std::io::Write as _;
use std::process::ExitCode;

const HELP: &str = "\
usage: cargo xtask COMMAND

  tidy                  what the repository holds itself to: floors, unsafe code, threads, sizes of files
  test                  every check: format, tidy, clippy, documentation, tests
  bench [--rounds N] [NAME]...
                        measure Seatrial against its peers and the floor
  bench python [--rounds N] [--python PATH] [NAME]...
                        measure `seatrial pytest` against pytest and pytest-xdist
  corpus rust [--user NAME] [--doc] [--work DIR] [CRATE]...
                        run published crates' own tests under cargo-nextest and under Seatrial, and compare
  corpus python [--python PATH]... [--user NAME] [--granularity G] [--work DIR] [PROJECT]...
                        the same with published Python projects' tests, under pytest and under Seatrial
  picture               make docs/picture.svg again, from a real run of the fixture suite
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
        ["picture"] => picture::make(),
        ["bench", rest @ ..] => bench::run(rest, out).map(|()| true),
        ["tidy"] => tidy::run(out),
        ["test"] => test::run(out),
        ["corpus", rest @ ..] => corpus::run(rest, out),
        [] | ["help" | "--help" | "-h"] => {
            out.write_all(HELP.as_bytes()).map(|()| true).map_err(|error| format!("standard output: {error}"))
        }
        [other, ..] => Err(format!("no command `{other}`; `cargo xtask help` lists them")),
    }
}
