//! Rust source without its comments and the contents of its literals, so that words can be looked for in code alone.

/// The source with blanks in place of comments and of what stands in quotes; lines and columns stay.
pub(super) fn blanked(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut blanked = chars.clone();
    let mut at = 0;
    while at < chars.len() {
        let end = match (chars[at], chars.get(at + 1)) {
            ('/', Some('/')) => at + chars[at..].iter().take_while(|c| **c != '\n').count(),
            ('/', Some('*')) => block_comment(&chars, at),
            ('"', _) => string(&chars, at, raw_marks(&chars, at)),
            ('\'', _) => character(&chars, at),
            _ => at + 1,
        };
        if end > at + 1 {
            for c in &mut blanked[at..end] {
                if *c != '\n' {
                    *c = ' ';
                }
            }
        }
        at = end.max(at + 1);
    }
    blanked.into_iter().collect()
}

fn block_comment(chars: &[char], start: usize) -> usize {
    let (mut depth, mut at) = (0, start);
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

/// How many `#` a raw string's quote carries; none for a plain string.
fn raw_marks(chars: &[char], quote: usize) -> Option<usize> {
    let marks = chars[..quote].iter().rev().take_while(|c| **c == '#').count();
    let letter = quote.checked_sub(marks + 1)?;
    (chars[letter] == 'r').then_some(marks)
}

fn string(chars: &[char], quote: usize, raw: Option<usize>) -> usize {
    let mut at = quote + 1;
    while at < chars.len() {
        match (chars[at], raw) {
            ('\\', None) => at += 1,
            ('"', None) => return at + 1,
            ('"', Some(marks))
                if chars[at + 1..].iter().take(marks).filter(|c| **c == '#').count() == marks =>
            {
                return at + 1 + marks;
            }
            _ => {}
        }
        at += 1;
    }
    chars.len()
}

/// A character literal's end; for a lifetime just the next place.
fn character(chars: &[char], quote: usize) -> usize {
    match chars.get(quote + 1) {
        Some('\\') => {
            let rest = chars.get(quote + 3..).unwrap_or_default();
            quote + 4 + rest.iter().take_while(|c| **c != '\'').count()
        }
        Some(_) if chars.get(quote + 2) == Some(&'\'') => quote + 3,
        _ => quote + 1,
    }
}

/// True when a word stands in the text by itself.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    let joins = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(joins) && !text[at + word.len()..].starts_with(joins))
}
