//! Our options among a framework's own.

use crate::exit::{Error, USAGE};
use clap::{ArgAction, Parser};
use seatrial_model::Bytes;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// Takes the options of `P` out of the arguments before `--`; the rest is the framework's, in its order, `--` and what
/// follows it included. Options named in `both` are for both.
///
/// Wrong values and `--help` end the process, as clap does it.
pub(crate) fn separate<P: Parser>(args: &[OsString], both: &[&str]) -> (P, Vec<Bytes>) {
    let command = P::command();
    let known: Vec<Known> = command.get_arguments().map(Known::of).collect();
    let mut ours = vec![OsString::from(command.get_name())];
    let mut theirs = Vec::new();
    let mut args_left = args.iter();
    while let Some(arg) = args_left.next() {
        if arg == "--" {
            theirs.push(Bytes(arg.clone().into_vec()));
            theirs.extend(args_left.by_ref().map(|arg| Bytes(arg.clone().into_vec())));
        } else if arg == "--help" || arg == "-h" {
            ours.push(arg.clone());
        } else {
            let text = arg.to_string_lossy();
            let name = text.split('=').next().unwrap_or_default();
            match known.iter().find_map(|known| known.in_one_word(&text, name)) {
                Some(in_one_word) => {
                    ours.push(arg.clone());
                    if !in_one_word {
                        ours.extend(args_left.next().cloned());
                    }
                    if both.contains(&name) {
                        theirs.push(Bytes(arg.clone().into_vec()));
                    }
                }
                None => theirs.push(Bytes(arg.clone().into_vec())),
            }
        }
    }
    match P::try_parse_from(ours) {
        Ok(own) => (own, theirs),
        Err(error) => error.exit(),
    }
}

/// An option of ours.
struct Known {
    long: Option<String>,
    short: Option<String>,
    takes_value: bool,
}

impl Known {
    fn of(arg: &clap::Arg) -> Self {
        Self {
            long: arg.get_long().map(|long| format!("--{long}")),
            short: arg.get_short().map(|short| format!("-{short}")),
            takes_value: matches!(arg.get_action(), ArgAction::Set | ArgAction::Append),
        }
    }

    /// Whether a word that is this option needs no other for its value; `None` when it is another option.
    fn in_one_word(&self, text: &str, name: &str) -> Option<bool> {
        if self.long.as_deref() == Some(name) {
            return Some(!self.takes_value || text.contains('='));
        }
        let rest = text.strip_prefix(self.short.as_deref()?)?;
        match self.takes_value {
            true => Some(!rest.is_empty()),
            false => rest.is_empty().then_some(true),
        }
    }
}

/// The current directory.
pub(crate) fn current_dir() -> Result<std::path::PathBuf, Error> {
    std::env::current_dir()
        .map_err(|error| Error::new(USAGE, format!("the current directory cannot be used: {error}")))
}
