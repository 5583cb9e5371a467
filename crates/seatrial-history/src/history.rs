//! The history of one user on one machine.

use crate::store::{self, Store};
use crate::{Error, Recorder};
use seatrial_model::RunHeader;
use std::path::{Path, PathBuf};

/// Every run recorded in one folder.
///
/// Its queries block while they read the disk. It can be sent to another thread, and several may be open at once, in
/// one process or in many.
#[derive(Debug)]
pub struct History {
    pub(crate) store: Store,
}

impl History {
    /// Opens the history in `dir` for writing. The folder, its parents and the file are made when they are missing,
    /// and an older schema is migrated. A newer schema opens too, but [`History::begin`] will refuse it.
    ///
    /// # Errors
    /// [`Error::NoAccess`], [`Error::Full`], [`Error::Locked`] or [`Error::Corrupt`].
    pub fn open(dir: &Path) -> Result<Self, Error> {
        Ok(Self { store: Store::open(dir)? })
    }

    /// Opens the history in `dir` for reading only; a folder that cannot be written will do.
    ///
    /// # Errors
    /// [`Error::Missing`] when nothing was ever recorded there; else as [`History::open`].
    pub fn open_read_only(dir: &Path) -> Result<Self, Error> {
        Ok(Self { store: Store::open_read_only(dir)? })
    }

    /// Moves a damaged history in `dir` out of the way, so that the next [`History::open`] begins a new one, and
    /// returns its new name: `history.sqlite.corrupt-<n>`.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is none, [`Error::NoAccess`] when it cannot be moved.
    pub fn set_aside(dir: &Path) -> Result<PathBuf, Error> {
        store::set_aside(dir)
    }

    /// The database file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.store.file
    }

    /// Begins to record a run, on a connection of its own; the run is visible to others at once. Of labels with the
    /// same name the last one counts.
    ///
    /// # Errors
    /// [`Error::Newer`] when a newer version of the program made the file, [`Error::NoAccess`] when it was opened for
    /// reading, and whatever keeps SQLite from writing.
    pub fn begin(
        &mut self,
        header: &RunHeader,
        user: &str,
        labels: &[(String, String)],
    ) -> Result<Recorder, Error> {
        Recorder::begin(self.store.again()?, header, user, labels)
    }
}
