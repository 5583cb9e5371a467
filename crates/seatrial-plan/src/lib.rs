//! What is to be run: settings, and planners that turn what is found into jobs. Pure: facts in, jobs out.

mod array;
mod planner;

pub use array::{ArrayPlan, job_seed};
pub use planner::{FoundBinary, PlanAction, PlanEvent, Planner};
