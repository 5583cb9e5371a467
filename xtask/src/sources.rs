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
}

/// The pinned packages of the corpus.
pub(crate) fn pinned() -> Result<Vec<Pinned>> {
    parse(&read(&root().join("benches/corpus/rust.txt"))?)
}

/// Reads lines `NAME VERSION`; `#` begins a comment.
pub(crate) fn parse(text: &str) -> Result<Vec<Pinned>> {
    text.lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
        .map(|line| match line.split_whitespace().collect::<Vec<_>>()[..] {
            [name, version] => Ok(Pinned { name: name.to_owned(), version: version.to_owned() }),
            _ => Err(format!("`{line}` is not `NAME VERSION`")),
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
    let Pinned { name, version } = package;
    let manifest = throwaway.join("Cargo.toml");
    write(&throwaway.join("src/lib.rs"), "//! Nothing.\n")?;
    write(
        &manifest,
        format!(
            "[package]\nname = \"throwaway\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n\
             [dependencies]\n\"{name}\" = \"={version}\"\n\n[workspace]\n"
        ),
    )?;
    let fetched = any_output(cargo().arg("fetch").arg("--manifest-path").arg(&manifest))?;
    if !fetched.status.success() {
        return Err(format!("cargo could not fetch {name} {version}:\n{}", tail(&fetched.stderr)));
    }
    let metadata = output(
        cargo().args(["metadata", "--format-version=1", "--offline", "--manifest-path"]).arg(&manifest),
    )?;
    folder_in(&metadata, package).ok_or_else(|| format!("cargo does not say where {name} {version} lies"))
}

fn folder_in(metadata: &[u8], package: &Pinned) -> Option<PathBuf> {
    let metadata: serde_json::Value = serde_json::from_slice(metadata).ok()?;
    let found = metadata["packages"].as_array()?.iter().find(|found| {
        found["name"] == package.name.as_str() && found["version"] == package.version.as_str()
    })?;
    Some(Path::new(found["manifest_path"].as_str()?).parent()?.to_path_buf())
}
