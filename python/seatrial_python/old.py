"""Both roles for a Python that is too old for the rest of the helper (2.7, 3.4, 3.5; pytest from 4.6 on).

Nothing is forked from a warm interpreter here: each test file is one job, run by a pytest of its own, which begins in a fresh
fork of a process that has imported nothing. It speaks as the others do: messages, packets and report lines are
those of the contract. This file stands alone, and keeps to what Python 2.7 knows.
"""

from __future__ import print_function

import json
import os
import platform
import signal
import sys
import traceback

PACKET = 96 * 1024 - 1
BATCH = 500
# Behind the descriptors of a warmer.
LAST = 11
NOTICE = "is too old for forks of a warm interpreter: each test file runs in a process of its own"
NO_FIXTURES = "has no [[fixtures]] of seatrial.toml: tests that use them fail"


class Silence(object):
    """A file that forgets what pytest's reporter writes: Seatrial draws the run itself."""

    encoding = "utf-8"

    def write(self, text):
        """As a file's."""

    def flush(self):
        """As a file's."""

    def isatty(self):
        """As a file's."""
        return False


class Quiet(object):
    """What both sessions have in common: no reporter, no workers of pytest-xdist's."""

    def pytest_plugin_registered(self, plugin):
        """The reporter is caught when it appears."""
        if type(plugin).__name__ == "TerminalReporter":
            plugin._tw._file = Silence()

    def pytest_cmdline_main(self, config):
        """Before plug-ins are configured."""
        for name, nothing in (("numprocesses", None), ("dist", "no"), ("tx", []), ("looponfail", False)):
            if hasattr(config.option, name):
                setattr(config.option, name, nothing)


class Lister(Quiet):
    """pytest's real session: collects once and hears every report."""

    def __init__(self, channel, fixtures):
        self.channel = channel
        self.fixtures = fixtures
        self.greeted = False
        self.listed = False
        self.stopped = False
        self.deselected = 0
        self.items = {}

    def send(self, message):
        """One message, in packets."""
        raw = json.dumps(message).encode("utf-8")
        parts = [raw[at:at + PACKET] for at in range(0, len(raw), PACKET)]
        for number, part in enumerate(parts):
            self.channel.sendall((b"." if number == len(parts) - 1 else b"+") + part)

    def receive(self):
        """The next message, or None when Seatrial has gone."""
        raw = b""
        while True:
            packet = self.channel.recv(PACKET + 2)
            if not packet:
                return None
            raw += packet[1:]
            if packet[:1] == b".":
                return json.loads(raw.decode("utf-8"))

    def greet(self, version, config):
        """`hello`."""
        self.greeted = True
        self.send({"hello": {
            "python": platform.python_version(), "pytest": version,
            "rootdir": text(config.rootdir) if config is not None else None,
            "inifile": text(config.inifile) if config is not None and config.inifile else None,
            "maxfail": (config.getvalue("maxfail") or 0) if config is not None else 0, "plugins": [], "nodes": []}})

    def tell_listed(self, count, exit):
        """`listed`."""
        self.listed = True
        self.send({"listed": {"tests": count, "deselected": self.deselected, "exit": exit}})

    def pytest_sessionstart(self, session):
        """The first message."""
        import pytest

        self.greet(pytest.__version__, session.config)
        for words in [NOTICE] + ([NO_FIXTURES] if self.fixtures else []):
            self.send({"notice": {"file": "Python " + platform.python_version(), "text": words}})

    def pytest_collectreport(self, report):
        """What cannot be collected, and what skips all that it holds."""
        if report.failed:
            self.send({"problem": {"id": text(report.nodeid), "text": text(report.longrepr)}})
        elif report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
            self.send({"skipped": {"id": text(report.nodeid), "reason": text(reason)}})

    def pytest_internalerror(self, excrepr):
        """An error in pytest itself."""
        self.send({"problem": {"id": "", "text": "INTERNALERROR\n" + text(excrepr)}})

    def pytest_deselected(self, items):
        """Counts."""
        self.deselected += len(items)

    def pytest_runtestloop(self, session):
        """Lists, then replays."""
        option = session.config.option
        if session.testsfailed and not option.continue_on_collection_errors:
            self.tell_listed(len(session.items), 2)
            raise session.Interrupted("%d errors during collection" % session.testsfailed)
        keys = keys_of(session.items)
        self.items = dict(zip(keys, session.items))
        records = [{"id": id, "n": number, "file": file, "line": None, "wide": False, "job": "file"}
                   for (file, id, number) in keys]
        for start in range(0, len(records), BATCH):
            self.send({"tests": records[start:start + BATCH]})
        self.tell_listed(len(records), None if records else 5)
        if records:
            # Seatrial hears Ctrl-C as well. It ends the tests in order and then tells this session.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            reason = self.listen(session)
            if reason is not None:
                raise session.Interrupted(reason)
        return True

    def listen(self, session):
        """Replays what comes until `end`; the reason why the run ended early, or None."""
        by_id = {(id, number): item for (_, id, number), item in self.items.items()}
        while True:
            message = self.receive()
            if message is None:
                return "Seatrial is gone"
            if "end" in message:
                return message["end"].get("reason") or session.shouldfail or session.shouldstop or None
            for test in message.get("reports") or ():
                self.replay(session, by_id.get((test["id"], test["n"])), test["lines"])
            if "lost" in message:
                self.replay_lost(by_id.get((message["lost"]["id"], message["lost"]["n"])), message["lost"])
            reason = session.shouldfail or session.shouldstop
            if reason and not self.stopped:
                self.stopped = True
                self.send({"stop": text(reason)})
            if "sync" in message:
                self.send({"synced": message["sync"]})

    def replay(self, session, item, lines):
        """One test's lines, as hooks of this session."""
        for line in lines:
            line = json.loads(line) if not isinstance(line, dict) else line
            if item is None or "report" not in line:
                continue
            config = session.config
            data = line["report"]
            data["_report_type"] = data["$report_type"]
            report = config.hook.pytest_report_from_serializable(config=config, data=data)
            report.location = tuple(report.location)
            for name in ("sections", "user_properties"):
                setattr(report, name, [tuple(pair) for pair in getattr(report, name, ())])
            if isinstance(report.longrepr, list):
                report.longrepr = tuple(report.longrepr)
            item.ihook.pytest_runtest_logreport(report=report)

    def replay_lost(self, item, lost):
        """A failed call for a test that gave no complete report, and a teardown, which junit waits for."""
        from _pytest.reports import TestReport

        for when, outcome, words in (("call", "failed", lost["text"]), ("teardown", "passed", None)):
            if item is not None:
                report = TestReport(item.nodeid, item.location, {}, outcome, words, when)
                item.ihook.pytest_runtest_logreport(report=report)


