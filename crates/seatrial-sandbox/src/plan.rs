//! What the root of a slot is made of: the host's own directories, each below a private layer.
//!
//! A user namespace may not clone a directory that holds other mounts (they are locked together), so a directory
//! with mounts below it is mirrored entry by entry, and everything else is one overlay. The plan is made once per
//! run, by the engine, from the host's mount table; every zygote carries it out.

use crate::wire::{Reader, Writer};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Directories that are made fresh in every slot.
const FRESH: [&str; 3] = ["/tmp", "/dev", "/proc"];

/// A directory with more entries than this is bound as a whole, read-only, instead of being mirrored.
const MIRROR_LIMIT: usize = 2_000;

/// Bytes of a file that is copied rather than bound read-only, at most.
const SMALL: u64 = 1 << 20;

/// Symbolic links that a path may lead through, as in the kernel (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// One thing in a slot's root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A directory of the skeleton, whose entries follow.
    Dir(Top),
    /// A symbolic link.
    Link {
        /// Where.
        path: PathBuf,
        /// What it says.
        target: PathBuf,
    },
    /// A host directory with a private layer above it.
    Overlay(Top),
    /// A small file that is no directory's part (a mount of its own, or beside mounts): copied, so that it can be
    /// written privately.
    Copy(Top),
    /// A host file or directory as it is: read-only, or as the host has it.
    Bind {
        /// Where.
        path: PathBuf,
        /// True for a directory.
        dir: bool,
        /// False lets writes through to the host.
        read_only: bool,
    },
}

/// A directory (or copied file) with the owner and mode it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Top {
    /// Where.
    pub path: PathBuf,
    /// Permission bits, without the write bits that the user has not natively.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// The root of a slot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RootPlan {
    /// In an order that makes parents before their children.
    pub entries: Vec<Entry>,
    /// What lies under /tmp and stays visible there.
    pub kept: Vec<Entry>,
    /// False: /tmp itself is kept (something asked for lies directly in it), copy-on-write like the rest.
    pub fresh_tmp: bool,
    /// Device nodes bound from the host, below /dev.
    pub devices: Vec<PathBuf>,
}

/// What the plan must take into account.
#[derive(Clone, Debug, Default)]
pub struct RootRequest {
    /// Paths that must be visible although they may lie under a fresh directory: project, toolchain, environment.
    pub keep: Vec<PathBuf>,
    /// Directories that must be there: where they lie under a fresh one, they are made, empty.
    pub make: Vec<PathBuf>,
    /// Device nodes beside the usual ones.
    pub devices: Vec<PathBuf>,
    /// True: /run is the host's own (its sockets answer), not a private layer over it.
    pub host_run: bool,
}

/// Device nodes that a native run has and that reach nothing outside the container's reach.
const DEVICES: [&str; 9] = ["null", "zero", "full", "random", "urandom", "tty", "fuse", "kvm", "net/tun"];

impl RootPlan {
    /// The plan for this machine's root, as this process sees it.
    ///
    /// # Errors
    /// The mount table or the root directory cannot be read.
    pub fn of_host(request: &RootRequest) -> io::Result<Self> {
        let mounts = mount_points(&std::fs::read("/proc/self/mountinfo")?);
        let mut plan = Self { fresh_tmp: true, ..Self::default() };
        let kept: Vec<PathBuf> = request.keep.iter().filter_map(|path| under_tmp(path)).collect();
        plan.fresh_tmp = !kept.iter().any(|path| path == Path::new("/tmp"));
        if plan.fresh_tmp {
            for path in outermost(kept) {
                plan.mirror_dir(path, &mounts, request)?;
            }
            plan.kept = std::mem::take(&mut plan.entries);
            let made = request.make.iter().filter_map(|path| std::fs::canonicalize(path).ok());
            let made = made.filter(|path| path.starts_with("/tmp"));
            plan.kept.extend(made.filter_map(|path| Top::of(&path).ok()).map(Entry::Dir));
            plan.links_in_tmp(request);
        }
        plan.mirror(Path::new("/"), &mounts, request)?;
        if !rustix::process::geteuid().is_root() {
            plan.own_overlays(request, &mounts);
        }
        let named = request.devices.iter().filter_map(|path| path.strip_prefix("/dev").ok());
        for device in DEVICES.iter().map(Path::new).chain(named) {
            let is_device = std::fs::metadata(Path::new("/dev").join(device))
                .is_ok_and(|meta| meta.file_type().is_char_device() || meta.file_type().is_block_device());
            if is_device && !plan.devices.iter().any(|known| known == device) {
                plan.devices.push(device.to_path_buf());
            }
        }
        Ok(plan)
    }

