//! One slot of this machine as the loop sees it: its zygote, its job and the next one, their output.

use crate::capture::{Capture, SpillFolder, drain};
use crate::launches::Prepared;
use rustix::fd::{BorrowedFd, OwnedFd};
use seatrial_model::{Attempt, Captured, Instant, JobId, JobSpec, Output, SlotId};
use seatrial_sandbox::{Command, Launch, Slot, SlotSpec};
use std::collections::BTreeSet;
use std::io;
use std::process::Child;

/// A job in a slot.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) spec: JobSpec,
    pub(crate) attempt: Attempt,
    pub(crate) set: usize,
    /// When it began to run; for a queued job, when it was sent.
    pub(crate) started: Instant,
    /// Standard output, standard error and, of a warm launch's jobs, the report.
    captures: Vec<Capture>,
}

impl InFlight {
    pub(crate) fn tag(&self) -> u64 {
        tag(self.spec.job, self.attempt)
    }

    /// The streams that it writes to.
    pub(crate) fn streams(&self) -> std::ops::Range<usize> {
        0..self.captures.len()
    }

    /// Everything that it wrote, and its report.
    pub(crate) fn output(self) -> (JobSpec, Attempt, Output, Captured) {
        let mut streams = self.captures.into_iter().map(Capture::finish);
        let mut next = || streams.next().unwrap_or_default();
        (self.spec, self.attempt, Output { stdout: next(), stderr: next() }, next())
    }
}

/// A job and try as one number.
pub(crate) fn tag(job: JobId, attempt: Attempt) -> u64 {
    u64::from(job.0) << 32 | u64::from(attempt.0)
}

/// A slot of this machine.
#[derive(Debug)]
pub(crate) struct LocalSlot {
    id: SlotId,
    pub(crate) slot: Slot,
    child: Child,
    pub(crate) running: Option<InFlight>,
    pub(crate) queued: Option<InFlight>,
    /// True while the loop listens to the running job's pipes; short jobs end before anybody listens.
    pub(crate) listening: bool,
    /// Variables of this slot's jobs beside their own: `NAME=value`.
    vars: Vec<Vec<u8>>,
    /// Warm launches of which it has had a job.
    served: BTreeSet<u32>,
}

impl LocalSlot {
    /// Starts a slot's zygote.
    pub(crate) fn start(
        id: SlotId,
        spec: &SlotSpec,
        memory: Option<(OwnedFd, OwnedFd)>,
        vars: Vec<Vec<u8>>,
        before: impl FnOnce(u32) -> io::Result<()>,
    ) -> io::Result<Self> {
        let (slot, child) = Slot::start(spec, memory, before)?;
        Ok(Self {
            id,
            slot,
            child,
            running: None,
            queued: None,
            listening: false,
            vars,
            served: BTreeSet::new(),
        })
    }

