//! Which options write where.

use super::{session_writes, whole_session, write_back};
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
}

#[test]
fn reports_are_known_by_their_options() {
    let names = |text: &str| session_writes(&args(text)).split_off(super::SESSION.len());
    assert_eq!(names("-s --junitxml=out/j.xml --html out/[a].html"), ["**/j.xml", "**/[[]a[]].html"]);
    assert_eq!(
        names("--cov-report=xml:cov.xml --junitxml=a=b.xml"),
        ["**/xml:cov.xml", "**/cov.xml", "**/a=b.xml"]
    );
    for none in [
        "tests/test_x.py::y",
        "a.json",
        "-s tests -k x",
        "--ignore=a.json",
        "--ignore a.json",
        "--cov-report=xml",
    ] {
        assert_eq!(names(none), [""; 0], "{none}");
    }
}
