//! What runs between clone and exec: a list of system calls built before, on shared memory, without allocation.
//!
//! The zygote receives what many jobs have in common as one message and a job as another, and builds a [`Script`] of
//! pointers into both. The child (made with `CLONE_VM | CLONE_VFORK`, so the zygote sleeps until it has executed) walks
//! through the script and executes the program; the first step that fails is left in the script and the child exits.

#![expect(unsafe_code, reason = "the child of a vfork; with `sys`, the only such place")]

use crate::sys::{self, CLONE_CLEAR_SIGHAND, CloneArgs};
use rustix::io::Errno;
use std::os::fd::RawFd;

/// Which step of the start failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Clone = 0,
    Setup = 1,
    Chdir = 2,
    Exec = 3,
}

/// Why the program did not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) step: Step,
    pub(crate) errno: i32,
}

/// Strings of a message, each ended by NUL, and where they start.
#[derive(Debug, Default)]
pub(crate) struct Strings {
    bytes: Vec<u8>,
    starts: Vec<u32>,
    /// How many of them, from the front, are no variables.
    words: usize,
}

impl Strings {
    /// Takes over `bytes`, which hold so many words and then so many variables. `None`: they hold fewer.
    pub(crate) fn parse(bytes: Vec<u8>, words: u32, vars: u32) -> Option<Self> {
        let (words, vars) = (words as usize, vars as usize);
        let mut starts = Vec::with_capacity((words + vars).min(bytes.len()));
        let mut at = 0;
        for _ in 0..words + vars {
            starts.push(u32::try_from(at).ok()?);
            at += std::ffi::CStr::from_bytes_until_nul(bytes.get(at..)?).ok()?.count_bytes() + 1;
        }
        Some(Self { bytes, starts, words })
    }

    /// The memory, to be used again.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The first word, without its NUL; nothing when there is none.
    pub(crate) fn first_word(&self) -> &[u8] {
        let rest = self.starts[..self.words].first().map_or(&[][..], |start| &self.bytes[*start as usize..]);
        rest.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    fn words(&self) -> impl Iterator<Item = *const libc::c_char> {
        self.starts[..self.words].iter().map(|start| self.pointer(*start))
    }

    fn vars(&self) -> impl Iterator<Item = &[u8]> {
        self.starts[self.words..].iter().map(|start| &self.bytes[*start as usize..])
    }

    fn pointer(&self, start: u32) -> *const libc::c_char {
        self.bytes[start as usize..].as_ptr().cast()
    }
}

/// True when both begin with the same name and a `=`.
fn same_name(one: &[u8], other: &[u8]) -> bool {
    for (a, b) in one.iter().zip(other) {
        if a != b {
            return false;
        }
        if matches!(a, b'=' | 0) {
            return true;
        }
    }
    false
}

/// Reused from job to job: the pointer tables and the child's stack.
pub(crate) struct Launcher {
    argv: Vec<*const libc::c_char>,
    envp: Vec<*const libc::c_char>,
    shell: Vec<*const libc::c_char>,
    stack: Vec<u8>,
}

const STACK: usize = 64 << 10;

struct Script {
    cwd: *const libc::c_char,
    program: *const libc::c_char,
    argv: *const *const libc::c_char,
    envp: *const *const libc::c_char,
    shell: *const *const libc::c_char,
    fds: *const RawFd,
    count: usize,
    failed: Option<Failed>,
}

impl Launcher {
    pub(crate) fn new() -> Self {
        Self { argv: Vec::new(), envp: Vec::new(), shell: Vec::new(), stack: vec![0; STACK] }
    }

