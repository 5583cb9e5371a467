//! Where a corpus works, with which Seatrial and as whom.

use super::user::User;
use crate::process::{Result, any_output, build_seatrial, native, target_dir, words, write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

/// A build or run ends after this many seconds, as a project that could not be compared.
const LIMIT: &str = "900";

/// The working folder, the binary, the user.
pub(crate) struct Place {
    pub(crate) work: PathBuf,
    pub(crate) user: Option<User>,
    pub(crate) seatrial: PathBuf,
}

/// What of the command line says where, and as whom.
#[derive(Default)]
pub(crate) struct Asked<'w> {
    work: Option<&'w str>,
    user: Option<&'w str>,
}

impl<'w> Asked<'w> {
    /// Takes the value of `--work` or `--user`; false for any other word.
    pub(crate) fn take(&mut self, word: &str, value: &mut dyn FnMut() -> Result<&'w str>) -> Result<bool> {
        match word {
            "--work" => self.work = Some(value()?),
            "--user" => self.user = Some(value()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Builds Seatrial and makes the folder, by default `default` in cargo's target directory.
    pub(crate) fn place(&self, default: &str) -> Result<Place> {
        let mut work = match self.work {
            Some(given) => std::path::absolute(given).map_err(|error| error.to_string())?,
            None => target_dir().join(default),
        };
        let user = self.user.map(User::find).transpose()?;
        if let Some(user) = &user {
            work = work.join(format!("as-{}", user.name));
        }
        std::fs::create_dir_all(&work).map_err(|error| format!("{}: {error}", work.display()))?;
        let mut seatrial = build_seatrial()?;
        if user.is_some() {
            // The other user may not be able to reach the repository.
            let copy = work.join("seatrial");
            std::fs::copy(&seatrial, &copy).map_err(|error| format!("{}: {error}", copy.display()))?;
            seatrial = copy;
        }
        Ok(Place { work, user, seatrial })
    }
}

impl Place {
    /// Gives all that was made so far to the user, if there is one.
    pub(crate) fn hand_over(&self) -> Result<()> {
        self.user.as_ref().map_or(Ok(()), |user| user.own(&self.work))
    }

    /// A folder for a project's logs.
    pub(crate) fn logs(&self, name: &str) -> Result<PathBuf> {
        let logs = self.work.join("logs").join(name);
        std::fs::create_dir_all(&logs).map_err(|error| format!("{}: {error}", logs.display()))?;
        Ok(logs)
    }

    /// Runs a command in a folder with a time limit, its output kept in `LOG.out` and `LOG.err`. It begins as if typed in a
    /// shell, with the variables that `program` was given.
    pub(crate) fn logged(&self, program: &Command, folder: &Path, log: &Path) -> Result<ExitStatus> {
        let mut command = Command::new("timeout");
        command.args(["--kill-after=10", LIMIT]).arg(program.get_program()).args(program.get_args());
        native(&mut command).current_dir(folder);
        if let Some(user) = &self.user {
            user.run(&mut command);
        }
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let output = any_output(&mut command)?;
        write(&log.with_extension("out"), &output.stdout)?;
        write(&log.with_extension("err"), &output.stderr)?;
        if output.status.code() == Some(124) {
            return Err(format!("`{}` did not end within {LIMIT} s", words(&command)));
        }
        Ok(output.status)
    }
}
