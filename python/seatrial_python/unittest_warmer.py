"""The warmer of `seatrial unittest`: an interpreter that imports the test modules of its jobs, and forks for each job.

It reads unittest's arguments as the lister does, but loads only the origins (`unittest_walk`) that its jobs name.
Nothing of the project runs here but imports and `load_tests`: set-ups of classes and modules run in the forks.
"""

import gc
import os
import warnings

from seatrial_python import forks, hazards, imports, randomness, reports, unittest_capture, unittest_run, unittest_walk
from seatrial_python import wire

GONE = "it was not there when its module was loaded again"


def main(packet, channel):
    """Serves jobs; returns the exit status of the process."""
    os.environ.pop("SEATRIAL_SLOT", None)
    hazards.quiet_libraries()
    findings = packet if "nodes" in packet else wire.decode(channel.recv(1 << 20).decode() or "null")
    if findings is None:
        # There is nothing to run.
        return 0
    loader = unittest_walk.Later()
    program = unittest_walk.Program(packet["args"], loader)
    Warmer(wire.Fields(channel), loader, program, findings.get("imports") or []).serve()
    return 0


class NothingWide(object):
    """What is wider than a test is never set up here."""

    def drop_inherited(self):
        """There is nothing."""


class Warmer(object):
    """The interpreter of a slot."""

    # Files are recorded for pytest alone.
    facts = None

    share = None

    def __init__(self, channel, loader, program, names):
        self.channel = channel
        self.loader = loader
        self.program = program
        self.imports = names
        self.directory = os.getcwd()
        self.origins = {}
        self.cleanups = {}
        self.threads = False
        self.set = 0
        self.sender = None
        self.imported = True
        self.wide = NothingWide()
        self.capture = unittest_capture.Capture()
        self.random = randomness.State()
        self.forks = forks.Forks(self)

    def serve(self):
        """Jobs until the channel is closed."""
        unittest_run.warm_up(self.capture, self.program)
        freeze()
        while True:
            fields = self.channel.receive()
            if fields is None:
                return
            os.chdir(self.directory)
            self.set = int(fields[1])
            self.channel.send("done", self.job(wire.decode(fields[2])))

    def job(self, payload):
        """One job; the status of its last process."""
        tests = payload["tests"]
        if not tests:
            return 0
        if payload.get("fresh"):
            return self.fork(lambda lines: self.run_fresh(payload["file"], tests, lines), len(tests))
        found, trouble = self.load(payload["file"])
        self.keep()
        group = self.find(found, trouble, tests, self.lines())
        status = 0
        for part in [group] if payload.get("batch") and group else [[pair] for pair in group]:
            status = self.fork(lambda lines: self.run(part, lines), len(part))
            if len(part) == 1 and not self.forks.is_over():
                # It may have taken its first line along: then nobody would know whose death this was.
                self.tell({"test": part[0][0], "start": True})
            if status:
                # Only the last process's end is told.
                break
        return status

    def fork(self, child, tests):
        """A process for so many tests."""
        self.keep()
        self.capture.choose(tests)
        return self.forks.fork(child, self.lines())

    def find(self, found, trouble, tests, lines):
        """Positions and tests; lines for those that cannot be found."""
        group = []
        for place, test in enumerate(tests):
            entry = None if trouble is not None else unittest_walk.find(found, test["id"], test["n"])
            if trouble is not None:
                lines.add({"test": place, "broken": trouble})
            elif entry is None:
                lines.add({"test": place, "missing": GONE})
            else:
                group.append((place, entry))
        lines.flush()
        return group

    def load(self, origin):
        """The tests of an origin by id, loaded when first asked for; and what was wrong with it, or None."""
        if origin not in self.origins:
            self.imported = True
            self.origins[origin] = self.load_now(origin)
            self.imports = imports.repeat(self.imports)
            freeze()
        return self.origins[origin]

    def load_now(self, origin):
        """Loads an origin."""
        kept = module_cleanups()
        del kept[:]
        try:
            tree = self.loader.load(origin)
            found = unittest_walk.index(tree, self.loader.origins)
        except BaseException as error:
            return {}, "%s: %s" % (type(error).__name__, error)
        finally:
            # What a module wants to be undone at its end is not the business of other modules' tests.
            self.cleanups[origin] = list(kept)
            del kept[:]
        self.random.look()
        return found, None

    # -- in a test's process

    def run_fresh(self, origin, tests, lines):
        """Tests of an origin that is loaded in their own process."""
        lines.add({"test": 0, "start": True})
        lines.flush()
        found, trouble = self.load_now(origin)
        group = self.find(found, trouble, tests, lines)
        if group:
            self.run(group, lines)

    def run(self, group, lines):
        """Tests with their positions."""
        if self.program.warnings:
            warnings.simplefilter(self.program.warnings)
        module_cleanups()[:] = self.cleanups.get(group[0][1].origin, [])
        self.sender = unittest_run.Result(group, lines, self.capture, self.program)
        self.forks.ending = unittest_run.run(self.sender)

    # -- talk

    def keep(self):
        """What imports have written is to stay."""
        if not self.imported:
            return
        self.imported = False
        self.threads = len(hazards.threads()) > 1
        self.directory = hazards.directory(self.directory)
        self.channel.send("keep")
        self.expect("kept")
        os.chdir(self.directory)

    def expect(self, word):
        """Waits for an answer."""
        fields = self.channel.receive()
        if fields is not None and fields[0] == "spoiled":
            # The slot cannot be made clean while this process lives.
            os._exit(0)
        if fields is None or fields[0] != word:
            # Seatrial is gone, or speaks another language: nothing here may be reported as run.
            os._exit(70)

    def tell(self, line):
        """Writes a line of the warmer's own."""
        lines = self.lines()
        lines.add(line)
        lines.flush()

    def lines(self):
        """Lines for the report pipe of the job's set."""
        return reports.Lines(4 + 3 * self.set + 2)


def module_cleanups():
    """unittest's list of what is to be undone after a module, where it has one."""
    from unittest import case

    return getattr(case, "_module_cleanups", [])


def freeze():
    """What stands now is for all forks: the collector need not look at it, nor copy its pages."""
    gc.collect()
    hazards.settle()
