"""The lister: pytest's real session, which collects once and hears every report, but runs no test itself.

Order of life: `hello` when the session starts, `problem` and `skipped` while it collects, `tests` and `listed`
when it would run them, then replays of reports until `end`, then `finished` with what plug-ins print.
"""

import platform
import signal
import sys
import traceback

from seatrial_python import contract, coverage_share, hazards, imports, invitation, leftovers, listing, origin
from seatrial_python import reports, run_fixtures, snapshots, stepwise, terminal, wire

BATCH = 500


def main(packet, channel):
    """Runs the session; returns the exit status of the process, which is 0 when all was told."""
    messages = wire.Messages(channel)
    inherited = invitation.reserve()
    try:
        import pytest
    except ImportError as error:
        messages.send({"hello": greeting(None, None)})
        messages.send({"problem": {"id": "", "text": str(error)}})
        messages.send({"listed": {"tests": 0, "deselected": 0, "exit": 4}})
        messages.send({"finished": {"exit": 4, "summary": ""}})
        return 0
    hazards.quiet_libraries()
    definitions = packet.get("fixtures") or []
    before = origin.Origin(packet, inherited)
    plugin = Lister(messages, packet["settings"], before, run_fixtures.RunFixtures(definitions, channel))
    try:
        exit = int(pytest.main(list(packet["args"]), plugins=[plugin, run_fixtures.plugin(definitions, {})]))
    except BaseException:
        # A plug-in has failed before pytest was ready to catch that. It is shown as Python shows it.
        traceback.print_exc()
        exit = 3
    sys.stdout.flush()
    sys.stderr.flush()
    if not plugin.greeted:
        messages.send({"hello": greeting(pytest.__version__, None)})
    if not plugin.listed:
        plugin.tell_listed(0, exit)
    late = [wire.clean(text) for text in plugin.late + plugin.run_fixtures.tear_down()]
    messages.send({"finished": {"exit": exit, "summary": wire.clean(plugin.sink.text()), "late": late}})
    hazards.leave()
    return 0


def greeting(version, config):
    """The contents of `hello`; a version of null means that pytest is not installed."""
    facts = {"python": platform.python_version(), "pytest": version, "rootdir": None, "inifile": None}
    facts.update({"maxfail": 0, "plugins": [], "nodes": []})
    if config is not None:
        root = getattr(config, "rootpath", None) or config.rootdir
        ini = getattr(config, "inipath", None) or getattr(config, "inifile", None)
        facts["rootdir"] = wire.clean(str(root))
        facts["inifile"] = wire.clean(str(ini)) if ini else None
        facts["stepwise"] = bool(getattr(config.option, "stepwise", False))
        facts["maxfail"] = most_failures(config, facts["stepwise"])
        pairs = config.pluginmanager.list_plugin_distinfo()
        facts["plugins"] = sorted({"%s %s" % (dist.project_name, dist.version) for _, dist in pairs})
    return facts


def most_failures(config, stepwise):
    """With how many failures the session ends, 0 for none: `--stepwise` ends it with the first, `--stepwise-skip` with the second."""
    own = 1 + bool(getattr(config.option, "stepwise_skip", False)) if stepwise else 0
    limits = [limit for limit in (config.getvalue("maxfail") or 0, own) if limit]
    return min(limits) if limits else 0


