//! Directories that no private layer covers: what was in them is remembered, and what a job adds is removed.
//!
//! The root's own directory and those that are shown entry by entry hold few entries, which hardly any job touches. A
//! look at the directories and copied files tells whether one did; only then is the whole of it walked through.

use super::layer::Shape;
use super::places::open_dir;
use crate::Failure;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, Stat, Timespec, Timestamps};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::ffi::{CStr, OsStr};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Directories within directories that are walked through, and entries that are removed, at most: a new slot costs less.
const DEPTH: usize = 64;
const REMOVED: usize = 2_000;

/// A directory on a file system of its own, and what it held when it was clean.
pub(super) struct Skeleton {
    dir: OwnedFd,
    /// As it was built, and as it is to be now.
    first: Option<Snapshot>,
    clean: Snapshot,
}

/// What a directory holds, mount points aside.
pub(crate) struct Snapshot {
    /// Free blocks and files of its file system.
    free: (u64, u64),
    entries: BTreeMap<PathBuf, Stamp>,
}

/// What an entry looked like.
#[derive(Clone, Copy, PartialEq)]
enum Stamp {
    /// Something else is mounted there.
    Mount,
    /// Whatever happens to anything but a directory changes its times.
    File { number: u64, shape: Shape },
    /// A directory's times change with its entries: they are put back, the rest must be as it was.
    Dir { number: u64, mode: u32, owners: (u32, u32), attributes: usize, shape: Shape },
}

/// What is done with an entry that was not there.
enum Unknown<'a> {
    Note(&'a mut BTreeMap<PathBuf, Stamp>),
    Remove { left: usize },
}

impl Skeleton {
    /// Remembers what `dir` holds.
    pub(super) fn of(dir: OwnedFd) -> Result<Self, Failure> {
        let clean = Snapshot::of(dir.as_fd()).map_err(failure)?;
        Ok(Self { dir, first: None, clean })
    }

    /// True when anything was written since; also when that cannot be told.
    pub(super) fn is_dirty(&self) -> bool {
        free(&self.dir) != Ok(self.clean.free) || !self.clean.is_untouched(&self.dir)
    }

    /// Removes what was added. `None`: it is not as it was.
    pub(super) fn renew(&mut self) -> Option<()> {
        self.clean.restore(self.dir.as_fd())
    }

    /// What is there now is what is renewed from now on.
    pub(super) fn keep(&mut self) -> Result<(), Failure> {
        let now = Snapshot::of(self.dir.as_fd()).map_err(failure)?;
        let before = std::mem::replace(&mut self.clean, now);
        self.first.get_or_insert(before);
        Ok(())
    }

    /// Removes what was added since it was built. `None`: it is not as it was.
    pub(super) fn forget(&mut self) -> Option<()> {
        let Some(first) = self.first.take() else { return Some(()) };
        self.clean = first;
        self.renew()
    }
}

fn failure(errno: Errno) -> Failure {
    Failure { what: "watch a directory".into(), errno }
}

impl Snapshot {
    /// What `dir` holds now.
    ///
    /// # Errors
    /// Something in it cannot be looked at.
    pub(crate) fn of(dir: BorrowedFd<'_>) -> Result<Self, Errno> {
        let mut entries = BTreeMap::new();
        let device = note_top(dir, &mut entries)?;
        walk(dir, Path::new(""), device, &BTreeMap::new(), &mut Unknown::Note(&mut entries))?;
        Ok(Self { free: free(dir)?, entries })
    }

    /// What `path` holds now.
    ///
    /// # Errors
    /// Something in it cannot be looked at.
    pub(crate) fn of_path(path: &Path) -> Result<Self, Errno> {
        Self::of(open_dir(path).map_err(|failure| failure.errno)?.as_fd())
    }

    /// Removes from `path` what was not there. Gives false when something cannot be removed.
    pub(crate) fn remove_others(&self, path: &Path) -> bool {
        open_dir(path).is_ok_and(|dir| self.walk_removing(dir.as_fd(), usize::MAX).is_ok())
    }

    /// True when no directory and no file that is noted has changed: a link in the place of another shows in its
    /// directory.
    fn is_untouched(&self, dir: &OwnedFd) -> bool {
        let mut looked_at = self.entries.iter().filter_map(|(path, stamp)| match stamp {
            Stamp::Dir { shape, .. } => Some((path, shape)),
            Stamp::File { shape, .. } if shape.is_file() => Some((path, shape)),
            Stamp::Mount | Stamp::File { .. } => None,
        });
        looked_at.all(|(path, shape)| {
            stat_of(dir.as_fd(), path).is_ok_and(|stat| Shape::from_stat(&stat) == *shape)
        })
    }

    /// Removes what was not there, and sets the times of directories back. `None`: it is not as it was.
    fn restore(&mut self, dir: BorrowedFd<'_>) -> Option<()> {
        self.walk_removing(dir, REMOVED).ok()?;
        for (path, stamp) in &mut self.entries {
            if *stamp == Stamp::Mount {
                continue;
            }
            if let Stamp::Dir { shape, .. } = stamp {
                let now = Shape::from_stat(&stat_of(dir, path).ok()?);
                if now != *shape {
                    set_modified(dir, path, shape.modified()).ok()?;
                }
            }
            let now = stamp_of(dir, path).ok()?;
            if !stamp.is_same(&now) {
                return None;
            }
            *stamp = now;
        }
        (free(dir) == Ok(self.free)).then_some(())
    }

