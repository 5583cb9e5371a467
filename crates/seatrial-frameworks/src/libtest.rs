//! libtest, the harness inside Rust's test binaries: its list, its verdict on one test, its verdicts on many.
//!
//! The forms are those that libtest prints on stable Rust; the golden files hold real ones.

mod blocks;
mod complaint;
mod line;
mod list;
mod many;
mod one;

pub(crate) use blocks::blocks;
pub(crate) use complaint::in_section;
pub use line::{LineState, Summary, TestLine, parse_summary, parse_test_line};
pub use list::{ListError, Listed, ListedKind, list_args, parse_list};
pub use many::{Many, ManyResult, many_args, read_many};
pub use one::{one_args, read_one};

#[cfg(test)]
pub(crate) mod golden;
#[cfg(test)]
pub(crate) mod tests;
