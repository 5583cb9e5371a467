//! Report lines as they come: JSON, one a line.

use seatrial_model::{FileFacts, TestRef};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

/// One line.
#[derive(Debug, Deserialize)]
pub(super) struct Line {
    /// The test's position within the job; `None` when it is about no test of the job, or not only.
    pub(super) test: Option<usize>,
    pub(super) late: Option<Late>,
    #[serde(rename = "unsafe")]
    pub(super) unsafe_fixture: Option<Unsafe>,
    pub(super) coverage: Option<IgnoredAny>,
    pub(super) snapshots: Option<IgnoredAny>,
    pub(super) facts: Option<Facts>,
    #[serde(default)]
    pub(super) start: bool,
    /// Tests that ran before this one in the same process of a checked batch.
    #[serde(default)]
    pub(super) before: u32,
    #[serde(default)]
    pub(super) end: bool,
    /// What the test has left changed in its process, in words.
    pub(super) left: Option<String>,
    pub(super) report: Option<Report>,
    pub(super) missing: Option<String>,
    pub(super) broken: Option<String>,
    pub(super) exit: Option<String>,
}

/// The test that a late report is about.
#[derive(Debug, Deserialize)]
pub(super) struct Late {
    pub(super) id: String,
    pub(super) n: u32,
}

/// A fixture that cannot be inherited through a fork.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Unsafe {
    /// Its name.
    pub fixture: String,
    /// What its set-up left behind, in words.
    pub left: String,
    /// It is inherited all the same, and what tests write stays with it.
    #[serde(default)]
    pub stays: bool,
    /// It takes long: a process lives on with it, which the tests that use it share.
    #[serde(default)]
    pub shared: bool,
}

/// Which files a process opened and which modules it imported.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Facts {
    /// Positions within the job.
    tests: Vec<usize>,
    interpreter: String,
    step: u32,
    #[serde(default)]
    shared: bool,
    opened: Vec<String>,
    written: Vec<String>,
    imported: Vec<String>,
    left_out: u32,
}

impl Facts {
    /// The same of the tests of a job by name; nothing when it is about others.
    #[must_use]
    pub fn of(self, job: &[TestRef]) -> Option<FileFacts> {
        let tests = self.tests.iter().map(|&at| job.get(at).cloned()).collect::<Option<_>>()?;
        let Self { interpreter, step, shared, opened, written, imported, left_out, .. } = self;
        Some(FileFacts { tests, interpreter, step, shared, opened, written, imported, left_out })
    }
}

/// One of pytest's reports about a test, as `pytest_report_to_serializable` makes it; what is not read is passed over.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Report {
    /// The test's node id.
    #[serde(default)]
    pub nodeid: String,
    /// `passed`, `failed`, `skipped`, or what a plug-in adds, such as `rerun`.
    pub outcome: String,
    /// `setup`, `call` or `teardown`.
    #[serde(default)]
    pub when: Option<String>,
    #[serde(default)]
    pub(super) longrepr: Value,
    #[serde(default)]
    pub(super) sections: Vec<(String, Value)>,
    #[serde(default)]
    duration: Value,
    /// What of it was spent on set-ups that other tests share.
    #[serde(default)]
    seatrial_set_up: Value,
    #[serde(default)]
    wasxfail: Option<Value>,
    /// Which try this is, from 0: pytest-rerunfailures' word.
    #[serde(default)]
    rerun: Value,
    #[serde(default)]
    location: Value,
    #[serde(default, rename = "_report_type")]
    own_type: Option<String>,
    #[serde(default, rename = "$report_type")]
    pytest_type: Option<String>,
    #[serde(default, rename = "_subtest.context")]
    context: Option<Context>,
}

/// What tells a subtest from the others of its test.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Context {
    #[serde(default)]
    msg: Value,
    #[serde(default)]
    kwargs: Pairs,
}

/// A JSON object in its own order.
#[derive(Clone, Debug, Default, PartialEq)]
struct Pairs(Vec<(String, Value)>);

