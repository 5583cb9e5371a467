"""The fixture suite comes to what its `expected.txt` says, and where plain pytest comes to an outcome, to the same."""

import collections
import os
import tempfile
import unittest

import pytest

import driver
import plain
from project import ALONE

SUITE = os.path.join(os.path.dirname(os.path.dirname(driver.HERE)), "fixtures", "python-suite")
# What one test leaves behind for another: plain pytest shows it, a process for each test does not.
LEAKS = {
    "package/test_a.py::test_fleet_again",
    "package/test_b.py::test_fleet",
    "package/test_b.py::test_fleet_again",
    "test_fixtures.py::TestDeck::test_one",
    "test_fixtures.py::TestDeck::test_two",
    "test_fixtures.py::test_second",
    "test_streams.py::test_environment_did_not_stay",
    "test_streams.py::test_seed_of_import_again",
    "test_streams.py::test_working_directory_again",
    "test_unittest.py::Sailor::test_rank_again",
}
# Set up in each test's process, because a fork cannot inherit a thread.
REPEATED = {"watch up", "watch down"}
if int(pytest.__version__.partition(".")[0]) < 8:
    # There each collection makes packages anew: README.md, "Not as in plain pytest".
    REPEATED |= {"package up", "package down"}


def counts(path):
    """How often each word stands in the file."""
    with open(path) as file:
        return collections.Counter(file.read().split("\n"))


class Suite(unittest.TestCase):
    """The whole suite."""

    maxDiff = None

    def env(self, path):
        """With a file for counts."""
        return dict(ALONE, COUNTED=path)

    def test_expected(self):
        done = driver.play(["-p", "no:cacheprovider"], SUITE, env=ALONE)
        rows = sorted((id, outcome) for (id, _), outcome in done.outcomes.items())
        with open(os.path.join(SUITE, "expected.txt")) as file:
            wanted = [tuple(row.rstrip("\n").split("\t")) for row in file if not row.startswith("#")]
        self.assertEqual(rows, sorted(wanted))
        self.assertEqual(done.statuses, [0])
        self.assertEqual(done.finished["exit"], 1)

    def test_equal_to_plain(self):
        args = ["-p", "no:cacheprovider", "--ignore", "test_crashes.py"]
        with tempfile.TemporaryDirectory() as folder:
            paths = [os.path.join(folder, name) for name in ("plain", "ours")]
            status, wanted, printed = plain.run(args, SUITE, env=self.env(paths[0]))
            done = driver.play(args, SUITE, env=self.env(paths[1]))
            plain_counts, our_counts = counts(paths[0]), counts(paths[1])
        differ = {id for (id, n), outcome in wanted.items() if done.outcomes.get((id, n)) != outcome}
        self.assertEqual(differ, LEAKS, printed)
        self.assertEqual(set(done.outcomes), set(wanted))
        self.assertEqual(status, done.finished["exit"])
        differ = {word for word in set(plain_counts) | set(our_counts) if plain_counts[word] != our_counts[word]}
        self.assertEqual(differ, REPEATED)

    def test_two_warmers(self):
        args = ["-p", "no:cacheprovider"]
        done = driver.play(args, SUITE, workers=2, env=ALONE)
        alone = driver.play(args, SUITE, env=ALONE)
        self.assertEqual(done.outcomes, alone.outcomes)
        self.assertEqual(done.statuses, [0, 0])

    def test_words_of_the_dead(self):
        done = driver.play(["-p", "no:cacheprovider", "test_crashes.py"], SUITE, env=ALONE)
        jobs = {id.rpartition("::")[2]: job for (id, _), job in done.jobs.items()}
        self.assertIn("last words", jobs["test_exit_0"].out)
        self.assertIn("Segmentation fault", jobs["test_segfault"].err)
        self.assertEqual(jobs["test_after"].out, "")


if __name__ == "__main__":
    unittest.main()
