//! Command lines as pytest and pytest-xdist read them.

use super::{ArgsError, PytestArgs, Workers, split};
use crate::pytest::report::{Capture, Traceback};
use seatrial_model::Bytes;

fn bytes(words: &str) -> Vec<Bytes> {
    words.split_whitespace().map(Bytes::from).collect()
}

fn read(words: &str) -> PytestArgs {
    split(&bytes(words)).unwrap_or_else(|error| panic!("{words}: {error}"))
}

/// What goes to pytest of these words, and how many workers they ask for.
fn check(words: &str, to_pytest: &str, workers: Option<Workers>) {
    let args = read(words);
    assert_eq!(args.pytest, bytes(to_pytest), "{words}");
    assert_eq!(args.workers, workers, "{words}");
}

fn number(number: u32) -> Option<Workers> {
    Some(Workers::Number(number))
}

#[test]
fn every_form_of_the_number_of_workers() {
    for form in ["-n 3", "-n3", "-n=3", "--numprocesses 3", "--numprocesses=3"] {
        check(&format!("{form} tests"), "tests", number(3));
        check(&format!("tests {form} -k x"), "tests -k x", number(3));
    }
    check("-n auto", "", Some(Workers::Auto));
    check("-nlogical", "", Some(Workers::Logical));
    check("-n0", "", number(1));
    check("-n2 -n5", "", number(5));
    check("tests", "tests", None);
}

#[test]
fn clusters() {
    check("-vxn2 t", "-vx t", number(2));
    check("-vxn 2 t", "-vx t", number(2));
    check("-xvs", "-xvs", None);
    check("-vkn2", "-vkn2", None);
    check("-vk -n2 t", "-vk -n2 t", None);
    check("-rn2", "-rn2", None);
    check("-vrn -n2", "-vrn", number(2));
    // A plug-in's letter: nobody knows whether the rest is its value.
    check("-Zn2", "-Zn2", None);
    check("-vZn2", "-vZn2", None);
    assert_eq!(read("-vxs").max_fail, Some(1));
    assert_eq!(read("-vxs").foreground.as_deref(), Some("-s"));
    assert_eq!(read("-vxn2").max_fail, Some(1));
    assert_eq!(read("-vkxs"), PytestArgs { pytest: bytes("-vkxs"), ..PytestArgs::default() });
}

#[test]
fn values_are_not_taken_for_options() {
    for option in ["-k", "-m", "-c", "-p", "-r", "-o", "-W"] {
        for value in ["-n", "-x", "--pdb", "--co", "-s", "--dist", "--"] {
            for (form, words) in
                [("apart", format!("{option} {value}")), ("together", format!("{option}{value}"))]
            {
                let args = read(&format!("{words} t"));
                let config_file = (option == "-c").then(|| value.to_owned());
                let expected =
                    PytestArgs { config_file, pytest: bytes(&format!("{words} t")), ..PytestArgs::default() };
                assert_eq!(args, expected, "{form}: {words}");
            }
        }
    }
    for option in
        ["--deselect", "--ignore", "--rootdir", "--basetemp", "--log-level", "--override-ini", "--timeout"]
    {
        let words = format!("{option} -n t -x");
        let args = read(&words);
        let expected = PytestArgs { pytest: bytes(&words), max_fail: Some(1), ..PytestArgs::default() };
        assert_eq!(args, expected);
    }
    // `=` binds the value, so that the next word is an option again.
    check("--rootdir=x -n2", "--rootdir=x", number(2));
    check("--unknown -n2", "--unknown", number(2));
}

#[test]
fn after_two_dashes_all_is_a_name() {
    let args = read("-x -- -n 3 --pdb -s --dist=load");
    assert_eq!(args.pytest, bytes("-x -- -n 3 --pdb -s --dist=load"));
    assert_eq!((args.workers, args.foreground, args.dist), (None, None, None));
    check("-n2 -- a", "-- a", number(2));
}

#[test]
fn what_belongs_to_xdist() {
    let args = read("--dist loadfile --maxprocesses=4 -n auto -p xdist -p no:cov t");
    assert_eq!(args.pytest, bytes("-p xdist -p no:cov t"));
    assert_eq!(
        (args.dist.as_deref(), args.max_workers, args.workers),
        (Some("loadfile"), Some(4), Some(Workers::Auto))
    );
    check("--tx popen --tx=3*popen --dist=load", "", number(4));
    check("--tx 3*popen -n2", "", number(2));
    // Nothing for Seatrial to take: pytest-xdist knows it when it is there, and pytest refuses it when not.
    check("--max-worker-restart=3", "--max-worker-restart=3", None);
}

