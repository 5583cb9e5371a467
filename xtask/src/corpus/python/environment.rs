//! A virtual environment with one project and what its tests need, made by `python -m venv` and pip.

use super::suites::{Suite, Version};
use crate::corpus::Place;
use crate::process::{Result, output, tail, write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// An interpreter that environments are made of.
pub(crate) struct Python {
    path: String,
    pub(crate) version: Version,
}

impl Python {
    /// Asks it for its version.
    pub(crate) fn ask(path: &str) -> Result<Self> {
        let code = "import sys; print('%d %d' % sys.version_info[:2])";
        let said = output(Command::new(path).args(["-c", code]))?;
        let said = String::from_utf8_lossy(&said).into_owned();
        let mut numbers = said.split_whitespace().map_while(|word| word.parse().ok());
        match (numbers.next(), numbers.next()) {
            (Some(major), Some(minor)) => Ok(Self { path: path.to_owned(), version: (major, minor) }),
            _ => Err(format!("`{path}` does not say its version but `{said}`")),
        }
    }

    /// `3.12`.
    pub(crate) fn label(&self) -> String {
        format!("{}.{}", self.version.0, self.version.1)
    }
}

/// What a project's tests run in.
pub(crate) struct Environment {
    /// For folders and logs.
    pub(crate) name: String,
    folder: PathBuf,
    /// The source distribution; none when the tests are within what is installed.
    archive: Option<PathBuf>,
    source: PathBuf,
}

impl Environment {
    /// Makes it, unless it is there with the same requirements.
    pub(crate) fn ready(place: &Place, suite: &Suite, python: &Python) -> Result<Self> {
        let name = format!("{}-{}-py{}", suite.name, suite.version, python.label());
        let folder = place.work.join("environments").join(&name);
        let source = place.work.join("sources").join(&name);
        let mut environment = Self { name, folder, archive: None, source };
        let mark = environment.folder.join("made-of.txt");
        let wanted = format!("{}\n{:?}\n{:?}\n", python.path, suite.digest, suite.needs);
        if std::fs::read_to_string(&mark).is_ok_and(|made| made == wanted) {
            environment.archive = archive_of(place, suite)?;
            return Ok(environment);
        }
        let _ = std::fs::remove_dir_all(&environment.folder);
        place.logs(&environment.name)?;
        place.hand_over()?;
        environment.install(place, suite, python)?;
        write(&mark, wanted)?;
        Ok(environment)
    }

    fn install(&mut self, place: &Place, suite: &Suite, python: &Python) -> Result<()> {
        let log = place.logs(&self.name)?.join("install");
        let step = |command: &Command, what: &str| {
            let ended = place.logged(command, &place.work, &log)?;
            let said = std::fs::read(log.with_extension("err")).unwrap_or_default();
            if ended.success() { Ok(()) } else { Err(format!("{what}\n{}", tail(&said))) }
        };
        let mut venv = Command::new(&python.path);
        step(venv.args(["-m", "venv"]).arg(&self.folder), "no environment could be made")?;
        let program = self.program("python");
        let pip = |word: &str| {
            let mut command = Command::new(&program);
            command.args(["-m", "pip", "-q", "--disable-pip-version-check", word]);
            command
        };
        let pinned = format!("{}=={}", suite.name, suite.version);
        if suite.digest.is_some() {
            let mut download = pip("download");
            download.args(["--no-deps", "--no-binary", &suite.name, &pinned, "-d"]);
            download.arg(place.work.join("archives"));
            step(&download, "its source distribution could not be downloaded")?;
        }
        self.archive = archive_of(place, suite)?;
        let mut install = pip("install");
        install.args(&suite.needs);
        match &self.archive {
            Some(archive) => install.arg(archive),
            None => install.arg(pinned),
        };
        step(&install, "it cannot be installed with what its tests need")?;
        // What exactly that was stands in the log.
        step(pip("freeze").arg("--all"), "pip does not say what it has installed")
    }

    /// A program of the environment; an empty name: the folder of all of them.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }

    /// The unmodified source, unpacked again.
    pub(crate) fn fresh_copy(&self, place: &Place) -> Result<PathBuf> {
        let _ = std::fs::remove_dir_all(&self.source);
        std::fs::create_dir_all(&self.source)
            .map_err(|error| format!("{}: {error}", self.source.display()))?;
        if let Some(archive) = &self.archive {
            let mut tar = Command::new("tar");
            tar.args(["--strip-components=1", "--no-same-owner", "-C"]).arg(&self.source);
            output(tar.arg("-xf").arg(archive))?;
        }
        if let Some(user) = &place.user {
            user.own(&place.work.join("sources"))?;
        }
        Ok(self.source.clone())
    }
}

/// The downloaded archive, if there is to be one, with the digest that is pinned.
fn archive_of(place: &Place, suite: &Suite) -> Result<Option<PathBuf>> {
    let Some(digest) = &suite.digest else { return Ok(None) };
    let folder = place.work.join("archives");
    // Archives' names have `_` where projects have `-`, or not.
    let plain = |name: &str| name.to_lowercase().replace(['-', '_', '.'], "");
    let wanted = plain(&format!("{}{}", suite.name, suite.version));
    let is_it = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let stem = name.strip_suffix(".tar.gz").or_else(|| name.strip_suffix(".zip"));
        stem.is_some_and(|stem| plain(stem) == wanted)
    };
    let files = std::fs::read_dir(&folder).into_iter().flatten();
    let archive = files
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(is_it)
        .ok_or_else(|| format!("no archive of {} {} in {}", suite.name, suite.version, folder.display()))?;
    check(&archive, digest)?;
    Ok(Some(archive))
}

fn check(archive: &Path, digest: &str) -> Result<()> {
    let said = output(Command::new("sha256sum").arg(archive))?;
    let found = String::from_utf8_lossy(&said).split_whitespace().next().unwrap_or_default().to_owned();
    if found == digest {
        return Ok(());
    }
    Err(format!("{} has the digest {found}, and {digest} is pinned", archive.display()))
}
