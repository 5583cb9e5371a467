//! The environment of a test's process: what cargo gave the binary, without Seatrial's tools, with its signs.

use seatrial_model::{Attempt, Bytes, RunId, SlotId};
use std::collections::BTreeMap;

/// Variables that begin like this are between Seatrial and its shim.
pub const SHIM_PREFIX: &str = "SEATRIAL_SHIM_";

/// What to make of a shim call's environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Additions<'a> {
    /// The variables by which cargo was made to call the shim, each with the value that the user had given it.
    pub runners: &'a [(String, Option<Bytes>)],
    /// The run.
    pub run: Option<RunId>,
    /// The binary's group.
    pub group: &'a str,
    /// The workspace's directory.
    pub workspace_root: Option<&'a [u8]>,
    /// The package's programs by name, for cargo before 1.94, which gives tests no `CARGO_BIN_EXE_...` at run time.
    pub programs: &'a [(String, Bytes)],
}

/// The environment that all tests of a binary share, made from what cargo gave the shim.
///
/// Out goes what is Seatrial's or leads nowhere: the shim's variables, the runner that stands for the shim (the
/// user's own comes back), and make's job server, whose file descriptors are not passed on. In comes what nextest
/// sets (<https://nexte.st/docs/configuration/env-vars/>), and Seatrial's own.
#[must_use]
pub fn environment(shim_env: &[(Vec<u8>, Vec<u8>)], additions: &Additions<'_>) -> Vec<(Bytes, Bytes)> {
    let mut env: Vec<(Bytes, Bytes)> = shim_env
        .iter()
        .filter(|(key, value)| !is_left_out(key, value, additions))
        .map(|(key, value)| (Bytes::from(key.as_slice()), Bytes::from(value.as_slice())))
        .collect();
    let users = additions.runners.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?)));
    let run = additions.run.map(|run| run.to_string()).unwrap_or_default();
    let mut added: BTreeMap<Bytes, Bytes> = users.map(|(key, value)| (key.into(), value)).collect();
    for (name, path) in additions.programs {
        added.insert(format!("CARGO_BIN_EXE_{name}").into(), path.clone());
    }
    added.extend(program_variables(shim_env, additions.programs));
    let own: [(&str, Bytes); 8] = [
        ("NEXTEST", "1".into()),
        ("NEXTEST_EXECUTION_MODE", "process-per-test".into()),
        ("NEXTEST_RUN_ID", run.clone().into()),
        ("NEXTEST_BINARY_ID", additions.group.into()),
        ("NEXTEST_WORKSPACE_ROOT", additions.workspace_root.unwrap_or_default().into()),
        ("SEATRIAL", "1".into()),
        ("SEATRIAL_RUN_ID", run.into()),
        ("SEATRIAL_GROUP", additions.group.into()),
    ];
    added.extend(
        own.into_iter().filter(|(_, value)| !value.is_empty()).map(|(key, value)| (key.into(), value)),
    );
    env.retain(|(key, _)| !added.contains_key(key));
    env.extend(added);
    env
}

/// What one test's process gets beside [`environment`].
#[must_use]
pub fn of_job(test: &str, attempt: Attempt, slot: Option<SlotId>) -> Vec<(Bytes, Bytes)> {
    let attempt = attempt.0.to_string();
    let mut env: Vec<(Bytes, Bytes)> = vec![
        ("NEXTEST_TEST_NAME".into(), test.into()),
        ("NEXTEST_ATTEMPT".into(), attempt.clone().into()),
        ("SEATRIAL_TEST".into(), test.into()),
        ("SEATRIAL_ATTEMPT".into(), attempt.into()),
    ];
    if let Some(SlotId(slot)) = slot {
        env.push(("NEXTEST_TEST_GLOBAL_SLOT".into(), slot.to_string().into()));
        env.push(("SEATRIAL_SLOT".into(), slot.to_string().into()));
    }
    env
}

fn is_left_out(key: &[u8], value: &[u8], additions: &Additions<'_>) -> bool {
    let make = matches!(key, b"MAKEFLAGS" | b"MFLAGS" | b"CARGO_MAKEFLAGS");
    key.starts_with(SHIM_PREFIX.as_bytes())
        || additions.runners.iter().any(|(runner, _)| runner.as_bytes() == key)
        || (make && value.windows(11).any(|part| part == b"--jobserver"))
}

/// `NEXTEST_BIN_EXE_<name>` for each of the package's programs, and the same with `_` for each `-`, which a shell
/// cannot have in a name.
fn program_variables(shim_env: &[(Vec<u8>, Vec<u8>)], programs: &[(String, Bytes)]) -> Vec<(Bytes, Bytes)> {
    let from_cargo = shim_env.iter().filter_map(|(key, value)| {
        Some((key.strip_prefix(b"CARGO_BIN_EXE_")?.to_vec(), Bytes::from(value.as_slice())))
    });
    let given = programs.iter().map(|(name, path)| (name.as_bytes().to_vec(), path.clone()));
    given
        .chain(from_cargo)
        .flat_map(|(name, path)| {
            let plain: Vec<u8> = name.iter().map(|byte| if *byte == b'-' { b'_' } else { *byte }).collect();
            [(name, path.clone()), (plain, path)]
        })
        .map(|(name, path)| (Bytes::from([b"NEXTEST_BIN_EXE_".as_slice(), &name].concat()), path))
        .collect()
}
