//! The form in which an attempt's output is stored.
//!
//! Passing tests write much the same: with libtest, a frame of some 150 bytes around the test's name, three times the
//! size of the result itself. So a small output is stored with [`NAME`] where the test's name stands, and attempts of
//! one run that then look the same share a row.

use seatrial_model::{Bytes, Captured, Output};

/// Stands for the test's name: ASCII's "substitute". An output that has it itself is stored as it is.
const NAME: u8 = 26;

/// The largest output that can be shared, both streams together, in bytes.
const SHAREABLE: usize = 1024;

/// One row of `output`, but for its id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    /// True when [`NAME`] stands for the test's name.
    pub(crate) named: bool,
    pub(crate) stdout: Stream,
    pub(crate) stderr: Stream,
}

/// One stream of it. `None` where there is nothing to say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Stream {
    pub(crate) head: Option<Vec<u8>>,
    pub(crate) tail: Option<Vec<u8>>,
    pub(crate) total: Option<u64>,
    pub(crate) spill: Option<String>,
}

impl Shape {
    /// The form of what the test called `name` wrote.
    pub(crate) fn of(output: Output, name: &str) -> Self {
        let named = !name.is_empty()
            && size(&output) <= SHAREABLE
            && [&output.stdout, &output.stderr]
                .iter()
                .all(|stream| !stream.head.0.contains(&NAME) && !stream.tail.0.contains(&NAME));
        let name = named.then_some(name.as_bytes());
        Self { named, stdout: Stream::of(output.stdout, name), stderr: Stream::of(output.stderr, name) }
    }

    /// True when attempts that wrote the same may share this row.
    pub(crate) fn is_shareable(&self) -> bool {
        self.named
    }

    /// What the test called `name` wrote.
    pub(crate) fn into_output(self, name: &str) -> Output {
        let name = self.named.then_some(name.as_bytes());
        Output { stdout: self.stdout.into_captured(name), stderr: self.stderr.into_captured(name) }
    }
}

impl Stream {
    fn of(captured: Captured, name: Option<&[u8]>) -> Self {
        let kept = (captured.head.len() + captured.tail.len()) as u64;
        let put = |bytes: Bytes| {
            let bytes = bytes.0;
            let bytes = if let Some(name) = name { replace(&bytes, name, &[NAME]) } else { bytes };
            (!bytes.is_empty()).then_some(bytes)
        };
        Self {
            total: (captured.total != kept).then_some(captured.total),
            head: put(captured.head),
            tail: put(captured.tail),
            spill: captured.spill,
        }
    }

    fn into_captured(self, name: Option<&[u8]>) -> Captured {
        let get = |bytes: Option<Vec<u8>>| {
            let bytes = bytes.unwrap_or_default();
            Bytes(if let Some(name) = name { replace(&bytes, &[NAME], name) } else { bytes })
        };
        let (head, tail) = (get(self.head), get(self.tail));
        let kept = (head.len() + tail.len()) as u64;
        Captured { total: self.total.unwrap_or(kept), head, tail, spill: self.spill }
    }
}

/// Bytes of an output that are kept.
pub(crate) fn size(output: &Output) -> usize {
    [&output.stdout, &output.stderr].iter().map(|stream| stream.head.len() + stream.tail.len()).sum()
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut result = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(from) {
            result.extend_from_slice(to);
            rest = after;
        } else {
            result.push(*first);
            rest = after;
        }
    }
    result
}
