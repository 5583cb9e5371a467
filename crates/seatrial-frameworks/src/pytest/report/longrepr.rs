//! The long form of a failure, `longrepr`: read from JSON and laid out as pytest does.

use super::page::{Page, python_lines};
use serde::Deserialize;
use serde_json::Value;

/// What begins a line of the failure itself, between the lines of source.
const FAILURE_MARK: &str = "E   ";

/// A failure's long form.
pub(super) enum Longrepr {
    /// There is none.
    Nothing,
    /// Words: of a failure without a traceback, or of one that pytest itself had already laid out.
    Text(String),
    /// Where a test was skipped, and why.
    Skip(String),
    /// An exception with its traceback.
    Exception(Box<Exception>),
}

/// An exception, and those that led to it.
#[derive(Debug, Deserialize)]
pub(super) struct Exception {
    reprcrash: Option<Place>,
    reprtraceback: Traceback,
    #[serde(default)]
    sections: Vec<(String, String, String)>,
    #[serde(default)]
    chain: Option<Vec<Link>>,
}

/// An exception of a chain, and how the next came of it.
type Link = (Traceback, Option<Place>, Option<String>);

#[derive(Debug, Deserialize)]
struct Traceback {
    reprentries: Vec<Entry>,
    #[serde(default)]
    extraline: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    data: EntryData,
}

#[derive(Debug, Deserialize)]
struct EntryData {
    #[serde(default)]
    lines: Vec<String>,
    #[serde(default)]
    reprfuncargs: Option<Arguments>,
    #[serde(default)]
    reprlocals: Option<Locals>,
    #[serde(default)]
    reprfileloc: Option<Place>,
    #[serde(default)]
    style: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Arguments {
    args: Vec<(String, String)>,
}

#[derive(Debug, Deserialize)]
struct Locals {
    lines: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Place {
    path: String,
    lineno: i64,
    message: String,
}

impl Longrepr {
    /// Reads the JSON form. What has an unknown form is kept as the text of its JSON, so that nothing is hidden.
    pub(super) fn read(value: &Value) -> Self {
        match value {
            Value::Null => Self::Nothing,
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(parts) => match parts.get(2).and_then(Value::as_str) {
                Some(reason) => Self::Skip(reason.to_owned()),
                None => Self::Text(value.to_string()),
            },
            Value::Object(object) => match Exception::deserialize(value) {
                Ok(exception) => Self::Exception(Box::new(exception)),
                Err(_) => {
                    let printed = object.get("$repr").and_then(Value::as_str).map(str::to_owned);
                    Self::Text(printed.unwrap_or_else(|| value.to_string()))
                }
            },
            Value::Bool(_) | Value::Number(_) => Self::Text(value.to_string()),
        }
    }

    /// The failure in one line, as in pytest's short summary: the message of the exception, or the first of its words.
    pub(super) fn words(&self) -> Option<String> {
        let first = |text: &str| text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned);
        let line = match self {
            Self::Nothing => None,
            Self::Text(text) => telling_line(text).map(str::to_owned),
            Self::Skip(text) => first(text),
            Self::Exception(exception) => match &exception.reprcrash {
                Some(place) => first(&place.message),
                None => exception.last_words().and_then(first),
            },
        }?;
        // The name that pytest gives to `pytest.fail` in some versions.
        Some(line.strip_prefix("Failed: ").map_or(line.clone(), str::to_owned))
    }

    /// The line of `--tb=line`.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Text(text) | Self::Skip(text) => text.chars().take(50).collect(),
            Self::Exception(exception) => match &exception.reprcrash {
                Some(place) => place.words(),
                None => exception.last_words().unwrap_or_default().chars().take(50).collect(),
            },
        }
    }

    /// All of it.
    pub(super) fn write(&self, page: &mut Page) {
        match self {
            Self::Nothing => {}
            Self::Text(text) | Self::Skip(text) => page.line(text),
            Self::Exception(exception) => exception.write(page),
        }
    }
}

impl Exception {
    fn write(&self, page: &mut Page) {
        match &self.chain {
            Some(chain) if !chain.is_empty() => {
                for (traceback, _, description) in chain {
                    traceback.write(page);
                    if let Some(description) = description {
                        page.line("");
                        page.line(description);
                    }
                }
            }
            Some(_) | None => self.reprtraceback.write(page),
        }
        for (name, content, mark) in &self.sections {
            page.rule(mark, Some(name));
            page.line(content);
        }
    }

