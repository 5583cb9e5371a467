"""The unittest fixture suite comes to what its `expected.txt` says, and to what plain unittest comes to."""

import collections
import os
import sys
import unittest

import driver
import plain_unittest
import unittest_driver
from project import ENV

SUITE = os.path.join(os.path.dirname(os.path.dirname(driver.HERE)), "fixtures", "unittest-suite")
# What one test leaves behind for another: plain unittest shows it, a process for each test does not.
LEAKS = {"tests.test_leaks.Leaks.test_b_is_alone", "tests.test_leaks.Leaks.test_c_is_at_home"}
NOT_RUN = ("_FailedTest", "ModuleSkipped")


@unittest.skipIf(sys.version_info < (3, 8), "the suite uses what unittest has since 3.8")
class Suite(unittest.TestCase):
    """The whole suite."""

    maxDiff = None

    def test_expected(self):
        run = unittest_driver.Run([], SUITE, env=ENV)
        rows = ["%s\t%s" % (id + (" (%d)" % (n + 1) if n else ""), outcome) for (id, n), outcome in run.outcomes.items()]
        rows += ["%s\tcollection" % problem["id"] for problem in run.lister.problems]
        rows += ["%s\tskipped" % other["skipped"]["id"] for other in run.lister.others if "skipped" in other]
        with open(os.path.join(SUITE, "expected.txt")) as file:
            wanted = [row.rstrip("\n") for row in file if not row.startswith("#")]
        self.assertEqual(sorted(rows), sorted(wanted))
        self.assertEqual(run.status, 0)
        self.assertEqual(run.finished["exit"], 1)

    def test_equal_to_plain(self):
        found, good, printed = plain_unittest.run([], SUITE, env=ENV)
        run = unittest_driver.Run([], SUITE, env=ENV)
        ours, theirs = collections.defaultdict(list), collections.defaultdict(list)
        for id, outcome in found:
            theirs[id].append(outcome)
        for (id, _), outcome in run.outcomes.items():
            ours[unittest_driver.dotted(id)].append(outcome)
        self.assertFalse(good)
        self.assertEqual(len(theirs.pop("_FailedTest")), len(run.lister.problems))
        self.assertEqual(theirs.pop("ModuleSkipped"), ["skip"])
        differ = {id for id in set(ours) | set(theirs) if sorted(ours[id]) != sorted(theirs[id])}
        self.assertEqual(differ, LEAKS, printed)

    def test_deaths(self):
        run = unittest_driver.Run(["discover", "-s", "deaths", "-k", "Together", "-k", "SetUpDies", "-k", "exit_0"],
                                  SUITE, env=ENV)
        by = {id.partition("::")[2]: outcome for (id, _), outcome in run.outcomes.items()}
        self.assertEqual(by, {
            "Alone.test_exit_0": "crash",
            "SetUpDies.test_one": "crash",
            "Together.test_a_before": "crash",
            "Together.test_b_dies": "crash",
            "Together.test_c_after": "crash",
        })
        alone, dies, together = run.jobs
        self.assertIn("last words", alone.out)
        self.assertEqual(dies.of(0), [{"test": 0, "start": True}])
        self.assertIn({"test": 0, "end": True}, together.lines)
        self.assertNotIn({"test": 1, "end": True}, together.lines)
        self.assertEqual(together.of(2), [])
        self.assertIn("words of the dead", together.out)


if __name__ == "__main__":
    unittest.main()
