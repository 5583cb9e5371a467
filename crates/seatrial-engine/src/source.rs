//! Where a run's tests come from, as far as the loop has words for it.

use rustix::fd::OwnedFd;
use seatrial_model::{End, Output, SlotId, Verdict};
use seatrial_sandbox::Invitation;

/// A framework's own process that finds tests, or takes part in the run while it lasts.
pub trait Source {
    /// A relay has ended: its end and output, for whoever asked under this number.
    fn answer(&mut self, _call: u64, _end: Option<End>, _output: Output) {}

    /// A message of the planner's.
    fn tell(&mut self, _message: Vec<u8>) {}

    /// A slot invites the process that has found the tests to fork its warm interpreter. To be ignored by closing it.
    fn invited(&mut self, _slot: SlotId, _invitation: Invitation, _doors: Vec<OwnedFd>) {}

    /// All jobs have ended, `reason` being why before their time. Waits for what the source has still to say;
    /// `is_interrupted` tells when the user will not wait any longer.
    fn close(&mut self, _reason: Option<&str>, _is_interrupted: &mut dyn FnMut() -> bool) -> Closing {
        Closing::default()
    }
}

/// A source's last words.
#[derive(Debug, Default)]
pub struct Closing {
    /// Results of its own.
    pub verdicts: Vec<Verdict>,
    /// Text for the user.
    pub text: Option<String>,
}

/// Nobody: all jobs are known from the beginning.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSource;

impl Source for NoSource {}
