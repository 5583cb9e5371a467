//! The tables, and how a file comes to have them.

use rusqlite::{Connection, TransactionBehavior};

/// One script for each version, in order; a script once released is never changed.
const MIGRATIONS: [&str; 2] =
    [include_str!("../migrations/0001.sql"), include_str!("../migrations/0002.sql")];

/// The newest schema version that this program knows.
#[expect(clippy::cast_possible_wrap, reason = "a handful")]
pub(crate) const KNOWN: i64 = MIGRATIONS.len() as i64;

/// What the partial index `result_bad` is defined by; a query that says it in these words can use the index.
pub(crate) const BAD: &str = "(outcome = 'fail' or outcome = 'error' or outcome = 'timeout' \
    or outcome = 'crash' or outcome = 'oom' or outcome = 'lost' or outcome = 'cancelled')";

/// The schema version of a file; 0 for a new one.
pub(crate) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Brings a file to [`KNOWN`] and returns its version; a newer file is left as it is.
pub(crate) fn migrate(connection: &mut Connection) -> rusqlite::Result<i64> {
    let found = version(connection)?;
    if found >= KNOWN {
        return Ok(found);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Read again under the lock: another process may have been quicker.
    let found = version(&transaction)?;
    for script in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(script)?;
    }
    if found < KNOWN {
        transaction.pragma_update(None, "user_version", KNOWN)?;
    }
    transaction.commit()?;
    Ok(found.max(KNOWN))
}
