//! The engine's end of a slot.

use crate::spec::SlotSpec;
use crate::wire::{self, Reader, Writer};
use crate::zygote;
use crate::{Failure, stage};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::pipe::PipeFlags;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

/// A running slot. Dropping it ends its zygote, and with it every process of the slot.
pub struct Slot {
    /// Launches and jobs go by it, all answers come by it.
    socket: OwnedFd,
    control: OwnedFd,
    /// Read ends of the two sets of output pipes; jobs use them in turn, so that one set can be emptied while the
    /// next job writes into the other.
    pipes: [[OwnedFd; 3]; 2],
    next_set: usize,
    /// Launches that the zygote knows, by their places there.
    launches: [Option<u32>; zygote::LAUNCHES],
    next_place: usize,
    zygote: Option<u32>,
    message: Writer,
    packet: Vec<u8>,
}

/// What several jobs have in common.
#[derive(Clone, Copy, Debug)]
pub struct Launch<'a> {
    /// Absolute path of the program.
    pub program: &'a [u8],
    /// Arguments, the program's own name first.
    pub args: &'a [&'a [u8]],
    /// Variables, each `NAME=value`.
    pub vars: &'a [&'a [u8]],
    /// The directory to run in.
    pub cwd: &'a [u8],
}

/// What a job executes.
#[derive(Clone, Copy, Debug)]
pub struct Command<'a> {
    /// Number of its launch.
    pub launch: u32,
    /// Arguments after the launch's.
    pub args: &'a [&'a [u8]],
    /// Variables beside the launch's, each `NAME=value`; of equal names the job's counts.
    pub vars: &'a [&'a [u8]],
    /// The job's standard input; absent: nothing to read.
    pub stdin: Option<BorrowedFd<'a>>,
}

/// A message from a slot.
#[derive(Debug)]
pub enum SlotMessage {
    /// The running job of a warm launch has begun another test's process after the first.
    WentOn {
        /// The job's.
        tag: u64,
    },
    /// It takes jobs.
    Ready {
        /// Host directories that could only be shown read-only, with the reason.
        read_only: Vec<String>,
        /// Sockets that listen on the slot's loopback for forwarded ports.
        listeners: Vec<(OwnedFd, u16)>,
    },
    /// The answer to [`Slot::forward`].
    Listening {
        /// Sockets that listen on the slot's loopback for the new ports.
        listeners: Vec<(OwnedFd, u16)>,
        /// Ports on which it cannot listen.
        refused: Vec<u16>,
    },
    /// The answer to [`Slot::invite`].
    Invitation(Invitation),
    /// It could not be made.
    Failed(Failure),
    /// A job has ended and nothing of its process tree is left.
    Ended(Ended),
    /// The answer to a recall.
    Recalled {
        /// The job's tag.
        tag: u64,
        /// True: too late, it had started.
        was_started: bool,
    },
    /// The zygote is gone.
    Gone,
}

/// What a process from outside needs to become the warmer of a slot.
#[derive(Debug)]
pub struct Invitation {
    /// Its channel, six pipes' writing ends (output, errors and report of both sets), the shelf, then namespaces in the
    /// order in which they are entered.
    pub descriptors: Vec<OwnedFd>,
    /// Capabilities that it keeps, a bit each.
    pub capabilities: u64,
    /// How many processes its user may have in the slot (`RLIMIT_NPROC`); none: as many as before.
    pub processes: Option<u64>,
    /// The system-call filter (`struct sock_filter`, seccomp(2)), to be installed before capabilities are dropped.
    pub filter: Vec<u8>,
}

