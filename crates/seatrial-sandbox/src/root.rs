//! The root of a slot, carried out: built once by the zygote, checked after each job, renewed where it was written.
//!
//! Below the root that jobs see lies a second one that they cannot reach, `base`: it holds the lower directories
//! (`l/NAME`), the private layers (`u/NAME-DEPTH`, a tmpfs each, which one unmount throws away; or folders on a disk)
//! and an untouched /proc. The visible root is moved on top of it, as `switch_root` does: a chroot would forbid user
//! namespaces to the tests.
//!
//! - `layer`: an overlay of its own for each host directory.
//! - `skeleton`: what lies between them, in a tmpfs.
//! - `renew`: a job's leavings thrown away, or kept for the jobs that follow.
//! - `places`: directories and mounts. `copying`: kept layers of a disk.

mod copying;
mod layer;
mod places;
mod renew;
mod skeleton;

pub(crate) use layer::Written;
pub(crate) use renew::Kept;
pub(crate) use skeleton::Snapshot;

use crate::Failure;
use crate::plan::{Entry, RootPlan, Top};
use layer::{Overlay, Store};
use places::{
    bind, copy, in_host, in_root, make_dir, make_dirs, make_file, open_dir, own, proc_flags, tmpfs,
};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_change, mount_move,
    mount_remount, unmount,
};
use skeleton::Skeleton;
use std::path::{Path, PathBuf};

/// A built root, as its zygote holds it.
pub(crate) struct Root {
    base: OwnedFd,
    overlays: Vec<Overlay>,
    /// Fresh tmpfs directories that jobs may write: /tmp, /dev/shm.
    fresh: Vec<Fresh>,
    /// What lies in /tmp when it is fresh.
    in_tmp: Vec<Entry>,
    /// What is bound below /tmp: where, and whether it is a directory.
    bound_in_tmp: Vec<(PathBuf, bool)>,
    /// Parts that no layer covers: the root's own directory, /dev.
    skeleton: Vec<Skeleton>,
    store: Store,
    /// Host directories that could only be shown read-only, with the reason.
    pub(crate) read_only: Vec<String>,
}

/// A directory that begins empty.
struct Fresh {
    path: &'static str,
    name: &'static str,
    watch: Watch,
    /// Once something in it was kept, it is a layer over that.
    kept: Option<Overlay>,
}

/// A tmpfs and what it held when it was clean, by its free blocks and files.
struct Watch {
    dir: OwnedFd,
    free: (u64, u64),
    mode: u32,
}

impl Root {
    /// Builds the root in this process' mount namespace and makes it the root of this process.
    ///
    /// # Errors
    /// The step that failed, by name, with its error number.
    pub(crate) fn build(
        plan: &RootPlan,
        scratch: u64,
        layers: Option<&Path>,
        is_root: bool,
    ) -> Result<Self, Failure> {
        let step = |what: &str| {
            let what = what.to_owned();
            move |errno: Errno| Failure { what, errno }
        };
        mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)
            .map_err(step("make mounts private"))?;
        enter_base()?;
        let base = rustix::fs::open(".", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(step("open the base"))?;
        tmpfs("r", if is_root { "mode=755" } else { "mode=755,size=64m" })?;
        let skeleton_fd = open_dir(Path::new("r"))?;
        let mut root = Self {
            base,
            overlays: Vec::new(),
            fresh: Vec::new(),
            in_tmp: Vec::new(),
            bound_in_tmp: Vec::new(),
            skeleton: Vec::new(),
            store: Store::new(scratch, layers.is_some()),
            read_only: Vec::new(),
        };
        match layers {
            Some(folder) => mount_bind(in_host(folder), "s").map_err(step("show the folder of layers"))?,
            None => attributes_in_memory()?,
        }
        for entry in &plan.entries {
            root.add(entry)?;
        }
        for dir in ["proc", "dev", "tmp"] {
            make_dir(&Path::new("r").join(dir), 0o755)?;
        }
        mount("proc", "r/proc", "proc", proc_flags(), None).map_err(step("mount /proc"))?;
        // A second, untouched /proc that nobody can reach: the kernel lets nested user namespaces mount /proc only
        // where some /proc is visible in full.
        mount("proc", "proc", "proc", proc_flags(), None).map_err(step("mount /proc"))?;
        make_dev(&plan.devices)?;
        tmpfs("r/dev/shm", "mode=1777")?;
        root.fresh.push(Fresh { path: "/dev/shm", name: "shm", watch: Watch::of("r/dev/shm")?, kept: None });
        if plan.fresh_tmp {
            tmpfs("r/tmp", &root.store.sized("mode=1777"))?;
            root.in_tmp.clone_from(&plan.kept);
            for entry in &plan.kept {
                root.add(entry)?;
            }
            root.fresh.push(Fresh { path: "/tmp", name: "tmp", watch: Watch::of("r/tmp")?, kept: None });
        }
        if !is_root {
            // The user owns what its zygote makes; natively it may not write here.
            for dir in ["r/dev", "r"] {
                rustix::fs::chmod(dir, Mode::from_bits_truncate(0o555))
                    .map_err(step("close the skeleton"))?;
            }
        }
        root.skeleton.push(Skeleton::of(skeleton_fd)?);
        root.skeleton.push(Skeleton::of(open_dir(Path::new("r/dev"))?)?);
        root.enter(is_root)?;
        Ok(root)
    }

