//! Runs as data, each through every renderer against golden files.

use crate::expect::golden;
use crate::make::*;
use seatrial_model::*;
use seatrial_report::{github, junit, plain::Plain, terminal::Terminal, view::RunView};
use std::fmt::Write as _;

/// One step of a transcript.
enum Step {
    /// An event at these milliseconds.
    At(u64, Box<Event>),
    /// A look at the live region: milliseconds, width, height.
    Look(u64, usize, usize),
    /// A look at the clock by the plain renderer.
    Tick(u64),
}
use Step::{At, Look, Tick};

fn at(ms: u64, event: Event) -> Step {
    At(ms, Box::new(event))
}

/// How the transcript is shown.
struct Show {
    terminal: Terminal,
    plain: Plain,
    junit: junit::Junit,
}

/// Runs the transcript through all renderers and compares each with its golden file.
fn check(name: &str, outputs: junit::Outputs, steps: &[Step]) {
    let texts = [("terminal", false), ("colours", true)].map(|(kind, colours)| {
        let (terminal, _, _, _) = render(steps, colours, false, outputs);
        (format!("{name}.{kind}.txt"), terminal)
    });
    for (file, text) in texts {
        golden(&file, &text);
    }
    let (_, plain, annotations, xml) = render(steps, false, true, outputs);
    golden(&format!("{name}.plain.txt"), &plain);
    golden(&format!("{name}.github.txt"), &annotations);
    golden(&format!("{name}.junit.xml"), &xml);
}

/// The texts of terminal, plain, annotations and JUnit.
fn render(
    steps: &[Step],
    colours: bool,
    verbose: bool,
    outputs: junit::Outputs,
) -> (String, String, String, String) {
    let mut view = RunView::new();
    view.set_attempts(3);
    let mut show = Show {
        terminal: Terminal::new(colours),
        plain: Plain::new(colours, verbose),
        junit: junit::Junit::new(outputs),
    };
    let (mut terminal, mut plain, mut annotations) = (String::new(), String::new(), String::new());
    let mut now = Instant::default();
    for step in steps {
        match step {
            At(ms, event) => {
                now = Instant::from_millis(*ms);
                view.event(now, event);
                show.junit.event(now, event);
                terminal += &show.terminal.event(&view, now, event);
                plain += &show.plain.event(&view, now, event);
                if let Some(annotation) = github::annotation(event) {
                    writeln!(annotations, "{annotation}").unwrap();
                }
            }
            Look(ms, width, height) => {
                now = Instant::from_millis(*ms);
                let lines = show.terminal.status(&view, now, *width, *height);
                writeln!(terminal, "<<< {width} x {height} at {ms} ms").unwrap();
                lines.iter().for_each(|line| writeln!(terminal, "{line}").unwrap());
                writeln!(terminal, ">>>").unwrap();
            }
            Tick(ms) => {
                now = Instant::from_millis(*ms);
                plain += &show.plain.tick(&view, now).unwrap_or_else(|| format!("<no beat at {ms} ms>\n"));
            }
        }
    }
    terminal += &show.terminal.summary(&view, now);
    plain += &show.plain.summary(&view, now);
    // Escape characters are made visible, so that the files are plain text and git shows them.
    let visible = |text: String| text.replace('\x1b', "␛");
    (visible(terminal), visible(plain), annotations, show.junit.finish().unwrap())
}

const LIBTEST: &str = "\nrunning 1 test\nbefore the panic\ntest parse::bad ... FAILED\n\nfailures:\n\nfailures:\n    parse::bad\n\n\
    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 4 filtered out; finished in 0.08s\n\n";
const PANIC: &str =
    "\nthread 'parse::bad' (77) panicked at src/lib.rs:3:5:\n50% of \x1b[31mleft\x1b[0m: 1, right: 2\n";

fn started() -> Vec<Step> {
    vec![
        at(0, begun()),
        at(5, listed(12)),
        at(6, skipped("later", Some("needs a database"))),
        at(7, skipped("never", None)),
    ]
}

#[test]
fn a_mixed_run() {
    let mut steps = started();
    steps.extend(passes_and_failures());
    steps.extend(other_bad_ends());
    steps.extend(a_test_that_fails_each_time());
    steps.extend(the_long_tail());
    check("mixed", junit::Outputs::OfFailures, &steps);
}

