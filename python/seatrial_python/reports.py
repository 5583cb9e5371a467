"""Reports and warnings as lines, and back: written by a test's process, replayed in the lister's session."""

import builtins
import importlib
import mmap
import os
import struct
import sys
import warnings

from seatrial_python import wire

# What of a report's duration was spent on set-ups that others share.
SET_UP = "seatrial_set_up"
# What pytest-bdd, from version 8 on, keeps of a report beside it.
SCENARIO = "seatrial_scenario"


def serialise(config, report):
    """The report as plain data, by pytest's own hook, so that plug-ins' reports go the same way."""
    data = config.hook.pytest_report_to_serializable(config=config, report=report)
    context = scenario(report) if bdd() is not None else None
    if context is not None:
        data[SCENARIO] = [context.scenario, context.name]
    return data


def revive(config, data):
    """The report again. JSON knows no tuples: where pytest means tuples, they are made again."""
    data.pop(SET_UP, None)
    context = data.pop(SCENARIO, None)
    report = config.hook.pytest_report_from_serializable(config=config, data=data)
    if report is None:
        return None
    if context is not None and bdd() is not None:
        bdd().test_report_context_registry[report] = bdd().ReportContext(*context)
    if isinstance(report.longrepr, list):
        report.longrepr = tuple(report.longrepr)
    if isinstance(getattr(report, "location", None), list):
        report.location = tuple(report.location)
    if isinstance(getattr(report, "user_properties", None), list):
        report.user_properties = [tuple(pair) for pair in report.user_properties]
    if isinstance(getattr(report, "sections", None), list):
        report.sections = [tuple(pair) for pair in report.sections]
    return report


def bdd():
    """pytest-bdd's reports, if it is at work here."""
    return sys.modules.get("pytest_bdd.reporting")


def scenario(report):
    """What it keeps of a report."""
    try:
        return getattr(bdd(), "test_report_context_registry", {}).get(report)
    except TypeError:
        # A subtest's report is no key.
        return None


def count_subtest(config, report):
    """Pytest 9 fails a test that passed with failed subtests; it counts them where they run, which is not here."""
    if type(report).__name__ != "SubtestReport" or not report.failed:
        return
    try:
        from _pytest.subtests import failed_subtests_key
    except ImportError:
        return
    config.stash[failed_subtests_key][getattr(report, "id", report.nodeid)] += 1


def warning_data(message, when, nodeid):
    """A recorded warning: text, module, class, file, line, when, node id."""
    kind = message.category
    return [str(message.message), kind.__module__, kind.__name__, message.filename, message.lineno, when, nodeid]


def warning_class(module, name):
    """The warning's class if it can be found here, else `UserWarning`."""
    try:
        kind = getattr(builtins, name, None) or getattr(importlib.import_module(module), name)
        if isinstance(kind, type) and issubclass(kind, Warning):
            return kind
    except Exception:
        # A class of a test module that this session has under another name is still a warning.
        pass
    return type(name, (UserWarning,), {"__module__": module})


def replay_warning(config, data):
    """Records the warning in this session."""
    text, module, name, filename, line, when, nodeid = data
    kind = warning_class(module, name)
    try:
        message = kind(text)
    except Exception:
        message = UserWarning(text)
    record = warnings.WarningMessage(message=message, category=kind, filename=filename, lineno=line)
    config.hook.pytest_warning_recorded.call_historic(
        kwargs=dict(warning_message=record, when=when, nodeid=nodeid, location=None)
    )


class Lines(object):
    """Collects a test's lines and writes them to its report pipe.

    Lines wait in memory until `flush`, because a packet of lines costs the engine one wake-up. Where a later death must
    not take them along (the start in a batch, and everything that failed) they are laid on the shelf, if there is
    one: memory that the warmer shares.
    """

    def __init__(self, descriptor, shelf=None):
        self.descriptor = descriptor
        self.shelf = shelf
        self.waiting = []

    def add(self, line):
        """Keeps one line."""
        self.waiting.append(wire.encode(line))

    def keep(self):
        """Makes sure of what is kept, whatever becomes of this process."""
        if self.shelf is None:
            self.flush()
        elif self.waiting:
            self.waiting.append(b"")
            raw = b"\n".join(self.waiting)
            self.waiting = []
            if not self.shelf.lay(raw):
                wire.write_all(self.descriptor, self.shelf.take() + raw)

    def discard(self):
        """Forgets what is kept."""
        self.waiting = []
        if self.shelf is not None:
            self.shelf.take()

    def flush(self):
        """Writes what is kept."""
        raw = self.shelf.take() if self.shelf is not None else b""
        if self.waiting:
            self.waiting.append(b"")
            raw += b"\n".join(self.waiting)
            self.waiting = []
        if raw:
            wire.write_all(self.descriptor, raw)


class Shelf(object):
    """Memory that a process shares with those that it forks, and with the slot's first process: what lies there outlives
    them. The first four bytes say how much it is."""

    SIZE = 128 * 1024
    LENGTH = struct.Struct("<I")

    def __init__(self, descriptor):
        self.memory = mmap.mmap(descriptor, self.SIZE)
        self.take()

    def lay(self, raw):
        """Adds bytes; False if there is no room."""
        end = self.LENGTH.unpack_from(self.memory)[0]
        start = self.LENGTH.size + end
        if start + len(raw) > self.SIZE:
            return False
        self.memory[start:start + len(raw)] = raw
        self.LENGTH.pack_into(self.memory, 0, end + len(raw))
        return True

    def take(self):
        """What lies there; then it is empty."""
        end = self.LENGTH.unpack_from(self.memory)[0]
        self.LENGTH.pack_into(self.memory, 0, 0)
        return self.memory[self.LENGTH.size:self.LENGTH.size + end]


# Before tests put something else in its place.
own_number = os.getpid


class Sender(object):
    """The plug-in that turns a session's reports and warnings into lines of the test that runs."""

    def __init__(self, config):
        self.config = config
        self.lines = None
        self.position = 0
        self.failed = False
        self.process = None
        # Seconds that the warmer has spent on the set-up of the next test.
        self.took = 0.0

    def begin(self, lines, position):
        """From now on, reports belong to this position of the job."""
        self.lines = lines
        self.position = position
        self.failed = False
        self.process = own_number()

    def pytest_runtest_logreport(self, report):
        """A report of any kind: set-up, call, teardown, subtest, rerun. A child of the test that has come back from it
        has nothing to say about it."""
        if self.lines is None or own_number() != self.process:
            return
        data = serialise(self.config, report)
        if self.took and getattr(report, "when", None) == "setup":
            data["duration"] = data.get("duration", 0.0) + self.took
            # To be told from the test's own.
            data[SET_UP] = self.took
            self.took = 0.0
        self.lines.add({"test": self.position, "report": data})
        if report.outcome == "failed":
            self.failed = True
            self.lines.keep()

    def pytest_warning_recorded(self, warning_message, when, nodeid):
        """A warning that pytest caught."""
        if self.lines is not None:
            data = warning_data(warning_message, when, nodeid)
            self.lines.add({"test": self.position, "warning": data})