    /// Moves the visible root over the base and lets go of the host's.
    fn enter(&self, is_root: bool) -> Result<(), Failure> {
        let step = |what: &'static str| move |errno: Errno| Failure { what: what.into(), errno };
        if is_root {
            protect_proc()?;
        }
        rustix::process::chdir("r").map_err(step("enter the root"))?;
        mount_move(".", "/").map_err(step("move the root"))?;
        rustix::process::chroot(".").map_err(step("switch root"))?;
        rustix::process::fchdir(&self.base).map_err(step("enter the base"))?;
        unmount("old", UnmountFlags::DETACH).map_err(step("let go of the host's root"))?;
        rustix::process::chdir("/").map_err(step("enter the root"))
    }

    /// Adds one entry below `r`; this process stands in the base.
    fn add(&mut self, entry: &Entry) -> Result<(), Failure> {
        match entry {
            Entry::Dir(top) => {
                make_dirs(Path::new("r"), &top.path)?;
                own(&in_root(&top.path), top)
            }
            Entry::Link { path, target } => rustix::fs::symlink(target, in_root(path))
                .map_err(|errno| Failure { what: format!("link {}", path.display()), errno }),
            Entry::Bind { path, dir, read_only } => self.add_bind(path, *dir, *read_only),
            Entry::Copy(top) => copy(top),
            Entry::Overlay(top) => self.add_overlay(top),
        }
    }

    fn add_bind(&mut self, path: &Path, dir: bool, read_only: bool) -> Result<(), Failure> {
        if path.starts_with("/tmp") {
            self.bound_in_tmp.push((path.to_path_buf(), dir));
        }
        bind(path, dir, read_only)
    }

    fn add_overlay(&mut self, top: &Top) -> Result<(), Failure> {
        make_dirs(Path::new("r"), &top.path)?;
        let name = (self.overlays.len() + self.read_only.len()).to_string();
        let lower = Path::new("l").join(&name);
        make_dir(&lower, 0o755)?;
        let result = mount_bind(in_host(&top.path), &lower)
            .map_err(|errno| Failure { what: format!("bind {}", top.path.display()), errno })
            .and_then(|()| Overlay::new(&mut self.store, top.clone(), name, &in_root(&top.path), true));
        match result {
            Ok(overlay) => self.overlays.push(overlay),
            Err(failure) => {
                // Some file systems cannot be the lower of an overlay: their content is shown as it is.
                self.add_bind(&top.path, true, true)?;
                self.read_only.push(format!("{} ({failure})", top.path.display()));
            }
        }
        Ok(())
    }
}

impl Watch {
    fn of(path: &str) -> Result<Self, Failure> {
        Self::of_fd(open_dir(Path::new(path))?)
    }

    fn of_fd(dir: OwnedFd) -> Result<Self, Failure> {
        let (free, mode) =
            state_of(&dir).map_err(|errno| Failure { what: "watch a directory".into(), errno })?;
        Ok(Self { dir, free, mode })
    }

