"""The warmer: an interpreter that has imported pytest, conftest files and test modules, and forks for each test.

Order of life: the session starts, plug-ins warm up, then jobs come until the channel is closed; then what is
still set up is torn down. Its own reporters, caches and totals are silent: the lister's session has those.
"""

import gc
import os
import sys
import time

from seatrial_python import capture, checks, classes, cold, collecting, contract, coverage_share, facts, forks, hazards
from seatrial_python import imports, listing, randomness, reports, resident, run_fixtures, spare, terminal, warm_up, wide
from seatrial_python import wire

LATE = "late"
# Seconds of processor and of wall time after which a job ends that another slot may share: that one may have nothing
# to do.
WORK = 0.3
WAIT = 2.0
# Before tests put something else in its place.
change_directory = os.chdir
SILENT = ("LFPlugin", "NFPlugin", "LogXML", "StepwisePlugin", "PastebinPlugin")


def main(packet, channel):
    """Serves jobs; returns the exit status of the process."""
    import pytest

    hazards.quiet_libraries()
    plugin = Warmer(channel, packet)
    plugin.beginning = (packet, dict(os.environ))
    shared = run_fixtures.plugin(packet.get("fixtures") or [], plugin.fixtures)
    status = pytest.main(list(packet["args"]), plugins=[plugin, plugin.collecting, shared])
    # A session that has never come to its jobs must not look like one that has served them.
    return 0 if plugin.served else int(status) or 3


def own_settings(packet):
    """The packet is the same for all slots: what is this slot's own is found by its number."""
    settings = dict(packet["settings"])
    settings.setdefault("slot", int(os.environ.pop("SEATRIAL_SLOT", None) or 0))
    return settings


