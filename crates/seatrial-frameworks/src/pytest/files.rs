//! Files that tests write and that are to reach the project: what plug-ins keep for later runs, and what an option asks for.

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
    ("--benchmark-json", &["**/.benchmarks/**", "**/*.json"]),
];

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
    let mut patterns: Vec<String> = Vec::new();
    for (_, globs) in given(args, &WHOLE).chain(given(args, &EACH)) {
        for glob in globs {
            if !patterns.iter().any(|known| known == glob) {
                patterns.push((*glob).to_owned());
            }
        }
    }
    patterns
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
