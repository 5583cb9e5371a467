"""Plain `python -m unittest` in one process, with the outcomes of each test.

Failures and errors of a test are both `fail`. What plain unittest charges to no test is charged as Seatrial does it:
a set-up of a class or module that failed or skipped to each test that it has stopped, a teardown that failed to the
last test before it. A test that never came to a word of its own is a `skip`.
"""

import json
import os
import subprocess
import sys
import tempfile

RECORDER = '''
import json, os, sys, unittest
if sys.path and sys.path[0] == "":
    sys.path[0] = os.getcwd()
class Result(unittest.TextTestResult):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.order, self.outcomes, self.held = [], {}, {}
    def note(self, test, outcome):
        if type(test).__name__ == "_ErrorHolder":
            name = test.description
            if name.startswith("tearDown"):
                key = self.order[-1]
                self.outcomes[key] = "error" if self.outcomes[key] != "fail" else "fail"
            else:
                self.held.setdefault(name, outcome)
            return
        if type(test).__name__ == "_SubTest":
            test = test.test_case
        key = id(test)
        if key not in self.outcomes:
            self.order.append(key)
        ranks = ["pass", "xfail", "skip", "fail"]
        before = self.outcomes.get(key, "pass")
        self.outcomes[key] = max(before, outcome, key=ranks.index)
    def startTest(self, test):
        super().startTest(test)
        self.note(test, "pass")
    def addSuccess(self, test):
        super().addSuccess(test)
        self.note(test, "pass")
    def addError(self, test, err):
        super().addError(test, err)
        self.note(test, "fail")
    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.note(test, "fail")
    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        self.note(test, "pass" if err is None else "fail")
    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.note(test, "skip")
    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self.note(test, "xfail")
    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.note(test, "fail")
class Runner(unittest.TextTestRunner):
    resultclass = Result
def tests(tree):
    try:
        parts = list(tree)
    except TypeError:
        return [tree]
    return [test for part in parts if part is not None for test in tests(part)]
class Program(unittest.TestProgram):
    def runTests(self):
        every = tests(self.test)
        self.every = every
        unittest.TestProgram.runTests(self)
def outcome(result, test):
    if id(test) in result.outcomes:
        return result.outcomes[id(test)]
    kind = type(test)
    for name in ("setUpModule (%s)" % kind.__module__, "setUpClass (%s)" % unittest.util.strclass(kind)):
        if name in result.held:
            return "error" if result.held[name] == "fail" else "skip"
    return "skip"
path = sys.argv.pop(1)
sys.argv[0] = os.path.basename(sys.executable) + " -m unittest"
program = Program(module=None, testRunner=Runner, exit=False)
found = []
for test in program.every:
    name = test.id() if callable(getattr(test, "id", None)) else str(test)
    if type(test).__name__ in ("_FailedTest", "ModuleSkipped"):
        name = type(test).__name__
    found.append([name, outcome(program.result, test)])
result = program.result
with open(path, "w") as file:
    json.dump([found, bool(result.wasSuccessful()), result.testsRun, len(result.skipped)], file)
'''


def run(args, cwd, python=None, env=None):
    """Pairs of id and outcome in the order of the suite, whether all was well, and what was printed."""
    handle, path = tempfile.mkstemp()
    os.close(handle)
    try:
        command = [python or sys.executable, "-c", RECORDER, path] + list(args)
        done = subprocess.run(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        printed = done.stdout.decode("utf-8", "replace")
        with open(path) as file:
            text = file.read()
        if not text:
            raise AssertionError("plain unittest did not come to its end: " + printed)
        found, good, _, _ = json.loads(text)
    finally:
        os.unlink(path)
    return [tuple(pair) for pair in found], good, printed
