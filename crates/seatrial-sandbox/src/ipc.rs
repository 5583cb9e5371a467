//! What jobs leave in their IPC namespace: System V objects and POSIX queues.

use crate::sys;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

/// Where the slot shows its POSIX queues.
const QUEUES: &str = "/dev/mqueue";

/// A slot's IPC namespace.
pub(crate) struct Ipc {
    queues: Option<Queues>,
    /// What belongs to the state that is kept: names and numbers of all objects. Absent: nothing may be there.
    kept: Option<Vec<String>>,
}

/// What shows a left-over queue: the size of their directory.
struct Queues {
    dir: OwnedFd,
    empty: i64,
}

impl Ipc {
    /// The namespace of this process, which is empty.
    pub(crate) fn open() -> Self {
        Self { queues: Queues::open(), kept: None }
    }

    /// True when it does not hold what it should; also when that cannot be told.
    pub(crate) fn is_dirty(&self) -> bool {
        match &self.kept {
            None => self.holds_anything(),
            Some(kept) => objects().as_ref() != Some(kept),
        }
    }

    /// What is there now is what should be there from now on.
    pub(crate) fn keep(&mut self) {
        if self.is_dirty() {
            self.kept = if self.holds_anything() { Some(objects().unwrap_or_default()) } else { None };
        }
    }

    /// Puts an empty namespace in the place of this one unless it is empty. False when that cannot be done.
    pub(crate) fn renew(&mut self) -> bool {
        self.kept = None;
        if !self.holds_anything() {
            return true;
        }
        if sys::fresh_ipc().is_err() || (self.queues.is_some() && mount_queues(QUEUES).is_err()) {
            return false;
        }
        self.queues = Queues::open();
        true
    }

    fn holds_anything(&self) -> bool {
        sys::has_system_v_objects() || self.queues.as_ref().is_some_and(Queues::is_dirty)
    }
}

impl Queues {
    fn open() -> Option<Self> {
        let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
        let dir = rustix::fs::open(QUEUES, flags, rustix::fs::Mode::empty()).ok()?;
        let empty = rustix::fs::fstat(&dir).ok()?.st_size;
        Some(Self { dir, empty })
    }

    /// True when a queue is left over; also when that cannot be told. The directory's size counts its entries.
    fn is_dirty(&self) -> bool {
        rustix::fs::fstat(&self.dir).map_or(true, |stat| stat.st_size != self.empty)
    }
}

/// Kind and number of each System V object (proc_sysvipc(5)), names of queues. `None`: they cannot be read.
fn objects() -> Option<Vec<String>> {
    let mut found = Vec::new();
    for kind in ["shm", "sem", "msg"] {
        let table = std::fs::read_to_string(format!("/proc/sysvipc/{kind}")).ok()?;
        let numbers = table.lines().skip(1).filter_map(|line| line.split_whitespace().nth(1));
        found.extend(numbers.map(|number| format!("{kind} {number}")));
    }
    for entry in std::fs::read_dir(QUEUES).into_iter().flatten() {
        found.push(format!("queue {}", entry.ok()?.file_name().to_string_lossy()));
    }
    found.sort();
    Some(found)
}

/// Mounts the POSIX queues of this process' IPC namespace, in the place of those of an earlier one.
pub(crate) fn mount_queues(target: &str) -> Result<(), Errno> {
    let _ = unmount(target, UnmountFlags::DETACH);
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("mqueue", target, "mqueue", flags, None)
}
