//! How each test framework is listed, run and read: bytes in, facts out.
//!
//! One folder a framework. [`libtest`] is the harness inside Rust's test binaries, [`cargo`] is what builds them and
//! would run them; [`read`] is the one door through which a node turns a job's end and output into verdicts. [`pytest`]
//! is read through a helper inside Python. Nothing here reads a file or starts a process. The golden files in
//! `tests/golden` are real output, recorded by the scripts beside them.

pub mod cargo;
pub mod end;
pub mod libtest;
pub mod pytest;
pub mod read;
mod stream;