fn passes_and_failures() -> Vec<Step> {
    vec![
        at(10, start("quick", 1, 0)),
        at(10, start("parse::bad", 1, 1)),
        Look(60, 100, 24),
        at(22, end("quick", Outcome::Pass, 12).with(|e| e.stdout = whole("silent")).event()),
        at(
            1_250,
            end("parse::bad", Outcome::Fail, 1_240)
                .with(|e| {
                    e.stdout = whole(LIBTEST);
                    e.stderr = whole(PANIC);
                })
                .event(),
        ),
        at(1_260, start("wobbly", 1, 0)),
        at(
            1_300,
            end("wobbly", Outcome::Fail, 40)
                .with(|e| {
                    e.last = false;
                    e.stdout = whole("first\n\n  second\n");
                })
                .event(),
        ),
        at(1_300, start("wobbly", 2, 0)),
        Look(1_900, 100, 24),
        at(2_000, end("wobbly", Outcome::Pass, 700).with(|e| e.attempt = 2).event()),
    ]
}

fn other_bad_ends() -> Vec<Step> {
    vec![
        at(2_000, start("hangs", 1, 0)),
        at(2_000, start("segfaults", 1, 1)),
        at(
            2_100,
            end("segfaults", Outcome::Crash, 100)
                .with(|e| {
                    e.end = Some(End::Signal(11));
                    e.reason = Some("SIGSEGV");
                })
                .event(),
        ),
        at(2_900, slow("hangs", 900)),
        at(3_800, slow("hangs", 1_800)),
        Look(3_900, 100, 24),
        Tick(3_900),
        at(
            4_000,
            end("hangs", Outcome::Timeout, 2_003)
                .with(|e| {
                    e.end = Some(End::Signal(9));
                    e.notes = vec!["Nothing outside is reachable: `--network host` opens it.".into()];
                })
                .event(),
        ),
        at(4_010, end("greedy", Outcome::Oom, 10).with(|e| e.end = Some(End::Signal(9))).event()),
        at(
            4_020,
            end("early", Outcome::Fail, 3)
                .with(|e| {
                    e.end = Some(End::Exit(0));
                    e.reason = Some("ended early");
                })
                .event(),
        ),
        at(
            4_030,
            end("gone", Outcome::Error, 0)
                .with(|e| e.end = Some(End::NotStarted { step: SpawnStep::Exec, errno: 2 }))
                .event(),
        ),
        at(4_040, notice(NoticeLevel::Warning, "slot 1 died", Some("see `seatrial doctor`"))),
        at(4_050, end("lost", Outcome::Lost, 20).with(|e| e.end = Some(End::SlotLost)).event()),
        at(4_060, end("self-skip", Outcome::Skip, 2).with(|e| e.reason = Some("no GPU")).event()),
    ]
}

fn a_test_that_fails_each_time() -> Vec<Step> {
    vec![
        at(
            4_070,
            end("third", Outcome::Fail, 2)
                .with(|e| {
                    e.last = false;
                })
                .event(),
        ),
        at(
            4_080,
            end("third", Outcome::Crash, 2)
                .with(|e| {
                    e.attempt = 2;
                    e.last = false;
                    e.end = Some(End::Signal(6));
                })
                .event(),
        ),
        at(
            4_090,
            end("third", Outcome::Fail, 2)
                .with(|e| {
                    e.attempt = 3;
                    e.end = Some(End::Exit(1));
                    e.stderr = whole("third time\n");
                })
                .event(),
        ),
    ]
}

fn the_long_tail() -> Vec<Step> {
    vec![
        Tick(30_000),
        at(31_000, start("tail", 1, 0)),
        Tick(59_999),
        Tick(60_000),
        at(65_000, end("tail", Outcome::Pass, 34_000).event()),
        at(65_001, notice(NoticeLevel::Info, "12 layers kept\nin the cache", None)),
        at(
            66_000,
            done(
                Counts {
                    passed: 3,
                    flaky: 1,
                    failed: 6,
                    errors: 2,
                    skipped: 3,
                    not_run: 0,
                    order_dependent: 0,
                },
                66_000,
                1,
            ),
        ),
        Tick(90_000),
        Look(66_000, 100, 24),
    ]
}

