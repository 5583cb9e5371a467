//! `cargo xtask test`: every check of the repository, the cheap ones first. Nothing is skipped because of a failure
//! before it, so that one run tells all.

mod python;

use crate::process::{Result, any_output, cargo, not_started, root, tail, without_ours, words};
use crate::tidy;
use std::io::{BufRead as _, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Tests that ran, over all binaries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
}

/// Runs everything; false when anything failed. The last line is `N passed, N failed`, where a step that failed without
/// a failed test counts as one.
pub(crate) fn run(out: &mut dyn Write) -> Result<bool> {
    let begun = Instant::now();
    let (mut counts, mut failed_steps) = (Counts::default(), Vec::new());
    let mut step = |name: &'static str,
                    out: &mut dyn Write,
                    work: &mut dyn FnMut(&mut dyn Write) -> Result<bool>| {
        say(out, &format!("== {name}\n"))?;
        let begun = Instant::now();
        let fine = work(out).unwrap_or_else(|error| {
            let _ = writeln!(out, "{error}");
            false
        });
        if !fine {
            failed_steps.push(name);
        }
        say(
            out,
            &format!("== {name}: {} in {}\n\n", if fine { "ok" } else { "FAILED" }, seconds(begun.elapsed())),
        )
    };
    step("format", out, &mut |out| plain(&["fmt", "--all", "--check"], out))?;
    step("tidy", out, &mut |out| tidy::run(out))?;
    step("licences and advisories", out, &mut deny)?;
    step("clippy", out, &mut |out| {
        plain(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"], out)
    })?;
    step("documentation", out, &mut |out| plain(&["doc", "--workspace", "--no-deps"], out))?;
    let before_tests = counts;
    let tests = ["test", "--workspace", "--no-fail-fast", "--lib", "--bins", "--tests", "--examples"];
    step("tests", out, &mut |out| counted(&tests, &mut counts, out))?;
    step("documentation's tests", out, &mut |out| {
        counted(&["test", "--workspace", "--no-fail-fast", "--doc"], &mut counts, out)
    })?;
    step("tests inside Python", out, &mut |out| python::run(&mut counts, out))?;
    if counts == before_tests {
        failed_steps.push("tests: none ran");
    }
    if !failed_steps.is_empty() {
        say(out, &format!("failed: {}\n", failed_steps.join(", ")))?;
    }
    let of_steps = if counts.failed == 0 { failed_steps.len() as u64 } else { 0 };
    say(out, &format!("all in {}\n", seconds(begun.elapsed())))?;
    say(out, &format!("{} passed, {} failed\n", counts.passed, counts.failed + of_steps))?;
    Ok(failed_steps.is_empty())
}

fn say(out: &mut dyn Write, text: &str) -> Result<()> {
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| format!("standard output: {error}"))
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn command(args: &[&str]) -> Command {
    let mut command = cargo();
    without_ours(&mut command).args(args).current_dir(root()).stdin(Stdio::null());
    command.env("RUSTDOCFLAGS", "-D warnings");
    command
}

fn plain(args: &[&str], _out: &mut dyn Write) -> Result<bool> {
    let mut command = command(args);
    Ok(command.status().map_err(|error| not_started(&command, &error))?.success())
}

/// Checks licences and advisories where the tool for it is installed; it is not fetched.
fn deny(out: &mut dyn Write) -> Result<bool> {
    if any_output(&mut command(&["deny", "--version"])).is_ok_and(|output| output.status.success()) {
        return plain(&["deny", "check"], out);
    }
    say(out, "cargo-deny is not installed: not checked\n")?;
    Ok(true)
}

/// Runs tests, shows what they say, and adds up libtest's summaries.
fn counted(args: &[&str], counts: &mut Counts, out: &mut dyn Write) -> Result<bool> {
    let mut command = command(args);
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| not_started(&command, &error))?;
    let stdout = child.stdout.take().ok_or("no pipe")?;
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line.map_err(|error| format!("`{}`: {error}", words(&command)))?;
        let text = String::from_utf8_lossy(&line);
        add(counts, &text);
        say(out, &format!("{text}\n"))?;
    }
    let status = child.wait().map_err(|error| format!("`{}`: {error}", words(&command)))?;
    if !status.success() {
        say(out, &format!("{}\n", tail(status.to_string().as_bytes())))?;
    }
    Ok(status.success())
}

/// Adds what a line says, if it is libtest's summary.
fn add(counts: &mut Counts, line: &str) {
    let Some((_, figures)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) else {
        return;
    };
    for figure in figures.split("; ") {
        match figure.split_once(' ') {
            Some((number, "passed")) => counts.passed += number.parse::<u64>().unwrap_or(0),
            Some((number, "failed")) => counts.failed += number.parse::<u64>().unwrap_or(0),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, add};

    #[test]
    fn summaries_are_added_up() {
        let mut counts = Counts::default();
        add(
            &mut counts,
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.02s",
        );
        add(
            &mut counts,
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0s",
        );
        add(&mut counts, "test tests::a ... ok");
        add(&mut counts, "he said: test result: ok. 5 passed; 0 failed");
        assert_eq!(counts, Counts { passed: 13, failed: 2 });
    }
}
