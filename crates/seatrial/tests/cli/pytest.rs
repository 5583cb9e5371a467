//! `seatrial pytest`: what pytest collects, each test forked from a warm interpreter.

use super::{world, worlds};
use seatrial_testkit::{Ran, World};
use std::path::PathBuf;

/// A Python that has pytest: what `SEATRIAL_TEST_PYTHON` names, or the system's.
pub(crate) fn python() -> String {
    std::env::var("SEATRIAL_TEST_PYTHON").unwrap_or_else(|_| "/usr/bin/python3".to_owned())
}

pub(crate) fn pytest(world: &World, args: &[&str]) -> Ran {
    let python = python();
    let ours = ["pytest", "--python", &python, "--format", "json"];
    world.seatrial(ours.iter().chain(args).copied()).run()
}

/// Outcomes by test, without the group.
pub(crate) fn outcomes(ran: &Ran) -> Vec<(String, String)> {
    let mut all: Vec<_> = ran.outcomes().into_iter().map(|(_, name, outcome)| (name, outcome)).collect();
    all.sort();
    all
}

pub(crate) fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(name, outcome)| ((*name).to_owned(), (*outcome).to_owned())).collect()
}

fn suite() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/python-suite").canonicalize().unwrap()
}

#[test]
fn tests_pass_fail_and_skip_as_pytest_says() {
    for world in worlds() {
        world.write(
            "test_a.py",
            "import pytest\n\
             def test_good(): pass\n\
             def test_bad(): assert 1 + 1 == 3, 'sums are hard'\n\
             @pytest.mark.skip(reason='not today')\n\
             def test_skipped(): pass\n\
             @pytest.mark.xfail\n\
             def test_expected(): assert False\n\
             @pytest.mark.parametrize('x', [1, 2])\n\
             def test_each(x): assert x == 1\n",
        );
        let ran = pytest(&world, &[]).exits(1);
        assert_eq!(
            outcomes(&ran),
            pairs(&[
                ("test_bad", "fail"),
                ("test_each[1]", "pass"),
                ("test_each[2]", "fail"),
                ("test_expected", "skip"),
                ("test_good", "pass"),
                ("test_skipped", "skip"),
            ]),
            "{ran:?}"
        );
        ran.tells("sums are hard");
    }
}

#[test]
fn pytests_own_selection_holds() {
    let world = world();
    world.write(
        "test_a.py",
        "import pytest\n@pytest.mark.slow\ndef test_one(): pass\ndef test_two(): pass\nclass TestK:\n    def test_three(self): pass\n",
    );
    world.write("pytest.ini", "[pytest]\nmarkers = slow\n");
    let names =
        |args: &[&str]| outcomes(&pytest(&world, args)).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(&["-k", "two or three"]), ["TestK::test_three", "test_two"]);
    assert_eq!(names(&["-m", "slow"]), ["test_one"]);
    assert_eq!(names(&["test_a.py::TestK"]), ["TestK::test_three"]);
    assert_eq!(names(&["--deselect", "test_a.py::test_one", "-n", "2"]), ["TestK::test_three", "test_two"]);
}

#[test]
fn a_test_that_dies_is_one_failed_test() {
    for world in worlds() {
        world.write(
            "test_a.py",
            "import ctypes, os\n\
             def test_before(): pass\n\
             def test_segfault(): ctypes.string_at(0)\n\
             def test_exit(): os._exit(0)\n\
             def test_killed(): os.kill(os.getpid(), 9)\n\
             def test_parent(): os.kill(os.getppid(), 9)\n\
             def test_after(): pass\n",
        );
        let ran = pytest(&world, &[]).exits(1);
        let outcomes = outcomes(&ran);
        let of =
            |name: &str| outcomes.iter().find(|(own, _)| own == name).map(|(_, outcome)| outcome.clone());
        assert_eq!(of("test_before").as_deref(), Some("pass"), "{ran:?}");
        assert_eq!(of("test_after").as_deref(), Some("pass"), "{ran:?}");
        for name in ["test_segfault", "test_exit", "test_killed", "test_parent"] {
            let outcome = of(name).unwrap_or_default();
            assert!(["crash", "error", "fail"].contains(&outcome.as_str()), "{name} is {outcome:?}: {ran:?}");
        }
        assert_eq!(outcomes.len(), 6, "{ran:?}");
        ran.tells("SIGSEGV");
    }
}

