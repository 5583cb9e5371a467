//! Processes as `/proc` shows them at one moment.

use std::collections::BTreeMap;
use std::fs;

/// Every process below `main`, without itself.
pub(crate) fn descendants(main: u32) -> Vec<u32> {
    let pids: Vec<u32> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    let parents: BTreeMap<u32, u32> = pids.iter().filter_map(|pid| Some((*pid, parent(*pid)?))).collect();
    let descends = |mut pid: u32| {
        while pid != main {
            match parents.get(&pid) {
                Some(next) => pid = *next,
                None => return false,
            }
        }
        true
    };
    pids.into_iter().filter(|pid| *pid != main && descends(*pid)).collect()
}

/// A process's words, none when it is gone.
pub(crate) fn command_line(pid: u32) -> Vec<String> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).split('\0').map(str::to_owned).collect()
}

/// The fields of `/proc/PID/stat` behind the name, which may hold blanks.
pub(crate) fn stat(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

/// The process that a process is a child of.
pub(crate) fn parent(pid: u32) -> Option<u32> {
    stat(pid)?.get(1)?.parse().ok()
}

/// A process's proportional set size: its own memory, and its share of what it shares.
pub(crate) fn pss_kib(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("Pss:"))?.split_whitespace().next()?.parse().ok()
}
