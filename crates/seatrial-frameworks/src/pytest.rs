//! pytest, read through the helper inside Python: the user's arguments, the interpreter, what the helper is told, what
//! it tells, and the reports of tests.
//!
//! The order of life: [`args`] takes the user's command line apart; [`interpreter`] finds the Python; [`helper`] makes
//! what its processes are started with, and a job's payload; [`listing`] reads what the lister tells; [`report`] turns
//! a job's report lines and its end into results and into text to show; [`replay`] tells the lister of them. [`wire`]
//! cuts messages into packets and joins them. The other side of the contract is `python/README.md`.

pub mod addopts;
pub mod args;
pub mod files;
pub mod helper;
pub mod interpreter;
pub mod listing;
pub mod replay;
pub mod report;
pub mod run_fixtures;
pub mod wire;
