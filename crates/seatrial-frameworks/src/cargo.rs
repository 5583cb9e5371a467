//! cargo, which builds a project's tests and would run them: its arguments, its messages, its configuration, and the
//! calls by which it starts each test binary through Seatrial's shim.
//!
//! The order of life: [`args`] takes the user's command line apart; [`config`] and [`runner`] find what the shim
//! displaces; cargo runs, [`messages`] reads its output while each [`shim`] call tells of a binary; [`group`] names
//! it, [`manifest`] tells whose harness it has, [`environment`] makes its environment, and the selection in the
//! call's arguments is [`args::HarnessArgs`]. [`doctest`] is for what rustdoc does in between.

pub mod args;
pub mod config;
pub mod doctest;
pub mod environment;
pub mod group;
pub mod manifest;
pub mod messages;
pub mod runner;
pub mod shim;
pub mod snapshot;
pub mod workspace;

/// The name of the one test that a binary with a harness of its own is, when it lists none.
pub const WHOLE_BINARY: &str = "(main)";

#[cfg(test)]
mod tests;
