//! What is to be run: settings, and planners that turn what is found into jobs. Pure: facts in, jobs out.

mod array;
mod cargo;
mod planner;
mod pytest;
mod settings;

pub use array::{ArrayPlan, job_seed};
pub use cargo::CargoPlan;
pub use planner::{FoundBinary, PlanAction, PlanEvent, Planner};
pub use pytest::{Granularity, PytestPlan, Shape};
pub use settings::{CargoOverride, CargoSettings, Execution, File, RunFixture};

#[cfg(test)]
mod tests;
