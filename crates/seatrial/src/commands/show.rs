//! `seatrial show`

use super::past::{date, open, print, told};
use crate::exit::{Error, NOTHING};
use seatrial_history::{History, ResultRow};
use seatrial_model::{Outcome, RunId};
use seatrial_report::format;

/// Arguments of `seatrial show`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run (`last`, `last~2`, an id or a part of it), or `RUN/TEST`
    #[arg(default_value = "last")]
    what: String,
    /// Every test, not only the failed
    #[arg(long)]
    all: bool,
}

/// Prints a run, or one test of it.
pub(crate) fn run(args: &Args) -> Result<u8, Error> {
    let history = open()?;
    let (run, test) = match args.what.split_once('/') {
        Some((run, test)) => (run, Some(test)),
        None => (args.what.as_str(), None),
    };
    let run = history.find_run(if run.is_empty() { "last" } else { run }, None).map_err(told)?;
    match test {
        Some(test) => show_test(&history, run, test),
        None => show_run(&history, run, args.all),
    }
}

fn show_run(history: &History, run: RunId, all: bool) -> Result<u8, Error> {
    let row = history.run(run).map_err(told)?;
    let counts = row.counts;
    let mut text = format!(
        "run {run} of {}\n  {} by {} on {}, {} slots, isolation {}, seed {}\n  {}\n",
        row.header.project,
        date(row.header.started_unix_ms),
        row.user,
        row.header.host,
        row.header.slots,
        row.header.isolation,
        row.header.seed,
        row.header.command.join(" "),
    );
    for (name, value) in &row.labels {
        text.push_str(&format!("  {name}={value}\n"));
    }
    text.push_str(&format!("  {:?}", row.state).to_lowercase());
    text.push_str(&format!(
        "{}\n\n",
        row.wall.map(|wall| format!(" after {}", format::duration(wall))).unwrap_or_default()
    ));
    for result in history.results(run, !all).map_err(told)? {
        text.push_str(&result_line(&result));
    }
    text.push_str(&format!("{} passed, {} failed, {} skipped", counts.passed, counts.failed, counts.skipped));
    for (count, what) in [(counts.flaky, "flaky"), (counts.errors, "errors"), (counts.not_run, "not run")] {
        if count > 0 {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    text.push('\n');
    print(&text);
    Ok(crate::exit::OK)
}

fn result_line(result: &ResultRow) -> String {
    let reason = result.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let attempt =
        if result.attempt.0 > 1 { format!(" (attempt {})", result.attempt.0) } else { String::new() };
    format!(
        "{:<9} {:>9}  {}{attempt}{reason}\n",
        result.outcome.name(),
        format::duration(result.usage.wall),
        result.test
    )
}

fn show_test(history: &History, run: RunId, text: &str) -> Result<u8, Error> {
    let tests = history.find_tests(run, text).map_err(told)?;
    let Some(test) = tests.first() else {
        return Err(Error::new(NOTHING, format!("run {run} has no test `{text}`"))
            .hint(format!("`seatrial show {run} --all` lists its tests")));
    };
    if tests.len() > 1 {
        let names: Vec<String> = tests.iter().take(20).map(|test| format!("  {run}/{test}")).collect();
        return Err(Error::new(
            crate::exit::USAGE,
            format!("`{text}` is {} tests of run {run}:\n{}", tests.len(), names.join("\n")),
        )
        .hint("name one of them in full"));
    }
    let mut out = String::new();
    for result in history.attempts(run, test).map_err(told)? {
        out.push_str(&result_line(&result));
        if result.outcome != Outcome::Skip {
            out.push_str(&format!(
                "  user {}, system {}, peak memory {:.1} MiB, slot {}\n",
                format::duration(result.usage.user),
                format::duration(result.usage.system),
                result.usage.peak_memory as f64 / f64::from(1 << 20),
                result.slot.map_or_else(|| "-".to_owned(), |slot| slot.0.to_string()),
            ));
        }
        for note in &result.notes {
            out.push_str(&format!("  note: {note}\n"));
        }
        print(&out);
        out.clear();
        if let Some(output) = history.output(run, test, result.attempt).map_err(told)? {
            for (name, stream) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
                show_stream(name, stream);
            }
        }
    }
    Ok(crate::exit::OK)
}

/// The bytes as the test wrote them.
fn show_stream(name: &str, stream: &seatrial_model::Captured) {
    use std::io::Write;
    if stream.is_empty() {
        return;
    }
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "--- {name} ---");
    let _ = stdout.write_all(&stream.head.0);
    if stream.left_out() > 0 {
        let spill = stream.spill.as_ref().map(|path| format!(", more in {path}")).unwrap_or_default();
        let _ = writeln!(stdout, "\n--- {} bytes left out{spill} ---", stream.left_out());
    }
    let _ = stdout.write_all(&stream.tail.0);
    if !stream.head.0.ends_with(b"\n") || (!stream.tail.is_empty() && !stream.tail.0.ends_with(b"\n")) {
        let _ = writeln!(stdout);
    }
}
