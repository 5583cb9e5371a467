//! Text as pytest's terminal writer lays it out, without colours.

/// Text in the making.
pub(super) struct Page {
    text: String,
    width: usize,
}

impl Page {
    /// An empty page of so many columns.
    pub(super) fn new(width: usize) -> Self {
        Self { text: String::new(), width }
    }

    /// Adds text as it is.
    pub(super) fn write(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Adds a line.
    pub(super) fn line(&mut self, line: &str) {
        self.write(line);
        self.write("\n");
    }

    /// Adds a line across the page, of `mark` alone or around a title.
    pub(super) fn rule(&mut self, mark: &str, title: Option<&str>) {
        let rule = rule(mark, title, self.width);
        self.line(&rule);
    }

    /// Adds `name = value` pairs, as many on a line as there is room for.
    pub(super) fn pairs(&mut self, pairs: &[(String, String)]) {
        let mut line = String::new();
        for (name, value) in pairs {
            let pair = format!("{name} = {value}");
            if line.is_empty() {
                line = pair;
            } else if length(&pair) + length(&line) + 2 > self.width {
                self.line(&line);
                line = pair;
            } else {
                line = format!("{line}, {pair}");
            }
        }
        if !line.is_empty() {
            self.line(&line);
        }
    }

    /// What was written.
    pub(super) fn into_text(self) -> String {
        self.text
    }
}

/// A line across the page: `mark` repeated, around the title when there is one.
pub(super) fn rule(mark: &str, title: Option<&str>, width: usize) -> String {
    let each = length(mark).max(1);
    let mut rule = match title {
        Some(title) => {
            let fill = mark.repeat((width.saturating_sub(length(title) + 2) / (2 * each)).max(1));
            format!("{fill} {title} {fill}")
        }
        None => mark.repeat(width / each),
    };
    let more = mark.trim_end();
    if length(&rule) + length(more) <= width {
        rule.push_str(more);
    }
    rule
}

/// The lines of a text by Python's rules, which know more ends of a line than `\n`.
pub(super) fn python_lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        match rest.find(is_line_end) {
            Some(at) => {
                lines.push(&rest[..at]);
                let end = if rest[at..].starts_with("\r\n") {
                    2
                } else {
                    rest[at..].chars().next().map_or(1, char::len_utf8)
                };
                rest = &rest[at + end..];
            }
            None => {
                lines.push(rest);
                rest = "";
            }
        }
    }
    lines
}

fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Columns as pytest counts them here: characters.
fn length(text: &str) -> usize {
    text.chars().count()
}
