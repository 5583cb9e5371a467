//! What the commands that look back have in common.

use crate::exit::{Error, INCOMPLETE, USAGE};
use crate::places;
use seatrial_history::History;
use std::io::Write;
use std::path::PathBuf;

/// Prints on stdout; a reader that has gone away (`| head`) wants no more.
pub(crate) fn print(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes());
    let _ = stdout.flush();
}

/// The folder of history.
pub(crate) fn folder() -> Result<PathBuf, Error> {
    places::state().ok_or_else(|| {
        Error::new(USAGE, "there is no place for history: neither `XDG_STATE_HOME` nor `HOME` is set")
    })
}

/// History, to look at.
pub(crate) fn open() -> Result<History, Error> {
    let folder = folder()?;
    if !folder.join("history.sqlite").exists() {
        return Err(Error::new(USAGE, format!("no run is recorded in `{}`", folder.display()))
            .hint("run some tests first: `seatrial cargo`"));
    }
    History::open_read_only(&folder).map_err(told)
}

/// A history error as the command's.
pub(crate) fn told(error: seatrial_history::Error) -> Error {
    let hint = error.hint();
    let code = match error {
        seatrial_history::Error::NoSuchRun { .. } | seatrial_history::Error::AmbiguousRun { .. } => USAGE,
        seatrial_history::Error::NoAccess { .. }
        | seatrial_history::Error::Full { .. }
        | seatrial_history::Error::Locked { .. }
        | seatrial_history::Error::Corrupt { .. }
        | seatrial_history::Error::Newer { .. }
        | seatrial_history::Error::Missing { .. }
        | seatrial_history::Error::Sqlite { .. } => INCOMPLETE,
    };
    let told = Error::new(code, error.to_string());
    match hint {
        Some(hint) => told.hint(hint),
        None => told,
    }
}

/// `YYYY-MM-DD HH:MM` in UTC of milliseconds since 1970 (civil-from-days, Howard Hinnant).
pub(crate) fn date(unix_ms: u64) -> String {
    let minutes = unix_ms / 60_000;
    let days = i64::try_from(minutes / 1440).unwrap_or(0) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", minutes / 60 % 24, minutes % 60)
}
