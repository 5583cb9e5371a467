"""The lister: what it tells, and that pytest's own session stays right."""

import os
import re
import subprocess
import sys
import unittest
import xml.etree.ElementTree as tree

import driver
import plain
from project import ALONE, ProjectTest

FEW = """
import pytest
def test_good(): pass
def test_bad(): assert 0
@pytest.mark.skip(reason="why")
def test_skip(): pass
@pytest.fixture
def broken(): raise ValueError
def test_error(broken): pass
def test_last(): pass
"""


def junit(path):
    """Name, class and children's kinds of each test case."""
    cases = tree.parse(path).getroot().iter("testcase")
    return [(case.get("classname"), case.get("name"), [child.tag for child in case]) for case in cases]


class Tells(ProjectTest):
    """Messages."""

    def listed(self, root, *args, **options):
        """A finished lister whose tests were not run."""
        lister = driver.Lister(["-p", "no:cacheprovider"] + list(args), root, driver.settings(), env=ALONE, **options)
        if lister.listed["exit"] is None:
            lister.finish()
        else:
            while lister.finished is None:
                lister.take()
            lister.end()
            lister.close()
        return lister

    def test_whole_classes_are_told_but_for_those_with_others_in_them(self):
        root = self.project(test_a="""
            import pytest
            @pytest.fixture(scope="module", autouse=True)
            def sea(): pass
            @pytest.fixture(scope="class", autouse=True)
            def ship(): pass
            class TestA:
                def test_0(self): pass
                def test_1(self): pass
            class TestB:
                def test_2(self): pass
            class TestOuter:
                def test_3(self): pass
                class TestInner:
                    def test_4(self): pass
            def test_5(): pass
        """)
        tests = {test["id"].rsplit("::")[-1]: test for test in self.listed(root).tests}
        own = [tests["test_%d" % n].get("own") for n in range(6)]
        wider = [tests["test_%d" % n].get("wider") for n in range(6)]
        self.assertEqual((own[0], own[3:]), (own[1], [None] * 3))
        self.assertNotEqual(own[0], own[2])
        self.assertIsNotNone(wider[0])
        self.assertEqual(wider, [wider[0]] * 3 + [None, None, wider[0]])

    def test_records(self):
        root = self.project(test_a="""
            import pytest
            @pytest.fixture(scope="module")
            def wide(): pass
            @pytest.fixture(scope="session")
            def widest(): pass
            def test_plain(tmp_path): pass
            def test_wide(wide): pass
            def test_widest(widest): pass
        """)
        lister = self.listed(root)
        self.assertEqual([test["wide"] for test in lister.tests], [False, True, False])
        self.assertEqual([test["line"] for test in lister.tests], [7, 8, 9])
        self.assertEqual({test["file"] for test in lister.tests}, {os.path.join(root, "test_a.py")})
        self.assertEqual({test["job"] for test in lister.tests}, {"test"})
        self.assertEqual(lister.hello["rootdir"], root)

    def test_package_is_a_group(self):
        root = self.project(conftest="", pkg____init__="", pkg__conftest="""
            import pytest
            @pytest.fixture(scope="package")
            def fleet(): pass
        """, pkg__test_a="def test_a(fleet): pass", pkg__test_b="def test_b(): pass")
        tests = {test["id"]: test for test in self.listed(root).tests}
        self.assertEqual(tests["pkg/test_a.py::test_a"]["group"], os.path.join(root, "pkg"))
        self.assertNotIn("group", tests["pkg/test_b.py::test_b"])

    def test_collection_error(self):
        root = self.project(test_a="import no_such_module", test_b="def test_b(): pass")
        lister = self.listed(root)
        self.assertEqual(lister.listed["exit"], 2)
        self.assertEqual(lister.finished["exit"], 2)
        self.assertEqual([problem["id"] for problem in lister.problems], ["test_a.py"])
        self.assertIn("No module named 'no_such_module'", lister.problems[0]["text"])
        lister = self.listed(root, "--continue-on-collection-errors")
        self.assertEqual((lister.listed["exit"], len(lister.tests)), (None, 1))

    def test_nothing_to_run(self):
        root = self.project(test_a="def test_a(): pass")
        lister = self.listed(root, "-k", "nothing")
        self.assertEqual(lister.listed, {"tests": 0, "deselected": 1, "exit": 5})
        self.assertEqual(lister.finished["exit"], 5)

    def test_wrong_use(self):
        root = self.project(test_a="def test_a(): pass")
        lister = self.listed(root, "--no-such-option")
        self.assertEqual((lister.listed["exit"], lister.finished["exit"]), (4, 4))
        self.assertIn(b"--no-such-option", lister.output)

    def test_broken_conftest(self):
        root = self.project(conftest="raise ValueError('at sea')", test_a="def test_a(): pass")
        lister = self.listed(root)
        self.assertEqual(lister.finished["exit"], 4)
        self.assertIn(b"at sea", lister.output)

    def test_plugin_that_fails_at_the_start(self):
        root = self.project(unlucky="def pytest_load_initial_conftests(): raise LookupError('no stars')")
        lister = self.listed(root, "-p", "unlucky", rule="python -m pytest")
        self.assertEqual((lister.listed["exit"], lister.finished["exit"]), (3, 3))
        self.assertIn(b"no stars", lister.output)

    def test_without_pytest(self):
        root = self.project(test_a="")
        lister = self.listed(root, python="/usr/bin/python3") if no_pytest("/usr/bin/python3") else None
        if lister is None:
            self.skipTest("the system's Python has a pytest")
        self.assertIsNone(lister.hello["pytest"])
        self.assertEqual(lister.finished["exit"], 4)

    def test_skipped_module(self):
        root = self.project(test_a="import pytest; pytest.skip('fog', allow_module_level=True)", test_b="def test_b(): pass")
        skipped = [other["skipped"] for other in self.listed(root).others if "skipped" in other]
        self.assertEqual(skipped, [{"id": "test_a.py", "reason": "Skipped: fog"}])

    def test_threads_at_import(self):
        root = self.project(test_a="""
            import threading
            STOP = threading.Event()
            threading.Thread(target=STOP.wait, daemon=True).start()
            def test_a(): assert threading.active_count() == 2
            def test_b(): assert threading.active_count() == 2
        """, test_b="def test_c(): pass")
        done = driver.play(["-p", "no:cacheprovider"], root, env=ALONE)
        self.assertEqual([test["job"] for test in done.lister.tests], ["file", "file", "test"])
        self.assertIn("threads", str(done.lister.others))
        self.assertEqual(self.names(done.outcomes), {"test_a": "pass", "test_b": "pass", "test_c": "pass"})

    def test_rule_of_paths(self):
        root = self.project(name="", tests__test_a="import name\ndef test_a(): pass")
        self.assertEqual(self.listed(root).listed["exit"], 2)
        self.assertIsNone(self.listed(root, rule="python -m pytest").listed["exit"])


