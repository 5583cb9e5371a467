//! The zygote: PID 1 of a slot, single-threaded, one job at a time and one in its queue.
//!
//! It shares no memory with anybody but, for the moment of a start, with the child of a vfork. What a job costs on
//! top of its own start is told in the order of `run`: set-up calls, reaping, three looks for what was left behind.
//!
//! - `warm`: jobs of a program that lives from job to job. `word`: what it says. `invite`: one that comes from outside.
//!   `shelf`: what its tests had to say when it died.
//! - `job`: what comes from the engine. `answer`: what goes back.
//! - `protect`: settings that a job could change for those after it.

mod answer;
mod invite;
mod job;
mod protect;
mod shelf;
mod warm;
mod word;

use crate::child::Launcher;
use crate::ipc::Ipc;
use crate::processes::{name_of, own_children};
use crate::root::{Root, Snapshot, Written};
use crate::spec::{Isolation, Network, SlotSpec};
use crate::wire::{self, Reader};
use crate::{Failure, filter, stage, sys};
use answer::MemoryFiles;
use job::{Job, Launch, Running};
use protect::Protected;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::io::Errno;
use shelf::Shelf;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::exit;
use std::time::Duration;
use warm::Warmer;

pub use answer::oom_kills;

/// `argv[0]` that makes this binary a zygote.
pub(crate) const NAME: &str = "seatrial-zygote";

/// First bytes of packets from the zygote.
pub(crate) const READY: u8 = 1;
pub(crate) const FAILED: u8 = 2;
pub(crate) const ENDED: u8 = 3;
pub(crate) const RECALLED: u8 = 4;
/// A warm launch's job has begun another test's process.
pub(crate) const WENT_ON: u8 = 6;
/// From the stage: the zygote's process id.
pub(crate) const BORN: u8 = 5;
pub(crate) const LISTENING: u8 = 7;
pub(crate) const INVITATION: u8 = 8;

/// First bytes of packets to the zygote.
///
/// Launches and jobs come by the socket of jobs, which is read only when no job runs: a job that is sent ahead wakes
/// nobody. What concerns a job that runs or waits comes by the control socket.
pub(crate) const JOB: u8 = 1;
pub(crate) const SIGNAL: u8 = 2;
pub(crate) const RECALL: u8 = 3;
pub(crate) const LAUNCH: u8 = 4;
/// The second packet for a warm launch's warmers, in a file.
pub(crate) const FINDINGS: u8 = 5;
pub(crate) const FORWARD: u8 = 6;
/// A process from outside is to be the warmer of a launch.
pub(crate) const INVITE: u8 = 7;

/// Launches that a slot remembers.
pub(crate) const LAUNCHES: usize = 16;

/// Flags of a launch's or job's packet.
pub(crate) const WITH_STDIN: u8 = 1;
pub(crate) const IN_FILE: u8 = 2;
/// A file comes with the launch: the first packet of its warmer.
pub(crate) const WARM: u8 = 4;
/// The warmer starts at once, before there is a job for it.
pub(crate) const EAGER: u8 = 8;

/// Kinds of end in an `ENDED` packet.
pub(crate) const EXITED: u8 = 0;
pub(crate) const SIGNALED: u8 = 1;
pub(crate) const NOT_STARTED: u8 = 2;

/// Descriptors that come with the specification: the control socket and two sets of pipes (output, errors, report),
/// then two cgroup files if there are any.
const ALWAYS: usize = 1 + 2 * SET;
const SET: usize = 3;

/// Descriptors that a job's process gets have numbers below this one, the zygote's own from it on.
const FIRST_OWN: i32 = 16;

