//! `seatrial.toml`: what the defaults do not fit. Nothing in it is needed.

mod fixtures;

pub use fixtures::RunFixture;
use serde::Deserialize;

/// The file, as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct File {
    /// `[cargo]`
    pub cargo: CargoSettings,
    /// `[[fixtures]]`: set up once a run, for pytest's tests.
    pub fixtures: Vec<RunFixture>,
    /// Keys that nobody knows, with their path.
    #[serde(skip)]
    pub unknown: Vec<String>,
}

/// `[cargo]`: Rust suites.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct CargoSettings {
    /// `execution`: a process for each test, or one for a binary's tests that share statics.
    pub execution: Execution,
    /// `early-exit = "pass"`: exit code 0 in the middle of a test is a pass.
    #[serde(rename = "early-exit", deserialize_with = "early_exit")]
    pub early_exit_passes: bool,
    /// `[[cargo.overrides]]`: for some binaries only; the last that matches counts.
    pub overrides: Vec<CargoOverride>,
}

/// One of `[[cargo.overrides]]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CargoOverride {
    /// The binary, by its name in reports; `*` stands for any characters.
    pub binary: String,
    /// See [`CargoSettings::execution`].
    pub execution: Execution,
}

/// How many processes a binary's tests take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Execution {
    /// One for each test.
    #[default]
    Test,
    /// One for all of a binary.
    Binary,
}

impl CargoSettings {
    /// How the tests of this binary are run.
    #[must_use]
    pub fn execution_of(&self, group: &str) -> Execution {
        let matching = self.overrides.iter().rev().find(|over| matches(&over.binary, group));
        matching.map_or(self.execution, |over| over.execution)
    }
}

impl File {
    /// Reads the file's text.
    ///
    /// # Errors
    /// What is wrong and where, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
        let unknown = unknown_keys(&table);
        // From the text and not from the table, so that errors name their line.
        let file: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        fixtures::check(&file.fixtures)?;
        Ok(Self { unknown, ..file })
    }
}

/// Keys of each table that the file may have.
const KNOWN: [(&str, &[&str]); 2] =
    [("", &["cargo", "fixtures"]), ("cargo", &["execution", "early-exit", "overrides"])];

fn unknown_keys(table: &toml::Table) -> Vec<String> {
    let mut unknown = Vec::new();
    for (name, known) in KNOWN {
        let at = if name.is_empty() { Some(table) } else { table.get(name).and_then(toml::Value::as_table) };
        let keys = at.into_iter().flat_map(toml::Table::keys);
        let path = |key: &String| if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
        unknown.extend(keys.filter(|key| !known.contains(&key.as_str())).map(path));
    }
    unknown
}

fn early_exit<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "pass" => Ok(true),
        "fail" => Ok(false),
        other => Err(serde::de::Error::custom(format!("`early-exit` is `pass` or `fail`, not `{other}`"))),
    }
}

/// Whether a pattern with `*` for any characters matches the whole name.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => name.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| matches(after, &rest[at..]))
        }),
    }
}
