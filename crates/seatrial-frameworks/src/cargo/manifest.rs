//! What only `Cargo.toml` tells of a target: whether it has a harness of its own.

use super::group::TargetKind;
use std::fmt;

/// A manifest that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError(String);

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the manifest is not TOML: {}", self.0)
    }
}

impl std::error::Error for ManifestError {}

/// The targets of a package that have a harness of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Harnesses(Vec<(TargetKind, String)>);

/// Reads the text of a package's `Cargo.toml`. Targets that cargo finds by itself have libtest.
///
/// # Errors
/// Text that is not TOML.
pub fn harnesses(manifest: &str) -> Result<Harnesses, ManifestError> {
    let manifest: toml::Table =
        manifest.parse().map_err(|error: toml::de::Error| ManifestError(error.message().to_owned()))?;
    let mut own = Vec::new();
    if manifest.get("lib").is_some_and(has_own) {
        own.push((TargetKind::Lib, String::new()));
    }
    let kinds = [
        ("bin", TargetKind::Bin),
        ("test", TargetKind::Test),
        ("example", TargetKind::Example),
        ("bench", TargetKind::Bench),
    ];
    for (key, kind) in kinds {
        let targets = manifest.get(key).and_then(toml::Value::as_array).into_iter().flatten();
        let names = targets.filter(|target| has_own(target)).filter_map(|t| t.get("name")?.as_str());
        own.extend(names.map(|name| (kind, name.to_owned())));
    }
    Ok(Harnesses(own))
}

fn has_own(target: &toml::Value) -> bool {
    target.get("harness").and_then(toml::Value::as_bool) == Some(false)
}

impl Harnesses {
    /// True when this target has `harness = false`. A package has one library, so its name does not matter.
    #[must_use]
    pub fn is_custom(&self, kind: TargetKind, name: &str) -> bool {
        self.0.iter().any(|(own, own_name)| match kind {
            TargetKind::Lib | TargetKind::ProcMacro => *own == TargetKind::Lib,
            TargetKind::Bin | TargetKind::Test | TargetKind::Example | TargetKind::Bench => {
                *own == kind && own_name == name
            }
        })
    }
}

/// [`Harnesses::is_custom`] for a single question.
///
/// # Errors
/// As [`harnesses`].
pub fn is_custom_harness(manifest: &str, kind: TargetKind, name: &str) -> Result<bool, ManifestError> {
    Ok(harnesses(manifest)?.is_custom(kind, name))
}
