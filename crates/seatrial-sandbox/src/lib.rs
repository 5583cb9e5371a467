//! One process in one container, at tens of microseconds above starting the process alone.
//!
//! A *slot* is a place where one job runs at a time. Its order of life:
//!
//! 1. The engine plans the root once per run ([`RootPlan::of_host`]) and starts a slot ([`Slot::start`]): its own
//!    binary, executed again, becomes the *stage* (`stage`), which makes a process in new namespaces and maps its ids.
//! 2. That process executes the binary once more and is the *zygote* (`zygote`): single-threaded, PID 1 of the slot. It
//!    builds the root (`root`), drops what it no longer needs, and says that it is ready.
//! 3. Jobs come as packets (`wire`). For each the zygote makes a child that walks through a list of system calls built
//!    before (`child`), waits, kills what is left of the job's process tree, checks that nothing was written and
//!    renews what was, and answers. The next job may already lie in its queue.
//! 4. A launch may be *warm* (`zygote::warm`): its program, the *warmer*, lives from job to job and forks a process for
//!    each test. What it writes outside of tests is kept and restored; what a test writes is thrown away as ever.
//! 5. When the engine closes the socket, or dies, the zygote ends, and with it every process of the slot.
//!
//! A program that uses this crate calls [`enter_if_asked`] first thing in `main`.

mod cgroup;
mod child;
mod filter;
mod ipc;
mod plan;
mod probe;
mod processes;
mod root;
mod slot;
mod spec;
mod stage;
mod sys;
mod wire;
mod zygote;

pub use cgroup::{CgroupKind, Cgroups};
pub use plan::{Entry, RootPlan, RootRequest, Top};
pub use probe::{Finding, needs_disk_layers, probe, why_no_containers};
pub use slot::{Command, Ended, Invitation, JobEnd, Launch, LayerWritten, Slot, SlotMessage, Step};
pub use spec::{Isolation, Network, SlotSpec};
pub use zygote::oom_kills;

use rustix::io::Errno;
use std::fmt;

/// A step of making a slot that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The step, with names: `mount /proc`.
    pub what: String,
    /// The kernel's answer.
    pub errno: Errno,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, std::io::Error::from(self.errno))
    }
}

impl std::error::Error for Failure {}

/// Becomes a stage or a zygote, and never returns, when this process was started as one; else does nothing.
///
/// To be called first thing in `main`, before any thread is started.
pub fn enter_if_asked() {
    let name = std::env::args_os().next();
    match name.as_deref().and_then(std::ffi::OsStr::to_str) {
        Some(stage::NAME) => stage::main(),
        Some(zygote::NAME) => zygote::main(),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