    /// The failure of a traceback that tells no place.
    fn last_words(&self) -> Option<&str> {
        let entry = self.reprtraceback.reprentries.last()?;
        let mut lines =
            entry.data.lines.iter().flat_map(|text| text.lines()).filter(|line| !line.trim().is_empty());
        if entry.style() == "native" { lines.next_back() } else { lines.next() }
    }
}

impl Traceback {
    fn write(&self, page: &mut Page) {
        for (index, entry) in self.reprentries.iter().enumerate() {
            if entry.style() == "long" {
                page.line("");
            }
            entry.write(page);
            let Some(next) = self.reprentries.get(index + 1) else { continue };
            if entry.style() == "long" || (entry.style() == "short" && next.style() == "long") {
                page.rule("_ ", None);
            }
        }
        if let Some(line) = self.extraline.as_deref().filter(|line| !line.is_empty()) {
            page.line(line);
        }
    }
}

impl Entry {
    fn style(&self) -> &str {
        if self.kind == "ReprEntryNative" { "native" } else { self.data.style.as_deref().unwrap_or("long") }
    }

    fn write(&self, page: &mut Page) {
        let data = &self.data;
        if self.style() == "native" {
            return data.lines.iter().for_each(|line| page.write(line));
        }
        let locals = data.reprlocals.iter().flat_map(|locals| &locals.lines);
        if self.style() == "short" {
            data.reprfileloc.iter().for_each(|place| page.line(&place.words()));
            self.write_lines(page);
            locals.for_each(|line| page.line(&format!("        {line}")));
            return;
        }
        if let Some(arguments) = data.reprfuncargs.as_ref().filter(|arguments| !arguments.args.is_empty()) {
            page.pairs(&arguments.args);
            page.line("");
        }
        self.write_lines(page);
        if data.reprlocals.is_some() {
            page.line("");
            locals.for_each(|line| page.line(line));
        }
        if let Some(place) = &data.reprfileloc {
            if !data.lines.is_empty() {
                page.line("");
            }
            page.line(&place.words());
        }
    }

    /// The lines of source, then those of the failure. pytest joins the former and splits them again by Python's rules,
    /// so that an empty line at their end is not there any more.
    fn write_lines(&self, page: &mut Page) {
        let lines = &self.data.lines;
        if self.style() == "value" {
            return lines.iter().for_each(|line| page.line(line));
        }
        let failure = lines.iter().position(|line| line.starts_with(FAILURE_MARK)).unwrap_or(lines.len());
        let (source, failure) = lines.split_at(failure);
        let parts: Vec<(&str, &str)> = source.iter().map(|line| split_indent(line)).collect();
        let joined = parts.iter().map(|(_, rest)| *rest).collect::<Vec<_>>().join("\n");
        for ((indent, _), line) in parts.iter().zip(python_lines(&joined)) {
            page.line(&format!("{indent}{line}"));
        }
        failure.iter().for_each(|line| page.line(line));
    }
}

impl Place {
    fn words(&self) -> String {
        let message = self.message.split('\n').next().unwrap_or_default();
        format!("{}:{}: {message}", self.path, self.lineno)
    }
}

/// The line of a text that says most: the failure's in a traceback, the place at which a doctest failed, else the first.
pub(super) fn telling_line(text: &str) -> Option<&str> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let failure = text.lines().find_map(|line| line.strip_prefix("E  ")).map(str::trim);
    let place = lines.clone().next_back().filter(|line| is_place(line));
    failure.or(place).or_else(|| lines.next())
}

/// Whether a line has the form `PATH:NUMBER: WORD`.
fn is_place(line: &str) -> bool {
    let number = line.rsplit_once(": ").and_then(|(place, _)| place.rsplit_once(':'));
    number.is_some_and(|(_, number)| number.parse::<u32>().is_ok())
}

/// The first four characters, in which pytest marks the line that failed, and the rest.
fn split_indent(line: &str) -> (&str, &str) {
    let at = line.char_indices().nth(FAILURE_MARK.len()).map_or(line.len(), |(at, _)| at);
    line.split_at(at)
}
