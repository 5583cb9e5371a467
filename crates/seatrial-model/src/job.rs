//! What a node is asked to do.

use crate::{Bytes, JobId, LaunchId, TestRef};
use serde::{Deserialize, Serialize, Serializer};
use std::time::Duration;

/// Version of the lines of jobs and launches. It rises when a field changes its meaning; additions leave it.
pub const JOB_WIRE_VERSION: u32 = 1;

/// A launch on its way to a node.
///
/// A line of a newer version is read. It is not written again, for what this version does not know would be missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchLine {
    /// [`JOB_WIRE_VERSION`] of the writer.
    #[serde(serialize_with = "own_version")]
    pub v: u32,
    /// The number by which jobs refer to it.
    pub id: LaunchId,
    /// The launch.
    #[serde(flatten)]
    pub launch: Launch,
}

/// A job on its way to a node.
///
/// A line of a newer version is read. It is not written again, for what this version does not know would be missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobLine {
    /// [`JOB_WIRE_VERSION`] of the writer.
    #[serde(serialize_with = "own_version")]
    pub v: u32,
    /// The job.
    #[serde(flatten)]
    pub spec: JobSpec,
}

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
    /// The program stays in its slot from job to job, and a job is a message to it; absent: each job is a process of its
    /// own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm: Option<Warm>,
}

/// How a program that stays in its slot is begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warm {
    /// What it finds on its channel (descriptor 3) first.
    pub first_packet: Bytes,
    /// The last job that it gets, when all others of the run are over; what it reports then counts.
    pub last_job: Bytes,
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
    /// The tests that it shares a slot's state with; absent: none, any slot is as good as another. Of tests alone:
    /// listings and relays go where there is room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near: Option<Near>,
}

impl JobSpec {
    /// The tests that the job reports, where it knows them before: those of its reading, else the one that it is named
    /// after.
    #[must_use]
    pub fn tests(&self) -> &[TestRef] {
        match &self.reading {
            Reading::Pytest { tests } if !tests.is_empty() => tests,
            Reading::Pytest { .. }
            | Reading::ExitCode
            | Reading::LibtestOne { .. }
            | Reading::LibtestMany
            | Reading::LibtestList => std::slice::from_ref(&self.test),
        }
    }
}

/// In whose company a test of a job of several is run. The lesser goes first: what is in doubt is settled before more is
/// begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Round {
    /// In a process of its own.
    Alone,
    /// In one process with the tests that ran before it in its process when it failed.
    Same,
    /// In one process with all tests that come before it in its file.
    After,
    /// With the others of its job, as planned.
    Company,
}

/// Tests that are better off, one after the other, in one slot, because the first leaves something warm there.
///
/// The whole value names the group: the same number with another `together` is another group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Near {
    /// The group's number within the run.
    pub group: u32,
    /// True: the tests have set-ups in common that are made once, so all of them go to one slot while it lives. False:
    /// a slot that has nothing else to do may help.
    pub together: bool,
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
    /// A warm interpreter runs tests of pytest and reports through a pipe of its own.
    Pytest {
        /// The tests in the order of the job's payload; none when the job is the one test that it is named after.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tests: Vec<TestRef>,
    },
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

/// A writer refuses versions other than its own.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields so")]
fn own_version<S: Serializer>(v: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    if *v == JOB_WIRE_VERSION {
        serializer.serialize_u32(*v)
    } else {
        let own = JOB_WIRE_VERSION;
        Err(serde::ser::Error::custom(format!("a line of version `{v}` is not written by version `{own}`")))
    }
}
