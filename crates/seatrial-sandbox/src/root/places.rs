//! What roots are made with: directories, mounts, and the two names of a place while the root is built.

use crate::Failure;
use crate::plan::Top;
use crate::sys;
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive, unmount};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A path of the root, from the base in which it is built.
pub(super) fn in_root(path: &Path) -> PathBuf {
    Path::new("r").join(path.strip_prefix("/").unwrap_or(path))
}

/// A path of the host, from the base in which the root is built.
pub(super) fn in_host(path: &Path) -> PathBuf {
    Path::new("old").join(path.strip_prefix("/").unwrap_or(path))
}

pub(super) fn proc_flags() -> MountFlags {
    MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC
}

/// Shows a file or directory of the host as it is; this process stands in the base.
pub(super) fn bind(path: &Path, dir: bool, read_only: bool) -> Result<(), Failure> {
    let target = in_root(path);
    let failure = |errno| Failure { what: format!("bind {}", path.display()), errno };
    if dir {
        make_dirs(Path::new("r"), path)?;
    }
    bind_at(&in_host(path), &target, dir).map_err(failure)?;
    if read_only {
        let target = CString::new(target.as_os_str().as_bytes()).map_err(|_| failure(Errno::INVAL))?;
        sys::read_only_recursive(&target).map_err(failure)?;
    }
    Ok(())
}

/// Binds one path to another, which is made if its parent is there.
pub(super) fn bind_at(source: &Path, target: &Path, dir: bool) -> Result<(), Errno> {
    if dir {
        make_dir(target, 0o755).map_err(|failure| failure.errno)?;
        return mount_bind_recursive(source, target);
    }
    make_file(target).map_err(|failure| failure.errno)?;
    mount_bind(source, target)
}

/// Copies a small file of the host; this process stands in the base.
pub(super) fn copy(top: &Top) -> Result<(), Failure> {
    let target = in_root(&top.path);
    std::fs::copy(in_host(&top.path), &target).map_err(|error| Failure {
        what: format!("copy {}", top.path.display()),
        errno: Errno::from_io_error(&error).unwrap_or(Errno::IO),
    })?;
    own(&target, top)
}

/// Gives a file or directory the owner and mode that it is to show.
pub(super) fn own(dir: &Path, top: &Top) -> Result<(), Failure> {
    // Without a whole range of ids mapped, the owner cannot be given away; the mode has been narrowed for that.
    let _ = rustix::fs::chown(dir, Some(Uid::from_raw(top.uid)), Some(Gid::from_raw(top.gid)));
    rustix::fs::chmod(dir, Mode::from_bits_truncate(top.mode))
        .map_err(|errno| Failure { what: format!("set the mode of {}", top.path.display()), errno })
}

pub(super) fn tmpfs(target: impl AsRef<std::ffi::OsStr>, options: &str) -> Result<(), Failure> {
    let target = Path::new(target.as_ref());
    let failure = |errno| Failure { what: format!("mount tmpfs on {}", target.display()), errno };
    let options = CString::new(options).map_err(|_| failure(Errno::INVAL))?;
    mount("tmpfs", target, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, Some(options.as_c_str()))
        .map_err(failure)
}

/// Takes a mount away, also when somebody stands in it, and all mounts below it.
pub(super) fn take_away(path: &Path) -> Result<(), Failure> {
    unmount(path, UnmountFlags::DETACH)
        .map_err(|errno| Failure { what: format!("unmount {}", path.display()), errno })
}

pub(super) fn open_dir(path: &Path) -> Result<OwnedFd, Failure> {
    rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| Failure { what: format!("open {}", path.display()), errno })
}

/// Makes a directory if it is not there.
pub(super) fn make_dir(path: &Path, mode: u32) -> Result<(), Failure> {
    match rustix::fs::mkdir(path, Mode::from_bits_truncate(mode)) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(Failure { what: format!("make directory {}", path.display()), errno }),
    }
}

/// Makes `path` and its parents below `root`.
pub(super) fn make_dirs(root: &Path, path: &Path) -> Result<(), Failure> {
    let mut at = root.to_path_buf();
    for part in path.components().skip(1) {
        at.push(part);
        make_dir(&at, 0o755)?;
    }
    Ok(())
}

/// Makes an empty file if it is not there.
pub(super) fn make_file(path: &Path) -> Result<(), Failure> {
    // One that is there is not opened: below an overlay, that would be a write.
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    match rustix::fs::openat(CWD, path, flags, Mode::from_bits_truncate(0o644)) {
        Ok(_) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(Failure { what: format!("make {}", path.display()), errno }),
    }
}

/// Removes a folder of a disk as far as it can be removed; overlayfs leaves directories that nobody may enter.
pub(super) fn remove_tree(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let _ = std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700));
            remove_tree(&path);
        } else {
            let _ = std::fs::remove_file(&path);
        }
    }
    let _ = std::fs::remove_dir(dir);
}
