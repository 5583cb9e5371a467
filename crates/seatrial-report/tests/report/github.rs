//! Annotations of GitHub Actions; those of whole runs are golden files beside the transcripts.

use crate::make::*;
use seatrial_model::{Event, NoticeLevel, Outcome};
use seatrial_report::github::annotation;

#[test]
fn properties_and_messages_are_escaped_each_their_way() {
    let event = end("a: b, 100%\r\n", Outcome::Fail, 1).with(|e| e.stderr = whole("x: y, 5%\r\nz\n")).event();
    let want = "::error title=FAIL app%3A%3Abin/tool a%3A b%2C 100%25\\r\\n\
                ::app::bin/tool a: b, 100%25\\r\\n: exit code 101%0Ax: y, 5%25%0Az";
    assert_eq!(annotation(&event).as_deref(), Some(want));
}

#[test]
fn a_test_cannot_issue_commands() {
    let event =
        end("t", Outcome::Fail, 1).with(|e| e.stderr = whole("\n::stop-commands::x\r::add-mask::y")).event();
    let text = annotation(&event).unwrap();
    assert!(!text.contains(['\n', '\r']), "{text:?}");
}

#[test]
fn what_is_worth_a_mark() {
    let again = end("t", Outcome::Fail, 1).with(|e| e.last = false).event();
    let flaky = end("t", Outcome::Pass, 1).with(|e| e.attempt = 2).event();
    for (event, kind) in [
        (end("t", Outcome::Pass, 1).event(), None),
        (end("t", Outcome::Skip, 1).event(), None),
        (end("t", Outcome::Cancelled, 1).event(), None),
        (again, None),
        (flaky, Some("::warning ")),
        (end("t", Outcome::Lost, 1).event(), Some("::error ")),
        (notice(NoticeLevel::Info, "x", None), None),
        (notice(NoticeLevel::Warning, "x", None), Some("::warning ")),
        (notice(NoticeLevel::Error, "x", None), Some("::error ")),
        (Event::Unknown, None),
        (begun(), None),
    ] {
        let annotation = annotation(&event);
        assert_eq!(annotation.is_some(), kind.is_some(), "{event:?}");
        assert!(annotation.unwrap_or_default().starts_with(kind.unwrap_or_default()), "{event:?}");
    }
}

#[test]
fn only_the_end_of_the_errors_is_shown() {
    let lines: String = (1..=50).map(|i| format!("line {i}\n")).collect();
    let text = annotation(&end("t", Outcome::Fail, 1).with(|e| e.stderr = whole(&lines)).event()).unwrap();
    assert!(
        text.ends_with("line 49%0Aline 50") && text.contains("%0Aline 41%0A") && !text.contains("line 40")
    );
}
