//! Messages of the lister's channel, cut into packets and joined again.

use std::fmt;

/// Bytes of a packet at most, its mark among them.
pub const PACKET: usize = 96 * 1024;

const MORE: u8 = b'+';
const LAST: u8 = b'.';

/// The packets of a message. Each begins with a mark: whether more of the message follows.
#[must_use]
pub fn packets(message: &[u8]) -> Vec<Vec<u8>> {
    let parts: Vec<&[u8]> = match message {
        [] => vec![message],
        _ => message.chunks(PACKET - 1).collect(),
    };
    let last = parts.len() - 1;
    let marked = |(index, part): (usize, &[u8])| {
        let mark = if index == last { LAST } else { MORE };
        [&[mark], part].concat()
    };
    parts.into_iter().enumerate().map(marked).collect()
}

/// Joins packets to messages.
#[derive(Clone, Debug, Default)]
pub struct Joiner {
    begun: Vec<u8>,
}

/// A packet that is no part of a message: its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMark(pub Option<u8>);

impl fmt::Display for NoMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(byte) => {
                write!(f, "the helper inside Python sent a packet that begins with `{}`", byte.escape_ascii())
            }
            None => write!(f, "the helper inside Python sent an empty packet"),
        }
    }
}

impl std::error::Error for NoMark {}

impl Joiner {
    /// Takes a packet; the message that it completes, if it does.
    ///
    /// # Errors
    /// A packet without a mark. What had been begun is forgotten.
    pub fn take(&mut self, packet: &[u8]) -> Result<Option<Vec<u8>>, NoMark> {
        match packet.split_first() {
            Some((&MORE, part)) => {
                self.begun.extend_from_slice(part);
                Ok(None)
            }
            Some((&LAST, part)) => {
                self.begun.extend_from_slice(part);
                Ok(Some(std::mem::take(&mut self.begun)))
            }
            other => {
                self.begun.clear();
                Err(NoMark(other.map(|(mark, _)| *mark)))
            }
        }
    }

    /// True when a message has begun and is not complete: the end of the channel would cut it off.
    #[must_use]
    pub fn is_in_a_message(&self) -> bool {
        !self.begun.is_empty()
    }
}

#[cfg(test)]
mod tests;