    fn walk_removing(&self, dir: BorrowedFd<'_>, most: usize) -> Result<(), Errno> {
        let device = rustix::fs::fstat(dir)?.st_dev;
        walk(dir, Path::new(""), device, &self.entries, &mut Unknown::Remove { left: most })
    }
}

impl Stamp {
    /// True when nothing but the times of a directory has changed.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Dir { number, mode, owners, attributes, .. },
                Self::Dir { number: n, mode: m, owners: o, attributes: a, .. },
            ) => (number, mode, owners, attributes) == (n, m, o, a),
            (Self::Mount | Self::File { .. } | Self::Dir { .. }, _) => self == other,
        }
    }
}

fn note_top(dir: BorrowedFd<'_>, entries: &mut BTreeMap<PathBuf, Stamp>) -> Result<u64, Errno> {
    entries.insert(PathBuf::new(), stamp_of(dir, Path::new(""))?);
    Ok(rustix::fs::fstat(dir)?.st_dev)
}

/// Goes through a directory, not into mounts, and does with each unknown entry what is to be done.
fn walk(
    dir: BorrowedFd<'_>,
    at: &Path,
    device: u64,
    known: &BTreeMap<PathBuf, Stamp>,
    unknown: &mut Unknown<'_>,
) -> Result<(), Errno> {
    if at.components().count() > DEPTH {
        return Err(Errno::LOOP);
    }
    for name in names(dir)? {
        let path = at.join(OsStr::from_bytes(name.to_bytes()));
        let stat = rustix::fs::statat(dir, &*name, AtFlags::SYMLINK_NOFOLLOW)?;
        let is_mount = stat.st_dev != device;
        let is_dir = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        if !known.contains_key(&path) {
            match unknown {
                Unknown::Note(entries) => {
                    let stamp = if is_mount {
                        Stamp::Mount
                    } else {
                        stamp_of(dir, Path::new(OsStr::from_bytes(name.to_bytes())))?
                    };
                    entries.insert(path.clone(), stamp);
                }
                Unknown::Remove { .. } if is_mount => return Err(Errno::BUSY),
                Unknown::Remove { left } => {
                    remove(dir, &name, is_dir, left, path.components().count())?;
                    continue;
                }
            }
        }
        if is_dir && !is_mount {
            walk(open_at(dir, &name)?.as_fd(), &path, device, known, unknown)?;
        }
    }
    Ok(())
}

/// Removes an entry and all below it.
fn remove(
    dir: BorrowedFd<'_>,
    name: &CStr,
    is_dir: bool,
    left: &mut usize,
    depth: usize,
) -> Result<(), Errno> {
    *left = left.checked_sub(1).ok_or(Errno::TOOBIG)?;
    if !is_dir {
        return rustix::fs::unlinkat(dir, name, AtFlags::empty());
    }
    if depth > DEPTH {
        return Err(Errno::LOOP);
    }
    let inner = open_at(dir, name)?;
    for name in names(inner.as_fd())? {
        let stat = rustix::fs::statat(&inner, &*name, AtFlags::SYMLINK_NOFOLLOW)?;
        let is_dir = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        remove(inner.as_fd(), &name, is_dir, left, depth + 1)?;
    }
    rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR)
}

fn names(dir: BorrowedFd<'_>) -> Result<Vec<std::ffi::CString>, Errno> {
    rustix::fs::seek(dir, rustix::fs::SeekFrom::Start(0))?;
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut entries = RawDir::new(dir, &mut buffer);
    let mut names = Vec::new();
    while let Some(entry) = entries.next() {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    Ok(names)
}

fn open_at(dir: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(dir, name, flags, Mode::empty())
}

/// An entry's state; the empty path is the directory itself.
fn stat_of(dir: BorrowedFd<'_>, path: &Path) -> Result<Stat, Errno> {
    rustix::fs::statat(dir, path, AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH)
}

fn stamp_of(dir: BorrowedFd<'_>, path: &Path) -> Result<Stamp, Errno> {
    let stat = stat_of(dir, path)?;
    let (number, shape) = (stat.st_ino, Shape::from_stat(&stat));
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        return Ok(Stamp::File { number, shape });
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let place = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    // A directory that may not be opened belongs to somebody else, who has set no attributes here.
    let mut nothing: [u8; 0] = [];
    let attributes = match rustix::fs::openat(dir, place, flags, Mode::empty()) {
        Ok(inner) => rustix::fs::flistxattr(inner, &mut nothing).unwrap_or(0),
        Err(_) => 0,
    };
    Ok(Stamp::Dir { number, mode: stat.st_mode, owners: (stat.st_uid, stat.st_gid), attributes, shape })
}

fn set_modified(dir: BorrowedFd<'_>, path: &Path, modified: (i64, i64)) -> Result<(), Errno> {
    let place = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT },
        last_modification: Timespec { tv_sec: modified.0, tv_nsec: modified.1 },
    };
    rustix::fs::utimensat(dir, place, &times, AtFlags::SYMLINK_NOFOLLOW)
}

/// Free blocks and free files of a tmpfs, which are as they were exactly when it holds what it held.
fn free(dir: impl AsFd) -> Result<(u64, u64), Errno> {
    let stat = rustix::fs::fstatfs(dir)?;
    Ok((stat.f_bfree, stat.f_ffree))
}
