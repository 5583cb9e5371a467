"""unittest's lister: what it finds for which arguments, and what it says of it."""

import os
import subprocess
import sys
import unittest

import driver
import unittest_driver
from project import ENV, ProjectTest

CASE = """
    import unittest
    class A(unittest.TestCase):
        def test_one(self): pass
        def test_two(self): pass
    class B(unittest.TestCase):
        def test_one(self): pass
"""


class ListerTest(ProjectTest):
    """With one lister."""

    def package(self, **files):
        """A project where `pkg` is a package."""
        root = self.project(**files)
        with open(os.path.join(root, "pkg", "__init__.py"), "w"):
            return root

    def lister(self, root, *args, **env):
        """Ends with the test."""
        lister = unittest_driver.Lister(args, root, driver.settings(), rule=unittest_driver.RULE, env=dict(ENV, **env))
        self.addCleanup(lister.close)
        self.addCleanup(lister.child.wait)
        self.addCleanup(lister.child.kill)
        self.addCleanup(lister.child.stdout.close)
        return lister

    def ids(self, root, *args):
        """What these arguments find."""
        return [test["id"] for test in self.lister(root, *args).tests]


class Finding(ListerTest):
    """Discovery and selection are unittest's own."""

    def test_discovery(self):
        root = self.package(test_a=CASE, pkg__test_b=CASE, pkg__check_c=CASE, other__test_d=CASE)
        all = ["A.test_one", "A.test_two", "B.test_one"]
        self.assertEqual(self.ids(root), ["pkg.test_b::" + name for name in all] + ["test_a::" + name for name in all])
        self.assertEqual(self.ids(root, "-v"), self.ids(root))
        self.assertEqual(self.ids(root, "discover", "-s", "pkg"), ["test_b::" + name for name in all])
        self.assertEqual(self.ids(root, "discover", "-s", "pkg", "-t", "."), ["pkg.test_b::" + name for name in all])
        self.assertEqual(self.ids(root, "discover", "pkg", "check*.py"), ["check_c::" + name for name in all])
        self.assertEqual(self.ids(root, "discover", "-s", "other", "-p", "*_d.py"), ["test_d::" + name for name in all])

    def test_names(self):
        root = self.package(test_a=CASE, pkg__test_b=CASE)
        self.assertEqual(self.ids(root, "test_a.A.test_two", "pkg.test_b.B"), ["test_a::A.test_two", "pkg.test_b::B.test_one"])
        self.assertEqual(self.ids(root, "pkg/test_b.py")[0], "pkg.test_b::A.test_one")
        self.assertEqual(self.ids(root, "test_a.A.test_one", "test_a.A", "test_a.A.test_one"),
                         ["test_a::A.test_one", "test_a::A.test_one (again)", "test_a::A.test_two",
                          "test_a::A.test_one"])

    @unittest.skipIf(sys.version_info < (3, 7), "-k is of 3.7")
    def test_patterns(self):
        root = self.project(test_a=CASE)
        self.assertEqual(self.ids(root, "-k", "two", "-k", "*B*"), ["test_a::A.test_two", "test_a::B.test_one"])

    def test_equal_ids_are_numbered(self):
        root = self.project(test_a=CASE + """
    def load_tests(loader, tests, pattern):
        return unittest.TestSuite([A("test_one"), A("test_one")])
""")
        found = [(test["id"], test["n"], test["file"]) for test in self.lister(root).tests]
        self.assertEqual(found, [("test_a::A.test_one", number, "module:test_a") for number in (0, 1)])

    def test_working_directory_is_first(self):
        root = self.project(test_a="""
            import os, sys, unittest
            class A(unittest.TestCase):
                pass
            setattr(A, "test_first" if sys.path[0] == os.getcwd() else "test_not", lambda self: None)
            setattr(A, "test_" + sys.argv[0].rpartition(" ")[2] + "_".join(sys.argv[1:]), lambda self: None)
        """)
        self.assertEqual(self.ids(root, "test_a"), ["test_a::A.test_first", "test_a::A.test_unittesttest_a"])


    def test_files_named_as_the_standard_librarys(self):
        root = self.project(test_a=CASE + "    import platform\n    platform.ours\n", platform="ours = 1", mmap="nonsense(")
        self.assertEqual(len(self.ids(root)), 3)


