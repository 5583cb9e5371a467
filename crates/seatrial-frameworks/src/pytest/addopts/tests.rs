//! Words in files that people have.

use super::{complete, find, shell_words};
use crate::pytest::args::{Workers, split};
use seatrial_model::Bytes;

/// Workers of a command line in a world of files, or what is wrong.
fn workers(args: &[&str], variable: Option<&str>, files: &[(&str, &str)]) -> Result<Option<Workers>, String> {
    let args: Vec<Bytes> = args.iter().map(|arg| Bytes::from(*arg)).collect();
    let mut args = split(&args).unwrap();
    let read = |path: &str| files.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned());
    let before = find(&args, variable.map(Bytes::from).as_ref(), "/p/sub", &read);
    complete(&mut args, &before).map_err(|error| error.to_string())?;
    Ok(args.workers)
}

fn number(number: u32) -> Result<Option<Workers>, String> {
    Ok(Some(Workers::Number(number)))
}

#[test]
fn the_nearest_word_counts() {
    let ini = ("/p/pytest.ini", "[pytest]\naddopts = -v -n 3\n");
    assert_eq!(workers(&[], None, &[]), Ok(None));
    assert_eq!(workers(&[], None, &[ini]), number(3));
    assert_eq!(workers(&[], Some("--numprocesses=4 -x"), &[ini]), number(4));
    assert_eq!(workers(&["-n5"], Some("-n 4"), &[ini]), number(5));
    assert_eq!(workers(&["-o", "addopts=-n 6"], None, &[ini]), number(6));
    assert_eq!(workers(&["-o", "addopts="], None, &[ini]), Ok(None));
    assert_eq!(
        workers(&["-c", "other.ini"], None, &[ini, ("/p/sub/other.ini", "[pytest]\naddopts=-n7\n")]),
        number(7)
    );
    assert_eq!(workers(&["-c", "/x/none.ini"], None, &[ini]), Ok(None));
}

#[test]
fn files_are_looked_for_as_pytest_does() {
    let auto = Ok(Some(Workers::Auto));
    let toml = ("/p/pyproject.toml", "[tool.pytest.ini_options]\naddopts = \"-n auto --dist 'loadfile'\"\n");
    assert_eq!(workers(&[], None, &[toml]), auto);
    assert_eq!(
        workers(&[], None, &[("/p/pyproject.toml", "[tool.pytest]\naddopts = [\"-n\", \"auto\"]\n")]),
        auto
    );
    assert_eq!(workers(&[], None, &[("/p/pytest.toml", "[pytest]\naddopts = [\"-nauto\"]\n")]), auto);
    assert_eq!(
        workers(
            &[],
            None,
            &[("/p/setup.cfg", "[metadata]\nx=1\n[tool:pytest]\naddopts: -n auto\n[a]\naddopts=-n 1\n")]
        ),
        auto
    );
    // A file that has nothing for pytest is not pytest's; an empty pytest.ini is.
    assert_eq!(workers(&[], None, &[("/p/sub/pyproject.toml", "[tool.black]\n"), toml]), auto);
    assert_eq!(workers(&[], None, &[("/p/sub/tox.ini", "[tox]\naddopts = -n 2\n"), toml]), auto);
    assert_eq!(workers(&[], None, &[("/p/sub/pytest.ini", ""), toml]), Ok(None));
    assert_eq!(workers(&[], None, &[("/p/pytest.ini", ""), toml]), Ok(None));
}

#[test]
fn a_value_goes_on_in_indented_lines() {
    let text = "[pytest]\ntestpaths = a\n  -n 9\naddopts =\n    -v\n    # not: -n 8\n    -n 2\n    -p no:xdist\nmarkers =\n    -n 7\n";
    assert_eq!(workers(&[], None, &[("/pytest.ini", text)]), number(2));
}

#[test]
fn a_wrong_value_is_named_with_its_place() {
    let error = workers(&[], None, &[("/p/tox.ini", "[pytest]\naddopts = -n many\n")]).unwrap_err();
    assert!(error.contains("-n many") && error.contains("`/p/tox.ini`"), "{error}");
    assert!(workers(&[], Some("-n"), &[]).unwrap_err().contains("PYTEST_ADDOPTS"));
}

#[test]
fn words_are_a_shells() {
    for (text, words) in [
        (" a  b\tc\n", vec!["a", "b", "c"]),
        (r#"-k "a or b" 'x "y"' z"q"z"#, vec!["-k", "a or b", "x \"y\"", "zqz"]),
        (r#"a\ b "c\"d" 'e\f' """#, vec!["a b", "c\"d", "e\\f", ""]),
        ("", vec![]),
    ] {
        let wanted: Vec<Bytes> = words.into_iter().map(Bytes::from).collect();
        assert_eq!(shell_words(text), wanted, "{text}");
    }
}
