//! What other threads and signals tell the engine's loop.

use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use seatrial_model::NoticeLevel;
use seatrial_plan::PlanEvent;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

/// A message to the loop.
#[derive(Debug)]
pub enum Input {
    /// Something for the planner.
    Plan(Box<PlanEvent>),
    /// Something for the user.
    Notice {
        /// How grave.
        level: NoticeLevel,
        /// What.
        text: String,
        /// What to do next.
        hint: Option<String>,
    },
    /// A signal that concerns the whole run.
    Signal(i32),
    /// Work on a job's written layers is done; what there is to tell about it.
    LayersDone {
        /// The job's tag.
        tag: u64,
        /// Sentences for the reader.
        notes: Vec<String>,
        /// Something that makes the test an error: a write-back conflict.
        error: Option<String>,
    },
}

/// The sending end; cheap to clone.
#[derive(Clone, Debug)]
pub struct Outbox {
    sender: Sender<Input>,
    wake: Arc<OwnedFd>,
}

/// The loop's end.
#[derive(Debug)]
pub struct Inbox {
    receiver: Receiver<Input>,
    wake: Arc<OwnedFd>,
}

/// A pair of both ends.
///
/// # Errors
/// The kernel gives no descriptor.
pub fn inbox() -> io::Result<(Outbox, Inbox)> {
    let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
    let (sender, receiver) = channel();
    Ok((Outbox { sender, wake: Arc::clone(&wake) }, Inbox { receiver, wake }))
}

impl Outbox {
    /// Sends one message and wakes the loop. A loop that has ended takes no more: the message is dropped.
    pub fn send(&self, input: Input) {
        if self.sender.send(input).is_ok() {
            let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
        }
    }
}

impl Inbox {
    /// The descriptor that is readable when there is a message.
    #[must_use]
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// All messages that are there.
    pub(crate) fn take(&self) -> Vec<Input> {
        let _ = rustix::io::read(&self.wake, &mut [0u8; 8]);
        self.receiver.try_iter().collect()
    }
}
