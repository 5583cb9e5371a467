//! Which workspace a package belongs to, as far as manifests tell without cargo.
//!
//! cargo's own search (its `find_workspace_root`): the package's manifest may name its root; else it is its own root,
//! or that of the nearest directory above whose manifest is a root and does not exclude it.

use std::path::{Path, PathBuf};

/// The directory of the workspace that the package in `dir` (or the nearest above) belongs to; `None` when no
/// manifest is there. `read` gives a file's text, or `None` where there is no such file.
pub fn workspace_root(dir: &Path, read: &mut dyn FnMut(&Path) -> Option<String>) -> Option<PathBuf> {
    let mut package: Option<PathBuf> = None;
    for at in dir.ancestors() {
        let Some(text) = read(&at.join("Cargo.toml")) else { continue };
        // One that cannot be read is cargo's to complain of; until then its directory is as good a name as any.
        let table: toml::Table = text.parse().unwrap_or_default();
        let named = table.get("package").and_then(|package| package.get("workspace")?.as_str());
        if let (None, Some(named)) = (&package, named) {
            return Some(at.join(named));
        }
        let inner = package.get_or_insert_with(|| at.to_path_buf());
        if table.get("workspace").is_some_and(|workspace| !excludes(workspace, at, inner)) {
            return Some(at.to_path_buf());
        }
    }
    package
}

/// Whether a root's manifest excludes a package's directory. A member of the same name wins over an exclusion.
fn excludes(workspace: &toml::Value, root: &Path, package: &Path) -> bool {
    let lists = |key: &str| {
        let paths = workspace.get(key).and_then(toml::Value::as_array).into_iter().flatten();
        paths.filter_map(toml::Value::as_str).any(|path| package.starts_with(root.join(path)))
    };
    lists("exclude") && !lists("members")
}

#[cfg(test)]
mod tests;