struct Zygote {
    /// Jobs come by it, answers go by it.
    socket: OwnedFd,
    control: OwnedFd,
    children: OwnedFd,
    null: OwnedFd,
    pipes: Vec<OwnedFd>,
    memory: Option<MemoryFiles>,
    isolation: Isolation,
    root: Option<Root>,
    ipc: Option<Ipc>,
    protected: Protected,
    /// The private TMPDIR of process isolation, and what was kept in it.
    tmp: PathBuf,
    kept_tmp: Option<Snapshot>,
    launcher: Launcher,
    launches: [Launch; LAUNCHES],
    warmer: Option<Warmer>,
    shelf: Shelf,
    queue: Option<Job>,
    /// The packet last received, and strings of an ended job: memory used again.
    packet: Vec<u8>,
    spare: Vec<u8>,
    /// False when something was left that cannot be cleaned: no further job may start here.
    clean: bool,
}

/// Receives the specification, makes the slot and serves jobs until the engine is gone.
pub(crate) fn main() -> ! {
    match Zygote::make() {
        Ok(mut zygote) => {
            zygote.serve();
            zygote.end_tree();
            exit(0)
        }
        Err(failure) => {
            let _ = wire::send(std::io::stdin().as_fd(), &stage::failed_packet(&failure), &[]);
            exit(1)
        }
    }
}

impl Zygote {
    fn make() -> Result<Self, Failure> {
        let step = |what: &'static str| move |errno: Errno| Failure { what: what.into(), errno };
        // The terminal's keys are the engine's business.
        let _ = rustix::process::setsid();
        // Executed by descriptor, it would go by `exe` in process lists.
        let _ = rustix::thread::set_name(c"seatrial-zygote");
        close_on_exec();
        sys::default_sigpipe();
        let stdin = std::io::stdin();
        let socket =
            rustix::io::fcntl_dupfd_cloexec(stdin.as_fd(), FIRST_OWN).map_err(step("keep the socket"))?;
        let mut packet = vec![0; wire::PACKET];
        let mut fds = Vec::new();
        let length = wire::receive(socket.as_fd(), &mut packet, &mut fds, true)
            .map_err(step("read the slot's specification"))?;
        let spec = SlotSpec::decode(&packet[..length])
            .filter(|_| fds.len() >= ALWAYS)
            .ok_or(Errno::INVAL)
            .map_err(step("read the slot's specification"))?;
        let mut files = fds.split_off(ALWAYS).into_iter();
        let control = fds.remove(0);
        let memory = files.next().zip(files.next()).map(|(peak, events)| MemoryFiles::new(peak, events));
        let own = |fd: &OwnedFd| rustix::io::fcntl_dupfd_cloexec(fd, FIRST_OWN);
        let pipes = fds.iter().map(own).collect::<Result<_, _>>().map_err(step("keep the pipes"))?;
        let mut listeners = Listeners::default();
        let mut zygote = Self {
            children: sys::sigchld_fd().map_err(step("watch children"))?,
            null: open_null().map_err(step("open /dev/null"))?,
            socket,
            control,
            pipes,
            memory,
            isolation: spec.isolation,
            root: None,
            ipc: None,
            protected: Protected::default(),
            tmp: spec.tmp.clone(),
            kept_tmp: None,
            launcher: Launcher::new(),
            launches: Default::default(),
            warmer: None,
            shelf: Shelf::make().map_err(step("make a shelf"))?,
            queue: None,
            packet,
            spare: Vec::new(),
            clean: true,
        };
        match spec.isolation {
            Isolation::Cow => zygote.contain(&spec, &mut listeners)?,
            Isolation::Process => rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
                .map_err(step("adopt orphans"))?,
        }
        zygote.say_ready(&listeners)?;
        Ok(zygote)
    }

    /// Everything that makes this process the first of a container.
    fn contain(&mut self, spec: &SlotSpec, listeners: &mut Listeners) -> Result<(), Failure> {
        let step = |what: &'static str| move |errno: Errno| Failure { what: what.into(), errno };
        let is_root = rustix::process::geteuid().is_root();
        rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
            .map_err(step("become unreadable"))?;
        if spec.network == Network::Isolated {
            sys::loopback_up().map_err(step("bring the loopback up"))?;
            for port in &spec.forward {
                listeners.push((listen(*port)?, *port));
            }
            // A closed connection must not keep its port from the next job. Written through the host's /proc, which
            // shows this process' own network; in the slot it may be protected.
            let _ = std::fs::write("/proc/sys/net/ipv4/tcp_max_tw_buckets", "0");
        }
        self.root = Some(Root::build(&spec.root, spec.scratch, spec.layers.as_deref(), is_root)?);
        self.null = open_null().map_err(step("open the slot's /dev/null"))?;
        self.ipc = Some(Ipc::open());
        if is_root {
            self.protected = Protected::of_this_process();
        }
        drop_capabilities(is_root).map_err(step("drop capabilities"))?;
        sys::install_filter(&filter::native()).map_err(step("install the system-call filter"))
    }

