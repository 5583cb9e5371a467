//! libtest's own lines taken out of a test's output, for the eye only.
//!
//! A test runs alone in its process with `--nocapture`, so its stdout holds libtest's report on this one test around
//! and between its own lines. Our header says the same. Only exact forms go, only when the output began as libtest's
//! does, and only in what is shown: what is recorded stays whole.

#[cfg(test)]
mod tests;

/// Takes libtest's lines out of one test's stdout; fed its head first, then its tail.
pub(crate) struct Noise<'a> {
    /// The test's name as libtest prints it.
    name: &'a str,
    /// `running 1 test` was seen: this is libtest's output.
    libtest: bool,
    /// `test NAME ... FAILED` was seen: a section of failures follows.
    failed: bool,
    /// The list of names that ends the section of failures has begun.
    list: bool,
}

/// What a line is.
enum Line<'a> {
    /// libtest's.
    Noise,
    /// The test's, followed by libtest's without a line end between.
    Before(&'a str),
    /// The test's.
    Own,
}

impl<'a> Noise<'a> {
    /// For the output of the test of this name.
    pub(crate) fn new(name: &'a str) -> Self {
        Self { name, libtest: false, failed: false, list: false }
    }

    /// `piece` without libtest's lines and without the empty lines beside them.
    pub(crate) fn strip(&mut self, piece: &str) -> String {
        let mut kept = String::with_capacity(piece.len());
        let mut empty = String::new();
        let mut after_noise = false;
        for line in piece.split_inclusive('\n') {
            let bare = line.trim_end_matches(['\n', '\r']);
            if bare.is_empty() {
                if !after_noise {
                    empty.push_str(line);
                }
                continue;
            }
            let what = self.read(bare);
            match what {
                Line::Noise => {
                    empty.clear();
                    after_noise = true;
                }
                Line::Before(own) => {
                    kept.push_str(&std::mem::take(&mut empty));
                    kept.push_str(own);
                    kept.push('\n');
                    after_noise = true;
                }
                Line::Own => {
                    kept.push_str(&std::mem::take(&mut empty));
                    kept.push_str(line);
                    after_noise = false;
                }
            }
        }
        kept.push_str(&empty);
        kept
    }

    fn read<'b>(&mut self, line: &'b str) -> Line<'b> {
        if is_running(line) {
            self.libtest = true;
            return Line::Noise;
        }
        if !self.libtest {
            return Line::Own;
        }
        if let Some(own) = self.before_result(line) {
            return if own.is_empty() { Line::Noise } else { Line::Before(own) };
        }
        if self.failed && line == "failures:" {
            self.list = true;
            return Line::Noise;
        }
        let name = self.name;
        let named = |before: &str, after: &str| {
            line.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)).is_some_and(|l| l == name)
        };
        if is_result(line)
            || (self.list && named("    ", ""))
            || (self.failed && named("---- ", " stdout ----"))
        {
            return Line::Noise;
        }
        self.list = false;
        Line::Own
    }

    /// What stands before `test NAME ... ok` or `test NAME ... FAILED` when the line ends so.
    fn before_result<'b>(&mut self, line: &'b str) -> Option<&'b str> {
        let (line, failed) = match line.strip_suffix(" ... FAILED") {
            Some(line) => (line, true),
            None => (line.strip_suffix(" ... ok")?, false),
        };
        let line = line.strip_suffix(" - should panic").unwrap_or(line);
        let own = line.strip_suffix(self.name)?.strip_suffix("test ")?;
        self.failed |= failed;
        Some(own)
    }
}

/// `running 1 test`, `running 12 tests`.
fn is_running(line: &str) -> bool {
    line.strip_prefix("running ")
        .and_then(|rest| rest.strip_suffix(" tests").or_else(|| rest.strip_suffix(" test")))
        .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// `test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 4 filtered out; finished in 0.08s`
fn is_result(line: &str) -> bool {
    let Some(rest) =
        line.strip_prefix("test result: ok. ").or_else(|| line.strip_prefix("test result: FAILED. "))
    else {
        return false;
    };
    let parts: Vec<&str> = rest.split("; ").collect();
    let words = [" passed", " failed", " ignored", " measured", " filtered out"];
    parts.len() == 6
        && parts.iter().zip(words).all(|(part, word)| part.ends_with(word))
        && parts[5].starts_with("finished in ")
}
