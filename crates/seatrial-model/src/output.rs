//! What a job wrote.

use crate::Bytes;
use serde::{Deserialize, Serialize};

/// Both streams of one attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Standard output.
    pub stdout: Captured,
    /// Standard error.
    pub stderr: Captured,
}

/// One stream, bounded: all of it, or its head and tail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Captured {
    /// The beginning; everything when `tail` is empty.
    pub head: Bytes,
    /// The end, when the middle was not kept.
    #[serde(default, skip_serializing_if = "Bytes::is_empty")]
    pub tail: Bytes,
    /// Bytes the job wrote in all.
    pub total: u64,
    /// The file that holds more of the middle, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spill: Option<String>,
}

impl Captured {
    /// Everything a job wrote, kept whole.
    #[must_use]
    pub fn whole(bytes: Vec<u8>) -> Self {
        Self { total: bytes.len() as u64, head: Bytes(bytes), ..Self::default() }
    }

    /// Bytes that stand between head and tail and are not kept here.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.total.saturating_sub((self.head.len() + self.tail.len()) as u64)
    }

    /// True when the job wrote nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }
}