#[test]
fn what_cannot_be_carried_out() {
    let refused = |words: &str| split(&bytes(words)).expect_err(words).to_string();
    assert_eq!(split(&bytes("-v -n")), Err(ArgsError::NoValue("-n".to_owned())));
    assert_eq!(refused("--dist"), "`--dist` needs a value");
    assert_eq!(refused("-n many"), "`-n many` cannot be given: it wants a number, `auto` or `logical`");
    assert_eq!(refused("-vnx"), "`-n x` cannot be given: it wants a number, `auto` or `logical`");
    assert_eq!(refused("-n -2"), "`-n -2` cannot be given: it wants a number, `auto` or `logical`");
    assert_eq!(refused("--maxprocesses few"), "`--maxprocesses few` cannot be given: it wants a number");
    for specification in ["ssh=host//python=python3", "0*popen", "x*popen", "2*ssh=host"] {
        let words = refused(&format!("--tx {specification}"));
        assert!(words.contains(specification) && words.contains("starts its workers itself"), "{words}");
    }
}

#[test]
fn options_that_pytest_keeps_are_seen() {
    let kept = |words: &str| {
        let args = read(words);
        assert_eq!(args.pytest, bytes(words));
        args
    };
    assert_eq!(kept("--maxfail=3").max_fail, Some(3));
    assert_eq!(kept("--maxfail 3 -x").max_fail, Some(1));
    assert_eq!(kept("--exitfirst --maxfail 2").max_fail, Some(2));
    assert_eq!(kept("--maxfail=x").max_fail, None);
    assert_eq!(kept("--tb=line").traceback, Traceback::Line);
    assert_eq!(kept("--tb no").traceback, Traceback::No);
    assert_eq!(kept("--tb no --tb short").traceback, Traceback::Full);
    assert_eq!(kept("--show-capture=stderr").capture, Capture::Stderr);
    assert_eq!(kept("--show-capture no").capture, Capture::No);
}

#[test]
fn what_needs_the_terminal() {
    for words in
        ["-s", "--capture=no", "--capture no", "--pdb", "--trace", "--pdbcls=a:B", "--pdbcls a:B", "-vs"]
    {
        let args = read(words);
        assert!(args.foreground.is_some(), "{words}");
        assert_eq!(args.pytest, bytes(words));
    }
    for words in ["--capture=fd", "-s --capture=sys", "--capture=no --capture tee-sys", "-k -s", "--tb no"] {
        assert_eq!(read(words).foreground, None, "{words}");
    }
    assert_eq!(read("--capture=fd -s").foreground.as_deref(), Some("-s"));
    assert_eq!(read("-s --pdb").foreground.as_deref(), Some("--pdb"));
}

#[test]
fn what_runs_no_test() {
    let alone = "--collect-only --collectonly --co --version -V --help -h --fixtures --fixtures-per-test --markers \
                 --setup-plan --setup-only --cache-show --cache-show=*";
    for words in alone.split_whitespace() {
        let args = read(&format!("-n2 {words} t"));
        let name = words.split('=').next();
        assert_eq!(args.alone.as_deref(), name);
        assert_eq!(args.pytest, bytes(&format!("{words} t")), "pytest gets no option of xdist's");
    }
    assert_eq!(read("-qh").alone.as_deref(), Some("-h"));
    for words in ["--setup-show", "-k --co", "--cache-clear", "--helpful", "-- --co", "--lf"] {
        assert_eq!(read(words).alone, None, "{words}");
    }
}

#[test]
fn what_writes_into_the_project() {
    let args = read("-n2 --snapshot-update t");
    assert_eq!(args.alone.as_deref(), Some("--snapshot-update"));
    assert_eq!(args.update(), Some("--snapshot-update"));
    assert_eq!(args.pytest, bytes("--snapshot-update t"));
    assert_eq!(read("--co").update(), None);
    assert_eq!(read("t").update(), None);
}

#[test]
fn words_that_are_not_utf_8() {
    let name = Bytes(b"t\xff.py".to_vec());
    let option = Bytes(b"--rootdir=\xff".to_vec());
    let args = split(&[name.clone(), option.clone(), "-n2".into(), Bytes(b"-k\xff".to_vec())]);
    let args = args.expect("nothing to refuse");
    assert_eq!(args.pytest, [name, option, Bytes(b"-k\xff".to_vec())]);
    assert_eq!(args.workers, number(2));
}

#[test]
fn nothing_but_what_is_taken_is_lost() {
    // Every word of every order of these goes to pytest, in its place, but those taken.
    let pieces = ["-n2", "-x", "-k expr", "--dist load", "a.py", "--tb=no", "-vxn3", "--deselect d"];
    for first in pieces {
        for second in pieces {
            for third in pieces {
                let words = format!("{first} {second} {third}");
                let left: Vec<&str> = [first, second, third]
                    .into_iter()
                    .filter(|piece| !matches!(*piece, "-n2" | "--dist load"))
                    .map(|piece| if piece == "-vxn3" { "-vx" } else { piece })
                    .collect();
                assert_eq!(read(&words).pytest, bytes(&left.join(" ")), "{words}");
            }
        }
    }
}
