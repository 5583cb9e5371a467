//! The terminal picture of the README: a real run of the fixture suite, its colours turned into an SVG.

use crate::process::{Result, any_output, build_seatrial, root, target_dir, write};
use std::fmt::Write as _;
use std::process::Command;

/// Columns of the picture; longer lines are cut.
const COLUMNS: usize = 104;

/// Lines of failures that are shown, and entries of the list of failures.
const FAILURE_LINES: usize = 22;
const LISTED: usize = 3;

/// The advance of a character and of a line, in user units.
const ADVANCE: f64 = 7.8;
const LINE: f64 = 18.0;
const MARGIN: f64 = 16.0;
const BAR: f64 = 30.0;

/// What is typed in the picture, after `seatrial`.
const ARGUMENTS: [&str; 3] = ["cargo", "-p", "outcomes"];

/// Text of one look.
#[derive(Clone, Debug, PartialEq)]
struct Span {
    text: String,
    look: Look,
}

/// How a terminal shows a text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Look {
    bold: bool,
    faint: bool,
    /// The colour's number of the terminal: 30 to 37, 90 to 97.
    colour: Option<u32>,
}

/// Runs the fixture and writes `docs/picture.svg`.
pub(crate) fn make() -> Result<bool> {
    let program = build_seatrial()?;
    let state = target_dir().join("picture-state");
    let mut text = String::new();
    // The first run builds; the second is the picture, so that it shows no path of this machine.
    for _ in 0..2 {
        let mut command = Command::new(&program);
        command.args(ARGUMENTS).current_dir(root().join("fixtures/rust-suite"));
        command.env("CLICOLOR_FORCE", "1").env("XDG_STATE_HOME", &state).env("COLUMNS", COLUMNS.to_string());
        for name in ["NO_COLOR", "RUST_BACKTRACE", "RUST_LIB_BACKTRACE", "GITHUB_ACTIONS"] {
            command.env_remove(name);
        }
        text = String::from_utf8_lossy(&any_output(&mut command)?.stderr).into_owned();
    }
    let lines = excerpt(&text);
    if lines.len() < LISTED * 2 {
        return Err(format!("the run printed too little for a picture:\n{text}"));
    }
    write(&root().join("docs/picture.svg"), svg(&lines))?;
    Ok(true)
}

/// The lines that are shown: the command, the first failures with what they wrote, the last of the summary.
fn excerpt(text: &str) -> Vec<Vec<Span>> {
    let bare = |line: &str| spans(line).iter().map(|span| span.text.as_str()).collect::<String>();
    let all: Vec<&str> = text.lines().collect();
    let is = |word: &'static str| move |line: &&str| bare(line).starts_with(word);
    let first_failure = all.iter().position(|line| is_failure(&bare(line))).unwrap_or(all.len());
    let list = all.iter().position(is("Failed tests:")).unwrap_or(all.len());
    let end = all.iter().position(is("Took ")).unwrap_or(all.len());
    let summary = all.iter().position(is("Slowest tests:")).unwrap_or(list).max(first_failure);
    let mut lines = vec![vec![
        Span { text: "$ ".into(), look: Look { faint: true, ..Look::default() } },
        Span {
            text: format!("seatrial {}", ARGUMENTS.join(" ")),
            look: Look { bold: true, ..Look::default() },
        },
    ]];
    lines.extend(all[..first_failure].iter().map(|line| spans(line)));
    let mut shown = 0;
    let blocks: Vec<&[&str]> = blocks(&all[first_failure..summary]);
    for block in &blocks {
        if lines.len() + block.len() < FAILURE_LINES {
            lines.extend(block.iter().map(|line| spans(line)));
            lines.push(Vec::new());
            shown += 1;
        }
    }
    lines.push(left_out(blocks.len() - shown, "more, each with what it wrote"));
    lines.push(Vec::new());
    let listed = (LISTED * 2 + 1).min(end - list);
    lines.extend(all[list..list + listed].iter().map(|line| spans(line)));
    lines.push(left_out((end - list - listed) / 2, "more"));
    lines.extend(all[end..].iter().map(|line| spans(line)));
    lines
}

/// True for the first line of a bad result.
fn is_failure(line: &str) -> bool {
    ["FAIL ", "CRASH ", "ERROR ", "TIMEOUT ", "OOM "].iter().any(|word| line.starts_with(word))
}

/// Results with what they wrote: each begins with a bad result's line. The shortest is the poorest: those that wrote
/// something come first.
fn blocks<'a>(lines: &'a [&'a str]) -> Vec<&'a [&'a str]> {
    let mut blocks: Vec<&[&str]> = lines
        .split(|line| line.is_empty())
        .filter(|block| {
            let bare: String =
                spans(block.first().copied().unwrap_or_default()).iter().map(|s| s.text.as_str()).collect();
            is_failure(&bare)
        })
        .collect();
    blocks.sort_by_key(|block| block.len() == 1);
    blocks
}

fn left_out(count: usize, what: &str) -> Vec<Span> {
    let look = Look { faint: true, ..Look::default() };
    vec![Span { text: format!("  ... {count} {what}"), look }]
}

/// A line's texts with their looks (ECMA-48, "select graphic rendition").
fn spans(line: &str) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut look = Look::default();
    for (at, part) in line.split("\u{1b}[").enumerate() {
        let mut text = part;
        if at > 0 {
            let Some((codes, rest)) = part.split_once('m') else { continue };
            for code in codes.split(';') {
                look = look.after(code.parse().unwrap_or(0));
            }
            text = rest;
        }
        if !text.is_empty() {
            spans.push(Span { text: text.to_owned(), look });
        }
    }
    spans
}

