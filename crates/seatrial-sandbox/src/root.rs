//! The root of a slot, carried out: built once by the zygote, checked after each job, renewed where it was written.
//!
//! Below the root that jobs see lies a second one that they cannot reach, `base`: it holds the lower directories
//! (`l/N`), the private layers (`u/N`, a tmpfs each, which one unmount throws away; or folders on a disk) and an
//! untouched /proc. The visible root is moved on top of it, as `switch_root` does: a chroot would forbid user
//! namespaces to the tests.

use crate::Failure;
use crate::plan::{Entry, RootPlan, Top};
use crate::sys;
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive, mount_change,
    mount_move, mount_remount, unmount,
};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A built root, as its zygote holds it.
pub(crate) struct Root {
    base: OwnedFd,
    overlays: Vec<Overlay>,
    kept: Vec<Entry>,
    /// Fresh tmpfs directories that jobs may write: /tmp, /dev/shm.
    fresh: Vec<Fresh>,
    /// Parts that cannot be renewed on their own: the skeleton, /dev.
    skeleton: Vec<Watch>,
    scratch: u64,
    /// True: layers are folders in `s`, a folder on a disk.
    on_disk: bool,
    made: usize,
    /// Host directories that could only be shown read-only, with the reason.
    pub(crate) read_only: Vec<String>,
}

struct Overlay {
    top: Top,
    lower: usize,
    layer: Layer,
}

/// A private layer: its folder (with the layer in `u`), and `u` as it was when it was clean.
///
/// Whatever is written in a layer begins with an entry in `u`, or changes `u` itself.
struct Layer {
    dir: OwnedFd,
    upper: OwnedFd,
    clean: Shape,
    on_disk: bool,
}

/// What shows a change of a directory: size (on tmpfs it counts entries), links, mode, owners, times.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Shape([i64; 9]);

struct Fresh {
    path: &'static str,
    watch: Watch,
}

/// A tmpfs and what it held when it was clean, by its free blocks and files.
struct Watch {
    dir: OwnedFd,
    free: (u64, u64),
    mode: u32,
}

/// A private layer that a job wrote: the directory it stands for, and its tmpfs (with the layer in `u`).
pub(crate) struct Written {
    pub(crate) path: PathBuf,
    pub(crate) layer: OwnedFd,
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
            kept: Vec::new(),
            fresh: Vec::new(),
            skeleton: Vec::new(),
            scratch,
            on_disk: layers.is_some(),
            made: 0,
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
        root.fresh.push(Fresh { path: "/dev/shm", watch: Watch::of("r/dev/shm")? });
        if plan.fresh_tmp {
            tmpfs("r/tmp", &root.sized("mode=1777"))?;
            root.kept.clone_from(&plan.kept);
            for entry in &plan.kept {
                root.add(entry)?;
            }
            root.fresh.push(Fresh { path: "/tmp", watch: Watch::of("r/tmp")? });
        }
        if !is_root {
            // The user owns what its zygote makes; natively it may not write here.
            for dir in ["r/dev", "r"] {
                rustix::fs::chmod(dir, Mode::from_bits_truncate(0o555))
                    .map_err(step("close the skeleton"))?;
            }
        }
        root.skeleton.push(Watch::of_fd(skeleton_fd)?);
        root.skeleton.push(Watch::of("r/dev")?);
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

    /// What the job that has just ended wrote outside the fresh directories: each written layer is handed out and a
    /// clean one put in its place. `None`: something was written that cannot be renewed; the slot must be rebuilt.
    pub(crate) fn renew(&mut self, written: &mut Vec<Written>) -> Option<()> {
        if self.skeleton.iter().any(Watch::is_dirty) {
            self.collect(written);
            return None;
        }
        let dirty: Vec<usize> =
            (0..self.overlays.len()).filter(|index| self.overlays[*index].layer.is_dirty()).collect();
        self.collect(written);
        for index in dirty {
            self.renew_overlay(index).ok()?;
        }
        for index in 0..self.fresh.len() {
            if self.fresh[index].watch.is_dirty() {
                self.renew_fresh(index)?;
            }
        }
        Some(())
    }

    /// Hands out the written layers without putting clean ones in their place.
    fn collect(&self, written: &mut Vec<Written>) {
        for overlay in self.overlays.iter().filter(|overlay| overlay.layer.is_dirty()) {
            if let Ok(layer) = overlay.layer.dir.try_clone() {
                written.push(Written { path: overlay.top.path.clone(), layer });
            }
        }
    }

    /// Puts a clean layer in the place of an overlay's, and of all overlays below it, whose mounts go with it.
    fn renew_overlay(&mut self, index: usize) -> Result<(), Failure> {
        let path = self.overlays[index].top.path.clone();
        let failure = |errno| Failure { what: format!("renew {}", path.display()), errno };
        unmount(&path, UnmountFlags::DETACH).map_err(failure)?;
        self.mount_again(&path)
    }

