//! Folders that live as long as their run, and the end of those that killed runs left behind.
//!
//! A run holds a lock (flock(2)) on a file in its folder, which the kernel lets go of when the run's process dies,
//! however it dies. So a folder whose lock can be had belongs to nobody.

use crate::layers::remove_tree;
use rustix::fs::{FlockOperation, flock};
use seatrial_model::RunId;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// A run's folder; dropping it removes it with everything in it.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    _lock: File,
}

const LOCK: &str = "lock";

impl RunFolder {
    /// Makes the folder `PREFIX` + `RUN` in `base`, after removing those with this prefix whose run is dead.
    ///
    /// # Errors
    /// The folder or its lock cannot be made.
    pub(crate) fn make(base: &Path, prefix: &str, run: RunId) -> io::Result<Self> {
        sweep(base, prefix);
        let path = base.join(format!("{prefix}{run}"));
        fs::create_dir_all(&path)?;
        // The lock appears under its name only when it is held.
        let new = path.join("new-lock");
        let lock = File::create(&new)?;
        flock(&lock, FlockOperation::LockExclusive)?;
        fs::rename(&new, path.join(LOCK))?;
        Ok(Self { path, _lock: lock })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        remove_tree(&self.path);
    }
}

fn sweep(base: &Path, prefix: &str) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_run = name.strip_prefix(prefix).is_some_and(|run| run.parse::<RunId>().is_ok());
        if is_run
            && let Ok(lock) = File::open(entry.path().join(LOCK))
            && flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok()
        {
            remove_tree(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests;