#[test]
fn hostile_names_and_output() {
    let newline = "two\nlines\tand \x1b[2J\x1b[31mcolours\x1b[0m";
    let long: String = ["module::", &"very_".repeat(57), "end"].concat();
    let turned = "abc\u{202e}fed 漢字 \u{ffff} 'q' <&\">";
    let binary = Captured::whole(b"ok \xff\xfe\0 \x1b]0;title\x1b[1mbold ]]> \ttab\rover".to_vec());
    let gigabyte = Captured {
        head: Bytes::from("first line\nsecond \x1b[32mgreen"),
        tail: Bytes::from("the end\n"),
        total: 1 << 30,
        spill: Some("/var/tmp/seatrial/1\x1b[2J.out".to_owned()),
    };
    let steps = vec![
        at(0, begun()),
        at(0, listed(5)),
        at(1, start(newline, 1, 0)),
        at(2, start(&long, 3, 1)),
        at(3, start(turned, 1, 2)),
        Look(1_500, 20, 3),
        Look(1_500, 40, 24),
        Look(1_500, 72, 24),
        Look(1_500, 9, 24),
        Look(1_500, 80, 1),
        at(2_000, end(newline, Outcome::Fail, 2_000).with(|e| e.stdout = binary.clone()).event()),
        at(
            2_100,
            end(&long, Outcome::Fail, 2_100)
                .with(|e| {
                    e.attempt = 3;
                    e.reason = Some("exit code 101: line\nbreak \x1b[2J");
                    e.stderr = gigabyte;
                })
                .event(),
        ),
        at(
            2_200,
            end(turned, Outcome::Fail, 7)
                .with(|e| {
                    e.stdout = Captured { head: "".into(), total: 9, ..Captured::default() };
                })
                .event(),
        ),
        at(2_250, end("in no\tgroup", Outcome::Fail, 7).with(|e| e.group = "").event()),
        at(2_300, end("binary pass", Outcome::Pass, 7).with(|e| e.stdout = binary).event()),
        at(2_400, notice(NoticeLevel::Error, "100% of \x1b[2J\nthe disk", Some("a: b, c\r\nd"))),
        at(2_500, done(Counts { passed: 1, failed: 4, ..Counts::default() }, 2_500, 1)),
    ];
    check("hostile", junit::Outputs::OfAll, &steps);
}

#[test]
fn an_interrupted_run() {
    let mut steps = started();
    steps.extend([
        at(10, start("slow one", 1, 0)),
        at(20, end("good", Outcome::Pass, 10).event()),
        at(5_000, end("slow one", Outcome::Cancelled, 4_990).with(|e| e.end = Some(End::Signal(15))).event()),
        at(5_000, end("never began", Outcome::Cancelled, 0).event()),
        at(5_001, done(Counts { passed: 1, skipped: 2, not_run: 11, ..Counts::default() }, 5_001, 130)),
    ]);
    check("interrupted", junit::Outputs::OfFailures, &steps);
}

#[test]
fn a_run_without_its_end() {
    let mut steps = started();
    steps.extend([
        at(10, start("running", 1, 0)),
        at(20, end("good", Outcome::Pass, 10).event()),
        at(30, end("tried", Outcome::Fail, 10).with(|e| e.last = false).event()),
        Look(2_000, 60, 10),
    ]);
    check("unfinished", junit::Outputs::OfFailures, &steps);
}

#[test]
fn a_good_run() {
    let steps = vec![
        at(0, begun()),
        Look(1, 80, 24),
        at(2, listed(2)),
        Look(3, 80, 24),
        at(20, end("a", Outcome::Pass, 10).event()),
        at(30, end("b", Outcome::Pass, 10).event()),
        at(31, done(Counts { passed: 2, ..Counts::default() }, 31, 0)),
    ];
    check("good", junit::Outputs::OfFailures, &steps);
}

#[test]
fn a_sum_that_the_results_do_not_bear_out() {
    let steps = vec![
        at(0, begun()),
        at(2, listed(3)),
        at(20, end("a", Outcome::Pass, 10).event()),
        at(31, done(Counts { passed: 3, ..Counts::default() }, 31, 0)),
    ];
    check("false-green", junit::Outputs::OfFailures, &steps);
}

