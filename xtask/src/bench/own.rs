//! What Seatrial's own processes use, beside the tests: memory over many jobs, CPU over many tests.
//!
//! Own processes are the command itself and, among its descendants, those named `seatrial-slot` (a slot's first step)
//! and `seatrial-zygote`. A job's process bears the zygote's name for the moment before it becomes the job; such a one
//! is known by not being process 1 of its namespace, and is left out, because it shares the zygote's memory and its
//! time counts as the job's.

use super::cases::{Tools, names_of};
use super::sampling;
use super::workload::{self, Workload};
use crate::process::{Result, native, not_started, write};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::BufReader;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_millis(100);
const TICK_MS: f64 = 10.0;

/// What the samples say.
#[derive(Default)]
struct Own {
    /// Largest sum of proportional set sizes, in KiB, and how many processes it was.
    peak: (u64, usize),
    /// The largest of the command's own process.
    main: u64,
    /// User and system time of each process, children's left out, as last seen.
    cpu_ms: BTreeMap<u32, f64>,
}

/// Peak memory of Seatrial's processes together over 100,000 jobs.
pub(crate) fn memory(tools: &Tools) -> Result<String> {
    let mut command = Command::new(&tools.seatrial);
    command.args(["exec", "-n", "100000", "--", "/bin/true"]).stdout(Stdio::null()).stderr(Stdio::null());
    let begun = Instant::now();
    let mut child = start(command, tools)?;
    let mut own = Own::default();
    let status = watch(&mut child, &mut own)?;
    Ok(format!(
        "100,000 jobs of /bin/true ({status}, {:.1} s)\nSeatrial's processes together (Pss, {} of them): peak {:.1} MB \
         (goal 150); its main process {:.1} MB\n",
        begun.elapsed().as_secs_f64(),
        own.peak.1,
        own.peak.0 as f64 * 1024.0 / 1e6,
        own.main as f64 * 1024.0 / 1e6,
    ))
}

/// Seatrial's own CPU over 20,000 tests, and whether tests start while others are being listed.
pub(crate) fn many(tools: &Tools) -> Result<String> {
    let workload = workload::many(&tools.work)?;
    let mut command = Command::new(&tools.seatrial);
    command.args(["cargo", "--format", "json"]).current_dir(&workload.folder);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = start(command, tools)?;
    let stdout = child.stdout.take().ok_or("no pipe")?;
    let reader = std::thread::Builder::new()
        .name("events".to_owned())
        .spawn(move || read_events(BufReader::new(stdout)))
        .map_err(|error| error.to_string())?;
    let mut own = Own::default();
    let status = watch(&mut child, &mut own)?;
    let seen = reader.join().map_err(|_| "the reader of events failed")?;
    let cpu: f64 = own.cpu_ms.values().sum();
    let main_cpu = own.cpu_ms.get(&child.id()).copied().unwrap_or(0.0);
    let floor = floor(tools, &workload)?;
    Ok(format!(
        "20,000 tests in 10 binaries ({status}): {} ended, {} passed\nown CPU {cpu:.0} ms ({main_cpu:.0} its main process, the rest zygotes) beside {:.0} ms of the tests: \
         {:.1} % (goal 5); the floor's own {floor:.0} ms: {:.1} %, ours is {:.2}x of it\nfirst test started after {:.1} ms, last binary listed after {:.1} ms; the whole run {:.1} ms\n",
        seen.ended,
        seen.passed,
        seen.tests_cpu_ms,
        cpu / seen.tests_cpu_ms * 100.0,
        floor / seen.tests_cpu_ms * 100.0,
        cpu / floor,
        seen.first_start_ms,
        seen.last_listed_ms,
        seen.wall_ms,
    ))
}

/// What the floor program itself uses for the same tests: vfork, exec, reading and waiting, and nothing else.
fn floor(tools: &Tools, workload: &Workload) -> Result<f64> {
    let mut own_us = 0.0;
    for binary in &workload.binaries {
        let list = tools.work.join("names.txt");
        write(&list, names_of(binary)?.join("\n"))?;
        let mut command = Command::new(&tools.floor);
        let slots = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).to_string();
        command.args([slots.as_str(), "tests"]).arg(binary).current_dir(&workload.folder);
        command.stdin(fs::File::open(&list).map_err(|error| format!("{}: {error}", list.display()))?);
        let output = command.output().map_err(|error| not_started(&command, &error))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let last = text.split_whitespace().last().and_then(|figure| figure.parse::<f64>().ok());
        own_us += last.ok_or_else(|| format!("the floor said `{text}`"))?;
    }
    Ok(own_us / 1e3)
}

#[derive(Default)]
struct Seen {
    ended: u32,
    passed: u32,
    tests_cpu_ms: f64,
    first_start_ms: f64,
    last_listed_ms: f64,
    wall_ms: f64,
}

fn read_events(events: impl std::io::BufRead) -> Seen {
    let mut seen = Seen { first_start_ms: f64::NAN, ..Seen::default() };
    for line in events.lines().map_while(std::io::Result::ok) {
        let Ok(event) = serde_json::from_str::<Value>(&line) else { continue };
        let at_ms = event["at_us"].as_f64().unwrap_or(f64::NAN) / 1e3;
        match event["event"].as_str().unwrap_or_default() {
            "group-listed" => seen.last_listed_ms = at_ms,
            "attempt-started" if seen.first_start_ms.is_nan() => seen.first_start_ms = at_ms,
            "attempt-finished" => {
                let usage = |name: &str| event["usage"][name].as_f64().unwrap_or(0.0) / 1e3;
                seen.tests_cpu_ms += usage("user_us") + usage("system_us");
                seen.ended += 1;
                seen.passed += u32::from(event["outcome"] == "pass");
            }
            "run-finished" => seen.wall_ms = at_ms,
            _ => {}
        }
    }
    seen
}

fn start(mut command: Command, tools: &Tools) -> Result<Child> {
    native(&mut command).stdin(Stdio::null()).env("XDG_STATE_HOME", tools.work.join("state"));
    command.spawn().map_err(|error| not_started(&command, &error))
}

/// Samples until the command ends.
fn watch(child: &mut Child, own: &mut Own) -> Result<std::process::ExitStatus> {
    loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return Ok(status);
        }
        sample(child.id(), own);
        std::thread::sleep(EVERY);
    }
}

fn sample(main: u32, own: &mut Own) {
    let (mut sum, mut count) = (0, 0);
    let descendants = sampling::descendants(main).into_iter().filter(|pid| is_own(*pid));
    for pid in std::iter::once(main).chain(descendants) {
        let Some(pss) = sampling::pss_kib(pid) else { continue };
        sum += pss;
        count += 1;
        if pid == main {
            own.main = own.main.max(pss);
        }
        if let Some(cpu) = cpu_ms(pid) {
            own.cpu_ms.insert(pid, cpu);
        }
    }
    if sum > own.peak.0 {
        own.peak = (sum, count);
    }
}

/// A stage, or a zygote that is process 1 of its namespace.
fn is_own(pid: u32) -> bool {
    let words = sampling::command_line(pid);
    let name = words.first().map(String::as_str);
    name == Some("seatrial-slot") || (name == Some("seatrial-zygote") && is_first(pid))
}

fn is_first(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
    ids.split_whitespace().last() == Some("1")
}

fn cpu_ms(pid: u32) -> Option<f64> {
    let stat = sampling::stat(pid)?;
    let ticks = |at: usize| stat.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) * TICK_MS)
}