    /// Mounts the overlays at and below `path` with clean layers, the outer ones first.
    fn mount_again(&mut self, path: &Path) -> Result<(), Failure> {
        let failure = |errno| Failure { what: format!("renew {}", path.display()), errno };
        rustix::process::fchdir(&self.base).map_err(failure)?;
        for index in 0..self.overlays.len() {
            let Overlay { top, lower, .. } = &self.overlays[index];
            if top.path.starts_with(path) {
                let (top, lower) = (top.clone(), *lower);
                self.overlays[index].layer = self.layer(&top, lower, &top.path)?;
            }
        }
        rustix::process::chdir("/").map_err(failure)
    }

    /// Puts an empty directory in the place of a fresh one that was written. `None`: it cannot be done.
    fn renew_fresh(&mut self, index: usize) -> Option<()> {
        let path = self.fresh[index].path;
        let of_tmp: Vec<Entry> = if path == "/tmp" { self.kept.clone() } else { Vec::new() };
        // Whatever is neither overlay nor empty came from the host's root, which is out of reach by now.
        if !of_tmp.iter().all(|entry| matches!(entry, Entry::Overlay(_) | Entry::Dir(_))) {
            return None;
        }
        unmount(path, UnmountFlags::DETACH).ok()?;
        tmpfs(path, &self.sized("mode=1777")).ok()?;
        for entry in &of_tmp {
            if let Entry::Overlay(top) | Entry::Dir(top) = entry {
                make_dirs(Path::new("/"), &top.path).ok()?;
                own(&top.path, top).ok()?;
            }
        }
        if !of_tmp.is_empty() {
            self.mount_again(Path::new(path)).ok()?;
        }
        self.fresh[index].watch = Watch::of(path).ok()?;
        Some(())
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
            Entry::Bind { path, dir, read_only } => bind(path, *dir, *read_only),
            Entry::Copy(top) => copy(top),
            Entry::Overlay(top) => self.add_overlay(top),
        }
    }

    fn add_overlay(&mut self, top: &Top) -> Result<(), Failure> {
        make_dirs(Path::new("r"), &top.path)?;
        let lower = self.overlays.len() + self.read_only.len();
        let lower_dir = format!("l/{lower}");
        make_dir(Path::new(&lower_dir), 0o755)?;
        let result = mount_bind(in_host(&top.path), &lower_dir)
            .map_err(|errno| Failure { what: format!("bind {}", top.path.display()), errno })
            .and_then(|()| self.layer(top, lower, &in_root(&top.path)));
        match result {
            Ok(layer) => self.overlays.push(Overlay { top: top.clone(), lower, layer }),
            Err(failure) => {
                // Some file systems cannot be the lower of an overlay: their content is shown as it is.
                bind(&top.path, true, true)?;
                self.read_only.push(format!("{} ({failure})", top.path.display()));
            }
        }
        Ok(())
    }

    /// Mounts a clean private layer and the overlay of it over `l/<lower>` on `target`; stands in the base.
    fn layer(&mut self, top: &Top, lower: usize, target: &Path) -> Result<Layer, Failure> {
        let dir = self.layer_dir(lower)?;
        let (upper, work) = (format!("{dir}/u"), format!("{dir}/w"));
        make_dir(Path::new(&upper), 0o755)?;
        make_dir(Path::new(&work), 0o700)?;
        // The merged directory takes owner and mode of the layer's.
        own(Path::new(&upper), top)?;
        let options = format!("lowerdir=l/{lower},upperdir={upper},workdir={work},userxattr");
        let failure = |errno| Failure { what: format!("overlay {}", top.path.display()), errno };
        // One device number for the whole directory, as natively, where the file system's inode numbers allow it.
        let with_xino = CString::new(format!("{options},xino=on")).map_err(|_| failure(Errno::INVAL))?;
        let plain = CString::new(options).map_err(|_| failure(Errno::INVAL))?;
        mount("overlay", target, "overlay", MountFlags::empty(), Some(with_xino.as_c_str()))
            .or_else(|_| mount("overlay", target, "overlay", MountFlags::empty(), Some(plain.as_c_str())))
            .map_err(failure)?;
        Layer::of(&dir, self.on_disk)
    }

    /// An empty folder for a layer, in the place of the one that this overlay had before.
    fn layer_dir(&mut self, lower: usize) -> Result<String, Failure> {
        if self.on_disk {
            self.made += 1;
            let dir = format!("s/{lower}-{}", self.made);
            make_dir(Path::new(&dir), 0o755)?;
            return Ok(dir);
        }
        let dir = format!("u/{lower}");
        make_dir(Path::new(&dir), 0o755)?;
        // The old one lives on as long as somebody holds it.
        let _ = unmount(&dir, UnmountFlags::DETACH);
        tmpfs(&dir, &self.sized("mode=755"))?;
        Ok(dir)
    }

    fn sized(&self, options: &str) -> String {
        if self.scratch == 0 { options.to_owned() } else { format!("{options},size={}", self.scratch) }
    }
}

impl Layer {
    fn of(dir: &str, on_disk: bool) -> Result<Self, Failure> {
        let (dir, upper) = (open_dir(Path::new(dir))?, open_dir(&Path::new(dir).join("u"))?);
        let clean = Shape::of(&upper).map_err(|errno| Failure { what: "watch a layer".into(), errno })?;
        Ok(Self { dir, upper, clean, on_disk })
    }

