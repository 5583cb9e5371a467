//! Control groups: one per slot where this process may make them, for peak memory, a memory limit and, for root, a
//! limit on processes (which `RLIMIT_NPROC` does not hold root to).
//!
//! Version 2 is used where its memory controller is delegated to us, else version 1's memory and pids hierarchies.
//! The groups lie below our own group and are removed when the run ends.

use rustix::fd::OwnedFd;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// Which kind of control groups is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CgroupKind {
    /// The unified hierarchy.
    V2,
    /// Version 1, a hierarchy per controller.
    V1,
}

/// The control groups of a run.
#[derive(Debug)]
pub struct Cgroups {
    kind: CgroupKind,
    memory: PathBuf,
    /// Version 1's pids hierarchy, if any.
    pids: Option<PathBuf>,
    made: Vec<PathBuf>,
}

impl Cgroups {
    /// Makes this run's group, if this process may.
    ///
    /// # Errors
    /// In words: why there are no control groups for us.
    pub fn make(run: &str) -> Result<Self, String> {
        let own = fs::read_to_string("/proc/self/cgroup").map_err(|error| error.to_string())?;
        let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(|error| error.to_string())?;
        match Self::make_v2(run, &own, &mounts) {
            Ok(made) => Ok(made),
            Err(v2) => Self::make_v1(run, &own, &mounts).map_err(|v1| if v1.is_empty() { v2 } else { v1 }),
        }
    }

    /// Which kind is in use.
    #[must_use]
    pub fn kind(&self) -> CgroupKind {
        self.kind
    }

    /// Makes a slot's group with its limits (bytes; processes) and gives its files: peak and events.
    ///
    /// # Errors
    /// The group cannot be made or a limit not set.
    pub fn slot(
        &mut self,
        name: &str,
        memory: Option<u64>,
        processes: u64,
    ) -> io::Result<(OwnedFd, OwnedFd)> {
        let dir = self.memory.join(name);
        self.make_dir(&dir)?;
        let (limit, swap, peak, events) = match self.kind {
            CgroupKind::V2 => ("memory.max", "memory.swap.max", "memory.peak", "memory.events"),
            CgroupKind::V1 => (
                "memory.limit_in_bytes",
                "memory.memsw.limit_in_bytes",
                "memory.max_usage_in_bytes",
                "memory.oom_control",
            ),
        };
        if let Some(bytes) = memory {
            fs::write(dir.join(limit), bytes.to_string())?;
            // Without swap accounting there is no such file, and nothing to limit.
            let swap_limit = if self.kind == CgroupKind::V2 { 0 } else { bytes };
            let _ = fs::write(dir.join(swap), swap_limit.to_string());
        }
        let pids = self.pids.clone().map(|pids| pids.join(name));
        if let Some(pids) = &pids {
            self.make_dir(pids)?;
        }
        let _ = fs::write(pids.as_ref().unwrap_or(&dir).join("pids.max"), processes.to_string());
        let peak = OpenOptions::new().read(true).write(true).open(dir.join(peak))?;
        Ok((peak.into(), File::open(dir.join(events))?.into()))
    }

    /// Moves a process, and what it makes from now on, into a slot's group.
    ///
    /// # Errors
    /// The process is gone or may not be moved.
    pub fn enter(&self, name: &str, pid: u32) -> io::Result<()> {
        for parent in std::iter::once(&self.memory).chain(&self.pids) {
            fs::write(parent.join(name).join("cgroup.procs"), pid.to_string())?;
        }
        Ok(())
    }

    /// Files of a slot's groups to which a process writes `0` to enter them, with what it makes from then on.
    ///
    /// # Errors
    /// The groups are gone.
    pub fn doors(&self, name: &str) -> io::Result<Vec<OwnedFd>> {
        let open = |parent: &PathBuf| {
            OpenOptions::new().write(true).open(parent.join(name).join("cgroup.procs")).map(OwnedFd::from)
        };
        std::iter::once(&self.memory).chain(&self.pids).map(open).collect()
    }

    /// Removes the groups; those that still hold processes stay until their processes are gone.
    ///
    /// True when nothing is left.
    pub fn remove(&mut self) -> bool {
        // Children were made after their parents.
        self.made.sort_by_key(|dir| std::cmp::Reverse(dir.components().count()));
        self.made.retain(|dir| match fs::remove_dir(dir) {
            Ok(()) => false,
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        });
        self.made.is_empty()
    }

