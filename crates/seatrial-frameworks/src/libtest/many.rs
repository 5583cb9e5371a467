//! Many tests in one process (`execution = "binary"`).

use super::blocks::{Block, blocks};
use super::complaint;
use super::line::LineState;
use crate::end::{signal_name, without_a_word};
use crate::stream;
use seatrial_model::{Bytes, End, Outcome, Output};
use std::collections::BTreeSet;

/// What is known of the tests that shared a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Many {
    /// The tests of which libtest gave its word, in its order.
    pub results: Vec<ManyResult>,
    /// Set when the process as a whole went wrong: it crashed, ended early, or contradicts itself. Tests without a
    /// result are then to be run one by one; where that is not done they are errors.
    pub trouble: Option<(Outcome, String)>,
}

/// One test's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManyResult {
    /// The test's name.
    pub name: String,
    /// Pass, fail or skip. Nobody crashes here: which test it was that took the process along is not known, for with
    /// several threads a name without a result is that of a test that has just ended.
    pub outcome: Outcome,
    /// In words, when there is more to say.
    pub reason: Option<String>,
    /// What libtest captured and printed: the output of a failed test.
    pub output: Option<String>,
}

impl Many {
    /// Those of `wanted` that have no result.
    #[must_use]
    pub fn missing<'a>(&self, wanted: &[&'a str]) -> Vec<&'a str> {
        let known: BTreeSet<&str> = self.results.iter().map(|result| result.name.as_str()).collect();
        wanted.iter().copied().filter(|name| !known.contains(name)).collect()
    }
}

/// The arguments that make a test binary run the tests of these names in one process. `ignored` runs the ignored
/// among them too; `rest` is what the user wants passed on.
#[must_use]
pub fn many_args(names: &[&str], ignored: bool, rest: &[Bytes]) -> Vec<Bytes> {
    let mut args = vec![Bytes::from("--exact")];
    args.extend(ignored.then(|| Bytes::from("--include-ignored")));
    args.extend_from_slice(rest);
    args.extend(names.iter().map(|name| Bytes::from(*name)));
    args
}

/// What became of the tests in a process that captured their output.
///
/// Each test's line is its result, where the summary counts the same numbers. When lines are missing (a child process
/// wrote in between, or the process died), those that are there count; when there are more lines of a kind than the
/// summary counts, or libtest begins more than once, somebody else wrote some of them, and none counts.
#[must_use]
pub fn read_many(end: &End, output: &Output) -> Many {
    if let Some(trouble) = without_a_word(end) {
        return Many { results: Vec::new(), trouble: Some(trouble) };
    }
    let blocks = blocks(&stream::text(&output.stdout));
    let mut trouble = trouble_of_end(end, &blocks, output);
    // libtest begins once. When another libtest wrote in between, nobody can tell whose lines are whose.
    let mut results = if let [block] = blocks.as_slice() { results_of(block) } else { Vec::new() };
    if let Some(twice) = take_contradictions(&mut results) {
        trouble =
            trouble.or(Some((Outcome::Error, format!("libtest's lines name `{twice}` more than once"))));
    }
    Many { results, trouble }
}

fn trouble_of_end(end: &End, blocks: &[Block], output: &Output) -> Option<(Outcome, String)> {
    let disagreement = match blocks {
        [] => Some("libtest said nothing".to_owned()),
        [block] => block.disagreement(),
        [..] => blocks.iter().find_map(Block::disagreement).or_else(|| {
            Some(format!("libtest's output is mixed with that of others: it begins {} times", blocks.len()))
        }),
    };
    let failed = blocks.iter().any(|block| block.summary.is_some_and(|summary| !summary.ok));
    match end {
        End::Signal(number) => {
            let why = complaint::fatal_error(&stream::text(&output.stderr));
            let words =
                why.map_or_else(|| signal_name(*number), |why| format!("{}: {why}", signal_name(*number)));
            Some((Outcome::Crash, words))
        }
        End::Exit(0) | End::Exit(101) if disagreement.is_some() => {
            disagreement.map(|words| (Outcome::Error, words))
        }
        End::Exit(0) if failed => {
            Some((Outcome::Error, "libtest counts a failed test, though the exit code is 0".to_owned()))
        }
        End::Exit(0) => None,
        End::Exit(101) if failed => None,
        End::Exit(code) => Some((Outcome::Error, format!("exit code {code}"))),
        End::NotStarted { .. } | End::SlotLost => without_a_word(end),
    }
}

fn results_of(block: &Block) -> Vec<ManyResult> {
    let (passed, failed, ignored) = block.counts();
    let too_many = block.summary.is_some_and(|summary| {
        passed > summary.passed + summary.measured || failed > summary.failed || ignored > summary.ignored
    });
    if too_many {
        return Vec::new();
    }
    let result = |name: &str, state: &LineState| {
        let output = block.sections.get(name).cloned();
        let (outcome, reason) = match state {
            LineState::Ok => (Outcome::Pass, None),
            LineState::Failed => (Outcome::Fail, output.as_deref().and_then(complaint::in_section)),
            LineState::Ignored(reason) => (Outcome::Skip, reason.clone()),
        };
        ManyResult { name: name.to_owned(), outcome, reason, output }
    };
    block.lines.iter().map(|line| result(&line.name, &line.state)).collect()
}

/// Takes out the results of every name that is there more than once; gives one such name.
fn take_contradictions(results: &mut Vec<ManyResult>) -> Option<String> {
    let mut seen = BTreeSet::new();
    let twice: BTreeSet<String> =
        results.iter().filter(|result| !seen.insert(result.name.clone())).map(|r| r.name.clone()).collect();
    results.retain(|result| !twice.contains(&result.name));
    twice.into_iter().next()
}
