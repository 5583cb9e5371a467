//! The live region on a small model of a terminal.

use seatrial_report::live::Frame;

/// Rows that grow downwards without end, a cursor, and the last column's habit of not moving on until it must.
struct Screen {
    rows: Vec<Vec<char>>,
    row: usize,
    column: usize,
    width: usize,
}

impl Screen {
    fn new(width: usize) -> Self {
        Self { rows: vec![Vec::new()], row: 0, column: 0, width }
    }

    fn write(&mut self, text: &str) {
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '\r' => self.column = 0,
                '\n' => {
                    self.column = 0;
                    self.down();
                }
                '\x1b' => {
                    assert_eq!(chars.next(), Some('['));
                    let mut number = String::new();
                    let code = loop {
                        match chars.next().unwrap() {
                            c if c.is_ascii_digit() || c == ';' => number.push(c),
                            c => break c,
                        }
                    };
                    self.control(code, number.parse().unwrap_or(0));
                }
                _ => {
                    if self.column == self.width {
                        self.column = 0;
                        self.down();
                    }
                    let row = &mut self.rows[self.row];
                    row.resize(row.len().max(self.column + 1), ' ');
                    row[self.column] = c;
                    self.column += 1;
                }
            }
        }
    }

    fn down(&mut self) {
        self.row += 1;
        self.rows.resize_with(self.rows.len().max(self.row + 1), Vec::new);
    }

    fn control(&mut self, code: char, number: usize) {
        match code {
            'A' => self.row = self.row.checked_sub(number).expect("the cursor stays on the screen"),
            // As xterm does it: a cursor that waits at the end of a full row stands on its last column.
            'K' => self.rows[self.row].truncate(self.column.min(self.width - 1)),
            'J' => {
                self.rows[self.row].truncate(self.column.min(self.width - 1));
                self.rows.truncate(self.row + 1);
            }
            'm' => {}
            other => panic!("unexpected control `{other}`"),
        }
    }

    fn text(&self) -> Vec<String> {
        let mut rows: Vec<String> =
            self.rows.iter().map(|row| row.iter().collect::<String>().trim_end().to_owned()).collect();
        while rows.last().is_some_and(String::is_empty) {
            rows.pop();
        }
        rows
    }
}

/// A line as the rows it takes.
fn wrapped(line: &str, width: usize) -> Vec<String> {
    let chars: Vec<char> = line.chars().collect();
    if chars.is_empty() {
        return vec![String::new()];
    }
    chars.chunks(width).map(|chunk| chunk.iter().collect()).collect()
}

/// Every order of three drawings, from all kinds of scroll text and region: what stays is all that scrolled and the
/// last region below it, and nothing else.
#[test]
fn every_order_of_drawings_leaves_a_clean_screen() {
    const WIDTH: usize = 8;
    let scrolls = ["", "one\n", "no end", "exactly8\n", "more than one row\n", "a\n\nbcd\n", "\n"];
    let regions: [&[&str]; 6] = [
        &[],
        &["bar"],
        &["bar", "r 1", "r 2"],
        &["exactly8", "x"],
        &["\x1b[31mfar too wide\x1b[0m", "y"],
        &["", "z"],
    ];
    let choices: Vec<_> = scrolls.iter().flat_map(|s| regions.iter().map(move |r| (*s, *r))).collect();
    for a in &choices {
        for b in &choices {
            for c in &choices {
                let (mut screen, mut frame) = (Screen::new(WIDTH), Frame::new());
                let mut want = Vec::new();
                for (scroll, region) in [a, b, c] {
                    let region: Vec<String> = region.iter().map(|line| (*line).to_owned()).collect();
                    screen.write(&frame.draw(scroll, &region, WIDTH));
                    if !scroll.is_empty() {
                        let lines = scroll.strip_suffix('\n').unwrap_or(scroll).split('\n');
                        want.extend(lines.flat_map(|line| wrapped(line, WIDTH)));
                    }
                }
                let mut with_region = want.clone();
                with_region.extend(
                    c.1.iter().map(|line| if line.contains('\x1b') { "far too…" } else { line }.to_owned()),
                );
                while with_region.last().is_some_and(String::is_empty) {
                    with_region.pop();
                }
                assert_eq!(screen.text(), with_region, "{a:?} {b:?} {c:?}");
                screen.write(&frame.clear());
                while want.last().is_some_and(String::is_empty) {
                    want.pop();
                }
                assert_eq!(screen.text(), want, "cleared: {a:?} {b:?} {c:?}");
            }
        }
    }
}

#[test]
fn what_does_not_change_is_not_written() {
    let mut frame = Frame::new();
    let region = ["bar".to_owned()];
    assert_eq!(frame.draw("", &region, 80), "bar\x1b[K\n");
    assert_eq!(frame.draw("", &region, 80), "");
    assert_eq!(frame.draw("text\n", &region, 80), "\r\x1b[1Atext\x1b[K\nbar\x1b[K\n\x1b[J");
    assert_eq!(frame.clear(), "\r\x1b[1A\x1b[J");
    assert_eq!(frame.clear(), "");
}

/// A terminal that becomes narrower breaks the old lines in two; the cursor goes up over all of their rows.
#[test]
fn a_narrower_terminal_has_more_rows() {
    let mut frame = Frame::new();
    frame.draw("", &["0123456789".to_owned(), "ab".to_owned(), String::new()], 10);
    assert!(frame.draw("", &["x".to_owned()], 4).starts_with("\r\x1b[5A"));
    assert!(frame.draw("", &["y".to_owned()], 0).starts_with("\r\x1b[1A"));
}

#[test]
fn tabs_may_hide_how_wide_a_line_is() {
    let mut frame = Frame::new();
    frame.draw("", &["bar".to_owned()], 80);
    assert!(frame.draw("a\tb\n", &[], 80).contains("\x1b[Ja\tb"), "everything below is cleared first");
}
