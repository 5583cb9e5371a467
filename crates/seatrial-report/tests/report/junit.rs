//! JUnit reports; those of whole runs are golden files beside the transcripts.

use crate::make::*;
use quick_junit::{Report, TestCaseStatus, TestSuite};
use seatrial_model::*;
use seatrial_report::junit::{Junit, Outputs};

/// The report of these events as another program reads it.
fn report(events: impl IntoIterator<Item = Event>) -> Report {
    let mut junit = Junit::new(Outputs::OfAll);
    for (i, event) in events.into_iter().enumerate() {
        junit.event(Instant::from_millis(i as u64 * 10), &event);
    }
    let xml = junit.finish().unwrap();
    Report::deserialize_from_str(&xml).unwrap_or_else(|error| panic!("{error}: {xml}"))
}

fn suite(report: &Report) -> &TestSuite {
    &report.test_suites[0]
}

/// Every character up to U+FFFF reads back as something visible, or as itself.
#[test]
fn any_text_is_xml() {
    let all: String = (0..=0xffff).filter_map(char::from_u32).collect();
    let unclosed = "before \x1b]0;never closed after";
    let report = report([
        end(&all, Outcome::Fail, 1)
            .with(|e| {
                e.stdout = whole(&all);
                e.stderr = whole(unclosed);
                e.notes = vec![all.clone()];
            })
            .event(),
        done(Counts::default(), 1, 1),
    ]);
    let case = &suite(&report).test_cases[0];
    assert_eq!(case.system_err.as_ref().unwrap().as_str(), "before \\x1b]0;never closed after");
    for text in [&case.name, case.system_out.as_ref().unwrap()] {
        assert!(text.contains("\\x00\\x01") && text.contains("\\u{9b}") && text.contains("\\u{ffff}"));
        assert!(text.contains("<=>?") && text.contains("漢"));
        assert!(!text.contains(['\u{fffe}', '\u{ffff}']));
    }
}

#[test]
fn outputs_of_passes_are_kept_on_request() {
    for (outputs, kept) in [(Outputs::OfAll, true), (Outputs::OfFailures, false)] {
        let mut junit = Junit::new(outputs);
        let pass = end("p", Outcome::Pass, 1).with(|e| e.stdout = whole("SECRET")).event();
        junit.event(Instant::default(), &pass);
        assert_eq!(junit.finish().unwrap().contains("SECRET"), kept);
    }
}

#[test]
fn outcomes_are_told_apart() {
    let events = Outcome::ALL.map(|outcome| end(outcome.name(), outcome, 1).event());
    let report = report(events.into_iter().chain([done(Counts::default(), 1, 1)]));
    let kind = |name: &str| {
        let case = suite(&report).test_cases.iter().find(|case| case.name.as_str() == name).unwrap();
        match &case.status {
            TestCaseStatus::Success { .. } => "success".to_owned(),
            TestCaseStatus::Skipped { .. } => "skipped".to_owned(),
            TestCaseStatus::NonSuccess { kind, ty, .. } => {
                format!("{kind:?} {}", ty.as_ref().map_or("", |ty| ty.as_str()))
            }
        }
    };
    for (name, want) in [
        ("pass", "success"),
        ("fail", "Failure fail"),
        ("error", "Error error"),
        ("skip", "skipped"),
        ("timeout", "Failure timeout"),
        ("crash", "Failure crash"),
        ("oom", "Failure oom"),
        ("lost", "Error lost"),
        ("cancelled", "Error cancelled"),
    ] {
        assert_eq!(kind(name), want);
    }
    assert_eq!((report.tests, report.failures, report.errors, report.skipped), (9, 4, 3, 1));
}

/// A report that a CI service reads as green must be one of a run that is.
#[test]
fn an_incomplete_run_is_never_green() {
    let pass = || end("p", Outcome::Pass, 1).event();
    let with = |counts: Counts, exit| [listed(3), pass(), done(counts, 1, exit)];
    let ok = Counts { passed: 1, ..Counts::default() };
    assert_eq!(report(with(ok, 0)).errors, 0);
    assert_eq!(report(with(Counts { not_run: 2, ..ok }, 7)).errors, 1);
    assert_eq!(report(with(ok, 130)).errors, 1);
    assert_eq!(report([listed(3), pass()]).errors, 1);
    assert_eq!(report([start("p", 1, 0), done(ok, 1, 0)]).errors, 1, "its end was never told");
    let tried = end("p", Outcome::Fail, 1).with(|e| e.last = false).event();
    assert_eq!(report([tried, done(ok, 1, 0)]).errors, 1, "no result after a bad try");
}

#[test]
fn a_test_repeated_has_a_case_each_time() {
    let report = report([end("p", Outcome::Pass, 1).event(), end("p", Outcome::Fail, 1).event()]);
    assert_eq!((report.tests, report.failures), (2, 1));
}

#[test]
fn times_far_away_do_no_harm() {
    let mut header = begun();
    if let Event::RunStarted(header) = &mut header {
        header.started_unix_ms = u64::MAX;
    }
    let report = report([header, end("p", Outcome::Pass, 1).event()]);
    assert!(report.timestamp.unwrap().to_string().starts_with("9999-12-31"));
}
