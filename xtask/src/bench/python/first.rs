//! How long after the command the first test starts, when a line of a test file has been changed before.

use super::super::Spread;
use super::super::cases::Competitor;
use super::{Bench, plain, seatrial, workload};
use crate::process::{Result, any_output, read, write};
use crate::table::table;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Takes turns, changing the file before each.
pub(super) fn run(bench: &Bench) -> Result<String> {
    let workload = workload::tiny(bench, (20, 50))?;
    let report = bench.place.work.join("first.xml");
    let argument = format!("--junitxml={}", report.display());
    let competitors = [
        plain(&workload, "pytest", &[&argument]),
        seatrial(bench, &workload, "seatrial pytest", &[&argument]),
    ];
    let changed = workload.folder.join("test_m010.py");
    let source = read(&changed)?;
    let mut figures = vec![Vec::new(); competitors.len()];
    for round in 0..=bench.rounds {
        for (turn, (competitor, figures)) in competitors.iter().zip(&mut figures).enumerate() {
            write(&changed, format!("{source}# change {round}.{turn}\n"))?;
            let took = one(competitor, &report)?;
            if round > 0 {
                figures.push(took);
            }
        }
    }
    write(&changed, source)?;
    let mut rows = vec![["competitor", "first test after ms (min)", "to pytest"].map(str::to_owned).to_vec()];
    let spread = |index: usize| Spread::of(figures[index].iter().copied());
    for (index, competitor) in competitors.iter().enumerate() {
        let ratio = format!("{:.2}x", spread(index).median / spread(0).median);
        rows.push(vec![competitor.label.clone(), spread(index).text(), ratio]);
    }
    let title = format!("{}, one line of one of them changed before each run", workload.title);
    Ok(format!("{title}, {} rounds\n{}", bench.rounds, table(&rows)))
}

/// Milliseconds from the start of the command to that of the first test's set-up, as its report tells.
fn one(competitor: &Competitor, report: &Path) -> Result<f64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?;
    let ended = any_output(&mut competitor.command())?;
    if !ended.status.success() {
        return Err(format!("`{}` ended with {}", competitor.label, ended.status));
    }
    let text = read(report)?;
    let starts = text.split("<property name=\"at\" value=\"").skip(1);
    let first = starts
        .filter_map(|rest| rest.split('"').next()?.parse::<f64>().ok())
        .min_by(f64::total_cmp)
        .ok_or_else(|| format!("{} has no test's start", report.display()))?;
    Ok((first - now.as_secs_f64()) * 1e3)
}
