//! cargo as the source of a run: it builds, and calls the shim in place of each test binary.
//!
//! Three threads tell the loop what they see: one reads cargo's messages on stdout, one passes its stderr on to the
//! user (as it is while it builds, without its list of binaries afterwards), one answers the shim's calls. A call for
//! a test binary is answered at once, and the binary becomes the planner's; a call by rustdoc is a relay, answered
//! when its process has ended in a slot.

mod calls;
mod shim;

pub use shim::shim_if_asked;

use crate::inbox::{Input, Outbox};
use crate::run_folder::RunFolder;
use crate::source::Source;
use crate::threads::{lock, thread};
use calls::{Binaries, Calls};
use seatrial_frameworks::cargo::messages::{Message, parse_line};
use seatrial_frameworks::cargo::{doctest, group};
use seatrial_model::{Bytes, Captured, End, NoticeLevel, Outcome, Output, RunId, TestRef, Verdict};
use seatrial_plan::PlanEvent;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// How cargo is to be started.
#[derive(Clone, Debug)]
pub struct CargoRequest {
    /// The program: `cargo`, or what `$CARGO` names.
    pub program: OsString,
    /// Its arguments, with those that make it talk to us.
    pub args: Vec<Bytes>,
    /// Variables that make it call the shim, and how it is to show itself.
    pub vars: Vec<(String, Bytes)>,
    /// All variables that we set for it, each with the value that the user had given it: tests get that.
    pub restore: Vec<(String, Option<Bytes>)>,
    /// The user's own runner, which test binaries are given to.
    pub runner: Vec<Bytes>,
    /// The folder of the shim's socket.
    pub folder: PathBuf,
    /// The workspace's directory.
    pub workspace: PathBuf,
    /// The run.
    pub run: RunId,
    /// The target, where its name is part of the groups'.
    pub platform: Option<String>,
}

/// What is known of the build and of what cargo did afterwards.
#[derive(Clone, Debug, Default)]
pub struct CargoState {
    /// Whether the build came to its end, and how.
    pub built: Option<bool>,
    /// cargo's own end, when it has ended.
    pub exit: Option<i32>,
    /// What rustdoc wrote on stdout.
    doctests: Vec<u8>,
}

/// A started cargo.
#[derive(Debug)]
pub struct Cargo {
    state: Arc<Mutex<CargoState>>,
    calls: Arc<Calls>,
    folder: PathBuf,
    process: u32,
}

/// The name of the shim's socket in its folder.
const SOCKET: &str = "shim";

impl Cargo {
    /// Starts cargo; what it finds goes to `outbox`, the last being that there is nothing more.
    ///
    /// # Errors
    /// cargo is not there, or the folder cannot be used.
    pub fn start(request: &CargoRequest, outbox: Outbox) -> io::Result<Self> {
        let state = Arc::new(Mutex::new(CargoState::default()));
        let binaries = Arc::new(Binaries::default());
        let socket = request.folder.join(SOCKET);
        let calls = Calls::listen(&socket, request, Arc::clone(&binaries), &outbox)?;
        let mut command = Command::new(&request.program);
        command.args(request.args.iter().map(|arg| OsString::from_vec(arg.0.clone())));
        for (name, value) in &request.vars {
            command.env(name, OsString::from_vec(value.0.clone()));
        }
        command.env(shim::SOCKET_VARIABLE, request.folder.join(SOCKET));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let process = child.id();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let talk = {
            let (state, outbox) = (Arc::clone(&state), outbox.clone());
            thread("cargo's talk", move || {
                if let Some(stderr) = stderr {
                    pass_on(stderr, &state, &outbox);
                }
            })?
        };
        let reader = Reader {
            state: Arc::clone(&state),
            binaries,
            calls: Arc::clone(&calls),
            outbox,
            platform: request.platform.clone(),
        };
        thread("cargo's messages", move || {
            if let Some(stdout) = stdout {
                reader.read(stdout);
            }
            let _ = talk.join();
            reader.end(child);
        })?;
        Ok(Self { state, calls, folder: request.folder.clone(), process })
    }

    /// What is known by now.
    #[must_use]
    pub fn state(&self) -> CargoState {
        lock(&self.state).clone()
    }

    /// A handle to look at the state from elsewhere.
    pub fn watch(&self) -> impl Fn() -> CargoState + use<> {
        let state = Arc::clone(&self.state);
        move || lock(&state).clone()
    }
}

impl Source for Cargo {
    fn answer(&mut self, call: u64, end: Option<End>, output: Output) {
        self.calls.answer(call, end, &output);
    }
}

