//! Trees of manifests, and whose workspace a directory belongs to.

use super::workspace_root;
use std::path::Path;

/// `files` are directories with their manifests' texts.
fn check(files: &[(&str, &str)], dir: &str, expected: Option<&str>) {
    let mut read = |path: &Path| {
        let found = files.iter().find(|(dir, _)| Path::new(dir).join("Cargo.toml") == path);
        found.map(|(_, text)| (*text).to_owned())
    };
    assert_eq!(
        workspace_root(Path::new(dir), &mut read).as_deref(),
        expected.map(Path::new),
        "{dir} in {files:?}"
    );
}

#[test]
fn roots() {
    let package = "[package]\nname = 'p'\n";
    let root = "[workspace]\nmembers = ['a', 'x/in']\nexclude = ['x']\n";
    let tree = [("/w", root), ("/w/a", package), ("/w/x", package), ("/w/x/in", package)];
    check(&tree, "/w/a", Some("/w"));
    check(&tree, "/w/a/src/deep", Some("/w"));
    check(&tree, "/w", Some("/w"));
    check(&tree, "/w/x", Some("/w/x"));
    check(&tree, "/w/x/in", Some("/w"));
    check(&tree, "/elsewhere", None);
    check(&[("/p", package)], "/p/src", Some("/p"));
    check(&[("/w", root), ("/w/a", "[package]\nworkspace = '../b'\n")], "/w/a", Some("/w/a/../b"));
    check(&[("/w", root), ("/w/own", "[package]\nname = 'o'\n[workspace]\n")], "/w/own", Some("/w/own"));
    check(&[("/p", "not toml [")], "/p", Some("/p"));
}
