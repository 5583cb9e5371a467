//! Which Python the project's tests run in.

use seatrial_model::Bytes;
use std::fmt;

/// What is known before looking.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place<'a> {
    /// `--python`: a path, or a name to be looked up in PATH.
    pub explicit: Option<&'a [u8]>,
    /// The user's environment.
    pub env: &'a [(Bytes, Bytes)],
    /// The directory in which Seatrial was called, absolute.
    pub cwd: &'a [u8],
    /// The project's root: the search upwards for `.venv` ends there. `None`: it goes up to `/`.
    pub root: Option<&'a [u8]>,
}

/// An interpreter that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// Its path, absolute unless `--python` or PATH has it relative.
    pub path: Bytes,
    /// Why this one.
    pub why: Why,
    /// The tool whose environment the tests mean, when it has made none in the project. Never set for `--python`,
    /// `VIRTUAL_ENV` and an environment that is there.
    pub wants: Option<Wants>,
}

/// A project whose environments are made by a tool, by its lock file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wants {
    /// The tool's name, which is its command's too.
    pub tool: &'static str,
    /// The directory of the lock file.
    pub directory: Bytes,
}

/// Lock files and their tools. All of these set VIRTUAL_ENV for what they run.
const LOCKS: [(&str, &str); 4] =
    [("uv.lock", "uv"), ("poetry.lock", "poetry"), ("pdm.lock", "pdm"), ("Pipfile.lock", "pipenv")];

impl Wants {
    /// What is missing.
    #[must_use]
    pub fn problem(&self) -> String {
        format!(
            "`{}` is a project of {}'s, and its environment is not active",
            self.directory.to_text(),
            self.tool
        )
    }

    /// What to do about it.
    #[must_use]
    pub fn mend(&self) -> String {
        let or = if self.tool == "uv" { ", or `uv sync` once" } else { "" };
        format!("`{} run seatrial pytest` uses it{or}", self.tool)
    }
}

/// The reason for an interpreter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// `--python` names it.
    Option,
    /// `VIRTUAL_ENV` names its environment.
    VirtualEnv,
    /// A directory of this name (`.venv` or `venv`) lies in the project.
    InProject(Bytes),
    /// `CONDA_PREFIX` names its environment.
    Conda,
    /// It is the first of this name in PATH.
    Path(&'static str),
}

/// No interpreter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotFound {
    /// `--python` names nothing that is there.
    Option(Bytes),
    /// `VIRTUAL_ENV` names this directory, in which there is no interpreter.
    Stale(Bytes),
    /// There is none anywhere.
    Nowhere {
        /// The tool that could make one.
        wants: Option<Wants>,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option => write!(f, "named by `--python`"),
            Self::VirtualEnv => write!(f, "of the active environment (VIRTUAL_ENV)"),
            Self::InProject(directory) => write!(f, "of the project's environment `{}`", directory.to_text()),
            Self::Conda => write!(f, "of the active conda environment (CONDA_PREFIX)"),
            Self::Path(name) => write!(f, "the first `{name}` in PATH, for no environment is active"),
        }
    }
}

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(name) => {
                write!(f, "`--python {}`: there is no such interpreter", name.to_text())
            }
            Self::Stale(directory) => write!(
                f,
                "VIRTUAL_ENV is `{}`, where there is no `bin/python`: make the environment again, unset VIRTUAL_ENV, or \
                 name an interpreter with `--python`",
                directory.to_text()
            ),
            Self::Nowhere { wants: Some(wants) } => {
                write!(f, "there is no Python: {}; {}", wants.problem(), wants.mend())
            }
            Self::Nowhere { wants: None } => write!(
                f,
                "there is no Python: neither an active environment, nor `.venv` or `venv` in the project, nor `python3` \
                 or `python` in PATH; name an interpreter with `--python`"
            ),
        }
    }
}

impl std::error::Error for NotFound {}

