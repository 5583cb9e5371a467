//! The live region on a terminal: one string that puts a new one in the place of the old.

use crate::text;

/// Clears from the cursor to the end of its line.
const CLEAR_LINE: &str = "\x1b[K";
/// Clears from the cursor to the end of the screen.
const CLEAR_BELOW: &str = "\x1b[J";

/// What the live region on the screen looks like now.
///
/// The region is drawn over in place, line by line, and nothing is cleared that is then written again: so it does not
/// flicker. Between calls the cursor stands at the beginning of the line below the region; whoever writes to the
/// terminal by other ways calls [`Frame::clear`] first.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    region: Vec<String>,
    width: usize,
}

impl Frame {
    /// Nothing is drawn yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The string that writes `scroll` (text of whole lines, which stays) where the old region began and draws
    /// `region` below it, each line cut to `width` columns. Empty when nothing changes.
    pub fn draw(&mut self, scroll: &str, region: &[String], width: usize) -> String {
        let region: Vec<String> = region.iter().map(|line| text::cut(line, width)).collect();
        if scroll.is_empty() && region == self.region && width == self.width {
            return String::new();
        }
        let mut out = self.back(width);
        if !scroll.is_empty() {
            for line in scroll.strip_suffix('\n').unwrap_or(scroll).split('\n') {
                write_line(line, width, &mut out);
            }
        }
        for line in &region {
            write_line(line, width, &mut out);
        }
        if !self.region.is_empty() {
            out.push_str(CLEAR_BELOW);
        }
        self.region = region;
        self.width = width;
        out
    }

    /// The string that takes the region off the screen.
    pub fn clear(&mut self) -> String {
        self.draw("", &[], self.width)
    }

    /// Back to where the region begins. When the terminal became narrower, it has broken the longer lines in two.
    fn back(&self, width: usize) -> String {
        let rows: usize =
            self.region.iter().map(|line| text::width(line).div_ceil(width.max(1)).max(1)).sum();
        if rows == 0 { String::new() } else { format!("\r\x1b[{rows}A") }
    }
}

/// Writes a line over what stands there. Clearing comes after the text, so that nothing blinks. A line that fills its
/// row leaves nothing to clear (and the cursor on its last column, where clearing would take a character). A longer
/// one, or one whose width tabs hide, goes on over the rows below: before it everything below is cleared.
fn write_line(line: &str, width: usize, out: &mut String) {
    let columns = text::width(line);
    if columns > width || line.contains('\t') {
        out.push_str(CLEAR_BELOW);
    }
    out.push_str(line);
    if columns < width {
        out.push_str(CLEAR_LINE);
    }
    out.push('\n');
}
