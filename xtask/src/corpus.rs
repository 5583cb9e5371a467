//! `cargo xtask corpus rust`: published crates' own tests, natively under cargo-nextest and under Seatrial.
//!
//! For each crate: an unmodified copy is built once; both runners then run what is built, and every test's two
//! outcomes are compared. A test that passes under nextest and not under Seatrial is a fault of Seatrial's until shown
//! otherwise.

mod outcomes;

use crate::process::{
    Result, any_output, build_seatrial, cargo, native, output, tail, target_dir, words, write,
};
use crate::sources::{self, Pinned};
use crate::table::table;
use outcomes::{Outcomes, Row, compare};
use std::io::Write;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A crate's build or run ends after this many seconds, as a crate that could not be compared.
const LIMIT: &str = "900";

/// What was asked for.
struct Request {
    crates: Vec<Pinned>,
    /// Doctests too: nextest has none, so their outcomes have no peer.
    doc: bool,
    work: PathBuf,
    user: Option<User>,
    seatrial: PathBuf,
}

/// Somebody else to build and run as.
struct User {
    name: String,
    uid: u32,
    gid: u32,
    home: PathBuf,
}

/// Runs the corpus; false when a test that passes natively does not pass under Seatrial.
pub(crate) fn run(words: &[&str], out: &mut dyn Write) -> Result<bool> {
    let request = read_request(words)?;
    let mut rows = vec![Row::heading()];
    let mut texts = String::new();
    let mut equal = true;
    for package in &request.crates {
        let label = format!("{} {}", package.name, package.version);
        match one(&request, package) {
            Ok(comparison) => {
                equal &= comparison.only_nextest.is_empty();
                rows.push(comparison.row(&label));
                texts.push_str(&comparison.text(&label));
            }
            Err(reason) => {
                rows.push(vec![
                    label.clone(),
                    format!("not compared: {}", reason.lines().next().unwrap_or("")),
                ]);
                texts.push_str(&format!("\n{label} was not compared: {reason}\n"));
            }
        }
        let _ = writeln!(std::io::stderr(), "{}", rows.last().map(|row| row.join(" | ")).unwrap_or_default());
    }
    let text = format!("{}{texts}\nlogs: {}\n", table(&rows), request.work.join("logs").display());
    write(&request.work.join("logs/table.txt"), &text)?;
    out.write_all(text.as_bytes()).map_err(|error| format!("standard output: {error}"))?;
    Ok(equal)
}

fn read_request(words: &[&str]) -> Result<Request> {
    let ["rust", words @ ..] = words else {
        return Err("there is one corpus: `cargo xtask corpus rust`".to_owned());
    };
    let mut pinned = sources::pinned()?;
    let (mut doc, mut work, mut user, mut names) = (false, target_dir().join("corpus"), None, Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
        match *word {
            "--doc" => doc = true,
            "--work" => work = std::path::absolute(value()?).map_err(|error| error.to_string())?,
            "--user" => user = Some(find_user(value()?)?),
            name if pinned.iter().any(|package| package.name == name) => names.push(name),
            other => return Err(format!("`{other}` is no crate of benches/corpus/rust.txt")),
        }
    }
    if !names.is_empty() {
        pinned.retain(|package| names.contains(&package.name.as_str()));
    }
    if let Some(user) = &user {
        work = work.join(format!("as-{}", user.name));
    }
    std::fs::create_dir_all(&work).map_err(|error| format!("{}: {error}", work.display()))?;
    let mut seatrial = build_seatrial()?;
    if user.is_some() {
        // The other user may not be able to reach the repository.
        let copy = work.join("seatrial");
        std::fs::copy(&seatrial, &copy).map_err(|error| format!("{}: {error}", copy.display()))?;
        seatrial = copy;
    }
    Ok(Request { crates: pinned, doc, work, user, seatrial })
}

fn find_user(name: &str) -> Result<User> {
    let line = output(Command::new("getent").args(["passwd", name]))
        .map_err(|_| format!("there is no user `{name}` on this machine"))?;
    let line = String::from_utf8_lossy(&line).trim().to_owned();
    let fields: Vec<&str> = line.split(':').collect();
    let number = |at: usize| fields.get(at).and_then(|field| field.parse().ok());
    match (number(2), number(3), fields.get(5)) {
        (Some(uid), Some(gid), Some(home)) => Ok(User { name: name.to_owned(), uid, gid, home: home.into() }),
        _ => Err(format!("the entry of user `{name}` cannot be read: {line}")),
    }
}

/// Builds and runs one crate with both.
fn one(request: &Request, package: &Pinned) -> Result<outcomes::Comparison> {
    let source = sources::copy_of(package, &request.work)?;
    let logs = request.work.join("logs").join(&package.name);
    std::fs::create_dir_all(&logs).map_err(|error| format!("{}: {error}", logs.display()))?;
    if let Some(user) = &request.user {
        output(Command::new("chown").arg("-R").arg(format!("{}:{}", user.uid, user.gid)).arg(&request.work))?;
    }
    let args: Vec<&str> = package.args.iter().map(String::as_str).collect();
    let built =
        logged(request, cargo(), &[&["test", "--no-run"], &args[..]].concat(), &source, &logs.join("build"))?;
    if !built.success() {
        let log = std::fs::read(logs.join("build.err")).unwrap_or_default();
        return Err(format!("it does not build\n{}", tail(&log)));
    }
    let natively = nextest(request, (&source, &args), &logs)?;
    let ours = seatrial(request, (&source, &args), &logs)?;
    Ok(compare(&natively, &ours))
}

fn nextest(request: &Request, (source, args): (&Path, &[&str]), logs: &Path) -> Result<Outcomes> {
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
    Ok(outcomes::of_nextest(&listed, &xml))
}

fn seatrial(request: &Request, (source, args): (&Path, &[&str]), logs: &Path) -> Result<Outcomes> {
    let run = [&["cargo", "--format", "json", "--no-fail-fast"], args].concat();
    let ended = logged(request, Command::new(&request.seatrial), &run, source, &logs.join("seatrial"))?;
    let events = std::fs::read(logs.join("seatrial.out")).unwrap_or_default();
    outcomes::of_seatrial(&events).ok_or_else(|| {
        let log = std::fs::read(logs.join("seatrial.err")).unwrap_or_default();
        format!("Seatrial's run did not come to its end ({ended})\n{}", tail(&log))
    })
}

/// Runs a command in a crate's folder with a time limit, its output kept in `LOG.out` and `LOG.err`.
fn logged(
    request: &Request,
    program: Command,
    args: &[&str],
    source: &Path,
    log: &Path,
) -> Result<std::process::ExitStatus> {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=10", LIMIT]).arg(program.get_program()).args(args).current_dir(source);
    native(&mut command);
    if !request.doc {
        // cargo runs `true` in place of rustdoc: everything else is as by default.
        command.env("RUSTDOC", "true");
    }
    if let Some(user) = &request.user {
        command.uid(user.uid).gid(user.gid).env("HOME", &user.home).env("USER", &user.name);
        command.env("LOGNAME", &user.name).env("CARGO_HOME", request.work.join("cargo-home"));
    }
    let output = any_output(&mut command)?;
    write(&log.with_extension("out"), &output.stdout)?;
    write(&log.with_extension("err"), &output.stderr)?;
    if output.status.code() == Some(124) {
        return Err(format!("`{}` did not end within {LIMIT} s", words(&command)));
    }
    Ok(output.status)
}
