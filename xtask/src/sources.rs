//! Published sources, as the registry has them: cargo fetches them, and a copy is made that may be built.

use crate::process::{Result, any_output, cargo, output, read, root, tail, write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A published package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pinned {
    /// The package's name.
    pub(crate) name: String,
    /// Its exact version.
    pub(crate) version: String,
    /// Which of its tests, as arguments of `cargo test`; none for all.
    pub(crate) args: Vec<String>,
}

/// The pinned packages of the corpus.
pub(crate) fn pinned() -> Result<Vec<Pinned>> {
    parse(&read(&root().join("benches/corpus/rust.txt"))?)
}

/// Reads lines `NAME VERSION [ARGUMENTS]`; `#` begins a comment.
pub(crate) fn parse(text: &str) -> Result<Vec<Pinned>> {
    text.lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
        .map(|line| {
            let mut words = line.split_whitespace().map(str::to_owned);
            match (words.next(), words.next()) {
                (Some(name), Some(version)) => Ok(Pinned { name, version, args: words.collect() }),
                _ => Err(format!("`{line}` is not `NAME VERSION [ARGUMENTS]`")),
            }
        })
        .collect()
}

/// An unmodified copy of a package below `work`; cargo fetches what is not there yet.
pub(crate) fn copy_of(package: &Pinned, work: &Path) -> Result<PathBuf> {
    let copy = work.join("sources").join(format!("{}-{}", package.name, package.version));
    if copy.join("Cargo.toml").exists() {
        return Ok(copy);
    }
    let published = fetch(package, &work.join("fetch").join(&package.name))?;
    write(&copy.with_extension("part"), "")?;
    output(Command::new("cp").arg("-r").arg(&published).arg(&copy))?;
    // The mark of cargo's own unpacking is no part of the package.
    let _ = std::fs::remove_file(copy.join(".cargo-ok"));
    let _ = std::fs::remove_file(copy.with_extension("part"));
    Ok(copy)
}

/// Lets cargo download a package as the dependency of a throwaway one, and asks it for the folder.
fn fetch(package: &Pinned, throwaway: &Path) -> Result<PathBuf> {
    let Pinned { name, version, .. } = package;
    let manifest = throwaway.join("Cargo.toml");
    write(&throwaway.join("src/lib.rs"), "//! Nothing.\n")?;
    write(
        &manifest,
        format!(
            "[package]\nname = \"throwaway\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n\
             [dependencies]\n\"{name}\" = \"={version}\"\ncfg-if = \"1\"\n\n[workspace]\n"
        ),
    )?;
    let fetched = any_output(cargo().arg("fetch").arg("--manifest-path").arg(&manifest))?;
    if !fetched.status.success() {
        return Err(format!("cargo could not fetch {name} {version}:\n{}", tail(&fetched.stderr)));
    }
    let metadata = output(
        cargo().args(["metadata", "--format-version=1", "--offline", "--manifest-path"]).arg(&manifest),
    )?;
    let folder = registry_folder(&metadata).map(|registry| registry.join(format!("{name}-{version}")));
    folder
        .filter(|folder| folder.is_dir())
        .ok_or_else(|| format!("cargo does not say where {name} {version} lies"))
}

/// The folder that holds what cargo has unpacked. cargo's metadata leaves out packages without a library, so it is
/// asked for the folder of one that has one.
fn registry_folder(metadata: &[u8]) -> Option<PathBuf> {
    let metadata: serde_json::Value = serde_json::from_slice(metadata).ok()?;
    let known = metadata["packages"].as_array()?.iter().find(|package| package["name"] == "cfg-if")?;
    Some(Path::new(known["manifest_path"].as_str()?).parent()?.parent()?.to_path_buf())
}
