"""Runs tests of a job in their order, as `unittest.TestSuite` does, and tells of each in report lines.

A unit (a class or module with fixtures of its own, or a suite with ways of its own) is run as one suite, so that it is
set up and torn down as often as under plain unittest. What cannot be told by a test itself is told for it: tests that
a failed set-up has stopped, and a teardown that failed after the last of them.
"""

import sys
import time
import traceback
import unittest

from seatrial_python import reports, unittest_walk

SET_UP = ("setUpClass (", "setUpModule (")
TEAR_DOWN = ("tearDownClass (", "tearDownModule (")


class Suite(unittest.TestSuite):
    """The tests of a job. Where unittest tears down and sets up between two tests, one ends and the next begins."""

    def __init__(self, parts, result):
        unittest.TestSuite.__init__(self)
        self._tests = parts
        self.result = result

    # Results are told of tests that have ended, too.
    _cleanup = False

    def __iter__(self):
        for part in self._tests:
            self.result.come_to(part)
            yield part

    def _handleModuleFixture(self, test, result):
        if self._get_previous_module(result) == test.__class__.__module__:
            result.leave_the_last()
        unittest.TestSuite._handleModuleFixture(self, test, result)

    def _handleModuleTearDown(self, result):
        unittest.TestSuite._handleModuleTearDown(self, result)
        result.leave_the_last()


class Told(object):
    """What is known of one test of the job."""

    def __init__(self, place, found):
        self.place = place
        self.found = found
        self.begun = False
        self.heard = False
        self.set_up = False
        self.failed = False
        self.skipped = None
        self.expected = False
        self.failed_teardowns = []


class Result(unittest.TestResult):
    """Turns what unittest tells a result into report lines."""

    # Here a test that replaces `time.perf_counter` does not find it.
    clock = staticmethod(time.perf_counter)

    def __init__(self, group, lines, capture, options):
        unittest.TestResult.__init__(self)
        self.failfast, self.buffer, self.tb_locals = options.failfast, options.buffer, options.tb_locals
        self.lines = lines
        self.capture = capture
        self.tests = [Told(place, found) for place, found in group]
        self.by_test = {id(told.found.test): told for told in self.tests}
        self.stopped = {}
        self.last = None
        self.now = None
        self.finished = None
        self.mark = self.clock()

    # -- from test to test

    @property
    def position(self):
        """The position, within the job, of the test that runs."""
        told = self.now or self.last or self.tests[0]
        return told.place

    def come_to(self, part):
        """The suite is about to run this test or inner suite. What was set up for the one before may still be there."""
        self.leave_the_last()
        self.last, self.now = self.now, self.by_test.get(id(part))

    def leave_the_last(self):
        """Everything that belongs to the test before is over."""
        if self.last is not None:
            self.finish(self.last)
            self.last = None
        if self.now is not None and not self.shouldStop:
            self.begin(self.now)

    def begin(self, told):
        """Its process, its set-up or the test itself has begun."""
        if told.begun:
            return
        told.begun = True
        self.mark = self.clock()
        self.lines.add({"test": told.place, "start": True})
        if len(self.tests) > 1:
            self.lines.flush()

    def of(self, test):
        """What is known of a test that unittest names: a subtest is its test's, a stranger belongs to whoever runs."""
        if type(test).__name__ == "_SubTest":
            test = test.test_case
        told = self.by_test.get(id(test)) or self.now or self.last or self.tests[0]
        if told is not self.last and told is not self.now:
            # Within a suite with ways of its own.
            self.last, self.now = self.now, told
        if told is self.now:
            self.leave_the_last()
        return told

    # -- unittest's words

    def startTest(self, test):
        """A test begins; what stood before it is over."""
        unittest.TestResult.startTest(self, test)
        self.ready(self.of(test))

    def addSuccess(self, test):
        """It has passed."""
        unittest.TestResult.addSuccess(self, test)
        self.of(test).heard = True

    def addError(self, test, err):
        """An exception in a test, or around many."""
        unittest.TestResult.addError(self, test, err)
        self.bad(test, err, self.errors[-1][1])

    def addFailure(self, test, err):
        """A failed assertion."""
        unittest.TestResult.addFailure(self, test, err)
        self.bad(test, err, self.failures[-1][1])

    def addSubTest(self, test, subtest, err):
        """A subtest has ended."""
        unittest.TestResult.addSubTest(self, test, subtest, err)
        if err is not None:
            failed = issubclass(err[0], test.failureException)
            text = (self.failures if failed else self.errors)[-1][1]
            self.bad(test, err, text, context(subtest))

    def addSkip(self, test, reason):
        """A test, a subtest, or, by an exception in a set-up, a class or module is skipped."""
        unittest.TestResult.addSkip(self, test, reason)
        name = around(test)
        if name is not None and name.startswith(SET_UP):
            self.stopped[name] = (None, reason)
            return
        told = self.of(test)
        told.heard, told.skipped = True, str(reason)

    def addExpectedFailure(self, test, err):
        """It has failed, as it should."""
        unittest.TestResult.addExpectedFailure(self, test, err)
        told = self.of(test)
        told.heard, told.expected = True, True

    def addUnexpectedSuccess(self, test):
        """It should have failed."""
        unittest.TestResult.addUnexpectedSuccess(self, test)
        self.report(self.of(test), "call", "failed", "Unexpected success")

    def bad(self, test, err, text, subtest=None):
        """A failure. It is told at once, so that no later death takes it along."""
        self._mirrorOutput = False
        words = longrepr(err, text)
        name = around(test)
        if name is not None and name.startswith(SET_UP):
            self.stopped.setdefault(name, (words, None))
        elif name is not None and name.startswith(TEAR_DOWN):
            (self.last or self.now or self.tests[-1]).failed_teardowns.append(words)
        else:
            self.report(self.of(test), "call", "failed", words, subtest=subtest)
            self.lines.flush()

    # -- our words

    def ready(self, told):
        """The test is set up, as far as classes and modules are concerned."""
        told.heard = True
        if not told.set_up:
            self.report(told, "setup", "passed")

    def report(self, told, when, outcome, words=None, subtest=None, **more):
        """One report line."""
        if when == "setup":
            told.heard, told.set_up = True, True
        self.ready(told)
        told.failed = told.failed or outcome == "failed"
        self.begin(told)
        now = self.clock()
        report = {"nodeid": told.found.id, "location": place_of(told.found), "when": when, "outcome": outcome}
        report.update({"longrepr": words, "duration": max(0.0, now - self.mark), "$report_type": "TestReport"})
        self.mark = now
        if subtest is not None:
            del report["$report_type"]
            report.update({"_report_type": "SubTestReport", "_subtest.context": subtest})
        report["sections"] = [["Captured %s %s" % (name, when), text] for name, text in self.capture.take()]
        report.update(more)
        self.lines.add({"test": told.place, "report": report})

    def finish(self, told):
        """All that is still to be said of a test that is over."""
        if self.by_test.pop(id(told.found.test), None) is None:
            return
        self.begin(told)
        self.finished = told
        words, reason = (None, None) if told.heard else self.why_stopped(told.found.test)
        if words is not None:
            self.report(told, "setup", "failed", words)
        elif reason is not None:
            self.report(told, "setup", "skipped", ["", 0, "Skipped: " + reason])
        elif told.expected:
            self.report(told, "call", "skipped", wasxfail="")
        elif told.skipped is not None and not told.failed:
            self.report(told, "call", "skipped", ["", 0, "Skipped: " + told.skipped])
        else:
            self.report(told, "call", "passed")
        for words in told.failed_teardowns:
            self.report(told, "teardown", "failed", words)
        if not told.failed_teardowns:
            self.report(told, "teardown", "passed")
        if self.by_test:
            self.lines.add({"test": told.place, "end": True})
            self.lines.flush()

    def why_stopped(self, test):
        """Why nothing was heard of a test: the failure of a set-up, or a reason to skip."""
        kind = type(test)
        for name in ("setUpModule (%s)" % kind.__module__, "setUpClass (%s)" % unittest.util.strclass(kind)):
            if name in self.stopped:
                words, reason = self.stopped[name]
                return words, reason
        return None, "its own `run` did not run it"


