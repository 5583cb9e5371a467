//! A captured stream as text.

use seatrial_model::Captured;

/// What is kept of a stream, as text: a line break stands for the middle that is not kept, so that the two ends
/// never join into a line nobody wrote. Escape sequences for colours are taken out.
pub(crate) fn text(stream: &Captured) -> String {
    let mut bytes = stream.head.0.clone();
    if stream.left_out() > 0 {
        bytes.push(b'\n');
    }
    bytes.extend_from_slice(&stream.tail.0);
    plain(&String::from_utf8_lossy(&bytes))
}

/// `text` without escape sequences: `ESC [ ... letter`, and the `ESC ( B` that terminfo's reset begins with.
pub(crate) fn plain(text: &str) -> String {
    if !text.contains('\x1b') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\x1b' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('[') => drop(chars.by_ref().find(|c| ('@'..='~').contains(c))),
            Some('(') => drop(chars.next()),
            Some(_) | None => {}
        }
    }
    out
}
