//! `seatrial.toml`: found, read, and what is wrong with it said.

use crate::exit::{Error, USAGE};
use crate::subscribers;
use seatrial_plan::File;
use serde_json::Value;
use std::path::Path;

const NAME: &str = "seatrial.toml";

/// The file of a directory, if there is one. Keys that nobody knows are warned of.
pub(crate) fn read(directory: &Path) -> Result<Option<File>, Error> {
    let path = directory.join(NAME);
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let file = File::parse(&text)
                .map_err(|error| Error::new(USAGE, format!("`{}`: {}", path.display(), error.trim_end())))?;
            for key in &file.unknown {
                subscribers::warn(&format!("`{}`: nobody knows the key `{key}`", path.display()), None);
            }
            Ok(Some(file))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::new(USAGE, format!("`{}`: {error}", path.display()))),
    }
}

/// Fixtures for a whole run, as the helper inside Python is told of them: from the nearest file from `cwd` upwards, but
/// not outside its repository.
pub(crate) fn run_fixtures(cwd: &Path) -> Result<Vec<Value>, Error> {
    for directory in cwd.ancestors() {
        if let Some(file) = read(directory)? {
            let place = directory.to_string_lossy();
            return Ok(file.fixtures.iter().map(|fixture| fixture.definition(&place)).collect());
        }
        if directory.join(".git").exists() {
            break;
        }
    }
    Ok(Vec::new())
}
