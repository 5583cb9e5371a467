//! Options that stand in pytest's configuration file (`addopts`) or in PYTEST_ADDOPTS, as far as Seatrial takes them for
//! itself: how many workers, and where tests write reports. pytest reads the same words itself; the helper inside Python
//! keeps pytest-xdist from acting on them.

use super::args::{ArgsError, PytestArgs, split};
use seatrial_model::Bytes;
use std::fmt;

/// Words before those of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addopts {
    /// Where they stand: a path, or `PYTEST_ADDOPTS`.
    pub place: String,
    /// The words.
    pub words: Vec<Bytes>,
}

/// What is wrong with them, and where they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddoptsError {
    place: String,
    error: ArgsError,
}

impl fmt::Display for AddoptsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, in `{}`", self.error, self.place)
    }
}

impl std::error::Error for AddoptsError {}

/// Lets the command line have the last word, then PYTEST_ADDOPTS, then the file.
///
/// # Errors
/// An option that Seatrial takes, without a value or with one that it cannot have.
pub fn complete(args: &mut PytestArgs, before: &[Addopts]) -> Result<(), AddoptsError> {
    for addopts in before.iter().rev() {
        let wrong = |error| AddoptsError { place: addopts.place.clone(), error };
        let earlier = split(&addopts.words).map_err(wrong)?;
        args.workers = args.workers.or(earlier.workers);
        args.max_workers = args.max_workers.or(earlier.max_workers);
        args.dist = args.dist.take().or(earlier.dist);
        args.reports = args.reports.take().or(earlier.reports);
    }
    Ok(())
}

/// The words of the configuration file that pytest would find from `cwd` upwards, then those of the variable. `read`
/// gives a file's text. `-c FILE` and `-o addopts=...` on the command line count.
pub fn find(
    args: &PytestArgs,
    variable: Option<&Bytes>,
    cwd: &str,
    read: &dyn Fn(&str) -> Option<String>,
) -> Vec<Addopts> {
    let mut found = Vec::new();
    match &args.addopts {
        Some(text) => found.push(Addopts { place: "-o addopts".to_owned(), words: shell_words(text) }),
        None => found.extend(of_file(args.config_file.as_deref(), cwd, read)),
    }
    if let Some(text) = variable {
        let words = shell_words(&text.to_text());
        found.push(Addopts { place: "PYTEST_ADDOPTS".to_owned(), words });
    }
    found
}

/// Names of configuration files in pytest's order, and in which section of each its settings stand. A section that must be
/// there decides whether the file is pytest's.
const FILES: [(&str, &str, bool); 7] = [
    ("pytest.toml", "pytest", false),
    (".pytest.toml", "pytest", false),
    ("pytest.ini", "pytest", false),
    (".pytest.ini", "pytest", false),
    ("pyproject.toml", "", true),
    ("tox.ini", "pytest", true),
    ("setup.cfg", "tool:pytest", true),
];

fn of_file(given: Option<&str>, cwd: &str, read: &dyn Fn(&str) -> Option<String>) -> Option<Addopts> {
    if let Some(file) = given {
        let path = if file.starts_with('/') { file.to_owned() } else { format!("{cwd}/{file}") };
        let name = path.rsplit('/').next().unwrap_or_default();
        let section =
            FILES.iter().find(|(known, ..)| *known == name).map_or("pytest", |(_, section, _)| section);
        let words = settings(&path, section, &read(&path)?).unwrap_or_default();
        return Some(Addopts { place: path, words });
    }
    let mut directory = Some(cwd);
    while let Some(at) = directory {
        for (name, section, must) in FILES {
            let path = format!("{}/{name}", at.trim_end_matches('/'));
            let Some(text) = read(&path) else { continue };
            let words = settings(&path, section, &text);
            if words.is_some() || !must {
                return Some(Addopts { place: path, words: words.unwrap_or_default() });
            }
        }
        directory =
            at.rfind('/').filter(|_| at != "/").map(|slash| if slash == 0 { "/" } else { &at[..slash] });
    }
    None
}

/// The words of a file; `None` when it has no section for pytest.
fn settings(path: &str, section: &str, text: &str) -> Option<Vec<Bytes>> {
    if path.ends_with(".toml") {
        return of_toml(text, section);
    }
    let lines = section_of(text, section)?;
    let mut value: Option<String> = None;
    for line in lines {
        if line.starts_with([' ', '\t']) {
            if let Some(value) = &mut value {
                value.push(' ');
                value.push_str(line.trim());
            }
            continue;
        }
        if value.is_some() {
            break;
        }
        let Some((key, rest)) = line.split_once(['=', ':']) else { continue };
        if key.trim() == "addopts" {
            value = Some(rest.trim().to_owned());
        }
    }
    Some(shell_words(&value.unwrap_or_default()))
}

/// The lines of a section, without comments.
fn section_of<'a>(text: &'a str, section: &str) -> Option<Vec<&'a str>> {
    let is_head = |line: &&str| line.starts_with('[');
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with(['#', ';']));
    let head = format!("[{section}]");
    lines.find(|line| line.trim_end() == head)?;
    Some(lines.take_while(|line| !is_head(line)).collect())
}

fn of_toml(text: &str, section: &str) -> Option<Vec<Bytes>> {
    let table: toml::Table = text.parse().ok()?;
    let pytest = match section {
        "" => {
            let tool = table.get("tool")?.get("pytest")?;
            tool.get("ini_options").unwrap_or(tool)
        }
        name => table.get(name)?,
    };
    Some(match pytest.get("addopts") {
        Some(toml::Value::String(text)) => shell_words(text),
        Some(toml::Value::Array(words)) => {
            words.iter().filter_map(|word| word.as_str().map(Bytes::from)).collect()
        }
        Some(_) | None => Vec::new(),
    })
}

/// Words as a shell would have them, so far as Python's `shlex` knows them: quotes and backslashes.
fn shell_words(text: &str) -> Vec<Bytes> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(end), letter) if letter == end => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(letters.next()),
            (None, letter) if letter.is_whitespace() => words.extend(word.take().map(Bytes::from)),
            (_, letter) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word.map(Bytes::from));
    words
}

#[cfg(test)]
mod tests;