class Runner(Quiet):
    """The plug-in of a job's session: this file's tests, as they were listed, and a line for each report."""

    def __init__(self, job, descriptor):
        self.job = job
        self.descriptor = descriptor
        self.place = None
        self.places = {}
        self.done = False

    def tell(self, line):
        """One line of the report."""
        raw = json.dumps(line).encode("utf-8") + b"\n"
        while raw:
            raw = raw[os.write(self.descriptor, raw):]

    def pytest_ignore_collect(self, path):
        """Other files are none of this job's business; a package's own is the package."""
        if path.check(file=1) and text(path) != self.job["file"] and path.basename != "__init__.py":
            return True
        return None

    def pytest_collection_modifyitems(self, session, config, items):
        """Leaves the job's tests, in the job's order."""
        config.option.maxfail = 0
        found = dict(zip(keys_of(items), items))
        items[:] = []
        for place, test in enumerate(self.job["tests"]):
            item = found.get((self.job["file"], test["id"], test["n"]))
            if item is None:
                self.tell({"test": place, "missing": "it was not there when its file was collected again"})
            else:
                self.places[item] = place
                items.append(item)

    def pytest_collectreport(self, report):
        """A file that cannot be collected a second time."""
        if report.failed:
            for place in range(len(self.job["tests"])):
                self.tell({"test": place, "broken": text(report.longrepr)})

    def pytest_runtest_protocol(self, item):
        """A test begins."""
        self.place = self.places.get(item)
        self.tell({"test": self.place, "start": True})

    def pytest_runtest_logreport(self, report):
        """A report of the running test."""
        config = self.config
        data = config.hook.pytest_report_to_serializable(config=config, report=report)
        # Before pytest 5 the key had another name.
        data["$report_type"] = data.pop("_report_type", None) or data["$report_type"]
        self.tell({"test": self.place, "report": plain(data)})

    def pytest_runtest_logfinish(self):
        """Its protocol is over."""
        self.tell({"test": self.place, "end": True})

    def pytest_configure(self, config):
        """For those who need it."""
        self.config = config

    def pytest_sessionfinish(self):
        """The session has come to its end: nothing has left it in the middle."""
        self.done = True


