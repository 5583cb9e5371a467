//! Shared parts of tests: exhaustive choices, simulated world, hermetic command line.

pub mod choices;
pub mod rng;