/// How a job ended.
#[derive(Debug)]
pub struct Ended {
    /// The tag it was sent with.
    pub tag: u64,
    /// How its process ended.
    pub end: JobEnd,
    /// Wall time from just before its process was made until it was reaped.
    pub wall: Duration,
    /// Processor time in user mode of its whole process tree.
    pub user: Duration,
    /// Processor time in the kernel of its whole process tree.
    pub system: Duration,
    /// Peak memory in bytes: of the slot's cgroup, else of the largest process.
    pub peak_memory: u64,
    /// True when the kernel killed something in the slot for lack of memory.
    pub out_of_memory: bool,
    /// False: the slot could not be cleaned. It ends; a queued job has not started.
    pub clean: bool,
    /// Names of processes that outlived the job and were killed, some of them.
    pub survivors: Vec<String>,
    /// Private layers that it wrote.
    pub written: Vec<LayerWritten>,
    /// True: the warmer of this job's launch ended before it had said how the job did, and the launch's next job starts
    /// a new one. The end is the warmer's own then (with the exit code [`Ended::NOTHING_SAID`] for 0); or, when it was
    /// ended because a test left what cannot be cleaned below it, that of this test. Either way, tests of the job
    /// without a complete report have not been run.
    pub warmer_lost: bool,
}

impl Ended {
    /// Stands for the exit code 0 of a warmer that ended in the middle of a job: it is no good end.
    pub const NOTHING_SAID: i32 = 70;
}

/// How a job's process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobEnd {
    /// With this exit code.
    Exit(i32),
    /// By this signal.
    Signal(i32),
    /// It did not start.
    NotStarted {
        /// At this step.
        step: Step,
        /// With this error number.
        errno: i32,
    },
}

/// A step of starting a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Making the process.
    Clone,
    /// Its streams.
    Setup,
    /// Entering the working directory.
    Chdir,
    /// Executing the program.
    Exec,
}

/// A private layer over one host directory, as a job left it.
#[derive(Debug)]
pub struct LayerWritten {
    /// The host directory.
    pub path: PathBuf,
    /// The layer's file system; what was written lies in its directory `u`, in overlayfs' form (a deleted file is a
    /// character device 0/0).
    pub layer: OwnedFd,
}

impl Slot {
    /// Starts a slot; it is made in the background and says [`SlotMessage::Ready`] or [`SlotMessage::Failed`].
    ///
    /// `memory` are the slot's cgroup files: the peak (opened for reading and writing) and the events. `before` is
    /// given the process id of the slot's first process before that makes any other: the moment to move it into a
    /// control group.
    ///
    /// # Errors
    /// No socket, pipe or process could be made, or `before` failed.
    pub fn start(
        spec: &SlotSpec,
        memory: Option<(OwnedFd, OwnedFd)>,
        before: impl FnOnce(u32) -> io::Result<()>,
    ) -> io::Result<(Self, std::process::Child)> {
        let pair = || {
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        };
        let ((socket, theirs), (control, their_control)) = (pair()?, pair()?);
        // Room for a whole packet beside one that is still being read.
        let _ = rustix::net::sockopt::set_socket_send_buffer_size(&socket, 2 * wire::PACKET);
        let pipe = || rustix::pipe::pipe_with(PipeFlags::CLOEXEC);
        let ends = [pipe()?, pipe()?, pipe()?, pipe()?, pipe()?, pipe()?];
        for (read, _) in &ends {
            rustix::io::ioctl_fionbio(read, true)?;
        }
        let packet = spec.encode();
        if packet.len() > wire::PACKET {
            return Err(io::Error::other("the root has too many parts for one slot"));
        }
        let mut fds = vec![their_control.as_fd()];
        fds.extend(ends.iter().map(|(_, write)| write.as_fd()));
        if let Some((peak, events)) = &memory {
            fds.extend([peak.as_fd(), events.as_fd()]);
        }
        let child = std::process::Command::new("/proc/self/exe")
            .arg0(stage::NAME)
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .spawn()?;
        before(child.id())?;
        wire::send(socket.as_fd(), &packet, &fds)?;
        let [(a, _), (b, _), (c, _), (d, _), (e, _), (f, _)] = ends;
        let slot = Self {
            socket,
            control,
            pipes: [[a, b, c], [d, e, f]],
            next_set: 0,
            launches: [None; zygote::LAUNCHES],
            next_place: 0,
            zygote: None,
            message: Writer::default(),
            packet: vec![0; wire::PACKET],
        };
        Ok((slot, child))
    }