class Units(ListerTest):
    """What has to be run together."""

    def units(self, root):
        """Unit by id, without tests that are alone."""
        return {test["id"].partition("::")[2]: test.get("unit") for test in self.lister(root).tests}

    def test_fixtures(self):
        root = self.project(test_a=CASE + """
    class C(unittest.TestCase):
        @classmethod
        def setUpClass(cls): pass
        def test_it(self): pass
    class D(C):
        @classmethod
        def tearDownClass(cls): pass
""", test_b=CASE + """
    def tearDownModule(): pass
""")
        units = [(test["id"], test.get("unit")) for test in self.lister(root).tests]
        self.assertEqual(units, [
            ("test_a::A.test_one", None), ("test_a::A.test_two", None), ("test_a::B.test_one", None),
            ("test_a::C.test_it", "class C"), ("test_a::D.test_it", "class D"),
            ("test_b::A.test_one", "module test_b"), ("test_b::A.test_two", "module test_b"),
            ("test_b::B.test_one", "module test_b"),
        ])

    @unittest.skipIf(sys.version_info < (3, 8), "cleanups are of 3.8")
    def test_cleanups(self):
        root = self.project(test_a=CASE + """
    A.addClassCleanup(print)
""", test_b=CASE + """
    unittest.addModuleCleanup(print)
""")
        units = [(test["file"], test.get("unit")) for test in self.lister(root).tests if "::A" in test["id"]]
        self.assertEqual(units, 2 * [("module:test_a", "class A")] + 2 * [("module:test_b", "module test_b")])

    def test_suites_with_ways_of_their_own(self):
        root = self.project(test_a=CASE + """
    class Own(unittest.TestSuite):
        def run(self, result): return unittest.TestSuite.run(self, result)
    class Plain(unittest.TestSuite):
        pass
    def load_tests(loader, tests, pattern):
        return unittest.TestSuite([Own([Plain([A("test_one")])]), Plain([A("test_two")])])
""")
        self.assertEqual(self.units(root), {"A.test_one": "suite Own", "A.test_two": None})

    def test_threads(self):
        root = self.project(test_a=CASE, test_b=CASE + """
    import threading, time
    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
""")
        lister = self.lister(root)
        self.assertEqual([test["job"] for test in lister.tests], 3 * ["test"] + 3 * ["file"])
        self.assertEqual([other["notice"]["file"] for other in lister.others if "notice" in other], ["test_b"])


class Trouble(ListerTest):
    """What cannot be loaded is told, and the rest is run."""

    def test_import_error(self):
        root = self.project(test_a="import there_is_no_such_module", test_b=CASE)
        lister = self.lister(root)
        self.assertEqual([problem["id"] for problem in lister.problems], ["test_a"])
        self.assertIn("there_is_no_such_module", lister.problems[0]["text"])
        self.assertEqual((len(lister.tests), lister.listed["exit"]), (3, None))

    def test_nothing_can_be_loaded(self):
        root = self.project(test_a=CASE)
        for name in ("test_nowhere", "test_a.C", "test_a.A.test_three"):
            lister = self.lister(root, name)
            self.assertEqual([problem["id"] for problem in lister.problems], [name])
            self.assertEqual(lister.listed["exit"], 3)

    def test_nothing_is_found(self):
        self.assertEqual(self.lister(self.project(a=CASE)).listed["exit"], 5)

    def test_wrong_arguments(self):
        lister = self.lister(self.project(test_a=CASE), "--no-such-option")
        self.assertEqual(lister.listed["exit"], 4)
        lister.take()
        lister.end()
        self.assertIn(b"--no-such-option", lister.output)

    def test_start_directory_that_is_not_there(self):
        lister = self.lister(self.project(test_a=CASE), "discover", "-s", "nowhere")
        self.assertEqual(lister.listed["exit"], 3)
        lister.take()
        lister.end()
        self.assertIn(b"Start directory is not importable", lister.output)

    def test_skipped_module(self):
        lister = self.lister(self.project(test_a="import unittest\nraise unittest.SkipTest('low tide')"))
        self.assertEqual([other["skipped"] for other in lister.others if "skipped" in other],
                         [{"id": "test_a", "reason": "low tide"}])
        self.assertIsNone(lister.listed["exit"])


class Hearing(ListerTest):
    """After the tests."""

    def reports(self, lister, outcome):
        """Tells of the first test."""
        report = {"outcome": outcome, "duration": 0.5, "when": "call"}
        lister.tell({"reports": [{"id": lister.tests[0]["id"], "n": 0, "lines": [{"test": 0, "report": report}]}]})

    def test_failfast(self):
        root = self.project(test_a=CASE)
        for args, outcome, stops in ((["-f"], "failed", 1), (["-f"], "passed", 0), ([], "failed", 0)):
            lister = self.lister(root, *args)
            self.reports(lister, outcome)
            self.assertEqual(len(lister.stop_asked()), stops, (args, outcome))
            self.assertEqual(lister.finish()["exit"], 1 if outcome == "failed" else 0)

    def test_lost_is_a_failure(self):
        lister = self.lister(self.project(test_a=CASE), "-f")
        lister.tell({"lost": {"id": "test_a::A.test_one", "n": 0, "text": "crash", "duration": 0.0}})
        self.assertTrue(lister.stop_asked())
        self.assertEqual(lister.finish()["exit"], 1)

    @unittest.skipIf(sys.version_info < (3, 12), "--durations is of 3.12")
    def test_durations(self):
        lister = self.lister(self.project(test_a=CASE), "--durations", "1")
        self.reports(lister, "passed")
        self.assertIn("0.500s     test_a.A.test_one\n", lister.finish()["summary"])


class Plainly(ListerTest):
    """Against the command itself."""

    def test_order_is_unittests(self):
        root = self.package(test_a=CASE, pkg__test_b=CASE)
        plain = subprocess.run([sys.executable, "-m", "unittest", "-v"], cwd=root, env=ENV, stderr=subprocess.PIPE)
        names = [line.partition(" ")[0] for line in plain.stderr.decode().split("\n") if line.endswith(" ok")]
        self.assertEqual([id.rpartition(".")[2] for id in self.ids(root)], names)


if __name__ == "__main__":
    unittest.main()
