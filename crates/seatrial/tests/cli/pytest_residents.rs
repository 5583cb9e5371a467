//! Wide fixtures that take long and leave what no fork inherits: a process in each slot lives on with them.

use super::pytest::{outcomes, pairs, pytest};
use super::{world, worlds};
use seatrial_testkit::World;

/// A server that goes into the background, behind a fixture that leaves a thread; it counts the connections that it has had.
/// Its port is always the same. What is set up and torn down is in `log`.
const CONFTEST: &str = r#"
import os, pytest, socket, subprocess, sys, threading, time

SERVER = """
import os, socket
if os.fork(): os._exit(0)
os.setsid()
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(('127.0.0.1', 8123))
server.listen()
count = 0
while True:
    client, _ = server.accept()
    count += 1
    word = client.recv(10)
    client.sendall(b'%d' % count)
    client.close()
    if word == b'end': break
"""

# Set by a test, in its own process: which teardown ends how.
ends = {}

def end(scope):
    assert ends.get(scope) != 'error', 'does not end'
    if scope in ends: os._exit(ends[scope])

def log(*words):
    with open('log', 'a') as file: file.write(' '.join(words) + '\n')

def logged(): return open('log').read().split('\n')[:-1]

def ask(word=b'x'):
    with socket.create_connection(('127.0.0.1', 8123)) as client:
        client.sendall(word)
        return int(client.recv(10))

@pytest.fixture(scope='session')
def thread():
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    time.sleep(0.1)
    yield thread
    end.set()
    thread.join()

@pytest.fixture(scope='session')
def server(thread):
    subprocess.run([sys.executable, '-c', SERVER], check=True)
    for _ in range(1000):
        try:
            ask()
            break
        except OSError:
            time.sleep(0.01)
    log('server up')
    yield ask
    end('session')
    ask(b'end')

@pytest.fixture(scope='module')
def client(server, request):
    log('up', request.node.name)
    yield server
    end('module')
    log('down', request.node.name)
"#;

/// As many tests of a file as said use the module's fixture; others stand between them.
fn file(world: &World, name: &str, tests: &[&str]) {
    let tests: String =
        tests.iter().enumerate().map(|(number, test)| format!("def test_{number}{test}\n")).collect();
    world.write(format!("test_{name}.py"), format!("import os, time\nfrom conftest import logged\n{tests}"));
}

#[test]
fn a_server_is_set_up_once_in_a_slot_and_its_tests_share_a_process() {
    for world in worlds() {
        world.write("conftest.py", CONFTEST);
        // What it is built on was tried, and what that leaves is known. Others run elsewhere meanwhile, and the server is still there after them.
        file(
            &world,
            "a",
            &[
                "(client): assert client() > 1",
                "(): pass",
                "(client): assert client() > 2",
                "(): time.sleep(0.3)",
                "(client, thread): assert thread.is_alive() and client() > 3 and logged() == ['server up', 'up test_a.py']",
            ],
        );
        file(
            &world,
            "b",
            &[
                "(client): assert client() > 4",
                "(client): assert logged()[1:] == ['up test_a.py', 'down test_a.py', 'up test_b.py']",
            ],
        );
        file(&world, "c", &["(): assert logged()[-1] == 'down test_b.py'"]);
        let ran = pytest(&world, &["-n", "1"]).exits(0);
        assert_eq!(outcomes(&ran).len(), 8, "{ran:?}");
        ran.tells("tests that use fixture `thread` share a process in each slot");
        assert!(!world.project.join("log").exists(), "it is on the host");
        world.nothing_is_left();
    }
}

#[test]
fn a_test_that_ends_their_process_has_failed_and_the_others_run() {
    let world = world();
    world.write("conftest.py", CONFTEST);
    file(
        &world,
        "a",
        &[
            "(server): assert server()",
            "(server): os._exit(0)",
            "(server): assert server()",
            "(server): time.sleep(100)",
            "(server): assert server()",
            "(server): assert 0, 'simply'",
            "(server): assert server()",
        ],
    );
    let ran = pytest(&world, &["-n", "1", "--timeout", "4s"]).exits(1);
    let expected = [
        ("test_0", "pass"),
        ("test_1", "crash"),
        ("test_2", "pass"),
        ("test_3", "timeout"),
        ("test_4", "pass"),
        ("test_5", "fail"),
        ("test_6", "pass"),
    ];
    assert_eq!(outcomes(&ran), pairs(&expected), "{ran:?}");
    ran.tells("exited with 0 in the middle of the test");
}

#[test]
fn what_depends_on_the_order_there_is_named() {
    let world = world();
    world.write("conftest.py", CONFTEST);
    file(&world, "a", &["(server): os.environ['A'] = '1'", "(server): assert 'A' not in os.environ"]);
    let ran = pytest(&world, &["-n", "1"]).exits(0);
    let named: Vec<_> = ran
        .events_of("attempt-finished")
        .into_iter()
        .filter(|event| event["order_dependent"] == true)
        .collect();
    assert_eq!(named.len(), 1, "{ran:?}");
    assert_eq!(named[0]["test"]["name"], "test_1");
}