    /// Runs jobs until the engine closes the socket.
    fn serve(&mut self) {
        while self.clean {
            match self.queue.take() {
                Some(job) => {
                    if self.run(job).is_none() {
                        return;
                    }
                }
                None => {
                    if self.next_job().is_none() {
                        // The engine removes the slot's directories meanwhile.
                        let _ = self.close_warmer();
                        return;
                    }
                }
            }
        }
        // Not clean any more: what is still queued goes back unstarted, then the slot ends.
        let _ = self.receive(false);
        if let Some(job) = self.queue.take() {
            self.answer_recall(job.tag, false);
        }
    }

    /// One job from its start to the answer. `None`: the engine is gone.
    fn run(&mut self, job: Job) -> Option<()> {
        let launch = self.launches.get(usize::from(job.place))?;
        if self.warmer.as_ref().is_some_and(|warmer| launch.first.is_none() || !warmer.serves(job.place)) {
            let _ = self.dismiss_warmer();
        }
        if !self.clean {
            // It goes back unstarted.
            self.answer_recall(job.tag, false);
            return Some(());
        }
        if self.launches[usize::from(job.place)].first.is_some() {
            return self.run_warm(job);
        }
        let [out, err, _] = self.open_set(job.set)?;
        let stdin = job.stdin.as_ref().unwrap_or(&self.null).as_raw_fd();
        let mut running = Running::new(job);
        let launch = &self.launches[usize::from(running.job.place)];
        match self.launcher.start(&launch.strings, &running.job.strings, &[stdin, out, err]) {
            Err(failed) => {
                self.answer_not_started(&running.job, failed);
                Some(())
            }
            Ok(pid) => {
                running.pid = pid;
                running.job.stdin = None;
                if let Some(signal) = running.job.signal {
                    self.kill_tree(signal, &[pid]);
                }
                let status = self.wait(&mut running)?;
                running.wall = running.started.elapsed();
                self.kill_survivors(&mut running);
                self.clean = self.renew(&mut running.written);
                self.answer_ended(&running, status)?;
                self.spare = running.job.strings.into_bytes();
                Some(())
            }
        }
    }

    /// The pipes of a set, for a job that starts.
    fn open_set(&self, set: u8) -> Option<[i32; SET]> {
        let first = usize::from(set) * SET;
        let pipes = self.pipes.get(first..first + SET)?;
        let set = [pipes[0].as_raw_fd(), pipes[1].as_raw_fd(), pipes[2].as_raw_fd()];
        for pipe in set {
            // The pipes serve job after job; a job may have made them non-blocking.
            sys::clear_status_flags(pipe);
        }
        if let Some(memory) = &self.memory {
            memory.reset();
        }
        Some(set)
    }

    /// Waits for the job's own process, reaping orphans meanwhile and listening to the engine's word about it.
    fn wait(&mut self, running: &mut Running) -> Option<i32> {
        loop {
            let [child, packet] = wait_for([&self.children, &self.control], None)?;
            if child {
                self.take_signals();
                while let Ok(Some(reaped)) = sys::reap_any(false) {
                    running.add(&reaped);
                    if reaped.pid == running.pid {
                        return Some(reaped.status);
                    }
                }
            }
            if packet {
                self.obey(Some(&mut *running))?;
            }
        }
    }

    /// Waits until a job is queued. `None`: the engine is gone.
    fn next_job(&mut self) -> Option<()> {
        // Mostly the next job is there already.
        self.receive(false)?;
        while self.queue.is_none() {
            let [job, control] = wait_for([&self.socket, &self.control], None)?;
            if job {
                self.receive(false)?;
            }
            if control {
                self.obey(None)?;
            }
        }
        Some(())
    }