    /// True when anything was written since; also when that cannot be told.
    fn is_dirty(&self) -> bool {
        state_of(&self.dir) != Ok((self.free, self.mode))
    }
}

/// Free blocks and free files of a tmpfs, which are as they were exactly when it holds what it held; and its mode.
fn state_of(dir: &OwnedFd) -> Result<((u64, u64), u32), Errno> {
    let stat = rustix::fs::fstatfs(dir)?;
    Ok(((stat.f_bfree, stat.f_ffree), rustix::fs::fstat(dir)?.st_mode))
}

/// Layers need attributes of the `user.` kind, which a tmpfs has from Linux 6.6 on: without them a directory that is
/// deleted and made again would fail. A folder on a disk serves instead.
fn attributes_in_memory() -> Result<(), Failure> {
    rustix::fs::setxattr("r", "user.seatrial", b"1", rustix::fs::XattrFlags::empty())
        .and_then(|()| rustix::fs::removexattr("r", "user.seatrial"))
        .map_err(|errno| Failure { what: NO_ATTRIBUTES.into(), errno })
}

/// How the failure begins that a folder on a disk mends.
pub(crate) const NO_ATTRIBUTES: &str = "keep private layers in memory";

/// A tmpfs of our own becomes the root, the host's root lies in `/old`; this process stands in it.
fn enter_base() -> Result<(), Failure> {
    let failure = |errno| Failure { what: "make the base".into(), errno };
    let place = ["/tmp", "/run", "/mnt", "/var", "/usr"]
        .into_iter()
        .find(|dir| Path::new(dir).is_dir())
        .ok_or_else(|| failure(Errno::NOENT))?;
    tmpfs(place, "mode=755")?;
    rustix::process::chdir(place).map_err(failure)?;
    for dir in ["old", "l", "u", "s", "b", "r", "proc"] {
        make_dir(Path::new(dir), 0o755)?;
    }
    rustix::process::pivot_root(".", "old").map_err(failure)?;
    rustix::process::chdir("/").map_err(failure)
}

fn make_dev(devices: &[PathBuf]) -> Result<(), Failure> {
    tmpfs("r/dev", "mode=755")?;
    for device in devices {
        let node = Path::new("r/dev").join(device);
        make_dirs(Path::new("r/dev"), Path::new("/").join(device).parent().unwrap_or(Path::new("/")))?;
        make_file(&node)?;
        mount_bind(Path::new("old/dev").join(device), &node)
            .map_err(|errno| Failure { what: format!("bind /dev/{}", device.display()), errno })?;
    }
    let links = [
        ("/proc/self/fd", "fd"),
        ("/proc/self/fd/0", "stdin"),
        ("/proc/self/fd/1", "stdout"),
        ("/proc/self/fd/2", "stderr"),
        ("pts/ptmx", "ptmx"),
    ];
    for (target, name) in links {
        rustix::fs::symlink(target, Path::new("r/dev").join(name))
            .map_err(|errno| Failure { what: format!("link /dev/{name}"), errno })?;
    }
    for dir in ["r/dev/shm", "r/dev/pts", "r/dev/mqueue"] {
        make_dir(Path::new(dir), 0o755)?;
    }
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    mount("devpts", "r/dev/pts", "devpts", flags, Some(c"newinstance,ptmxmode=0666,mode=620"))
        .map_err(|errno| Failure { what: "mount /dev/pts".into(), errno })?;
    // Not every kernel has POSIX queues in its file tree; the calls work without it.
    let _ = crate::ipc::mount_queues("r/dev/mqueue");
    Ok(())
}

/// Root's jobs own the files of /proc that speak for the whole machine: these become read-only.
fn protect_proc() -> Result<(), Failure> {
    for name in ["sys", "sysrq-trigger", "irq", "bus", "fs"] {
        let path = Path::new("r/proc").join(name);
        if !path.exists() {
            continue;
        }
        let failure = |errno| Failure { what: format!("protect /proc/{name}"), errno };
        mount_bind(&path, &path).map_err(failure)?;
        mount_remount(&path, MountFlags::BIND | MountFlags::RDONLY | proc_flags(), c"").map_err(failure)?;
    }
    Ok(())
}
