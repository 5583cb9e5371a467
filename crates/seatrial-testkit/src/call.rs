//! A call of the command: arguments, input, environment; run to its end, or started and watched.

use crate::leftovers::{spawn, waited};
use crate::ran::Ran;
use crate::wait::wait_for;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// A call that is not made yet.
#[derive(Debug)]
pub struct Call {
    pub(crate) command: Command,
    pub(crate) stdin: Vec<u8>,
}

impl Call {
    /// A call of a program as this process' user, with its environment: for what is no call of Seatrial.
    #[must_use]
    pub fn of(program: impl AsRef<OsStr>) -> Self {
        Self { command: Command::new(program), stdin: Vec::new() }
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<T: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        self.command.args(args);
        self
    }

    /// A variable of the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Not the project's directory but this one.
    #[must_use]
    pub fn cwd(mut self, dir: impl AsRef<std::path::Path>) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// What it reads; without this nothing.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Runs it to its end.
    #[must_use]
    pub fn run(self) -> Ran {
        self.start().end()
    }

    /// Starts it, in a process group of its own as a shell would.
    ///
    /// # Panics
    /// It cannot be started.
    #[must_use]
    pub fn start(mut self) -> Started {
        let words = std::iter::once(self.command.get_program()).chain(self.command.get_args());
        let words: Vec<OsString> = words.map(OsStr::to_owned).collect();
        let typed = words.join(OsStr::new(" ")).to_string_lossy().into_owned();
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = spawn(&mut self.command).unwrap_or_else(|error| panic!("`{typed}`: {error}"));
        let mut stdin = child.stdin.take().expect("a pipe was asked for");
        let input = self.stdin;
        std::thread::spawn(move || {
            // A command that does not read its input closes the pipe.
            let _ = stdin.write_all(&input);
        });
        let stdout = Stream::of(child.stdout.take().expect("a pipe was asked for"));
        let stderr = Stream::of(child.stderr.take().expect("a pipe was asked for"));
        Started { child, stdout, stderr, typed, status: None }
    }
}

/// A command that runs.
#[derive(Debug)]
pub struct Started {
    child: Child,
    stdout: Stream,
    stderr: Stream,
    typed: String,
    status: Option<ExitStatus>,
}

impl Started {
    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to stdout until now.
    #[must_use]
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout.bytes()).into_owned()
    }

    /// What it has written to stderr until now.
    #[must_use]
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr.bytes()).into_owned()
    }

    /// Waits until stdout or stderr has this text.
    pub fn tells(&self, text: &str) {
        wait_for(&format!("`{text}` from `{}`", self.typed), || {
            let (out, err) = (self.out(), self.err());
            if out.contains(text) || err.contains(text) { Ok(()) } else { Err(format!("{out}\n---\n{err}")) }
        });
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It may have ended just now.
            let _ = kill_process(pid, signal);
        }
    }

    /// Closes our end of its stdout: the reader has gone away.
    pub fn close_stdout(&mut self) {
        self.stdout.close();
    }

    /// Waits for its end, and for that of its streams.
    #[must_use]
    pub fn end(mut self) -> Ran {
        let status = wait_for(&format!("the end of `{}`", self.typed), || match self.child.try_wait() {
            Ok(Some(status)) => Ok(status),
            Ok(None) => Err(format!("{}\n---\n{}", self.out(), self.err())),
            Err(error) => Err(error.to_string()),
        });
        waited(self.child.id());
        self.status = Some(status);
        let typed = self.typed.clone();
        Ran { status, stdout: self.stdout.end(&typed), stderr: self.stderr.end(&typed), typed }
    }
}

/// A command that a failed test leaves alone is ended.
impl Drop for Started {
    fn drop(&mut self) {
        if self.status.is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
            waited(self.child.id());
        }
    }
}

/// A pipe that a thread empties.
#[derive(Debug)]
struct Stream {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl Stream {
    fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&bytes);
        let thread = std::thread::spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                shared.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..count]);
                // Nobody but this thread is interested any more.
                if Arc::strong_count(&shared) == 1 {
                    return;
                }
            }
        });
        Self { bytes, thread: Some(thread) }
    }

    fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The thread closes the pipe after its next read.
    fn close(&mut self) {
        self.bytes = Arc::default();
    }

    fn end(&mut self, typed: &str) -> Vec<u8> {
        if let Some(thread) = self.thread.take() {
            wait_for(&format!("the end of the streams of `{typed}`: somebody holds them"), || {
                if thread.is_finished() {
                    Ok(())
                } else {
                    Err(String::from_utf8_lossy(&self.bytes()).into_owned())
                }
            });
        }
        self.bytes()
    }
}
