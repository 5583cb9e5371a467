//! What a run may leave behind and must not: processes, mounts, control groups, files.
//!
//! This process makes itself the heir of all orphans below it, so that a process which outlives its run shows up as
//! a child that nobody started here: that needs no right to look into it, which a zygote gives to nobody.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Children of this process that were started by [`spawn`] and not yet waited for by their owner.
fn known() -> MutexGuard<'static, BTreeSet<u32>> {
    static KNOWN: OnceLock<Mutex<BTreeSet<u32>>> = OnceLock::new();
    let known = KNOWN.get_or_init(|| {
        let this = rustix::process::getpid();
        rustix::process::set_child_subreaper(Some(this)).expect("a process may inherit its orphans");
        Mutex::default()
    });
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a command whose process is no leftover. Tests start everything here.
///
/// # Errors
/// As [`Command::spawn`].
pub fn spawn(command: &mut Command) -> std::io::Result<Child> {
    let mut known = known();
    let child = command.spawn()?;
    known.insert(child.id());
    Ok(child)
}

/// The owner has waited for this child.
pub(crate) fn waited(pid: u32) {
    known().remove(&pid);
}

/// Children of this process that nobody started here, by id and name; those that have ended are reaped.
#[must_use]
pub fn orphans() -> Vec<String> {
    let known = known();
    let mut found = Vec::new();
    for (pid, name, state) in children() {
        if known.contains(&pid) {
            continue;
        }
        if state == 'Z' {
            let raw = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
            let _ = rustix::process::waitpid(raw, rustix::process::WaitOptions::NOHANG);
        } else {
            found.push(format!("{pid} {name} ({state})"));
        }
    }
    found
}

/// Id, name and state of this process' children.
fn children() -> Vec<(u32, String, char)> {
    let this = std::process::id();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name stands in parentheses and may hold some itself.
        let (before, after) = stat.rsplit_once(')')?;
        let mut fields = after.split_whitespace();
        let state = fields.next()?.chars().next()?;
        let parent: u32 = fields.next()?.parse().ok()?;
        (parent == this)
            .then(|| (pid, before.split_once('(').map_or("?", |(_, name)| name).to_owned(), state))
    })
    .collect()
}

/// Processes of a whole tree, for a test that wants to see some alive: id and name.
#[must_use]
pub fn descendants(of: u32) -> Vec<(u32, String)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let mut all: Vec<(u32, u32, String)> = Vec::new();
    for pid in entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        let Some((before, after)) = stat.rsplit_once(')') else { continue };
        let Some(parent) = after.split_whitespace().nth(1).and_then(|field| field.parse().ok()) else {
            continue;
        };
        all.push((pid, parent, before.split_once('(').map_or("?", |(_, name)| name).to_owned()));
    }
    let mut found: Vec<(u32, String)> = Vec::new();
    let mut parents = vec![of];
    while let Some(parent) = parents.pop() {
        for (pid, _, name) in all.iter().filter(|(_, of, _)| *of == parent) {
            parents.push(*pid);
            found.push((*pid, name.clone()));
        }
    }
    found
}

/// What of Seatrial is on this machine, as far as others' runs do not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// Lines of the mount table that name Seatrial.
    pub mounts: BTreeSet<String>,
    /// Control groups of runs in which no process is left: a run that lives has some.
    pub groups: BTreeSet<PathBuf>,
    /// Seatrial's entries of the world's temporary directory.
    pub files: BTreeSet<PathBuf>,
}

/// Looks at the machine, and at a world's temporary directory.
#[must_use]
pub fn leftovers(tmp: &Path) -> Leftovers {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mut groups = BTreeSet::new();
    for parent in own_groups() {
        for dir in seatrials(&parent) {
            if !holds_processes(&dir) {
                groups.insert(dir);
            }
        }
    }
    Leftovers {
        mounts: mounts.lines().filter(|line| line.contains("seatrial-")).map(str::to_owned).collect(),
        groups,
        files: seatrials(tmp).into_iter().collect(),
    }
}

/// Entries of a directory that are named like Seatrial's.
fn seatrials(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let named =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("seatrial-"));
    entries.flatten().map(|entry| entry.path()).filter(named).collect()
}

/// The folders of this process' own control groups, where runs make theirs.
fn own_groups() -> Vec<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points: Vec<&str> = mounts
        .lines()
        .filter(|line| line.contains(" - cgroup"))
        .filter_map(|line| line.split(' ').nth(4))
        .collect();
    let mut found = Vec::new();
    for path in own.lines().filter_map(|line| line.splitn(3, ':').nth(2)) {
        for point in &points {
            found.push(Path::new(point).join(path.trim_start_matches('/')));
        }
    }
    found.sort();
    found.dedup();
    found
}

fn holds_processes(group: &Path) -> bool {
    let own = fs::read_to_string(group.join("cgroup.procs")).is_ok_and(|text| !text.trim().is_empty());
    own || fs::read_dir(group).is_ok_and(|entries| {
        entries.flatten().any(|entry| entry.path().is_dir() && holds_processes(&entry.path()))
    })
}
