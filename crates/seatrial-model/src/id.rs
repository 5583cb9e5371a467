//! Names and numbers that things go by.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// One invocation and all its results: a time-ordered 63-bit number, `milliseconds since 1970 << 22 | random`.
///
/// Shown, and written on the wire, in 13 digits of Crockford's base 32 (lower case), so that text order is time order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub i64);

const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl RunId {
    /// The id of a run begun `unix_ms` milliseconds after 1970; of `random`, 22 bits are used.
    #[must_use]
    pub const fn new(unix_ms: u64, random: u32) -> Self {
        #[expect(clippy::cast_possible_wrap, reason = "the top bit is masked off")]
        Self((((unix_ms << 22) | (random as u64 & 0x3f_ffff)) & (i64::MAX as u64)) as i64)
    }

    /// When the run began, in milliseconds since 1970.
    #[must_use]
    pub const fn unix_ms(self) -> u64 {
        self.0.cast_unsigned() >> 22
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits: Vec<u8> =
            (0..13).rev().map(|i| DIGITS[(self.0.cast_unsigned() >> (5 * i) & 31) as usize]).collect();
        f.pad(&String::from_utf8_lossy(&digits))
    }
}

impl Serialize for RunId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl FromStr for RunId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is not a run id (13 digits of 0-9 and a-z)");
        if text.len() != 13 {
            return Err(bad());
        }
        let mut number: u64 = 0;
        for byte in text.bytes() {
            let digit = DIGITS.iter().position(|d| *d == byte.to_ascii_lowercase()).ok_or_else(bad)?;
            number = number.checked_mul(32).and_then(|n| n.checked_add(digit as u64)).ok_or_else(bad)?;
        }
        i64::try_from(number).map(Self).map_err(|_| bad())
    }
}

/// A job's number within its run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub u32);

/// A [`crate::Launch`]'s number within its run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LaunchId(pub u32);

/// Which try of a job, from 1. An answer that carries an older number is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Attempt(pub u32);

impl Attempt {
    /// The first try.
    pub const FIRST: Self = Self(1);

    /// The try after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A place on a node where one job runs at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SlotId(pub u32);

/// A machine that carries out jobs, numbered within a run. The submitting machine is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub u32);

/// A test's name: the group it belongs to (for Rust the binary, such as `serde_json::bin/tool`) and its own name there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TestRef {
    /// The group, unique within the project.
    pub group: Arc<str>,
    /// The name within the group; any characters.
    pub name: Arc<str>,
}

impl TestRef {
    /// A test's name from its parts.
    #[must_use]
    pub fn new(group: &str, name: &str) -> Self {
        Self { group: group.into(), name: name.into() }
    }
}

impl fmt::Display for TestRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.group, self.name)
    }
}