def run(result):
    """Runs the tests of a result; the line that is to be the last of their process."""
    parts = []
    for told in result.tests:
        part = told.found.test if told.found.whole is None else told.found.whole
        if not any(part is other for other in parts):
            parts.append(part)
    Suite(parts, result)(result)
    for told in result.tests:
        # After a first failure (`-f`) nobody has asked for the others.
        if told.begun or not result.shouldStop:
            result.finish(told)
    return {"test": result.finished.place, "end": True}


class Nothing(unittest.TestCase):
    """An empty test."""

    def runTest(self):
        """Passes."""


def warm_up(capture, options):
    """Runs an empty test: what is made at first use is then shared by all tests' processes."""
    for _ in range(10):
        found = unittest_walk.Found(Nothing(), "module:" + __name__, None)
        run(Result([(0, found)], reports.Lines(-1), capture, options))


def around(test):
    """The description of what stands for a class's or module's fixture, else None."""
    return getattr(test, "description", None) if type(test).__name__ == "_ErrorHolder" else None


def context(subtest):
    """What tells a subtest from others."""
    message = getattr(subtest, "_message", None)
    params = getattr(subtest, "params", None) or {}
    return {
        "msg": message if isinstance(message, str) else None,
        "kwargs": {str(name): repr(value) for name, value in dict(params).items()},
    }


def longrepr(err, text):
    """A failure as pytest would send it: where and what, and unittest's own text."""
    kind, value, tb = err
    lines = traceback.format_exception_only(kind, value)
    message = next((line for line in lines if not line.startswith(" ")), kind.__name__).rstrip("\n")
    path, number = "", 0
    while tb is not None:
        if "__unittest" not in tb.tb_frame.f_globals:
            path, number = tb.tb_frame.f_code.co_filename, tb.tb_lineno
        tb = tb.tb_next
    entry = {"type": "ReprEntryNative", "data": {"lines": [text], "style": "native"}}
    return {
        "reprcrash": {"path": path, "lineno": number, "message": message},
        "reprtraceback": {"reprentries": [entry], "extraline": None, "style": "native"},
        "sections": [],
    }


def place_of(found):
    """File, line and name, as pytest's reports have them."""
    module = sys.modules.get(type(found.test).__module__)
    return [getattr(module, "__file__", None) or "", None, found.name]