    /// Symbolic links in a fresh /tmp by which a path leads that somebody may follow.
    fn links_in_tmp(&mut self, request: &RootRequest) {
        let shown = |path: &Path, kept: &[Entry]| {
            kept.iter().any(|entry| matches!(entry, Entry::Overlay(top) if path.starts_with(&top.path)))
        };
        let all = request.keep.iter().chain(&request.make).flat_map(|path| links_of(path));
        let links: BTreeMap<PathBuf, PathBuf> = all.filter(|(path, _)| path.starts_with("/tmp")).collect();
        for (path, target) in links {
            if shown(&path, &self.kept) {
                continue;
            }
            let parent = path.parent().filter(|parent| *parent != Path::new("/tmp"));
            self.kept.extend(parent.and_then(|parent| Top::of(parent).ok()).map(Entry::Dir));
            self.kept.push(Entry::Link { path, target });
        }
    }

    /// Overlays of their own for directories that the user may write although somebody else owns what they lie in:
    /// an overlay copies a directory's parents up first, and the owner of those has no id in the slot.
    fn own_overlays(&mut self, request: &RootRequest, mounts: &[PathBuf]) {
        let shared = ["/var/tmp", "/run/lock", "/var/crash"].map(PathBuf::from);
        let asked = request.keep.iter().chain(&request.make).chain(&shared);
        // Sorted, so that none is hidden below one that lies around it.
        let frontiers: BTreeSet<PathBuf> = asked.filter_map(|path| frontier(path)).collect();
        for path in frontiers {
            let is_top = |at: &Path| {
                let tops = self.entries.iter().chain(&self.kept).filter_map(|entry| match entry {
                    Entry::Overlay(top) | Entry::Dir(top) => Some(&top.path),
                    Entry::Link { .. } | Entry::Bind { .. } | Entry::Copy(_) => None,
                });
                tops.into_iter().any(|top| top == at)
            };
            let covered = is_top(&path) || (is_own(&path) && path.parent().is_some_and(is_top));
            let fresh = FRESH.iter().any(|fresh| path.starts_with(fresh));
            let has_mounts = mounts.iter().any(|mount| mount != &path && mount.starts_with(&path));
            if let (false, false, false, Ok(top)) = (covered, fresh, has_mounts, Top::of(&path)) {
                self.entries.push(Entry::Overlay(top));
            }
        }
    }