#[test]
fn what_starts_once_in_a_process_is_started_where_its_tests_are() {
    // As a reactor, a virtual machine, or the one instance of a class.
    let conftest = "import os, pytest, random, threading, time\n\
         random.seed(7)\n\
         starts = []\n\
         def start():\n    assert not starts, 'it does not start again'\n    starts.append(1)\n    time.sleep(SLEEP)\n    \
         over = threading.Event()\n    threading.Thread(target=over.wait, daemon=True).start()\n    return over\n\
         @pytest.fixture(scope='session')\n\
         def before(): return random.random()\n\
         @pytest.fixture(scope='SCOPE', autouse=AUTOUSE)\n\
         def once(before):\n    over = start(); yield threading.active_count(); over.set()\n";
    for world in worlds() {
        for (scope, sleep) in [("session", "0"), ("module", "0"), ("session", "0.1"), ("module", "0.1")] {
            for autouse in ["True", "False"] {
                let text = conftest.replace("SCOPE", scope).replace("SLEEP", sleep);
                world.write("conftest.py", text.replace("AUTOUSE", autouse));
                let tests = "import random\ndef test_1(once): assert once == 2\ndef test_2(once, before): assert before == 0.32383276483316237\ndef test_3(): pass\n";
                world.write("test_a.py", tests);
                let ran = pytest(&world, &["-n", "1"]).exits(0);
                let all = pairs(&[("test_1", "pass"), ("test_2", "pass"), ("test_3", "pass")]);
                assert_eq!(outcomes(&ran), all, "{scope} {sleep} {autouse}: {ran:?}");
                ran.tells("leaves a thread behind").hides("order-dependent");
            }
        }
    }
}

#[test]
fn a_teardown_that_fails_there_is_an_error() {
    // A test that is bad there runs again alone, and then what ends its process in its module's teardown is its crash.
    let (crash, badly) = ("in the middle of the test", "ended badly after them");
    for (scope, how, outcome, words) in [
        ("module", "'error'", "error", "does not end"),
        ("module", "3", "crash", crash),
        ("module", "0", "crash", crash),
        ("session", "'error'", "error", "does not end"),
        ("session", "3", "error", badly),
        ("session", "0", "error", badly),
    ] {
        let world = world();
        world.write("conftest.py", CONFTEST);
        let spoils = format!("(client): __import__('conftest').ends['{scope}'] = {how}");
        file(&world, "a", &["(client): assert client()", &spoils]);
        // Another module, with which the first one's fixture ends.
        file(&world, "b", &["(): pass"]);
        let ran = pytest(&world, &["-n", "1"]).exits(1);
        ran.tells(words);
        let bad: Vec<_> = outcomes(&ran).into_iter().filter(|(_, outcome)| outcome != "pass").collect();
        assert_eq!(bad, pairs(&[("test_1", outcome)]), "{scope} {how}: {ran:?}");
    }
}

#[test]
fn a_fixture_of_a_module_ends_with_it() {
    let world = world();
    world.write("conftest.py", "");
    for name in ["a", "b"] {
        let text = "import pytest, threading, time\n\
            @pytest.fixture(scope='module')\n\
            def thread():\n  end = threading.Event(); thread = threading.Thread(target=end.wait); thread.start()\n  \
              time.sleep(0.1)\n  open('up', 'a').write('NAME')\n  yield thread\n  end.set(); open('down', 'a').write('NAME')\n\
            def test_0(thread): assert thread.is_alive() and not __import__('os').path.exists('no')\n\
            def test_1(thread): assert threading.active_count() == 2\n\
            def test_2(thread): assert open('up').read()[-1] == 'NAME'\n\
            def test_3(): assert not open('down').read().endswith('NAMENAME')\n";
        world.write(format!("test_{name}.py"), text.replace("NAME", name));
    }
    // Each was set up once to see what it leaves, and torn down twice by then.
    world.write("test_c.py", "def test_4(): assert open('down').read() == 'aabb'\n");
    let ran = pytest(&world, &["-n", "1"]).exits(0);
    assert_eq!(outcomes(&ran).len(), 9, "{ran:?}");
}

#[test]
fn tests_that_are_tried_again_in_company_have_no_second_one_beside_it() {
    for world in worlds() {
        world.write(
            "conftest.py",
            r#"
import pytest, socket, threading, time

@pytest.fixture(scope='session')
def server():
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(('127.0.0.1', 8123))
    server.listen()
    thread = threading.Thread(target=lambda: server.accept()[0].close())
    thread.start()
    time.sleep(0.1)
    yield server
    socket.create_connection(('127.0.0.1', 8123)).close()
    thread.join()
    server.close()

@pytest.fixture(scope='session')
def cheap():
    server = socket.socket()
    server.bind(('127.0.0.1', 8124))
    yield server
    server.close()
"#,
        );
        world.write("test_a.py", "def test_0(server, cheap): pass\n");
        // The last ones pass after the first only: this is found out in a process with all of them, while others hold the port.
        for (name, fixture) in [("b", "server"), ("c", "cheap")] {
            world.write(
                format!("test_{name}.py"),
                format!("seen = []\ndef test_0(): seen.append(0)\ndef test_1({fixture}): assert seen\n"),
            );
        }
        world.write("test_d.py", "def test_0(server): pass\n");
        let ran = pytest(&world, &["-n", "1"]).exits(0);
        assert_eq!(outcomes(&ran).len(), 6, "{ran:?}");
        world.nothing_is_left();
    }
}