#[test]
fn what_a_test_writes_is_gone_and_what_a_fixture_writes_stays() {
    for world in worlds() {
        world.write(
            "test_a.py",
            "import os, pytest\n\
             @pytest.fixture(scope='module')\n\
             def made():\n    open('made', 'a').write('x')\n    open('/tmp/made', 'a').write('x')\n    yield\n\
             def check():\n    assert open('made').read() == 'x' and open('/tmp/made').read() == 'x'\n    assert not os.path.exists('own') and not os.path.exists('/tmp/own')\n\
             @pytest.mark.parametrize('n', range(4))\n\
             def test_it(made, n):\n    check()\n    open('own', 'w')\n    open('/tmp/own', 'w')\n    open('made', 'a').write('y')\n    os.environ['LEAK'] = '1'\n\
             def test_env(): assert 'LEAK' not in os.environ\n",
        );
        let ran = pytest(&world, &[]).exits(0);
        assert_eq!(outcomes(&ran).len(), 5, "{ran:?}");
        assert!(!world.project.join("made").exists() && !world.project.join("own").exists());
    }
}

#[test]
fn a_module_fixture_is_set_up_once_and_torn_down_after_its_last_test() {
    let world = world();
    world.write(
        "test_a.py",
        "import pytest\ncount = []\n\
         @pytest.fixture(scope='module')\n\
         def one():\n    count.append(1)\n    yield len(count)\n    assert len(count) == 1\n\
         @pytest.mark.parametrize('n', range(6))\n\
         def test_it(one, n): assert one == 1\n",
    );
    let ran = pytest(&world, &["-n", "3"]).exits(0);
    assert_eq!(outcomes(&ran).len(), 6, "{ran:?}");
}

#[test]
fn what_cannot_be_collected_is_shown_and_the_run_fails() {
    let world = world();
    world.write("test_a.py", "import does_not_exist_anywhere\n");
    world.write("test_b.py", "def test_one(): pass\n");
    let ran = pytest(&world, &[]).exits(3);
    ran.tells("does_not_exist_anywhere");
    assert!(!outcomes(&ran).iter().any(|(name, _)| name == "test_one"), "{ran:?}");
    let ran = pytest(&world, &["--continue-on-collection-errors"]);
    assert_ne!(ran.code(), 0, "{ran:?}");
    assert!(outcomes(&ran).contains(&("test_one".to_owned(), "pass".to_owned())), "{ran:?}");
    pytest(&world, &["-k", "nothing_has_this_name", "test_b.py"]).exits(4);
    pytest(&world, &["--no-such-option"]).exits(2).tells("--no-such-option");
    let none = world.seatrial(["pytest", "--python", "/nowhere/python"]).run().exits(2);
    none.tells("/nowhere/python");
}

#[test]
fn pytests_session_keeps_its_cache_and_reports() {
    let world = world();
    world.write("test_a.py", "def test_good(): pass\ndef test_bad(): assert 0\n");
    pytest(&world, &["--junitxml", "out.xml"]).exits(1);
    let xml = std::fs::read_to_string(world.project.join("out.xml")).unwrap();
    assert!(xml.contains("tests=\"2\"") && xml.contains("failures=\"1\""), "{xml}");
    let again = pytest(&world, &["--lf"]).exits(1);
    assert_eq!(outcomes(&again), pairs(&[("test_bad", "fail")]), "{again:?}");
}

#[test]
fn a_hanging_test_is_ended_and_the_others_run() {
    let world = world();
    world.write(
        "test_a.py",
        "import time\ndef test_hang(): time.sleep(1000)\ndef test_next(): pass\ndef test_last(): pass\n",
    );
    let ran = pytest(&world, &["--timeout", "1s", "--grace", "100ms"]).exits(1);
    assert_eq!(
        outcomes(&ran),
        pairs(&[("test_hang", "timeout"), ("test_last", "pass"), ("test_next", "pass")]),
        "{ran:?}"
    );
}

#[test]
fn the_first_failure_ends_the_run_when_pytest_says_so() {
    let world = world();
    let tests: String = (0..40).map(|n| format!("def test_{n:02}(): assert False\n")).collect();
    world.write("test_a.py", tests);
    let ran = pytest(&world, &["-x", "-n", "1"]).exits(1);
    let bad = outcomes(&ran).iter().filter(|(_, outcome)| outcome == "fail").count();
    assert_eq!(bad, 1, "{ran:?}");
}

#[test]
fn the_fixture_suite_ends_as_its_model_says() {
    let world = world();
    let copied =
        world.call("/bin/cp".as_ref(), ["-r", &format!("{}/.", suite().display()), "."]).run().exits(0);
    drop(copied);
    let ran = pytest(&world, &[]);
    let events = ran.events();
    let mut seen: Vec<String> = events.iter().filter_map(in_the_models_words).collect();
    seen.sort();
    let model = std::fs::read_to_string(suite().join("expected.txt")).unwrap();
    let mut expected: Vec<String> =
        model.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
    expected.sort();
    assert_eq!(seen, expected, "{ran:?}");
}

