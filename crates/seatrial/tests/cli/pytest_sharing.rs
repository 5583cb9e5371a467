//! What `seatrial pytest` lets share a process, and what comes of it.

use super::pytest::{outcomes, pytest, python};
use super::{world, worlds};
use seatrial_testkit::Ran;
use std::collections::BTreeSet;

const BY_ORDER: &str = "\
import os
state = [0]
def test_first(): state.append(1)
def test_second(): assert len(state) == 2
def test_third(): os.environ['MARKED'] = '1'
def test_fourth(): assert 'MARKED' not in os.environ
def test_fifth(): deep.list.append(1)
def test_sixth(): assert not deep.list
class Deep: pass
deep = Deep(); deep.list = []
";

#[test]
fn what_depends_on_the_order_is_named() {
    let world = world();
    world.write("test_a.py", BY_ORDER);
    let depend = |ran: &Ran| -> Vec<String> {
        let of_order = |event: &&serde_json::Value| event["order_dependent"] == true;
        let name = |event: &serde_json::Value| event["test"]["name"].as_str().unwrap_or_default().to_owned();
        let mut names: Vec<String> =
            ran.events_of("attempt-finished").iter().filter(of_order).map(name).collect();
        names.sort();
        names
    };
    // The second needs what the first has left. What the fifth leaves lies too deep to be seen and fails the sixth, as in
    // plain pytest, unless a machine under load has given the sixth another fork: then it is run once more.
    let ran = (0..20).map(|_| pytest(&world, &["-n", "1"]).exits(0)).find(|ran| depend(ran).len() > 1);
    let ran = ran.expect("a run in which one fork had both tests");
    assert_eq!(depend(&ran), ["test_second", "test_sixth"], "{ran:?}");
    let tries = ran.events_of("attempt-finished");
    assert_eq!(tries.iter().filter(|event| event["last"] == false).count(), 2, "{ran:?}");
    let human = world.seatrial(["pytest", "--python", &python(), "-n", "1"]).run().exits(0);
    human.tells("6 passed, 0 failed, 0 skipped, ").tells(" order-dependent");
    human.tells("fails alone, passes after the tests before it in its file");
    // Who wants each test to stand alone is told which does not.
    let strict = pytest(&world, &["-n", "1", "--granularity", "test"]).exits(1);
    let failed: Vec<String> = outcomes(&strict)
        .into_iter()
        .filter(|(_, outcome)| outcome == "fail")
        .map(|(name, _)| name)
        .collect();
    assert_eq!(failed, ["test_second"], "{strict:?}");
    strict.tells("it passes after the tests before it in its file: order-dependent");
    // As plain pytest runs them.
    let module = pytest(&world, &["--granularity", "module"]).exits(1);
    assert_eq!(depend(&module), [""; 0], "{module:?}");
}

#[test]
fn every_granularity_runs_every_test_once() {
    let world = world();
    world.write(
        "test_a.py",
        "class TestA:\n  def test_a(self): pass\n  def test_b(self): pass\ndef test_c(): pass\n",
    );
    world.write("test_b.py", "import os\ndef test_d(): pass\ndef test_e(): os.abort()\ndef test_f(): pass\n");
    for granularity in ["auto", "test", "class", "module", "session"] {
        let ran = pytest(&world, &["--granularity", granularity]).exits(1);
        let mut all = outcomes(&ran);
        all.sort();
        let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            ["TestA::test_a", "TestA::test_b", "test_c", "test_d", "test_e", "test_f"],
            "{granularity}"
        );
        let bad: Vec<&str> =
            all.iter().filter(|(_, outcome)| outcome != "pass").map(|(name, _)| name.as_str()).collect();
        assert_eq!(bad, ["test_e"], "{granularity}: {ran:?}");
    }
    pytest(&world, &["--granularity", "pair"]).exits(2).tells("possible values");
}

#[test]
fn who_asks_is_told_what_tests_leave() {
    let world = world();
    world.write(
        "test_a.py",
        "import os\ndef test_a(): os.environ['A'] = '1'\ndef test_b(): assert 'A' not in os.environ\n",
    );
    pytest(&world, &["--explain"]).exits(0).tells("test_a.py test_a has changed: environment variables");
}

#[test]
fn a_time_limit_is_a_tests_and_not_its_jobs() {
    let world = world();
    let tests: String = (0..4).map(|n| format!("def test_{n}(shared): time.sleep(1.5)\n")).collect();
    let fixture = "import pytest, time\n@pytest.fixture(scope='module')\ndef shared(): pass\n";
    world.write("test_a.py", format!("{fixture}{tests}def test_4(shared): time.sleep(60)\n"));
    let ran = pytest(&world, &["--timeout", "4s"]).exits(1);
    let bad: Vec<_> = outcomes(&ran).into_iter().filter(|(_, outcome)| outcome != "pass").collect();
    assert_eq!(bad, [("test_4".to_owned(), "timeout".to_owned())], "{ran:?}");
}