/// Finds the interpreter. `is_file` says whether there is a file at a path (links followed); nothing else is asked of
/// the disk.
///
/// What the user says comes first: `--python`, then the active virtual environment, the project's own `.venv` or `venv`
/// from `cwd` upwards, conda's environment, and last `python3` and `python` in PATH. conda's comes after the project's,
/// because its base environment is active in every shell of many machines.
///
/// # Errors
/// `--python` or `VIRTUAL_ENV` leads nowhere (the user meant something, so nothing else is tried), and no Python at all.
pub fn find(place: &Place<'_>, is_file: &dyn Fn(&[u8]) -> bool) -> Result<Interpreter, NotFound> {
    let found = |path: Vec<u8>, why| Interpreter { path: Bytes(path), why, wants: None };
    if let Some(name) = place.explicit {
        return explicit(place, name, is_file)
            .map(|path| found(path, Why::Option))
            .ok_or_else(|| NotFound::Option(name.into()));
    }
    if let Some(environment) = environment_of(place, "VIRTUAL_ENV") {
        return python_of(&environment, is_file)
            .map(|path| found(path, Why::VirtualEnv))
            .ok_or_else(|| NotFound::Stale(environment.into()));
    }
    for directory in upwards(place.cwd, place.root) {
        for name in [b".venv".as_slice(), b"venv"] {
            let environment = join(directory, name);
            if let Some(path) = python_of(&environment, is_file) {
                return Ok(found(path, Why::InProject(environment.into())));
            }
        }
    }
    let wants = wanted(place, is_file);
    if let Some(environment) = of_uv(place, wants.as_ref())
        && let Some(path) = python_of(&environment, is_file)
    {
        return Ok(found(path, Why::InProject(environment.into())));
    }
    // An environment of conda's may hold no Python at all.
    let conda = environment_of(place, "CONDA_PREFIX");
    if let Some(path) = conda.and_then(|environment| python_of(&environment, is_file)) {
        return Ok(Interpreter { path: path.into(), why: Why::Conda, wants });
    }
    for name in ["python3", "python"] {
        if let Some(path) = in_path(place, name.as_bytes(), is_file) {
            return Ok(Interpreter { path: path.into(), why: Why::Path(name), wants });
        }
    }
    Err(NotFound::Nowhere { wants })
}

/// The nearest lock file.
fn wanted(place: &Place<'_>, is_file: &dyn Fn(&[u8]) -> bool) -> Option<Wants> {
    upwards(place.cwd, place.root).into_iter().find_map(|directory| {
        let (_, tool) = LOCKS.into_iter().find(|(lock, _)| is_file(&join(directory, lock.as_bytes())))?;
        Some(Wants { tool, directory: directory.into() })
    })
}

/// uv's environment may stand elsewhere than in `.venv`.
fn of_uv(place: &Place<'_>, wants: Option<&Wants>) -> Option<Vec<u8>> {
    let wants = wants.filter(|wants| wants.tool == "uv")?;
    let value = variable_of(place, "UV_PROJECT_ENVIRONMENT").filter(|value| !value.is_empty())?;
    Some(join(&wants.directory.0, &value.0))
}

/// What `--python` means: a path when there is a slash in it (an environment's directory will do), else a name in PATH.
fn explicit(place: &Place<'_>, name: &[u8], is_file: &dyn Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    if !name.contains(&b'/') {
        return in_path(place, name, is_file);
    }
    let path = join(place.cwd, name);
    if is_file(&path) { Some(path) } else { python_of(&path, is_file) }
}

/// The directory that a variable names, when it is set.
fn environment_of(place: &Place<'_>, variable: &str) -> Option<Vec<u8>> {
    let value = variable_of(place, variable).filter(|value| !value.is_empty())?;
    Some(join(place.cwd, &value.0))
}

fn python_of(environment: &[u8], is_file: &dyn Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    [b"bin/python".as_slice(), b"bin/python3"]
        .into_iter()
        .map(|name| join(environment, name))
        .find(|path| is_file(path))
}

fn in_path(place: &Place<'_>, name: &[u8], is_file: &dyn Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    let path = variable_of(place, "PATH")?;
    // An empty entry of PATH is the working directory.
    path.0
        .split(|byte| *byte == b':')
        .map(|entry| join(&join(place.cwd, entry), name))
        .find(|path| is_file(path))
}

fn variable_of<'a>(place: &Place<'a>, name: &str) -> Option<&'a Bytes> {
    place.env.iter().find(|(key, _)| key.0 == name.as_bytes()).map(|(_, value)| value)
}

/// `cwd` and its parents up to the root, which is the last. A root that `cwd` is not below bounds nothing.
fn upwards<'a>(cwd: &'a [u8], root: Option<&[u8]>) -> Vec<&'a [u8]> {
    let root = root.map(trimmed);
    let mut directories = vec![trimmed(cwd)];
    while let Some(last) = directories.last().copied().filter(|last| Some(*last) != root && *last != b"/") {
        let slash = last.iter().rposition(|byte| *byte == b'/');
        match slash {
            Some(0) => directories.push(b"/"),
            Some(at) => directories.push(&last[..at]),
            None => break,
        }
    }
    directories
}

fn trimmed(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|byte| *byte != b'/') {
        Some(at) => &path[..=at],
        None => b"/",
    }
}

/// `name` seen from `directory`; an absolute `name` is itself.
fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let name = name.strip_prefix(b"./").unwrap_or(name);
    match (name.first(), directory.last()) {
        (Some(b'/'), _) => name.to_vec(),
        (None, _) => directory.to_vec(),
        (Some(_), Some(b'/')) => [directory, name].concat(),
        (Some(_), _) => [directory, b"/", name].concat(),
    }
}

#[cfg(test)]
mod tests;