/// A result as the model has it: `FILE::NAME`, a tab, pytest's outcome.
fn in_the_models_words(event: &serde_json::Value) -> Option<String> {
    let (outcome, reason) = match event["event"].as_str()? {
        "attempt-finished" if event["last"] == true => {
            (event["outcome"].as_str()?, event["reason"].as_str().unwrap_or_default())
        }
        // Files that skip all that they hold are not in the model, which lists tests.
        _ => return None,
    };
    let (group, name) = (event["test"]["group"].as_str()?, event["test"]["name"].as_str()?);
    let word = match outcome {
        "skip" if reason.starts_with("xfail") => "xfail",
        "pass" if reason.starts_with("xpass") => "xpass",
        // pytest counts these two as failed and as an error; here the failure comes first.
        "fail" if ["test_call_and_teardown_fail", "test_closes_descriptors"].contains(&name) => "error",
        other => other,
    };
    // Equal ids have numbers in our names.
    Some(format!("{group}::{}\t{word}", name.trim_end_matches(" (2)")))
}

#[test]
fn what_another_files_import_has_bound_is_there_as_in_plain_pytest() {
    let world = world();
    world.write("pkg/__init__.py", "");
    world.write("pkg/sub.py", "x = 1\n");
    world.write("conftest.py", "");
    world.write("test_a.py", "import pkg.sub\ndef test_binds(): assert pkg.sub.x\n");
    world.write("test_b.py", "import pkg\ndef test_relies_on_it(): assert pkg.sub.x == 1\n");
    pytest(&world, &["-n", "2"]).exits(0);
    // Without the other file there is nothing that binds it, here as there.
    pytest(&world, &["test_b.py"]).exits(1).tells("AttributeError");
}

#[test]
fn a_test_whose_id_is_another_at_each_collection_is_run_once() {
    let world = world();
    world.write(
        "test_a.py",
        "import pytest, time\n\
         @pytest.mark.parametrize('x', ['fixed', repr(time.time_ns())])\n\
         def test_it(x): assert x\n",
    );
    let ran = pytest(&world, &[]).exits(0);
    assert_eq!(outcomes(&ran).len(), 2, "{ran:?}");
}

#[test]
fn a_plug_in_that_is_not_content_fails_the_run_and_is_heard() {
    let world = world();
    world.write(
        "conftest.py",
        "def pytest_sessionfinish(session):\n    session.exitstatus = 1\n\
         def pytest_terminal_summary(terminalreporter):\n    terminalreporter.write_line('too few sails')\n",
    );
    world.write("test_a.py", "def test_it(): pass\n");
    let ran = pytest(&world, &[]).exits(1);
    assert_eq!(outcomes(&ran), pairs(&[("test_it", "pass")]), "{ran:?}");
    ran.tells("too few sails");
}

#[test]
fn without_capture_pytest_itself_runs_on_our_streams() {
    let world = world();
    world.write("test_a.py", "def test_it():\n    print('out in the open')\n    assert 0, 'aground'\n");
    let ran = world.seatrial(["pytest", "--python", &python(), "-s"]).run().exits(1);
    ran.tells("out in the open").tells("aground").tells("1 failed");
}

#[test]
fn a_session_fixture_that_cannot_be_torn_down_is_an_error_at_the_end() {
    let world = world();
    world.write(
        "conftest.py",
        "import pytest\n@pytest.fixture(scope='session')\ndef ship():\n    yield 1\n    raise RuntimeError('sank in the harbour')\n",
    );
    world.write("test_a.py", "def test_it(ship): assert ship\n");
    let ran = pytest(&world, &["-n", "1"]).exits(1);
    assert_eq!(outcomes(&ran), pairs(&[("test_it", "error"), ("test_it", "pass")]), "{ran:?}");
    let told = ran.events_of("attempt-finished");
    let text = told.iter().filter_map(|event| event["output"]["stdout"]["head"].as_str()).collect::<String>();
    assert!(text.contains("raise RuntimeError('sank in the harbour')"), "{ran:?}");
}

#[test]
fn an_interpreter_that_dies_in_its_last_teardown_is_an_error() {
    for death in ["os.kill(os.getpid(), 9)", "os._exit(0)"] {
        let world = world();
        world.write(
            "conftest.py",
            format!(
                "import os, pytest\n@pytest.fixture(scope='session')\ndef ship():\n    yield 1\n    {death}\n"
            ),
        );
        world.write("test_a.py", "def test_it(ship): assert ship\n");
        let ran = pytest(&world, &["-n", "1"]).exits(1);
        assert_eq!(
            outcomes(&ran),
            pairs(&[("(teardown)", "error"), ("test_it", "pass")]),
            "{death}: {ran:?}"
        );
    }
}

