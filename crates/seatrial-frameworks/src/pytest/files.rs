//! Files that tests write and that are to reach the project: what plug-ins keep for later runs, and what an option asks for.

use std::collections::BTreeSet;
use std::path::Path;

use globset::escape;
use seatrial_model::Bytes;

/// Files that tests gather for later runs, each under a name of its own: hypothesis' examples, and what tests put into pytest's
/// cache. What pytest itself keeps there (`v/cache`) is its session's.
pub const GATHERED: [&str; 3] = [
    "**/.hypothesis/**",
    "**/.pytest_cache/d/**",
    "**/.pytest_cache/v/{[!c]*,c[!a]*,ca[!c]*,cac[!h]*,cach[!e]*,cache[!/]*}/**",
];

/// Options whose work is done at the end of pytest's session by the process that ran the tests, and where it writes: with
/// these, pytest itself runs, in one container.
const WHOLE: [(&str, &[&str]); 8] = [
    ("--inline-snapshot", &["**/*.py", "**/.inline-snapshot/**"]),
    ("--inline-snapshot-trim", &["**/*.py"]),
    ("--benchmark-only", &["**/.benchmarks/**"]),
    ("--benchmark-enable", &["**/.benchmarks/**"]),
    ("--benchmark-save", &["**/.benchmarks/**"]),
    ("--benchmark-autosave", &["**/.benchmarks/**"]),
    ("--benchmark-compare", &["**/.benchmarks/**"]),
    ("--benchmark-json", &["**/.benchmarks/**"]),
];

/// What pytest's own session writes besides, where it runs in a container.
const SESSION: [&str; 6] = [
    "**/.pytest_cache/**",
    "**/.coverage",
    "**/.coverage.*",
    "**/coverage.xml",
    "**/coverage.json",
    "**/htmlcov/**",
];

/// Options that name files to be read, or left alone.
const INPUTS: [&str; 3] = ["--ignore", "--deselect", "--rootdir"];

/// How the names of reports end.
const REPORTS: [&str; 4] = ["xml", "json", "html", "log"];

/// Options with which each test writes files of its own, and where.
const EACH: [(&str, &[&str]); 2] = [
    ("--force-regen", &["**/test_*/**", "**/*_test/**"]),
    ("--regen-all", &["**/test_*/**", "**/*_test/**"]),
];

/// The option on the command line for which pytest itself has to run all tests in one process.
#[must_use]
pub fn whole_session(args: &[Bytes]) -> Option<&'static str> {
    given(args, &WHOLE).map(|(option, _)| option).next()
}

/// Patterns of what the command line asks the tests to write into the project.
#[must_use]
pub fn write_back(args: &[Bytes]) -> Vec<String> {
    let asked = given(args, &WHOLE).chain(given(args, &EACH)).flat_map(|(_, globs)| globs.iter().copied());
    let mut known = BTreeSet::new();
    asked.filter(|glob| known.insert(*glob)).map(str::to_owned).collect()
}

/// Patterns of what pytest's own session writes into the project besides, where it runs in a container with the tests.
#[must_use]
pub fn session_writes(args: &[Bytes]) -> Vec<String> {
    let mut patterns: Vec<String> = SESSION.map(str::to_owned).to_vec();
    let before = [None].into_iter().chain(args.iter().map(Some));
    let named = before.zip(args).flat_map(|(before, arg)| reports(before, arg));
    patterns.extend(named.map(|name| format!("**/{}", escape(&name))));
    patterns
}

/// The names of the reports that an argument may be the place of: `--junitxml=out/junit.xml`, `--cov-report=xml:cov.xml`, or
/// `out/junit.xml` behind its option.
fn reports(before: Option<&Bytes>, arg: &Bytes) -> Vec<String> {
    let text = arg.to_text();
    let option =
        before.map(Bytes::to_text).filter(|_| !text.starts_with('-')).unwrap_or_else(|| text.clone());
    if !option.starts_with('-') || INPUTS.iter().any(|input| option.starts_with(input)) {
        return Vec::new();
    }
    let value =
        if text.starts_with('-') { text.split_once('=').map_or("", |(_, value)| value) } else { &*text };
    let mut found: Vec<String> = Vec::new();
    for place in [value, value.split_once(':').map_or("", |(_, place)| place)].map(Path::new) {
        let is_report = place.extension().is_some_and(|end| REPORTS.iter().any(|known| end == *known));
        found.extend(
            is_report.then(|| place.file_name()).flatten().map(|name| name.to_string_lossy().into_owned()),
        );
    }
    found.dedup();
    found
}

/// An option and where it writes.
type Writes = (&'static str, &'static [&'static str]);

fn given<'a>(args: &'a [Bytes], options: &'static [Writes]) -> impl Iterator<Item = Writes> + 'a {
    let names = args.iter().take_while(|arg| arg.0 != b"--").map(|arg| arg.to_text());
    let names: Vec<_> = names.map(|arg| arg.split('=').next().unwrap_or_default().to_owned()).collect();
    options.iter().copied().filter(move |(option, _)| names.iter().any(|name| name == option))
}

#[cfg(test)]
mod tests;