#[test]
fn tests_of_packages_share_a_process_too() {
    let world = world();
    // The file without a package puts its own folder first in `sys.path`, before the package's root.
    world.write("tests/__init__.py", "");
    world.write("tests/test_a.py", "def test_a(): pass\ndef test_b(): pass\ndef test_c(): pass\n");
    world.write("other/test_b.py", "def test_d(): pass\n");
    let ran = pytest(&world, &["--explain", "-n", "1", "tests", "other"]).exits(0);
    assert_eq!(outcomes(&ran).len(), 4, "{ran:?}");
    ran.hides("has changed");
}

/// A conftest file whose tests are files with one line of Python each; the module `state` is of the project.
const ONE_A_FILE: &str = "\
import os, state, pytest
def pytest_collect_file(file_path, parent):
  if file_path.suffix == '.case': return CaseFile.from_parent(parent, path=file_path)
class CaseFile(pytest.File):
  def collect(self): yield Case.from_parent(self, name='it')
class Case(pytest.Item):
  def runtest(self): exec(self.path.read_text())
";

/// Each function of a suite is tried on each example, which its item names as its path.
const EXAMPLES: &str = "\
import os, pathlib, pytest
class Item(pytest.Item):
    def runtest(self): print(os.getpid()); assert 'bad' not in self.path.read_text()
class Suite(pytest.File):
    def collect(self):
        for part in self.path.read_text().split():
            for example in sorted(self.path.parent.glob('*.data')):
                item = Item.from_parent(self, name=part + '-' + example.stem)
                item.path = example
                yield item
def pytest_collect_file(parent, file_path):
    if file_path.suffix == '.suite': return Suite.from_parent(parent, path=file_path)
";

#[test]
fn items_that_name_other_files_belong_to_the_file_that_is_collected() {
    let world = world();
    world.write("a.suite", "one two three");
    for number in 0..4 {
        world.write(format!("{number}.data"), if number == 2 { "bad" } else { "good" });
    }
    // With and without interpreters that collect for themselves.
    for xdist in ["", "# PYTEST_XDIST_WORKER\n"] {
        world.write("conftest.py", format!("{xdist}{EXAMPLES}"));
        let ran = pytest(&world, &["-n", "2"]).exits(1);
        let all = outcomes(&ran);
        assert_eq!(all.len(), 12, "{ran:?}");
        assert!(all.iter().all(|(name, outcome)| (outcome == "fail") == name.ends_with("-2")), "{ran:?}");
        let events = ran.events_of("attempt-finished");
        let printed = events.iter().filter_map(|event| event["output"]["stdout"]["head"].as_str());
        let processes: std::collections::BTreeSet<_> =
            printed.filter_map(|text| text.lines().find(|line| line.parse::<u32>().is_ok())).collect();
        assert_eq!(processes.len(), 1, "{processes:?}: {ran:?}");
    }
}

#[test]
fn files_of_one_item_share_a_process_with_their_neighbours() {
    let world = world();
    world.write("conftest.py", ONE_A_FILE);
    world.write("state.py", "class Deep: pass\ndeep = Deep(); deep.list = []\nshallow = []\n");
    // The first fork of three tests has 4, the one that leaves nothing, and 6, which meets what 5 has left.
    let lines = [
        "assert not state.shallow; state.shallow.append(1)",
        "assert not state.shallow",
        "assert 'A' not in os.environ; os.environ['A'] = '1'",
        "assert 'A' not in os.environ",
        "assert not state.deep.list; state.deep.list.append(1)",
        "assert not state.deep.list",
        "assert 0",
        "os._exit(0)",
        "pass",
    ];
    for (number, line) in lines.iter().enumerate() {
        world.write(format!("cases/{number}.case"), line);
    }
    let tries = |ran: &Ran| -> Vec<String> {
        let mut tries = ran.events_of("attempt-finished");
        tries.retain(|event| event["outcome"] != "pass" && event["last"] == true);
        let word = |word: &serde_json::Value| word.as_str().unwrap_or_default().to_owned();
        let shown = |event: &serde_json::Value| {
            format!("{} {}", word(&event["test"]["group"]).replace("cases/", ""), word(&event["outcome"]))
        };
        let mut shown: Vec<String> = tries.iter().map(shown).collect();
        shown.sort();
        shown
    };
    // With and without interpreters that collect for themselves.
    for xdist in ["", "# PYTEST_XDIST_WORKER\n"] {
        world.write("conftest.py", format!("{xdist}{ONE_A_FILE}"));
        for (granularity, expected) in [
            ("auto", &["6.case fail", "7.case crash"][..]),
            ("test", &["6.case fail", "7.case crash"]),
            ("session", &["1.case fail", "3.case fail", "5.case fail", "6.case fail", "7.case crash"]),
        ] {
            let ran = pytest(&world, &["-n", "1", "--granularity", granularity]).exits(1);
            assert_eq!(tries(&ran), expected, "{granularity}: {ran:?}");
            assert_eq!(outcomes(&ran).len(), lines.len(), "{ran:?}");
        }
    }
    let ran = pytest(&world, &["-n", "1", "--explain"]).exits(1);
    ran.tells("cases/0.case it has changed: state.shallow");
    // Unless the machine is under load, one process has both.
    let depends =
        |ran: &Ran| ran.events_of("attempt-finished").iter().any(|event| event["order_dependent"] == true);
    assert!((0..20).any(|_| depends(&pytest(&world, &["-n", "1"]))), "{ran:?}");
}

