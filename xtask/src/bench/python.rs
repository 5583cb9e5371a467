//! `cargo xtask bench python [--rounds N] [--python PATH] [NAME]...`: `seatrial pytest` beside pytest and pytest-xdist.
//!
//! Environments are made as for the corpus. Ratios are to plain pytest: below 1 is sooner than pytest.

mod first;
mod memory;
mod workload;

use super::cases::{Case, Competitor};
use super::measure::Meter;
use super::{Rounds, say};
use crate::corpus::Place;
use crate::corpus::python::environment::Python;
use crate::process::{Result, any_output, build_seatrial, target_dir};
use crate::table::table;
use std::io::Write;
use std::process::Command;
use workload::Workload;

/// Names that `bench python` takes, with what they measure.
const NAMES: [(&str, &str); 6] = [
    ("tiny", "1,000 tests that do next to nothing, in 20 modules"),
    ("click", "the project's own tests"),
    ("flask", "the project's own tests"),
    ("itsdangerous", "the project's own tests"),
    ("memory", "a warm interpreter over 10,000 tests, and plain pytest"),
    ("first", "from a changed line to the first test's start"),
];

/// What is measured with.
struct Bench {
    place: Place,
    python: Python,
    rounds: usize,
    /// Whether this Seatrial knows `--granularity`.
    granularity: bool,
}

/// Measures the named cases, or all.
pub(super) fn run(words: &[&str], out: &mut dyn Write) -> Result<()> {
    let (bench, names) = read_request(words)?;
    let meter = Meter::new();
    say(out, &format!("Python {}; CPU: {}\n", bench.python.label(), meter.method()))?;
    for name in names {
        let text = match name {
            "memory" => memory::run(&bench)?,
            "first" => first::run(&bench)?,
            "tiny" => show(&bench, &workload::tiny(&bench, (20, 50))?, &meter)?,
            name => show(&bench, &workload::published(&bench, name)?, &meter)?,
        };
        say(out, &format!("\n{text}"))?;
    }
    Ok(())
}

fn read_request<'w>(words: &[&'w str]) -> Result<(Bench, Vec<&'w str>)> {
    let (mut rounds, mut python, mut names) = (5, "python3", Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "--rounds" => {
                let value = words.next().and_then(|value| value.parse().ok()).filter(|rounds| *rounds > 0);
                rounds = value.ok_or("`--rounds` needs a number above 0")?;
            }
            "--python" => python = words.next().ok_or("`--python` needs a path")?,
            name if NAMES.iter().any(|(known, _)| *known == name) => names.push(name),
            other => {
                let known: Vec<String> =
                    NAMES.iter().map(|(name, what)| format!("  {name:16}{what}")).collect();
                return Err(format!("no bench `{other}` of Python; there are\n{}", known.join("\n")));
            }
        }
    }
    if names.is_empty() {
        names = NAMES.iter().map(|(name, _)| *name).collect();
    }
    let python = Python::ask(python)?;
    let work = target_dir().join("bench-python");
    std::fs::create_dir_all(&work).map_err(|error| format!("{}: {error}", work.display()))?;
    let seatrial = build_seatrial()?;
    let help = any_output(Command::new(&seatrial).args(["pytest", "--help"]))?;
    let granularity = String::from_utf8_lossy(&help.stdout).contains("--granularity");
    Ok((Bench { place: Place { work, user: None, seatrial }, python, rounds, granularity }, names))
}

/// Runs a workload's rounds and makes its table.
fn show(bench: &Bench, workload: &Workload, meter: &Meter) -> Result<String> {
    let mut competitors =
        vec![plain(workload, "pytest", &[]), plain(workload, "pytest -n2 (xdist)", &["-n2"])];
    competitors.push(seatrial(bench, workload, "seatrial pytest", &[]));
    if bench.granularity {
        competitors.push(seatrial(bench, workload, "the same, a fork per test", &["--granularity", "test"]));
    }
    let case = Case { title: workload.title.clone(), competitors };
    let taken = Rounds::take(&case, bench.rounds, meter)?;
    let heading = ["competitor", "wall ms (min)", "CPU ms (min)", "wall to pytest", "CPU to pytest"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for (index, competitor) in case.competitors.iter().enumerate() {
        let mut row = taken.row(&competitor.label, index);
        row.push(format!("{:.2}x", taken.wall(index).median / taken.wall(0).median));
        row.push(format!("{:.2}x", taken.cpu(index).median / taken.cpu(0).median));
        rows.push(row);
    }
    Ok(format!("{}, {} rounds\n{}", case.title, bench.rounds, table(&rows)))
}

/// pytest itself, in the workload's environment.
fn plain(workload: &Workload, label: &str, more: &[&str]) -> Competitor {
    let program = workload.program("pytest");
    let args = workload.args.iter().map(String::as_str);
    let words: Vec<&str> = [program.as_str()].into_iter().chain(args).chain(more.iter().copied()).collect();
    Competitor::new(label, &workload.folder, &words)
}

/// Seatrial with the workload's environment; its history goes to a folder of the bench.
fn seatrial(bench: &Bench, workload: &Workload, label: &str, more: &[&str]) -> Competitor {
    let (program, python) = (bench.place.seatrial.display().to_string(), workload.program("python"));
    let ours = [program.as_str(), "pytest", "--python", &python];
    let args = workload.args.iter().map(String::as_str);
    let words: Vec<&str> = ours.into_iter().chain(more.iter().copied()).chain(args).collect();
    let state = bench.place.work.join("state").display().to_string();
    Competitor::new(label, &workload.folder, &words).var("XDG_STATE_HOME", &state)
}
