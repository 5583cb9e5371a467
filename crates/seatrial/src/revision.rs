//! The revision of the project, asked of git while other things are done.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Two questions under way: which commit is checked out, and whether the files are that commit's.
pub(crate) struct Revision {
    head: Child,
    differs: Child,
}

/// Comparing a large tree takes longer than anybody wants to wait for it.
const PATIENCE: Duration = Duration::from_millis(100);

impl Revision {
    /// Asks. `None` without a repository or without git.
    pub(crate) fn ask(project: &Path) -> Option<Self> {
        project.ancestors().find(|dir| dir.join(".git").exists())?;
        let head = git(project, &["rev-parse", "--verify", "--quiet", "HEAD"])?;
        let differs = git(project, &["diff-index", "--quiet", "HEAD", "--"])?;
        Some(Self { head, differs })
    }

    /// The commit, with `-dirty` when tracked files are known to differ from it.
    pub(crate) fn answer(mut self) -> Option<String> {
        let begun = Instant::now();
        let head = self.head.wait_with_output();
        let differs = loop {
            match self.differs.try_wait() {
                Ok(Some(status)) => break status.code() == Some(1),
                Ok(None) if begun.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(1)),
                Ok(None) | Err(_) => {
                    let _ = self.differs.kill();
                    let _ = self.differs.wait();
                    break false;
                }
            }
        };
        let head = head.ok().filter(|output| output.status.success())?;
        let commit = String::from_utf8(head.stdout).ok()?;
        Some(format!("{}{}", commit.trim(), if differs { "-dirty" } else { "" }))
    }
}

fn git(project: &Path, args: &[&str]) -> Option<Child> {
    Command::new("git")
        .args(args)
        .current_dir(project)
        // It is to look, not to write its index.
        .env("GIT_OPTIONAL_LOCKS", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()
}