impl Report {
    /// True for the reports of a set-up, call or teardown; false for those that plug-ins add, as for subtests.
    #[must_use]
    pub fn is_of_a_phase(&self) -> bool {
        self.context.is_none()
            && self.own_type.is_none()
            && self.pytest_type.as_deref().is_none_or(|name| name == "TestReport")
    }

    /// True when this is the phase's own report.
    #[must_use]
    pub fn is(&self, when: &str) -> bool {
        self.is_of_a_phase() && self.when.as_deref() == Some(when)
    }

    /// The reason of an expected failure, `Some` also when no reason was given.
    #[must_use]
    pub fn xfail(&self) -> Option<&str> {
        let reason = self.wasxfail.as_ref()?.as_str().unwrap_or_default();
        // Until pytest 8.3 a failure expected from inside the test came with this word.
        Some(reason.strip_prefix("reason: ").unwrap_or(reason))
    }

    /// How many tries a plug-in had made before this one.
    #[must_use]
    pub fn reruns_before(&self) -> Option<u64> {
        self.rerun.as_u64()
    }

    /// Seconds that it took, without set-ups that other tests share.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        let shared = self.seatrial_set_up.as_f64().unwrap_or_default();
        let own = self.duration.as_f64().map(|seconds| seconds - shared);
        own.filter(|seconds| seconds.is_finite() && *seconds >= 0.0).unwrap_or_default()
    }

    /// The headline that pytest puts above a failure: the test's name within its file, and which subtest.
    #[must_use]
    pub fn headline(&self) -> String {
        let domain = self.location.get(2).and_then(Value::as_str).unwrap_or("test session");
        match &self.context {
            Some(context) => format!("{domain} {}", context.words()),
            None => domain.to_owned(),
        }
    }

    /// Which subtest this is about, as pytest names it.
    #[must_use]
    pub fn subtest(&self) -> Option<String> {
        self.context.as_ref().map(Context::words)
    }
}

impl Context {
    fn words(&self) -> String {
        let message = self.msg.as_str().map(|message| format!("[{message}]"));
        let pairs: Vec<String> =
            self.kwargs.0.iter().map(|(name, value)| format!("{name}={}", python(value))).collect();
        let pairs = (!pairs.is_empty()).then(|| format!("({})", pairs.join(", ")));
        let parts: Vec<String> = message.into_iter().chain(pairs).collect();
        if parts.is_empty() { "(<subtest>)".to_owned() } else { parts.join(" ") }
    }
}

/// A value as Python prints it. A string stands as it is: pytest 9 sends the printed form of any value as a string.
fn python(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Array(_) => value.to_string(),
        Value::Object(object) => match object.get("$repr").and_then(Value::as_str) {
            Some(printed) => printed.to_owned(),
            None => value.to_string(),
        },
    }
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ordered;

        impl<'de> Visitor<'de> for Ordered {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(Ordered)
    }
}

/// Reads a line.
pub(super) fn parse(line: &[u8]) -> Result<Line, serde_json::Error> {
    serde_json::from_slice(line).or_else(|error| match without_strange_numbers(line) {
        Cow::Borrowed(_) => Err(error),
        Cow::Owned(line) => serde_json::from_slice(&line),
    })
}

/// `null` for the numbers that Python writes into JSON though JSON has none of them.
fn without_strange_numbers(line: &[u8]) -> Cow<'_, [u8]> {
    const STRANGE: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];
    let (mut out, mut at, mut in_string, mut changed) = (Vec::with_capacity(line.len()), 0, false, false);
    while let Some(byte) = line.get(at) {
        let found = STRANGE.iter().find(|word| !in_string && line[at..].starts_with(word));
        if let Some(word) = found {
            out.extend_from_slice(b"null");
            at += word.len();
            changed = true;
            continue;
        }
        if in_string && *byte == b'\\' {
            out.extend(line[at..].iter().take(2));
            at += 2;
            continue;
        }
        in_string ^= *byte == b'"';
        out.push(*byte);
        at += 1;
    }
    if changed { Cow::Owned(out) } else { Cow::Borrowed(line) }
}
