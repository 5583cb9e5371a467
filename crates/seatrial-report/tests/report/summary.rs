//! The end of the summary, which scripts read; whole summaries are in the transcripts' golden files.

use crate::make::*;
use seatrial_model::*;
use seatrial_report::{plain::Plain, terminal::Terminal, view::RunView};

fn summary(events: &[Event], colours: bool) -> String {
    let mut view = RunView::new();
    events.iter().for_each(|event| view.event(Instant::from_millis(1_500), event));
    let text = Terminal::new(colours).summary(&view, Instant::from_millis(1_500));
    assert_eq!(text, Plain::new(colours, false).summary(&view, Instant::from_millis(1_500)));
    text
}

/// All counts, zero or not, with colours on.
#[test]
fn the_last_line_is_exact() {
    for bits in 0..128_u32 {
        let on = |bit: u32, number: u32| if bits >> bit & 1 == 1 { number } else { 0 };
        let counts = Counts {
            passed: on(0, 11),
            failed: on(1, 12),
            skipped: on(2, 13),
            flaky: on(3, 14),
            errors: on(4, 15),
            not_run: on(5, 16),
            order_dependent: on(6, 17),
        };
        let text = summary(&[begun(), done(counts, 1_500, 1)], true);
        let mut want =
            format!("{} passed, {} failed, {} skipped", counts.passed, counts.failed, counts.skipped);
        want += if counts.flaky > 0 { ", 14 flaky" } else { "" };
        want += if counts.order_dependent > 0 { ", 17 order-dependent" } else { "" };
        want += if counts.errors > 0 { ", 15 errors" } else { "" };
        want += if counts.not_run > 0 { ", 16 not run" } else { "" };
        assert!(text.ends_with(&format!("\n{want}\n")), "{text}");
        assert_eq!(text.lines().last(), Some(want.as_str()));
        let run = RunId::new(1_760_000_000_000, 7);
        assert_eq!(text.lines().rev().nth(1), Some(format!("Took 1.50 s, run {run}").as_str()));
    }
}

#[test]
fn every_ending_is_told() {
    let all = Counts { passed: 1, ..Counts::default() };
    let some = Counts { passed: 1, not_run: 2, ..Counts::default() };
    for (counts, exit, want) in [
        (all, 0, None),
        (all, 1, None),
        (some, 1, Some("Not complete: 2 tests were not run.")),
        (Counts { not_run: 1, ..all }, 1, Some("Not complete: 1 test was not run.")),
        (all, 3, Some("Not complete: building or listing the tests failed.")),
        (Counts::default(), 4, Some("No test was selected, so none was run.")),
        (Counts::default(), 0, Some("No test was run.")),
        (
            some,
            7,
            Some("Not complete: results are missing for a reason outside the tests, 2 tests were not run."),
        ),
        (some, 124, Some("Not complete: the run's time limit was reached, 2 tests were not run.")),
        (some, 130, Some("Interrupted: 2 tests were not run.")),
        (all, 130, Some("Interrupted.")),
    ] {
        let text = summary(&[end("a", Outcome::Pass, 1).event(), done(counts, 1_500, exit)], false);
        let line = text.lines().rev().nth(2).filter(|line| !line.starts_with("  "));
        assert_eq!(line, want, "{counts:?} {exit}: {text}");
    }
    let text = summary(&[end("a", Outcome::Pass, 1).event()], false);
    assert!(text.contains("The run has not come to its end: these results are not complete.\n"), "{text}");
}

#[test]
fn only_tests_that_stand_out_are_slow() {
    let run = |ms: &[u64]| {
        let events: Vec<Event> =
            ms.iter().enumerate().map(|(i, ms)| end(&format!("t{i}"), Outcome::Pass, *ms).event()).collect();
        let text = summary(&events, false);
        text.lines()
            .filter(|line| line.contains("app::bin/tool"))
            .map(|line| line.trim().to_owned())
            .collect::<Vec<_>>()
    };
    let none: Vec<String> = Vec::new();
    assert_eq!(run(&[1, 1, 1, 100]), none, "up to 100 ms is quick");
    assert_eq!(run(&[1, 1, 1, 101]), ["101 ms  app::bin/tool t3"]);
    assert_eq!(run(&[150, 150, 160, 170]), none, "all alike");
    assert_eq!(run(&[5_000]), none, "one test is the run");
    let mut many = vec![1; 100];
    many.extend([300, 500, 400, 900, 800, 700, 600]);
    let slow = ["900 ms", "800 ms", "700 ms", "600 ms", "500 ms"];
    assert_eq!(run(&many).iter().map(|line| &line[..6]).collect::<Vec<_>>(), slow, "the five slowest");
}

#[test]
fn many_failures_are_a_remark_and_bounded() {
    let fail = |i: u32| end(&format!("t{i:05}"), Outcome::Fail, 1).event();
    let mut events: Vec<Event> = (0..3_000).map(fail).collect();
    let text = summary(&events, false);
    assert!(text.contains("  ... and 2,000 more\n"), "{}", &text[text.len() - 500..]);
    assert!(text.contains("more than half of the tests failed"));
    events.truncate(9);
    assert!(!summary(&events, false).contains("more than half"));
}