    /// The descriptor that is readable when [`Slot::receive`] has something.
    #[must_use]
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// The read end of a job's standard output (0), standard error (1) or report (2) in the set that [`Slot::send`]
    /// named. Only jobs of warm launches have a report.
    #[must_use]
    pub fn pipe(&self, set: usize, stream: usize) -> BorrowedFd<'_> {
        self.pipes[set & 1][stream.min(2)].as_fd()
    }

    /// True when the slot has this launch. It forgets the oldest when there are many.
    #[must_use]
    pub fn knows(&self, launch: u32) -> bool {
        self.launches.contains(&Some(launch))
    }

    /// Gives the slot a launch that it does not know, for jobs to refer to.
    ///
    /// # Errors
    /// The slot is gone, or no memory file could be made for a launch with very many strings.
    pub fn launch(&mut self, number: u32, launch: &Launch<'_>) -> io::Result<()> {
        self.send_launch(number, launch, 0, None)
    }

    /// Gives the slot a *warm* launch: its first job starts the program, which then lives from job to job and forks a
    /// process for each test (`python/README.md` holds its side of the contract). It finds `first` waiting on descriptor
    /// 3. The argument of a job of this launch is its payload, of up to 250 KiB; other arguments, variables and its standard
    /// input go nowhere. A job of another launch ends the program first. `eager`: the program starts now, if none is there.
    ///
    /// # Errors
    /// The slot is gone, or no memory file could be made.
    pub fn launch_warm(
        &mut self,
        number: u32,
        launch: &Launch<'_>,
        first: &[u8],
        eager: bool,
    ) -> io::Result<()> {
        let first = memory_file(first)?;
        let flags = if eager { zygote::WARM | zygote::EAGER } else { zygote::WARM };
        self.send_launch(number, launch, flags, Some(first.as_fd()))
    }

    /// The second packet of a warm launch's program, which it finds before its first job.
    ///
    /// # Errors
    /// The slot is gone or does not know the launch, or no memory file could be made.
    pub fn inform(&mut self, number: u32, second: &[u8]) -> io::Result<()> {
        let place = self.place_of(number)?;
        let second = memory_file(second)?;
        Ok(wire::send(self.socket.as_fd(), &[zygote::FINDINGS, place], &[second.as_fd()])?)
    }

    /// Invites a process from outside to be the warmer of this launch. There is an
    /// answer ([`SlotMessage::Invitation`]) if it has no warmer and is a container. Until the process arrives (10 seconds) the
    /// first job waits; if it does not, the launch's program is started.
    ///
    /// # Errors
    /// The slot is gone or does not know the launch.
    pub fn invite(&mut self, number: u32) -> io::Result<()> {
        let place = self.place_of(number)?;
        Ok(wire::send(self.socket.as_fd(), &[zygote::INVITE, place], &[])?)
    }

    fn place_of(&self, number: u32) -> io::Result<u8> {
        let place = self.launches.iter().position(|known| *known == Some(number));
        place
            .map(|place| place as u8)
            .ok_or_else(|| io::Error::other("the slot does not know the job's launch"))
    }

    fn send_launch(
        &mut self,
        number: u32,
        launch: &Launch<'_>,
        flags: u8,
        first: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        let place = self.next_place;
        self.message.0.clear();
        self.message.u8(zygote::LAUNCH).u8(place as u8);
        let words = [launch.cwd, launch.program];
        self.packet(flags, words.iter().chain(launch.args), launch.vars, first)?;
        self.launches[place] = Some(number);
        // The slot may still have to run a job of the one before, but never one of that many before.
        self.next_place = (place + 1) % zygote::LAUNCHES;
        Ok(())
    }

    /// Hands a job over, to run now or, when one runs, after it. Gives the set of pipes that it will write to.
    ///
    /// # Errors
    /// The slot is gone or does not know the launch, or no memory file could be made for a job with very many strings.
    pub fn send(&mut self, tag: u64, command: &Command<'_>) -> io::Result<usize> {
        let place = self.place_of(command.launch)?;
        let set = self.next_set;
        self.message.0.clear();
        self.message.u8(zygote::JOB).u64(tag).u8(set as u8).u8(place);
        let flags = if command.stdin.is_some() { zygote::WITH_STDIN } else { 0 };
        self.packet(flags, command.args.iter(), command.vars, command.stdin)?;
        self.next_set ^= 1;
        Ok(set)
    }

    /// Sends the packet that was begun, completed by flags, counts and strings.
    fn packet<'a>(
        &mut self,
        flags: u8,
        words: impl Iterator<Item = &'a &'a [u8]> + Clone,
        vars: &'a [&'a [u8]],
        more: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        let mut fds: Vec<BorrowedFd<'_>> = more.into_iter().collect();
        let flags_at = self.message.0.len();
        self.message.u8(flags).u32(words.clone().count() as u32).u32(vars.len() as u32);
        let head = self.message.0.len();
        for text in words.chain(vars) {
            self.message.cstring(text);
        }
        if self.message.0.len() <= wire::INLINE {
            return Ok(wire::send(self.socket.as_fd(), &self.message.0, &fds)?);
        }
        let file = memory_file(&self.message.0[head..])?;
        self.message.0.truncate(head);
        self.message.0[flags_at] |= zygote::IN_FILE;
        fds.insert(0, file.as_fd());
        Ok(wire::send(self.socket.as_fd(), &self.message.0, &fds)?)
    }

    /// Lets these ports, too, be listened on in the slot before its next job. The answer is [`SlotMessage::Listening`].
    ///
    /// # Errors
    /// The slot is gone.
    pub fn forward(&self, ports: &[u16]) -> io::Result<()> {
        let mut writer = Writer::default();
        writer.u8(zygote::FORWARD).ports(ports);
        Ok(wire::send(self.socket.as_fd(), &writer.0, &[])?)
    }

    /// Takes a queued job back. The answer is [`SlotMessage::Recalled`]; a job taken back frees its set of pipes.
    ///
    /// # Errors
    /// The slot is gone.
    pub fn recall(&self, tag: u64) -> io::Result<()> {
        let mut writer = Writer::default();
        writer.u8(zygote::RECALL).u64(tag);
        Ok(wire::send(self.control.as_fd(), &writer.0, &[])?)
    }

    /// To be told that a recalled job came back unstarted: its set of pipes is the next job's.
    pub fn recalled(&mut self) {
        self.next_set ^= 1;
    }

    /// Signals every process of the running job. Of a warm launch's job, these are the processes of the test that runs;
    /// when none does, its warmer too.
    ///
    /// # Errors
    /// The slot is gone.
    pub fn signal(&self, tag: u64, signal: i32) -> io::Result<()> {
        let mut writer = Writer::default();
        writer.u8(zygote::SIGNAL).u64(tag).u32(signal.cast_unsigned());
        Ok(wire::send(self.control.as_fd(), &writer.0, &[])?)
    }

    /// The next message, if one is there.
    pub fn receive(&mut self) -> Option<SlotMessage> {
        loop {
            let mut fds = Vec::new();
            match wire::receive(self.socket.as_fd(), &mut self.packet, &mut fds, false) {
                Err(Errno::AGAIN) => return None,
                Ok(0) | Err(_) => return Some(SlotMessage::Gone),
                Ok(length) => {
                    let mut reader = Reader(&self.packet[..length]);
                    if reader.u8() != Some(zygote::BORN) {
                        return Some(read(&self.packet[..length], fds).unwrap_or(SlotMessage::Gone));
                    }
                    self.zygote = reader.u32();
                }
            }
        }
    }

    /// The next message, waited for; `None` when none came within `limit`.
    pub fn wait(&mut self, limit: Duration) -> Option<SlotMessage> {
        let begun = std::time::Instant::now();
        loop {
            if let Some(message) = self.receive() {
                return Some(message);
            }
            let left = limit.checked_sub(begun.elapsed())?;
            let left = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
            let _ = poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&left));
        }
    }

    /// The zygote's process id, once it is known: the caller is its parent and has to reap it. With process isolation
    /// it is that of the process that [`Slot::start`] gave.
    #[must_use]
    pub fn zygote(&self) -> Option<u32> {
        self.zygote
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").field("socket", &self.socket.as_raw_fd()).finish_non_exhaustive()
    }
}

