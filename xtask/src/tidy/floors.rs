//! Crate floors: a crate depends on lower floors alone, and each pure one bans what reads the world.

use super::Finding;
use crate::process::Result;

/// A crate's floor, the model being the lowest. Crates of one floor never see each other, with one exception:
/// `seatrial-plan` uses `seatrial-frameworks`.
fn floor(name: &str) -> Option<u8> {
    match name {
        "seatrial-model" => Some(0),
        "seatrial-frameworks"
        | "seatrial-plan"
        | "seatrial-sched"
        | "seatrial-insights"
        | "seatrial-report" => Some(1),
        "seatrial-cas" | "seatrial-sandbox" | "seatrial-cluster" | "seatrial-history" => Some(2),
        "seatrial-engine" | "seatrial-web" => Some(3),
        "seatrial" => Some(4),
        _ => None,
    }
}

/// Only tests use it, so it has no floor.
const TESTKIT: &str = "seatrial-testkit";

/// Checks one crate's manifest; `clippy` tells whether a `clippy.toml` lies beside it.
pub(super) fn check(path: &str, text: &str, clippy: bool) -> Result<Vec<Finding>> {
    let manifest: toml::Table = text.parse().map_err(|error| format!("{path}: {error}"))?;
    let name = manifest.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str);
    let name = name.unwrap_or_default();
    if name == TESTKIT {
        return Ok(Vec::new());
    }
    let Some(own) = floor(name) else {
        return Ok(vec![Finding::new(
            path,
            0,
            format!("`{name}` has no floor; give it one in xtask/src/tidy/floors.rs"),
        )]);
    };
    let mut found = Vec::new();
    if own <= 1 && !clippy {
        found.push(Finding::new(path, 0, "a crate of the pure floors needs a clippy.toml of its own"));
    }
    for dependency in dependencies(&manifest) {
        let allowed = match floor(&dependency) {
            Some(theirs) => theirs < own || (name == "seatrial-plan" && dependency == "seatrial-frameworks"),
            None => !dependency.starts_with("seatrial"),
        };
        if !allowed {
            found.push(Finding::new(
                path,
                0,
                format!("`{name}` must not depend on `{dependency}`: see the floors"),
            ));
        }
    }
    Ok(found)
}

/// Names of all dependencies but those of tests, whatever they are renamed to and on whatever platform.
fn dependencies(manifest: &toml::Table) -> Vec<String> {
    let platforms =
        manifest.get("target").and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::values);
    std::iter::once(manifest)
        .chain(platforms.filter_map(toml::Value::as_table))
        .flat_map(|table| ["dependencies", "build-dependencies"].map(|kind| table.get(kind)))
        .flatten()
        .filter_map(toml::Value::as_table)
        .flatten()
        .map(|(name, value)| value.get("package").and_then(toml::Value::as_str).unwrap_or(name).to_owned())
        .collect()
}
