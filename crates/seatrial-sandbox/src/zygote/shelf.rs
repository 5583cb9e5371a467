//! Memory in which a test's process leaves what is to outlive it and its warmer.
//!
//! A write to the report pipe after each test would wake the engine each time. Lines lie here until the process writes
//! them all; when it dies its warmer does, and when that dies too, the zygote.

use super::FIRST_OWN;
use rustix::fd::OwnedFd;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::io::Errno;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;

/// Bytes of the memory, the first four of which say how many of the others are used (little-endian).
const SIZE: usize = 128 << 10;
const HEAD: usize = 4;

/// The memory file. It is the same for all warmers of a slot.
pub(super) struct Shelf(File);

impl Shelf {
    pub(super) fn make() -> Result<Self, Errno> {
        let file = memfd_create("shelf", MemfdFlags::CLOEXEC)?;
        ftruncate(&file, SIZE as u64)?;
        rustix::io::fcntl_dupfd_cloexec(file, FIRST_OWN).map(|file| Self(File::from(file)))
    }

    /// For a warmer, which maps it.
    pub(super) fn file(&self) -> &File {
        &self.0
    }

    /// Writes what lies there to a report pipe, and empties it.
    pub(super) fn rescue(&self, pipe: &OwnedFd) {
        let mut head = [0; HEAD];
        if self.0.read_exact_at(&mut head, 0).is_err() || self.0.write_all_at(&[0; HEAD], 0).is_err() {
            return;
        }
        let length = (u32::from_le_bytes(head) as usize).min(SIZE - HEAD);
        let mut lines = vec![0; length];
        if self.0.read_exact_at(&mut lines, HEAD as u64).is_ok() {
            let _ = rustix::io::fcntl_dupfd_cloexec(pipe, FIRST_OWN)
                .map(File::from)
                .map(|mut pipe| pipe.write_all(&lines));
        }
    }
}
