//! Which files tests opened and which modules they imported, as far as it was recorded.

use crate::TestRef;
use serde::{Deserialize, Serialize};

/// What one process did for these tests.
///
/// A test's process inherits what its interpreter did before: all that is `shared`, of the same `interpreter`, and has no
/// higher `step`. A test that has no facts of its own (its process died) is one of which nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFacts {
    /// The tests that ran in the process; of shared facts those before which they came up.
    pub tests: Vec<TestRef>,
    /// The warm interpreter that did it, or from which the process was forked: a name within the run.
    pub interpreter: String,
    /// Of shared facts their number within the interpreter, from 1; else the number of the last ones before.
    pub step: u32,
    /// True when the interpreter itself did it (imports, wide fixtures), so that later processes inherit it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
    /// Files that were opened for reading, there or not: relative ones are below the project's directory.
    pub opened: Vec<String>,
    /// Files that were opened for writing.
    pub written: Vec<String>,
    /// Modules that were imported for the first time: the project's in full, packages' first names.
    pub imported: Vec<String>,
    /// Names that were left out because there were too many.
    #[serde(default)]
    pub left_out: u32,
}
