//! `cargo xtask corpus python`: published projects' own tests under pytest and under `seatrial pytest`.
//!
//! A source distribution is unpacked afresh for every run. Plain pytest runs twice: what these two runs disagree about is
//! unsteady, and not counted. All runs write pytest's own JUnit report; Seatrial's events are what counts, and its report
//! must say the same.

pub(crate) mod environment;
pub(crate) mod suites;

use super::outcomes::{Comparison, Outcome, Outcomes, Test, Unsteady, compare, say};
use super::place::{Asked, Place};
use super::{Told, events, junit};
use crate::process::{Result, tail};
use environment::{Environment, Python};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use suites::Suite;

const HEADING: &str =
    "project|Python|tests|same|only pytest passes|only seatrial passes|both fail|skipped|unmatched|unsteady";

/// What was asked for.
struct Request<'w> {
    suites: Vec<Suite>,
    pythons: Vec<Python>,
    granularity: Option<&'w str>,
    place: Place,
}

/// Runs the corpus; false when a test that passes under pytest does not pass under Seatrial.
pub(crate) fn run(words: &[&str], out: &mut dyn Write) -> Result<bool> {
    let request = read_request(words)?;
    let mut told = Told::new(out, HEADING);
    for python in &request.pythons {
        let mut names: Vec<&str> = request.suites.iter().map(|suite| suite.name.as_str()).collect();
        names.dedup();
        for name in names {
            let fits = |suite: &&Suite| suite.name == name && suite.fits(python.version);
            let (version, compared) = match request.suites.iter().find(fits) {
                Some(suite) => (suite.version.as_str(), one(&request, suite, python)),
                None => ("-", Err("no version of it is pinned for this Python".to_owned())),
            };
            told.add(&[&format!("{name} {version}"), &python.label()], compared);
        }
    }
    told.end(&request.place)
}

fn read_request<'w>(words: &[&'w str]) -> Result<Request<'w>> {
    let mut suites = suites::pinned()?;
    let (mut asked, mut granularity, mut pythons, mut names) =
        (Asked::default(), None, Vec::new(), Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().copied().ok_or_else(|| format!("`{word}` needs a value"));
        if asked.take(word, &mut value)? {
            continue;
        }
        match *word {
            "--python" => pythons.push(value()?),
            "--granularity" => granularity = Some(value()?),
            name if suites.iter().any(|suite| suite.name == name) => names.push(name),
            other => return Err(format!("`{other}` is no project of benches/corpus/python.txt")),
        }
    }
    if !names.is_empty() {
        suites.retain(|suite| names.contains(&suite.name.as_str()));
    }
    if pythons.is_empty() {
        pythons.push("python3");
    }
    let pythons = pythons.into_iter().map(Python::ask).collect::<Result<_>>()?;
    Ok(Request { suites, pythons, granularity, place: asked.place("corpus-python")? })
}

/// Runs one project three times.
fn one(request: &Request, suite: &Suite, python: &Python) -> Result<Comparison> {
    let place = &request.place;
    let environment = Environment::ready(place, suite, python)?;
    let logs = place.logs(&environment.name)?;
    let plain = || {
        let mut command = Command::new(environment.program("pytest"));
        command.args(&suite.args);
        command
    };
    let (one, _) = outcomes(place, (suite, &environment), plain(), &logs.join("pytest"))?;
    if one.tests.is_empty() {
        return Err("pytest itself runs no test".to_owned());
    }
    let (two, _) = outcomes(place, (suite, &environment), plain(), &logs.join("pytest-again"))?;
    let mut command = Command::new(&place.seatrial);
    command.arg("pytest").arg("--python").arg(environment.program("python")).args(["--format", "json"]);
    if let Some(granularity) = request.granularity {
        command.args(["--granularity", granularity]);
    }
    command.args(&suite.args).env("XDG_STATE_HOME", place.work.join("state"));
    let log = logs.join("seatrial");
    let report = outcomes(place, (suite, &environment), command, &log);
    let told = std::fs::read(log.with_extension("out")).unwrap_or_default();
    let ours = events::outcomes(&told, key).ok_or_else(|| {
        let said = std::fs::read(log.with_extension("err")).unwrap_or_default();
        format!("Seatrial's run did not come to its end\n{}", tail(&said))
    })?;
    let mut comparison = compare(&one, &ours, &Unsteady::between(&one, &two), false);
    comparison.notices.extend(not_collected(&one));
    comparison.notices.extend(differing(&ours, &report?.0));
    Ok(comparison)
}

/// Runs one command on a fresh copy, and reads the JUnit report of pytest in it.
fn outcomes(
    place: &Place,
    (suite, environment): (&Suite, &Environment),
    mut command: Command,
    log: &Path,
) -> Result<(Outcomes, std::process::ExitStatus)> {
    let source = environment.fresh_copy(place)?;
    let report = log.with_extension("xml");
    let _ = std::fs::remove_file(&report);
    // Where the user who runs it may write.
    let written = PathBuf::from(format!("{}.xml", source.display()));
    command.arg(format!("--junitxml={}", written.display())).args(["-o", "junit_family=xunit2"]);
    command.envs(suite.vars.iter().map(|(name, value)| (name, value)));
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", environment.program("").display()));
    let ended = place.logged(&command, &source.join(&suite.folder), log)?;
    let xml = std::fs::read_to_string(&written).map_err(|_| {
        let said = |part: &str| std::fs::read(log.with_extension(part)).unwrap_or_default();
        format!("no report was written ({ended})\n{}\n{}", tail(&said("out")), tail(&said("err")))
    })?;
    std::fs::rename(&written, &report).map_err(|error| format!("{}: {error}", report.display()))?;
    Ok((of_report(&xml), ended))
}

