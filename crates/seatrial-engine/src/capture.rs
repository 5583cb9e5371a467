//! A job's output, bounded: head and tail in memory, the middle in a bounded file.

use rustix::fd::BorrowedFd;
use rustix::io::Errno;
use seatrial_model::{Bytes, Captured, RunId};
use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Bytes kept of the beginning, and as many of the end, of each stream.
pub const KEPT: usize = 256 << 10;

/// Bytes of the middle that go to a file, at most.
pub const SPILLED: u64 = 64 << 20;

/// Bytes of a report that are kept at its beginning: it is read whole or not at all.
const REPORT: usize = 64 << 20;

/// One stream of one job while it runs.
#[derive(Debug)]
pub(crate) struct Capture {
    /// Bytes kept of the beginning, and as many of the end.
    kept: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    total: u64,
    spill: Option<(PathBuf, File)>,
    spilled: u64,
    spill_failed: bool,
}

/// Where the middles of large outputs go: one folder a run.
#[derive(Clone, Debug)]
pub struct SpillFolder(pub PathBuf);

impl Capture {
    /// A stream that people read.
    pub(crate) fn of_stream() -> Self {
        Self::keeping(KEPT)
    }

    /// A stream that is read by us, and so has to be whole.
    pub(crate) fn of_report() -> Self {
        Self::keeping(REPORT)
    }

    fn keeping(kept: usize) -> Self {
        Self {
            kept,
            head: Vec::new(),
            tail: VecDeque::new(),
            total: 0,
            spill: None,
            spilled: 0,
            spill_failed: false,
        }
    }

    /// Adds what a job wrote.
    pub(crate) fn add(&mut self, bytes: &[u8], folder: &SpillFolder, name: fmt::Arguments<'_>) {
        self.total += bytes.len() as u64;
        let to_head = bytes.len().min(self.kept - self.head.len());
        self.head.extend_from_slice(&bytes[..to_head]);
        let rest = &bytes[to_head..];
        if rest.is_empty() {
            return;
        }
        self.spill(rest, folder, name);
        self.tail.extend(rest);
        if self.tail.len() > self.kept {
            self.tail.drain(..self.tail.len() - self.kept);
        }
    }

    /// What was captured.
    pub(crate) fn finish(self) -> Captured {
        let tail: Vec<u8> = self.tail.into();
        let spill = self.spill.map(|(path, _)| path.to_string_lossy().into_owned());
        let (mut head, left_out) = (self.head, self.total > (self.kept + tail.len()) as u64);
        if left_out {
            return Captured { head: Bytes(head), tail: Bytes(tail), total: self.total, spill };
        }
        // Nothing is missing between the two: the file says nothing more.
        if let Some(path) = &spill {
            let _ = std::fs::remove_file(path);
        }
        head.extend_from_slice(&tail);
        Captured::whole(head)
    }

    fn spill(&mut self, bytes: &[u8], folder: &SpillFolder, name: fmt::Arguments<'_>) {
        if self.spill.is_none() && !self.spill_failed {
            self.spill = open(&folder.0, &name.to_string());
            self.spill_failed = self.spill.is_none();
        }
        let room = usize::try_from(SPILLED - self.spilled).unwrap_or(0).min(bytes.len());
        if let Some((_, file)) = &mut self.spill {
            // A full disk costs the middle, not the run.
            if room > 0 && file.write_all(&bytes[..room]).is_err() {
                self.spilled = SPILLED;
            } else {
                self.spilled += room as u64;
            }
        }
    }
}

fn open(folder: &Path, name: &str) -> Option<(PathBuf, File)> {
    if !folder.exists() {
        std::fs::create_dir_all(folder).ok()?;
        forget_old(folder);
    }
    let path = folder.join(name);
    File::create(&path).ok().map(|file| (path, file))
}

/// Runs whose spilled middles are kept.
pub const SPILLED_RUNS: usize = 20;

/// Removes the folders of the oldest runs beside this one's, and nothing that is not named as a run.
fn forget_old(folder: &Path) {
    let entries = folder.parent().and_then(|all| std::fs::read_dir(all).ok());
    let is_run = |path: &PathBuf| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.parse::<RunId>().is_ok())
    };
    let paths = entries.into_iter().flatten().flatten().map(|entry| entry.path());
    let mut runs: Vec<PathBuf> = paths.filter(is_run).collect();
    // Runs' names are in the order of their times.
    runs.sort();
    for old in runs.iter().take(runs.len().saturating_sub(SPILLED_RUNS)) {
        let _ = std::fs::remove_dir_all(old);
    }
}

/// Reads everything that is in a pipe now; `each` gets the pieces.
pub(crate) fn drain(pipe: BorrowedFd<'_>, buffer: &mut [u8], mut each: impl FnMut(&[u8])) {
    loop {
        match rustix::io::read(pipe, &mut *buffer) {
            Ok(0) => return,
            Ok(length) => {
                each(&buffer[..length]);
                if length < buffer.len() {
                    return;
                }
            }
            Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests;
