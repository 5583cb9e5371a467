//! What a command did: its streams and how it ended.

use serde_json::Value;
use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// A command that has ended.
#[derive(Clone)]
pub struct Ran {
    /// How it ended.
    pub status: ExitStatus,
    /// Its whole stdout.
    pub stdout: Vec<u8>,
    /// Its whole stderr.
    pub stderr: Vec<u8>,
    pub(crate) typed: String,
}

impl Ran {
    /// stdout as text.
    #[must_use]
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// stderr as text.
    #[must_use]
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// The exit code; -1 after a signal.
    #[must_use]
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or(-1)
    }

    /// Asserts the exit code, and shows everything otherwise.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{self:?}");
        self
    }

    /// Asserts that stdout, without the white space around it, is this.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert_eq!(self.out().trim(), text, "{self:?}");
        self
    }

    /// Asserts that stdout or stderr has this text.
    #[track_caller]
    pub fn tells(&self, text: &str) -> &Self {
        assert!(self.out().contains(text) || self.err().contains(text), "nothing of `{text}` in {self:?}");
        self
    }

    /// Asserts that neither stdout nor stderr has this text.
    #[track_caller]
    pub fn hides(&self, text: &str) -> &Self {
        assert!(!self.out().contains(text) && !self.err().contains(text), "`{text}` in {self:?}");
        self
    }

    /// Asserts the last line of stderr: the summary.
    #[track_caller]
    pub fn ends(&self, line: &str) -> &Self {
        assert_eq!(self.err().lines().next_back(), Some(line), "{self:?}");
        self
    }

    /// The event lines of `--format json`.
    #[track_caller]
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.out().lines().map(parse).collect()
    }

    /// The events of one kind.
    #[track_caller]
    #[must_use]
    pub fn events_of(&self, kind: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["event"] == kind).collect()
    }

    /// Group, name and outcome of every test, by its last attempt, sorted; skipped ones too.
    #[track_caller]
    #[must_use]
    pub fn outcomes(&self) -> Vec<(String, String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
        let mut all: Vec<_> = self
            .events()
            .iter()
            .filter_map(|event| {
                let outcome = match event["event"].as_str()? {
                    "attempt-finished" if event["last"] == true => text(&event["outcome"]),
                    "skipped" => "skip".to_owned(),
                    _ => return None,
                };
                Some((text(&event["test"]["group"]), text(&event["test"]["name"]), outcome))
            })
            .collect();
        all.sort();
        all
    }

    /// The last event, that of a run's end.
    #[track_caller]
    #[must_use]
    pub fn finished(&self) -> Value {
        let last = self.events().pop().unwrap_or_default();
        assert_eq!(last["event"], "run-finished", "{self:?}");
        last
    }
}

/// Everything that a failed assertion's reader wants, with long streams cut.
impl fmt::Debug for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, signal) => format!("signal {}", signal.unwrap_or(0)),
        };
        writeln!(f, "`{}`: {end}", self.typed)?;
        for (name, bytes) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            let shown = &bytes[..bytes.len().min(6_000)];
            writeln!(f, "--- {name}, {} bytes\n{}", bytes.len(), String::from_utf8_lossy(shown).trim_end())?;
        }
        Ok(())
    }
}
