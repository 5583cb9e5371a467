"""syrupy: its report and its judgement are plain pytest's. Skipped where it is not installed."""

import os
import re
import subprocess
import sys

import driver
import plain
from project import ALONE, ProjectTest
from test_plugins import needs

TESTS = """
import pytest
def test_one(snapshot): assert {"a": 1} == snapshot
@pytest.mark.parametrize("n", range(%d))
def test_more(snapshot, n): assert "x" * n == snapshot
def test_without(): pass
"""


class Snapshots(ProjectTest):
    """One project, whose snapshots are made by plain pytest."""

    def judged(self, root, *args):
        """Exit status and the report's words, here and by plain pytest."""
        args = ["-p", "no:cacheprovider"] + list(args)
        done = driver.play(args, root, workers=2, env=ALONE)
        status, outcomes, printed = plain.run(args, root, env=ALONE)
        self.assertEqual(done.outcomes, outcomes)
        words = [re.findall(r"^\d+ snapshot.*$", text, re.M) for text in (done.finished["summary"], printed)]
        return (done.finished["exit"], words[0]), (status, words[1])

    @needs("syrupy")
    def test_equal_to_plain(self):
        import syrupy.session

        root = self.project(test_a=TESTS % 4)
        command = [sys.executable, "-m", "pytest", "-q", "--snapshot-update"]
        subprocess.check_call(command, cwd=root, env=ALONE, stdout=subprocess.DEVNULL)
        for count, args in ((4, []), (4, ["-k", "one"]), (2, [])):
            with open(os.path.join(root, "test_a.py"), "w") as file:
                file.write(TESTS % count)
            ours, theirs = self.judged(root, *args)
            if hasattr(syrupy.session.SnapshotSession, "add_worker_report"):
                self.assertEqual(ours, theirs)
            else:
                # What is unused is not known, so that nothing is said of it.
                self.assertEqual(ours, (0, []))
