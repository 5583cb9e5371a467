"""Plain pytest in one process, with the outcome of each test as `driver.outcome` names it."""

import json
import os
import subprocess
import sys
import tempfile

import driver

RECORDER = '''
import json, sys
class Recorder(object):
    def __init__(self):
        self.reports, self.order, self.seen = {}, [], {}
    def pytest_runtest_logstart(self, nodeid):
        self.seen[nodeid] = self.seen.get(nodeid, -1) + 1
    def pytest_runtest_logreport(self, report):
        data = {"when": report.when, "outcome": report.outcome}
        if hasattr(report, "wasxfail"):
            data["wasxfail"] = report.wasxfail
        if hasattr(report, "context"):
            data["_subtest.context"] = 1
        key = json.dumps([report.nodeid, self.seen[report.nodeid]])
        self.reports.setdefault(key, []).append(data)
recorder = Recorder()
rule, path = sys.argv[1], sys.argv[2]
if sys.path and sys.path[0] == "":
    sys.path.pop(0)
if rule == "python -m pytest":
    sys.path.insert(0, __import__("os").getcwd())
import pytest
status = int(pytest.main(sys.argv[3:], plugins=[recorder]))
with open(path, "w") as file:
    json.dump([status, recorder.reports], file)
'''


def run(args, cwd, python=None, env=None, rule="pytest"):
    """Exit status, outcomes by (id, number), and what was printed."""
    handle, path = tempfile.mkstemp()
    os.close(handle)
    try:
        command = [python or sys.executable, "-c", RECORDER, rule, path] + list(args)
        done = subprocess.run(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        printed = done.stdout.decode("utf-8", "replace")
        with open(path) as file:
            text = file.read()
        if not text:
            raise AssertionError("plain pytest did not come to its end: " + printed)
        status, reports = json.loads(text)
    finally:
        os.unlink(path)
    outcomes = {}
    for key, found in reports.items():
        id, number = json.loads(key)
        lines = [{"report": report} for report in found] + [{"end": True}]
        outcomes[(id, number)] = driver.outcome(lines, 0)
    return status, outcomes, printed
