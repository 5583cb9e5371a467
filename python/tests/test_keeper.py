"""Keepers of run-wide fixtures: values, failures, time limits, and that nothing is left when the channel closes."""

import json
import os
import socket
import subprocess
import sys
import time

import driver
from project import ProjectTest

FUNCTIONS = """
    import contextlib, os, subprocess, time
    def note(word):
        with open("notes", "a") as file:
            file.write(word + "\\n")
    def generator():
        note("up")
        yield {"port": 1, "list": [None, True]}
        note("down")
    @contextlib.contextmanager
    def manager():
        try:
            yield "managed"
        finally:
            note("left")
    class Holder(object):
        def make(self):
            return 7
    holder = Holder()
    def broken(): raise ValueError("no luck")
    def odd(): return {1, 2}
    def hangs():
        try:
            note("up")
            time.sleep(100)
        finally:
            note("woken")
    def bad_teardown():
        yield 1
        raise ValueError("too late")
    def twice():
        yield 1
        yield 2
    def child():
        yield subprocess.Popen(["sleep", "1000"]).pid
"""


class Keeper(object):
    """A started keeper and its channel."""

    def __init__(self, root, **definition):
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        facts = {"name": "it", "directory": root, "timeout": 20, "grace": 5, "path": [root] + sys.path}
        facts.update(definition)
        self.channel.send(json.dumps(facts).encode())
        self.channel.settimeout(driver.LIMIT)
        number = theirs.fileno()
        self.child = subprocess.Popen(
            [sys.executable, os.path.join(driver.SOURCES, "keeper.py"), str(number)], pass_fds=[number], cwd=root,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        theirs.close()
        self.wrote = None

    def message(self):
        """The next message; None: its end is closed."""
        raw = self.channel.recv(1 << 20)
        return json.loads(raw.decode()) if raw else None

    def close(self):
        """Nobody waits any more; what it wrote."""
        self.channel.close()
        if self.wrote is None:
            self.wrote = self.child.communicate(timeout=driver.LIMIT)[0].decode()
        return self.wrote

    def undone(self):
        """The last message, and what it wrote."""
        self.channel.shutdown(socket.SHUT_WR)
        message = self.message()
        return message, self.close()


def wait_for(condition):
    """Until it holds."""
    deadline = time.monotonic() + driver.LIMIT
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


def alive(pid):
    """Whether a process still lives."""
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class Keeps(ProjectTest):
    """One fixture each."""

    def keeper(self, **definition):
        """In a project that has functions."""
        self.root = self.project(functions=FUNCTIONS)
        keeper = Keeper(self.root, **definition)
        self.addCleanup(keeper.close)
        return keeper

    def function(self, name, **more):
        """A keeper of one of the functions."""
        return self.keeper(function="functions:" + name, **more)

    def script(self, text, **more):
        """A keeper of a shell's script."""
        return self.keeper(command=["sh", "-c", text], **more)

    def notes(self):
        """What the functions have noted."""
        with open(os.path.join(self.root, "notes")) as file:
            return file.read().split()

    def test_functions_give_values_and_are_undone(self):
        for name, value, notes in (
                ("generator", {"port": 1, "list": [None, True]}, ["up", "down"]), ("manager", "managed", ["left"]),
                ("holder.make", 7, None)):
            keeper = self.function(name)
            self.assertEqual(keeper.message(), {"value": value})
            self.assertEqual(keeper.undone()[0], {"ended": None})
            if notes:
                self.assertEqual(self.notes(), notes)

    def test_functions_that_fail_say_why(self):
        for name, words in (
                ("broken", "ValueError: no luck"), ("odd", "JSON cannot hold"), ("missing", "AttributeError")):
            self.assertIn(words, self.function(name).message()["error"])

    def test_a_function_that_hangs_is_interrupted_and_shown(self):
        keeper = self.function("hangs", timeout=0.2)
        error = keeper.message()["error"]
        self.assertIn("gave no value within 0.2 s", error)
        self.assertIn("time.sleep(100)", error)
        self.assertEqual(self.notes(), ["up", "woken"])

    def test_a_function_is_interrupted_when_nobody_waits(self):
        keeper = self.function("hangs")
        path = os.path.join(self.root, "notes")
        wait_for(lambda: os.path.exists(path) and os.path.getsize(path))
        keeper.close()
        self.assertEqual(self.notes(), ["up", "woken"])

    def test_a_teardown_that_fails_says_why(self):
        for name, words in (("bad_teardown", "ValueError: too late"), ("twice", "more than one value")):
            keeper = self.function(name)
            keeper.message()
            self.assertIn(words, keeper.undone()[0]["ended"])

    def test_what_a_function_leaves_running_is_ended(self):
        keeper = self.function("child")
        pid = keeper.message()["value"]
        self.assertTrue(alive(pid))
        keeper.undone()
        self.assertFalse(alive(pid))

    def test_the_first_line_is_the_value(self):
        for text, value in (
                ("echo 5432", 5432), ("echo '{\"a\": 1}'", {"a": 1}), ("echo localhost:1", "localhost:1"),
                ("printf whole", "whole"), ("echo NaN", "NaN"), ("echo", "")):
            keeper = self.script(text + "; echo more; exec sleep 1000" if "printf" not in text else text)
            self.assertEqual(keeper.message(), {"value": value})
            self.assertEqual(keeper.undone()[0], {"ended": None})

    def test_a_command_without_a_value_says_why(self):
        for text, words in (
                ("echo dreadful >&2; exit 3", "exited with 3 before it had written a line"),
                ("kill -9 $$", "was killed by signal 9 before"), ("exit 0", "closed its output before")):
            keeper = self.script(text)
            self.assertIn(words, keeper.message()["error"])
            if "dreadful" in text:
                self.assertIn("dreadful", keeper.close())
        error = self.script("sleep 1000", timeout=0.2).message()["error"]
        self.assertIn("wrote no line within 0.2 s", error)
        self.assertIn("could not be started", self.keeper(command=["./is-not-there"]).message()["error"])

    def test_a_command_that_died_is_told(self):
        keeper = self.script("echo up; exit 4")
        keeper.message()
        keeper.child.stdout.read(3)
        wait_for(lambda: keeper.child.pid not in [parent(pid) for pid in os.listdir("/proc")])
        self.assertEqual(keeper.undone()[0], {"ended": "exited with 4 before the run's end"})

    def test_nothing_is_left_of_a_value_that_nobody_takes(self):
        keeper = self.script("echo $$ > pid; echo it; exec sleep 1000")
        keeper.channel.shutdown(socket.SHUT_RD)
        path = os.path.join(self.root, "pid")
        wait_for(lambda: os.path.exists(path) and os.path.getsize(path))
        with open(path) as file:
            pid = int(file.read())
        keeper.close()
        self.assertFalse(alive(pid))

    def test_nothing_is_left_when_the_lister_is_gone(self):
        # A shell that does not listen, its child, and a daemon in a session of its own.
        keeper = self.script("trap '' TERM; sleep 1000 & setsid sleep 1001 & echo $! ; while :; do sleep 0.1; done", grace=0.2)
        daemon = keeper.message()["value"]
        self.assertTrue(alive(daemon))
        keeper.close()
        self.assertFalse(alive(daemon))

    def test_a_command_may_take_its_time_to_end(self):
        keeper = self.script("trap 'sleep 0.2; touch ended; exit 0' TERM; echo up; while :; do sleep 0.05; done")
        keeper.message()
        keeper.undone()
        self.assertTrue(os.path.exists(os.path.join(self.root, "ended")))


def parent(pid):
    """The parent of a living process."""
    try:
        with open("/proc/%s/stat" % pid) as file:
            state, parent = file.read().rpartition(")")[2].split()[:2]
            return None if state in "ZX" else int(parent)
    except OSError:
        return None