class Warmer(object):
    """The plug-in of the warmer's session."""

    # Its first packet, and the environment that it was started with.
    beginning = None

    def __init__(self, channel, packet, heard=None):
        import pytest

        self.socket = channel
        self.channel = wire.Fields(channel)
        self.settings = own_settings(packet)
        self.findings = packet if "nodes" in packet else None
        # Values of run-wide fixtures, when they are known.
        self.fixtures = {}
        # From here on, so that conftest files are heard.
        self.facts = heard or facts.recorder(self.settings)
        self.served = False
        # Nobody listens to the channel any more.
        self.leaving = False
        self.collecting = collecting.plugin()
        self.directory = os.getcwd()
        self.modules = {}
        self.wide = None
        self.threads = False
        # How many modules there were when it was made ready for the reports of failures.
        self.told_failures = 0
        # Before conftest files, which may seed.
        self.random = randomness.State()
        self.shelf = self.take_shelf()
        # Those of the test that was prepared last, and what was first in `sys.path` then.
        self.packages = None
        self.set = 0
        for function in (Warmer.pytest_cmdline_main, Warmer.pytest_sessionstart, Warmer.pytest_runtestloop,
                         Warmer.pytest_runtest_setup):
            pytest.hookimpl(tryfirst=True)(function)
        pytest.hookimpl(hookwrapper=True)(Warmer.pytest_fixture_setup)

    def take_shelf(self):
        """The memory for report lines."""
        return reports.Shelf(wire.LAST)

    # -- the session

    def pytest_plugin_registered(self, plugin):
        """The reporter is silent from its first line."""
        if terminal.is_reporter(plugin):
            terminal.redirect(plugin, terminal.Sink())

    def pytest_addoption(self, parser):
        """Options that stand in a configuration file."""
        contract.accept_options(parser)

    def pytest_cmdline_main(self, config):
        """Before plug-ins are configured. What comes before this does not wait for the lister."""
        contract.start_no_workers(config)
        self.take_findings(config)

    def take_findings(self, config):
        """What the lister has found out for all."""
        if self.findings is None:
            self.findings = wire.decode(self.socket.recv(1 << 20).decode() or "null")
        if self.findings is None:
            # There is nothing to run.
            os._exit(0)
        if self.findings.get("cold") and self.beginning is not None:
            packet, environment = self.beginning
            cold.become(dict(dict(packet, **self.findings), settings=self.settings), environment)
        nodes = self.findings.get("nodes") or []
        self.imports = self.findings.get("imports") or []
        self.fixtures.update(self.findings.get("fixture_values") or {})
        os.environ.update(self.findings.get("environment") or {})
        if self.settings["slot"] < len(nodes):
            self.settings.setdefault("workerinput", nodes[self.settings["slot"]])
        contract.become_worker(config, self.settings)

    def pytest_sessionstart(self, session):
        """Before plug-ins start."""
        contract.keep_coverage(session.config)

    def pytest_fixture_setup(self, fixturedef, request):
        """Watched while it is the warmer that sets up."""
        for _ in self.wide.around_setup(fixturedef, request):
            yield

    def pytest_runtest_setup(self, item):
        """A set-up that has failed in the warmer fails its test."""
        if self.wide is not None:
            self.wide.raise_pending(item)

    def pytest_internalerror(self, excrepr):
        """The end of this interpreter: the reason goes where the running job's errors go."""
        wire.write_all(4 + 3 * self.set + 1, wire.clean("INTERNALERROR in a warm interpreter\n%s\n" % excrepr).encode("utf-8"))

    # -- jobs

    def pytest_runtestloop(self, session):
        """Serves jobs until the channel is closed."""
        contract.inherit_variables(self.findings.get("variables") or {}, self.findings.get("folders") or ())
        self.begin(session)
        self.serve()
        return True

    def begin(self, session):
        """All that comes before the first job."""
        self.session = session
        self.directory = hazards.directory(self.directory)
        config = session.config
        self.sender = reports.Sender(config)
        config.pluginmanager.register(self.sender, "seatrial-sender")
        # How many may fail is counted where all tests are heard.
        config.option.maxfail = 0
        self.silence(config)
        self.capture = capture.Capture(config)
        self.wide = wide.Wide(session, self.capture, self.tell_unsafe)
        self.wide.spare = self.spare
        self.share = coverage_share.share()
        factory = getattr(config, "_tmp_path_factory", None)
        if factory is not None:
            # One base directory, made before any fork.
            factory.getbasetemp()
        warm_up.run(session)
        self.checks = checks.Checks(str(getattr(config, "rootpath", None) or config.rootdir))
        self.forks = forks.Forks(self)
        self.resident = resident.Resident(self)
        self.classes = classes.Classes()
        self.wide.ran_user_code = True

    def spare(self):
        """A spare for this process; None while it has a resident, which would be nobody's child there."""
        return spare.Spare(self) if self.resident.pid is None else None

    def serve(self):
        """Jobs until the channel is closed, then the end."""
        self.settle()
        while True:
            fields = self.channel.receive()
            if fields is None:
                self.leaving = True
                break
            self.job(int(fields[1]), wire.decode(fields[2]))
        self.leave(None)
        self.tell_coverage(self.lines())
        self.served = True

    def settle(self):
        """What is there now is not looked through in each fork."""
        gc.collect()
        hazards.settle()

    def silence(self, config):
        """Takes out what the lister's session does."""
        manager = config.pluginmanager
        for plugin in list(manager.get_plugins()):
            name = manager.get_name(plugin)
            if type(plugin).__name__ in SILENT:
                manager.unregister(plugin)
            elif terminal.is_reporter(plugin):
                manager.unregister(plugin)
                # Reports of failed assertions still ask it for colours.
                manager._name2plugin[name] = plugin

    def job(self, number, payload):
        """One job from its packet to `done`."""
        change_directory(self.directory)
        self.set = number
        tests = payload["tests"]
        if payload.get("fresh"):
            # What is collected there may want its fixture too.
            self.resident.end()
            self.sender.took = 0.0
            self.classes.begin([])
            status = self.forks.run_file(payload)
        else:
            status = self.run_tests(self.found(payload, tests), payload)
        if payload.get("last"):
            self.leave(None if payload["last"] == "session" else self.session_only())
            self.directory = hazards.directory(self.directory)
        self.channel.send("done", status)

    def found(self, payload, tests):
        """Positions and items of the tests that can be run here; of the others it is told why not."""
        found, lines = [], []
        for place in range(len(tests)):
            item, wrong = self.find(whole(payload, place))
            if wrong is not None:
                lines.append(dict(wrong, test=place))
            else:
                found.append((place, item))
        self.tell(lines)
        return found

    def find(self, test):
        """An item, and what a line says of it when there is none."""
        module, trouble = self.module(test["file"])
        if trouble is not None:
            return None, {"broken": trouble}
        item = collecting.find(module, test, test.get("of"))
        return item, None if item is not None else {"missing": "it was not there when its file was collected again"}

    def run_tests(self, found, payload):
        """Forks for one test after the other, or for several; the status of the last process. A process that came to a
        bad end is the last of its job, for only the last one's status is told."""
        batch, checked = payload.get("batch"), payload.get("check")
        until = time.monotonic() + WAIT
        self.forks.used = 0.0
        status = 0
        if not found:
            self.keep()
        self.classes.begin([item for _, item in found] if checked else [])
        while found:
            group = found[:forks.TESTS if checked else None] if batch else found[:1]
            group = self.classes.group(group, self.resident.warm)
            status, ran, failed = self.run_group(group, payload)
            if failed:
                self.told_failures, imported = warm_up.for_failures(self.told_failures)
                self.wide.ran_user_code |= imported
            self.classes.ran(group[ran - 1][1] if ran else None)
            if self.forks.refused:
                self.refused(group[ran][1])
                if not ran:
                    continue
            long = self.forks.used > WORK or time.monotonic() > until
            if status != 0 or not ran or self.forks.stopped or (long and payload.get("share")) or (failed and payload.get("stop")):
                break
            found = found[ran:]
        return status

    def run_group(self, group, payload):
        """Runs tests of which the first decides where: status of their process, how many have run, whether one has failed."""
        checked = payload.get("check")
        place, item = group[0]
        if not checked and (self.resident.warm or any(self.resident.serves(item) for _, item in group)):
            # They are to be alone, or in other company; two of its fixture may be too many.
            self.resident.end()
        lines = self.prepare(group)
        self.keep()
        # That its fixtures are costly may have been found out just now.
        if checked and self.resident.serves(item):
            return self.resident.run(place, item, whole(payload, place), lines)
        if checked and self.checks.is_old:
            self.checks.picture(getattr(item, "module", None))
        if checked and not self.resident.holds() and self.facts is None and self.forks.starts.are_costly():
            return self.resident.run(place, item, whole(payload, place), lines, True)
        return self.forks.run(group, lines, checked)

    def refused(self, item):
        """A test's process has refused to set up what the item's class has."""
        self.classes.refuse(item)
        if self.forks.refused == forks.LEAVES:
            return
        for definition in listing.wide_fixtures(item):
            if definition.scope == "class" and definition not in self.wide.unsafe:
                self.wide.note_unsafe(definition, "a thread or a child process", self.forks.refused == forks.UNSAFE_AND_LONG)

    def module(self, file):
        """The items of a file by id, collected when first asked for; and what was wrong with it, or None."""
        if file not in self.modules:
            apart = self.findings.pop("apart", None)
            if apart is not None:
                self.modules.update(self.collect_together(apart))
                self.imports = imports.repeat(self.imports)
        if file not in self.modules:
            self.modules[file] = self.collect(file)
            # Only now is the file's own folder in the search path, if pytest puts it there.
            self.imports = imports.repeat(self.imports)
        return self.modules[file]

    def collect(self, file):
        """Collects one file in this process: items by id, or what was wrong."""
        self.wide.ran_user_code = True
        found = self.collecting.collect(self.session, file)
        hazards.settle()
        return found

    def collect_together(self, apart):
        """Collects all files but some; what came of each. A session's fixture may ask for all that is imported: a database
        has tables, a registry entries of all modules."""
        self.wide.ran_user_code = True
        # A time limit is not for all files together.
        found = self.collecting.collect_all(self.session, apart, lambda: self.channel.send("collects"))
        hazards.settle()
        return {file: (items, None) for file, items in found.items()}

    def prepare(self, group):
        """Tears down and sets up around the first test of a fork; the lines that came of it."""
        lines = self.lines()
        first = group[0][1]
        self.leave(first)
        self.import_packages(first)
        self.sender.begin(lines, group[0][0])
        if self.resident.holds() and self.resident.serves(first):
            # It sets up for itself.
            group = []
        for_class, ready = self.classes.inside(first) is None, False
        for _, item in group:
            if item.parent is first.parent and (item is first or not hasattr(item, "callspec")):
                ready = self.wide.prepare(item, for_class) or ready
            elif self.classes.of and not ready:
                # The first may be skipped.
                ready = self.wide.prepare(item, False)
            else:
                self.wide.renew(item)
        if self.wide.ran_user_code:
            self.random.look()
            self.tell_coverage(lines)
        self.sender.begin(None, 0)
        self.sender.took, self.wide.took = self.wide.took, 0.0
        return lines

    def import_packages(self, item):
        """What pytest does when it sets a package up: it may put the package's root into `sys.path`. In a fork that would be
        a change that its first test makes, each time."""
        packages = [node for node in item.listchain() if type(node).__name__ == "Package"]
        if (packages, sys.path[:1]) == self.packages:
            return
        from _pytest import python

        for package in packages:
            try:
                if hasattr(python, "importtestmodule"):
                    python.importtestmodule(package.path / "__init__.py", self.session.config)
                else:
                    # Before version 8 it is done when somebody looks at the package's module.
                    package.obj
            except BaseException:
                # It fails in the set-up of its tests too.
                continue
        self.packages = (packages, sys.path[:1])

    def leave(self, following):
        """Tears down; an error belongs to the last test, whose job may be over."""
        self.resident.leave(following)
        last = self.wide.last
        report = self.wide.leave(following)
        if report is not None:
            self.tell([self.late(last, report)])
        if following is None:
            self.wide.last = None

    def late(self, item, report):
        """The line of a teardown that failed after its test's own."""
        id, number = item._seatrial
        return {LATE: {"id": id, "n": number}, "report": reports.serialise(self.session.config, report)}

    def session_only(self):
        """Stands for a following test that shares nothing but the session."""
        session = self.session

        class Following(object):
            """Below the session."""

            def listchain(self):
                """As an item's."""
                return [session]

        return Following()

    # -- talk

    def keep(self):
        """What user code has written outside of tests is to stay."""
        if not self.wide.ran_user_code:
            return
        self.wide.ran_user_code = False
        self.checks.is_old = True
        self.threads = len(hazards.threads()) > 1
        self.directory = hazards.directory(self.directory)
        hazards.settle()
        self.channel.send("stay" if self.wide.stays() or self.resident.holds() else "keep")
        self.expect("kept")
        if self.resident.warm:
            # It has not seen what was set up since.
            self.resident.end()
        # What has been there until now may lie below another mount.
        change_directory(self.directory)

    def expect(self, word):
        """Waits for an answer."""
        fields = self.channel.receive()
        if fields is not None and fields[0] == "spoiled":
            self.end_early()
        if fields is None or fields[0] != word:
            # Seatrial is gone, or speaks another language: nothing here may be reported as run.
            os._exit(70)

    def end_early(self):
        """Tears down, and ends: the slot cannot be made clean while this process lives."""
        status = 70
        self.leaving = True
        try:
            self.leave(None)
            self.tell_coverage(self.lines())
            sys.stdout.flush()
            status = 0
        finally:
            os._exit(status)

    def lines(self):
        """Lines for the report pipe of the job's set."""
        return reports.Lines(4 + 3 * self.set + 2, self.shelf)

    def tell(self, lines):
        """Writes lines of the warmer's own."""
        out = self.lines()
        for line in lines:
            out.add(line)
        out.flush()

    def tell_unsafe(self, definition, left, stays):
        """Says that a fixture is set up in each test's process, and why; or that files stay because of it."""
        told = {"fixture": definition.argname, "left": left}
        if stays:
            told["stays"] = True
        self.tell([{"unsafe": told}])

    def tell_coverage(self, lines):
        """What ran in this process."""
        ran = self.share.take() if self.share is not None else None
        if ran is not None:
            lines.add({"coverage": ran})
            lines.flush()


def whole(payload, place):
    """A test of a job, with what the job says of all."""
    test = payload["tests"][place]
    return dict(test, file=test.get("file") or payload["file"], of=payload.get("of"))


class Guest(Warmer):
    """A warmer that was forked from the lister: plug-ins are configured, and files are collected."""

    # The lister's parser knows the options.
    pytest_addoption = None

    def __init__(self, channel, settings, before, items):
        super(Guest, self).__init__(channel, {"settings": settings}, before.facts)
        if self.facts is not None:
            self.facts.name_interpreter()
        self.random = before.random
        self.files = {}
        for item in items:
            self.files.setdefault(listing.file_of(item), []).append(item)

    def live(self):
        """Serves jobs; the end of the process."""
        status = 70
        try:
            self.serve()
            sys.stdout.flush()
            status = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
            sys.stderr.flush()
        finally:
            os._exit(status)

    def settle(self):
        """The lister has done it: a look at all of its memory would copy that."""

    def collect_together(self, apart):
        """They were."""
        return {}

    def collect(self, file):
        """A file that has been collected already."""
        return collecting.index(self.files.get(file, ())), None
