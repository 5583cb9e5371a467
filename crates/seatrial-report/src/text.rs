//! Foreign text made safe to show: escapes, widths, cutting, quoting.
//!
//! Names and output come from tests and may hold anything. Nothing of it may move the cursor, clear the screen or
//! turn the reading direction, so every such character is shown escaped. Colours (SGR sequences) alone may pass.

use seatrial_model::TestRef;

#[cfg(test)]
mod tests;

/// Ends all colours.
pub(crate) const RESET: &str = "\x1b[0m";

/// A test's group and name on one line.
pub(crate) fn test_name(test: &TestRef) -> String {
    one_line(&plain_name(test))
}

/// A test's group and name as they are, for arguments.
pub(crate) fn plain_name(test: &TestRef) -> String {
    if test.group.is_empty() { test.name.to_string() } else { test.to_string() }
}

/// Text on one line: line ends, tabs and all other control characters are shown escaped.
pub(crate) fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) { escape(c, &mut out) } else { out.push(c) }
    }
    out
}

/// Text of several lines as a test wrote it. Line ends and tabs stay; colours stay when `colours`, and are then
/// ended; other control characters are shown escaped.
pub(crate) fn many_lines(text: &str, colours: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut coloured = false;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let mut taken = c.len_utf8();
        match c {
            '\n' | '\t' => out.push(c),
            '\r' if rest.starts_with("\r\n") => {}
            '\x1b' => match sgr(rest) {
                Some(sequence) => {
                    taken = sequence.len();
                    if colours {
                        coloured = true;
                        out.push_str(sequence);
                    }
                }
                None => escape(c, &mut out),
            },
            _ if is_unsafe(c) => escape(c, &mut out),
            _ => out.push(c),
        }
        rest = &rest[taken..];
    }
    if coloured {
        out.insert_str(out.trim_end_matches('\n').len(), RESET);
    }
    out
}

/// `text` without line ends at its end, each line that is not empty after `margin`, each with a line end.
pub(crate) fn indent(text: &str, margin: &str) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    for line in text.trim_end_matches('\n').split('\n') {
        if !line.is_empty() {
            out.push_str(margin);
            out.push_str(line);
        }
        out.push('\n');
    }
    out
}

/// Each tab replaced by blanks up to the next multiple of eight columns.
pub(crate) fn expand_tabs(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut column = 0;
    for c in text.chars() {
        match c {
            '\t' => {
                let blanks = 8 - column % 8;
                out.extend(std::iter::repeat_n(' ', blanks));
                column += blanks;
            }
            '\n' => {
                out.push(c);
                column = 0;
            }
            _ => {
                out.push(c);
                column += 1;
            }
        }
    }
    out
}

/// Columns that a line takes on a terminal. Colours take none; the wide characters of East Asia and pictures two.
pub(crate) fn width(line: &str) -> usize {
    let mut columns = 0;
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        match sgr(rest) {
            Some(sequence) => rest = &rest[sequence.len()..],
            None => {
                columns += char_width(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    columns
}

/// A line cut to `columns`, with an ellipsis where it was cut and colours ended.
pub(crate) fn cut(line: &str, columns: usize) -> String {
    if width(line) <= columns {
        return line.to_owned();
    }
    if columns == 0 {
        return String::new();
    }
    let mut out = String::with_capacity(line.len());
    let mut used = 0;
    let mut coloured = false;
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        if let Some(sequence) = sgr(rest) {
            coloured = true;
            out.push_str(sequence);
            rest = &rest[sequence.len()..];
            continue;
        }
        used += char_width(c);
        if used > columns - 1 {
            break;
        }
        out.push(c);
        rest = &rest[c.len_utf8()..];
    }
    out.push('…');
    if coloured {
        out.push_str(RESET);
    }
    out
}

/// Text without colours cut to `columns` in its middle: of a test's name the end says most, the beginning where.
pub(crate) fn cut_middle(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let Some(keep) = columns.checked_sub(1) else { return String::new() };
    let head: String = within(text.chars(), keep / 3).collect();
    let mut tail: Vec<char> = within(text.chars().rev(), keep - keep / 3).collect();
    tail.reverse();
    format!("{head}…{}", tail.iter().collect::<String>())
}

/// An argument as one types it into a shell: bare, in single quotes, or as `$'...'` when it holds control characters
/// (bash, zsh, ksh).
pub(crate) fn shell_quote(argument: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !argument.is_empty() && argument.chars().all(bare) {
        return argument.to_owned();
    }
    if !argument.chars().any(is_unsafe) {
        return format!("'{}'", argument.replace('\'', r"'\''"));
    }
    let mut out = String::from("$'");
    for c in argument.chars() {
        match c {
            '\'' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            _ if is_unsafe(c) => {
                // Three octal digits a byte end by themselves, whatever follows.
                let mut buffer = [0; 4];
                out.extend(c.encode_utf8(&mut buffer).bytes().map(|byte| format!("\\{byte:03o}")));
            }
            _ => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// True for what acts on a terminal instead of being shown, and for what turns the direction of the text around it.
fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escape(c: char, out: &mut String) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        _ if c.is_ascii() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
        _ => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
    }
}

/// The colour sequence that `text` begins with: `ESC [`, digits, `;` and `:`, then `m` (ECMA-48, SGR).
fn sgr(text: &str) -> Option<&str> {
    let parameters = text.strip_prefix("\x1b[")?;
    let end = parameters.find(|c: char| !c.is_ascii_digit() && c != ';' && c != ':')?;
    parameters[end..].starts_with('m').then(|| &text[..2 + end + 1])
}

fn char_width(c: char) -> usize {
    let wide = matches!(c,
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}' | '\u{1f300}'..='\u{1f64f}'
        | '\u{1f680}'..='\u{1f6ff}' | '\u{1f900}'..='\u{1f9ff}' | '\u{20000}'..='\u{3fffd}');
    if wide { 2 } else { 1 }
}

/// The first of `chars` that fit into `columns`.
fn within(chars: impl Iterator<Item = char>, columns: usize) -> impl Iterator<Item = char> {
    chars
        .scan(0, move |used, c| {
            *used += char_width(c);
            Some((*used, c))
        })
        .take_while(move |(used, _)| *used <= columns)
        .map(|(_, c)| c)
}
