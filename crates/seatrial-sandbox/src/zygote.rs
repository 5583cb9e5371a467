//! The zygote: PID 1 of a slot, single-threaded, one job at a time and one in its queue.
//!
//! It shares no memory with anybody but, for the moment of a start, with the child of a vfork. What a job costs on
//! top of its own start is told in the order of `run`: set-up calls, reaping, three looks for what was left behind.

use crate::child::{Failed, Launcher, Strings};
use crate::root::{Root, Written, mount_queues};
use crate::spec::{Isolation, Network, SlotSpec};
use crate::wire::{self, Reader, Writer};
use crate::{Failure, filter, stage, sys};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use std::fs::File;
use std::net::TcpListener;
use std::os::unix::fs::FileExt;
use std::process::exit;
use std::time::{Duration, Instant};

/// `argv[0]` that makes this binary a zygote.
pub(crate) const NAME: &str = "seatrial-zygote";

/// First bytes of packets from the zygote.
pub(crate) const READY: u8 = 1;
pub(crate) const FAILED: u8 = 2;
pub(crate) const ENDED: u8 = 3;
pub(crate) const RECALLED: u8 = 4;
/// From the stage: the zygote's process id.
pub(crate) const BORN: u8 = 5;

/// First bytes of packets to the zygote.
///
/// Launches and jobs come by the socket of jobs, which is read only when no job runs: a job that is sent ahead wakes
/// nobody. What concerns a job that runs or waits comes by the control socket.
pub(crate) const JOB: u8 = 1;
pub(crate) const SIGNAL: u8 = 2;
pub(crate) const RECALL: u8 = 3;
pub(crate) const LAUNCH: u8 = 4;

/// Launches that a slot remembers.
pub(crate) const LAUNCHES: usize = 16;

/// Flags of a launch's or job's packet.
pub(crate) const WITH_STDIN: u8 = 1;
pub(crate) const IN_FILE: u8 = 2;

/// Kinds of end in an `ENDED` packet.
pub(crate) const EXITED: u8 = 0;
pub(crate) const SIGNALED: u8 = 1;
pub(crate) const NOT_STARTED: u8 = 2;

/// Descriptors that come with the specification: the control socket and two sets of output pipes, then two cgroup files
/// if there are any.
pub(crate) const PIPES: usize = 4;
const ALWAYS: usize = 1 + PIPES;

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
    queues: Option<Queues>,
    tmp: std::path::PathBuf,
    launcher: Launcher,
    launches: [Strings; LAUNCHES],
    queue: Option<Job>,
    /// The packet last received, and strings of an ended job: memory used again.
    packet: Vec<u8>,
    spare: Vec<u8>,
    /// False when something was left that cannot be cleaned: no further job may start here.
    clean: bool,
}

struct Job {
    tag: u64,
    set: u8,
    /// Which of the launches.
    place: u8,
    strings: Strings,
    stdin: Option<OwnedFd>,
}

/// The slot's cgroup files: peak of memory (written to reset it) and the count of kills for lack of memory.
struct MemoryFiles {
    peak: File,
    events: File,
    kills: u64,
}

/// What shows a job's leavings in this IPC namespace: its POSIX queues, as the size of their directory.
struct Queues {
    dir: OwnedFd,
    empty: i64,
}

