//! What earlier runs know about a test: all that history hands back into a plan.

use crate::{Outcome, TestRef};
use std::collections::BTreeMap;
use std::time::Duration;

/// One test's past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TestFacts {
    /// Expected wall time.
    pub duration: Duration,
    /// The outcome of its latest run.
    pub last: Outcome,
}

/// Every test's past, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The tests that have one.
    pub tests: BTreeMap<TestRef, TestFacts>,
}
