//! How a job ended and what that means.

use crate::TestRef;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What became of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Its own process said so, and that word was received.
    Pass,
    /// The test ran and failed.
    Fail,
    /// It could not be run or listed, or its answer could not be read.
    Error,
    /// Not run, on the framework's or the user's word.
    Skip,
    /// Ended at its time limit.
    Timeout,
    /// Killed by a signal of its own making.
    Crash,
    /// Killed for lack of memory.
    Oom,
    /// Its node or slot died; nobody knows.
    Lost,
    /// Ended because the run was cancelled.
    Cancelled,
}

impl Outcome {
    /// Every outcome, in the order of declaration.
    pub const ALL: [Self; 9] = [
        Self::Pass,
        Self::Fail,
        Self::Error,
        Self::Skip,
        Self::Timeout,
        Self::Crash,
        Self::Oom,
        Self::Lost,
        Self::Cancelled,
    ];

    /// The outcome's name on the wire and in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Error => "error",
            Self::Skip => "skip",
            Self::Timeout => "timeout",
            Self::Crash => "crash",
            Self::Oom => "oom",
            Self::Lost => "lost",
            Self::Cancelled => "cancelled",
        }
    }

    /// True for what makes a run red.
    #[must_use]
    pub const fn is_bad(self) -> bool {
        !matches!(self, Self::Pass | Self::Skip)
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// It exited with this code.
    Exit(i32),
    /// This signal killed it.
    Signal(i32),
    /// It never began: this error number came from this step of the start.
    NotStarted {
        /// The system call or step, such as `exec`.
        step: SpawnStep,
        /// The error number (`errno`).
        errno: i32,
    },
    /// Its slot died while it ran.
    SlotLost,
}

/// The step at which a process could not be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpawnStep {
    /// Making the process.
    Clone,
    /// Entering the working directory.
    Chdir,
    /// Executing the program.
    Exec,
    /// Anything else between the two.
    Setup,
}

/// What a process and its children used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Wall time from just before it was made until it was reaped.
    #[serde(with = "crate::time::micros", rename = "wall_us")]
    pub wall: Duration,
    /// Processor time in user mode, of it and all its reaped descendants.
    #[serde(with = "crate::time::micros", rename = "user_us")]
    pub user: Duration,
    /// Processor time in the kernel, likewise.
    #[serde(with = "crate::time::micros", rename = "system_us")]
    pub system: Duration,
    /// Peak memory in bytes: of the container's cgroup where there is one, else of its largest process.
    pub peak_memory: u64,
}

/// One test's result as read from a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Which test.
    pub test: TestRef,
    /// What became of it.
    pub outcome: Outcome,
    /// In words, when there is more to say than the outcome's name: `exit code 101`, `SIGSEGV`, `ended early`.
    pub reason: Option<String>,
}
