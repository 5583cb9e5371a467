//! Wall time and CPU time of a whole command.
//!
//! What a command's processes used reaches its parent only for those that somebody waited for; zygotes and killed
//! leftovers may be missing. So, where a version 1 `cpuacct` control group can be made (as root), we enter one of our own
//! and read what everything in it used: nothing escapes that. We ourselves only wait meanwhile. Elsewhere it is the
//! time of waited-for children in `/proc/self/stat`, in steps of 10 ms.

use super::cases::Competitor;
use crate::process::{Result, not_started, words};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

const CPUACCT: &str = "/sys/fs/cgroup/cpuacct";
const TICK_MS: f64 = 10.0;

/// One run of a command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) wall_ms: f64,
    pub(crate) cpu_ms: f64,
}

/// Reads the CPU time of commands.
pub(crate) struct Meter {
    group: Option<PathBuf>,
}

impl Meter {
    /// Enters a control group, if it can be had.
    pub(crate) fn new() -> Self {
        let group = PathBuf::from(format!("{CPUACCT}/seatrial-bench-{}", std::process::id()));
        let entered = fs::create_dir(&group)
            .and_then(|()| fs::write(group.join("cgroup.procs"), std::process::id().to_string()));
        if entered.is_err() {
            let _ = fs::remove_dir(&group);
        }
        Self { group: entered.is_ok().then_some(group) }
    }

    pub(crate) fn method(&self) -> &'static str {
        if self.group.is_some() {
            "of everything in a cpuacct control group of its own, until its last process is gone"
        } else {
            "of children that were waited for, in steps of 10 ms (no cpuacct control group can be made)"
        }
    }

    /// Runs a command, its output thrown away; a bad exit is an error.
    pub(crate) fn run(&self, competitor: &Competitor) -> Result<Sample> {
        let mut command = competitor.command();
        let stdin = match &competitor.stdin {
            Some(path) => File::open(path).map_err(|error| format!("{}: {error}", path.display()))?.into(),
            None => Stdio::null(),
        };
        command.stdin(stdin).stdout(Stdio::null()).stderr(Stdio::null());
        let before = self.cpu_ms();
        let begun = Instant::now();
        let status = command.status().map_err(|error| not_started(&command, &error))?;
        let wall_ms = begun.elapsed().as_secs_f64() * 1e3;
        if !status.success() {
            return Err(format!("`{}` ended with {status}", words(&command)));
        }
        self.wait_until_alone()?;
        Ok(Sample { wall_ms, cpu_ms: self.cpu_ms() - before })
    }

    fn cpu_ms(&self) -> f64 {
        if let Some(group) = &self.group {
            let text = fs::read_to_string(group.join("cpuacct.usage")).unwrap_or_default();
            return text.trim().parse::<f64>().unwrap_or(f64::NAN) / 1e6;
        }
        // Fields 16 and 17, counted behind the name, which may hold blanks.
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let fields: Vec<&str> =
            stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default();
        let ticks =
            |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(f64::NAN);
        (ticks(13) + ticks(14)) * TICK_MS
    }

    /// What a command leaves to die after it belongs to its price.
    fn wait_until_alone(&self) -> Result<()> {
        let Some(group) = &self.group else { return Ok(()) };
        let begun = Instant::now();
        while fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default().lines().count() > 1 {
            if begun.elapsed() > Duration::from_secs(10) {
                return Err("a process of the last command is still there after 10 s".to_owned());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Some(group) = &self.group {
            let _ = fs::write(format!("{CPUACCT}/cgroup.procs"), std::process::id().to_string());
            let _ = fs::remove_dir(group);
        }
    }
}
