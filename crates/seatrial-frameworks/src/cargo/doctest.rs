//! Doctests: rustdoc builds them and starts each through the shim; its words on stdout are the results.
//!
//! Up to edition 2021 each doctest that runs is a program of its own. From edition 2024 on, most of a crate's are one
//! program, a bundle, that starts itself anew for each test, when it knows its own path from [`BUNDLE_PATH`].
//! rustdoc sets that variable only where no runner stands between, so the shim has to; without it all tests share one
//! process, and an abort or `exit(0)` in one hides the others.

use super::shim::ShimCall;
use crate::libtest::{LineState, blocks, in_section};
use crate::stream::plain;
use seatrial_model::{Bytes, Outcome};
use std::path::{Path, PathBuf};

/// The variable in which a bundle of doctests looks for its own path.
pub const BUNDLE_PATH: &str = "RUSTDOC_DOCTEST_BIN_PATH";

/// A shim call that comes from rustdoc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoctestCall {
    /// The program.
    pub program: PathBuf,
    /// The directory that rustdoc made for it, which a container with a fresh `/tmp` must be shown.
    pub directory: PathBuf,
    /// The package.
    pub package: String,
    /// What the program needs beside the call's environment.
    pub env: Vec<(Bytes, Bytes)>,
}

/// Recognises a doctest's program: `.../rustdoctest??????/rust_out`. `None` for a call by cargo itself.
#[must_use]
pub fn recognise(call: &ShimCall) -> Option<DoctestCall> {
    let bytes = call.argv.first()?;
    let program = Path::new(std::str::from_utf8(bytes).ok()?);
    let directory = program.parent()?;
    let made_by_rustdoc = directory.file_name()?.to_str()?.starts_with("rustdoctest");
    if !made_by_rustdoc || program.file_stem()? != "rust_out" {
        return None;
    }
    Some(DoctestCall {
        program: program.to_owned(),
        directory: directory.to_owned(),
        package: String::from_utf8_lossy(call.variable("CARGO_PKG_NAME").unwrap_or_default()).into_owned(),
        env: vec![(BUNDLE_PATH.into(), Bytes::from(bytes.as_slice()))],
    })
}

/// What rustdoc said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doctests {
    /// The doctests that it gave its word of, in its order.
    pub results: Vec<DoctestResult>,
    /// Where its numbers and its lines do not agree (a bundle that ended early): doctests without a result are lost
    /// from sight, and the run must not be green.
    pub troubles: Vec<String>,
}

/// One doctest's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoctestResult {
    /// The name that rustdoc gives it: `src/lib.rs - item (line 5)`, the file seen from the workspace's directory.
    pub name: String,
    /// Pass, fail or skip.
    pub outcome: Outcome,
    /// Why, in one line.
    pub reason: Option<String>,
    /// What rustdoc shows of a failed one: the compiler's words, or the program's output.
    pub output: Option<String>,
}

/// Reads what one or more rustdoc processes wrote on stdout: cargo's plain lines, joined.
#[must_use]
pub fn parse(stdout: &[u8]) -> Doctests {
    let mut doctests = Doctests::default();
    for block in blocks(&plain(&String::from_utf8_lossy(stdout))) {
        doctests.troubles.extend(block.disagreement());
        for line in &block.lines {
            let output = block.sections.get(&line.name).cloned();
            let (outcome, reason) = match &line.state {
                LineState::Ok => (Outcome::Pass, None),
                LineState::Failed => (Outcome::Fail, output.as_deref().and_then(in_section)),
                LineState::Ignored(reason) => (Outcome::Skip, reason.clone()),
            };
            doctests.results.push(DoctestResult { name: line.name.clone(), outcome, reason, output });
        }
    }
    doctests
}

/// The package that a doctest belongs to. `packages` holds each package's name and its directory, seen from the
/// workspace's, empty for the workspace's own; the innermost one wins.
///
/// rustdoc names files as it met them (`a/src/../../README.md`), so what the name begins with tells the package.
#[must_use]
pub fn package_of<'a>(name: &str, packages: &[(&'a str, &str)]) -> Option<&'a str> {
    let below = |directory: &str| {
        directory.is_empty() || name.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
    };
    packages
        .iter()
        .filter(|(_, dir)| below(dir))
        .max_by_key(|(_, dir)| dir.len())
        .map(|(package, _)| *package)
}

/// The crate in rustdoc's heading on stderr, `Doc-tests NAME`.
#[must_use]
pub fn heading(stderr_line: &str) -> Option<&str> {
    stderr_line.trim().strip_prefix("Doc-tests ").map(str::trim)
}
