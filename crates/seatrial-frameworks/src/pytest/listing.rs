//! What the lister tells: whole messages in, facts out.

use super::run_fixtures::SetFixture;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// A message of the lister.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// The first: pytest has begun its session, or could not.
    Hello(Hello),
    /// Some of the tests, in collection order.
    Tests(Vec<ListedTest>),
    /// Something that could not be collected, as pytest shows it.
    Problem {
        /// Its node id; empty when it is pytest itself.
        id: String,
        /// pytest's text.
        text: String,
    },
    /// A file, or other collector, that skips all that it holds.
    Skipped {
        /// Its node id.
        id: String,
        /// Why.
        reason: String,
    },
    /// Something to be said once about a file.
    Notice {
        /// The file, absolute.
        file: String,
        /// The words.
        text: String,
    },
    /// Collection is over.
    Listed(ListedAll),
    /// pytest's session wants no more tests, for this reason.
    Stop(String),
    /// The last: the session is over.
    Finished {
        /// pytest's exit status.
        exit: i32,
        /// What plug-ins print at the end.
        summary: String,
        /// Fixtures for the whole run that could not be undone as they should, in words.
        late: Vec<String>,
    },
    /// A message of another kind: of a newer helper, or `synced`, the answer to [`sync`](super::replay::sync), which
    /// says that all that earlier messages caused has been told.
    Other(String),
}

/// What the lister tells of pytest.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Hello {
    /// Python's version.
    pub python: String,
    /// pytest's version; `None` when it is not installed.
    pub pytest: Option<String>,
    /// pytest's root directory.
    #[serde(default)]
    pub rootdir: Option<String>,
    /// The configuration file in use.
    #[serde(default)]
    pub inifile: Option<String>,
    /// `--maxfail`, from wherever it came; 0 is none.
    #[serde(default)]
    pub maxfail: u32,
    /// `--stepwise`: the session ends with the first failure.
    #[serde(default)]
    pub stepwise: bool,
    /// Installed plug-ins with their versions.
    #[serde(default)]
    pub plugins: Vec<String>,
    /// For each slot what plug-ins hand to its worker, to be passed on as it is.
    #[serde(default)]
    pub nodes: Vec<Value>,
    /// True when it looks as if warm interpreters could be forked from this session.
    #[serde(default)]
    pub forks: bool,
}

/// One test, as collected.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ListedTest {
    /// pytest's node id; any characters.
    pub id: String,
    /// How many tests of its file with the same id come before it.
    pub n: u32,
    /// The path by which pytest collects it again, absolute.
    pub file: String,
    /// The line, from 1.
    #[serde(default)]
    pub line: Option<u64>,
    /// True when it uses a fixture wider than a function and narrower than the session.
    pub wide: bool,
    /// How it can be run.
    pub job: JobOf,
    /// Tests of a file with one number need the same wide set-ups, made once before they run.
    #[serde(default)]
    pub kind: u32,
    /// Tests of a file with one number need the same set-ups wider than a class.
    #[serde(default)]
    pub wider: Option<u32>,
    /// The number of the class that it stands in, when something is set up for that class.
    #[serde(default)]
    pub own: Option<u32>,
    /// True when it is all that its file holds, and no Python function: what it shares a process with is in other files.
    #[serde(default)]
    pub alone: bool,
    /// The directory whose tests share a fixture with it, when it is wider than the file.
    #[serde(default)]
    pub group: Option<String>,
    /// What it has to be run together with, in words: neighbours of one file with equal units run in one process, which
    /// sets up and tears down what they share.
    #[serde(default)]
    pub unit: Option<String>,
}

/// What has to run together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobOf {
    /// The test alone.
    Test,
    /// The whole file, in one process.
    File,
}

