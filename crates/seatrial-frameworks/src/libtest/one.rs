//! One test in a process of its own.

use super::complaint;
use super::line::{Summary, line_beginnings, parse_summary};
use crate::end::{signal_name, without_a_word};
use crate::stream;
use seatrial_model::{Bytes, End, Outcome, Output};

/// The exit code of a libtest process in which a test failed, or which refused its arguments.
const FAILED: i32 = 101;

/// The arguments that make a test binary run one test. `ignored` is true for a test that its list calls so; `rest`
/// is what the user wants passed on.
///
/// Output is not captured by libtest: what it captures is lost when the process is killed or aborts.
#[must_use]
pub fn one_args(name: &str, ignored: bool, rest: &[Bytes]) -> Vec<Bytes> {
    let mut args: Vec<Bytes> = ["--exact", name, "--nocapture"].map(Bytes::from).to_vec();
    args.extend(ignored.then(|| Bytes::from("--ignored")));
    args.extend_from_slice(rest);
    args
}

/// What became of the one test that a process was asked for with [`one_args`].
///
/// A pass needs exit code 0 and libtest's own word: the last summary in `stdout` counts one test passed, and follows
/// the line of the test of this `name`. So neither `exit(0)` inside the test passes, nor a name that no test has,
/// nor a summary that the test itself printed (as tests of test runners do). With `early_exit_passes`, exit code 0
/// without libtest's word is a pass.
///
/// The test may still deceive where libtest runs on one thread and so prints the name before the test begins: a
/// summary that the test prints before `exit(0)` then follows the name.
#[must_use]
pub fn read_one(
    end: &End,
    output: &Output,
    name: &str,
    early_exit_passes: bool,
) -> (Outcome, Option<String>) {
    let complaint = || complaint::of_one(name, &stream::text(&output.stdout), &stream::text(&output.stderr));
    match end {
        End::Exit(0) => read_success(&stream::text(&output.stdout), name, early_exit_passes),
        End::Exit(FAILED) => match refusal(output) {
            Some(refusal) => (Outcome::Error, Some(refusal)),
            None => (Outcome::Fail, Some(complaint().unwrap_or_else(|| format!("exit code {FAILED}")))),
        },
        End::Exit(code) => (Outcome::Fail, Some(format!("exit code {code}"))),
        End::Signal(number) => {
            let stderr = stream::text(&output.stderr);
            let why = complaint::fatal_error(&stderr).or_else(|| complaint::panic_of(&stderr, None));
            (Outcome::Crash, Some(join(&signal_name(*number), why)))
        }
        End::NotStarted { .. } | End::SlotLost => match without_a_word(end) {
            Some((outcome, reason)) => (outcome, Some(reason)),
            None => (Outcome::Error, None),
        },
    }
}

fn read_success(stdout: &str, name: &str, early_exit_passes: bool) -> (Outcome, Option<String>) {
    let Some(summary) = own_summary(stdout, name) else {
        return if early_exit_passes {
            (Outcome::Pass, None)
        } else {
            (Outcome::Fail, Some("ended early: exit code 0 before libtest's summary".to_owned()))
        };
    };
    // A benchmark asked for with `--bench` is counted as measured.
    match (summary.passed + summary.measured, summary.failed, summary.ignored) {
        (1, 0, 0) if summary.ok => (Outcome::Pass, None),
        (0, 0, 0) => (Outcome::Error, Some("libtest ran no test of this name".to_owned())),
        (0, 0, _) => (Outcome::Skip, Some("ignored".to_owned())),
        (_, 0, 0) => (Outcome::Error, Some(format!("libtest ran {} tests of this name", summary.passed))),
        _ => (Outcome::Fail, Some("libtest counts a failed test, though the exit code is 0".to_owned())),
    }
}

/// The last summary, when it is libtest's own: it follows the test's line, or counts no test at all.
fn own_summary(stdout: &str, name: &str) -> Option<Summary> {
    let lines: Vec<&str> = stdout.split('\n').collect();
    let (index, summary) =
        lines.iter().enumerate().rev().find_map(|(index, line)| Some((index, parse_summary(line)?)))?;
    let before = &lines[..index];
    let named = line_beginnings(name).any(|beginning| before.iter().any(|line| line.contains(&beginning)));
    let none_ran = summary.passed + summary.failed + summary.ignored + summary.measured == 0;
    (named || none_ran).then_some(summary)
}

/// libtest's own complaint about its arguments, when it ended before running anything.
fn refusal(output: &Output) -> Option<String> {
    if !output.stdout.is_empty() {
        return None;
    }
    let stderr = stream::text(&output.stderr);
    let line = stderr.lines().next()?.strip_prefix("error: ")?;
    Some(format!("libtest refused its arguments: {line}"))
}

fn join(head: &str, tail: Option<String>) -> String {
    match tail {
        Some(tail) => format!("{head}: {tail}"),
        None => head.to_owned(),
    }
}
