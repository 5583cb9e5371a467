//! `[[fixtures]]`: what is set up once for a whole run and not once in each slot.

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// One of `[[fixtures]]`, checked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Typed")]
pub struct RunFixture {
    /// By this name tests ask for it: a Python identifier.
    pub name: String,
    /// How it is set up.
    pub how: SetUp,
    /// Ports of this machine's loopback that answer in the containers; `None`: those that are found in its value.
    pub forward: Option<Vec<u16>>,
    /// The longest time for its set-up, and for its teardown.
    pub timeout: Duration,
    /// Time between SIGTERM and SIGKILL for what it has left running.
    pub grace: Duration,
    /// True: every test uses it.
    pub autouse: bool,
}

/// How a fixture is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetUp {
    /// A program with its arguments, which writes the value as its first line and runs until it is ended.
    Command(Vec<String>),
    /// `module:function` of the project: a generator or context manager that yields the value.
    Function(String),
}

/// The same as typed.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Typed {
    name: String,
    #[expect(dead_code, reason = "there is one scope; it is read so that no other is taken for it")]
    scope: Scope,
    command: Option<Vec<String>>,
    function: Option<String>,
    forward: Option<Vec<u16>>,
    #[serde(default = "a_minute", deserialize_with = "seconds")]
    timeout: Duration,
    #[serde(default = "five_seconds", deserialize_with = "seconds")]
    grace: Duration,
    #[serde(default)]
    autouse: bool,
}

/// For how long it lives.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Scope {
    /// From before the first test that needs it to the run's end.
    Run,
}

impl TryFrom<Typed> for RunFixture {
    type Error = String;

    fn try_from(typed: Typed) -> Result<Self, String> {
        let Typed { name, command, function, forward, timeout, grace, autouse, .. } = typed;
        let first = name.chars().next();
        let is_name = first.is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_name {
            return Err(format!("`name = \"{name}\"` is no name of a fixture: letters, digits and `_`"));
        }
        let how = match (command, function) {
            (Some(words), None) if words.first().is_some_and(|word| !word.is_empty()) => {
                SetUp::Command(words)
            }
            (Some(_), None) => return Err(format!("fixture `{name}`: `command` is empty")),
            (None, Some(function)) => SetUp::Function(checked(&name, function)?),
            (None, None) => return Err(format!("fixture `{name}` needs `command` or `function`")),
            (Some(_), Some(_)) => {
                return Err(format!("fixture `{name}` has both `command` and `function`: take one"));
            }
        };
        if forward.as_ref().is_some_and(|ports| ports.contains(&0)) {
            return Err(format!("fixture `{name}`: `forward` has the port 0, which is none"));
        }
        Ok(Self { name, how, forward, timeout, grace, autouse })
    }
}

impl RunFixture {
    /// What the helper inside Python is told of it; `directory` is that of `seatrial.toml`.
    #[must_use]
    pub fn definition(&self, directory: &str) -> Value {
        let mut definition = json!({
            "name": self.name,
            "directory": directory,
            "timeout": self.timeout.as_secs_f64(),
            "grace": self.grace.as_secs_f64(),
            "autouse": self.autouse,
            "forward": self.forward,
        });
        match &self.how {
            SetUp::Command(words) => definition["command"] = words.as_slice().into(),
            SetUp::Function(function) => definition["function"] = function.as_str().into(),
        }
        definition
    }
}

fn checked(name: &str, function: String) -> Result<String, String> {
    match function.split_once(':') {
        Some((module, of)) if !module.is_empty() && !of.is_empty() => Ok(function),
        Some(_) | None => {
            Err(format!("fixture `{name}`: `function = \"{function}\"` is to be `module:function`"))
        }
    }
}

/// What concerns all of them.
pub(super) fn check(fixtures: &[RunFixture]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    match fixtures.iter().find(|fixture| !seen.insert(fixture.name.to_ascii_uppercase())) {
        Some(twice) => Err(format!("two fixtures are named `{}`, or differ in capitals alone", twice.name)),
        None => Ok(()),
    }
}

fn a_minute() -> Duration {
    Duration::from_secs(60)
}

fn five_seconds() -> Duration {
    Duration::from_secs(5)
}

/// A number of seconds, whole or not.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let value = toml::Value::deserialize(deserializer)?;
    let number = value
        .as_float()
        .or(value.as_integer().map(|number| number as f64))
        .ok_or_else(|| serde::de::Error::custom(format!("a {} is no number of seconds", value.type_str())))?;
    Duration::try_from_secs_f64(number)
        .map_err(|_| serde::de::Error::custom(format!("`{number}` is no number of seconds")))
}

#[cfg(test)]
mod tests;