/// The end of collection.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct ListedAll {
    /// How many tests there are. When another number came, some were lost.
    pub tests: u64,
    /// How many were deselected.
    pub deselected: u64,
    /// pytest's exit status when nothing will run.
    #[serde(default)]
    pub exit: Option<i32>,
    /// Modules that the collection has imported, in their order.
    #[serde(default)]
    pub imports: Vec<String>,
    /// Fixtures for the whole run that tests use.
    #[serde(default)]
    pub fixtures: Vec<SetFixture>,
    /// Why warm interpreters are not forks of this session, in words.
    #[serde(default)]
    pub refusal: Option<String>,
    /// True when conftest files or plug-ins leave what no fork inherits: each test file needs a session of its own.
    #[serde(default)]
    pub cold: bool,
    /// Environment variables that plug-ins have set at the start of the lister's session.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// Directories for temporary files among their values.
    #[serde(default)]
    pub folders: Vec<String>,
    /// All files are to be collected before the first test, but these, for what their import leaves no fork inherits.
    #[serde(default)]
    pub apart: Option<Vec<String>>,
}

/// Why some bytes are no message of the lister.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListingError {
    /// They are not JSON, or not an object with one key.
    NotAMessage {
        /// What came, or how it begins.
        came: String,
        /// What is wrong with it.
        why: String,
    },
    /// A message of a known kind has another form.
    Form {
        /// The kind.
        kind: String,
        /// What came, or how it begins.
        came: String,
        /// What is wrong with it.
        why: String,
    },
}

impl fmt::Display for ListingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAMessage { came, why } => {
                write!(f, "the helper inside Python sent what is no message ({why}): `{came}`")
            }
            Self::Form { kind, came, why } => {
                write!(f, "the helper inside Python sent a `{kind}` that cannot be read ({why}): `{came}`")
            }
        }
    }
}

impl std::error::Error for ListingError {}

#[derive(Deserialize)]
struct Problem {
    id: String,
    text: String,
}

#[derive(Deserialize)]
struct Skipped {
    id: String,
    reason: String,
}

#[derive(Deserialize)]
struct Notice {
    file: String,
    text: String,
}

#[derive(Deserialize)]
struct Finished {
    exit: i32,
    summary: String,
    #[serde(default)]
    late: Vec<String>,
}

/// Reads one whole message.
///
/// # Errors
/// Bytes that are no message, and a known message of an unknown form; both quote what came. A message of an unknown
/// kind is none.
pub fn read_message(message: &[u8]) -> Result<Message, ListingError> {
    let refuse = |why: String| ListingError::NotAMessage { came: quote(message), why };
    let value: Value = serde_json::from_slice(message).map_err(|error| refuse(error.to_string()))?;
    let Value::Object(object) = value else { return Err(refuse("no object".to_owned())) };
    let mut pairs = object.into_iter();
    let (Some((kind, value)), None) = (pairs.next(), pairs.next()) else {
        return Err(refuse("it has not one key".to_owned()));
    };
    read_kind(&kind, value).map_err(|error| ListingError::Form {
        kind,
        came: quote(message),
        why: error.to_string(),
    })
}

fn read_kind(kind: &str, value: Value) -> Result<Message, serde_json::Error> {
    use serde_json::from_value as read;
    Ok(match kind {
        "hello" => Message::Hello(read(value)?),
        "tests" => Message::Tests(read(value)?),
        "problem" => {
            let Problem { id, text } = read(value)?;
            Message::Problem { id, text }
        }
        "skipped" => {
            let Skipped { id, reason } = read(value)?;
            Message::Skipped { id, reason }
        }
        "notice" => {
            let Notice { file, text } = read(value)?;
            Message::Notice { file, text }
        }
        "listed" => Message::Listed(read(value)?),
        "stop" => Message::Stop(read(value)?),
        "finished" => {
            let Finished { exit, summary, late } = read(value)?;
            Message::Finished { exit, summary, late }
        }
        _ => Message::Other(kind.to_owned()),
    })
}

/// The beginning of what came, to be shown.
fn quote(message: &[u8]) -> String {
    const SHOWN: usize = 240;
    let text = String::from_utf8_lossy(message);
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.into_owned(),
    }
}

#[cfg(test)]
mod tests;
