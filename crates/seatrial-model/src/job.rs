//! What a node is asked to do.

use crate::{Bytes, JobId, LaunchId, TestRef};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What several jobs have in common: sent to a node once, referred to by number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// The executable: an absolute path, or a name looked up in `env`'s PATH.
    pub program: Bytes,
    /// Arguments after the program's own name; a job's follow them.
    pub args: Vec<Bytes>,
    /// The whole environment; a job's variables are added to it, and win.
    pub env: Vec<(Bytes, Bytes)>,
    /// The directory to run in, absolute.
    pub cwd: Bytes,
}

/// One unit handed to a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSpec {
    /// Number within the run.
    pub job: JobId,
    /// What it shares with other jobs.
    pub launch: LaunchId,
    /// What the job is for.
    pub kind: JobKind,
    /// The test, listing or helper by name.
    pub test: TestRef,
    /// Arguments after the launch's.
    pub args: Vec<Bytes>,
    /// Variables beside the launch's.
    pub env: Vec<(Bytes, Bytes)>,
    /// How the end and the output become a verdict.
    pub reading: Reading,
    /// What the job may use.
    pub limits: Limits,
}

/// A job's product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobKind {
    /// A framework asked for its tests. Not a test itself: it is reported only when it fails.
    Listing,
    /// One or more tests run.
    Verdict,
    /// A process run for somebody else, who reads its output (a doctest for rustdoc). Never reported by itself.
    Relay,
}

/// How a job's end and output become a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// Exit code 0 is a pass.
    ExitCode,
    /// libtest was asked for one test by its full name: a pass needs exit code 0 and libtest's own word that this
    /// one test passed.
    LibtestOne {
        /// True: exit code 0 without libtest's summary is a pass too (`early-exit = "pass"`).
        early_exit_passes: bool,
    },
    /// libtest runs all (or several) tests of a binary in one process; each test line is a result.
    LibtestMany,
    /// libtest lists its tests in the terse format.
    LibtestList,
}

/// What a job may use. A limit that is absent is what a native run has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Wall time until the job is ended with outcome `timeout`.
    #[serde(with = "crate::time::micros::option", rename = "timeout_us", default)]
    pub timeout: Option<Duration>,
    /// Wall time until the job is announced as slow, then again each time as long.
    #[serde(with = "crate::time::micros::option", rename = "slow_after_us", default)]
    pub slow_after: Option<Duration>,
    /// Bytes of memory, where the machine can hold a job to it.
    pub memory: Option<u64>,
}
