//! `cargo xtask tidy`: what the repository holds itself to and no compiler checks.

mod code;
mod files;
mod floors;
#[cfg(test)]
mod tests;

use crate::process::{Result, root};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A place where a rule is broken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// The file, below the root.
    path: String,
    /// The line, from 1; 0 when it is about the whole file.
    line: usize,
    /// What is wrong, and what to do.
    what: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

/// Checks the repository; false when something was found.
pub(crate) fn run(out: &mut dyn Write) -> Result<bool> {
    let findings = check(&root())?;
    let mut text = String::new();
    for Finding { path, line, what } in &findings {
        let place = if *line == 0 { path.clone() } else { format!("{path}:{line}") };
        text.push_str(&format!("{place}: {what}\n"));
    }
    text.push_str(&format!("tidy: {} found\n", findings.len()));
    out.write_all(text.as_bytes()).map_err(|error| format!("standard output: {error}"))?;
    Ok(findings.is_empty())
}

/// Every finding below a root, in order.
pub(crate) fn check(root: &Path) -> Result<Vec<Finding>> {
    let mut found = Vec::new();
    for path in list(root)? {
        let Ok(name) = path.strip_prefix(root) else { continue };
        let name = name.to_string_lossy().into_owned();
        // What is no text is no concern of ours.
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        found.extend(files::check(&name, &text));
        if is_manifest(&name) {
            let pure_config = path.with_file_name("clippy.toml").is_file();
            found.extend(floors::check(&name, &text, pure_config)?);
        }
    }
    found.sort();
    Ok(found)
}

/// `crates/NAME/Cargo.toml`.
fn is_manifest(name: &str) -> bool {
    name.strip_prefix("crates/")
        .and_then(|rest| rest.strip_suffix("/Cargo.toml"))
        .is_some_and(|name| !name.contains('/'))
}

/// Every file below a folder, without what is built or kept by git.
fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        for entry in entries {
            let entry = entry.map_err(|error| format!("{}: {error}", folder.display()))?;
            let kind = entry.file_type().map_err(|error| format!("{}: {error}", folder.display()))?;
            let skipped = ["target", ".git", "__pycache__"].iter().any(|name| entry.file_name() == *name);
            if kind.is_dir() && !skipped {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}