    /// Starts the program of `launch`, whose words are the directory, the program and its first arguments, with the
    /// further arguments and variables of `job` and `fds` as its descriptors from 0 on; gives its process id. A variable
    /// of the job's takes the place of the launch's of the same name. None of `fds` may itself be a number to which
    /// an earlier one goes.
    ///
    /// # Errors
    /// The step that failed and its error number. A launch without directory and program is a failed set-up, `EINVAL`.
    pub(crate) fn start(&mut self, launch: &Strings, job: &Strings, fds: &[RawFd]) -> Result<i32, Failed> {
        let mut script =
            self.script(launch, job, fds).ok_or(Failed { step: Step::Setup, errno: libc::EINVAL })?;
        let args = CloneArgs {
            flags: (libc::CLONE_VM | libc::CLONE_VFORK) as u64 | CLONE_CLEAR_SIGHAND,
            exit_signal: libc::SIGCHLD as u64,
            stack: self.stack.as_mut_ptr() as u64,
            stack_size: STACK as u64,
            ..CloneArgs::default()
        };
        // SAFETY: CLONE_VFORK keeps this thread, the only one, asleep until the child has executed or exited, so the
        // script, its strings, `fds` and the stack stay as they are; `run` neither allocates nor locks.
        let pid = unsafe { sys::clone_into(&args, run, (&raw mut script) as usize) }
            .map_err(|errno| Failed { step: Step::Clone, errno: errno.raw_os_error() })?;
        // SAFETY: the child wrote the field, if at all, before it exited; a plain read could be optimised away.
        match unsafe { (&raw const script.failed).read_volatile() } {
            None => Ok(pid),
            Some(failed) => {
                // The failed child is reaped by name, so that it is not taken for the job's process.
                // SAFETY: a null status is allowed.
                unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
                Err(failed)
            }
        }
    }

    fn script(&mut self, launch: &Strings, job: &Strings, fds: &[RawFd]) -> Option<Script> {
        let mut words = launch.words();
        let (cwd, program) = (words.next()?, words.next()?);
        self.argv.clear();
        self.envp.clear();
        self.shell.clear();
        self.argv.extend(words.chain(job.words()));
        let kept = launch.vars().filter(|var| !job.vars().any(|other| same_name(var, other)));
        self.envp.extend(kept.chain(job.vars()).map(|var| var.as_ptr().cast::<libc::c_char>()));
        self.shell.push(c"/bin/sh".as_ptr());
        self.shell.push(program);
        self.shell.extend_from_slice(self.argv.get(1..)?);
        for table in [&mut self.argv, &mut self.envp, &mut self.shell] {
            table.push(std::ptr::null());
        }
        Some(Script {
            cwd,
            program,
            argv: self.argv.as_ptr(),
            envp: self.envp.as_ptr(),
            shell: self.shell.as_ptr(),
            fds: fds.as_ptr(),
            count: fds.len(),
            failed: None,
        })
    }
}

/// The child. Runs on memory shared with the sleeping zygote: only system calls, no allocation, no lock.
extern "C" fn run(script: usize) -> ! {
    // SAFETY: `start` passed a pointer to its live script, whose strings and tables are NUL-terminated; nobody else
    // runs on this memory meanwhile.
    unsafe {
        let script = &mut *(script as *mut Script);
        let failed = steps(script);
        (&raw mut script.failed).write_volatile(Some(failed));
        libc::_exit(127)
    }
}

/// Walks through the script; returns only when a step fails.
///
/// # Safety
/// `script` is a live script of [`Launcher::script`], in a child of a vfork.
unsafe fn steps(script: &Script) -> Failed {
    let fail = |step| Failed { step, errno: sys::last_error().raw_os_error() };
    // SAFETY: all pointers are valid by the caller's promise; the mask is a local.
    unsafe {
        // A group of its own, not a session: a session's leader that opens a terminal gets it as its controlling one,
        // and SIGHUP when the terminal's other side is closed. The zygote's session has no terminal.
        libc::setpgid(0, 0);
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        for target in 0..script.count {
            if libc::dup2(*script.fds.add(target), target as RawFd) < 0 {
                return fail(Step::Setup);
            }
        }
        if libc::chdir(script.cwd) != 0 {
            return fail(Step::Chdir);
        }
        libc::execve(script.program, script.argv, script.envp);
        let failed = fail(Step::Exec);
        if failed.errno == Errno::NOEXEC.raw_os_error() {
            // As every shell does: a text without `#!` is a script of the standard shell.
            libc::execve(c"/bin/sh".as_ptr(), script.shell, script.envp);
        }
        failed
    }
}
