//! What goes back to the engine.

use super::job::{Job, Running};
use super::{
    ENDED, EXITED, LISTENING, Listeners, NOT_STARTED, READY, RECALLED, SIGNALED, WENT_ON, Zygote, listen,
};
use crate::Failure;
use crate::child::Failed;
use crate::wire::{self, Writer};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;

/// The slot's cgroup files: peak of memory (written to reset it) and the count of kills for lack of memory.
pub(super) struct MemoryFiles {
    peak: File,
    events: File,
    kills: u64,
}

impl MemoryFiles {
    pub(super) fn new(peak: OwnedFd, events: OwnedFd) -> Self {
        let (peak, events) = (File::from(peak), File::from(events));
        Self { kills: oom_kills(&events), peak, events }
    }

    /// The peak is that of the job that starts now.
    pub(super) fn reset(&self) {
        let _ = self.peak.write_at(b"0", 0);
    }

    /// The peak in bytes.
    fn peak(&self) -> Option<u64> {
        let mut text = [0u8; 32];
        let length = self.peak.read_at(&mut text, 0).ok()?;
        std::str::from_utf8(&text[..length]).ok()?.trim().parse().ok()
    }

    /// True when the kernel has killed for lack of memory since this was asked last.
    fn has_killed(&mut self) -> bool {
        let before = self.kills;
        self.kills = oom_kills(&self.events);
        self.kills > before
    }
}

fn ports_of(listeners: &Listeners) -> Vec<u16> {
    listeners.iter().map(|(_, port)| *port).collect()
}

impl Zygote {
    pub(super) fn say_ready(&self, listeners: &Listeners) -> Result<(), Failure> {
        let mut writer = Writer::default();
        let read_only = self.root.as_ref().map_or(&[][..], |root| root.read_only.as_slice());
        writer.u8(READY).u32(read_only.len() as u32);
        for note in read_only {
            writer.bytes(note.as_bytes());
        }
        self.send_listeners(writer.ports(&ports_of(listeners)), listeners)
            .map_err(|errno| Failure { what: "report".into(), errno })
    }

    /// Listens for more ports of the engine's.
    pub(super) fn answer_forward(&self, ports: &[u16]) {
        let (mut listeners, mut refused) = (Listeners::new(), Vec::new());
        for port in ports {
            // One packet holds so many sockets.
            match listen(*port) {
                Ok(listener) if listeners.len() < wire::FDS => listeners.push((listener, *port)),
                Ok(_) | Err(_) => refused.push(*port),
            }
        }
        let mut writer = Writer::default();
        writer.u8(LISTENING).ports(&ports_of(&listeners)).ports(&refused);
        let _ = self.send_listeners(&writer, &listeners);
    }

    fn send_listeners(&self, packet: &Writer, listeners: &Listeners) -> Result<(), Errno> {
        let fds: Vec<BorrowedFd<'_>> = listeners.iter().map(|(listener, _)| listener.as_fd()).collect();
        wire::send(self.socket.as_fd(), &packet.0, &fds)
    }

    pub(super) fn answer_recall(&self, tag: u64, was_started: bool) {
        let mut writer = Writer::default();
        writer.u8(RECALLED).u64(tag).u8(u8::from(was_started));
        let _ = wire::send(self.socket.as_fd(), &writer.0, &[]);
    }

    pub(super) fn answer_went_on(&self, tag: u64) {
        let mut writer = Writer::default();
        writer.u8(WENT_ON).u64(tag);
        let _ = wire::send(self.socket.as_fd(), &writer.0, &[]);
    }

    pub(super) fn answer_not_started(&self, job: &Job, failed: Failed) {
        let mut writer = Writer::default();
        writer.u8(ENDED).u64(job.tag).u8(NOT_STARTED).u32(failed.errno.unsigned_abs());
        writer.u8(failed.step as u8).u64(0).u64(0).u64(0).u64(0).u8(0).u8(1).u32(0).u32(0).u8(0);
        let _ = wire::send(self.socket.as_fd(), &writer.0, &[]);
    }

    /// Tells how a job ended; the slot is as clean as it will be. `None`: the engine is gone.
    pub(super) fn answer_ended(&mut self, running: &Running, status: i32) -> Option<()> {
        let (kind, code) = if libc::WIFSIGNALED(status) {
            (SIGNALED, libc::WTERMSIG(status))
        } else {
            (EXITED, libc::WEXITSTATUS(status))
        };
        let mut peak = running.max_rss * 1024;
        let mut out_of_memory = false;
        if let Some(memory) = &mut self.memory {
            peak = memory.peak().unwrap_or(peak);
            if kind == SIGNALED || code != 0 {
                out_of_memory = memory.has_killed();
            }
        }
        let mut writer = Writer::default();
        writer.u8(ENDED).u64(running.job.tag).u8(kind).u32(code.unsigned_abs()).u8(0);
        for time in [running.wall, running.user, running.system] {
            writer.u64(time.as_nanos() as u64);
        }
        writer.u64(peak).u8(u8::from(out_of_memory)).u8(u8::from(self.clean));
        writer.u32(running.survivors.len() as u32);
        for name in &running.survivors {
            writer.bytes(name.as_bytes());
        }
        let written = &running.written[..running.written.len().min(wire::FDS)];
        writer.u32(written.len() as u32);
        let mut fds = Vec::new();
        for layer in written {
            writer.bytes(layer.path.as_os_str().as_bytes());
            fds.push(layer.layer.as_fd());
        }
        writer.u8(u8::from(running.warmer_lost));
        wire::send(self.socket.as_fd(), &writer.0, &fds).ok()
    }
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
