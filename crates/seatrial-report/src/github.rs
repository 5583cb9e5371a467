//! Annotations for GitHub Actions.

use crate::finished::{Finished, word};
use crate::text;
use seatrial_model::{Event, NoticeLevel, Outcome};

/// Lines of a failed test's stderr that an annotation shows.
const LINES: usize = 10;

/// The workflow command (one line, without its line end) that marks `event` on the run's page: an error for a test's
/// bad result and for a notice of an error, a warning for a flaky test and for a warning. It must stand at the
/// beginning of a line of its own.
///
/// The form is that of <https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions>. GitHub
/// shows ten annotations of each kind a step and leaves out the others.
#[must_use]
pub fn annotation(event: &Event) -> Option<String> {
    if let Event::Notice { level, text, hint } = event {
        let kind = match level {
            NoticeLevel::Info => return None,
            NoticeLevel::Warning => "warning",
            NoticeLevel::Error => "error",
        };
        let hint = hint.as_ref().map(|hint| format!("\n{hint}")).unwrap_or_default();
        return Some(command(kind, "Seatrial", &format!("{text}{hint}")));
    }
    let finished = Finished::of(event).filter(|finished| finished.last)?;
    let name = text::test_name(finished.test);
    match finished.outcome {
        Outcome::Skip | Outcome::Cancelled => None,
        Outcome::Pass if finished.attempt.0 == 1 => None,
        Outcome::Pass => {
            let message = format!("{name}: passed only at attempt {}", finished.attempt.0);
            Some(command("warning", &format!("FLAKY {name}"), &message))
        }
        Outcome::Fail | Outcome::Error | Outcome::Timeout | Outcome::Crash | Outcome::Oom | Outcome::Lost => {
            let title = format!("{} {name}", word(finished.outcome));
            Some(command("error", &title, &message(&name, &finished)))
        }
    }
}

/// How the test ended, the end of its stderr, the notes.
fn message(name: &str, finished: &Finished<'_>) -> String {
    let mut lines = vec![match finished.how() {
        how if how.is_empty() => name.to_owned(),
        how => format!("{name}: {how}"),
    }];
    let stderr = &finished.output.stderr;
    let end = if stderr.tail.is_empty() { &stderr.head } else { &stderr.tail };
    let end = end.to_text();
    let last: Vec<&str> = end.trim_end().lines().rev().take(LINES).collect();
    lines.extend(last.into_iter().rev().map(str::to_owned));
    lines.extend(finished.notes.iter().map(|note| format!("note: {note}")));
    lines.join("\n")
}

fn command(kind: &str, title: &str, message: &str) -> String {
    let title = escape(title).replace(':', "%3A").replace(',', "%2C");
    format!("::{kind} title={title}::{}", escape(&text::many_lines(message, false)))
}

/// Escapes of a message; a property's need `:` and `,` beside them.
fn escape(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}
