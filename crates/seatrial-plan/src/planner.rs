//! The planner as a machine: what is found goes in, jobs come out.

use seatrial_frameworks::cargo::args::HarnessArgs;
use seatrial_model::{
    Bytes, Captured, End, FileFacts, JobId, JobSpec, Launch, LaunchId, NoticeLevel, Output, Round, TestRef,
    Verdict,
};

/// What a planner is told.
#[derive(Clone, Debug)]
pub enum PlanEvent {
    /// The run begins.
    Begin,
    /// A framework's own tool would execute this test binary now.
    Binary(FoundBinary),
    /// A process to be run for somebody who waits for its end and output.
    Relay {
        /// The asker's number.
        call: u64,
        /// What it would execute.
        launch: Launch,
    },
    /// Results that a framework's own tool reports about tests that it runs by relays.
    Reported {
        /// The results.
        verdicts: Vec<Verdict>,
        /// What there is to show of them.
        output: Output,
    },
    /// Nothing more will be found.
    FoundAll,
    /// A listing or relay of this planner has ended.
    Handed {
        /// The job.
        spec: JobSpec,
        /// How it ended.
        end: Option<End>,
        /// What it wrote.
        output: Output,
        /// What was read from that.
        verdicts: Vec<Verdict>,
    },
    /// A message of a framework's own process that works with us while the run lasts.
    Told(Vec<u8>),
    /// A try of a test job of [`seatrial_model::Reading::Pytest`] has ended.
    Settled {
        /// The job as it was run.
        spec: JobSpec,
        /// How its (last) process ended.
        end: Option<End>,
        /// What came through its report pipe.
        report: Captured,
        /// What is final of its tests, now or since.
        verdicts: Vec<Verdict>,
    },
    /// Tests of such a job are to be run (again). Answered by [`PlanAction::Again`].
    Again {
        /// The job.
        job: JobId,
        /// Its tests.
        tests: Vec<TestRef>,
        /// In whose company.
        round: Round,
    },
    /// Few jobs wait; a planner that holds some back adds more.
    RunningLow,
}

/// What a planner wants done.
#[derive(Clone, Debug)]
pub enum PlanAction {
    /// Jobs may refer to this launch from now on.
    Launch(LaunchId, Launch),
    /// The program of this warm launch is to start in some slots, before there is a job for it.
    WarmUp(LaunchId),
    /// Slots may have a fork of the framework's own process in the place of a program of this warm launch.
    Invite(LaunchId),
    /// The second packet of a warm launch, which its programs find before their first job.
    Inform(LaunchId, Bytes),
    /// Run this too.
    Job(JobSpec),
    /// This test is not run.
    Skipped {
        /// Which.
        test: TestRef,
        /// Why, in words.
        reason: Option<String>,
    },
    /// A group of tests is known.
    Listed {
        /// Its name.
        group: String,
        /// How many of its tests will be run.
        tests: u32,
    },
    /// These results stand, although no job of their own gave them.
    Judged {
        /// How the process behind them ended.
        end: Option<End>,
        /// What it wrote.
        output: Output,
        /// The results.
        verdicts: Vec<Verdict>,
    },
    /// The answer to a relay.
    Answer {
        /// The asker's number.
        call: u64,
        /// How the process ended.
        end: Option<End>,
        /// What it wrote.
        output: Output,
    },
    /// These ports of this machine's loopback are to answer in all slots, from the next job on.
    Forward(Vec<u16>),
    /// A message to the framework's own process.
    Tell(Vec<u8>),
    /// Which files a process of tests opened.
    Facts(FileFacts),
    /// The answer to [`PlanEvent::Again`].
    Again {
        /// The job.
        job: JobId,
        /// The job with these tests, or nothing when they cannot be run so.
        spec: Option<JobSpec>,
    },
    /// After so many bad tests no further one is to be started, on the framework's word.
    MaxFail(u32),
    /// No further test is to be started, for this reason.
    Stop(String),
    /// Tell the user.
    Notice {
        /// How grave.
        level: NoticeLevel,
        /// What, with names.
        text: String,
        /// What to do next.
        hint: Option<String>,
    },
    /// No more jobs will be added.
    Complete,
}

/// A test binary as its framework's tool would execute it.
#[derive(Clone, Debug)]
pub struct FoundBinary {
    /// The group that its tests belong to.
    pub group: String,
    /// The binary with its environment and directory, without arguments.
    pub launch: Launch,
    /// The arguments that the tool would pass, as they are.
    pub raw_args: Vec<Bytes>,
    /// The same, understood.
    pub args: HarnessArgs,
    /// True: the target says `harness = false`, so that listing may fail without being wrong.
    pub custom_harness: bool,
}

/// Decides what is to be run.
pub trait Planner {
    /// Takes one event; what follows from it goes into `out`.
    fn handle(&mut self, event: PlanEvent, out: &mut Vec<PlanAction>);
}
