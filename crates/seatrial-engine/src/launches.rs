//! Launches made ready for slots: looked up, joined, opened once for all their jobs.

use seatrial_model::{Bytes, Launch};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A launch as slots take it.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) program: Vec<u8>,
    pub(crate) args: Vec<Bytes>,
    pub(crate) cwd: Vec<u8>,
    /// True when jobs are told about themselves in nextest's variables too.
    pub(crate) for_nextest: bool,
    /// Of a program that stays in its slot.
    pub(crate) warm: Option<Warming>,
    /// `NAME=value`, with the length of each name.
    vars: Vec<(usize, Vec<u8>)>,
}

/// What a program that stays in its slot is told.
#[derive(Debug)]
pub(crate) struct Warming {
    pub(crate) first: Vec<u8>,
    /// Before its first job, once it is known.
    pub(crate) second: Option<Vec<u8>>,
    pub(crate) last: Bytes,
}

impl Prepared {
    /// Looks the program up as a shell does.
    pub(crate) fn new(launch: &Launch) -> Self {
        let program = look_up(launch);
        let vars = launch
            .env
            .iter()
            .map(|(name, value)| (name.len(), [name.0.as_slice(), b"=", value.0.as_slice()].concat()))
            .collect();
        let args = std::iter::once(launch.program.clone()).chain(launch.args.iter().cloned()).collect();
        let for_nextest = launch.env.iter().any(|(name, _)| name.0 == b"NEXTEST");
        let warm = launch.warm.as_ref().map(|warm| Warming {
            first: warm.first_packet.0.clone(),
            second: None,
            last: warm.last_job.clone(),
        });
        Self { program, args, cwd: launch.cwd.0.clone(), for_nextest, warm, vars }
    }

    /// All variables: the launch's, except those that `more` names again, then `more`.
    pub(crate) fn vars_with<'a>(&'a self, more: &'a [Vec<u8>]) -> Vec<&'a [u8]> {
        let is_replaced = |length: usize, var: &[u8]| {
            // Names are compared with the `=` behind them, and only where it stands at the same place.
            more.iter().any(|other| other.get(length) == Some(&b'=') && other[..length] == var[..length])
        };
        let kept = self.vars.iter().filter(|(length, var)| !is_replaced(*length, var));
        kept.map(|(_, var)| var.as_slice()).chain(more.iter().map(Vec::as_slice)).collect()
    }
}

fn look_up(launch: &Launch) -> Vec<u8> {
    let program = Path::new(OsStr::from_bytes(&launch.program.0));
    let cwd = Path::new(OsStr::from_bytes(&launch.cwd.0));
    if launch.program.0.contains(&b'/') {
        return cwd.join(program).as_os_str().as_bytes().to_vec();
    }
    let path = launch.env.iter().find(|(name, _)| name.0 == b"PATH").map(|(_, value)| value.0.clone());
    let path = path.unwrap_or_else(|| b"/usr/local/bin:/usr/bin:/bin".to_vec());
    let executable =
        |path: &PathBuf| path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok();
    std::env::split_paths(OsStr::from_bytes(&path))
        .map(|dir| cwd.join(dir).join(program))
        .find(executable)
        .map_or_else(|| launch.program.0.clone(), |path| path.as_os_str().as_bytes().to_vec())
}
