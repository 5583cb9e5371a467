//! A warmer that is not started here but comes from outside: a fork of the process that has collected the tests.
//!
//! It gets what makes a process one of this slot's (namespaces, pipes, its channel, capabilities and filter), forks
//! twice in the slot's namespace of processes, and is then a child of the zygote like any other, for its parent
//! has ended: it says `arrived`. If it does not come, the program of the launch is started as always.

use super::warm::{CHANNEL, Warmer};
use super::word::{self, Word};
use super::{FIRST_OWN, INVITATION, Zygote, wait_for};
use crate::processes::own_children;
use crate::spec::Isolation;
use crate::wire::{self, Writer};
use crate::{filter, stage, sys};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use std::time::{Duration, Instant};

/// How long an invited process may take to arrive. Until then the first job waits for it.
const ARRIVES_WITHIN: Duration = Duration::from_secs(10);

/// The slot's namespaces in the order in which they are entered: the first gives the right to enter the others.
const NAMESPACES: [&str; 6] = ["user", "mnt", "pid", "net", "ipc", "uts"];

impl Zygote {
    /// Answers with an invitation, unless there is a warmer already. `None`: the engine is gone.
    pub(super) fn invite(&mut self, place: u8) -> Option<()> {
        if self.warmer.is_some() || self.isolation != Isolation::Cow || self.open_set(0).is_none() {
            return Some(());
        }
        let Ok((channel, theirs, namespaces)) = self.prepare_invitation(place) else { return Some(()) };
        // What a program has that the zygote starts: root's jobs keep some at their exec, others have none.
        let is_root = rustix::process::geteuid().is_root();
        let capabilities = if is_root { stage::jobs_capabilities().bits() } else { 0 };
        let mut packet = Writer::default();
        let processes = rustix::process::getrlimit(rustix::process::Resource::Nproc).current;
        packet
            .u8(INVITATION)
            .u64(capabilities)
            .u64(processes.unwrap_or(u64::MAX))
            .bytes(&filter::bytes(&filter::native()));
        let mut fds = vec![theirs.as_fd()];
        fds.extend(self.pipes.iter().map(AsFd::as_fd));
        fds.push(self.shelf.file().as_fd());
        fds.extend(namespaces.iter().map(AsFd::as_fd));
        wire::send(self.socket.as_fd(), &packet.0, &fds).ok()?;
        self.warmer = Some(Warmer::invited(channel, place));
        Some(())
    }

    /// Both ends of its channel, and the namespaces.
    fn prepare_invitation(&self, place: u8) -> Result<(OwnedFd, OwnedFd, Vec<OwnedFd>), Errno> {
        self.launches.get(usize::from(place)).ok_or(Errno::INVAL)?;
        let open = |name: &&str| {
            rustix::fs::open(format!("/proc/self/ns/{name}"), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        };
        let namespaces = NAMESPACES.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        let channel = rustix::io::fcntl_dupfd_cloexec(ours, FIRST_OWN)?;
        let _ = rustix::net::sockopt::set_socket_send_buffer_size(&channel, CHANNEL);
        Ok((channel, theirs, namespaces))
    }

    /// Waits for an invited warmer that has not arrived; without it there is none.
    pub(super) fn await_warmer(&mut self) {
        let Some(warmer) = self.warmer.as_mut().filter(|warmer| !warmer.has_arrived()) else { return };
        let begun = Instant::now();
        let mut packet = [0; word::LONGEST];
        loop {
            let left = ARRIVES_WITHIN.saturating_sub(begun.elapsed());
            match wire::receive(warmer.channel().as_fd(), &mut packet, &mut Vec::new(), false) {
                Err(Errno::AGAIN) if !left.is_zero() => {
                    if wait_for([warmer.channel()], Some(left)).is_none() {
                        break;
                    }
                }
                Ok(length) => match Word::read(&packet[..length]) {
                    Some(Word::Arrived(pid)) if own_children().contains(&pid) => return warmer.arrive(pid),
                    _ => break,
                },
                Err(_) => break,
            }
        }
        // One that comes after all finds its channel closed.
        self.warmer = None;
        for late in own_children() {
            sys::kill_one(late, libc::SIGKILL);
        }
    }
}
