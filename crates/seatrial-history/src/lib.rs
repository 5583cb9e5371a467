//! Every result in SQLite: one file, `history.sqlite`, in a folder that the caller names.
//!
//! The order of life: [`History::open`] makes or migrates the file; [`History::facts`] hands the past into a plan;
//! [`History::begin`] gives a [`Recorder`], which folds the run's event stream into rows; afterwards [`History::runs`],
//! [`History::results`] and their like read them back. Reading needs no writing: [`History::open_read_only`].
//!
//! * `schema`: the tables (`migrations/*.sql`) and how a file gets them
//! * `store`: one open file: opening, and SQLite's errors told in words
//! * `recorder`, `write`, `shape`, `files`: from events to rows
//! * `runs`, `results`, `facts`: from rows to answers
//! * `process`: whether the process that records a run still lives
//!
//! Nothing here spawns a thread or reads a clock. Several processes may record and read at once.

mod error;
mod facts;
mod files;
mod history;
mod process;
mod recorder;
mod results;
mod runs;
mod schema;
mod shape;
mod store;
mod write;

#[cfg(test)]
mod tests;

pub use error::Error;
pub use history::History;
pub use recorder::Recorder;
pub use results::ResultRow;
pub use runs::{RunRow, RunState};
