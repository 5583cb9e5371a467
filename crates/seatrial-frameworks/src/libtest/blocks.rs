//! The output of a libtest (or rustdoc) that runs many tests, taken apart.
//!
//! A block is `running N tests`, then a line a test, then the failures' captured output, then the summary. A rustdoc
//! process writes several; text of other origin may stand between the lines.

use super::line::{LineState, Summary, TestLine, parse_summary, parse_test_line};
use std::collections::BTreeMap;

/// One `running N tests` with what belongs to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    /// The number of tests that it announces.
    pub(crate) announced: usize,
    /// The tests' lines in order.
    pub(crate) lines: Vec<TestLine>,
    /// Captured output by test.
    pub(crate) sections: BTreeMap<String, String>,
    /// The summary, when there is one that agrees with the lines, or any at the block's end.
    pub(crate) summary: Option<Summary>,
}

impl Block {
    fn count(&self, like: impl Fn(&LineState) -> bool) -> usize {
        self.lines.iter().filter(|line| like(&line.state)).count()
    }

    /// How many lines say that a test passed, failed, is ignored.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        (
            self.count(|state| *state == LineState::Ok),
            self.count(|state| *state == LineState::Failed),
            self.count(|state| matches!(state, LineState::Ignored(_))),
        )
    }

    fn agrees_with(&self, summary: &Summary) -> bool {
        self.counts() == (summary.passed + summary.measured, summary.failed, summary.ignored)
            && summary.ok == (summary.failed == 0)
    }

    /// What is wrong with the block in words, when its lines and its numbers do not agree.
    pub(crate) fn disagreement(&self) -> Option<String> {
        let (passed, failed, ignored) = self.counts();
        let found = self.lines.len();
        match self.summary {
            None => Some(format!("ended early: {} announced, {found} reported", tests(self.announced))),
            Some(summary) if !self.agrees_with(&summary) => Some(format!(
                "libtest's summary counts {} passed, {} failed, {} ignored; its lines say {passed}, {failed}, {ignored}",
                summary.passed + summary.measured,
                summary.failed,
                summary.ignored
            )),
            Some(_) if found != self.announced => {
                Some(format!("libtest announced {} and reported {found}", tests(self.announced)))
            }
            Some(_) => None,
        }
    }
}

fn tests(count: usize) -> String {
    if count == 1 { "1 test".to_owned() } else { format!("{count} tests") }
}

/// Takes `text` apart.
pub(crate) fn blocks(text: &str) -> Vec<Block> {
    let mut reader = Reader::default();
    for line in text.split_inclusive('\n') {
        reader.line(line);
    }
    reader.close();
    reader.done
}

/// Where in a block the reader is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Among the tests' lines.
    Lines,
    /// After the first `failures:` (or `successes:`): captured output and names.
    Sections,
}

#[derive(Default)]
struct Reader {
    done: Vec<Block>,
    open: Option<(Block, Part)>,
    /// The section being read: its test and its text so far.
    section: Option<(String, String)>,
}

impl Reader {
    fn line(&mut self, whole: &str) {
        let line = whole.strip_suffix('\n').unwrap_or(whole);
        let in_lines = !matches!(self.open, Some((_, Part::Sections)));
        if let Some(announced) = parse_announcement(line)
            && in_lines
        {
            self.close();
            self.open = Some((Block { announced, ..Block::default() }, Part::Lines));
            return;
        }
        let Some((block, part)) = &mut self.open else { return };
        if let Some(summary) = parse_summary(line) {
            // In the sections, a summary that does not agree is a test's own output; so is one that comes where no
            // other follows, but then it is kept as the block's word, for the disagreement to be told.
            block.summary = Some(summary);
            if block.agrees_with(&summary) && block.lines.len() == block.announced {
                self.close();
                return;
            }
        }
        match part {
            Part::Lines => read_line(block, part, line, whole.ends_with('\n')),
            Part::Sections => self.section_line(line, whole),
        }
    }

    fn section_line(&mut self, line: &str, whole: &str) {
        let heading = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----"));
        match (heading, &mut self.section) {
            (Some(name), _) => {
                self.end_section();
                self.section = Some((name.to_owned(), String::new()));
            }
            (None, Some(_)) if line == "failures:" => self.end_section(),
            (None, Some((_, text))) => text.push_str(whole),
            (None, None) => {}
        }
    }

    fn end_section(&mut self) {
        if let (Some((name, text)), Some((block, _))) = (self.section.take(), &mut self.open) {
            block.sections.insert(name, text.trim_end_matches('\n').to_owned() + "\n");
        }
    }

    fn close(&mut self) {
        self.end_section();
        self.done.extend(self.open.take().map(|(block, _)| block));
    }
}

fn read_line(block: &mut Block, part: &mut Part, line: &str, complete: bool) {
    if let Some(test) = parse_test_line(line).filter(|_| complete) {
        block.lines.push(test);
    } else if line == "failures:" || line == "successes:" {
        *part = Part::Sections;
    }
}

/// The number in `running N tests`.
fn parse_announcement(line: &str) -> Option<usize> {
    let rest = line.strip_prefix("running ")?;
    rest.strip_suffix(" tests").or_else(|| rest.strip_suffix(" test"))?.parse().ok()
}
