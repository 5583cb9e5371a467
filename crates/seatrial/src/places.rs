//! Folders outside the project, by the XDG base directory specification; environment variables are read here alone.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// Where history lives: `$XDG_STATE_HOME/seatrial`, else `~/.local/state/seatrial`.
pub(crate) fn state() -> Option<PathBuf> {
    let absolute = |value: OsString| Some(PathBuf::from(value)).filter(|path| path.is_absolute());
    let base = std::env::var_os("XDG_STATE_HOME")
        .and_then(absolute)
        .or_else(|| std::env::var_os("HOME").and_then(absolute).map(|home| home.join(".local/state")))?;
    Some(base.join("seatrial"))
}

/// Whether colours are wanted, when the user has not said: not with NO_COLOR, else on a terminal, or with
/// CLICOLOR_FORCE.
pub(crate) fn wants_colour(is_terminal: bool) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if set("NO_COLOR") {
        return false;
    }
    if set("CLICOLOR_FORCE") {
        return true;
    }
    is_terminal && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// True in continuous integration: no live display.
pub(crate) fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false" && value != "0")
}

/// True when GitHub's runner reads what we print.
pub(crate) fn is_github() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// The login name, for history.
pub(crate) fn user() -> String {
    ["USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_else(|| rustix::process::getuid().as_raw().to_string())
}

/// Paths named by the environment that tests need: toolchains, environments, search paths.
pub(crate) fn needed() -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = ["CARGO_HOME", "RUSTUP_HOME", "VIRTUAL_ENV", "HOME", "CARGO_TARGET_DIR"]
        .iter()
        .filter_map(|name| std::env::var_os(name).map(PathBuf::from))
        .collect();
    for name in ["PATH", "LD_LIBRARY_PATH"] {
        if let Some(value) = std::env::var_os(name) {
            paths.extend(std::env::split_paths(&value));
        }
    }
    paths.extend(std::env::current_exe().ok());
    paths.extend(named_below_tmp(std::env::vars_os()));
    paths.retain(|path| path.is_absolute());
    paths
}

/// Directories below /tmp that variables name, and those of files that they name: /tmp is empty for tests, but for what
/// somebody asks for. Variables that say where temporary files go, or where the shell was before, ask for nothing.
fn named_below_tmp(variables: impl Iterator<Item = (OsString, OsString)>) -> Vec<PathBuf> {
    let tmp = Path::new("/tmp");
    let asks = |name: &OsString| !["TMPDIR", "TEMP", "TMP", "OLDPWD"].iter().any(|not| name == not);
    let values = variables.filter(|(name, _)| asks(name)).map(|(_, value)| value);
    let paths = values.flat_map(|value| std::env::split_paths(&value).collect::<Vec<_>>());
    let is_below = |path: &PathBuf| {
        let Ok(real) = path.canonicalize() else { return false };
        let dir = if real.is_dir() { Some(real.as_path()) } else { real.parent() };
        let dir_is_below = dir.is_some_and(|dir| dir.starts_with(tmp) && dir != tmp);
        dir_is_below || (path.starts_with(tmp) && path != tmp && !real.starts_with(tmp))
    };
    paths.filter(|path| path.is_absolute() && is_below(path)).collect()
}

/// The directory that cargo builds in, where the environment names it.
pub(crate) fn cargo_target_dir() -> Option<OsString> {
    ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR"].iter().find_map(std::env::var_os)
}

/// The directory that identifies a project which is no Cargo workspace: the nearest with a `.git`, else `dir`.
pub(crate) fn project_of(dir: &Path) -> PathBuf {
    dir.ancestors().find(|dir| dir.join(".git").exists()).unwrap_or(dir).to_path_buf()
}

/// The path without symbolic links, `.` and `..`, as far as it is there; what is not is taken by its name.
pub(crate) fn resolved(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => clean.push(part),
        }
        clean = clean.canonicalize().unwrap_or(clean);
    }
    clean
}

/// The whole environment, as jobs are to get it.
pub(crate) fn environment() -> Vec<(seatrial_model::Bytes, seatrial_model::Bytes)> {
    use std::os::unix::ffi::OsStringExt;
    std::env::vars_os().map(|(name, value)| (name.into_vec().into(), value.into_vec().into())).collect()
}
