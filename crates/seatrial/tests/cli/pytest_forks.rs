//! Warm interpreters that are forks of the session that has collected, and those that are not.

use super::pytest::{outcomes, pairs, pytest};
use super::{world, worlds};
use seatrial_testkit::{Ran, World};
use std::collections::BTreeSet;

/// Two tests of one file, long enough for two slots; each tells by which import its module was made.
const TESTS: &str = "\
import time, uuid
IMPORT = uuid.uuid4().hex
def test_a(): time.sleep(0.5); assert 0, 'import=' + IMPORT
def test_b(): time.sleep(0.5); assert 0, 'import=' + IMPORT
";

/// By how many imports the tests' modules were made.
fn imports(ran: &Ran) -> usize {
    let text = ran.out();
    let found = text.split("import=").skip(1).filter_map(|rest| rest.get(..32));
    found.filter(|id| id.chars().all(|c| c.is_ascii_hexdigit())).collect::<BTreeSet<_>>().len()
}

fn forked(world: &World, args: &[&str]) -> Ran {
    pytest(world, &[&["-n", "2", "--granularity", "test"], args].concat())
}

#[test]
fn what_the_session_has_imported_is_in_all_slots() {
    for world in worlds() {
        world.write("test_a.py", TESTS);
        let ran = forked(&world, &[]).exits(1);
        assert_eq!(outcomes(&ran), pairs(&[("test_a", "fail"), ("test_b", "fail")]), "{ran:?}");
        assert_eq!(imports(&ran), 1, "{ran:?}");
        world.nothing_is_left();
    }
}

#[test]
fn a_forks_processes_are_like_any_other_of_the_slot() {
    for world in worlds() {
        let facts = "open('/proc/self/status').read().split('CapInh')[1].split('Cpus_allowed')[0], \
             sorted(os.listdir('/proc/self/fd')), os.getcwd(), len([n for n in os.listdir('/proc') if n.isdigit()]), \
             open('/proc/net/dev').read().count(':'), open('/proc/mounts').read().count('overlay') > 1, \
             open('/proc/self/uid_map').read(), open('/proc/self/limits').read(), sorted(os.environ)";
        let test = format!(
            "import os\ndef test_a():\n  facts = repr(({facts}))\n  assert 0, 'facts=' + facts + '=facts'\n"
        );
        world.write("test_a.py", &test);
        let told = |text: String| {
            let all: Vec<&str> =
                text.split("facts=(").filter_map(|rest| rest.split(")=facts").next()).collect();
            all.last().copied().unwrap_or_default().to_owned()
        };
        let facts = |ran: &Ran| told(ran.out());
        let here = facts(&forked(&world, &[]).exits(1));
        // A plug-in that has to know whether it is in a worker gets an interpreter of its own.
        world.write("conftest.py", "# PYTEST_XDIST_WORKER\n");
        let own = facts(&forked(&world, &[]).exits(1));
        assert!(here.len() > 100, "{here}");
        assert_eq!(here, own);
    }
}

#[test]
fn what_cannot_be_inherited_in_a_slot_is_made_there() {
    let world = world();
    for (left, word) in [
        ("import socket; LEFT = socket.socket()", "socket:"),
        ("import subprocess; LEFT = subprocess.Popen(['sleep', '1000'])", "child:"),
        ("import tempfile; LEFT = tempfile.mkdtemp(prefix='left-')", "left-"),
        ("LEFT = open(__file__)", "open file"),
        ("import os; LEFT = os.open('.', os.O_RDONLY)", "open file"),
        (
            "import mmap; f = open('mapped', 'w+b'); f.write(bytes(9)); f.flush(); LEFT = mmap.mmap(f.fileno(), 9); f.close()",
            "mapped",
        ),
        ("import os; WORKER = os.environ.get('PYTEST_XDIST_WORKER')", "asks for a worker"),
    ] {
        world.write("test_a.py", format!("{left}\n{TESTS}"));
        let ran = forked(&world, &["--explain"]).exits(1);
        assert_eq!(outcomes(&ran), pairs(&[("test_a", "fail"), ("test_b", "fail")]), "{left}: {ran:?}");
        // A file that is open for writing keeps its tests together.
        assert_eq!(imports(&ran), if word == "mapped" { 1 } else { 2 }, "{left}: {ran:?}");
        ran.tells("each slot imports and collects for itself").tells(word);
    }
    world.expect_kill();
}

#[test]
fn what_an_import_has_set_lasts_in_forks() {
    let world = world();
    world.write(
        "test_a.py",
        "import os, random\nrandom.seed(7)\nos.environ['SET_AT_IMPORT'] = '1'\n\
         def test_random(): assert random.random() == random.Random(7).random()\n\
         def test_garbage():\n    import gc, subprocess, sys\n    text = subprocess.check_output([sys.executable, '-c', 'import gc; print(gc.get_threshold())']).decode()\n    assert str(gc.get_threshold()) == text.strip()\n\
         def test_environment(): assert os.environ['SET_AT_IMPORT'] == '1'\n\
         def test_worker(request): assert os.environ['PYTEST_' + 'XDIST_WORKER'][:2] == 'gw'\n",
    );
    forked(&world, &[]).exits(0);
}

