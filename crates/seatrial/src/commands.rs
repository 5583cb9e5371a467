//! One file a command: its arguments and what it does.

pub(crate) mod cargo;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod exec;
pub(crate) mod history;
mod interpreter;
mod ours;
mod past;
pub(crate) mod pytest;
mod python;
mod settings_file;
pub(crate) mod show;
pub(crate) mod unittest;
