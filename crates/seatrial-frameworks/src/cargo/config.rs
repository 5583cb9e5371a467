//! cargo's configuration files, as far as the shim needs them: found, read and put in their order of strength.
//!
//! The rules are those of the Cargo book, "Configuration", and what cargo 1.95 was seen to do.

use seatrial_model::Bytes;
use std::fmt;
use std::path::{Path, PathBuf};

/// One source of configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where it comes from.
    pub origin: Origin,
    /// What it says.
    pub table: toml::Table,
}

/// Where a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An environment variable.
    Environment,
    /// `--config KEY=VALUE`.
    Argument,
    /// A file that `--config` names, or one that it includes.
    ArgumentFile(PathBuf),
    /// A file in `.cargo`, or one that it includes.
    File(PathBuf),
}

impl Origin {
    /// The directory that relative programs are meant from. cargo reads it off a path as it was written, `..` and
    /// all: for the included `/p/.cargo/../x.toml` it is `/p/.cargo`.
    pub(crate) fn directory<'a>(&'a self, cwd: &'a Path) -> &'a Path {
        match self {
            Self::Environment | Self::Argument => cwd,
            Self::ArgumentFile(path) | Self::File(path) => {
                path.parent().and_then(Path::parent).unwrap_or(Path::new("/"))
            }
        }
    }

    /// True for what stands on the command line.
    #[must_use]
    pub const fn is_argument(&self) -> bool {
        matches!(self, Self::Argument | Self::ArgumentFile(_))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => write!(f, "the environment"),
            Self::Argument => write!(f, "`--config`"),
            Self::ArgumentFile(path) | Self::File(path) => write!(f, "`{}`", path.display()),
        }
    }
}

/// Configuration that cargo would not take either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where it stands.
    pub origin: Origin,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cargo's configuration in {}: {}", self.origin, self.reason)
    }
}

impl std::error::Error for ConfigError {}

/// How deep files may include one another.
const MAX_DEPTH: usize = 16;

/// Where cargo looks for configuration files, the strongest first. In each directory the first that exists counts
/// and hides the second.
#[must_use]
pub fn config_paths(cwd: &Path, cargo_home: &Path) -> Vec<PathBuf> {
    let mut directories: Vec<PathBuf> = cwd.ancestors().map(|dir| dir.join(".cargo")).collect();
    if !directories.iter().any(|dir| dir == cargo_home) {
        directories.push(cargo_home.to_owned());
    }
    directories.iter().flat_map(|dir| [dir.join("config"), dir.join("config.toml")]).collect()
}

/// Loads everything that configures cargo but the environment, the strongest first.
///
/// `arguments` are the values of `--config`; `read` gives a file's text, or `None` where there is no such file.
///
/// # Errors
/// Text that is not TOML, an included file that is not there, files that include one another.
pub fn load(
    cwd: &Path,
    cargo_home: &Path,
    arguments: &[Bytes],
    read: &mut dyn FnMut(&Path) -> Option<String>,
) -> Result<Vec<Config>, ConfigError> {
    let mut configs = Vec::new();
    for argument in arguments.iter().rev() {
        let argument = argument.to_text();
        let path = cwd.join(argument.as_ref());
        match read(&path) {
            Some(text) => add(&mut configs, &Origin::ArgumentFile(path), &text, read, 0)?,
            None => add(&mut configs, &Origin::Argument, &argument, read, 0)?,
        }
    }
    let mut hidden = None;
    for path in config_paths(cwd, cargo_home) {
        let directory = path.parent().map(Path::to_owned);
        if directory.is_some() && directory == hidden {
            continue;
        }
        if let Some(text) = read(&path) {
            add(&mut configs, &Origin::File(path), &text, read, 0)?;
            hidden = directory;
        }
    }
    Ok(configs)
}

/// Adds one source and, as weaker ones, what it includes: the last of these is the strongest among them.
fn add(
    configs: &mut Vec<Config>,
    origin: &Origin,
    text: &str,
    read: &mut dyn FnMut(&Path) -> Option<String>,
    depth: usize,
) -> Result<(), ConfigError> {
    let fail = |reason: String| Err(ConfigError { origin: origin.clone(), reason });
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => {
            let error: toml::de::Error = error;
            return fail(format!("not TOML: {}", error.message()));
        }
    };
    if depth > MAX_DEPTH {
        return fail("files include one another".to_owned());
    }
    let includes = includes(&table);
    configs.push(Config { origin: origin.clone(), table });
    let (Origin::ArgumentFile(file) | Origin::File(file)) = origin else { return Ok(()) };
    for (include, optional) in includes.into_iter().rev() {
        let path = file.parent().unwrap_or(Path::new("/")).join(include);
        let Some(text) = read(&path) else {
            if optional {
                continue;
            }
            return fail(format!("the included file `{}` is not there", path.display()));
        };
        let origin = if origin.is_argument() { Origin::ArgumentFile(path) } else { Origin::File(path) };
        add(configs, &origin, &text, read, depth + 1)?;
    }
    Ok(())
}

/// `include = ["a.toml", { path = "b.toml", optional = true }]`: each path, and whether it may be absent.
fn includes(table: &toml::Table) -> Vec<(String, bool)> {
    let list = table.get("include").and_then(toml::Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|item| match item.as_str() {
            Some(path) => Some((path.to_owned(), false)),
            None => {
                let optional = item.get("optional").and_then(toml::Value::as_bool).unwrap_or(false);
                Some((item.get("path")?.as_str()?.to_owned(), optional))
            }
        })
        .collect()
}