/// Reads a report of pytest's.
fn of_report(xml: &str) -> Outcomes {
    let mut outcomes = Outcomes::default();
    for case in junit::read(xml) {
        let bad = case.inner.iter().find(|(element, _, _)| element == "failure" || element == "error");
        let skipped = case.inner.iter().any(|(element, _, _)| element == "skipped");
        let outcome = match bad {
            Some((element, _, message)) => {
                Outcome::Bad(format!("{element}: {}", message.lines().next().unwrap_or_default()))
            }
            None if skipped => Outcome::Skip,
            None => Outcome::Pass,
        };
        outcomes.add((case.class, case.name), outcome);
    }
    outcomes
}

/// A test's names in pytest's report, from those in our events: all but the last part of its node id, and the last part.
fn key(group: &str, name: &str) -> Test {
    let name = without_number(name);
    // A plug-in's items may have no name of their own.
    let id =
        if name == "(collection)" || name == group { group.to_owned() } else { format!("{group}::{name}") };
    let (path, params) = id.find('[').map_or((id.as_str(), ""), |at| id.split_at(at));
    let mut parts: Vec<String> = path.split("::").map(str::to_owned).collect();
    parts[0] = parts[0].replace('/', ".");
    if let Some(stem) = parts[0].strip_suffix(".py") {
        parts[0] = stem.to_owned();
    }
    let last = parts.pop().unwrap_or_default() + params;
    (parts.join("."), escaped(&last))
}

/// The second and later tests of one id have a number behind their name.
fn without_number(name: &str) -> &str {
    let number = name.strip_suffix(')').and_then(|name| name.rsplit_once(" ("));
    match number {
        Some((name, digits)) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            name
        }
        _ => name,
    }
}

/// What XML cannot hold, as pytest writes it.
fn escaped(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        match letter {
            '\t' | '\n' | '\r' | ' '..='~' | '\u{80}'..='\u{fffd}' | '\u{10000}'.. => text.push(letter),
            other => text.push_str(&format!("#x{:02X}", u32::from(other))),
        }
    }
    text
}

/// What plain pytest could not collect: tests that nobody ran. A report names it without a class.
fn not_collected(natively: &Outcomes) -> Vec<String> {
    let bad = natively
        .tests
        .iter()
        .filter(|((class, _), outcome)| class.is_empty() && matches!(outcome, Outcome::Bad(_)));
    bad.map(|((_, name), why)| format!("pytest itself cannot collect {name}: {}", say(why))).collect()
}

/// Where pytest's report says something else than our events, which are what counts.
fn differing(ours: &Outcomes, report: &Outcomes) -> Vec<String> {
    let mut found = Vec::new();
    for ((group, name), outcome) in &ours.tests {
        let said = report.tests.get(&(group.clone(), name.clone()));
        if said.map(std::mem::discriminant) != Some(std::mem::discriminant(outcome)) {
            let said = said.map_or_else(|| "nothing".to_owned(), say);
            found.push(format!("the report says `{said}` of {group} {name}: {}", say(outcome)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{differing, key, of_report};
    use crate::corpus::outcomes::{Outcome, Outcomes};

    #[test]
    fn names_are_those_of_pytests_report() {
        let check = |group: &str, name: &str, class: &str, last: &str| {
            assert_eq!(key(group, name), (class.to_owned(), last.to_owned()));
        };
        check("tests/test_a.py", "test_b", "tests.test_a", "test_b");
        check("tests/test_a.py", "TestC::test_b[x/y.py::z-[]", "tests.test_a.TestC", "test_b[x/y.py::z-[]");
        check("tests/test_a.py", "test_b (2)", "tests.test_a", "test_b");
        check("tests/test_a.py", "(collection)", "", "tests.test_a");
        check("tests/test_a.py", "tests/test_a.py", "", "tests.test_a");
        check("a/b.txt", "", "a.b.txt", "");
        check("a.py", "t[\u{1}\u{fffd}]", "a", "t[#x01\u{fffd}]");
    }

    #[test]
    fn a_report_that_says_something_else_is_told() {
        let mut ours = Outcomes::default();
        for name in ["a", "b", "c"] {
            ours.add(("m".to_owned(), name.to_owned()), Outcome::Pass);
        }
        let report = of_report(
            "<testsuite name=\"pytest\"><testcase classname=\"m\" name=\"a\" />\
             <testcase classname=\"m\" name=\"b\"><failure message=\"why\nso\">x</failure></testcase></testsuite>",
        );
        let told = differing(&ours, &report);
        assert_eq!(
            told,
            ["the report says `failure: why` of m b: pass", "the report says `nothing` of m c: pass"]
        );
    }
}