struct Running {
    job: Job,
    pid: i32,
    started: Instant,
    user: Duration,
    system: Duration,
    max_rss: u64,
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
        let socket = rustix::io::fcntl_dupfd_cloexec(stdin.as_fd(), 10).map_err(step("keep the socket"))?;
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
        let memory = files.next().zip(files.next()).map(|(peak, events)| {
            let (peak, events) = (File::from(peak), File::from(events));
            MemoryFiles { kills: oom_kills(&events), peak, events }
        });
        let mut listeners = Vec::new();
        let mut zygote = Self {
            children: sys::sigchld_fd().map_err(step("watch children"))?,
            null: open_null().map_err(step("open /dev/null"))?,
            socket,
            control,
            pipes: fds,
            memory,
            isolation: spec.isolation,
            root: None,
            queues: None,
            tmp: spec.tmp.clone(),
            launcher: Launcher::new(),
            launches: Default::default(),
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
    fn contain(&mut self, spec: &SlotSpec, listeners: &mut Vec<TcpListener>) -> Result<(), Failure> {
        let step = |what: &'static str| move |errno: Errno| Failure { what: what.into(), errno };
        let is_root = rustix::process::geteuid().is_root();
        rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
            .map_err(step("become unreadable"))?;
        if spec.network == Network::Isolated {
            sys::loopback_up().map_err(step("bring the loopback up"))?;
            for port in &spec.forward {
                listeners.push(listen(*port)?);
            }
            // A closed connection must not keep its port from the next job. Written through the host's /proc, which
            // shows this process' own network; in the slot it may be protected.
            let _ = std::fs::write("/proc/sys/net/ipv4/tcp_max_tw_buckets", "0");
        }
        self.root = Some(Root::build(&spec.root, spec.scratch, spec.layers.as_deref(), is_root)?);
        self.null = open_null().map_err(step("open the slot's /dev/null"))?;
        self.queues = Queues::open();
        drop_capabilities(is_root).map_err(step("drop capabilities"))?;
        sys::install_filter(&filter::native()).map_err(step("install the system-call filter"))
    }

    fn say_ready(&self, listeners: &[TcpListener]) -> Result<(), Failure> {
        let mut writer = Writer::default();
        let read_only = self.root.as_ref().map_or(&[][..], |root| root.read_only.as_slice());
        writer.u8(READY).u32(read_only.len() as u32);
        for note in read_only {
            writer.bytes(note.as_bytes());
        }
        let fds: Vec<BorrowedFd<'_>> = listeners.iter().map(AsFd::as_fd).collect();
        wire::send(self.socket.as_fd(), &writer.0, &fds)
            .map_err(|errno| Failure { what: "report".into(), errno })
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
        let first = usize::from(job.set) * 2;
        let (out, err) = (self.pipes.get(first)?.as_raw_fd(), self.pipes.get(first + 1)?.as_raw_fd());
        // The pipes serve job after job; a job may have made them non-blocking.
        sys::clear_status_flags(out);
        sys::clear_status_flags(err);
        let stdin = job.stdin.as_ref().unwrap_or(&self.null).as_raw_fd();
        if let Some(memory) = &self.memory {
            let _ = memory.peak.write_at(b"0", 0);
        }
        let started = Instant::now();
        let launch = self.launches.get(usize::from(job.place))?;
        match self.launcher.start(launch, &job.strings, [stdin, out, err]) {
            Err(failed) => {
                self.answer_not_started(&job, failed);
                Some(())
            }
            Ok(pid) => {
                let zero = Duration::ZERO;
                let mut running = Running { job, pid, started, user: zero, system: zero, max_rss: 0 };
                running.job.stdin = None;
                let status = self.wait(&mut running)?;
                let wall = running.started.elapsed();
                let survivors = self.kill_survivors(&mut running);
                self.answer_ended(&running, status, wall, &survivors)?;
                self.spare = running.job.strings.into_bytes();
                Some(())
            }
        }
    }

    /// Waits for the job's own process, reaping orphans meanwhile and listening to the engine's word about it.
    fn wait(&mut self, running: &mut Running) -> Option<i32> {
        loop {
            let (child, packet) = wait_for(&self.children, &self.control)?;
            if child {
                let mut signals = [0u8; 128 * 8];
                let _ = rustix::io::read(&self.children, &mut signals);
                while let Ok(Some(reaped)) = sys::reap_any(false) {
                    running.add(&reaped);
                    if reaped.pid == running.pid {
                        return Some(reaped.status);
                    }
                }
            }
            if packet {
                self.obey(Some(running))?;
            }
        }
    }

    /// Waits until a job is queued. `None`: the engine is gone.
    fn next_job(&mut self) -> Option<()> {
        // Mostly the next job is there already.
        self.receive(false)?;
        while self.queue.is_none() {
            let (job, control) = wait_for(&self.socket, &self.control)?;
            if job {
                self.receive(false)?;
            }
            if control {
                self.obey(None)?;
            }
        }
        Some(())
    }

    /// Ends whatever the job left running; gives the names of the processes that had outlived it.
    fn kill_survivors(&mut self, running: &mut Running) -> Vec<String> {
        let mut survivors = Vec::new();
        // Without any child there is nobody: orphans become children of PID 1 (or of the adopter).
        loop {
            match sys::reap_any(false) {
                Ok(Some(reaped)) => running.add(&reaped),
                Ok(None) => break,
                Err(_) => return survivors,
            }
        }
        let mut first = true;
        loop {
            let children = own_children();
            if first {
                survivors.extend(children.iter().take(8).filter_map(|pid| name_of(*pid)));
                first = false;
            }
            self.kill_tree(libc::SIGKILL, &children);
            match sys::reap_any(true) {
                Ok(Some(reaped)) => running.add(&reaped),
                Ok(None) => {}
                Err(_) => return survivors,
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
                    let place = self.launches.get_mut(usize::from(reader.u8()?))?;
                    *place = read_strings(&mut reader, &mut fds, std::mem::take(place).into_bytes())?.1;
                }
                _ => return None,
            }
        }
        Some(())
    }