#[test]
fn a_worker_has_the_variables_that_the_session_alone_has_set() {
    for world in worlds() {
        world.write(
            "conftest.py",
            r#"
import os, tempfile
def pytest_sessionstart(session):
    # As plug-ins do that let xdist's workers inherit it.
    if os.environ.get('PYTEST_XDIST_WORKER') is None:
        os.environ['SHARED_FOLDER'] = tempfile.mkdtemp()
        os.environ['SHARED_NAME'] = 'é'
    os.environ['OWN'] = os.environ.get('PYTEST_XDIST_WORKER', 'the session')
"#,
        );
        world.write(
            "test_a.py",
            "import os\n\
             def test_a(): open(os.environ['SHARED_FOLDER'] + '/a', 'w').close()\n\
             def test_b(): assert os.environ['SHARED_NAME'] == 'é' and os.environ['OWN'] == os.environ['PYTEST_XDIST_WORKER']\n",
        );
        pytest(&world, &[]).exits(0);
    }
}

#[test]
fn a_fork_that_is_killed_has_a_successor() {
    let world = world();
    world.write(
        "test_a.py",
        "import os, signal, time\n\
         def test_a(): time.sleep(0.1)\n\
         def test_b(): os.kill(os.getppid(), signal.SIGKILL); time.sleep(1)\n\
         def test_c(): time.sleep(0.1)\n\
         def test_d(): time.sleep(0.1)\n",
    );
    let ran = pytest(&world, &["-n", "1"]).exits(1);
    let bad: Vec<_> = outcomes(&ran).into_iter().filter(|(_, outcome)| outcome != "pass").collect();
    assert_eq!(bad.len(), 1, "{ran:?}");
    assert_eq!(bad[0].0, "test_b", "{ran:?}");
    assert_eq!(outcomes(&ran).len(), 4, "{ran:?}");
}

#[test]
fn threads_and_open_files_of_imports_are_there_in_each_test() {
    let app = "import sqlite3\nfrom concurrent.futures import ThreadPoolExecutor\n\
               POOL = ThreadPoolExecutor(1)\nPOOL.submit(int).result()\n\
               DB = sqlite3.connect('test.db', check_same_thread=False)\n\
               DB.execute('create table if not exists t(a)')\nDB.commit()\n";
    let tests = "import app, pytest\n\
                 @pytest.fixture\n\
                 def db():\n    app.DB.execute('delete from t'); app.DB.commit(); yield app.DB\n\
                 @pytest.mark.parametrize('i', range(3))\n\
                 def test_db(i, db):\n    db.execute('insert into t values (1)'); db.commit()\n    \
                 assert app.POOL.submit(lambda: list(db.execute('select * from t'))).result(timeout=10) == [(1,)]\n";
    for world in worlds() {
        world.write("app.py", app);
        for name in ["a", "b"] {
            world.write(format!("test_{name}.py"), tests);
        }
        let ran = pytest(&world, &["--cwd-in-path"]).exits(0);
        ran.tells("leaves threads or open files when it is imported");
        assert_eq!(outcomes(&ran).len(), 6, "{ran:?}");
        world.write("conftest.py", "import app\n");
        world.write(
            "test_b.py",
            format!("{tests}def test_bad(): assert 0\ndef test_dies():\n    import os; os._exit(0)\n"),
        );
        let ran = pytest(&world, &["--cwd-in-path"]).exits(1);
        ran.tells("each test file has a pytest of its own");
        let bad: Vec<_> = outcomes(&ran).into_iter().filter(|(_, outcome)| outcome != "pass").collect();
        assert_eq!(bad, pairs(&[("test_bad", "fail"), ("test_dies", "crash")]), "{ran:?}");
        assert_eq!(outcomes(&ran).len(), 8, "{ran:?}");
    }
}

#[test]
fn a_database_that_a_plug_in_keeps_open_takes_what_tests_write() {
    for world in worlds() {
        // It is no conftest file.
        world.write(
            "monitor.py",
            "import pytest, sqlite3\n\
             def pytest_sessionstart(session):\n    session.db = sqlite3.connect('monitor.db')\n    \
             session.db.execute('create table if not exists t(a)'); session.db.commit()\n\
             @pytest.fixture(autouse=True)\n\
             def note(request):\n    yield\n    request.session.db.execute('insert into t values (1)'); request.session.db.commit()\n",
        );
        world.write("test_a.py", "def test_a(): pass\ndef test_b(): pass\n");
        let ran = pytest(&world, &["--cwd-in-path", "-p", "monitor"]).exits(0);
        ran.tells("left by conftest files, plug-ins");
        assert_eq!(outcomes(&ran), pairs(&[("test_a", "pass"), ("test_b", "pass")]), "{ran:?}");
    }
}

#[test]
fn a_database_that_a_wide_fixture_keeps_open_is_the_one_that_tests_find() {
    for world in worlds() {
        world.write(
            "test_a.py",
            "import pytest, sqlite3\n\
             @pytest.fixture(scope='session')\n\
             def path(tmp_path_factory): return str(tmp_path_factory.mktemp('d') / 'x.db')\n\
             @pytest.fixture(scope='session')\n\
             def db(path):\n    db = sqlite3.connect(path); db.execute('create table t(a)'); db.commit(); yield db; db.close()\n\
             def test_a(db): db.execute('insert into t values (1)'); db.commit()\n\
             def test_b(db, path):\n    other = sqlite3.connect(path)\n    other.execute('insert into t values (2)'); other.commit()\n    \
             assert (2,) in list(db.execute('select a from t'))\n",
        );
        for isolation in ["cow", "process"] {
            let ran = pytest(&world, &["-n", "1", "--isolation", isolation]).exits(0);
            ran.tells("holds an open file");
            assert_eq!(outcomes(&ran), pairs(&[("test_a", "pass"), ("test_b", "pass")]), "{ran:?}");
        }
    }
}
