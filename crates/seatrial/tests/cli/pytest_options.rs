//! pytest's own options, on the command line and in its configuration file: each does what it does under pytest.

use super::pytest::{outcomes, pytest, python};
use super::{world, worlds};
use seatrial_testkit::{Ran, World};
use std::collections::BTreeSet;

/// Five tests of which two fail as long as there is no file `fixed`.
const SOME: &str = "import os\n\
    def test_1(): pass\n\
    def test_2(): assert os.path.exists('fixed')\n\
    def test_3(): pass\n\
    def test_4(): assert os.path.exists('fixed')\n\
    def test_5(): pass\n";

/// What became of the tests, as `1:pass 2:fail`.
fn short(ran: &Ran) -> String {
    let all = outcomes(ran);
    let words = all.iter().map(|(name, outcome)| format!("{}:{outcome}", name.trim_start_matches("test_")));
    words.collect::<Vec<_>>().join(" ")
}

fn of(world: &World, args: &[&str]) -> String {
    short(&pytest(world, args))
}

#[test]
fn what_failed_last_is_known() {
    let world = world();
    world.write("test_a.py", SOME);
    assert_eq!(of(&world, &[]), "1:pass 2:fail 3:pass 4:fail 5:pass");
    assert_eq!(of(&world, &["--lf"]), "2:fail 4:fail");
    assert_eq!(of(&world, &["--ff"]), "1:pass 2:fail 3:pass 4:fail 5:pass");
    world.write("fixed", "");
    assert_eq!(of(&world, &["--lf"]), "2:pass 4:pass");
    assert_eq!(of(&world, &["--lf", "--lfnf=none"]), "");
}

#[test]
fn stepwise_leaves_nothing_out() {
    let world = world();
    let passed = |slots: &str, code| {
        let ran = pytest(&world, &["-n", slots, "--stepwise"]).exits(code);
        let passed = outcomes(&ran).into_iter().filter(|(_, outcome)| outcome == "pass");
        passed.map(|(name, _)| name).collect::<BTreeSet<_>>()
    };
    for slots in ["1", "3"] {
        world.write("test_a.py", SOME);
        let first = passed(slots, 1);
        let second = passed(slots, 1);
        world.write("fixed", "");
        let last = passed(slots, 0);
        // What failed and what was not reached is run next, whatever the order.
        assert_eq!((&(&first | &second) | &last).len(), 5, "{first:?} {second:?} {last:?}");
        assert_eq!(passed(slots, 0).len(), 5, "nothing is remembered");
        std::fs::remove_file(world.project.join("fixed")).unwrap();
    }
}

#[test]
fn stepwise_ends_with_the_first_failure_or_the_second() {
    let world = world();
    world.write("test_a.py", "def test_1(): assert 0\ndef test_2(): assert 0\ndef test_3(): assert 0\n");
    for (option, expected) in [("--stepwise", 1), ("--stepwise-skip", 2)] {
        let ran = pytest(&world, &["-n", "1", "--stepwise", option]).exits(1);
        let failed = outcomes(&ran).iter().filter(|(_, outcome)| outcome == "fail").count();
        assert_eq!(failed, expected, "{option}");
    }
}

#[test]
fn a_run_ends_after_so_many_failures() {
    let world = world();
    world.write("test_a.py", SOME);
    let failed = |args: &[&str]| {
        let ran = pytest(&world, args).exits(1);
        outcomes(&ran).iter().filter(|(_, outcome)| outcome == "fail").count()
    };
    assert_eq!(failed(&["-n", "1", "-x"]), 1);
    assert_eq!(failed(&["-n", "1", "--maxfail", "2"]), 2);
    assert_eq!(failed(&["-n", "1", "--max-fail", "1"]), 1);
    world.write("test_b.py", SOME);
    assert_eq!(failed(&["-n", "1", "--maxfail=3"]), 3);
    assert_eq!(failed(&["-n", "1", "--maxfail=3", "--maxfail=0"]), 4);
}

#[test]
fn odd_names_are_found_by_their_ids() {
    let world = world();
    world.write(
        "a b/test_a.py",
        "import pytest\n@pytest.mark.parametrize('x', ['a b', 'c[d]', 'e::f', 'g\\nh', '\u{fc}', '', '-k', 'x' * 300])\ndef test_x(x): pass\n",
    );
    assert_eq!(outcomes(&pytest(&world, &[]).exits(0)).len(), 8);
    for (id, name) in [("[a b]", "x[a b]"), ("[c[d]]", "x[c[d]]"), ("[e::f]", "x[e::f]"), ("[-k]", "x[-k]")] {
        assert_eq!(of(&world, &[&format!("a b/test_a.py::test_x{id}")]), format!("{name}:pass"));
        let ran = pytest(&world, &["--deselect", &format!("a b/test_a.py::test_x{id}")]).exits(0);
        assert_eq!(outcomes(&ran).len(), 7, "{id}");
    }
}

