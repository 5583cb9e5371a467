//! A written layer on a disk, copied into memory.
//!
//! Overlayfs refuses a lower directory that lies somewhere below another one, and the folder of layers mostly lies below
//! a directory that is shown. So what is kept of layers on a disk is kept in memory.

use super::layer::Shape;
use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, Stat, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;
use std::path::Path;

/// Says that a directory hides all below it.
const OPAQUE: &str = "user.overlay.opaque";

/// What overlayfs notes for itself about an upper layer; a lower one does without.
const NOTES: &str = "user.overlay.";

/// Copies a directory of a layer with all that is in it into `to`, which is there.
///
/// # Errors
/// Something cannot be copied: no memory is left, or a tmpfs of this kernel cannot say that a directory hides another.
pub(super) fn copy_layer(from: &Path, to: &Path) -> Result<(), Errno> {
    for entry in std::fs::read_dir(from).map_err(errno)? {
        let entry = entry.map_err(errno)?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let stat = rustix::fs::lstat(&source)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                rustix::fs::mkdir(&target, Mode::RWXU)?;
                copy_layer(&source, &target)?;
            }
            FileType::RegularFile => {
                std::fs::copy(&source, &target).map_err(errno)?;
            }
            FileType::Symlink => {
                let text = std::fs::read_link(&source).map_err(errno)?;
                rustix::fs::symlink(text, &target)?;
            }
            // A deleted file is a device 0/0, which everybody may make.
            kind @ (FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Fifo
            | FileType::Socket
            | FileType::Unknown) => {
                rustix::fs::mknodat(CWD, &target, kind, Mode::from_raw_mode(stat.st_mode), stat.st_rdev)?;
            }
        }
        copy_looks(&source, &target, &stat)?;
    }
    let stat = rustix::fs::lstat(from)?;
    copy_looks(from, to, &stat)
}

/// Owner, mode, attributes and times.
fn copy_looks(from: &Path, to: &Path, stat: &Stat) -> Result<(), Errno> {
    let (user, group) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    rustix::fs::chownat(CWD, to, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    if kind != FileType::Symlink {
        rustix::fs::chmod(to, Mode::from_raw_mode(stat.st_mode))?;
    }
    if matches!(kind, FileType::Directory | FileType::RegularFile) {
        copy_attributes(from, to)?;
    }
    let modified = Shape::from_stat(stat).modified();
    let time = Timespec { tv_sec: modified.0, tv_nsec: modified.1 };
    let times = Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(CWD, to, &times, AtFlags::SYMLINK_NOFOLLOW)
}

fn copy_attributes(from: &Path, to: &Path) -> Result<(), Errno> {
    let mut names = vec![0u8; 4096];
    // A disk without attributes has none to be copied.
    let length = rustix::fs::llistxattr(from, &mut names).unwrap_or(0);
    for name in names[..length].split(|byte| *byte == 0) {
        let Ok(name) = std::str::from_utf8(name) else { continue };
        let is_opaque = name == OPAQUE;
        if !name.starts_with("user.") || (name.starts_with(NOTES) && !is_opaque) {
            continue;
        }
        let mut value = vec![0u8; 64 << 10];
        let length = rustix::fs::lgetxattr(from, name, &mut value)?;
        let result = rustix::fs::lsetxattr(to, name, &value[..length], XattrFlags::empty());
        if is_opaque {
            result?;
        }
    }
    Ok(())
}

fn errno(error: std::io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}
