//! One open database file.

use crate::{Error, schema};
use rusqlite::{Connection, OpenFlags};
use std::fs::{self, DirBuilder};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The database's name in its folder.
pub(crate) const FILE: &str = "history.sqlite";

/// How long one process waits for another that writes. Each holds the lock for milliseconds at a time.
const BUSY: Duration = Duration::from_secs(10);

/// Pages kept in memory, in SQLite's measure (-KiB). The names of 100,000 tests are looked up in any order; with
/// SQLite's own 2 MiB that reads the file again and again.
const CACHE: i32 = -16_384;

/// Pages that the log may grow to before they are copied into the database. In a large run each flush changes pages
/// all over its range; copied after each, as with SQLite's own 1,000, a result costs half as much again.
const LOG: i32 = 8_000;

/// How often the change to write-ahead logging is tried, and the pause between.
const WAL_TRIES: u32 = 200;
const WAL_PAUSE: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) connection: Connection,
    pub(crate) file: PathBuf,
    pub(crate) version: i64,
    pub(crate) writable: bool,
}

impl Store {
    /// Opens `dir`'s database for writing; makes and migrates what is missing.
    pub(crate) fn open(dir: &Path) -> Result<Self, Error> {
        let dir = absolute(dir)?;
        // What tests print may be secret: a folder of our making is its owner's alone, as the XDG rules have it.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .map_err(|error| Error::from_io(&dir, &error))?;
        let file = dir.join(FILE);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || -> rusqlite::Result<(Connection, i64)> {
            let mut connection = Connection::open_with_flags(&file, flags)?;
            connection.busy_timeout(BUSY)?;
            write_ahead(&connection)?;
            // A crash of the machine may cost the last seconds of results; it never damages the file.
            connection.pragma_update(None, "synchronous", "normal")?;
            connection.pragma_update(None, "cache_size", CACHE)?;
            connection.pragma_update(None, "wal_autocheckpoint", LOG)?;
            // A row's run and test come from the transaction that writes it; looking them up again costs 2 us a row.
            connection.pragma_update(None, "foreign_keys", false)?;
            let version = schema::migrate(&mut connection)?;
            Ok((connection, version))
        };
        match open() {
            Ok((connection, version)) => Ok(Self { connection, file, version, writable: true }),
            Err(error) => Err(Error::from_sqlite(&file, 0, &error)),
        }
    }

    /// Opens `dir`'s database for reading alone; makes nothing, except that an older schema is migrated first.
    pub(crate) fn open_read_only(dir: &Path) -> Result<Self, Error> {
        let dir = absolute(dir)?;
        let file = dir.join(FILE);
        match file.try_exists() {
            Ok(true) => {}
            Ok(false) => return Err(Error::Missing { path: file }),
            Err(error) => return Err(Error::from_io(&file, &error)),
        }
        let (connection, version) =
            open_reading(&file).map_err(|error| Error::from_sqlite(&file, 0, &error))?;
        if version < schema::KNOWN {
            drop(connection);
            drop(Self::open(&dir)?);
            return Self::open_read_only(&dir);
        }
        Ok(Self { connection, file, version, writable: false })
    }

    /// Opens the same file once more, for writing.
    pub(crate) fn again(&self) -> Result<Self, Error> {
        if !self.writable {
            let detail = "it was opened for reading only".to_owned();
            return Err(Error::NoAccess { path: self.file.clone(), detail });
        }
        if self.version > schema::KNOWN {
            let (path, found) = (self.file.clone(), self.version);
            return Err(Error::Newer { path, found, known: schema::KNOWN });
        }
        Self::open(self.file.parent().unwrap_or(&self.file))
    }

    /// Tells an error of SQLite in our words.
    #[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
    pub(crate) fn told(&self, error: rusqlite::Error) -> Error {
        Error::from_sqlite(&self.file, self.version, &error)
    }
}

/// Moves `dir`'s database, and the files that belong to it, to the first free name `history.sqlite.corrupt-<n>`.
pub(crate) fn set_aside(dir: &Path) -> Result<PathBuf, Error> {
    let dir = absolute(dir)?;
    let file = dir.join(FILE);
    let mut n: u32 = 1;
    let aside = loop {
        let aside = dir.join(format!("{FILE}.corrupt-{n}"));
        match aside.try_exists() {
            Ok(false) => break aside,
            Ok(true) => n += 1,
            Err(error) => return Err(Error::from_io(&aside, &error)),
        }
    };
    match fs::rename(&file, &aside) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::Missing { path: file });
        }
        Err(error) => return Err(Error::from_io(&file, &error)),
    }
    // The log keeps its name's relation to the file, so that SQLite's `.recover` finds it. A log that stayed behind
    // would be taken for the next database's.
    for suffix in ["-wal", "-shm"] {
        let from = dir.join(format!("{FILE}{suffix}"));
        match fs::rename(&from, dir.join(format!("{FILE}.corrupt-{n}{suffix}"))) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::from_io(&from, &error)),
        }
    }
    Ok(aside)
}

fn absolute(dir: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(dir).map_err(|error| Error::from_io(dir, &error))
}

/// Switches to write-ahead logging, where readers and a writer do not wait for each other. SQLite does not wait for
/// other processes in this one statement, so that many which begin at once would fail: we wait instead.
fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    let mut tries = 0;
    loop {
        let result = connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()));
        let busy = result
            .as_ref()
            .is_err_and(|error| error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy));
        tries += 1;
        if !busy || tries == WAL_TRIES {
            return result;
        }
        std::thread::sleep(WAL_PAUSE);
    }
}

fn open_reading(file: &Path) -> rusqlite::Result<(Connection, i64)> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(BUSY)?;
    match schema::version(&connection) {
        Ok(version) => Ok((connection, version)),
        // Where nothing can be written (a read-only mount, somebody else's folder), SQLite cannot make the index that
        // readers share. With no log there is no writer either, and the file alone is the truth.
        Err(error) if cannot_share(&error) && log_is_empty(file) => {
            let uri = format!("file:{}?immutable=1", percent(file));
            let connection = Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)?;
            let version = schema::version(&connection)?;
            Ok((connection, version))
        }
        Err(error) => Err(error),
    }
}

fn cannot_share(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::ReadOnly))
}

fn log_is_empty(file: &Path) -> bool {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    fs::metadata(log).map_or(true, |log| log.len() == 0)
}

/// A path for a URI: every byte that could mean something there as `%XX`.
fn percent(path: &Path) -> String {
    let mut text = String::new();
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(byte) {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("%{byte:02x}"));
        }
    }
    text
}
