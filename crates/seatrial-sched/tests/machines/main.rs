//! The machines against reference models: every order of a few events, and a seeded world in virtual time.

#[cfg(test)]
mod coordinator;
#[cfg(test)]
mod helper;
#[cfg(test)]
mod homes;
#[cfg(test)]
mod network;
#[cfg(test)]
mod node;
#[cfg(test)]
mod node_orders;
#[cfg(test)]
mod run_orders;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod world;

use seatrial_model::{JobId, JobKind, JobSpec, LaunchId, Limits, Reading, TestRef};

/// A job whose test is named by its number.
fn spec(id: u32, kind: JobKind, reading: Reading, limits: Limits) -> JobSpec {
    let test = TestRef::new("g", &format!("t{id}"));
    let (args, env) = (Vec::new(), Vec::new());
    JobSpec { job: JobId(id), launch: LaunchId(0), kind, test, args, env, reading, limits, near: None }
}

/// A test of a process of its own, without limits.
fn plain(id: u32) -> JobSpec {
    spec(id, JobKind::Verdict, Reading::ExitCode, Limits::default())
}
