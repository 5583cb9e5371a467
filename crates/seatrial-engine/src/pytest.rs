//! The session of pytest or unittest as a part of a run: the lister.
//!
//! It runs outside containers, as cargo's build does: what it writes (its cache, `__pycache__`, reports) is meant to
//! stay. Its first message comes within the time that pytest needs to start; when the channel closes it is gone. Two
//! threads serve it, one reading what it tells, one writing what it is told, so that the loop never waits for it.

use crate::inbox::{Input, Outbox};
use crate::source::{Closing, Source};
use crate::threads::{lock, thread};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::io::IoSlice;
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
    recv, send, sendmsg, socketpair,
};
use rustix::process::{Pid, Signal, kill_process_group};
use seatrial_frameworks::pytest::helper::{BOOT, Framework};
use seatrial_frameworks::pytest::listing::{Hello, Message, read_message};
use seatrial_frameworks::pytest::replay;
use seatrial_frameworks::pytest::wire::{Joiner, PACKET, packets};
use seatrial_model::{Bytes, Outcome, SlotId, TestRef, Verdict};
use seatrial_plan::PlanEvent;
use seatrial_sandbox::Invitation;
use std::ffi::OsString;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// How the lister is to be started.
#[derive(Clone, Debug)]
pub struct ListerRequest {
    /// Whose session it is.
    pub framework: Framework,
    /// The interpreter.
    pub python: PathBuf,
    /// Its whole environment.
    pub env: Vec<(Bytes, Bytes)>,
    /// The directory to run in.
    pub cwd: PathBuf,
    /// What it finds on its channel first.
    pub first_packet: Vec<u8>,
}

/// What is known of the lister.
#[derive(Clone, Debug, Default)]
pub struct ListerState {
    /// Its first message.
    pub hello: Option<Hello>,
    /// True when collection has come to its end.
    pub listed: bool,
    /// The framework's exit status, in pytest's numbers, when nothing was to be run.
    pub exit: Option<i32>,
    /// The same at the end of its session.
    pub last_exit: Option<i32>,
    /// Things that could not be collected.
    pub problems: u32,
    /// What it wrote on its standard streams, as far as it is kept.
    pub said: Vec<u8>,
}

/// A started lister.
#[derive(Debug)]
pub struct Lister {
    framework: Framework,
    state: Arc<Mutex<ListerState>>,
    to_it: Option<Sender<Letter>>,
    finished: Receiver<Finished>,
    group: Option<Pid>,
    threads: Vec<JoinHandle<()>>,
}

/// A message to the lister, with descriptors.
#[derive(Debug)]
struct Letter {
    message: Vec<u8>,
    descriptors: Vec<OwnedFd>,
}

/// The last message.
#[derive(Debug)]
struct Finished {
    exit: i32,
    summary: String,
    late: Vec<String>,
}

/// The lister inherits its channel as standard input, the one descriptor that every starter of processes can set, and
/// moves it to where the helper expects it.
const MOVE: &str = "import os; os.dup2(0, 3); _null = os.open('/dev/null', os.O_RDONLY); os.dup2(_null, 0); os.close(_null)\n";

/// Descriptors that go with one message, at most.
const DESCRIPTORS: usize = 32;

/// Bytes of the lister's own output that are kept.
const KEPT: usize = 256 << 10;

