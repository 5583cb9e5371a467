//! The real command, end to end: each test has a world of its own, and nothing may be left behind in it.
#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]

mod array;
mod attacks;
mod cargo;
mod cargo_settings;
mod ending;
mod exec;
mod isolation;
mod network;
mod options;
mod output;
mod past;
mod pytest;
mod pytest_facts;
mod pytest_files;
mod pytest_fixtures;
mod pytest_forks;
mod pytest_old;
mod pytest_options;
mod pytest_residents;
mod pytest_sharing;
mod unittest;

use seatrial_testkit::World;

const SEATRIAL: &str = env!("CARGO_BIN_EXE_seatrial");

/// A world of the user who runs the tests.
fn world() -> World {
    World::new(SEATRIAL)
}

/// Worlds of every user that can be had: root and an ordinary one, or just the latter.
fn worlds() -> Vec<World> {
    World::both(SEATRIAL)
}

/// A world of an ordinary user.
fn ordinary() -> World {
    World::ordinary(SEATRIAL)
}
