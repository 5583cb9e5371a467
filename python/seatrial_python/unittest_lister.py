"""The lister of `seatrial unittest`: loads all tests as `python -m unittest` does, and hears what became of them.

Order of life: `hello`, then loading; `problem` and `skipped` for what stands in the place of a test, `tests`, `listed`;
then reports until `end`, then `finished` with what unittest would print beside the results (`--durations`).
"""

import signal
import sys
import traceback

from seatrial_python import hazards, imports, unittest_walk, wire
from seatrial_python.unittest_warmer import module_cleanups

BATCH = 500


def main(packet, channel):
    """Runs the session; returns the exit status of the process, which is 0 when all was told."""
    messages = wire.Messages(channel)
    version = "%d.%d.%d" % sys.version_info[:3]
    facts = {"python": version, "pytest": None, "rootdir": None, "inifile": None, "maxfail": 0}
    messages.send({"hello": facts})
    hazards.quiet_libraries()
    lister = Lister(messages)
    exit = lister.load(packet["args"])
    if exit is None:
        # Seatrial hears Ctrl-C as well. It ends the tests in order and then tells this session.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        lister.listen()
        exit = 1 if lister.failed else 0
    sys.stdout.flush()
    sys.stderr.flush()
    messages.send({"finished": {"exit": exit, "summary": wire.clean(lister.durations())}})
    return 0


class Lister(object):
    """The session."""

    def __init__(self, messages):
        self.messages = messages
        self.program = None
        self.threads = hazards.threads()
        self.cleanups = len(module_cleanups())
        self.unsafe = set()
        self.with_cleanups = set()
        self.problems = 0
        self.skipped = 0
        self.failed = False
        self.stop_told = False
        self.took = []

    # -- before the tests

    def load(self, args):
        """Loads and tells all tests; the exit status when nothing is to be run, else None."""
        before = imports.Imports()
        loader = unittest_walk.Loader(self.on_loaded)
        try:
            self.program = unittest_walk.Program(args, loader)
        except SystemExit as error:
            # argparse has said what is wrong with the arguments.
            return self.tell_listed(0, 4 if error.code == 2 else 3)
        except BaseException:
            # As plain unittest ends: shown as Python shows it.
            traceback.print_exc()
            return self.tell_listed(0, 3)
        records = self.describe(unittest_walk.walk(self.program.test, loader.origins))
        for start in range(0, len(records), BATCH):
            self.messages.send({"tests": records[start:start + BATCH]})
        for origin in sorted(self.unsafe):
            text = "starts threads when it is imported: its tests share one process"
            self.messages.send({"notice": {"file": unittest_walk.module_of(origin), "text": text}})
        files = {getattr(sys.modules.get(unittest_walk.module_of(origin)), "__file__", None)
                 for origin in loader.origins.values()}
        exit = None
        if not records and self.problems:
            exit = 3
        elif not records and not self.skipped:
            exit = 5
        return self.tell_listed(len(records), exit, [wire.clean(name) for name in before.names(files)])

    def on_loaded(self, origin):
        """Looks at what an origin's imports have left in this process."""
        threads, cleanups = hazards.threads(), len(module_cleanups())
        if threads - self.threads:
            self.unsafe.add(origin)
        if cleanups > self.cleanups:
            self.with_cleanups.add(origin)
        self.threads, self.cleanups = threads, cleanups

    def describe(self, tests):
        """Records of all tests that are to be run; tells of what else stands among them."""
        records, numbers, homes = [], {}, {}
        for found in tests:
            if unittest_walk.is_failed(found.test):
                self.tell_problem(found)
            elif unittest_walk.is_skipped_module(found.test):
                self.tell_skipped(found)
            else:
                records.append(self.record(found, numbers, homes))
        return records

    def record(self, found, numbers, homes):
        """One test."""
        origins = homes.setdefault(found.id, [])
        if found.origin not in origins:
            origins.append(found.origin)
        earlier = origins.index(found.origin)
        id = found.id
        if earlier:
            id += unittest_walk.AGAIN + (" %d)" % earlier if earlier > 1 else ")")
        number = numbers.get((id, found.origin), 0)
        numbers[(id, found.origin)] = number + 1
        record = {"id": id, "n": number, "file": wire.clean(found.origin), "line": None, "wide": False, "job": "test"}
        unit = unittest_walk.unit_of(found, self.with_cleanups)
        if found.origin in self.unsafe:
            record["job"] = "file"
        elif unit is not None:
            record["unit"] = unit
        return record

    def tell_problem(self, found):
        """Something that could not be loaded: for plain unittest a test with an error."""
        error = getattr(found.test, "_exception", None)
        text = str(error)
        if not isinstance(error, ImportError):
            text = "".join(traceback.format_exception(type(error), error, getattr(error, "__traceback__", None)))
        kind, _, name = (found.origin or "").partition(":")
        name = name if kind == "name" else found.test._testMethodName
        self.messages.send({"problem": {"id": wire.clean(name), "text": text}})
        self.problems += 1
        self.bad("could not load " + name)

    def tell_skipped(self, found):
        """A module that skips itself when it is imported."""
        kind = type(found.test)
        method = getattr(found.test, found.test._testMethodName, None)
        reason = getattr(kind, "__unittest_skip_why__", "") or getattr(method, "__unittest_skip_why__", "")
        self.messages.send({"skipped": {"id": wire.clean(found.test._testMethodName), "reason": str(reason)}})
        self.skipped += 1

    def tell_listed(self, count, exit, names=()):
        """Loading is over; `exit` again."""
        self.messages.send({"listed": {"tests": count, "deselected": 0, "exit": exit, "imports": list(names)}})
        return exit

    # -- after the tests

    def listen(self):
        """Hears what became of the tests, until `end`."""
        while True:
            message = self.messages.receive()
            if message is None or "end" in message:
                return
            for test in message.get("reports", ()):
                self.hear(test)
            if "lost" in message:
                self.took.append((message["lost"].get("duration") or 0.0, message["lost"]["id"]))
                self.bad(message["lost"]["id"])
            if "sync" in message:
                self.messages.send({"synced": message["sync"]})

    def hear(self, test):
        """The lines of a test that has ended."""
        seconds = 0.0
        for line in test["lines"]:
            report = (wire.decode(line) if isinstance(line, str) else line).get("report")
            if report is None:
                continue
            seconds += report.get("duration") or 0.0
            if report.get("outcome") == "failed":
                self.bad(test["id"])
        self.took.append((seconds, test["id"]))

    def bad(self, what):
        """A failure or error; with `-f` the session wants no more."""
        self.failed = True
        if self.program is not None and self.program.failfast and not self.stop_told:
            self.stop_told = True
            self.messages.send({"stop": "stopped by -f: %s" % what})

    def durations(self):
        """The slowest tests, as `--durations` asks for."""
        wanted = getattr(self.program, "durations", None)
        if wanted is None or not self.took:
            return ""
        slowest = sorted(self.took, reverse=True)[:wanted or None]
        shown = [pair for pair in slowest if pair[0] >= 0.001 or self.program.verbosity > 1]
        lines = ["Slowest test durations", "-" * 70]
        lines += ["%-10s %s" % ("%.3fs" % seconds, id.replace("::", ".", 1)) for seconds, id in shown]
        if len(shown) < len(slowest):
            lines += ["", "(durations < 0.001s were hidden; use -v to show these durations)"]
        return "\n".join(lines) + "\n"
