//! Golden files: `UPDATE_EXPECT=1 cargo test` writes them anew, for the eye to review.

use std::path::PathBuf;

/// Compares `actual` with the file `tests/golden/NAME`.
#[expect(clippy::disallowed_methods, reason = "tests read their golden files; the crate itself does not")]
pub(crate) fn golden(name: &str, actual: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_EXPECT").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, actual).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = expected.lines().zip(actual.lines()).position(|(e, a)| e != a);
    let at = differs.unwrap_or(expected.lines().count().min(actual.lines().count()));
    assert!(
        expected == actual,
        "`{name}` differs at line {} (UPDATE_EXPECT=1 writes it anew)\nexpected: {:?}\n  actual: {:?}",
        at + 1,
        expected.lines().nth(at),
        actual.lines().nth(at),
    );
}

/// The text of the file `tests/golden/NAME`.
#[expect(clippy::disallowed_methods, reason = "tests read their golden files; the crate itself does not")]
pub(crate) fn read(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    std::fs::read_to_string(path).unwrap()
}
