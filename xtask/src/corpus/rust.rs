//! `cargo xtask corpus rust`: published crates' own tests under cargo-nextest and under Seatrial.
//!
//! Each crate is built once; both runners then run what is built.

use super::outcomes::{Comparison, Outcomes, Unsteady, compare};
use super::place::{Asked, Place};
use super::{Told, events, nextest};
use crate::process::{Result, cargo, tail, write};
use crate::sources::{self, Pinned};
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitStatus};

const HEADING: &str =
    "crate|tests|same|only nextest passes|only seatrial passes|both fail|skipped|unmatched|doc passed/failed";

/// What was asked for.
struct Request {
    crates: Vec<Pinned>,
    /// Doctests too: nextest has none, so their outcomes have no peer.
    doc: bool,
    place: Place,
}

/// Runs the corpus; false when a test that passes natively does not pass under Seatrial.
pub(crate) fn run(words: &[&str], out: &mut dyn Write) -> Result<bool> {
    let request = read_request(words)?;
    let mut told = Told::new(out, HEADING);
    for package in &request.crates {
        told.add(&[&format!("{} {}", package.name, package.version)], one(&request, package));
    }
    told.end(&request.place)
}

fn read_request(words: &[&str]) -> Result<Request> {
    let mut crates = sources::pinned()?;
    let (mut doc, mut asked, mut names) = (false, Asked::default(), Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().copied().ok_or_else(|| format!("`{word}` needs a value"));
        if asked.take(word, &mut value)? {
            continue;
        }
        match *word {
            "--doc" => doc = true,
            name if crates.iter().any(|package| package.name == name) => names.push(name),
            other => return Err(format!("`{other}` is no crate of benches/corpus/rust.txt")),
        }
    }
    if !names.is_empty() {
        crates.retain(|package| names.contains(&package.name.as_str()));
    }
    Ok(Request { crates, doc, place: asked.place("corpus")? })
}

/// Builds and runs one crate with both.
fn one(request: &Request, package: &Pinned) -> Result<Comparison> {
    let source = sources::copy_of(package, &request.place.work)?;
    let logs = request.place.logs(&package.name)?;
    request.place.hand_over()?;
    let args: Vec<&str> = package.args.iter().map(String::as_str).collect();
    let built =
        logged(request, cargo(), &[&["test", "--no-run"], &args[..]].concat(), &source, &logs.join("build"))?;
    if !built.success() {
        let log = std::fs::read(logs.join("build.err")).unwrap_or_default();
        return Err(format!("it does not build\n{}", tail(&log)));
    }
    let natively = under_nextest(request, (&source, &args), &logs)?;
    let ours = under_seatrial(request, (&source, &args), &logs)?;
    Ok(compare(&natively, &ours, &Unsteady::default(), true))
}

fn under_nextest(request: &Request, (source, args): (&Path, &[&str]), logs: &Path) -> Result<Outcomes> {
    let junit = logs.join("nextest.xml");
    let _ = std::fs::remove_file(&junit);
    let config = logs.join("nextest.toml");
    write(&config, format!("[profile.default.junit]\npath = \"{}\"\n", junit.display()))?;
    let config = config.display().to_string();
    let list = [&["nextest", "list", "--message-format", "json"], args].concat();
    logged(request, cargo(), &list, source, &logs.join("nextest-list"))?;
    let run =
        [&["nextest", "run", "--no-fail-fast", "--no-tests=pass", "--config-file", &config], args].concat();
    let ended = logged(request, cargo(), &run, source, &logs.join("nextest"))?;
    let listed = std::fs::read(logs.join("nextest-list.out")).unwrap_or_default();
    let xml = std::fs::read_to_string(&junit).map_err(|_| {
        let log = std::fs::read(logs.join("nextest.err")).unwrap_or_default();
        format!("nextest gave no report ({ended})\n{}", tail(&log))
    })?;
    Ok(nextest::outcomes(&listed, &xml))
}

fn under_seatrial(request: &Request, (source, args): (&Path, &[&str]), logs: &Path) -> Result<Outcomes> {
    let run = [&["cargo", "--format", "json", "--no-fail-fast"], args].concat();
    let ended = logged(request, Command::new(&request.place.seatrial), &run, source, &logs.join("seatrial"))?;
    let events = std::fs::read(logs.join("seatrial.out")).unwrap_or_default();
    events::outcomes(&events, |group, name| (group.to_owned(), name.to_owned())).ok_or_else(|| {
        let log = std::fs::read(logs.join("seatrial.err")).unwrap_or_default();
        format!("Seatrial's run did not come to its end ({ended})\n{}", tail(&log))
    })
}

/// Runs a command in a crate's folder, its output kept in `LOG.out` and `LOG.err`.
fn logged(
    request: &Request,
    mut program: Command,
    args: &[&str],
    source: &Path,
    log: &Path,
) -> Result<ExitStatus> {
    program.args(args);
    if !request.doc {
        // cargo runs `true` in place of rustdoc: everything else is as by default.
        program.env("RUSTDOC", "true");
    }
    if request.place.user.is_some() {
        program.env("CARGO_HOME", request.place.work.join("cargo-home"));
    }
    request.place.logged(&program, source, log)
}