fn read(packet: &[u8], fds: Vec<OwnedFd>) -> Option<SlotMessage> {
    let mut reader = Reader(packet);
    match reader.u8()? {
        zygote::READY => {
            let notes = reader.u32()?;
            let read_only = (0..notes).map(|_| reader.text()).collect::<Option<_>>()?;
            Some(SlotMessage::Ready { read_only, listeners: listeners(&mut reader, fds)? })
        }
        zygote::LISTENING => {
            let listeners = listeners(&mut reader, fds)?;
            Some(SlotMessage::Listening { listeners, refused: reader.ports()? })
        }
        zygote::INVITATION => Some(SlotMessage::Invitation(Invitation {
            descriptors: fds,
            capabilities: reader.u64()?,
            processes: reader.u64().map(|most| (most != u64::MAX).then_some(most))?,
            filter: reader.bytes()?.to_vec(),
        })),
        zygote::WENT_ON => Some(SlotMessage::WentOn { tag: reader.u64()? }),
        zygote::FAILED => {
            let errno = Errno::from_raw_os_error(reader.u32()?.cast_signed());
            Some(SlotMessage::Failed(Failure { what: reader.text()?, errno }))
        }
        zygote::ENDED => read_ended(&mut reader, fds).map(SlotMessage::Ended),
        zygote::RECALLED => {
            Some(SlotMessage::Recalled { tag: reader.u64()?, was_started: reader.u8()? != 0 })
        }
        _ => None,
    }
}

