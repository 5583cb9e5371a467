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
    let known: Vec<(String, bool)> = command
        .get_arguments()
        .filter_map(|arg| {
            let takes_value = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
            Some((format!("--{}", arg.get_long()?), takes_value))
        })
        .collect();
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
            match known.iter().find(|(known, _)| known == name) {
                Some((_, takes_value)) => {
                    ours.push(arg.clone());
                    if *takes_value && !text.contains('=') {
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

/// The current directory.
pub(crate) fn current_dir() -> Result<std::path::PathBuf, Error> {
    std::env::current_dir()
        .map_err(|error| Error::new(USAGE, format!("the current directory cannot be used: {error}")))
}
