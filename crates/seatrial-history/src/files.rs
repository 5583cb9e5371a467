//! Which files tests opened: events into rows.

use crate::write::Writer;
use rusqlite::{Connection, OptionalExtension as _, params};
use seatrial_model::FileFacts;
use std::collections::HashMap;

/// Names whose ids are remembered; then all are forgotten at once.
const REMEMBERED: usize = 16_384;

/// Writes facts, each name once.
#[derive(Debug, Default)]
pub(crate) struct Files {
    names: HashMap<String, i64>,
}

impl Files {
    /// Writes `facts` and leaves them empty.
    pub(crate) fn write(
        &mut self,
        connection: &Connection,
        writer: &mut Writer,
        facts: &mut Vec<FileFacts>,
    ) -> rusqlite::Result<()> {
        for one in facts.drain(..) {
            let id = connection
                .prepare_cached(
                    "insert into facts (run, interpreter, step, shared, left_out) values (?1, ?2, ?3, ?4, ?5)",
                )?
                .insert(params![writer.run().0, one.interpreter, one.step, one.shared, one.left_out])?;
            let mut of_test = connection.prepare_cached(
                "insert into facts_test (facts, test) values (?1, ?2) on conflict do nothing",
            )?;
            for test in &one.tests {
                of_test.execute([id, writer.test(connection, test)?])?;
            }
            let kinds = [("opened", one.opened), ("written", one.written), ("imported", one.imported)];
            for (kind, names) in kinds {
                for name in names {
                    self.write_name(connection, (id, kind), name)?;
                }
            }
        }
        Ok(())
    }

    fn write_name(
        &mut self,
        connection: &Connection,
        (facts, kind): (i64, &str),
        name: String,
    ) -> rusqlite::Result<()> {
        let name = self.name(connection, name)?;
        connection
            .prepare_cached(
                "insert into facts_name (facts, kind, name) values (?1, ?2, ?3) on conflict do nothing",
            )?
            .execute(params![facts, kind, name])?;
        Ok(())
    }

    /// The id of a name, which is new to the database at times.
    fn name(&mut self, connection: &Connection, name: String) -> rusqlite::Result<i64> {
        if let Some(id) = self.names.get(&name) {
            return Ok(*id);
        }
        let known = connection
            .prepare_cached("select id from name where text = ?1")?
            .query_row([&name], |row| row.get(0))
            .optional()?;
        let id = match known {
            Some(id) => id,
            None => connection.prepare_cached("insert into name (text) values (?1)")?.insert([&name])?,
        };
        if self.names.len() >= REMEMBERED {
            self.names.clear();
        }
        self.names.insert(name, id);
        Ok(id)
    }
}

/// Bytes that facts take in memory, roughly.
pub(crate) fn size(facts: &FileFacts) -> usize {
    [&facts.opened, &facts.written, &facts.imported].into_iter().flatten().map(String::len).sum()
}