    fn take_signals(&self) {
        let mut signals = [0u8; 128 * 8];
        let _ = rustix::io::read(&self.children, &mut signals);
    }

    /// Ends whatever the job left running; notes the names of the processes that had outlived it.
    fn kill_survivors(&mut self, running: &mut Running) {
        // Without any child there is nobody: orphans become children of PID 1 (or of the adopter).
        loop {
            match sys::reap_any(false) {
                Ok(Some(reaped)) => running.add(&reaped),
                Ok(None) => break,
                Err(_) => return,
            }
        }
        running.note_survivors(own_children().iter().filter_map(|pid| name_of(*pid)));
        loop {
            self.kill_tree(libc::SIGKILL, &own_children());
            match sys::reap_any(true) {
                Ok(Some(reaped)) => running.add(&reaped),
                Ok(None) => {}
                Err(_) => return,
            }
        }
    }

    /// Signals every process of the slot but this one.
    fn kill_tree(&self, signal: i32, children: &[i32]) {
        match self.isolation {
            Isolation::Cow => sys::kill_all(signal),
            Isolation::Process => {
                for pid in children.iter().filter_map(|pid| rustix::process::Pid::from_raw(*pid)) {
                    let Some(signal) = rustix::process::Signal::from_named_raw(signal) else { continue };
                    let _ = rustix::process::kill_process_group(pid, signal);
                    let _ = rustix::process::kill_process(pid, signal);
                }
            }
        }
    }

    fn end_tree(&mut self) {
        loop {
            self.kill_tree(libc::SIGKILL, &own_children());
            if sys::reap_any(true).is_err() {
                return;
            }
        }
    }

    /// Takes launches and jobs as far as they are there, up to the first job. `None`: the engine is gone.
    fn receive(&mut self, block: bool) -> Option<()> {
        while self.queue.is_none() {
            let mut fds = Vec::new();
            let length = match wire::receive(self.socket.as_fd(), &mut self.packet, &mut fds, block) {
                Err(Errno::AGAIN) => return Some(()),
                Ok(0) | Err(_) => return None,
                Ok(length) => length,
            };
            let mut reader = Reader(&self.packet[..length]);
            let mut fds = fds.into_iter();
            match reader.u8()? {
                JOB => self.queue = Some(Job::read(&mut reader, &mut fds, std::mem::take(&mut self.spare))?),
                LAUNCH => {
                    let place = reader.u8()?;
                    let launch = self.launches.get_mut(usize::from(place))?;
                    *launch = Launch::read(&mut reader, &mut fds, std::mem::take(launch))?;
                    if let Some(warmer) = self.warmer.as_mut().filter(|warmer| warmer.serves(place)) {
                        warmer.worn_out = true;
                    }
                    self.start_early(place);
                }
                FINDINGS => {
                    let launch = self.launches.get_mut(usize::from(reader.u8()?))?;
                    launch.second = Some(job::read_file(fds.next()?, Vec::new())?);
                }
                INVITE => {
                    let place = reader.u8()?;
                    self.invite(place)?;
                }
                FORWARD => {
                    let ports = reader.ports()?;
                    self.answer_forward(&ports);
                }
                _ => return None,
            }
        }
        Some(())
    }