    /// True when anything was written since; also when that cannot be told.
    fn is_dirty(&self) -> bool {
        // A disk's directories do not tell their entries by their size, and its clock may be coarse.
        Shape::of(&self.upper) != Ok(self.clean) || (self.on_disk && has_entries(&self.upper))
    }
}

impl Shape {
    fn of(dir: &OwnedFd) -> Result<Self, Errno> {
        let stat = rustix::fs::fstat(dir)?;
        Ok(Self([
            stat.st_size,
            stat.st_nlink as i64,
            i64::from(stat.st_mode),
            i64::from(stat.st_uid),
            i64::from(stat.st_gid),
            stat.st_mtime,
            stat.st_mtime_nsec as i64,
            stat.st_ctime,
            stat.st_ctime_nsec as i64,
        ]))
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

/// True when a directory has entries, or cannot be read.
fn has_entries(dir: &OwnedFd) -> bool {
    let _ = rustix::fs::seek(dir, rustix::fs::SeekFrom::Start(0));
    let mut buffer = [std::mem::MaybeUninit::uninit(); 1024];
    let mut entries = rustix::fs::RawDir::new(dir, &mut buffer);
    while let Some(entry) = entries.next() {
        match entry {
            Ok(entry) if matches!(entry.file_name().to_bytes(), b"." | b"..") => {}
            Ok(_) | Err(_) => return true,
        }
    }
    false
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
    for dir in ["old", "l", "u", "s", "r", "proc"] {
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
    let _ = mount_queues("r/dev/mqueue");
    Ok(())
}

/// Mounts the POSIX queues of this process' IPC namespace, in the place of those of an earlier one.
pub(crate) fn mount_queues(target: &str) -> Result<(), Errno> {
    let _ = unmount(target, UnmountFlags::DETACH);
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("mqueue", target, "mqueue", flags, None)
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

fn proc_flags() -> MountFlags {
    MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC
}

fn bind(path: &Path, dir: bool, read_only: bool) -> Result<(), Failure> {
    let (source, target) = (in_host(path), in_root(path));
    let failure = |errno| Failure { what: format!("bind {}", path.display()), errno };
    if dir {
        make_dirs(Path::new("r"), path)?;
        mount_bind_recursive(&source, &target).map_err(failure)?;
    } else {
        make_file(&target)?;
        mount_bind(&source, &target).map_err(failure)?;
    }
    if read_only {
        let target = CString::new(target.as_os_str().as_bytes()).map_err(|_| failure(Errno::INVAL))?;
        sys::read_only_recursive(&target).map_err(failure)?;
    }
    Ok(())
}

fn copy(top: &Top) -> Result<(), Failure> {
    let target = in_root(&top.path);
    std::fs::copy(in_host(&top.path), &target).map_err(|error| Failure {
        what: format!("copy {}", top.path.display()),
        errno: Errno::from_io_error(&error).unwrap_or(Errno::IO),
    })?;
    own(&target, top)
}

fn own(dir: &Path, top: &Top) -> Result<(), Failure> {
    // Without a whole range of ids mapped, the owner cannot be given away; the mode has been narrowed for that.
    let _ = rustix::fs::chown(dir, Some(Uid::from_raw(top.uid)), Some(Gid::from_raw(top.gid)));
    rustix::fs::chmod(dir, Mode::from_bits_truncate(top.mode))
        .map_err(|errno| Failure { what: format!("set the mode of {}", top.path.display()), errno })
}

fn tmpfs(target: impl AsRef<std::ffi::OsStr>, options: &str) -> Result<(), Failure> {
    let target = Path::new(target.as_ref());
    let failure = |errno| Failure { what: format!("mount tmpfs on {}", target.display()), errno };
    let options = CString::new(options).map_err(|_| failure(Errno::INVAL))?;
    mount("tmpfs", target, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, Some(options.as_c_str()))
        .map_err(failure)
}

fn open_dir(path: &Path) -> Result<OwnedFd, Failure> {
    rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| Failure { what: format!("open {}", path.display()), errno })
}

fn make_dir(path: &Path, mode: u32) -> Result<(), Failure> {
    match rustix::fs::mkdir(path, Mode::from_bits_truncate(mode)) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(Failure { what: format!("make directory {}", path.display()), errno }),
    }
}

/// Makes `path` and its parents below `root`.
fn make_dirs(root: &Path, path: &Path) -> Result<(), Failure> {
    let mut at = root.to_path_buf();
    for part in path.components().skip(1) {
        at.push(part);
        make_dir(&at, 0o755)?;
    }
    Ok(())
}

fn make_file(path: &Path) -> Result<(), Failure> {
    let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, path, flags, Mode::from_bits_truncate(0o644))
        .map(drop)
        .map_err(|errno| Failure { what: format!("make {}", path.display()), errno })
}

fn in_root(path: &Path) -> PathBuf {
    Path::new("r").join(path.strip_prefix("/").unwrap_or(path))
}

fn in_host(path: &Path) -> PathBuf {
    Path::new("old").join(path.strip_prefix("/").unwrap_or(path))
}
