//! The step between engine and zygote: a process in new namespaces, its ids mapped from outside.
//!
//! The stage is small and single-threaded, so it may fork. Its child becomes the engine's own child
//! (`CLONE_PARENT`), executes the binary again *inside* the user namespace and is then the zygote: executed outside,
//! it could not both be unreadable for its jobs and have its ids mapped.

use crate::spec::{Isolation, Network, SlotSpec};
use crate::wire::{self, Writer};
use crate::{Failure, sys, zygote};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};
use std::os::unix::process::CommandExt;
use std::process::exit;

/// `argv[0]` that makes this binary a stage.
pub(crate) const NAME: &str = "seatrial-slot";

/// The exit code of a process that did not get as far as being a zygote.
const EXEC_FAILED: i32 = 70;

/// Reads the specification from standard input (a socket to the engine), makes the zygote's process and ends.
pub(crate) fn main() -> ! {
    let stdin = std::io::stdin();
    let socket = stdin.as_fd();
    match make(socket) {
        Ok(()) => exit(0),
        Err(failure) => {
            let _ = wire::send(socket, &failed_packet(&failure), &[]);
            exit(1)
        }
    }
}

/// The packet that tells the engine why there will be no slot.
pub(crate) fn failed_packet(failure: &Failure) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.u8(zygote::FAILED).u32(failure.errno.raw_os_error().unsigned_abs()).bytes(failure.what.as_bytes());
    writer.0
}

fn make(socket: BorrowedFd<'_>) -> Result<(), Failure> {
    let mut packet = vec![0; wire::PACKET];
    let step = |what: &'static str| move |errno: Errno| Failure { what: what.into(), errno };
    // The packet is only looked at: the zygote receives it again as its own.
    let length = rustix::net::recv(socket, packet.as_mut_slice(), rustix::net::RecvFlags::PEEK)
        .map_err(step("read the slot's specification"))?
        .0;
    let spec = SlotSpec::decode(&packet[..length])
        .ok_or(Errno::INVAL)
        .map_err(step("read the slot's specification"))?;
    if spec.isolation == Isolation::Process {
        return become_zygote();
    }
    if !rustix::process::geteuid().is_root() {
        limit_processes(spec.max_processes);
    }
    let (ready_read, ready_write) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(step("make a pipe"))?;
    let mut flags = libc::CLONE_NEWUSER
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_PARENT;
    if spec.network == Network::Isolated {
        flags |= libc::CLONE_NEWNET;
    }
    let pid = sys::fork(flags as u64, 0).map_err(step("make a process in new namespaces"))?;
    if pid == 0 {
        drop(ready_write);
        let mut go = [0u8; 1];
        let result = match rustix::io::read(&ready_read, &mut go) {
            Ok(1) => keep_capabilities().and_then(|()| become_zygote()),
            _ => exit(EXEC_FAILED),
        };
        if let Err(failure) = result {
            let _ = wire::send(socket, &failed_packet(&failure), &[]);
        }
        exit(EXEC_FAILED);
    }
    map_ids(pid)?;
    // The engine is its parent and will have to reap it, but did not make it.
    let mut born = Writer::default();
    born.u8(zygote::BORN).u32(pid.unsigned_abs());
    wire::send(socket, &born.0, &[]).map_err(step("name the zygote"))?;
    rustix::io::write(&ready_write, &[1]).map(drop).map_err(step("release the zygote"))
}

/// Executes this binary again as the zygote, which inherits the socket as its standard input.
fn become_zygote() -> Result<(), Failure> {
    let error = std::process::Command::new("/proc/self/exe").arg0(zygote::NAME).exec();
    Err(Failure {
        what: "execute the zygote".into(),
        errno: Errno::from_io_error(&error).unwrap_or(Errno::NOEXEC),
    })
}

/// Limits the processes of the namespace that is made next: the kernel counts them per user namespace from here on.
fn limit_processes(most: u64) {
    let now = rustix::process::getrlimit(Resource::Nproc);
    let capped = |limit: Option<u64>| Some(limit.map_or(most, |limit| limit.min(most)));
    let limit = Rlimit { current: capped(now.current), maximum: now.maximum };
    // Refused only when it would raise the limit, which it does not.
    let _ = rustix::process::setrlimit(Resource::Nproc, limit);
}

/// Maps ids from outside: root keeps the whole range, another user itself alone.
fn map_ids(pid: i32) -> Result<(), Failure> {
    let write = |file: &str, text: &str| {
        std::fs::write(format!("/proc/{pid}/{file}"), text).map_err(|error| Failure {
            what: format!("write {file} of the user namespace"),
            errno: Errno::from_io_error(&error).unwrap_or(Errno::PERM),
        })
    };
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    let whole = "0 0 4294967295";
    if uid.is_root() && write("uid_map", whole).is_ok() && write("gid_map", whole).is_ok() {
        return Ok(());
    }
    write("setgroups", "deny")?;
    write("uid_map", &format!("{uid} {uid} 1", uid = uid.as_raw()))?;
    write("gid_map", &format!("{gid} {gid} 1", gid = gid.as_raw()))
}

/// An exec by a user other than root drops every capability that is not ambient.
fn keep_capabilities() -> Result<(), Failure> {
    let step = |what: &'static str| move |errno: Errno| Failure { what: what.into(), errno };
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let held = rustix::thread::capabilities(None).map_err(step("read capabilities"))?;
    let sets = CapabilitySets { inheritable: held.permitted, ..held };
    rustix::thread::set_capabilities(None, sets).map_err(step("keep capabilities"))?;
    for capability in held.permitted.iter() {
        rustix::thread::configure_capability_in_ambient_set(capability, true)
            .map_err(step("keep capabilities"))?;
    }
    Ok(())
}

/// What root's jobs keep: the set that Docker gives by default.
pub(crate) fn jobs_capabilities() -> CapabilitySet {
    CapabilitySet::CHOWN
        | CapabilitySet::DAC_OVERRIDE
        | CapabilitySet::FSETID
        | CapabilitySet::FOWNER
        | CapabilitySet::MKNOD
        | CapabilitySet::NET_RAW
        | CapabilitySet::SETGID
        | CapabilitySet::SETUID
        | CapabilitySet::SETFCAP
        | CapabilitySet::SETPCAP
        | CapabilitySet::NET_BIND_SERVICE
        | CapabilitySet::SYS_CHROOT
        | CapabilitySet::KILL
        | CapabilitySet::AUDIT_WRITE
}
