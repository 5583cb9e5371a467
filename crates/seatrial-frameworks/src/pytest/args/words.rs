//! pytest's command line word by word, as `argparse` reads it: which word is an option, which is the value of one.

use seatrial_model::Bytes;
use std::slice::Iter;

/// A piece of the command line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// No option, or one that nothing is known of: goes to pytest.
    Plain(Vec<Bytes>),
    /// An option with its value, and the words by which it goes to pytest.
    Option {
        /// The option's name with its dashes.
        name: String,
        /// Its value, when it takes one and has one.
        value: Option<String>,
        /// What goes to pytest; for options within a cluster, the first brings the cluster.
        words: Vec<Bytes>,
    },
    /// An option that Seatrial takes.
    Taken {
        /// The option's name with its dashes.
        name: String,
        /// Its value.
        value: Option<String>,
    },
}

/// pytest-xdist's options that Seatrial takes. All have values.
const TAKEN: [&str; 5] = ["-n", "--numprocesses", "--maxprocesses", "--dist", "--tx"];

/// Short options of pytest with a value. The rest of a cluster, or the next word, is that value.
const SHORT_VALUES: [char; 7] = ['k', 'm', 'c', 'p', 'r', 'o', 'W'];

/// Short options of pytest without a value.
const SHORT_FLAGS: [char; 7] = ['v', 'q', 'x', 's', 'l', 'h', 'V'];

/// Long options of pytest whose value is the next word when it does not stand behind `=`.
const LONG_VALUES: [&str; 52] = [
    "--maxfail",
    "--capture",
    "--pdbcls",
    "--tb",
    "--show-capture",
    "--lfnf",
    "--last-failed-no-failures",
    "--durations",
    "--durations-min",
    "--verbosity",
    "--report-chars",
    "--color",
    "--code-highlight",
    "--pastebin",
    "--junit-xml",
    "--junitxml",
    "--junit-prefix",
    "--junitprefix",
    "--pythonwarnings",
    "--max-warnings",
    "--ignore",
    "--ignore-glob",
    "--deselect",
    "--confcutdir",
    "--import-mode",
    "--doctest-report",
    "--doctest-glob",
    "--config-file",
    "--rootdir",
    "--basetemp",
    "--override-ini",
    "--assert",
    "--log-level",
    "--log-format",
    "--log-date-format",
    "--log-cli-level",
    "--log-cli-format",
    "--log-cli-date-format",
    "--log-file",
    "--log-file-mode",
    "--log-file-level",
    "--log-file-format",
    "--log-file-date-format",
    "--log-auto-indent",
    "--log-disable",
    "--reruns",
    "--reruns-delay",
    "--only-rerun",
    "--rerun-except",
    "--timeout",
    "--cov-config",
    "--alluredir",
];

/// The command line in pieces.
pub(super) fn words(args: &[Bytes]) -> Vec<Word> {
    let mut words = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg.0 == b"--" {
            // What follows are files and node ids, whatever they look like.
            let rest = args.by_ref().cloned();
            words.push(Word::Plain(std::iter::once(arg.clone()).chain(rest).collect()));
        } else if arg.0.starts_with(b"--") {
            words.push(long(arg, &mut args));
        } else if arg.0.len() > 1 && arg.0.starts_with(b"-") {
            words.extend(cluster(arg, &mut args));
        } else {
            words.push(Word::Plain(vec![arg.clone()]));
        }
    }
    words
}

fn long(arg: &Bytes, args: &mut Iter<'_, Bytes>) -> Word {
    let text = arg.to_text();
    let (name, inline) = match text.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (text.into_owned(), None),
    };
    let taken = TAKEN.contains(&name.as_str());
    let mut words = vec![arg.clone()];
    let value = inline.or_else(|| {
        let next = if taken || LONG_VALUES.contains(&name.as_str()) { args.next() } else { None }?;
        words.push(next.clone());
        Some(next.to_text().into_owned())
    });
    if taken { Word::Taken { name, value } } else { Word::Option { name, value, words } }
}

/// A word with one dash: one short option, or several flags and perhaps a last option with its value.
fn cluster(arg: &Bytes, args: &mut Iter<'_, Bytes>) -> Vec<Word> {
    let text = arg.to_text().into_owned();
    let option = |c: char, value, words| Word::Option { name: format!("-{c}"), value, words };
    let mut flags = String::new();
    for (at, letter) in text.char_indices().skip(1) {
        if SHORT_FLAGS.contains(&letter) {
            flags.push(letter);
            continue;
        }
        let takes = letter == 'n' || SHORT_VALUES.contains(&letter);
        if !takes {
            // A plug-in's letter may take the rest as its value, so nothing of it is read.
            break;
        }
        let rest = &text[at + letter.len_utf8()..];
        let next = if rest.is_empty() { args.next() } else { None };
        let inline = (!rest.is_empty()).then(|| rest.strip_prefix('=').unwrap_or(rest).to_owned());
        let value = inline.or_else(|| next.map(|next| next.to_text().into_owned()));
        if letter == 'n' {
            let cluster = (!flags.is_empty()).then(|| Bytes::from(format!("-{flags}")));
            let mut words = of_flags(&flags, cluster.into_iter().collect());
            words.push(Word::Taken { name: "-n".to_owned(), value });
            return words;
        }
        let mut words = of_flags(&flags, Vec::new());
        words.push(option(letter, value, std::iter::once(arg).chain(next).cloned().collect()));
        return words;
    }
    of_flags(&flags, vec![arg.clone()])
}

/// The flags of a cluster; the first brings the words that go to pytest.
fn of_flags(flags: &str, words: Vec<Bytes>) -> Vec<Word> {
    if flags.is_empty() {
        return if words.is_empty() { Vec::new() } else { vec![Word::Plain(words)] };
    }
    let mut words = Some(words);
    let flag = |letter| Word::Option {
        name: format!("-{letter}"),
        value: None,
        words: words.take().unwrap_or_default(),
    };
    flags.chars().map(flag).collect()
}
