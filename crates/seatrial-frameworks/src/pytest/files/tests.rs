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
}