#[test]
fn why_an_interpreter_cannot_start_is_shown() {
    let world = world();
    world.write(
        "conftest.py",
        "def pytest_sessionstart(session):\n    if 'PYTEST_XDIST_WORKER' in __import__('os').environ:\n        raise ValueError('no wind')\n",
    );
    world.write("test_a.py", "def test_a(): pass\n");
    let ran = pytest(&world, &["-n", "1"]).exits(1);
    let told = ran.events_of("attempt-finished");
    let text = told.iter().filter_map(|event| event["output"]["stderr"]["head"].as_str()).collect::<String>();
    assert!(text.contains("INTERNALERROR in a warm interpreter"), "{ran:?}");
    assert!(text.contains("ValueError: no wind"), "{ran:?}");
}

#[test]
fn the_working_directory_is_where_user_code_has_left_it() {
    let world = world();
    let is = |name: &str| format!("assert os.path.basename(os.getcwd()) == '{name}', os.getcwd()\n");
    let go = |indent: &str, name: &str| format!("{indent}os.chdir(os.path.join(HERE, '{name}'))\n");
    let here = "import os, pytest, unittest\nHERE = os.path.dirname(os.path.abspath(__file__))\n";
    for name in ["a", "b", "c", "d"] {
        world.write(format!("{name}/empty"), "");
    }
    // A wide fixture, for its tests; what comes after them is back where the conftest file has gone.
    let fixture = format!(
        "{here}@pytest.fixture(scope='module', autouse=True)\ndef there():\n  old = os.getcwd()\n{}  yield\n  os.chdir(old)\n",
        go("  ", "a")
    );
    let tests = |names: &str, dir: &str| -> String {
        names.chars().map(|name| format!("def test_{name}(): {}", is(dir))).collect()
    };
    world.write("test_1.py", fixture + &tests("kl", "a"));
    let set_up = format!("def setup_module():\n{}def teardown_module():\n{}", go("  ", "b"), go("  ", "c"));
    world.write("test_2.py", format!("{here}{set_up}{}", tests("mn", "b")));
    world.write("test_3.py", format!("{here}{}", tests("op", "c")));
    for conftest in [String::new(), "# PYTEST_XDIST_WORKER\n".to_owned()] {
        world.write("conftest.py", format!("{conftest}{here}{}", go("", "c")));
        for args in [&["-n", "1"][..], &["-n", "2"], &["-n", "1", "--isolation", "process"]] {
            let ran = pytest(&world, args).exits(0);
            assert_eq!(outcomes(&ran).len(), 6, "{ran:?}");
        }
    }
    // One that a test file's import has left.
    world.write("conftest.py", "");
    world.write("test_1.py", format!("{here}{}{}", go("", "d"), tests("kl", "d")));
    std::fs::remove_file(world.project.join("test_2.py")).unwrap();
    std::fs::remove_file(world.project.join("test_3.py")).unwrap();
    pytest(&world, &[]).exits(0);
}

#[test]
fn a_test_takes_what_pytest_says_and_not_what_its_interpreter_took_to_start() {
    for world in worlds() {
        // Where somebody asks for a worker, each slot's interpreter begins with the import.
        world.write("conftest.py", "# PYTEST_XDIST_WORKER\n");
        world.write(
            "test_it.py",
            r#"
import pytest, time
time.sleep(2)
@pytest.fixture(scope='module')
def slow(): time.sleep(0.3)
def test_first(slow): pass
def test_second(slow): time.sleep(0.1)
def test_third(): pass
"#,
        );
        for granularity in ["auto", "test"] {
            let ran = pytest(&world, &["-n", "1", "--granularity", granularity, "--junitxml=r.xml"]).exits(0);
            // In pytest's reports the first test has set up what others share.
            let report = std::fs::read_to_string(world.project.join("r.xml")).expect("a report");
            let (_, first) = report.split_once(r#"name="test_first" time=""#).expect("a first test");
            let seconds: f64 = first.split_once('"').expect("a time").0.parse().expect("a number");
            assert!(seconds >= 0.3, "{report}");
            let took = |name: &str| {
                let ended =
                    ran.events_of("attempt-finished").into_iter().find(|it| it["test"]["name"] == name);
                ended.unwrap_or_else(|| panic!("no {name}: {ran:?}"))["usage"]["wall_us"].as_u64()
            };
            assert!(took("test_first").unwrap() < 300_000, "{ran:?}");
            assert!((100_000..300_000).contains(&took("test_second").unwrap()), "{ran:?}");
            assert!(took("test_third").unwrap() < 300_000, "{ran:?}");
        }
    }
}
