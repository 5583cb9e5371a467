//! `cargo xtask bench [--rounds N] [NAME]...`: Seatrial against its peers and against the floor, as tables; never asserts.
//!
//! Method. Competitors of one case take turns, round by round (A B C A B C ...), so that a machine's moods hit all alike;
//! the first round is thrown away. A figure is the median over the rounds, the smallest beside it; a ratio is that of the
//! medians. Everything is built before. CPU is what the whole process tree used, see `measure`. `bench python` is a set
//! of its own.

mod cases;
mod measure;
mod own;
mod price;
mod python;
mod sampling;
mod workload;

use crate::process::{Result, build_seatrial, output, root, target_dir};
use crate::table::table;
use cases::{Case, Tools};
use measure::{Meter, Sample};
use std::io::Write;
use std::process::Command;

/// Names that `bench` takes, with what they measure.
pub(crate) const NAMES: [(&str, &str); 10] = [
    ("trivial", "500 tests that do nothing"),
    ("serde_json", "the crate's own tests"),
    ("clap_builder", "the crate's own tests"),
    ("regex-automata", "the crate's own unit tests"),
    ("slow", "40 tests that sleep 50 to 250 ms"),
    ("one", "one test of 500 by name"),
    ("exec", "5,000 times /bin/true"),
    ("price", "one job in a slot"),
    ("memory", "peak memory over 100,000 jobs"),
    ("many", "20,000 tests in 10 binaries: only when named"),
];

/// Measures the named cases, or all but the largest.
pub(crate) fn run(words: &[&str], out: &mut dyn Write) -> Result<()> {
    if let ["python", words @ ..] = words {
        return python::run(words, out);
    }
    let (rounds, names) = read_request(words)?;
    let work = target_dir().join("bench");
    std::fs::create_dir_all(&work).map_err(|error| format!("{}: {error}", work.display()))?;
    let floor = work.join("floor");
    output(Command::new("cc").args(["-O2", "-o"]).arg(&floor).arg(root().join("benches/floor/floor.c")))?;
    let tools = Tools { seatrial: build_seatrial()?, floor, work };
    let meter = Meter::new();
    say(out, &format!("CPU: {}\n", meter.method()))?;
    for name in names {
        let text = match name {
            "price" => price::run(&tools)?,
            "memory" => own::memory(&tools)?,
            "many" => own::many(&tools)?,
            _ => show(&cases::make(name, &tools)?, rounds, &meter)?,
        };
        say(out, &format!("\n{text}"))?;
    }
    Ok(())
}

fn read_request<'w>(words: &[&'w str]) -> Result<(usize, Vec<&'w str>)> {
    let (mut rounds, mut names) = (7, Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "--rounds" => {
                let value = words.next().and_then(|value| value.parse().ok()).filter(|rounds| *rounds > 0);
                rounds = value.ok_or("`--rounds` needs a number above 0")?;
            }
            name if NAMES.iter().any(|(known, _)| *known == name) => names.push(name),
            other => {
                let known: Vec<String> =
                    NAMES.iter().map(|(name, what)| format!("  {name:16}{what}")).collect();
                return Err(format!("no bench `{other}`; there are\n{}", known.join("\n")));
            }
        }
    }
    if names.is_empty() {
        names = NAMES.iter().map(|(name, _)| *name).filter(|name| *name != "many").collect();
    }
    Ok((rounds, names))
}

fn say(out: &mut dyn Write, text: &str) -> Result<()> {
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| format!("standard output: {error}"))
}

/// Runs a case's rounds and makes its table: Seatrial's figures as a share of each other's.
fn show(case: &Case, rounds: usize, meter: &Meter) -> Result<String> {
    let taken = Rounds::take(case, rounds, meter)?;
    let heading =
        ["competitor", "wall ms (min)", "CPU ms (min)", "seatrial's wall is", "goal", "CPU is", "goal"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for (index, competitor) in case.competitors.iter().enumerate() {
        let mut row = taken.row(&competitor.label, index);
        if index > 0 {
            let goal = |goal: Option<f64>| goal.map_or_else(|| "-".to_owned(), |goal| format!("{goal:.2}x"));
            row.push(format!("{:.2}x", taken.wall(0).median / taken.wall(index).median));
            row.push(goal(competitor.wall_goal));
            row.push(format!("{:.2}x", taken.cpu(0).median / taken.cpu(index).median));
            row.push(goal(competitor.cpu_goal));
        }
        rows.push(row);
    }
    Ok(format!("{}, {rounds} rounds\n{}", case.title, table(&rows)))
}

/// What was measured of each competitor of a case, in their order.
struct Rounds(Vec<Vec<Sample>>);

impl Rounds {
    /// Lets the competitors take turns.
    fn take(case: &Case, rounds: usize, meter: &Meter) -> Result<Self> {
        let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); case.competitors.len()];
        for round in 0..=rounds {
            for (competitor, samples) in case.competitors.iter().zip(&mut samples) {
                let sample = meter.run(competitor)?;
                if round > 0 {
                    samples.push(sample);
                }
            }
        }
        Ok(Self(samples))
    }

    fn wall(&self, index: usize) -> Spread {
        Spread::of(self.0[index].iter().map(|sample| sample.wall_ms))
    }

    fn cpu(&self, index: usize) -> Spread {
        Spread::of(self.0[index].iter().map(|sample| sample.cpu_ms))
    }

    /// The first cells of a competitor's row.
    fn row(&self, label: &str, index: usize) -> Vec<String> {
        vec![label.to_owned(), self.wall(index).text(), self.cpu(index).text()]
    }
}

/// Median and minimum of a few figures.
struct Spread {
    median: f64,
    min: f64,
}

impl Spread {
    fn of(figures: impl Iterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_by(f64::total_cmp);
        Self { median: figures[figures.len() / 2], min: figures[0] }
    }

    fn text(&self) -> String {
        format!("{:.1} ({:.1})", self.median, self.min)
    }
}