def text(value):
    """Unicode, whatever it was."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    try:
        return value if isinstance(value, type(u"")) else type(u"")(value)
    except UnicodeDecodeError:
        return str(value).decode("utf-8", "replace")


def plain(value):
    """Data that JSON holds: bytes are text, and what it does not know stands as its `repr`."""
    if isinstance(value, dict):
        return {text(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return text(value) if isinstance(value, (bytes, type(u""))) else {"$repr": text(repr(value))}


def keys_of(items):
    """File, id and number of each item: how many of its file with the same id come before it."""
    seen, keys = {}, []
    for item in items:
        file, id = text(item.fspath), text(item.nodeid)
        number = seen.get((file, id), 0)
        seen[(file, id)] = number + 1
        keys.append((file, id, number))
    return keys


def first(plugin, *names):
    """Lets these hooks run before those of others; a hook that decides for pytest must be the first."""
    import pytest

    for name in names:
        hook = getattr(type(plugin), name)
        pytest.hookimpl(tryfirst=True)(getattr(hook, "__func__", hook))
    return plugin


def list_tests(packet, channel):
    """The lister's life."""
    lister = Lister(channel, packet.get("fixtures"))
    try:
        import pytest
    except ImportError as error:
        lister.greet(None, None)
        lister.send({"problem": {"id": "", "text": text(error)}})
        lister.tell_listed(0, 4)
        lister.send({"finished": {"exit": 4, "summary": ""}})
        return 0
    try:
        exit = int(pytest.main(arguments(packet), plugins=[first(lister, "pytest_cmdline_main", "pytest_runtestloop")]))
    except BaseException:
        traceback.print_exc()
        exit = 3
    sys.stdout.flush()
    if not lister.greeted:
        lister.greet(pytest.__version__, None)
    if not lister.listed:
        lister.tell_listed(0, exit)
    lister.send({"finished": {"exit": exit, "summary": ""}})
    return 0


def arguments(packet):
    """pytest's, as this Python has them on its command line."""
    args = packet["args"]
    return [arg.encode("utf-8") for arg in args] if bytes is str else args


def serve(packet, channel, run):
    """The warmer's life: a fork for each file, which `run` runs."""
    directory = os.getcwd()
    while True:
        # What a test wrote is taken away below this process: it goes to the directory that is there now.
        os.chdir(directory)
        raw = channel.recv(1 << 20)
        if not raw:
            return 0
        os.chdir(directory)
        if not raw.startswith(b"job\0"):
            # What the lister has found out is for those who are warm.
            continue
        number, payload = raw.split(b"\0", 2)[1:]
        job = json.loads(payload.decode("utf-8"))
        status = run_job(packet, channel, job, 4 + 3 * int(number), run) if job["tests"] else 0
        channel.sendall(("done\0%d" % status).encode())


def run_job(packet, channel, job, out, run):
    """One file in a process of its own; its status."""
    pid = os.fork()
    if pid == 0:
        status = 70
        try:
            os.dup2(out, 1)
            os.dup2(out + 1, 2)
            # Away from the numbers that closing takes.
            report = os.dup(out + 2)
            while report < LAST:
                report = os.dup(report)
            channel.close()
            os.closerange(3, LAST)
            close_on_exec(report)
            status = run(packet, job, report)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    channel.sendall(("forked\0%d" % pid).encode())
    _, status, usage = os.wait4(pid, 0)
    facts = (pid, status, int(usage.ru_utime * 1e6), int(usage.ru_stime * 1e6), usage.ru_maxrss)
    channel.sendall(("ended\0%d\0%d\0%d\0%d\0%d" % facts).encode())
    answer = channel.recv(1 << 20)
    if answer.startswith(b"spoiled"):
        # The slot cannot be made clean while this process lives.
        os._exit(0)
    if not answer.startswith(b"clean"):
        # Seatrial is gone, or speaks another language: nothing here may be reported as run.
        os._exit(70)
    return status


def close_on_exec(descriptor):
    """Programs that tests start do not get it."""
    import fcntl

    fcntl.fcntl(descriptor, fcntl.F_SETFD, fcntl.fcntl(descriptor, fcntl.F_GETFD) | fcntl.FD_CLOEXEC)


def run_file(packet, job, report):
    """pytest's session for one file; 0 when it has come to its end."""
    import pytest

    runner = first(Runner(job, report), "pytest_cmdline_main", "pytest_runtest_protocol")
    last = pytest.hookimpl(trylast=True)
    last(getattr(Runner.pytest_collection_modifyitems, "__func__", Runner.pytest_collection_modifyitems))
    pytest.main(arguments(packet), plugins=[runner])
    sys.stdout.flush()
    sys.stderr.flush()
    return 0 if runner.done else 70


def main(packet, channel):
    """The role of the packet."""
    if sys.path and sys.path[0] == "":
        sys.path.pop(0)
    if packet["rule"] == "python -m pytest":
        sys.path.insert(0, os.getcwd())
    for descriptor in (3, channel.fileno()):
        close_on_exec(descriptor)
    sys.argv[:] = [os.path.join(os.path.dirname(sys.executable), "pytest")] + arguments(packet)
    return list_tests(packet, channel) if packet["role"] == "lister" else serve(packet, channel, run_file)


if "packet" in globals():
    sys.exit(main(globals().pop("packet"), globals().pop("channel")))
