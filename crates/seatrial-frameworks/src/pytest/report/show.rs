//! What is shown of a test that did not pass, as pytest shows it.

use super::TestResult;
use super::line::Report;
use super::longrepr::Longrepr;
use super::page::{Page, rule};

/// How failures are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Show {
    /// Columns of the page; pytest has 80 where there is no terminal.
    pub width: usize,
    /// How much of a traceback.
    pub traceback: Traceback,
    /// What captured output.
    pub capture: Capture,
}

/// How much is shown of a traceback: `--tb`. All other styles are pytest's own doing, in the test's process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Traceback {
    /// What the report has.
    #[default]
    Full,
    /// `--tb=line`: one line, without captured output, as pytest has it until version 8; 9 adds the text.
    Line,
    /// `--tb=no`: nothing at all.
    No,
}

/// What captured output is shown: `--show-capture`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Capture {
    /// All of it.
    #[default]
    All,
    /// Only standard output.
    Stdout,
    /// Only standard error.
    Stderr,
    /// Only the log.
    Log,
    /// None.
    No,
}

/// One failure of a test: its call's, a subtest's, or an error before or after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The headline, such as `test_read` or `ERROR at setup of test_read`.
    pub headline: String,
    /// True for an error at set-up or teardown, false for a failure.
    pub error: bool,
    /// The text below the headline; each line has its end.
    pub text: String,
}

impl Default for Show {
    fn default() -> Self {
        Self { width: 80, traceback: Traceback::default(), capture: Capture::default() }
    }
}

impl Shown {
    /// Headline and text, as pytest prints them.
    #[must_use]
    pub fn with_headline(&self, width: usize) -> String {
        format!("{}\n{}", rule("_", Some(&self.headline), width), self.text)
    }
}

impl TestResult {
    /// Everything that is to be shown of the test, in the order in which it happened; nothing when no report failed and
    /// nothing else is known.
    #[must_use]
    pub fn shown(&self, show: &Show) -> Vec<Shown> {
        if show.traceback == Traceback::No {
            return Vec::new();
        }
        let failed = self.reports.iter().filter(|report| report.outcome == "failed");
        let mut shown: Vec<Shown> = failed.map(|report| self.of_report(report, show)).collect();
        let words = self.words.as_ref().map(|text| {
            let text = if text.ends_with('\n') { text.clone() } else { format!("{text}\n") };
            Shown { headline: "ERROR".to_owned(), error: true, text }
        });
        shown.extend(words);
        shown
    }

    fn of_report(&self, report: &Report, show: &Show) -> Shown {
        let when = report.when.as_deref().unwrap_or_default();
        let error = when == "setup" || when == "teardown";
        let headline = report.headline();
        let headline = if error { format!("ERROR at {when} of {headline}") } else { headline };
        let longrepr = Longrepr::read(&report.longrepr);
        let mut page = Page::new(show.width);
        if show.traceback == Traceback::Line && !error {
            page.line(&longrepr.place());
        } else {
            longrepr.write(&mut page);
            captured(&mut page, report, "", show.capture);
            let teardowns = self.reports.iter().filter(|after| !error && after.is("teardown"));
            // A teardown that failed is shown by itself.
            for after in teardowns.filter(|after| after.outcome == "passed") {
                captured(&mut page, after, "teardown", show.capture);
            }
        }
        Shown { headline, error, text: page.into_text() }
    }
}

/// The captured sections whose names contain `of`.
fn captured(page: &mut Page, report: &Report, of: &str, capture: Capture) {
    let wanted = match capture {
        Capture::All => "",
        Capture::Stdout => "stdout",
        Capture::Stderr => "stderr",
        Capture::Log => "log",
        Capture::No => return,
    };
    for (name, content) in &report.sections {
        if !name.contains(wanted) || !name.contains(of) {
            continue;
        }
        let content = content.as_str().map_or_else(|| content.to_string(), str::to_owned);
        page.rule("-", Some(name));
        page.line(content.strip_suffix('\n').unwrap_or(&content));
    }
}
