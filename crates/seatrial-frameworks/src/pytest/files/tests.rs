//! Which options write where.

use super::{whole_session, write_back};
use seatrial_model::Bytes;

fn args(text: &str) -> Vec<Bytes> {
    text.split(' ').map(Bytes::from).collect()
}

#[test]
fn options_that_write_are_known() {
    assert_eq!(whole_session(&args("-v --benchmark-only tests")), Some("--benchmark-only"));
    assert_eq!(whole_session(&args("--inline-snapshot=create")), Some("--inline-snapshot"));
    assert_eq!(whole_session(&args("--force-regen -k snapshot")), None);
    assert_eq!(whole_session(&args("-v -- --benchmark-only")), None, "a file of that name");
    assert_eq!(write_back(&args("-v tests")), [""; 0]);
    assert_eq!(write_back(&args("--force-regen --regen-all")), ["**/test_*/**", "**/*_test/**"]);
    assert_eq!(write_back(&args("--inline-snapshot=fix"))[0], "**/*.py");
    let reports =
        write_back(&args("--benchmark-only --junitxml=out/j.xml --html out/[a].html tests/test_x.py::y"));
    assert_eq!(reports.first().map(String::as_str), Some("**/.benchmarks/**"));
    for pattern in ["**/j.xml", "**/[[]a[]].html", "**/.pytest_cache/**"] {
        assert!(reports.iter().any(|known| known == pattern), "{pattern} {reports:?}");
    }
    assert!(!reports.iter().any(|known| known.contains("test_x")));
    assert_eq!(write_back(&args("--junitxml=j.xml tests")), [""; 0], "the lister's session writes it");
}
