//! The event stream: the spine that terminal, JSON, JUnit and history are folds over.

use crate::{Attempt, End, FileFacts, NodeId, Outcome, Output, RunId, SlotId, TestRef, Usage};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Version of the event lines. It rises when a field changes its meaning; additions leave it.
pub const WIRE_VERSION: u32 = 1;

/// One line of `--format json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventLine {
    /// [`WIRE_VERSION`] of the writer.
    pub v: u32,
    /// Microseconds since the run began.
    pub at_us: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What a run is, said at its beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunHeader {
    /// The run's id.
    pub run: RunId,
    /// Milliseconds since 1970 at the beginning.
    pub started_unix_ms: u64,
    /// The project's directory.
    pub project: String,
    /// The command line, one string an argument.
    pub command: Vec<String>,
    /// The machine's name.
    pub host: String,
    /// Slots of this machine.
    pub slots: u32,
    /// Isolation in force: `cow` or `process`.
    pub isolation: String,
    /// The seed that all random choices of the run derive from.
    pub seed: u64,
    /// The revision that version control names, with `-dirty` when the tree is known to differ.
    pub revision: Option<String>,
}

/// Something that happened in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The first event.
    RunStarted(RunHeader),
    /// A group of tests is known. `tests` counts those that will run; the ignored follow as `Skipped`.
    GroupListed {
        /// The group (for Rust a test binary).
        group: String,
        /// How many of its tests will be run.
        tests: u32,
    },
    /// A test that is not run, on the framework's or the user's word.
    Skipped {
        /// Which.
        test: TestRef,
        /// Why, in words, when known.
        reason: Option<String>,
    },
    /// A test was handed to a slot.
    AttemptStarted {
        /// Which.
        test: TestRef,
        /// Which try.
        attempt: Attempt,
        /// On which machine.
        node: NodeId,
        /// In which slot.
        slot: SlotId,
    },
    /// A running test has passed its slow limit (once more).
    Slow {
        /// Which.
        test: TestRef,
        /// How long it has run.
        #[serde(with = "crate::time::micros", rename = "elapsed_us")]
        elapsed: Duration,
    },
    /// A try of a test has ended.
    AttemptFinished {
        /// Which.
        test: TestRef,
        /// Which try.
        attempt: Attempt,
        /// What became of it.
        outcome: Outcome,
        /// More about the outcome, in words.
        reason: Option<String>,
        /// How its process ended; absent where several tests share one process.
        end: Option<End>,
        /// What it used.
        usage: Usage,
        /// What it wrote.
        output: Output,
        /// True when no further try follows: this is the test's result. An earlier bad try makes a pass flaky.
        last: bool,
        /// True for a pass that depends on which tests ran before in the same process: the reason says how.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        order_dependent: bool,
        /// Things to tell the reader beside the outcome (a hint about the network, a kept layer), one sentence each.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        notes: Vec<String>,
    },
    /// Something the user should know that is no test's result.
    Notice {
        /// How grave.
        level: NoticeLevel,
        /// What, with names.
        text: String,
        /// What to do next.
        hint: Option<String>,
    },
    /// Which files a process of tests opened, when that is recorded.
    Facts(FileFacts),
    /// The last event.
    RunFinished {
        /// Results by kind.
        counts: Counts,
        /// Wall time of the run.
        #[serde(with = "crate::time::micros", rename = "wall_us")]
        wall: Duration,
        /// True when the user ended it before its time.
        interrupted: bool,
        /// The exit code that the command ends with.
        exit_code: u8,
    },
    /// A kind that this version does not know.
    #[serde(other)]
    Unknown,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields so")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// How grave a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeLevel {
    /// Good to know.
    Info,
    /// Something is not as expected; results stand.
    Warning,
    /// Results are missing or wrong because of this.
    Error,
}

/// Results of a run by kind. Each test counts once, by its last try.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Passed, flaky ones included.
    pub passed: u32,
    /// Passed only after a bad try.
    pub flaky: u32,
    /// Passed, but only alone, or only after other tests of their file. They are no flaky ones.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub order_dependent: u32,
    /// Failed, timed out, crashed or out of memory.
    pub failed: u32,
    /// Could not be run, listed or read, or lost.
    pub errors: u32,
    /// Not run, on the framework's or the user's word.
    pub skipped: u32,
    /// Meant to run but not run, because the run ended before.
    pub not_run: u32,
}
