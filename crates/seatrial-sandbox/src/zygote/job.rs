//! What the engine sends: launches and jobs; and a job that runs.

use crate::child::Strings;
use crate::root::Written;
use crate::sys::Reaped;
use crate::wire::Reader;
use rustix::fd::OwnedFd;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

/// Names of survivors that are told.
const SURVIVORS: usize = 8;

/// What several jobs have in common.
#[derive(Default)]
pub(super) struct Launch {
    pub(super) strings: Strings,
    /// The first packet for its warmer, if it is a warm one.
    pub(super) first: Option<Vec<u8>>,
    /// Its second packet, when that is known: it comes before the first job.
    pub(super) second: Option<Vec<u8>>,
    /// Its warmer starts before there is a job for it.
    pub(super) eager: bool,
}

/// A job that is to run.
pub(super) struct Job {
    pub(super) tag: u64,
    pub(super) set: u8,
    /// Which of the launches.
    pub(super) place: u8,
    pub(super) strings: Strings,
    pub(super) stdin: Option<OwnedFd>,
    /// The last signal that was sent to it, before its start or after.
    pub(super) signal: Option<i32>,
}

/// A job that runs, and what it has used and left until now.
pub(super) struct Running {
    pub(super) job: Job,
    /// Its own process; of a warm launch, the warmer.
    pub(super) pid: i32,
    /// The warmer was there before this job.
    pub(super) old_warmer: bool,
    /// The warmer has said something about this job.
    pub(super) heard: bool,
    /// A test's process was there before.
    pub(super) went_on: bool,
    /// The process of a warm launch's test.
    pub(super) test: Option<i32>,
    pub(super) started: Instant,
    pub(super) wall: Duration,
    pub(super) user: Duration,
    pub(super) system: Duration,
    /// In KiB.
    pub(super) max_rss: u64,
    pub(super) survivors: Vec<String>,
    pub(super) written: Vec<Written>,
    /// The warmer ended before it had said how the job did.
    pub(super) warmer_lost: bool,
}

impl Running {
    pub(super) fn new(job: Job) -> Self {
        let zero = Duration::ZERO;
        Self {
            job,
            pid: 0,
            old_warmer: false,
            heard: false,
            went_on: false,
            test: None,
            started: Instant::now(),
            wall: zero,
            user: zero,
            system: zero,
            max_rss: 0,
            survivors: Vec::new(),
            written: Vec::new(),
            warmer_lost: false,
        }
    }

    pub(super) fn add(&mut self, reaped: &Reaped) {
        self.user += reaped.user;
        self.system += reaped.system;
        self.max_rss = self.max_rss.max(reaped.max_rss);
    }

    pub(super) fn note_survivors(&mut self, names: impl Iterator<Item = String>) {
        let room = SURVIVORS - self.survivors.len().min(SURVIVORS);
        self.survivors.extend(names.take(room));
    }
}

impl Launch {
    /// The rest of a launch's packet, in the place of another.
    pub(super) fn read(
        reader: &mut Reader<'_>,
        fds: &mut impl Iterator<Item = OwnedFd>,
        old: Self,
    ) -> Option<Self> {
        let (flags, strings) = read_strings(reader, fds, old.strings.into_bytes())?;
        let first = if flags & super::WARM != 0 { Some(read_file(fds.next()?, Vec::new())?) } else { None };
        Some(Self { strings, first, second: None, eager: flags & super::EAGER != 0 })
    }
}

impl Job {
    /// The rest of a job packet; its strings go into `spare`, whose memory is used again.
    pub(super) fn read(
        reader: &mut Reader<'_>,
        fds: &mut impl Iterator<Item = OwnedFd>,
        spare: Vec<u8>,
    ) -> Option<Self> {
        let (tag, set, place) = (reader.u64()?, reader.u8()?, reader.u8()?);
        let (flags, strings) = read_strings(reader, fds, spare)?;
        let stdin = if flags & super::WITH_STDIN != 0 { Some(fds.next()?) } else { None };
        Some(Self { tag, set, place, strings, stdin, signal: None })
    }

    /// Notes a signal that was sent to it. What is to end it is not forgotten for one that stops it or lets it go on.
    pub(super) fn note(&mut self, signal: i32) {
        if !self.is_to_end() || signal == libc::SIGKILL {
            self.signal = Some(signal);
        }
    }

    /// Whether it was asked to end, or made to.
    pub(super) const fn is_to_end(&self) -> bool {
        matches!(self.signal, Some(libc::SIGTERM | libc::SIGKILL))
    }
}

/// Flags, counts and strings, which lie in the packet or in a file that came with it.
fn read_strings(
    reader: &mut Reader<'_>,
    fds: &mut impl Iterator<Item = OwnedFd>,
    mut bytes: Vec<u8>,
) -> Option<(u8, Strings)> {
    let flags = reader.u8()?;
    let (words, vars) = (reader.u32()?, reader.u32()?);
    bytes.clear();
    if flags & super::IN_FILE != 0 {
        bytes = read_file(fds.next()?, bytes)?;
    } else {
        bytes.extend_from_slice(reader.0);
    }
    Some((flags, Strings::parse(bytes, words, vars)?))
}

/// The whole of a file; `bytes` are empty memory to be used.
pub(super) fn read_file(file: OwnedFd, mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let file = File::from(file);
    bytes.resize(usize::try_from(file.metadata().ok()?.len()).ok()?, 0);
    file.read_exact_at(&mut bytes, 0).ok()?;
    Some(bytes)
}