    /// Takes one packet about a job that runs or waits. `None`: the engine is gone.
    fn obey(&mut self, running: Option<&mut Running>) -> Option<()> {
        let mut packet = [0; 32];
        let length = match wire::receive(self.control.as_fd(), &mut packet, &mut Vec::new(), false) {
            Err(Errno::AGAIN) => return Some(()),
            Ok(0) | Err(_) => return None,
            Ok(length) => length,
        };
        let mut reader = Reader(&packet[..length]);
        let (kind, tag) = (reader.u8()?, reader.u64()?);
        match kind {
            RECALL => {
                // It was sent before the recall was, by the other socket.
                self.receive(false)?;
                // Behind no running one it begins now: with the end of the one before it, its start has been told.
                let queued = running.is_some() && self.queue.as_ref().is_some_and(|job| job.tag == tag);
                if queued {
                    self.queue = None;
                }
                self.answer_recall(tag, !queued);
            }
            SIGNAL => {
                let signal = reader.u32()?.cast_signed();
                match running.filter(|running| running.job.tag == tag) {
                    Some(running) => {
                        running.job.note(signal);
                        match &self.warmer {
                            Some(_) => self.signal_test(running, signal),
                            None => self.kill_tree(signal, &[running.pid]),
                        }
                    }
                    None => {
                        // It may have overtaken its job, which came by the other socket. For one that has already ended
                        // there is nothing to do: its answer is on the way.
                        self.receive(false)?;
                        if let Some(job) = self.queue.as_mut().filter(|job| job.tag == tag) {
                            job.note(signal);
                        }
                    }
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// Throws away what a job wrote. True when the slot is clean again.
    fn renew(&mut self, written: &mut Vec<Written>) -> bool {
        if self.isolation == Isolation::Process {
            return empty_dir(&self.tmp);
        }
        if self.ipc.as_mut().is_some_and(|ipc| ipc.is_dirty() && !ipc.renew()) || !self.protected.restore() {
            return false;
        }
        self.root.as_mut().is_none_or(|root| root.renew(written).is_some())
    }
}

/// Waits until at least one of these descriptors has something, and tells which; none has when the time is over.
/// `None`: they cannot be waited for.
fn wait_for<const N: usize>(fds: [&OwnedFd; N], limit: Option<Duration>) -> Option<[bool; N]> {
    let mut fds = fds.map(|fd| PollFd::new(fd, PollFlags::IN));
    let limit = limit.map(|limit| Timespec {
        tv_sec: limit.as_secs().cast_signed(),
        tv_nsec: limit.subsec_nanos().into(),
    });
    match poll(&mut fds, limit.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(_) => return None,
    }
    Some(fds.map(|fd| !fd.revents().is_empty()))
}

/// Empties the private TMPDIR of process isolation; false when something cannot be removed.
fn empty_dir(dir: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(dir) else { return std::fs::create_dir_all(dir).is_ok() };
    entries.flatten().all(|entry| {
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let path = entry.path();
        if is_dir { std::fs::remove_dir_all(path).is_ok() } else { std::fs::remove_file(path).is_ok() }
    })
}

fn open_null() -> Result<OwnedFd, Errno> {
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC;
    let null = rustix::fs::open("/dev/null", flags, rustix::fs::Mode::empty())?;
    rustix::io::fcntl_dupfd_cloexec(null, FIRST_OWN)
}

/// What the engine or its parents left open must not reach a job.
fn close_on_exec() {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return };
    let open: Vec<i32> =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for fd in open.into_iter().filter(|fd| *fd > 2) {
        sys::set_cloexec(fd);
    }
}

/// Sockets that listen for forwarded ports, on their way to the engine.
type Listeners = Vec<(TcpListener, u16)>;

/// Listens on the slot's loopback for a port that the engine forwards to the host's.
fn listen(port: u16) -> Result<TcpListener, Failure> {
    TcpListener::bind(("127.0.0.1", port)).map_err(|error| Failure {
        what: format!("listen on the slot's port {port}"),
        errno: Errno::from_io_error(&error).unwrap_or(Errno::ADDRINUSE),
    })
}

fn drop_capabilities(is_root: bool) -> Result<(), Errno> {
    let keep = if is_root {
        stage::jobs_capabilities()
    } else {
        rustix::thread::clear_ambient_capability_set()?;
        rustix::thread::CapabilitySet::empty()
    };
    let held = rustix::thread::capabilities(None)?;
    for capability in held.permitted.difference(keep).iter() {
        rustix::thread::remove_capability_from_bounding_set(capability)?;
    }
    let none = rustix::thread::CapabilitySet::empty();
    rustix::thread::set_capabilities(None, rustix::thread::CapabilitySets { inheritable: none, ..held })
}