impl Lister {
    /// Starts the lister; what it tells goes to `outbox`.
    ///
    /// # Errors
    /// The interpreter cannot be started, or the kernel gives no socket or thread.
    pub fn start(request: &ListerRequest, outbox: Outbox) -> io::Result<Self> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        rustix::net::sockopt::set_socket_send_buffer_size(&ours, 2 * request.first_packet.len())?;
        send(&ours, &request.first_packet, SendFlags::NOSIGNAL)?;
        let mut command = Command::new(&request.python);
        command.arg("-c").arg(format!("{MOVE}{BOOT}")).current_dir(&request.cwd);
        command.env_clear();
        for (name, value) in &request.env {
            command.env(OsString::from_vec(name.0.clone()), OsString::from_vec(value.0.clone()));
        }
        command.stdin(Stdio::from(theirs)).stdout(Stdio::piped()).stderr(Stdio::piped());
        // The terminal's keys are ours to answer.
        command.process_group(0);
        let mut child = command.spawn()?;
        let group = Pid::from_raw(child.id().cast_signed());
        let state = Arc::new(Mutex::new(ListerState::default()));
        let (to_it, for_it) = channel::<Letter>();
        let (finished_sender, finished) = channel();
        let ours = Arc::new(ours);
        let mut threads = Vec::new();
        for stream in [child.stdout.take().map(boxed), child.stderr.take().map(boxed)].into_iter().flatten() {
            let state = Arc::clone(&state);
            threads.push(thread("lister's talk", move || keep(stream, &state))?);
        }
        let (socket, reading) = (Arc::clone(&ours), Arc::clone(&state));
        threads.push(thread("lister's messages", move || {
            read(&socket, &reading, &outbox, &finished_sender);
            reap(child);
            outbox.send(Input::Plan(Box::new(PlanEvent::FoundAll)));
        })?);
        thread("to lister", move || write(&ours, &for_it))?;
        Ok(Self { framework: request.framework, state, to_it: Some(to_it), finished, group, threads })
    }

    /// A handle to look at the state from elsewhere.
    pub fn watch(&self) -> impl Fn() -> ListerState + use<> {
        let state = Arc::clone(&self.state);
        move || lock(&state).clone()
    }

    /// When there was nothing to run, the session has said why on its own streams.
    fn in_its_own_words(&self) -> Closing {
        // It ends now, and with it what it says.
        for _ in 0..100 {
            if self.threads.iter().all(JoinHandle::is_finished) {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let said = String::from_utf8_lossy(&lock(&self.state).said).into_owned();
        let text = Some(said.trim_end()).filter(|said| !said.is_empty());
        let name = self.framework.name();
        Closing { text: text.map(|said| format!("{name} says:\n{said}")), ..Closing::default() }
    }

    /// An exit status of 0 and 1 says what the results say; 2 that it was interrupted, 5 that nothing was run.
    fn judged(&self, mut closing: Closing, exit: i32) -> Closing {
        if !matches!(exit, 0 | 1 | 2 | 5) {
            closing.verdicts.extend(self.late(&format!("ended with exit status {exit}")).verdicts);
            // Its last words tell why.
            let texts = [closing.text.take(), self.in_its_own_words().text];
            closing.text = texts.into_iter().flatten().reduce(|one, other| format!("{one}\n{other}"));
        }
        closing
    }

    /// The session has come to no good end.
    fn late(&self, what: &str) -> Closing {
        let name = self.framework.name();
        let test = TestRef::new(name, "(session)");
        let reason = Some(format!("{name}'s session {what}"));
        let verdict = Verdict { test, outcome: Outcome::Error, reason };
        Closing { verdicts: vec![verdict], ..Closing::default() }
    }

    fn send(&self, message: Vec<u8>, descriptors: Vec<OwnedFd>) {
        if let Some(to_it) = &self.to_it {
            let _ = to_it.send(Letter { message, descriptors });
        }
    }

    fn kill(&self) {
        if let Some(group) = self.group {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Source for Lister {
    fn tell(&mut self, message: Vec<u8>) {
        self.send(message, Vec::new());
    }

    fn invited(&mut self, slot: SlotId, invitation: Invitation, doors: Vec<OwnedFd>) {
        let Invitation { mut descriptors, capabilities, processes, filter } = invitation;
        let message = replay::invitation(slot.0, (capabilities, processes), &filter, doors.len());
        descriptors.extend(doors);
        self.send(message, descriptors);
    }

    fn close(&mut self, reason: Option<&str>, is_interrupted: &mut dyn FnMut() -> bool) -> Closing {
        if !lock(&self.state).listed {
            // It still collects, or has failed to: there is no session to finish.
            self.kill();
            return self.in_its_own_words();
        }
        self.tell(replay::end(reason));
        loop {
            match self.finished.recv_timeout(Duration::from_millis(50)) {
                Ok(Finished { exit, summary, late }) => {
                    let text = Some(summary.trim_end()).filter(|text| !text.trim().is_empty());
                    let who = match self.framework {
                        Framework::Pytest => "pytest and its plug-ins say",
                        Framework::Unittest => "unittest says",
                    };
                    let text = text.map(|text| format!("{who}:\n{text}"));
                    let verdicts = late.into_iter().map(not_undone).collect();
                    let closing = Closing { text, verdicts };
                    // Where nothing was run, its status has been told with the end of collection.
                    let ran_nothing = lock(&self.state).exit.is_some();
                    return if ran_nothing { self.in_its_own_words() } else { self.judged(closing, exit) };
                }
                Err(RecvTimeoutError::Timeout) if is_interrupted() => {
                    self.kill();
                    return self.late("was killed before it had ended");
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return self.late("died before it had ended");
                }
            }
        }
    }
}

impl Drop for Lister {
    fn drop(&mut self) {
        self.to_it = None;
        self.kill();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// A fixture for the whole run that was not undone as it should.
fn not_undone(reason: String) -> Verdict {
    let test = TestRef::new("pytest", "(fixtures)");
    Verdict { test, outcome: Outcome::Error, reason: Some(reason) }
}

/// Reads messages until the lister closes its end.
fn read(socket: &OwnedFd, state: &Mutex<ListerState>, outbox: &Outbox, finished: &Sender<Finished>) {
    let mut joiner = Joiner::default();
    let mut packet = vec![0; PACKET];
    loop {
        let length = match recv(socket, packet.as_mut_slice(), RecvFlags::empty()) {
            // It has gone without reading all that it was told, which is said once, before what it said last.
            Err(Errno::INTR | Errno::CONNRESET) => continue,
            Ok((0, _)) | Err(_) => return,
            Ok((length, _)) => length,
        };
        let message = match joiner.take(&packet[..length]) {
            Ok(Some(message)) => message,
            Ok(None) => continue,
            // The planner says what is wrong with it.
            Err(_) => packet[..length].to_vec(),
        };
        match read_message(&message) {
            Ok(Message::Hello(hello)) => lock(state).hello = Some(hello),
            Ok(Message::Problem { .. }) => lock(state).problems += 1,
            Ok(Message::Listed(all)) => {
                let mut state = lock(state);
                (state.listed, state.exit) = (true, all.exit);
            }
            Ok(Message::Finished { exit, summary, late }) => {
                lock(state).last_exit = Some(exit);
                let _ = finished.send(Finished { exit, summary, late });
                continue;
            }
            Ok(_) | Err(_) => {}
        }
        outbox.send(Input::Plan(Box::new(PlanEvent::Told(message))));
    }
}

fn write(socket: &OwnedFd, letters: &Receiver<Letter>) {
    for Letter { message, descriptors } in letters {
        let mut descriptors: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
        for packet in packets(&message) {
            while let Err(errno) = write_packet(socket, &packet, &descriptors) {
                if errno != Errno::INTR {
                    return;
                }
            }
            // They have gone with the first.
            descriptors.clear();
        }
    }
}

fn write_packet(socket: &OwnedFd, packet: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(Errno::TOOBIG);
    }
    sendmsg(socket, &[IoSlice::new(packet)], &mut control, SendFlags::NOSIGNAL).map(drop)
}

/// The channel is closed: the session is over, and what it still does is nobody's business.
fn reap(mut child: Child) {
    for _ in 0..100 {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    let _ = child.wait();
}

fn keep(mut stream: Box<dyn Read + Send>, state: &Mutex<ListerState>) {
    let mut buffer = [0; 8192];
    while let Ok(length) = stream.read(&mut buffer) {
        if length == 0 {
            return;
        }
        let mut state = lock(state);
        let room = KEPT.saturating_sub(state.said.len()).min(length);
        state.said.extend_from_slice(&buffer[..room]);
    }
}

fn boxed(stream: impl Read + Send + 'static) -> Box<dyn Read + Send> {
    Box::new(stream)
}