class Lister(object):
    """The plug-in of the lister's session."""

    def __init__(self, messages, settings, before, run_fixtures):
        self.messages = messages
        self.settings = settings
        self.origin = before
        # Why this session is not forked for slots.
        self.refusal = None
        self.run_fixtures = run_fixtures
        self.late = []
        self.sink = terminal.Sink()
        self.reporter = None
        self.config = None
        self.greeted = False
        self.listed = False
        self.stop_told = False
        self.deselected = 0
        self.unsafe_files = set()
        self.leftovers = leftovers.Leftovers()
        self.items = {}
        self.coverage = coverage_share.Sum()
        self.imports = None
        # Variables that plug-ins have set at the session's start.
        self.variables = {}
        # Whether a session's fixture may depend on all that is imported.
        self.together = False
        self.session = None
        self.stepwise = None
        self.snapshots = None
        for name in ("pytest_cmdline_main", "pytest_runtestloop", "pytest_sessionfinish", "pytest_make_collect_report",
                     "pytest_load_initial_conftests"):
            self.mark(name)

    def mark(self, name):
        """Sets the hook's options, which need pytest."""
        import pytest

        first = pytest.hookimpl(tryfirst=True)
        wraps = pytest.hookimpl(hookwrapper=True, tryfirst=True)
        function = getattr(type(self), name)
        (first if name in ("pytest_cmdline_main", "pytest_runtestloop") else wraps)(function)

    # -- before the tests

    def pytest_plugin_registered(self, plugin):
        """The reporter is caught when it appears: before it has written its first line."""
        if terminal.is_reporter(plugin):
            self.reporter = plugin
            terminal.redirect(plugin, self.sink)
        if self.config is not None and leftovers.is_conftest(plugin):
            self.leftovers.of_conftest()

    def pytest_load_initial_conftests(self):
        """Hook wrapper: conftest files are imported."""
        self.leftovers.look()
        yield
        self.leftovers.of_conftest()

    def pytest_addoption(self, parser):
        """Options that stand in a configuration file."""
        contract.accept_options(parser)

    def pytest_cmdline_main(self, config):
        """Before plug-ins are configured."""
        contract.start_no_workers(config)

    def pytest_sessionstart(self, session):
        """Says hello, with what plug-ins want to tell each worker."""
        import pytest

        self.config = session.config
        facts = greeting(pytest.__version__, session.config)
        facts["nodes"] = contract.workers_inputs(session.config, self.settings)
        self.refusal = self.origin.refusal(session.config)
        facts["forks"] = self.refusal is None
        self.messages.send({"hello": facts})
        self.greeted = True
        self.variables = contract.added_variables(self.origin.environment)
        self.imports = imports.Imports()

    def pytest_make_collect_report(self, collector):
        """Finds modules that leave, when they are imported, what cannot be forked."""
        from _pytest.python import Class, Module

        if isinstance(collector, Class):
            # It imports nothing.
            yield
            return
        self.leftovers.look()
        yield
        if isinstance(collector, Module):
            self.leftovers.of_file(listing.path_of(collector), getattr(collector, "_obj", None))

    def pytest_collectreport(self, report):
        """Tells of a collector that failed, or that skipped all that it holds."""
        if report.failed:
            text = str(getattr(report, "longreprtext", "") or report.longrepr)
            self.messages.send({"problem": {"id": wire.clean(report.nodeid), "text": text}})
        elif report.skipped:
            reason = report.longrepr
            if isinstance(reason, tuple):
                reason = reason[2]
            self.messages.send({"skipped": {"id": wire.clean(report.nodeid), "reason": str(reason)}})

    def pytest_internalerror(self, excrepr):
        """Tells of an error in pytest itself or in a plug-in's hook."""
        self.messages.send({"problem": {"id": "", "text": "INTERNALERROR\n" + str(excrepr)}})

    def pytest_deselected(self, items):
        """Counts."""
        self.deselected += len(items)

    # -- instead of the tests

    def pytest_runtestloop(self, session):
        """Lists, then replays."""
        option = session.config.option
        if session.testsfailed and not option.continue_on_collection_errors:
            self.tell_listed(len(session.items), 2)
            many = "s" if session.testsfailed != 1 else ""
            raise session.Interrupted("%d error%s during collection" % (session.testsfailed, many))
        self.stepwise = stepwise.Stepwise(session.config)
        self.snapshots = snapshots.Account(session.config, session.items)
        if self.snapshots.notice is not None:
            self.messages.send({"notice": {"file": "syrupy", "text": self.snapshots.notice}})
        self.leftovers.of_session(session.config)
        if self.leftovers.conftest:
            self.refusal = self.refusal or "conftest files or plug-ins leave " + hazards.in_words(self.leftovers.conftest)
        self.refusal = self.refusal or self.origin.late_refusal(self.config)
        if session.items and not option.collectonly:
            # Slots get ready while the tests are told.
            guest = self.take_invitations(session)
            if guest is not None:
                # Here, where the stack is little deeper than in plain pytest.
                guest.live()
        self.tell_tests(session)
        records = self.run_fixtures.set_up(session.items if not option.collectonly else [])
        if records is None:
            raise session.Interrupted("Seatrial is gone")
        self.tell_listed(len(session.items), None if session.items else 5, records)
        if not session.items or option.collectonly:
            return True
        # Seatrial hears Ctrl-C as well. It ends the tests in order and then tells this session.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if self.reporter is not None:
            terminal.leave_out_progress(self.reporter)
        reason, guest = self.listen(session)
        if guest is not None:
            guest.live()
        self.origin.reap()
        self.late += self.run_fixtures.tear_down()
        self.coverage.save(session.config)
        contract.workers_left(session.config)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
        if reason is not None:
            raise session.Interrupted(reason)
        return True

    def tell_tests(self, session):
        """Sends all tests in messages of a bounded size."""
        self.unsafe_files = self.leftovers.files(listing.file_of(item) for item in session.items)
        in_order = listing.in_order(session.items) - self.unsafe_files
        described = listing.Listing(self.unsafe_files | in_order)
        records = described.describe(session.items)
        self.together = described.looks_around
        self.session = session
        for record, item in zip(records, session.items):
            self.items[(record["id"], record["n"], record["file"])] = item
            self.items.setdefault((record["id"], record["n"]), item)
        for start in range(0, len(records), BATCH):
            self.messages.send({"tests": records[start:start + BATCH]})
        if self.leftovers.conftest:
            text = "left by conftest files, plug-ins, or what they import: each test file has a pytest of its own"
            self.messages.send({"notice": {"file": hazards.in_words(self.leftovers.conftest), "text": text}})
        unsafe = set() if self.leftovers.conftest else self.unsafe_files
        for files, text in ((unsafe, "leaves threads or open files when it is imported"),
                            (in_order, "has tests that ask how earlier ones ended, by their marks")):
            for file in sorted(files):
                self.messages.send({"notice": {"file": file, "text": text + ": its tests share one process"}})

    def tell_listed(self, count, exit, fixtures=()):
        """Collection is over."""
        facts = {"tests": count, "deselected": self.deselected, "exit": exit}
        if fixtures:
            facts["fixtures"] = fixtures
        if exit is None and self.imports is not None:
            files = {key[2] for key in self.items if len(key) == 3}
            facts["imports"] = [wire.clean(name) for name in self.imports.names(files, self.leftovers.concerned())]
            facts["cold"] = bool(self.leftovers.conftest)
            facts["refusal"] = self.refusal and wire.clean(self.refusal)
            facts["variables"] = self.variables
            facts["folders"] = contract.temporary_folders(self.variables)
            apart = self.leftovers.files(self.unsafe_files.union(self.leftovers.imported))
            named = {str(path) for path in getattr(self.session, "_initialpaths", ())}
            # A file that is an argument cannot be left out.
            if self.together and not facts["cold"] and not apart & named:
                facts["apart"] = sorted(wire.clean(path) for path in apart)
        self.messages.send({"listed": facts})
        self.listed = True

    def listen(self, session):
        """Replays what comes until `end`; the reason why the run ended early, or None. In a fork for a slot: its warmer."""
        while True:
            message = self.messages.receive()
            if message is None:
                return "Seatrial is gone", None
            if "reports" in message:
                for test in message["reports"]:
                    self.replay(session, test)
            elif "invitation" in message:
                guest = self.answer(session, message["invitation"])
                if guest is not None:
                    return None, guest
            elif "lost" in message:
                self.replay_lost(message["lost"])
            elif "end" in message:
                return message["end"].get("reason"), None
            self.tell_stop(session)
            if "sync" in message:
                self.messages.send({"synced": message["sync"]})

    def take_invitations(self, session):
        """Those that have come by now. Nothing else comes before `listed`. In a fork for a slot: its warmer."""
        while self.messages.has_one():
            message = self.messages.receive()
            if message is None or "invitation" not in message:
                break
            guest = self.answer(session, message["invitation"])
            if guest is not None:
                return guest
        return None

    def answer(self, session, facts):
        """A slot asks for a fork of this session: in that, its warmer."""
        request = invitation.Invitation(facts, self.messages.descriptors)
        if self.refusal is None:
            return invitation.accept(self, session, request)
        request.decline()
        return None

    def pytest_runtest_logreport(self, report):
        """Of tests and subtests."""
        self.stepwise.saw(report)

    def tell_stop(self, session):
        """Says once that the session wants no more tests."""
        reason = session.shouldfail or session.shouldstop
        if reason and not self.stop_told:
            self.stop_told = True
            self.messages.send({"stop": str(reason)})

    # -- replaying

    def item(self, test):
        """The collected item of a test in a message."""
        key = (test["id"], test["n"])
        return self.items.get(key + (test.get("file"),)) or self.items.get(key)

    def replay(self, session, test):
        """One test's lines, as hooks of this session."""
        item = self.item(test)
        if item is not None:
            item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for line in test["lines"]:
            self.replay_line(session, item, wire.decode(line) if isinstance(line, str) else line)
        if item is not None:
            item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    def replay_line(self, session, item, line):
        """One line; those that only Seatrial needs are passed over."""
        if "report" in line:
            report = reports.revive(session.config, line["report"])
            if report is not None:
                reports.count_subtest(session.config, report)
                relay = item.ihook if item is not None else session.config.hook
                relay.pytest_runtest_logreport(report=report)
        elif "warning" in line:
            reports.replay_warning(session.config, line["warning"])
        elif "coverage" in line:
            self.coverage.add(line["coverage"])
        elif "snapshots" in line:
            self.snapshots.add(line["snapshots"])
        elif "exit" in line:
            session.shouldstop = session.shouldstop or line["exit"]
        elif "shouldstop" in line:
            session.shouldstop = session.shouldstop or line["shouldstop"]
        elif "shouldfail" in line:
            session.shouldfail = session.shouldfail or line["shouldfail"]

    def replay_lost(self, lost):
        """A failed call for a test that gave no complete report, and a teardown, which junit waits for."""
        from _pytest.reports import TestReport

        item = self.item(lost)
        if item is None:
            return
        words = {name: 1 for name in item.keywords}
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for when, outcome, text in (("call", "failed", lost["text"]), ("teardown", "passed", None)):
            took = lost.get("duration") or 0.0 if when == "call" else 0.0
            report = TestReport(item.nodeid, item.location, words, outcome, text, when, duration=took)
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    # -- after the tests

    def pytest_sessionfinish(self, session):
        """Keeps what plug-ins print at the end."""
        if self.reporter is not None:
            terminal.leave_out_failures(self.reporter)
        if self.stepwise is not None:
            self.stepwise.settle(session.items)
        snapshots.settle(session.config, self.snapshots)
        self.sink.keeping = True
        yield
