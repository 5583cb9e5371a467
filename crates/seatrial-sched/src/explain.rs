//! Why does my job wait?

use seatrial_model::{Attempt, Instant, NodeId, SlotId};
use std::fmt;

/// Where a job is and what it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Explanation {
    /// No job of this number was added.
    Unknown,
    /// In the queue.
    Waiting {
        /// Jobs of its queue that go out before it. Listings and tests have a queue each and take turns; of a group
        /// that has begun, the jobs of that group.
        ahead: usize,
        /// The slot that has begun with its group, and alone may have it.
        holder: Option<(NodeId, SlotId)>,
        /// Jobs that nodes have asked for and not got.
        wanted: u64,
        /// The number that its next try has.
        attempt: Attempt,
        /// Bad tries that it had.
        retried: u32,
        /// Times that its node died.
        deaths: u32,
    },
    /// Handed to a node that has not said that it began.
    Assigned {
        /// Which node.
        node: NodeId,
        /// Which try.
        attempt: Attempt,
        /// Since when.
        since: Instant,
    },
    /// Running.
    Running {
        /// On which node.
        node: NodeId,
        /// In which slot.
        slot: SlotId,
        /// Which try.
        attempt: Attempt,
        /// Since when, as the coordinator heard it.
        since: Instant,
    },
    /// It has its result, or the run ended before its turn.
    Done,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("no such job in this run"),
            Self::Waiting { ahead, holder, wanted, attempt: _, retried, deaths } => {
                match (ahead, wanted) {
                    (0, _) if holder.is_some() => f.write_str("next of its group")?,
                    (0, 0) => f.write_str("next in line; no slot is free")?,
                    (0, _) => f.write_str("next in line")?,
                    (1, _) => f.write_str("waits behind 1 job")?,
                    (ahead, _) => write!(f, "waits behind {ahead} jobs")?,
                }
                if let Some((node, slot)) = holder {
                    write!(f, "; only slot {} of node {} may have it", slot.0, node.0)?;
                }
                if *retried > 0 {
                    write!(f, "; retry {retried}")?;
                }
                match deaths {
                    0 => Ok(()),
                    1 => f.write_str("; its node died once"),
                    deaths => write!(f, "; its node died {deaths} times"),
                }
            }
            Self::Assigned { node, attempt, since: _ } => {
                write!(f, "attempt {} was handed to node {} and has not begun", attempt.0, node.0)
            }
            Self::Running { node, slot, attempt, since: _ } => {
                write!(f, "attempt {} runs on node {}, slot {}", attempt.0, node.0, slot.0)
            }
            Self::Done => f.write_str("done"),
        }
    }
}