    /// Hands a job over: it runs now, or after the one that runs.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        launch: &Prepared,
        spec: JobSpec,
        attempt: Attempt,
        stdin: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        let number = spec.launch.0;
        self.prepare(number, launch, false)?;
        if let Some(warm) = &launch.warm
            && self.served.insert(number)
            && let Some(second) = &warm.second
        {
            self.slot.inform(number, second)?;
        }
        let vars = self.vars_of(launch, &spec, attempt);
        let vars: Vec<&[u8]> = vars.iter().map(Vec::as_slice).collect();
        let args: Vec<&[u8]> = spec.args.iter().map(|arg| arg.0.as_slice()).collect();
        let command = Command { launch: number, args: &args, vars: &vars, stdin };
        let set = self.slot.send(tag(spec.job, attempt), &command)?;
        let mut captures = vec![Capture::of_stream(), Capture::of_stream()];
        captures.extend(launch.warm.as_ref().map(|_| Capture::of_report()));
        let job = InFlight { spec, attempt, set, started: now, captures };
        if self.running.is_none() {
            self.running = Some(job);
        } else {
            self.queued = Some(job);
        }
        Ok(())
    }

    /// Invites a process from outside to run the jobs of a warm launch.
    pub(crate) fn invite(&mut self, number: u32, launch: &Prepared) -> io::Result<()> {
        self.prepare(number, launch, false)?;
        self.slot.invite(number)
    }

    /// True when it has had a job of this warm launch.
    pub(crate) fn has_served(&self, launch: u32) -> bool {
        self.served.contains(&launch)
    }

    /// Gives the slot a launch that it does not know. `eager`: a warm one's program starts now.
    pub(crate) fn prepare(&mut self, number: u32, launch: &Prepared, eager: bool) -> io::Result<()> {
        if self.slot.knows(number) {
            return Ok(());
        }
        let args: Vec<&[u8]> = launch.args.iter().map(|arg| arg.0.as_slice()).collect();
        let vars = launch.vars_with(&self.vars);
        let strings = Launch { program: &launch.program, args: &args, vars: &vars, cwd: &launch.cwd };
        self.served.remove(&number);
        match &launch.warm {
            Some(warm) => self.slot.launch_warm(number, &strings, &warm.first, eager),
            None => self.slot.launch(number, &strings),
        }
    }

    /// A job's variables beside its launch's.
    fn vars_of(&self, launch: &Prepared, spec: &JobSpec, attempt: Attempt) -> Vec<Vec<u8>> {
        let own = spec.env.iter().map(|(name, value)| [name.0.as_slice(), b"=", value.0.as_slice()].concat());
        let mut vars: Vec<Vec<u8>> = own.collect();
        vars.push(format!("SEATRIAL_ATTEMPT={}", attempt.0).into_bytes());
        if launch.for_nextest {
            vars.push(format!("NEXTEST_ATTEMPT={}", attempt.0).into_bytes());
            vars.push(format!("NEXTEST_TEST_GLOBAL_SLOT={}", self.id.0).into_bytes());
        }
        vars
    }

    /// The running job has ended: gives it with all its output; a queued one runs now.
    pub(crate) fn ended(
        &mut self,
        now: Instant,
        buffer: &mut [u8],
        folder: &SpillFolder,
    ) -> Option<InFlight> {
        let mut job = self.running.take()?;
        for stream in job.streams() {
            read_stream(&self.slot, &mut job, stream, buffer, folder, |_| {});
        }
        self.running = self.queued.take();
        if let Some(next) = &mut self.running {
            next.started = now;
        }
        Some(job)
    }

    /// Reads what the running job has written so far; `tee` gets it too, with the number of its stream.
    pub(crate) fn read(
        &mut self,
        buffer: &mut [u8],
        folder: &SpillFolder,
        mut tee: impl FnMut(usize, &[u8]),
    ) {
        let Some(job) = &mut self.running else { return };
        for stream in job.streams() {
            read_stream(&self.slot, job, stream, buffer, folder, |bytes| tee(stream, bytes));
        }
    }

    /// The zygote is gone: reaps the process that started it.
    pub(crate) fn reap(&mut self) {
        let _ = self.child.wait();
    }
}

impl Drop for LocalSlot {
    fn drop(&mut self) {
        // The stage ends by itself as soon as the zygote lives.
        let _ = self.child.try_wait();
    }
}

fn read_stream(
    slot: &Slot,
    job: &mut InFlight,
    stream: usize,
    buffer: &mut [u8],
    folder: &SpillFolder,
    mut tee: impl FnMut(&[u8]),
) {
    let (number, attempt, kind) = (job.spec.job.0, job.attempt.0, ["out", "err", "report"][stream]);
    let capture = &mut job.captures[stream];
    drain(slot.pipe(job.set, stream), buffer, |bytes| {
        tee(bytes);
        capture.add(bytes, folder, format_args!("{number}-{attempt}.{kind}"));
    });
}
