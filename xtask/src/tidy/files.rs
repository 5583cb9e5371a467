//! Rules on single files.

use super::Finding;
use super::code::{blanked, has_word};

const MAX_LINES: usize = 800;

/// The only files with unsafe code.
const UNSAFE: [&str; 2] = ["crates/seatrial-sandbox/src/sys.rs", "crates/seatrial-sandbox/src/child.rs"];

/// Crates whose code may start threads; the test kit is all tests.
const SPAWNS: [&str; 4] =
    ["crates/seatrial-engine/", "crates/seatrial-web/", "crates/seatrial-testkit/", "xtask/"];

/// Whose home the examples of the documentation show.
const EXAMPLE_USER: &str = "ada";

/// Checks one file by its name below the root.
pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut found = homes(path, text);
    if path == "README.md" {
        found.extend(figures(path, text));
    }
    if path.ends_with(".rs") {
        found.extend(rust(path, text));
    }
    found
}

fn rust(path: &str, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    if !text.starts_with("//!") {
        found.push(Finding::new(path, 1, "begin the file with a `//!` line that says what it holds"));
    }
    let lines = text.lines().count();
    if lines > MAX_LINES {
        found.push(Finding::new(path, 0, format!("{lines} lines; {MAX_LINES} are the most: part it")));
    }
    // Fixtures are other people's suites, as it were: what they do is what is tested.
    if path.starts_with("fixtures/") {
        return found;
    }
    let code = blanked(text);
    let own_tests = inline_tests(&code);
    for (index, line) in code.lines().enumerate() {
        let test = is_test_file(path) || index >= own_tests;
        let mut say = |what: &str| found.push(Finding::new(path, index + 1, what));
        if has_word(line, "unsafe") && !UNSAFE.contains(&path) {
            say("unsafe code belongs into seatrial-sandbox's sys.rs and child.rs alone");
        }
        let spawns = has_word(line, "thread::spawn") || has_word(line, "thread::Builder");
        if spawns && !test && !SPAWNS.iter().any(|start| path.starts_with(start)) {
            say("only the engine and the web start threads");
        }
        if has_word(line, "todo!") || has_word(line, "unimplemented!") {
            say("no stubs: finish it, or leave it out");
        }
        if test && (has_word(line, "thread::sleep") || line.trim_start().starts_with("sleep(")) {
            say("no sleeping in tests: wait for a condition");
        }
    }
    if path.starts_with("crates/") && !is_test_file(path) {
        found.extend(derives(path, &code));
    }
    found
}

/// Serializable types live in the model; others may read what is not ours.
fn derives(path: &str, code: &str) -> Vec<Finding> {
    if path.starts_with("crates/seatrial-model/") {
        return Vec::new();
    }
    let reads = ["plan", "frameworks", "report"]
        .iter()
        .any(|name| path.starts_with(&format!("crates/seatrial-{name}/")));
    let derived = code.match_indices("derive(").filter_map(|(at, _)| {
        let (list, _) = code[at..].split_once(')')?;
        Some((code[..at].matches('\n').count() + 1, list))
    });
    let mut found = Vec::new();
    for (line, list) in derived {
        if has_word(list, "Serialize") {
            found.push(Finding::new(path, line, "types that are written live in seatrial-model"));
        } else if has_word(list, "Deserialize") && !reads {
            found.push(Finding::new(path, line, "types that are read live in seatrial-model"));
        }
    }
    found
}

/// The folders of somebody's machine, in any text.
fn homes(path: &str, text: &str) -> Vec<Finding> {
    // These say what the rule is.
    if path.starts_with("xtask/src/tidy/") || is_test_file(path) {
        return Vec::new();
    }
    let names_home = |line: &str| {
        ["/home/", "/Users/"].iter().any(|start| {
            let owners = line.split(start).skip(1).map(|rest| rest.split('/').next().unwrap_or_default());
            owners
                .into_iter()
                .any(|owner| owner != EXAMPLE_USER && owner.starts_with(|c: char| c.is_ascii_alphanumeric()))
        }) || line.contains("/root/.")
    };
    text.lines()
        .enumerate()
        .filter(|(_, line)| names_home(line))
        .map(|(index, _)| Finding::new(path, index + 1, "a path of somebody's machine"))
        .collect()
}

/// A figure in the README is marked with the bench that prints it: `<!-- bench: NAME -->`.
fn figures(path: &str, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for rest in line.split("<!-- bench:").skip(1) {
            let name = rest.split("-->").next().unwrap_or_default().trim();
            if !crate::bench::NAMES.iter().any(|(known, _)| *known == name) {
                found.push(Finding::new(path, index + 1, format!("no bench `{name}` prints this figure")));
            }
        }
    }
    found
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs")
        || ["/tests/", "/benches/", "/examples/"].iter().any(|part| path.contains(part))
}

/// The first line of a test module in the file itself: all behind it is tests.
fn inline_tests(code: &str) -> usize {
    let lines: Vec<&str> = code.lines().collect();
    (0..lines.len())
        .find(|at| {
            let next = lines.get(at + 1).copied().unwrap_or_default();
            lines[*at].trim() == "#[cfg(test)]" && next.starts_with("mod ") && next.ends_with('{')
        })
        .unwrap_or(usize::MAX)
}
