//! Shared parts of tests: exhaustive choices, simulated world, hermetic command line.

pub mod call;
pub mod choices;
pub mod leftovers;
pub mod ran;
pub mod rng;
pub mod wait;
pub mod world;

pub use call::{Call, Started};
pub use ran::Ran;
pub use wait::wait_for;
pub use world::World;
