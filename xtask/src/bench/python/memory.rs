//! What a warm interpreter holds while it forks for 10,000 tests, beside plain pytest over the same tests.

use super::super::cases::Competitor;
use super::super::sampling;
use super::{Bench, plain, seatrial, workload};
use crate::process::{Result, not_started};
use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

const EVERY: Duration = Duration::from_millis(100);

/// Proportional set sizes of processes in KiB, in the order of their samples.
type Sizes = BTreeMap<u32, Vec<u64>>;

/// Runs both once, and says what was seen.
pub(super) fn run(bench: &Bench) -> Result<String> {
    let workload = workload::tiny(bench, (200, 50))?;
    let bare = watch(&plain(&workload, "pytest", &[]), |_| true)?;
    let warm = watch(&seatrial(bench, &workload, "seatrial pytest", &[]), is_warm)?;
    let mut text = format!("memory over {} (Pss, sampled ten times a second)\n", workload.title);
    for (what, sizes) in [("pytest itself", bare), ("a warm interpreter", warm)] {
        for sizes in sizes.values().filter(|sizes| sizes.len() >= 8) {
            // While a fork lives, it shares the interpreter's pages: the largest of many samples is the interpreter alone.
            let largest = |quarter: &[u64]| quarter.iter().max().copied().unwrap_or(0) as f64 * 1024.0 / 1e6;
            let quarters: Vec<String> = sizes
                .chunks(sizes.len().div_ceil(4))
                .map(|quarter| format!("{:.1}", largest(quarter)))
                .collect();
            text.push_str(&format!(
                "{what}: at most {} MB in the quarters of its time\n",
                quarters.join(", ")
            ));
        }
    }
    Ok(text)
}

/// Runs a command and samples those of its processes that are chosen.
fn watch(competitor: &Competitor, chosen: fn(u32) -> bool) -> Result<Sizes> {
    let mut command = competitor.command();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| not_started(&command, &error))?;
    let mut sizes = Sizes::new();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            break status;
        }
        let mut pids = sampling::descendants(child.id());
        pids.push(child.id());
        for pid in pids.into_iter().filter(|pid| chosen(*pid)) {
            if let Some(size) = sampling::pss_kib(pid) {
                sizes.entry(pid).or_default().push(size);
            }
        }
        std::thread::sleep(EVERY);
    };
    if status.success() { Ok(sizes) } else { Err(format!("`{}` ended with {status}", competitor.label)) }
}

/// An interpreter that a slot's zygote has started; what it forks has it as its parent.
fn is_warm(pid: u32) -> bool {
    let words = sampling::command_line(pid);
    let is_python = words.get(1).is_some_and(|word| word == "-c");
    let parent = sampling::parent(pid).map(sampling::command_line).unwrap_or_default();
    is_python && parent.first().is_some_and(|name| name == "seatrial-zygote")
}
