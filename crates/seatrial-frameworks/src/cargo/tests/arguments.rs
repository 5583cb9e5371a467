//! Command lines.

use super::{bytes, text};
use crate::cargo::args::{ArgsError, Choice, Ignored, libtest_args, split};

#[test]
fn cargo_test_commands() {
    // The command line, then: what cargo gets before `--`, the filter, what follows `--`.
    let check = |line: &str, cargo: &str, filter: Option<&str>, harness: &str| {
        let command = split(&bytes(line)).unwrap();
        assert_eq!(text(&command.cargo), cargo, "{line}");
        assert_eq!(command.filter.map(|f| f.to_text().into_owned()).as_deref(), filter, "{line}");
        assert_eq!(text(&command.harness), harness, "{line}");
    };
    check("", "", None, "");
    check("name", "", Some("name"), "");
    check("-p a name -- b --exact", "-p a", Some("name"), "b --exact");
    check("-pa --lib name", "-pa --lib", Some("name"), "");
    check("--test it name", "--test it", Some("name"), "");
    check("--test=it name", "--test=it", Some("name"), "");
    check("--bin --release", "--bin --release", None, "");
    check("-j 3 -F x,y --features=z name", "-j 3 -F x,y --features=z", Some("name"), "");
    check("--config net.offline=true --offline n", "--config net.offline=true --offline", Some("n"), "");
    check("--message-format short name", "", Some("name"), "");
    check("--message-format=human name", "", Some("name"), "");
    check("--color always -q -vv", "--color always -q -vv", None, "");
    check("a b", "b", Some("a"), "");
    check("-- --", "", None, "--");
    check("-Z unstable-options -Zfoo name", "-Z unstable-options -Zfoo", Some("name"), "");
}

#[test]
fn what_a_command_notes() {
    let command = split(&bytes(
        "+nightly --target a --target=b --config x=1 --config y.toml --manifest-path m/Cargo.toml --target-dir t --doc",
    ))
    .unwrap();
    assert_eq!(command.toolchain, Some("+nightly".into()));
    assert_eq!(text(&command.targets), "a b");
    assert_eq!(text(&command.config), "x=1 y.toml");
    assert_eq!(command.manifest_path, Some("m/Cargo.toml".into()));
    assert_eq!(command.target_dir, Some("t".into()));
    assert!(command.doc && !command.no_run && !command.help);
    assert!(split(&bytes("--no-run")).unwrap().no_run);
    assert!(split(&bytes("--help")).unwrap().help);
    assert!(!split(&bytes("-- --help")).unwrap().help);
}

#[test]
fn what_cargo_is_started_with() {
    let check =
        |line: &str, argv: &str| assert_eq!(text(&split(&bytes(line)).unwrap().argv()), argv, "{line}");
    let format = "--message-format json-render-diagnostics";
    check("", &format!("test --no-fail-fast {format} --"));
    check("+beta -p a n -- --skip b", &format!("+beta test -p a --no-fail-fast {format} n -- --skip b"));
    check("--no-fail-fast", &format!("test --no-fail-fast {format} --"));
    check("--no-run", &format!("test --no-run {format} --"));
}

#[test]
fn messages_for_the_user_as_json_are_refused() {
    for line in ["--message-format json", "--message-format=json-render-diagnostics"] {
        assert!(matches!(split(&bytes(line)), Err(ArgsError::MessageFormat(_))), "{line}");
    }
    assert!(split(&bytes("-- --message-format json")).is_ok());
}

#[test]
fn harness_arguments() {
    let read = |line: &str| {
        let words = bytes(line);
        libtest_args(words.iter().map(|word| word.0.as_slice()))
    };
    let all = read(
        "one --exact --skip two --skip=three --test-threads 4 --nocapture --show-output -q --color always \
         --format=pretty --logfile log --report-time -Z unstable-options --shuffle-seed 3 four --bench",
    );
    assert_eq!(all.filters, ["one", "four"]);
    assert_eq!(all.skip, ["two", "three"]);
    assert!(all.exact && all.nocapture && all.show_output && all.bench && !all.list);
    assert_eq!(all.test_threads, Some(4));
    assert_eq!(text(&all.rest), "--report-time -Z unstable-options --bench");
    assert_eq!(text(&all.display), "-q --color always --format=pretty --logfile log --shuffle-seed 3");
    assert_eq!(read("--test-threads=2 --list").test_threads, Some(2));
    assert!(read("--list").list);
    assert_eq!(read("-- --list").filters, ["--list"]);
    assert_eq!(read("-Zunstable-options a").filters, ["a"]);
    assert_eq!(read("--ignored").ignored, Ignored::Only);
    assert_eq!(read("--include-ignored").ignored, Ignored::Include);
    // What libtest itself will refuse is left for it to say so.
    assert_eq!(text(&read("--test-threads 0 --bogus").rest), "--test-threads 0 --bogus");
}

#[test]
fn selection() {
    // Seen of libtest: `--exact` is for `--skip` too; a filter that is empty matches all.
    let check = |line: &str, chosen: &[&str]| {
        let words = bytes(line);
        let args = libtest_args(words.iter().map(|word| word.0.as_slice()));
        let names = ["tests::passes", "tests::passes_too", "tests::nested::passes", "tests::prints"];
        let selected: Vec<&str> = names.into_iter().filter(|name| args.selects(name)).collect();
        assert_eq!(selected, chosen, "{line}");
    };
    check("passes --skip passes_t", &["tests::passes", "tests::nested::passes"]);
    check("--exact tests::passes tests::prints --skip tests::passes", &["tests::prints"]);
    check("prints --exact --skip tests", &[]);
    check("--exact tests::passes tests::prints --skip tests", &["tests::passes", "tests::prints"]);
    check("too nested", &["tests::passes_too", "tests::nested::passes"]);
    check("--skip passes", &["tests::prints"]);
    check("--skip nobody", &["tests::passes", "tests::passes_too", "tests::nested::passes", "tests::prints"]);
    check("--exact passes", &[]);
}

#[test]
fn ignored_tests() {
    let check = |line: &str, plain: Choice, ignored: Choice| {
        let words = bytes(line);
        let args = libtest_args(words.iter().map(|word| word.0.as_slice()));
        assert_eq!((args.choose("a", false), args.choose("a", true)), (plain, ignored), "{line}");
    };
    check("", Choice::Run, Choice::Skip);
    check("--ignored", Choice::LeaveOut, Choice::Run);
    check("--include-ignored", Choice::Run, Choice::Run);
    check("b", Choice::LeaveOut, Choice::LeaveOut);
    check("b --ignored", Choice::LeaveOut, Choice::LeaveOut);
}
