//! The nouns of Seatrial: ids, jobs, outcomes, events, and their wire forms.
//!
//! Everything that leaves a process (to a node, into a file, onto stdout) is a type of this crate. Each wire form
//! carries a version: a reader accepts newer minor additions (unknown fields and unknown kinds of event are kept
//! apart, not refused). Golden files in `tests/golden` hold the forms. No logic and no I/O lives here.

mod bytes;
mod event;
mod facts;
mod files;
mod id;
mod job;
mod outcome;
mod output;
mod time;

pub use bytes::Bytes;
pub use event::{Counts, Event, EventLine, NoticeLevel, RunHeader, WIRE_VERSION};
pub use facts::{Facts, TestFacts};
pub use files::FileFacts;
pub use id::{Attempt, JobId, LaunchId, NodeId, RunId, SlotId, TestRef};
pub use job::{
    JOB_WIRE_VERSION, JobKind, JobLine, JobSpec, Launch, LaunchLine, Limits, Near, Reading, Round, Warm,
};
pub use outcome::{End, Outcome, SpawnStep, Usage, Verdict};
pub use output::{Captured, Output};
pub use time::Instant;