impl Look {
    fn after(self, code: u32) -> Self {
        match code {
            0 => Self::default(),
            1 => Self { bold: true, ..self },
            2 => Self { faint: true, ..self },
            22 => Self { bold: false, faint: false, ..self },
            30..=37 | 90..=97 => Self { colour: Some(code), ..self },
            39 => Self { colour: None, ..self },
            _ => self,
        }
    }

    fn fill(self) -> &'static str {
        match self.colour.map(|code| code % 10) {
            Some(1) => "#ff7b72",
            Some(2) => "#7ee787",
            Some(3) => "#e3b341",
            Some(4) => "#79c0ff",
            Some(5) => "#d2a8ff",
            Some(6) => "#76e3ea",
            Some(_) | None if self.faint => "#8b949e",
            Some(_) | None => "#e6edf3",
        }
    }
}

/// A line no longer than the picture is wide.
fn cut(spans: &[Span]) -> Vec<Span> {
    let total: usize = spans.iter().map(|span| span.text.chars().count()).sum();
    if total <= COLUMNS {
        return spans.to_vec();
    }
    let mut left = COLUMNS - 3;
    let mut kept = Vec::new();
    for span in spans {
        let text: String = span.text.chars().take(left).collect();
        left -= text.chars().count();
        kept.push(Span { text, look: span.look });
    }
    kept.push(Span { text: "...".into(), look: Look { faint: true, ..Look::default() } });
    kept
}

/// Draws the lines. Each text says how wide it is, so that no font can make it overflow.
fn svg(lines: &[Vec<Span>]) -> String {
    let (width, height) =
        (COLUMNS as f64 * ADVANCE + 2.0 * MARGIN, lines.len() as f64 * LINE + BAR + 2.0 * MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" aria-label=\"A terminal after a run of Seatrial\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#0d1117\"/>\n"
    );
    for (at, fill) in ["#ff5f57", "#febc2e", "#28c840"].iter().enumerate() {
        let x = MARGIN + 6.0 + at as f64 * 20.0;
        let _ = writeln!(out, "<circle cx=\"{x}\" cy=\"20\" r=\"6\" fill=\"{fill}\"/>");
    }
    out.push_str(
        "<g font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" \
         font-size=\"13\" xml:space=\"preserve\">\n",
    );
    for (row, line) in lines.iter().enumerate() {
        let y = BAR + MARGIN + row as f64 * LINE + 13.0;
        let mut column = 0;
        for span in cut(line) {
            let length = span.text.chars().count();
            if !span.text.trim().is_empty() {
                let blanks = span.text.chars().take_while(|c| *c == ' ').count();
                let text = span.text.trim();
                let x = MARGIN + (column + blanks) as f64 * ADVANCE;
                let wide = text.chars().count() as f64 * ADVANCE;
                let weight = if span.look.bold { " font-weight=\"bold\"" } else { "" };
                let (fill, text) = (span.look.fill(), escaped(text));
                let _ = writeln!(
                    out,
                    "<text x=\"{x:.1}\" y=\"{y:.1}\" textLength=\"{wide:.1}\" lengthAdjust=\"spacingAndGlyphs\" \
                     fill=\"{fill}\"{weight}>{text}</text>"
                );
            }
            column += length;
        }
    }
    out.push_str("</g>\n</svg>\n");
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_become_spans() {
        let line = "\u{1b}[1m\u{1b}[31mFAIL\u{1b}[0m plain \u{1b}[2mfaint\u{1b}[0m";
        let red = Look { bold: true, faint: false, colour: Some(31) };
        let faint = Look { faint: true, ..Look::default() };
        let span = |text: &str, look| Span { text: text.to_owned(), look };
        assert_eq!(spans(line), [span("FAIL", red), span(" plain ", Look::default()), span("faint", faint)]);
    }

    #[test]
    fn long_lines_are_cut_to_the_picture() {
        let line = spans(&format!("\u{1b}[1m{}\u{1b}[0m{}", "a".repeat(COLUMNS), "b".repeat(9)));
        let kept = cut(&line);
        assert_eq!(kept.iter().map(|span| span.text.chars().count()).sum::<usize>(), COLUMNS);
        assert!(kept.last().is_some_and(|span| span.text == "..."));
        let short = spans(&"c".repeat(COLUMNS));
        assert_eq!(cut(&short), short);
    }

    #[test]
    fn an_excerpt_holds_failures_that_wrote_something_and_the_last_line() {
        let text = "Run x\nFAIL a b: exit code 1\n\nFAIL c d: exit code 2\n  stderr:\n    why\n\n\
                    Failed tests:\n  FAIL a b\n      show\n  FAIL c d\n      show\nTook 1 ms\n0 passed, 2 failed, 0 skipped\n";
        let lines: Vec<String> =
            excerpt(text).iter().map(|line| line.iter().map(|span| span.text.as_str()).collect()).collect();
        assert_eq!(lines[1..3], ["Run x", "FAIL c d: exit code 2"]);
        assert!(lines.contains(&"FAIL a b: exit code 1".to_owned()));
        assert_eq!(lines.last().map(String::as_str), Some("0 passed, 2 failed, 0 skipped"));
    }
}
