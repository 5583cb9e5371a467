//! Carries a run out: the loop that binds planner, deciders, slots and subscribers together.
//!
//! Parts in their order of life: a source (`cargo`) finds what is to be run and tells the loop through its `inbox`;
//! the loop (`local`) feeds the planner and the two deciders (`seatrial-sched`), carries their actions out in its
//! slots (`slots`), and hands events to the reporting thread (`reporting`), which tells every subscriber. One thread
//! runs the loop; it never waits for a test.

mod capture;
pub mod cargo;
mod clock;
mod forward;
mod inbox;
mod launches;
mod layers;
mod local;
mod pool;
pub mod pytest;
mod reporting;
mod results;
mod run_folder;
mod settings;
mod signals;
mod slots;
mod source;
mod threads;

pub use capture::{KEPT, SPILLED, SPILLED_RUNS, SpillFolder};
pub use clock::Clock;
pub use inbox::{Inbox, Input, Outbox, inbox};
pub use local::{RunEnd, run};
pub use reporting::Subscriber;
pub use run_folder::RunFolder;
pub use settings::Settings;
pub use signals::end_run;
pub use source::{Closing, NoSource, Source};
