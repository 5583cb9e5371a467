//! Colours: which there are, and whether they are on.

use anstyle::{AnsiColor, Style};

/// Passes and bars without failures.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Failures and errors.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Slow, flaky, warnings.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
/// What matters in its line.
pub(crate) const STRONG: Style = Style::new().bold();
/// What matters less.
pub(crate) const DIM: Style = Style::new().dimmed();

/// Whether colours are on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    pub(crate) colours: bool,
}

impl Paint {
    /// `text` in `style` when colours are on and there is any.
    pub(crate) fn paint(self, style: Style, text: &str) -> String {
        if self.colours && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}
