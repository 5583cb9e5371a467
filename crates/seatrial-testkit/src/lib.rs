//! Shared parts of tests: exhaustive choices, simulated world, hermetic command line.