/// What costs much in the first test of a process lies where it is not seen that it is there.
const COSTLY_START: &str = "\
import ctypes, os, pytest, time, uuid
class Parsed: pass
parsed = Parsed(); parsed.by = None
def burn(seconds):
  end = time.process_time() + seconds
  while time.process_time() < end: pass
def use():
  if parsed.by is None: burn(0.5); parsed.by = uuid.uuid4().hex
  burn(0.03)
@pytest.mark.parametrize('n', range(100))
def test_it(n):
  use()
  assert 'LEFT' not in os.environ and not os.path.exists(os.path.expanduser('~/left'))
  if n == 30: os.environ['LEFT'] = '1'; open(os.path.expanduser('~/left'), 'w').close()
  if n == 60: assert ctypes.CDLL(None).shmget(0x1234, 4096, 0o1666) >= 0
  if n == 80: assert ctypes.CDLL(None).shmget(0x1234, 0, 0) < 0
  pytest.skip('by=' + parsed.by)
";

#[test]
fn where_starts_are_costly_processes_live_longer() {
    let world = world();
    world.write("test_a.py", COSTLY_START);
    let ran = pytest(&world, &["-n", "1"]).exits(0);
    let ended = ran.events_of("attempt-finished");
    assert_eq!(ended.iter().filter(|event| event["outcome"] == "skip").count(), 100, "{ran:?}");
    let reason = |event: &serde_json::Value| event["reason"].as_str().unwrap_or_default().to_owned();
    let by: BTreeSet<String> = ended.iter().map(reason).collect();
    // With a quarter of a second for each there would be twelve.
    assert!(by.len() < 9, "{by:?}");
}

#[test]
fn what_a_session_sets_up_sees_all_that_is_imported() {
    for world in worlds() {
        world.write("registry.py", "known = []\n");
        // The first asks for an interpreter of its own in each slot, the second makes what a table for each model would be.
        world.write(
            "conftest.py",
            "import pytest, registry\n# PYTEST_XDIST_WORKER\n\
             @pytest.fixture(scope='session')\ndef tables(): return list(registry.known)\n",
        );
        for name in ["a", "b", "c", "d"] {
            let text = format!(
                "import registry\nregistry.known.append('{name}')\n\
                 def test_it(tables): assert tables == ['a', 'b', 'c', 'd']\ndef test_other(): pass\n"
            );
            world.write(format!("test_{name}.py"), text);
        }
        for granularity in ["auto", "test"] {
            let ran = pytest(&world, &["--granularity", granularity, "-k", "not other"]).exits(0);
            assert_eq!(outcomes(&ran).len(), 4, "{ran:?}");
        }
        // One that leaves a thread stays out of their interpreters, whoever asks for it, and is no reason to do without the others.
        world.write(
            "running.py",
            "import threading, time\nTHREAD = threading.Thread(target=time.sleep, args=(1000,), daemon=True)\nTHREAD.start()\n",
        );
        for name in ["e", "f"] {
            let text = "import running\ndef test_runs(): assert running.THREAD.is_alive()\n";
            world.write(format!("test_{name}.py"), text);
        }
        for (args, tests) in [
            (vec![], 10),
            (vec!["-k", "test_a or test_e"], 3),
            (vec!["test_e.py", "test_a.py", "-k", "other or runs"], 2),
        ] {
            let ran = pytest(&world, &args).exits(0);
            assert_eq!(outcomes(&ran).len(), tests, "{args:?}: {ran:?}");
        }
    }
}

#[test]
fn a_time_limit_is_not_for_the_collection_of_all_files() {
    let world = world();
    world.write(
        "conftest.py",
        "import pytest\n# PYTEST_XDIST_WORKER\n@pytest.fixture(scope='session')\ndef wide(): pass\n",
    );
    for number in 0..8 {
        let text = "import time\ntime.sleep(0.6)\ndef test_it(wide): pass\n";
        world.write(format!("test_{number}.py"), text);
    }
    let ran = pytest(&world, &["--timeout", "3s", "-n", "1"]).exits(0);
    assert_eq!(outcomes(&ran).len(), 8, "{ran:?}");
}
