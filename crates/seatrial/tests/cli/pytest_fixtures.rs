//! `[[fixtures]]` in `seatrial.toml`: set up once a run, whatever becomes of the run.

use super::pytest::{outcomes, pairs, pytest, python};
use super::{world, worlds};
use rustix::process::Signal;
use seatrial_testkit::{World, wait_for};
use std::fs;

/// A server on a port of its own, which notes its beginning and its end, and has a daemon.
const SERVER: &str = r#"#!/usr/bin/env python3
import json, os, signal, socket, sys, time
def note(word):
    with open("notes", "a") as file:
        file.write(word + " ")
def end(*_):
    note("down")
    os._exit(0)
if os.fork() == 0:
    os.setsid()
    time.sleep(1000)
signal.signal(signal.SIGTERM, end)
server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen(5)
note("up")
print(json.dumps({"port": server.getsockname()[1]}), flush=True)
while True:
    connection, _ = server.accept()
    connection.sendall(b"hello")
    connection.close()
"#;

const TESTS: &str = r#"
import json, os, pytest, socket
@pytest.fixture
def greeting(server):
    return socket.create_connection(("127.0.0.1", server["port"]), 10).recv(9)
@pytest.mark.parametrize("n", range(6))
def test_it(greeting, n): assert greeting == b"hello"
def test_variable(server): assert json.loads(os.environ["SEATRIAL_FIXTURE_SERVER"]) == server
"#;

fn serve(world: &World) {
    world.script("start-server", SERVER);
    world.write(
        "seatrial.toml",
        "[[fixtures]]\nname = \"server\"\nscope = \"run\"\ncommand = [\"./start-server\"]\n",
    );
    world.write("test_a.py", TESTS);
}

fn notes(world: &World) -> String {
    fs::read_to_string(world.project.join("notes")).unwrap_or_default()
}

#[test]
fn a_server_is_started_once_and_reached_from_every_slot() {
    for world in worlds() {
        serve(&world);
        let ran = pytest(&world, &["-n", "3"]).exits(0);
        assert_eq!(outcomes(&ran).len(), 7, "{ran:?}");
        assert_eq!(notes(&world), "up down ");
    }
}

#[test]
fn a_fixture_that_nobody_uses_is_not_set_up() {
    let world = world();
    serve(&world);
    world.write("test_a.py", "def test_it(): pass\n");
    pytest(&world, &[]).exits(0);
    assert_eq!(notes(&world), "");
}

#[test]
fn every_end_of_a_run_ends_the_server() {
    let slow = "import time\ndef test_it(server):\n    print('runs')\n    time.sleep(1000)\n";
    let failing = "def test_it(server): assert 0\n";
    for (tests, signal) in
        [(failing, None), (slow, Some(Signal::INT)), (slow, Some(Signal::TERM)), (slow, Some(Signal::KILL))]
    {
        let world = world();
        serve(&world);
        world.write("test_a.py", tests);
        let python = python();
        let run = world.seatrial(["pytest", "--python", &python, "--grace", "100ms"]).start();
        if let Some(signal) = signal {
            wait_for("the server", || {
                if notes(&world).starts_with("up") { Ok(()) } else { Err("not there".to_owned()) }
            });
            if signal == Signal::KILL {
                world.expect_kill();
            }
            run.signal(signal);
        }
        let _ = run.end();
        wait_for("its end", || match notes(&world).as_str() {
            "up down " => Ok(()),
            other => Err(format!("{signal:?}: {other}")),
        });
        // Dropped, the world looks for processes that are left: there was a daemon.
    }
}

#[test]
fn a_function_of_the_project_yields_a_value() {
    for world in worlds() {
        world.write("tests/__init__.py", "");
        world.write(
            "tests/servers.py",
            "def start():\n    with open('notes', 'a') as f: f.write('up ')\n    yield 'a text'\n    with open('notes', 'a') as f: f.write('down ')\n",
        );
        world.write(
            "seatrial.toml",
            "[[fixtures]]\nname = \"it\"\nscope = \"run\"\nfunction = \"tests.servers:start\"\nautouse = true\n",
        );
        world.write(
            "tests/test_a.py",
            "import os\ndef test_name(it): assert it == 'a text' == os.environ['SEATRIAL_FIXTURE_IT']\ndef test_dynamic(request): assert request.getfixturevalue('it') == 'a text'\n",
        );
        world.write("tests/test_b.py", "def test_over(it): assert it == ['a text', 1]\n");
        world.write(
            "tests/conftest.py",
            "import pytest\n@pytest.fixture\ndef more(it): return [it, 1]\n@pytest.fixture\ndef it(it, request):\n    return [it, 1] if 'test_b' in request.node.nodeid else it\n",
        );
        let ran = pytest(&world, &["-n", "2"]).exits(0);
        let all = pairs(&[("test_dynamic", "pass"), ("test_name", "pass"), ("test_over", "pass")]);
        assert_eq!(outcomes(&ran), all, "{ran:?}");
        assert_eq!(notes(&world), "up down ");
    }
}

