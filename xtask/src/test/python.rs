//! The tests of the helper inside Python, which need a Python that has pytest.

use super::Counts;
use crate::process::{Result, any_output, root};
use std::io::Write;
use std::process::Command;

/// Names the Python that tests use.
const PYTHON: &str = "SEATRIAL_TEST_PYTHON";

/// Names one that has pytest's plug-ins, for the tests that ask for them.
const WITH_PLUGINS: &str = "SEATRIAL_TEST_PLUGINS";

/// Runs them with `SEATRIAL_TEST_PYTHON`, else the system's Python; those of plug-ins with `SEATRIAL_TEST_PLUGINS`, too.
pub(super) fn run(counts: &mut Counts, out: &mut dyn Write) -> Result<bool> {
    let python = std::env::var(PYTHON).unwrap_or_else(|_| "/usr/bin/python3".to_owned());
    let all = run_with(&python, "test*.py", counts, out)?;
    match std::env::var(WITH_PLUGINS) {
        Ok(python) => Ok(run_with(&python, "test_plugins.py", counts, out)? && all),
        Err(_) => {
            writeln!(out, "not with plug-ins: {WITH_PLUGINS} names no Python that has them")
                .map_err(|error| format!("standard output: {error}"))?;
            Ok(all)
        }
    }
}

/// Runs the files of tests whose names fit.
fn run_with(python: &str, files: &str, counts: &mut Counts, out: &mut dyn Write) -> Result<bool> {
    let version = any_output(Command::new(python).args(["-m", "pytest", "--version"]))
        .map_err(|error| format!("{error}\n  hint: set {PYTHON} to a Python that has pytest"))?;
    if !version.status.success() {
        return Err(format!(
            "`{python}` has no pytest\n  hint: `apt install python3-pytest`, or set {PYTHON} to a Python that has it"
        ));
    }
    let mut command = Command::new(python);
    command.args(["-m", "unittest", "discover", "-s", "python/tests", "-p", files]).current_dir(root());
    // The tests start pytest themselves: nothing of a run of ours may reach it.
    command.env_remove("PYTEST_ADDOPTS").env_remove("PYTHONPATH");
    let output = any_output(&mut command)?;
    // unittest reports on standard error.
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    out.write_all(text.as_bytes()).map_err(|error| format!("standard output: {error}"))?;
    let ran = count(&text).ok_or("no summary of unittest was read")?;
    counts.passed += ran.passed;
    counts.failed += ran.failed;
    Ok(output.status.success() && ran.failed == 0 && ran.passed > 0)
}

/// unittest's summary: `Ran 68 tests in 2.5s`, then `OK (skipped=11)` or `FAILED (failures=1, errors=2, skipped=3)`.
fn count(text: &str) -> Option<Counts> {
    let lines = || text.lines().rev();
    let ran: u64 = lines().find_map(|line| line.strip_prefix("Ran ")?.split_once(' ')?.0.parse().ok())?;
    let last = lines().find(|line| line.starts_with("OK") || line.starts_with("FAILED"))?;
    let of = |word: &str| -> u64 {
        let figures = last.split(['(', ')']).nth(1).unwrap_or_default();
        let figure = figures.split(", ").find_map(|figure| figure.strip_prefix(word)?.strip_prefix('='));
        figure.and_then(|digits| digits.parse().ok()).unwrap_or(0)
    };
    let failed = of("failures") + of("errors") + of("unexpected successes");
    Some(Counts { passed: ran.saturating_sub(failed + of("skipped")), failed })
}

#[cfg(test)]
mod tests {
    use super::count;
    use crate::test::Counts;

    #[test]
    fn unittests_summary_is_read() {
        let said = |last: &str| format!("...s.F\n------\nRan 68 tests in 25.695s\n\n{last}\n");
        assert_eq!(count(&said("OK")), Some(Counts { passed: 68, failed: 0 }));
        assert_eq!(count(&said("OK (skipped=11)")), Some(Counts { passed: 57, failed: 0 }));
        let failed = "FAILED (failures=1, errors=2, skipped=3, unexpected successes=1)";
        assert_eq!(count(&said(failed)), Some(Counts { passed: 61, failed: 4 }));
        assert_eq!(count("Traceback (most recent call last):\n"), None);
    }
}
