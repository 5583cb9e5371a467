//! `cargo xtask corpus WHICH`: published projects' own tests, natively and under Seatrial.
//!
//! For each project an unmodified copy runs under the tool that its people use and under Seatrial, and every test's two
//! outcomes are compared. A test that passes natively and not under Seatrial is a fault of Seatrial's until shown
//! otherwise.

mod events;
mod junit;
mod nextest;
mod outcomes;
mod place;
pub(crate) mod python;
mod rust;
mod user;

use crate::process::{Result, write};
use crate::table::table;
use outcomes::Comparison;
pub(crate) use place::Place;
use std::io::Write;

/// Runs a corpus; false when a test that passes natively does not pass under Seatrial.
pub(crate) fn run(words: &[&str], out: &mut dyn Write) -> Result<bool> {
    match words {
        ["rust", words @ ..] => rust::run(words, out),
        ["python", words @ ..] => python::run(words, out),
        [] | [_, ..] => {
            Err("there are two: `cargo xtask corpus rust` and `cargo xtask corpus python`".to_owned())
        }
    }
}

/// What is told of a corpus: a table, then each difference.
struct Told<'o> {
    out: &'o mut dyn Write,
    rows: Vec<Vec<String>>,
    texts: String,
    equal: bool,
}

impl<'o> Told<'o> {
    fn new(out: &'o mut dyn Write, heading: &str) -> Self {
        let heading = heading.split('|').map(str::to_owned).collect();
        Self { out, rows: vec![heading], texts: String::new(), equal: true }
    }

    /// Takes one project's comparison, or why there is none, and says at once that it is done.
    fn add(&mut self, label: &[&str], compared: Result<Comparison>) {
        let mut row: Vec<String> = label.iter().map(|cell| (*cell).to_owned()).collect();
        let label = label.join(" ");
        match compared {
            Ok(comparison) => {
                self.equal &= comparison.only_natively.is_empty();
                row.extend(comparison.cells());
                self.texts.push_str(&comparison.text(&label));
            }
            Err(reason) => {
                row.push(format!("not compared: {}", reason.lines().next().unwrap_or("")));
                self.texts.push_str(&format!("\n{label} was not compared: {reason}\n"));
            }
        }
        let _ = writeln!(std::io::stderr(), "{}", row.join(" | "));
        self.rows.push(row);
    }

    /// Prints all of it; whether every test that passes natively passed under Seatrial.
    fn end(self, place: &Place) -> Result<bool> {
        let logs = place.work.join("logs");
        let text = format!("{}{}\nlogs: {}\n", table(&self.rows), self.texts, logs.display());
        write(&logs.join("table.txt"), &text)?;
        self.out.write_all(text.as_bytes()).map_err(|error| format!("standard output: {error}"))?;
        Ok(self.equal)
    }
}
