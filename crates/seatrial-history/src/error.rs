//! What can go wrong with a history, in words, each with what to do next.

use rusqlite::ErrorCode;
use seatrial_model::RunId;
use std::fmt;
use std::path::{Path, PathBuf};

/// Why the history could not be read or written. `Display` says what failed, with names; [`Error::hint`] what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The folder or the file cannot be made, opened or written.
    NoAccess {
        /// The folder or file.
        path: PathBuf,
        /// The system's or SQLite's own words.
        detail: String,
    },
    /// No space is left on the disk.
    Full {
        /// The database file or its folder.
        path: PathBuf,
    },
    /// Another process kept the file locked for longer than we wait.
    Locked {
        /// The database file.
        path: PathBuf,
    },
    /// The file is damaged, or is no SQLite database.
    Corrupt {
        /// The database file.
        path: PathBuf,
        /// SQLite's own words.
        detail: String,
    },
    /// A newer version of the program made the file. It can be read, as far as it is understood, but not written.
    Newer {
        /// The database file.
        path: PathBuf,
        /// The file's schema version.
        found: i64,
        /// The newest schema version that this program knows.
        known: i64,
    },
    /// There is no history yet.
    Missing {
        /// The database file that is not there.
        path: PathBuf,
    },
    /// No run answers to this.
    NoSuchRun {
        /// What was asked for.
        spec: String,
        /// Why there is none.
        detail: String,
    },
    /// Several runs answer to this.
    AmbiguousRun {
        /// What was asked for.
        spec: String,
        /// The runs, newest first.
        candidates: Vec<RunId>,
    },
    /// Anything else that SQLite refused.
    Sqlite {
        /// The database file.
        path: PathBuf,
        /// SQLite's own words.
        detail: String,
    },
}

/// How many candidates of an ambiguous run are named in the message.
const NAMED_CANDIDATES: usize = 8;

impl Error {
    /// What to do next, as a sentence without its full stop; `None` where the message says all there is.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoAccess { .. } => "set XDG_STATE_HOME to a folder that you can write".to_owned(),
            Self::Full { .. } => {
                "free space on that disk, or set XDG_STATE_HOME to a folder on another".to_owned()
            }
            Self::Locked { path } => format!("see which process holds it: `fuser -v {}`", path.display()),
            Self::Corrupt { path, .. } => format!(
                "move it away, and the next run begins a new history: `mv {0} {0}.corrupt`",
                path.display()
            ),
            Self::Newer { .. } => {
                "use the newer version of seatrial, or set XDG_STATE_HOME to another folder".to_owned()
            }
            Self::Missing { .. } => {
                "run some tests first, or set XDG_STATE_HOME to the folder where they were recorded"
                    .to_owned()
            }
            Self::NoSuchRun { .. } => "list the runs: `seatrial history`".to_owned(),
            Self::AmbiguousRun { .. } => "give more of the run's id".to_owned(),
            Self::Sqlite { .. } => return None,
        })
    }

    /// An error of the file system at `path`.
    pub(crate) fn from_io(path: &Path, error: &std::io::Error) -> Self {
        let path = path.to_owned();
        if matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded) {
            return Self::Full { path };
        }
        Self::NoAccess { path, detail: error.to_string() }
    }

    /// An error of SQLite, which worked on the file at `path` with the schema version `found`.
    pub(crate) fn from_sqlite(path: &Path, found: i64, error: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        let detail = error.to_string();
        let code = error.sqlite_error_code();
        let is = |codes: &[ErrorCode]| code.is_some_and(|code| codes.contains(&code));
        // The file of the shared index (`-shm`) is the first that cannot grow on a full disk; SQLite has no
        // `full` for that one.
        let shm_full =
            error.sqlite_error().is_some_and(|e| e.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE);
        if shm_full || is(&[ErrorCode::DiskFull]) {
            Self::Full { path }
        } else if is(&[ErrorCode::DatabaseBusy, ErrorCode::DatabaseLocked]) {
            Self::Locked { path }
        } else if is(&[ErrorCode::DatabaseCorrupt, ErrorCode::NotADatabase]) {
            Self::Corrupt { path, detail }
        } else if is(&[
            ErrorCode::ReadOnly,
            ErrorCode::PermissionDenied,
            ErrorCode::CannotOpen,
            ErrorCode::SystemIoFailure,
        ]) {
            Self::NoAccess { path, detail }
        } else if found > crate::schema::KNOWN {
            // A query that no longer fits the tables: not the user's fault, and not damage.
            Self::Newer { path, found, known: crate::schema::KNOWN }
        } else {
            Self::Sqlite { path, detail }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAccess { path, detail } => {
                write!(f, "cannot open or write the history at `{}`: {detail}", path.display())
            }
            Self::Full { path } => write!(f, "no space is left for the history at `{}`", path.display()),
            Self::Locked { path } => {
                write!(f, "the history at `{}` is locked by another process", path.display())
            }
            Self::Corrupt { path, detail } => {
                write!(f, "the history at `{}` is damaged: {detail}", path.display())
            }
            Self::Newer { path, found, known } => write!(
                f,
                "the history at `{}` was made by a newer version of seatrial: its schema is version {found}, \
                 and this one knows {known}",
                path.display()
            ),
            Self::Missing { path } => write!(f, "there is no history at `{}`", path.display()),
            Self::NoSuchRun { spec, detail } => write!(f, "no run `{spec}`: {detail}"),
            Self::AmbiguousRun { spec, candidates } => {
                let shown: Vec<String> =
                    candidates.iter().take(NAMED_CANDIDATES).map(|run| format!("`{run}`")).collect();
                write!(f, "`{spec}` is several runs: {}", shown.join(", "))?;
                match candidates.len().saturating_sub(NAMED_CANDIDATES) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
            Self::Sqlite { path, detail } => {
                write!(f, "SQLite refused to work on the history at `{}`: {detail}", path.display())
            }
        }
    }
}

impl std::error::Error for Error {}