#[test]
fn tests_are_found_by_the_names_of_packages() {
    let world = world();
    world.write("pkg/__init__.py", "");
    world.write("pkg/sub/__init__.py", "");
    world.write("pkg/sub/test_a.py", "def test_1(): pass\n");
    assert_eq!(of(&world, &["--cwd-in-path", "--pyargs", "pkg.sub.test_a"]), "1:pass");
    assert_eq!(of(&world, &["--cwd-in-path", "--pyargs", "pkg.sub"]), "1:pass");
}

#[test]
fn plug_ins_can_be_switched_off() {
    let world = world();
    world.write("test_a.py", SOME);
    for plugin in
        ["cacheprovider", "junitxml", "capture", "logging", "warnings", "tmpdir", "terminal", "xdist"]
    {
        let plugin = format!("no:{plugin}");
        assert_eq!(of(&world, &["-p", &plugin, "-k", "1 or 2"]), "1:pass 2:fail", "{plugin}");
    }
}

#[test]
fn workers_in_the_configuration_are_slots() {
    for world in worlds() {
        world.write(
            "test_a.py",
            "import os\n\
             def test_1(): assert os.environ['PYTEST_XDIST_WORKER_COUNT'] == os.environ['WANTED']\n\
             def test_2(): pass\n",
        );
        let run = |args: &[&str], addopts: &str, wanted: &str| {
            let python = python();
            let ours = ["pytest", "--python", &python, "--format", "json"];
            let call = world.seatrial(ours.iter().chain(args).copied());
            let call = if addopts.is_empty() { call } else { call.env("PYTEST_ADDOPTS", addopts) };
            short(&call.env("WANTED", wanted).run())
        };
        world.write("pytest.ini", "[pytest]\naddopts = -v -n 3 --dist=loadfile\n  --maxprocesses 9\n");
        assert_eq!(run(&[], "", "3"), "1:pass 2:pass");
        assert_eq!(run(&[], "-n1 -d", "1"), "1:pass 2:pass");
        assert_eq!(run(&["-n", "2"], "-n1", "2"), "1:pass 2:pass");
        assert_eq!(run(&["-o", "addopts=-k 1 -n4"], "", "4"), "1:pass");
        std::fs::remove_file(world.project.join("pytest.ini")).unwrap();
        world.write("pyproject.toml", "[tool.pytest.ini_options]\naddopts = [\"--numprocesses\", \"2\"]\n");
        assert_eq!(run(&[], "", "2"), "1:pass 2:pass");
    }
    let world = world();
    world.write("pytest.ini", "[pytest]\naddopts = -n some\n");
    pytest(&world, &[]).exits(2).tells("-n some").tells("pytest.ini");
}

#[test]
fn files_outside_of_the_root_directory_have_results_of_their_own() {
    let world = world();
    world.write("root/pytest.ini", "[pytest]\n");
    world.write("a/test_x.py", "def test_v(): assert 0\n");
    world.write("b/test_x.py", "def test_v(): pass\n");
    let args =
        ["--rootdir=root", "-c", "root/pytest.ini", "--import-mode=importlib", "--retries", "1", "a", "b"];
    let ran = pytest(&world, &args).exits(1);
    let results: Vec<_> = outcomes(&ran).into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(results, ["fail", "pass"], "{ran:?}");
    let tries = ran.events().iter().filter(|event| event["event"] == "attempt-finished").count();
    assert_eq!(tries, 3, "the first is tried twice: {ran:?}");
}

#[test]
fn a_session_that_ends_with_another_status_has_not_passed() {
    let world = world();
    world.write("test_a.py", "def test_a(): pass\n");
    for end in ["session.exitstatus = 2", "session.exitstatus = 5", "pytest.exit('gate', returncode=2)"] {
        world.write("conftest.py", format!("import pytest\ndef pytest_sessionfinish(session): {end}\n"));
        let ran = pytest(&world, &[]).exits(1);
        assert_eq!(outcomes(&ran).len(), 1, "{ran:?}");
    }
}
