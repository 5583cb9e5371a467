//! The Python of `seatrial pytest`: which it is, where it lives, and its hash seed.

use crate::exit::{Error, USAGE};
use crate::places;
use crate::subscribers;
use seatrial_frameworks::pytest::interpreter::{Interpreter, Place, find};
use seatrial_model::Bytes;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Finds it; a project whose own environment is not active is warned of.
pub(crate) fn interpreter(
    explicit: Option<&OsStr>,
    environment: &[(Bytes, Bytes)],
    cwd: &Path,
) -> Result<PathBuf, Error> {
    let root = places::project_of(cwd);
    let place = Place {
        explicit: explicit.map(OsStr::as_bytes),
        env: environment,
        cwd: cwd.as_os_str().as_bytes(),
        root: Some(root.as_os_str().as_bytes()),
    };
    let is_file = |path: &[u8]| Path::new(OsStr::from_bytes(path)).is_file();
    let Interpreter { path, why, wants } =
        find(&place, &is_file).map_err(|error| Error::new(USAGE, error.to_string()))?;
    if let Some(wants) = wants {
        let text = format!("{}: this run takes `{}`, {why}", wants.problem(), path.to_text());
        subscribers::warn(&text, Some(&wants.mend()));
    }
    Ok(cwd.join(OsString::from_vec(path.0)))
}

/// The directories that an interpreter lives on: its environment's, and that of the installation behind it.
pub(crate) fn roots_of(python: &Path) -> Vec<PathBuf> {
    // A script stands for another program (pyenv's shims do), which it alone can tell.
    let behind = if is_script(python) { executable_of(python) } else { None };
    let python = behind.as_deref().unwrap_or(python);
    let installation = python.canonicalize().unwrap_or_else(|_| python.to_path_buf());
    [python, &installation].iter().filter_map(|path| Some(path.parent()?.parent()?.to_path_buf())).collect()
}

fn is_script(path: &Path) -> bool {
    let mut head = [0; 2];
    File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok() && head == *b"#!"
}

fn executable_of(python: &Path) -> Option<PathBuf> {
    let output = Command::new(python).args(["-c", "import sys; print(sys.executable)"]).output().ok()?;
    let path = PathBuf::from(OsStr::from_bytes(output.stdout.trim_ascii_end()));
    path.is_absolute().then_some(path)
}

/// One hash seed for lister and warmers, so that sets have one order; the user's own, if there is one.
pub(crate) fn with_hash_seed(
    mut environment: Vec<(Bytes, Bytes)>,
    seed: u64,
    python: &Path,
) -> (Vec<(Bytes, Bytes)>, u32) {
    const NAME: &[u8] = b"PYTHONHASHSEED";
    let own = environment.iter().find(|(name, _)| name.0 == NAME).map(|(_, value)| value.to_text());
    if let Some(seed) = own.and_then(|text| text.parse().ok()) {
        return (environment, seed);
    }
    environment.retain(|(name, _)| name.0 != NAME);
    if is_python_2(python) {
        // Its hashes are not random unless it is told so.
        return (environment, 0);
    }
    // Python takes 32 bits.
    let seed = (seed & u64::from(u32::MAX)) as u32;
    environment.push((Bytes(NAME.to_vec()), seed.to_string().into()));
    (environment, seed)
}

/// By the names that interpreters have where they are installed.
fn is_python_2(python: &Path) -> bool {
    let installed = python.canonicalize().unwrap_or_else(|_| python.to_path_buf());
    let beside = |name: &str| python.parent().is_some_and(|folder| folder.join(name).exists());
    installed.file_name().is_some_and(|name| name.as_bytes().starts_with(b"python2"))
        || (beside("python2") && !beside("python3"))
}