def no_pytest(python):
    """Whether that interpreter is there and has no pytest."""
    if not os.path.exists(python):
        return False
    return subprocess.call([python, "-c", "import pytest"], stderr=subprocess.DEVNULL) != 0


class Replays(ProjectTest):
    """What comes of reports."""

    def test_junit(self):
        root = self.project(test_a=FEW)
        plain.run(["--junitxml=plain.xml", "-p", "no:cacheprovider"], root, env=ALONE)
        done = driver.play(["--junitxml=ours.xml", "-p", "no:cacheprovider"], root, env=ALONE)
        self.assertEqual(done.finished["exit"], 1)
        self.assertEqual(junit(os.path.join(root, "ours.xml")), junit(os.path.join(root, "plain.xml")))
        self.assertIn("ours.xml", done.finished["summary"])

    def test_last_failed(self):
        root = self.project(test_a=FEW, test_b="def test_b(): pass")
        driver.play([], root, env=ALONE)
        done = driver.play(["--lf"], root, env=ALONE)
        self.assertEqual(self.names(done.outcomes), {"test_bad": "fail", "test_error": "error"})
        done = driver.play(["--ff"], root, env=ALONE)
        self.assertEqual([test["id"].rpartition("::")[2] for test in done.lister.tests][:2], ["test_bad", "test_error"])
        self.assertEqual(len(done.outcomes), 6)

    def test_stepwise(self):
        root = self.project(test_a=FEW)
        done = driver.play(["--sw"], root, env=ALONE)
        self.assertEqual(len(done.outcomes), 2)
        done = driver.play(["--sw"], root, env=ALONE)
        self.assertEqual(done.lister.tests[0]["id"], "test_a.py::test_bad")

    def test_first_failure_ends_it(self):
        root = self.project(test_a=FEW)
        for args in (["-x"], ["--maxfail=1"]):
            done = driver.play(["-p", "no:cacheprovider"] + args, root, env=ALONE)
            self.assertEqual(done.lister.stop_told, ["stopping after 1 failures"])
            self.assertEqual(len(done.outcomes), 2)
            self.assertEqual(done.finished["exit"], 1)

    def test_ended_early(self):
        root = self.project(test_a=FEW)
        lister = driver.Lister(["-p", "no:cacheprovider"], root, driver.settings(), env=ALONE)
        self.assertEqual(lister.finish("somebody pressed Ctrl-C")["exit"], 2)
        self.assertIn("somebody pressed Ctrl-C", lister.finished["summary"])

    def test_lost(self):
        root = self.project(test_a=FEW)
        lister = driver.Lister(["--junitxml=ours.xml"], root, driver.settings(), env=ALONE)
        lister.tell({"lost": {"id": "test_a.py::test_good", "n": 0, "text": "it sank", "duration": 1.5}})
        self.assertEqual(lister.finish()["exit"], 1)
        self.assertEqual(junit(os.path.join(root, "ours.xml")), [("test_a", "test_good", ["failure"])])
        again = driver.Lister(["--lf"], root, driver.settings(), env=ALONE)
        self.assertEqual([test["id"] for test in again.tests], ["test_a.py::test_good"])
        again.finish()

    def test_summary(self):
        root = self.project(test_a=FEW + "\ndef test_warns():\n    import warnings\n    warnings.warn('shoals')\n")
        args = ["-p", "no:cacheprovider", "--durations=3", "-vv", "-rs"]
        summary = driver.play(args, root, env=ALONE).finished["summary"]
        self.assertIn("UserWarning: shoals", summary)
        self.assertIn("slowest 3 durations", summary)
        self.assertIn("SKIPPED [1]", summary)
        self.assertNotIn("= FAILURES", summary)
        self.assertNotIn("= ERRORS", summary)
        self.assertFalse(re.search(r"\d+ passed", summary))

    def test_exit_asked_by_a_test(self):
        root = self.project(test_a="""
            import pytest
            def test_a(): pytest.exit("abandon ship")
            def test_b(): pass
        """)
        done = driver.play(["-p", "no:cacheprovider"], root, env=ALONE)
        self.assertEqual(list(done.outcomes.values()), ["crash"])
        self.assertEqual(done.lister.stop_told, ["abandon ship"])
        self.assertEqual(done.finished["exit"], 2)


if __name__ == "__main__":
    sys.exit(unittest.main())