fn listeners(reader: &mut Reader<'_>, fds: Vec<OwnedFd>) -> Option<Vec<(OwnedFd, u16)>> {
    Some(fds.into_iter().zip(reader.ports()?).collect())
}

fn read_ended(reader: &mut Reader<'_>, fds: Vec<OwnedFd>) -> Option<Ended> {
    let tag = reader.u64()?;
    let (kind, code, step) = (reader.u8()?, reader.u32()?.cast_signed(), reader.u8()?);
    let end = match kind {
        zygote::EXITED => JobEnd::Exit(code),
        zygote::SIGNALED => JobEnd::Signal(code),
        zygote::NOT_STARTED => JobEnd::NotStarted {
            step: [Step::Clone, Step::Setup, Step::Chdir, Step::Exec].get(step as usize).copied()?,
            errno: code,
        },
        _ => return None,
    };
    let mut time = || reader.u64().map(Duration::from_nanos);
    let (wall, user, system) = (time()?, time()?, time()?);
    let peak_memory = reader.u64()?;
    let (out_of_memory, clean) = (reader.u8()? != 0, reader.u8()? != 0);
    let count = reader.u32()?;
    let survivors = (0..count).map(|_| reader.text()).collect::<Option<_>>()?;
    let count = reader.u32()?;
    let paths: Vec<PathBuf> = (0..count)
        .map(|_| reader.bytes().map(|path| PathBuf::from(OsStr::from_bytes(path))))
        .collect::<Option<_>>()?;
    let written = paths.into_iter().zip(fds).map(|(path, layer)| LayerWritten { path, layer }).collect();
    let warmer_lost = reader.u8()? != 0;
    Some(Ended {
        tag,
        end,
        wall,
        user,
        system,
        peak_memory,
        out_of_memory,
        clean,
        survivors,
        written,
        warmer_lost,
    })
}

fn memory_file(bytes: &[u8]) -> io::Result<OwnedFd> {
    let file = rustix::fs::memfd_create("job", rustix::fs::MemfdFlags::CLOEXEC)?;
    let mut rest = bytes;
    while !rest.is_empty() {
        rest = &rest[rustix::io::write(&file, rest)?..];
    }
    Ok(file)
}