/// Every size of screen: no line is too wide, no region too high, nothing but colours reaches the terminal.
#[test]
fn the_live_region_fits_every_screen() {
    let mut view = RunView::new();
    view.event(Instant::default(), &begun());
    view.event(Instant::default(), &listed(4_000));
    for i in 0..12_u32 {
        let name = ["t\n\x1b[2J".repeat(i as usize), format!("漢字{i}")].concat();
        view.event(Instant::from_millis(u64::from(12 - i)), &start(&name, i + 1, i));
    }
    for outcome in Outcome::ALL {
        view.event(Instant::from_millis(20), &end(outcome.name(), outcome, 500).event());
    }
    for colours in [false, true] {
        let terminal = Terminal::new(colours);
        for (width, height) in (0..=130).flat_map(|width| (0..=14).map(move |height| (width, height))) {
            let lines = terminal.status(&view, Instant::from_millis(61_000), width, height);
            assert!(lines.len() < height.max(1), "{} lines at height {height}", lines.len());
            assert!(lines.len() <= 9, "{} lines", lines.len());
            if width > 0 && height > 1 {
                assert_eq!(lines.len(), (height - 1).min(9), "as many as fit at height {height}");
            }
            for line in &lines {
                let shown = without_colours(line);
                assert!(colours || shown == *line, "colours are off: {line:?}");
                assert!(!shown.chars().any(char::is_control), "{line:?}");
                let columns: usize = shown
                    .chars()
                    .map(|c| if ('漢'..='字').contains(&c) || c == '字' || c == '漢' { 2 } else { 1 })
                    .sum();
                assert!(columns <= width, "{columns} columns at width {width}: {line:?}");
            }
        }
    }
}

#[test]
fn running_tests_stand_longest_first() {
    let mut view = RunView::new();
    view.event(Instant::default(), &listed(20));
    for (name, ms) in [("b", 30), ("a", 20), ("c", 10)] {
        view.event(Instant::from_millis(ms), &start(name, 1, 0));
    }
    let lines = Terminal::new(false).status(&view, Instant::from_millis(1_010), 80, 24);
    let names: Vec<_> = lines[1..].iter().map(|line| line.trim().to_owned()).collect();
    let want = ["1.0 s  app::bin/tool c", "1.0 s  app::bin/tool a", "1.0 s  app::bin/tool b"];
    assert_eq!(names, want);
}

#[test]
fn a_late_heart_beats_once() {
    let (mut view, mut plain) = (RunView::new(), Plain::new(false, false));
    view.event(Instant::default(), &begun());
    let mut tick = |ms| plain.tick(&view, Instant::from_millis(ms)).is_some();
    assert_eq!(
        [0, 29_999, 30_000, 30_001, 95_000, 95_001, 124_999, 125_000].map(&mut tick),
        [false, false, true, false, true, false, false, true]
    );
    assert_eq!(plain.wake_at(), Instant::from_millis(155_000));
    view.event(Instant::from_millis(1), &done(Counts::default(), 1, 0));
    assert_eq!(
        plain.tick(&view, Instant::from_millis(1_000_000)),
        None,
        "a run that has ended does not go on"
    );
}

#[test]
fn a_heart_beats_before_any_test_is_known() {
    let beat = Plain::new(false, false).tick(&RunView::new(), Instant::from_millis(31_000));
    assert_eq!(beat.as_deref(), Some("[31.0 s] no test is known yet\n"));
}

#[test]
fn passes_are_told_on_request_only() {
    let (mut view, now) = (RunView::new(), Instant::from_millis(9));
    let pass = end("a", Outcome::Pass, 1_236).event();
    view.event(now, &pass);
    assert_eq!(Plain::new(false, false).event(&view, now, &pass), "");
    assert_eq!(Plain::new(false, true).event(&view, now, &pass), "PASS app::bin/tool a [1.24 s]\n");
    assert_eq!(Terminal::new(false).event(&view, now, &pass), "");
}

/// The text without colour sequences.
fn without_colours(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| {
        let (codes, rest) = part.split_once('m').unwrap_or((part, "\x1b"));
        assert!(codes.chars().all(|c| c.is_ascii_digit() || c == ';'), "only colours: {text:?}");
        out + rest
    })
}
