"""Fixtures for a whole run (`[[fixtures]]` in `seatrial.toml`): the lister sets them up, every slot gets their values.

Each is set up in a process of its own, its `keeper`, which outlives the lister if it must and undoes everything when
the channel between them is closed. To pytest they are session fixtures of a plug-in, so that a conftest file
may define one of the same name over it.
"""

import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import types

PREFIX = "SEATRIAL_FIXTURE_"
LARGEST = 32 * 1024
SHOWN = 8 * 1024
# What a keeper may take beyond the limits that it holds itself to.
PATIENCE = 10
SOURCE = __spec__.loader.get_source("seatrial_python.keeper")


def plugin(definitions, values):
    """A plug-in with a session fixture for each definition."""
    import pytest

    module = types.ModuleType("seatrial_run_fixtures")
    for definition in definitions:
        name = definition["name"]
        make = pytest.fixture(scope="session", name=name, autouse=definition["autouse"])
        setattr(module, "fixture_" + name, make(function(name, values)))
    return module


def function(name, values):
    """The function behind a fixture."""

    def value():
        """A fixture for the whole run, from seatrial.toml."""
        found = values.get(name, {"error": NOT_SEEN % name})
        if "error" in found:
            import pytest

            pytest.fail(found["error"], pytrace=False)
        return found["value"]

    return value


NOT_SEEN = (
    "fixture `%s` for the whole run was not set up, because no collected test names it: name it in the test's arguments "
    "or in `usefixtures`, or set `autouse = true` in seatrial.toml"
)


def variable(name):
    """The variable that tells the value too."""
    return PREFIX + name.upper()


class RunFixtures(object):
    """The lister's side: those that were set up, in their order."""

    def __init__(self, definitions, channel):
        self.definitions = definitions
        self.channel = channel
        self.keepers = []

    def set_up(self, items):
        """Sets up what the items use; for each a record with its value or error. None: Seatrial has gone."""
        used = set()
        for item in items:
            used.update(getattr(getattr(item, "_fixtureinfo", None), "names_closure", ()))
        records = []
        environment = dict(os.environ)
        room = LARGEST
        for definition in self.definitions:
            if definition["name"] not in used:
                continue
            keeper = Keeper(definition, environment)
            self.keepers.append(keeper)
            record = keeper.answer(self.channel)
            if record is None:
                return None
            if "value" in record:
                room -= len(json.dumps(record["value"]))
                if room < 0:
                    record = {"error": keeper.words("gave a value of too many bytes: all values of a run together have "
                                                    "room for %d; give the path of a file" % LARGEST)}
                else:
                    environment[variable(definition["name"])] = as_text(record["value"])
            record["name"] = definition["name"]
            if definition.get("forward") is not None:
                record["forward"] = definition["forward"]
            records.append(record)
        return records

    def tear_down(self):
        """Undoes all, the last first; what went wrong."""
        wrong = [keeper.end() for keeper in reversed(self.keepers)]
        self.keepers = []
        return [text for text in wrong if text is not None]


def as_text(value):
    """A text is itself, anything else is JSON."""
    return value if isinstance(value, str) else json.dumps(value)


class Keeper(object):
    """A fixture's own process, seen from the lister."""

    def __init__(self, definition, environment):
        self.definition = definition
        self.log = tempfile.TemporaryFile()
        self.alive = True
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        folder = definition["directory"]
        spec = dict(definition, path=[folder] + sys.path)
        self.socket.send(json.dumps(spec).encode("utf-8"))
        number = theirs.fileno()
        self.child = subprocess.Popen(
            [sys.executable, "-c", SOURCE, str(number)], pass_fds=[number], stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=self.log, cwd=folder, env=environment, start_new_session=True)
        theirs.close()

    def answer(self, channel):
        """Its value or error. None: Seatrial has gone, and the keeper is told to end."""
        limit = self.definition["timeout"] + self.definition["grace"] + PATIENCE
        ready = select.select([self.socket, channel], [], [], limit)[0]
        if self.socket not in ready:
            self.socket.close()
            return None if ready else {"error": self.words("does not answer")}
        message = self.receive()
        if message is None:
            return {"error": self.words("died before it had given a value")}
        if "error" in message:
            self.alive = False
            return {"error": self.words(message["error"])}
        return message

    def end(self):
        """Undoes it and waits; what went wrong, or None."""
        if not self.alive or self.socket.fileno() < 0:
            self.child.wait()
            return None
        self.socket.shutdown(socket.SHUT_WR)
        limit = self.definition["timeout"] + 2 * self.definition["grace"] + PATIENCE
        message = self.receive() if select.select([self.socket], [], [], limit)[0] else None
        if message is None:
            self.child.kill()
            self.child.wait()
            return self.words("could not be torn down: its keeper does not answer")
        self.child.wait()
        return None if message["ended"] is None else self.words(message["ended"])

    def receive(self):
        """The next message, or None when the keeper has died."""
        try:
            raw = self.socket.recv(1 << 20)
        except OSError:
            return None
        return json.loads(raw.decode("utf-8")) if raw else None

    def words(self, text):
        """A sentence about the fixture, with what it wrote."""
        what = self.definition.get("function") or " ".join(self.definition["command"])
        said = "fixture `%s` for the whole run: `%s` %s" % (self.definition["name"], what, text.rstrip())
        size = self.log.seek(0, os.SEEK_END)
        self.log.seek(max(0, size - SHOWN))
        wrote = self.log.read().decode("utf-8", "replace").strip()
        return said + ("\nIt wrote:\n" + wrote if wrote else "")
