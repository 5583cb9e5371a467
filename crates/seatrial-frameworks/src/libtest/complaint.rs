//! What a failed test has to say for itself, in one line.

/// Characters of a message that are shown at most.
const SHOWN: usize = 240;

/// The complaint of a test run with `--nocapture`: libtest's own note in `stdout`, else what `stderr` tells.
pub(crate) fn of_one(name: &str, stdout: &str, stderr: &str) -> Option<String> {
    let header = format!("---- {name} stdout ----\n");
    let section = stdout.rfind(&header).map(|at| &stdout[at + header.len()..]);
    section
        .and_then(note)
        .or_else(|| panic_of(stderr, Some(name)))
        .or_else(|| returned_error(stderr))
        .or_else(|| panic_of(stderr, None))
}

/// The complaint in the captured output of a failed test or doctest.
pub(crate) fn in_section(section: &str) -> Option<String> {
    note(section)
        .or_else(|| panic_of(section, None))
        .or_else(|| section.lines().find(|line| line.starts_with("error")).map(shortened))
        .or_else(|| returned_error(section))
        .or_else(|| section.lines().find(|line| !line.trim().is_empty()).map(shortened))
}

/// Why the runtime aborted the process, where it says so.
pub(crate) fn fatal_error(stderr: &str) -> Option<String> {
    let line = stderr.lines().rev().find_map(|line| line.strip_prefix("fatal runtime error: "))?;
    Some(shortened(line.strip_suffix(", aborting").unwrap_or(line)))
}

/// The last panic that `text` tells of, of the thread with this name or of any.
///
/// A panic that the standard library adds on its way to an abort is told only when there is no other.
pub(crate) fn panic_of(text: &str, thread: Option<&str>) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let panics: Vec<(bool, String)> = (0..lines.len())
        .filter_map(|index| {
            let (at, place) = panic_header(lines[index])?;
            if thread.is_some_and(|thread| thread != at) {
                return None;
            }
            Some((place.starts_with("/rustc/"), panic_words(place, &lines[index + 1..])))
        })
        .collect();
    let own = panics.iter().rev().find(|(of_std, _)| !of_std);
    own.or(panics.last()).map(|(_, words)| words.clone())
}

/// The thread's name and what follows ` panicked at ` in `thread 'NAME' (ID) panicked at PLACE:`.
fn panic_header(line: &str) -> Option<(&str, &str)> {
    let (before, place) = line.split_once(" panicked at ")?;
    let (_, thread) = before.split_once("thread '").or_else(|| before.split_once("thread "))?;
    // Newer toolchains name the thread's id too.
    let thread = match thread.rsplit_once(" (") {
        Some((name, id)) if id.strip_suffix(')').is_some_and(|id| id.bytes().all(|b| b.is_ascii_digit())) => {
            name
        }
        Some(_) | None => thread,
    };
    Some((thread.strip_suffix('\'').unwrap_or(thread), place))
}

fn panic_words(place: &str, after: &[&str]) -> String {
    // Until Rust 1.73: `panicked at 'MESSAGE', PLACE`.
    if let Some((message, place)) = place.strip_prefix('\'').and_then(|rest| rest.rsplit_once("', ")) {
        return shortened(&format!("panicked at {place}: {message}"));
    }
    let place = place.strip_suffix(':').unwrap_or(place);
    let mut words = format!("panicked at {place}");
    let mut after = after.iter().copied();
    if let Some(message) = after.next().filter(|line| !is_aftermath(line)) {
        words = format!("{words}: {message}");
        for (line, side) in after.zip(["  left: ", " right: "]) {
            let Some(value) = line.strip_prefix(side) else { break };
            words = format!("{words}, {} {value}", side.trim());
        }
    }
    shortened(&words)
}

fn is_aftermath(line: &str) -> bool {
    line.is_empty() || line == "stack backtrace:" || line.starts_with("note: ")
}

/// What libtest notes about a `#[should_panic]` test; the details follow in indented lines.
fn note(section: &str) -> Option<String> {
    let mut lines = section.lines().skip_while(|line| !is_note(line));
    let mut words = lines.next()?.strip_prefix("note: ")?.to_owned();
    for (index, detail) in lines.take_while(|line| line.starts_with(' ')).enumerate() {
        words = format!("{words}{} {}", if index == 0 { ":" } else { "," }, detail.trim());
    }
    Some(shortened(&words))
}

fn is_note(line: &str) -> bool {
    line.starts_with("note: test did not panic as expected")
        || line.starts_with("note: panic did not contain")
        || line.starts_with("note: expected panic")
}

/// What a test returned that is an error; libtest prints it with `Error: ` before.
fn returned_error(text: &str) -> Option<String> {
    text.lines().rev().find(|line| line.starts_with("Error: ")).map(shortened)
}

fn shortened(line: &str) -> String {
    let line = line.trim();
    match line.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}...", &line[..at]),
        None => line.to_owned(),
    }
}