    fn mirror(&mut self, dir: &Path, mounts: &[PathBuf], request: &RootRequest) -> io::Result<()> {
        let mut entries: Vec<_> = std::fs::read_dir(dir)?.collect::<Result<_, _>>()?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let (path, kind) = (entry.path(), entry.file_type()?);
            if kind.is_symlink() {
                let target = std::fs::read_link(&path)?;
                self.entries.push(Entry::Link { path, target });
            } else if kind.is_dir() {
                self.mirror_dir(path, mounts, request)?;
            } else if kind.is_file() {
                self.entries.push(match Top::of_small_file(&path) {
                    Some(top) => Entry::Copy(top),
                    None => Entry::Bind { path, dir: false, read_only: true },
                });
            }
        }
        Ok(())
    }

    fn mirror_dir(&mut self, path: PathBuf, mounts: &[PathBuf], request: &RootRequest) -> io::Result<()> {
        let is_fresh = FRESH.iter().any(|fresh| path == Path::new(fresh));
        if is_fresh && (path != Path::new("/tmp") || self.fresh_tmp) {
            return Ok(());
        }
        if path == Path::new("/sys") {
            self.entries.push(Entry::Bind { path, dir: true, read_only: true });
            return Ok(());
        }
        if path == Path::new("/run") && request.host_run {
            self.entries.push(Entry::Bind { path, dir: true, read_only: false });
            return Ok(());
        }
        // A directory that vanished or that the user may not even look at stays as an empty one.
        let Ok(top) = Top::of(&path) else { return Ok(()) };
        let has_mounts = mounts.iter().any(|mount| mount != &path && mount.starts_with(&path));
        if !has_mounts {
            self.entries.push(Entry::Overlay(top));
            return Ok(());
        }
        match std::fs::read_dir(&path).map(Iterator::count) {
            Ok(count) if count <= MIRROR_LIMIT => {
                self.entries.push(Entry::Dir(top));
                self.mirror(&path, mounts, request)
            }
            Ok(_) => {
                self.entries.push(Entry::Bind { path, dir: true, read_only: true });
                Ok(())
            }
            Err(_) => {
                self.entries.push(Entry::Dir(top));
                Ok(())
            }
        }
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        for entries in [&self.entries, &self.kept] {
            writer.u32(entries.len() as u32);
            entries.iter().for_each(|entry| entry.encode(writer));
        }
        writer.u8(u8::from(self.fresh_tmp)).u32(self.devices.len() as u32);
        for device in &self.devices {
            write_path(writer, device);
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let mut plan = Self::default();
        for entries in [&mut plan.entries, &mut plan.kept] {
            for _ in 0..reader.u32()? {
                entries.push(Entry::decode(reader)?);
            }
        }
        plan.fresh_tmp = reader.u8()? != 0;
        for _ in 0..reader.u32()? {
            plan.devices.push(path_from(reader)?);
        }
        Some(plan)
    }
}

impl Entry {
    fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Dir(top) => top.encode(writer.u8(0)),
            Self::Overlay(top) => top.encode(writer.u8(1)),
            Self::Link { path, target } => {
                write_path(writer.u8(2), path);
                write_path(writer, target);
            }
            Self::Bind { path, dir, read_only } => {
                write_path(writer.u8(3), path);
                writer.u8(u8::from(*dir)).u8(u8::from(*read_only));
            }
            Self::Copy(top) => top.encode(writer.u8(4)),
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        Some(match reader.u8()? {
            0 => Self::Dir(Top::decode(reader)?),
            1 => Self::Overlay(Top::decode(reader)?),
            2 => Self::Link { path: path_from(reader)?, target: path_from(reader)? },
            3 => {
                Self::Bind { path: path_from(reader)?, dir: reader.u8()? != 0, read_only: reader.u8()? != 0 }
            }
            4 => Self::Copy(Top::decode(reader)?),
            _ => return None,
        })
    }
}

fn write_path(writer: &mut Writer, path: &Path) {
    writer.bytes(path.as_os_str().as_bytes());
}

impl Top {
    /// A host directory with its owner, and its mode as far as this user may use it.
    fn of(path: &Path) -> io::Result<Self> {
        let meta = std::fs::metadata(path)?;
        if !meta.is_dir() {
            return Err(io::Error::from(io::ErrorKind::NotADirectory));
        }
        Ok(Self::narrowed(path, &meta))
    }

    /// A file that is small enough to be copied and may be read.
    fn of_small_file(path: &Path) -> Option<Self> {
        let meta = std::fs::metadata(path).ok()?;
        let readable = rustix::fs::access(path, rustix::fs::Access::READ_OK).is_ok();
        (meta.len() <= SMALL && readable).then(|| Self::narrowed(path, &meta))
    }

