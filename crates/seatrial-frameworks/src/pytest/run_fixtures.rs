//! Fixtures for a whole run, as the lister has set them up: their values for tests, and the ports that these name.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// A fixture that some collected test uses.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct SetFixture {
    /// Its name.
    pub name: String,
    /// Its value; `None`: it could not be set up.
    #[serde(default, deserialize_with = "some")]
    pub value: Option<Value>,
    /// Why it could not be set up, with what it wrote.
    #[serde(default)]
    pub error: Option<String>,
    /// The ports that are to answer in the containers; `None`: those in its value.
    #[serde(default)]
    pub forward: Option<Vec<u16>>,
}

/// A value of `null` is a value.
fn some<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl SetFixture {
    /// The variable that tells its value to tests and to what they start: text as it is, anything else as JSON.
    #[must_use]
    pub fn variable(&self) -> Option<(String, String)> {
        let value = match self.value.as_ref()? {
            Value::String(text) => text.clone(),
            other
            @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                other.to_string()
            }
        };
        Some((format!("SEATRIAL_FIXTURE_{}", self.name.to_ascii_uppercase()), value))
    }

    /// The ports of this machine that its tests have to reach.
    #[must_use]
    pub fn ports(&self) -> Vec<u16> {
        match (&self.forward, &self.value) {
            (Some(ports), _) => ports.clone(),
            (None, Some(value)) => ports_of(value),
            (None, None) => Vec::new(),
        }
    }
}

/// What a warmer's packet says of them.
#[must_use]
pub fn values(fixtures: &[SetFixture]) -> Value {
    let entry = |fixture: &SetFixture| match (&fixture.value, &fixture.error) {
        (Some(value), _) => json!({ "value": value }),
        (None, error) => json!({ "error": error.as_deref().unwrap_or("it has no value") }),
    };
    Value::Object(
        fixtures.iter().map(|fixture| (fixture.name.clone(), entry(fixture))).collect::<Map<_, _>>(),
    )
}

/// The variables that tell their values.
#[must_use]
pub fn variables(fixtures: &[SetFixture]) -> Value {
    let pairs = fixtures.iter().filter_map(SetFixture::variable);
    Value::Object(pairs.map(|(name, value)| (name, Value::from(value))).collect())
}

/// The ports of this machine's loopback that a value names, each once: a value that is a number; numbers under the keys
/// `port`, `ports` and `..._port`; in texts and in pairs what stands behind a name of the loopback.
#[must_use]
pub fn ports_of(value: &Value) -> Vec<u16> {
    let mut ports = BTreeSet::new();
    ports.extend(port(value));
    collect(value, &mut ports);
    ports.into_iter().collect()
}

fn collect(value: &Value, ports: &mut BTreeSet<u16>) {
    match value {
        Value::String(text) => ports.extend(in_text(text)),
        Value::Array(values) => {
            if let [Value::String(host), number] = values.as_slice()
                && HOSTS.contains(&host.as_str())
            {
                ports.extend(port(number));
            }
            values.iter().for_each(|value| collect(value, ports));
        }
        Value::Object(fields) => {
            for (key, value) in fields {
                let key = key.to_ascii_lowercase();
                if key == "ports" || key == "port" || key.ends_with("_port") {
                    let several = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
                    ports.extend(several.iter().filter_map(port));
                }
                collect(value, ports);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Names of this machine's loopback.
const HOSTS: [&str; 5] = ["localhost", "127.0.0.1", "0.0.0.0", "::1", "[::1]"];

/// A number, or a text of digits, that can be a port.
fn port(value: &Value) -> Option<u16> {
    let number = match value {
        Value::Number(number) => u16::try_from(number.as_u64()?).ok()?,
        Value::String(text) => text.parse().ok()?,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    (number > 0).then_some(number)
}

/// `localhost:5432`, also within a URL.
fn in_text(text: &str) -> impl Iterator<Item = u16> {
    HOSTS.into_iter().flat_map(move |host| {
        text.match_indices(host).filter_map(move |(at, _)| {
            let rest = text[at + host.len()..].strip_prefix(':')?;
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest[..end].parse().ok().filter(|port| *port > 0)
        })
    })
}

#[cfg(test)]
mod tests;