#[test]
fn a_set_up_that_fails_or_hangs_is_an_error_of_the_tests_that_need_it() {
    let world = world();
    for (command, words) in [
        ("[\"sh\", \"-c\", \"echo out of luck >&2; exit 3\"]", ["exited with 3", "out of luck"]),
        (
            "[\"sh\", \"-c\", \"echo waiting for luck >&2; sleep 1000\"]\ntimeout = 0.3",
            ["within 0.3 s", "waiting for luck"],
        ),
        ("[\"./is-not-there\"]", ["could not be started", "is-not-there"]),
    ] {
        world.write(
            "seatrial.toml",
            format!("[[fixtures]]\nname = \"it\"\nscope = \"run\"\ncommand = {command}\n"),
        );
        world.write("test_a.py", "def test_needs(it): pass\ndef test_other(): pass\n");
        let ran = pytest(&world, &[]).exits(1);
        assert_eq!(outcomes(&ran), pairs(&[("test_needs", "error"), ("test_other", "pass")]), "{ran:?}");
        ran.tells(words[0]).tells(words[1]);
    }
}

#[test]
fn a_fixture_that_ends_badly_is_an_error_of_the_run() {
    let world = world();
    world.write(
        "seatrial.toml",
        "[[fixtures]]\nname = \"it\"\nscope = \"run\"\ncommand = [\"sh\", \"-c\", \"echo up; echo oh dear; exit 4\"]\n",
    );
    world.write("test_a.py", "def test_it(it): pass\n");
    let ran = pytest(&world, &[]).exits(1);
    ran.tells("exited with 4 before the run's end").tells("oh dear");
}

#[test]
fn a_wrong_file_is_refused_with_its_line() {
    let world = world();
    world.write("seatrial.toml", "[[fixtures]]\nname = \"it\"\nscop = \"run\"\n");
    world.write("test_a.py", "def test_it(): pass\n");
    pytest(&world, &[]).exits(2).tells("seatrial.toml").tells("line 3").tells("scop").hides("passed");
}

#[test]
fn a_test_that_is_bad_once_is_flaky_and_not_order_dependent() {
    let world = world();
    // The state that changes between tries lies outside all containers.
    world.write(
        "servers.py",
        "import socket, threading\ndef serve(server):\n  n = 0\n  while True:\n    client = server.accept()[0]\n    n += 1\n    client.send(b'%d' % n)\n    client.close()\ndef start():\n  server = socket.create_server(('127.0.0.1', 0))\n  threading.Thread(target=serve, args=(server,), daemon=True).start()\n  yield {'port': server.getsockname()[1]}\n",
    );
    world.write(
        "seatrial.toml",
        "[[fixtures]]\nname = \"count\"\nscope = \"run\"\nfunction = \"servers:start\"\n",
    );
    world.write(
        "test_a.py",
        "import socket\ndef test_before(): pass\ndef test_it(count):\n  with socket.create_connection(('127.0.0.1', count['port'])) as s: assert s.recv(9) != b'1'\n",
    );
    let failed = pairs(&[("test_before", "pass"), ("test_it", "fail")]);
    for granularity in ["auto", "test"] {
        let ran = pytest(&world, &["--granularity", granularity]).exits(1);
        assert_eq!(outcomes(&ran), failed, "{granularity}: {ran:?}");
        ran.tells("flaky: run again, it passed");
        let retried = pytest(&world, &["--granularity", granularity, "--retries", "1"]).exits(0);
        let tries = retried.events_of("attempt-finished");
        assert_eq!(tries.iter().filter(|event| event["last"] == false).count(), 1, "{retried:?}");
        assert!(tries.iter().all(|event| event["order_dependent"] != true), "{retried:?}");
    }
}

#[test]
fn a_teardown_is_heard_when_the_interpreter_has_to_end_early() {
    for world in worlds() {
        // What a test leaves in the kernel's shared memory stays as long as a process of its namespace.
        world.write(
            "test_a.py",
            "import ctypes, os, pytest\n\
             @pytest.fixture(scope='module', autouse=True)\n\
             def wide():\n    yield\n    assert 0, 'torn down'\n\
             def test_a(): assert ctypes.CDLL(None).shmget(0x1234, 4096, 0o1666) >= 0\n",
        );
        world.write("test_b.py", "def test_b(): pass\n");
        let ran = pytest(&world, &["-n", "1"]).exits(1);
        assert_eq!(outcomes(&ran), pairs(&[("test_a", "error"), ("test_b", "pass")]), "{ran:?}");
        ran.tells("torn down");
    }
}