impl Drop for Cargo {
    fn drop(&mut self) {
        // A run that ends before cargo does (Ctrl-C while it builds) takes cargo with it.
        let pid = rustix::process::Pid::from_raw(self.process.cast_signed());
        if let (None, Some(pid)) = (self.state().exit, pid) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Makes the shim's folder with its link to this program, whose path holds no blank.
///
/// # Errors
/// The folder cannot be made.
pub fn make_folder(run: RunId) -> io::Result<(RunFolder, PathBuf)> {
    let usual = std::env::temp_dir();
    // cargo splits a runner's path at blanks, and a socket's path has room for 108 bytes.
    let text = usual.to_string_lossy();
    let base = if text.contains(char::is_whitespace) || text.len() > 60 { Path::new("/tmp") } else { &usual };
    let folder = RunFolder::make(base, "seatrial-cargo-", run)?;
    std::fs::create_dir_all(folder.path().join("tmp"))?;
    let shim = folder.path().join(shim::NAME);
    std::os::unix::fs::symlink(std::env::current_exe()?, &shim)?;
    Ok((folder, shim))
}

struct Reader {
    state: Arc<Mutex<CargoState>>,
    binaries: Arc<Binaries>,
    calls: Arc<Calls>,
    outbox: Outbox,
    platform: Option<String>,
}

impl Reader {
    /// Reads cargo's messages to their end.
    fn read(&self, stdout: impl Read) {
        let mut lines = BufReader::new(stdout);
        let mut line = Vec::new();
        loop {
            line.clear();
            match lines.read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            match parse_line(line.strip_suffix(b"\n").unwrap_or(&line)) {
                Message::Artifact(artifact) => self.binaries.add(artifact, self.platform.as_deref()),
                Message::BuildFinished { success } => {
                    lock(&self.state).built = Some(success);
                    self.binaries.built();
                }
                Message::Text(_) => lock(&self.state).doctests.extend_from_slice(&line),
                Message::BuildScript(_) | Message::Other => {}
            }
        }
    }

    /// cargo has closed its streams: tells what rustdoc found, and that there is nothing more.
    fn end(&self, mut child: Child) {
        let exit = child.wait().ok().and_then(|status| status.code());
        self.binaries.built();
        self.calls.close();
        let (text, built) = {
            let mut state = lock(&self.state);
            state.exit = Some(exit.unwrap_or(-1));
            (std::mem::take(&mut state.doctests), state.built)
        };
        let found = doctest::parse(&text);
        let packages = self.calls.packages();
        let mut any_bad = !found.troubles.is_empty();
        for result in found.results {
            let names: Vec<(&str, &str)> =
                packages.iter().map(|(name, dir)| (name.as_str(), dir.as_str())).collect();
            let package = doctest::package_of(&result.name, &names).unwrap_or("doctests");
            let group = group::doc_group_name(package, self.platform.as_deref());
            any_bad |= result.outcome.is_bad();
            let verdict = Verdict {
                test: TestRef::new(&group, &result.name),
                outcome: result.outcome,
                reason: result.reason,
            };
            let stdout = Captured::whole(result.output.unwrap_or_default().into_bytes());
            let output = Output { stdout, stderr: Captured::default() };
            self.outbox.send(Input::Plan(Box::new(PlanEvent::Reported { verdicts: vec![verdict], output })));
        }
        for (number, trouble) in found.troubles.into_iter().enumerate() {
            let test = TestRef::new("doctests", &format!("(rustdoc {})", number + 1));
            let verdict = Verdict { test, outcome: Outcome::Error, reason: Some(trouble) };
            self.outbox.send(Input::Plan(Box::new(PlanEvent::Reported {
                verdicts: vec![verdict],
                output: Output::default(),
            })));
        }
        if built == Some(true) && exit != Some(0) && !any_bad {
            let test = TestRef::new("doctests", "(cargo)");
            let code = exit.map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"));
            let reason = Some(format!("cargo ended with {code} after the build"));
            let verdict = Verdict { test, outcome: Outcome::Error, reason };
            self.outbox.send(Input::Plan(Box::new(PlanEvent::Reported {
                verdicts: vec![verdict],
                output: Output::default(),
            })));
        }
        self.outbox.send(Input::Plan(Box::new(PlanEvent::FoundAll)));
    }
}

/// Passes cargo's stderr on: every byte at once while it builds; afterwards lines, without those that announce what
/// we run in its place.
fn pass_on(mut stderr: impl Read, state: &Mutex<CargoState>, outbox: &Outbox) {
    let mut buffer = [0u8; 8192];
    let mut rest: Vec<u8> = Vec::new();
    loop {
        let length = match stderr.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        if lock(state).built.is_none() && rest.is_empty() && !announces(&buffer[..length]) {
            let mut own = io::stderr().lock();
            let _ = own.write_all(&buffer[..length]);
            let _ = own.flush();
            continue;
        }
        rest.extend_from_slice(&buffer[..length]);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            tell_line(&line, outbox);
        }
    }
    tell_line(&rest, outbox);
}

fn tell_line(line: &[u8], outbox: &Outbox) {
    let text = String::from_utf8_lossy(line);
    let bare = without_colour(text.trim());
    if bare.is_empty() || announces(bare.as_bytes()) {
        return;
    }
    if bare.starts_with("Finished ") {
        // The build's last line, which may come a moment after the message that says so.
        let _ = io::stderr().lock().write_all(line);
        return;
    }
    outbox.send(Input::Notice { level: NoticeLevel::Info, text: text.trim_end().to_owned(), hint: None });
}

/// True for lines in which cargo says what it (really: the shim) runs, or sums that up.
fn announces(line: &[u8]) -> bool {
    let text = without_colour(&String::from_utf8_lossy(line));
    let text = text.trim_start();
    ["Running ", "Doc-tests ", "error: doctest failed", "error: test failed", "error: 1 target failed"]
        .iter()
        .any(|start| text.starts_with(start))
        || (text.starts_with("error: ") && text.contains(" targets failed"))
        || (text.starts_with('`') && text.trim_end().ends_with('`'))
}

fn without_colour(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    let mut parts = text.split("\u{1b}[");
    bare.push_str(parts.next().unwrap_or_default());
    for part in parts {
        bare.push_str(part.split_once('m').map_or(part, |(_, rest)| rest));
    }
    bare
}

/// A job's end as the shim is to end.
pub(crate) fn exit_code(end: Option<End>) -> i32 {
    match end {
        Some(End::Exit(code)) => code,
        Some(End::Signal(signal)) => -signal,
        Some(End::NotStarted { .. } | End::SlotLost) | None => 101,
    }
}
