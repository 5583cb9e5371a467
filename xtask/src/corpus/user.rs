//! Somebody else to build and run as.

use crate::process::{Result, output};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A user of this machine.
pub(crate) struct User {
    pub(crate) name: String,
    uid: u32,
    gid: u32,
    home: PathBuf,
}

impl User {
    /// Looks the user up.
    pub(crate) fn find(name: &str) -> Result<Self> {
        let line = output(Command::new("getent").args(["passwd", name]))
            .map_err(|_| format!("there is no user `{name}` on this machine"))?;
        let line = String::from_utf8_lossy(&line).trim().to_owned();
        let fields: Vec<&str> = line.split(':').collect();
        let number = |at: usize| fields.get(at).and_then(|field| field.parse().ok());
        match (number(2), number(3), fields.get(5)) {
            (Some(uid), Some(gid), Some(home)) => {
                Ok(Self { name: name.to_owned(), uid, gid, home: home.into() })
            }
            _ => Err(format!("the entry of user `{name}` cannot be read: {line}")),
        }
    }

    /// Lets a command run as this user.
    pub(crate) fn run(&self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid).env("HOME", &self.home).env("USER", &self.name);
        command.env("LOGNAME", &self.name);
    }

    /// Gives a folder and all in it to this user.
    pub(crate) fn own(&self, folder: &Path) -> Result<()> {
        output(Command::new("chown").arg("-R").arg(format!("{}:{}", self.uid, self.gid)).arg(folder))
            .map(drop)
    }
}
