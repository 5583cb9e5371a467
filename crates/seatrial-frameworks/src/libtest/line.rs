//! The two kinds of lines by which libtest gives its word: a test's, and the summary.

/// What libtest says of a test in the test's own line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineState {
    /// `ok`; also a benchmark's measurement.
    Ok,
    /// `FAILED`.
    Failed,
    /// `ignored`, with the reason that the source gives.
    Ignored(Option<String>),
}

/// The line `test NAME ... STATE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestLine {
    /// The test's name, without a suffix such as ` - should panic`.
    pub name: String,
    /// What became of it.
    pub state: LineState,
}

/// The numbers in the line `test result: ok. 1 passed; 0 failed; ...`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The word after the colon: `ok` (true) or `FAILED`.
    pub ok: bool,
    /// Tests that passed.
    pub passed: usize,
    /// Tests that failed.
    pub failed: usize,
    /// Tests that were asked for but are ignored.
    pub ignored: usize,
    /// Benchmarks that were measured.
    pub measured: usize,
    /// Tests that were not asked for.
    pub filtered_out: usize,
}

/// What libtest and rustdoc append to a name in its line, and nowhere else.
const SUFFIXES: [&str; 4] = [" - should panic", " - compile fail", " - compile", ""];

/// What stands before a test's state in its line: for each suffix libtest may append to the name.
pub(crate) fn line_beginnings(name: &str) -> impl Iterator<Item = String> {
    // Mostly there is none.
    SUFFIXES.iter().rev().map(move |suffix| format!("test {name}{suffix} ... "))
}

/// Reads a test's line; `None` for any other line.
#[must_use]
pub fn parse_test_line(line: &str) -> Option<TestLine> {
    let rest = line.strip_prefix("test ")?;
    // The reason of an ignored test may hold ` ... ok`, so the first reading that makes sense is the right one.
    let (name, state) = rest.match_indices(" ... ").find_map(|(at, separator)| {
        let state = parse_state(&rest[at + separator.len()..])?;
        Some((&rest[..at], state))
    })?;
    let name = SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
    (!name.is_empty()).then(|| TestLine { name: name.to_owned(), state })
}

fn parse_state(text: &str) -> Option<LineState> {
    if let Some(reason) = text.strip_prefix("ignored, ") {
        return Some(LineState::Ignored(Some(reason.to_owned())));
    }
    if text.starts_with("bench: ") {
        return Some(LineState::Ok);
    }
    // `--report-time` appends `<0.001s>`.
    let word = match text.split_once(" <") {
        Some((word, time)) if time.ends_with("s>") => word,
        Some(_) | None => text,
    };
    match word {
        "ok" => Some(LineState::Ok),
        "FAILED" => Some(LineState::Failed),
        "ignored" => Some(LineState::Ignored(None)),
        _ => None,
    }
}

/// Reads the summary line; `None` for any other line.
#[must_use]
pub fn parse_summary(line: &str) -> Option<Summary> {
    let (word, mut rest) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let ok = match word {
        "ok" => true,
        "FAILED" => false,
        _ => return None,
    };
    let mut number = |name: &str| -> Option<usize> {
        let (digits, after) = rest.split_once(name)?;
        rest = after;
        digits.parse().ok()
    };
    let summary = Summary {
        ok,
        passed: number(" passed; ")?,
        failed: number(" failed; ")?,
        ignored: number(" ignored; ")?,
        measured: number(" measured; ")?,
        filtered_out: number(" filtered out")?,
    };
    (rest.is_empty() || rest.starts_with("; finished in ")).then_some(summary)
}
