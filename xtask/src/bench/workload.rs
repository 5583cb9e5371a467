//! Projects to be measured: generated ones, and published crates as they are.

use crate::process::{Result, cargo, native, output, read, write};
use crate::sources;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// A project that has been built.
pub(crate) struct Workload {
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// Its test binaries.
    pub(crate) binaries: Vec<PathBuf>,
}

/// A package whose unit tests have these bodies; doctests are off, because nextest has none.
fn package(folder: &Path, name: &str, bodies: impl Iterator<Item = String>) -> Result<()> {
    let mut source = "//! Generated.\n".to_owned();
    for (index, body) in bodies.enumerate() {
        let _ = write!(source, "\n#[test]\nfn t{index:05}() {{\n    {body}\n}}\n");
    }
    write(
        &folder.join("Cargo.toml"),
        format!(
            "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[lib]\ndoctest = false\n\n[workspace]\n"
        ),
    )?;
    let path = folder.join("src/lib.rs");
    // An unchanged file keeps its time, so that nothing is built again.
    if read(&path).is_ok_and(|old| old == source) { Ok(()) } else { write(&path, source) }
}

/// Tests that do nothing.
pub(crate) fn trivial(work: &Path) -> Result<Workload> {
    let folder = work.join("trivial");
    package(&folder, "trivial", (0..500).map(|n| format!("assert_eq!({n} + 1, {});", n + 1)))?;
    built(folder, &[])
}

/// Tests that sleep between 50 and 250 ms, in an order that looks random.
pub(crate) fn slow(work: &Path) -> Result<Workload> {
    let folder = work.join("slow");
    let body = |n: u64| {
        format!("std::thread::sleep(std::time::Duration::from_millis({}));", 50 + n * 7_919 % 40 * 200 / 39)
    };
    package(&folder, "slow", (0..40).map(body))?;
    built(folder, &[])
}

/// 20,000 tests in ten binaries that do nothing: a millisecond or two is what their process costs.
pub(crate) fn many(work: &Path) -> Result<Workload> {
    let folder = work.join("many");
    package(&folder, "many", std::iter::empty())?;
    for binary in 0..10 {
        let mut source = "//! Generated.\n".to_owned();
        for index in 0..2_000 {
            let _ = write!(
                source,
                "\n#[test]\nfn t{index:05}() {{\n    assert_eq!({index} + 1, {});\n}}\n",
                index + 1
            );
        }
        let path = folder.join(format!("tests/binary{binary}.rs"));
        if read(&path).is_ok_and(|old| old == source) {
            continue;
        }
        write(&path, source)?;
    }
    built(folder, &[])
}

/// A crate of the corpus.
pub(crate) fn published(work: &Path, name: &str, targets: &[&str]) -> Result<Workload> {
    let package = sources::pinned()?
        .into_iter()
        .find(|package| package.name == name)
        .ok_or_else(|| format!("benches/corpus/rust.txt does not name {name}"))?;
    built(sources::copy_of(&package, work)?, targets)
}

/// Builds a project's tests and asks cargo for the binaries.
fn built(folder: PathBuf, targets: &[&str]) -> Result<Workload> {
    let mut command = cargo();
    command.args(["test", "--no-run", "--message-format=json"]).args(targets).current_dir(&folder);
    let messages = output(native(&mut command))?;
    let binaries = messages
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok())
        .filter(|message| message["profile"]["test"] == true)
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .collect();
    Ok(Workload { folder, binaries })
}