    fn make_dir(&mut self, dir: &Path) -> io::Result<()> {
        match fs::create_dir(dir) {
            Ok(()) => self.made.push(dir.to_path_buf()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn make_v2(run: &str, own: &str, mounts: &str) -> Result<Self, String> {
        let path = own_group(own, "").ok_or("this process is in no version 2 group")?;
        let mount = mount_of(mounts, "cgroup2", None).ok_or("no version 2 hierarchy is mounted")?;
        let parent = join(&mount, &path);
        let controllers = fs::read_to_string(parent.join("cgroup.subtree_control")).unwrap_or_default();
        if !controllers.split_whitespace().any(|name| name == "memory") {
            // A group with processes of its own may not hand controllers down; its parent may have done so.
            let all = fs::read_to_string(parent.join("cgroup.controllers")).unwrap_or_default();
            if !all.split_whitespace().any(|name| name == "memory") {
                return Err("the memory controller is not delegated to this session".into());
            }
            fs::write(parent.join("cgroup.subtree_control"), "+memory +pids").map_err(|error| {
                format!("the memory controller cannot be handed down in {}: {error}", parent.display())
            })?;
        }
        Self::below(CgroupKind::V2, &parent, None, run)
    }

    fn make_v1(run: &str, own: &str, mounts: &str) -> Result<Self, String> {
        let find = |controller: &str| {
            let path = own_group(own, controller)?;
            let mount = mount_of(mounts, "cgroup", Some(controller))?;
            Some(join(&mount, &path))
        };
        let memory = find("memory").ok_or_else(String::new)?;
        Self::below(CgroupKind::V1, &memory, find("pids"), run)
    }

    fn below(kind: CgroupKind, parent: &Path, pids: Option<PathBuf>, run: &str) -> Result<Self, String> {
        let name = format!("seatrial-{run}");
        for parent in std::iter::once(parent).chain(pids.as_deref()) {
            sweep(parent);
        }
        let mut made = Self { kind, memory: parent.join(&name), pids: None, made: Vec::new() };
        let memory = made.memory.clone();
        made.make_dir(&memory).map_err(|error| format!("{}: {error}", memory.display()))?;
        if kind == CgroupKind::V2 {
            let _ = fs::write(memory.join("cgroup.subtree_control"), "+memory +pids");
            if !memory.join("memory.peak").exists() {
                made.remove();
                return Err("this kernel's version 2 groups have no memory.peak (Linux 5.19)".into());
            }
        }
        if let Some(pids) = pids.map(|pids| pids.join(&name))
            && made.make_dir(&pids).is_ok()
        {
            made.pids = Some(pids);
        }
        Ok(made)
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        self.remove();
    }
}

/// A group of a run that was killed stays behind; one this old without processes is such a one.
const ABANDONED: std::time::Duration = std::time::Duration::from_secs(5);

/// Removes what killed runs left in `parent`. A group with processes cannot be removed, so no living run is hurt.
fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with("seatrial-");
        let age = entry.metadata().ok().and_then(|meta| meta.modified().ok()?.elapsed().ok());
        if is_ours && age.is_some_and(|age| age > ABANDONED) {
            for slot in fs::read_dir(entry.path()).into_iter().flatten().flatten() {
                let _ = fs::remove_dir(slot.path());
            }
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// This process' group in the hierarchy of `controller` ("" for version 2), from `/proc/self/cgroup` (cgroups(7)).
fn own_group(table: &str, controller: &str) -> Option<String> {
    table.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':');
        let _number = fields.next()?;
        let names = fields.next()?;
        names.split(',').any(|name| name == controller).then(|| fields.next().map(str::to_owned))?
    })
}

/// Where a hierarchy is mounted, from a mount table (proc_pid_mountinfo(5)).
fn mount_of(table: &str, kind: &str, controller: Option<&str>) -> Option<PathBuf> {
    table.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let point = before.split(' ').nth(4)?;
        let mut fields = after.split(' ');
        let is_kind = fields.next()? == kind;
        let options = fields.nth(1)?;
        let has = controller.is_none_or(|name| options.split(',').any(|option| option == name));
        (is_kind && has).then(|| PathBuf::from(point))
    })
}

fn join(mount: &Path, group: &str) -> PathBuf {
    mount.join(group.trim_start_matches('/'))
}