    fn narrowed(path: &Path, meta: &std::fs::Metadata) -> Self {
        let mut mode = meta.mode() & 0o7777;
        if rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_err() {
            // In the slot the user owns the layer's top directory: without this it could write where it may not.
            mode &= !0o222;
        }
        Self { path: path.to_path_buf(), mode, uid: meta.uid(), gid: meta.gid() }
    }

    fn encode(&self, writer: &mut Writer) {
        writer.bytes(self.path.as_os_str().as_bytes()).u32(self.mode).u32(self.uid).u32(self.gid);
    }

    fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self { path: path_from(reader)?, mode: reader.u32()?, uid: reader.u32()?, gid: reader.u32()? })
    }
}

fn path_from(reader: &mut Reader<'_>) -> Option<PathBuf> {
    reader.bytes().map(|bytes| PathBuf::from(OsStr::from_bytes(bytes)))
}

/// The outermost directory around a path that the user may write, going up through what the user owns.
fn frontier(path: &Path) -> Option<PathBuf> {
    let real = std::fs::canonicalize(path).ok()?;
    let writable = |dir: &Path| rustix::fs::access(dir, rustix::fs::Access::WRITE_OK).is_ok();
    let mut at = real.ancestors().find(|dir| dir.is_dir())?;
    if !writable(at) {
        return None;
    }
    while let Some(parent) = at.parent().filter(|parent| is_own(parent) && is_own(at)) {
        at = parent;
    }
    Some(at.to_path_buf())
}

/// True when owner and group are the user's own: the only ones that have an id in a slot.
fn is_own(path: &Path) -> bool {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    std::fs::metadata(path).is_ok_and(|meta| meta.uid() == uid && meta.gid() == gid)
}

/// All symbolic links that a path leads through, with what they say.
fn links_of(path: &Path) -> Vec<(PathBuf, PathBuf)> {
    let mut found = Vec::new();
    let mut at = PathBuf::new();
    let mut rest: VecDeque<OsString> = path.iter().map(OsStr::to_owned).collect();
    while let Some(name) = rest.pop_front() {
        if name == ".." {
            at.pop();
            continue;
        }
        at.push(&name);
        let Ok(target) = std::fs::read_link(&at) else { continue };
        if found.len() == MOST_LINKS {
            break;
        }
        for name in target.iter().rev() {
            rest.push_front(name.to_owned());
        }
        let link = at.clone();
        at.pop();
        found.push((link, target));
    }
    found
}

/// The real path when it lies in /tmp: its directory, if it is a file.
fn under_tmp(path: &Path) -> Option<PathBuf> {
    let mut real = std::fs::canonicalize(path).ok()?;
    if !real.is_dir() {
        real = real.parent()?.to_path_buf();
    }
    real.starts_with("/tmp").then_some(real)
}

/// Of nested paths only the outermost.
fn outermost(mut paths: Vec<PathBuf>) -> Vec<PathBuf> {
    paths.sort();
    let mut kept: Vec<PathBuf> = Vec::new();
    for path in paths {
        if !kept.iter().any(|outer| path.starts_with(outer)) {
            kept.push(path);
        }
    }
    kept
}

/// Mount points of a mount table in the form of `/proc/PID/mountinfo` (proc_pid_mountinfo(5)).
pub(crate) fn mount_points(table: &[u8]) -> Vec<PathBuf> {
    let mut points: Vec<PathBuf> = table
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4))
        .map(|field| PathBuf::from(OsStr::from_bytes(&unescape(field))))
        .collect();
    points.sort();
    points.dedup();
    points
}

/// Octal escapes (`\040`) of a mount table back to bytes.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        let octal = (*first == b'\\')
            .then(|| tail.get(..3))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match octal {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}
