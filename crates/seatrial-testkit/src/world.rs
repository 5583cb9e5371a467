//! A hermetic world for the real binary: a home, a project, a temporary directory and a state folder of its own.

use crate::call::Call;
use crate::leftovers::{Leftovers, leftovers, orphans};
use crate::ran::Ran;
use crate::wait::wait_for;
use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The ordinary user that a world of root's may have: no account, and no right to anything.
const ORDINARY: u32 = 12_345;

/// A place to call the command in. When it is dropped, nothing of any run may be left.
#[derive(Debug)]
pub struct World {
    root: TempDir,
    binary: PathBuf,
    /// Root's worlds may belong to somebody else.
    user: Option<u32>,
    /// Where commands are called: an empty directory.
    pub project: PathBuf,
    /// `HOME`.
    pub home: PathBuf,
    /// `TMPDIR`.
    pub tmp: PathBuf,
    /// `XDG_STATE_HOME`.
    pub state: PathBuf,
    env: Vec<(String, OsString)>,
    before: Leftovers,
    /// A killed run cannot remove its own control groups: later ones do.
    killed: Cell<bool>,
}

/// Variables that reach the command from outside: how to find programs and the toolchain.
const KEPT: [&str; 6] =
    ["PATH", "LANG", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "RUSTUP_AUTO_INSTALL"];

impl World {
    /// A world of the user who runs the tests, with the built command.
    #[must_use]
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        Self::make(binary.into(), None)
    }

    /// A world of an ordinary user: somebody else when root runs the tests.
    #[must_use]
    pub fn ordinary(binary: impl Into<PathBuf>) -> Self {
        Self::make(binary.into(), is_root().then_some(ORDINARY))
    }

    /// Both: every user that can be had here.
    #[must_use]
    pub fn both(binary: impl Into<PathBuf>) -> Vec<Self> {
        let binary = binary.into();
        let first = Self::new(&binary);
        if is_root() { vec![first, Self::ordinary(binary)] } else { vec![first] }
    }

    fn make(binary: PathBuf, user: Option<u32>) -> Self {
        let root = TempDir::with_prefix("world-").expect("a temporary directory");
        let path = root.path().canonicalize().expect("it was made just now");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let dir = |name: &str| {
            let dir = path.join(name);
            fs::create_dir(&dir).expect("the world's directory is writable");
            chown(&dir, user, user).expect("root may give things away");
            dir
        };
        let (project, home, tmp, state) = (dir("project"), dir("home"), dir("tmp"), dir("state"));
        // The checkout may lie where others may not look.
        let binary = match user {
            Some(_) => reachable(&binary, &path.join("seatrial")),
            None => binary,
        };
        let mut env: Vec<(String, OsString)> =
            KEPT.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var_os(name)?))).collect();
        let own_home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        for (name, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
            if std::env::var_os(name).is_none() && own_home.join(folder).is_dir() {
                env.push((name.to_owned(), own_home.join(folder).into()));
            }
        }
        if user.is_some() {
            // Root's own folders are closed to others, and so is a toolchain in them.
            env.retain(|(name, _)| name == "LANG");
            env.push((
                "PATH".to_owned(),
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into(),
            ));
        }
        let before = leftovers(&tmp);
        Self { root, binary, user, project, home, tmp, state, env, before, killed: Cell::new(false) }
    }

    /// True when commands are called as root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.user.is_none() && is_root()
    }

    /// The user's id.
    #[must_use]
    pub fn uid(&self) -> u32 {
        self.user.unwrap_or_else(|| rustix::process::getuid().as_raw())
    }

    /// A call of the command.
    #[must_use]
    pub fn seatrial<T: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = T>) -> Call {
        self.call(&self.binary, args)
    }

    /// A call of any program, in this world.
    #[must_use]
    pub fn call<T: AsRef<OsStr>>(&self, program: &Path, args: impl IntoIterator<Item = T>) -> Call {
        let mut command = Command::new(program);
        command.args(args).current_dir(&self.project).env_clear();
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.env("HOME", &self.home).env("TMPDIR", &self.tmp).env("XDG_STATE_HOME", &self.state);
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        Call { command, stdin: Vec::new() }
    }

    /// `seatrial exec -- sh -c SCRIPT`, to its end: one job, whose streams and exit code are the command's.
    #[must_use]
    pub fn sh(&self, script: &str) -> Ran {
        self.sh_with(&[], script)
    }

    /// The same with options.
    #[must_use]
    pub fn sh_with(&self, options: &[&str], script: &str) -> Ran {
        self.seatrial(["exec"]).args(options).args(["--", "sh", "-c", script]).run()
    }

    /// The path of a command that is called.
    #[must_use]
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// Writes a file of the world; its folders are made.
    ///
    /// # Panics
    /// It cannot be written.
    pub fn write(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.project.join(path);
        let mut missing = Vec::new();
        for dir in path.ancestors().skip(1).take_while(|dir| !dir.exists()) {
            missing.push(dir.to_path_buf());
        }
        for dir in missing.iter().rev() {
            fs::create_dir(dir).expect("the world is writable");
            chown(dir, self.user, self.user).expect("root may give things away");
        }
        fs::write(&path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        chown(&path, self.user, self.user).expect("root may give things away");
        path
    }

    /// A script that can be executed.
    pub fn script(&self, path: impl AsRef<Path>, content: &str) -> PathBuf {
        let path = self.write(path, content);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it was written just now");
        path
    }

    /// The world's own directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// The ids of this world's recorded runs: others have control groups on this machine too.
    #[must_use]
    pub fn runs(&self) -> Vec<String> {
        let ran = self.seatrial(["history", "--all", "-n", "1000"]).run();
        ran.out().lines().filter_map(|line| Some(line.split_whitespace().next()?.to_owned())).collect()
    }

    /// This test kills the command itself, which then removes no control groups.
    pub fn expect_kill(&self) {
        self.killed.set(true);
    }

    /// Waits until nothing is left of any run: processes, mounts, control groups, files.
    pub fn nothing_is_left(&self) {
        let runs = if self.killed.get() { Vec::new() } else { self.runs() };
        wait_for("nothing left behind", || {
            let (orphans, now) = (orphans(), leftovers(&self.tmp));
            let of_this_world = |group: &&PathBuf| {
                let name = group.file_name().unwrap_or_default().to_string_lossy();
                runs.iter().any(|run| name.ends_with(run.as_str()))
            };
            let new = Leftovers {
                mounts: now.mounts.difference(&self.before.mounts).cloned().collect(),
                groups: now.groups.iter().filter(of_this_world).cloned().collect(),
                files: now.files.difference(&self.before.files).cloned().collect(),
            };
            if orphans.is_empty() && new == Leftovers::default() {
                Ok(())
            } else {
                Err(format!("{orphans:?} {new:?}"))
            }
        });
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.nothing_is_left();
        }
    }
}

fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

/// The same file under a path that everybody may go.
fn reachable(binary: &Path, path: &Path) -> PathBuf {
    if fs::hard_link(binary, path).is_err() {
        fs::copy(binary, path).expect("the command can be copied");
    }
    path.to_path_buf()
}