    /// Takes one packet about a job that runs or waits. `None`: the engine is gone.
    fn obey(&mut self, running: Option<&Running>) -> Option<()> {
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
                let queued = self.queue.as_ref().is_some_and(|job| job.tag == tag);
                if queued {
                    self.queue = None;
                }
                self.answer_recall(tag, !queued);
            }
            SIGNAL => {
                let signal = reader.u32()?.cast_signed();
                // For a job that has already ended there is nothing to do: its answer is on the way.
                if let Some(running) = running.filter(|running| running.job.tag == tag) {
                    self.kill_tree(signal, &[running.pid]);
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn answer_recall(&self, tag: u64, was_started: bool) {
        let mut writer = Writer::default();
        writer.u8(RECALLED).u64(tag).u8(u8::from(was_started));
        let _ = wire::send(self.socket.as_fd(), &writer.0, &[]);
    }

    fn answer_not_started(&self, job: &Job, failed: Failed) {
        let mut writer = Writer::default();
        writer.u8(ENDED).u64(job.tag).u8(NOT_STARTED).u32(failed.errno.unsigned_abs());
        writer.u8(failed.step as u8).u64(0).u64(0).u64(0).u64(0).u8(0).u8(1).u32(0).u32(0);
        let _ = wire::send(self.socket.as_fd(), &writer.0, &[]);
    }

    /// Checks and renews the slot, then answers. `None`: the engine is gone.
    fn answer_ended(
        &mut self,
        running: &Running,
        status: i32,
        wall: Duration,
        survivors: &[String],
    ) -> Option<()> {
        let mut written = Vec::new();
        self.clean = self.renew(&mut written);
        let (kind, code) = if libc::WIFSIGNALED(status) {
            (SIGNALED, libc::WTERMSIG(status))
        } else {
            (EXITED, libc::WEXITSTATUS(status))
        };
        let mut peak = running.max_rss * 1024;
        let mut out_of_memory = false;
        if let Some(memory) = &mut self.memory {
            peak = read_number(&memory.peak).unwrap_or(peak);
            if kind == SIGNALED || code != 0 {
                let kills = oom_kills(&memory.events);
                out_of_memory = kills > memory.kills;
                memory.kills = kills;
            }
        }
        let mut writer = Writer::default();
        writer.u8(ENDED).u64(running.job.tag).u8(kind).u32(code.unsigned_abs()).u8(0);
        for time in [wall, running.user, running.system] {
            writer.u64(time.as_nanos() as u64);
        }
        writer.u64(peak).u8(u8::from(out_of_memory)).u8(u8::from(self.clean));
        writer.u32(survivors.len() as u32);
        for name in survivors {
            writer.bytes(name.as_bytes());
        }
        written.truncate(wire::FDS);
        writer.u32(written.len() as u32);
        let mut fds = Vec::new();
        for layer in &written {
            use std::os::unix::ffi::OsStrExt;
            writer.bytes(layer.path.as_os_str().as_bytes());
            fds.push(layer.layer.as_fd());
        }
        wire::send(self.socket.as_fd(), &writer.0, &fds).ok()
    }

    /// True when the slot is clean again.
    fn renew(&mut self, written: &mut Vec<Written>) -> bool {
        if self.isolation == Isolation::Process {
            return empty_dir(&self.tmp);
        }
        if sys::has_system_v_objects() || self.queues.as_ref().is_some_and(Queues::is_dirty) {
            if sys::fresh_ipc().is_err() || (self.queues.is_some() && mount_queues("/dev/mqueue").is_err()) {
                return false;
            }
            self.queues = Queues::open();
        }
        self.root.as_mut().is_none_or(|root| root.renew(written).is_some())
    }
}

impl Running {
    fn add(&mut self, reaped: &sys::Reaped) {
        self.user += reaped.user;
        self.system += reaped.system;
        self.max_rss = self.max_rss.max(reaped.max_rss);
    }
}

impl Job {
    /// The rest of a job packet; its strings go into `spare`, whose memory is used again.
    fn read(
        reader: &mut Reader<'_>,
        fds: &mut impl Iterator<Item = OwnedFd>,
        spare: Vec<u8>,
    ) -> Option<Self> {
        let (tag, set, place) = (reader.u64()?, reader.u8()?, reader.u8()?);
        let (flags, strings) = read_strings(reader, fds, spare)?;
        let stdin = if flags & WITH_STDIN != 0 { Some(fds.next()?) } else { None };
        Some(Self { tag, set, place, strings, stdin })
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
    if flags & IN_FILE != 0 {
        let file = File::from(fds.next()?);
        bytes.resize(usize::try_from(file.metadata().ok()?.len()).ok()?, 0);
        file.read_exact_at(&mut bytes, 0).ok()?;
    } else {
        bytes.extend_from_slice(reader.0);
    }
    Some((flags, Strings::parse(bytes, words, vars)?))
}

/// Waits until at least one of two descriptors has something, and tells which. `None`: they cannot be waited for.
fn wait_for(one: &OwnedFd, other: &OwnedFd) -> Option<(bool, bool)> {
    let mut fds = [PollFd::new(one, PollFlags::IN), PollFd::new(other, PollFlags::IN)];
    match poll(&mut fds, None) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(_) => return None,
    }
    Some((!fds[0].revents().is_empty(), !fds[1].revents().is_empty()))
}

impl Queues {
    fn open() -> Option<Self> {
        let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
        let dir = rustix::fs::open("/dev/mqueue", flags, rustix::fs::Mode::empty()).ok()?;
        let empty = rustix::fs::fstat(&dir).ok()?.st_size;
        Some(Self { dir, empty })
    }

    /// True when a queue is left over; also when that cannot be told. The directory's size counts its entries.
    fn is_dirty(&self) -> bool {
        rustix::fs::fstat(&self.dir).map_or(true, |stat| stat.st_size != self.empty)
    }
}

/// Empties the private TMPDIR of process isolation; false when something cannot be removed.
fn empty_dir(dir: &std::path::Path) -> bool {
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
    rustix::io::fcntl_dupfd_cloexec(null, 10)
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

/// Direct children of this process (`/proc/PID/task/TID/children`).
fn own_children() -> Vec<i32> {
    std::fs::read_to_string("/proc/thread-self/children")
        .map(|text| text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect())
        .unwrap_or_default()
}

fn name_of(pid: i32) -> Option<String> {
    let name = std::fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(name.trim_ascii_end()).into_owned())
}

fn read_number(file: &File) -> Option<u64> {
    let mut text = [0u8; 32];
    let length = file.read_at(&mut text, 0).ok()?;
    std::str::from_utf8(&text[..length]).ok()?.trim().parse().ok()
}

/// How often the kernel has killed in a group for lack of memory: the `oom_kill` line of `memory.events` (cgroup v2) or `memory.oom_control` (v1).
pub fn oom_kills(events: &File) -> u64 {
    let mut text = [0u8; 512];
    let Ok(length) = events.read_at(&mut text, 0) else { return 0 };
    String::from_utf8_lossy(&text[..length])
        .lines()
        .find_map(|line| line.strip_prefix("oom_kill "))
        .and_then(|count| count.trim().parse().ok())
        .unwrap_or(0)
}
