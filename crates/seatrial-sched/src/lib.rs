//! Deciders of a run and of a node, as pure machines.
//!
//! [`RunMachine`] sits with the coordinator: it orders jobs, hands them to nodes that ask, says what an answer means,
//! and knows when the run is over. [`NodeMachine`] sits on every node: it fills slots, keeps time limits and ends what
//! is cancelled. Neither reads a clock nor sends anything: time comes in with each event, actions go out as data.
//!
//! What the engine must give them:
//! - A message between coordinator and node may be late, overtaken or doubled. It may not be lost while both live:
//!   whoever loses one sends it again, or reports the node as lost.
//! - A node that was reported as lost is never heard again under its number. A machine that comes back joins anew.
//! - What one slot reports arrives in the order in which it happened, and every recall is answered once, unless the
//!   slot is lost first.
//!
//! Order of life of a job: `JobsAdded` → `Assign` → (node) `Offered` → `Send` → `Started` → `Ended` → `Finished` →
//! (coordinator) `AttemptFinished`, or again from `Assign` under the next attempt number.

mod explain;
mod near;
mod node;
mod order;
mod retry;
mod run;

pub use explain::Explanation;
pub use node::{Cause, NodeAction, NodeEvent, NodeMachine, NodeSettings};
pub use order::{Class, Priority, priority};
pub use retry::MAX_DEATHS;
pub use run::{JobResult, Part, Planned, RunAction, RunEvent, RunMachine, RunSettings};
