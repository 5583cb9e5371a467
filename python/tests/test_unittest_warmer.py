"""unittest's warmer: what a test's reports say, what is run together, and what a fork finds."""

import os
import sys
import unittest

import driver
import unittest_driver
from project import ENV, ProjectTest

CASE = """
    import os, sys, unittest
    class A(unittest.TestCase):
"""


class WarmerTest(ProjectTest):
    """With whole runs of one small module."""

    def run_module(self, text, *args, **more):
        """Runs `test_a` with this text."""
        self.root = self.project(test_a=text, **more)
        return unittest_driver.Run(list(args), self.root, env=ENV)

    def by_name(self, run):
        """Outcomes by name."""
        return {id.partition("::")[2]: outcome for (id, _), outcome in run.outcomes.items()}

    def failures(self, run, name):
        """Failed reports of a test of `test_a`: when, message, text, subtest, sections."""
        found = []
        for report in run.reports("test_a::" + name):
            if report["outcome"] == "failed":
                words = report["longrepr"]
                text = words["reprtraceback"]["reprentries"][0]["data"]["lines"][0]
                found.append((report["when"], words["reprcrash"]["message"], text,
                              report.get("_subtest.context"), dict(report["sections"])))
        return found


class Words(WarmerTest):
    """What is told of a test."""

    def test_a_failure_has_unittests_words(self):
        run = self.run_module(CASE + """
        def test_it(self):
            self.assertEqual([1], [2])
""")
        (when, message, text, _, _), = self.failures(run, "A.test_it")
        self.assertEqual((when, message), ("call", "AssertionError: Lists differ: [1] != [2]\n\nFirst differing element 0:\n1\n2\n\n- [1]\n+ [2]"))
        self.assertTrue(text.startswith("Traceback (most recent call last):\n"), text)
        self.assertIn("self.assertEqual([1], [2])", text)
        self.assertNotIn("unittest/case.py", text)
        self.assertEqual([report["when"] for report in run.reports("test_a::A.test_it")], ["setup", "call", "call", "teardown"])

    def test_each_subtest_is_told(self):
        run = self.run_module(CASE + """
        def test_it(self):
            for number in range(3):
                with self.subTest("of many", number=number):
                    self.assertEqual(number, 1)
            with self.subTest():
                raise KeyError("x")
""")
        contexts = [(context["msg"], context["kwargs"]) for _, _, _, context, _ in self.failures(run, "A.test_it")]
        self.assertEqual(contexts, [("of many", {"number": "0"}), ("of many", {"number": "2"}), (None, {})])

    def test_locals(self):
        text = CASE + """
        def test_it(self):
            sails = 3
            self.fail()
"""
        self.assertNotIn("sails = 3", self.failures(self.run_module(text), "A.test_it")[0][2].partition("sails = 3")[2])
        self.assertIn("    sails = 3\n", self.failures(self.run_module(text, "--locals"), "A.test_it")[0][2])

    def test_buffer(self):
        text = CASE + """
        def test_it(self):
            print("kept", type(sys.stdout).__name__)
            self.fail()
        def test_well(self):
            print("not kept")
"""
        run = self.run_module(text, "-b")
        self.assertIn("Stdout:\nkept StringIO\n", self.failures(run, "A.test_it")[0][2])
        self.assertEqual([job.out for job in run.jobs], ["", ""])
        run = self.run_module(text)
        self.assertEqual([job.out for job in run.jobs], ["kept TextIOWrapper\n", "not kept\n"])

    def test_output_in_a_unit_belongs_to_its_test(self):
        run = self.run_module(CASE + """
        @classmethod
        def setUpClass(cls): print("set up")
        def test_a(self): print("first"); self.fail()
        def test_b(self): os.system("echo second"); sys.stderr.write("aside"); self.fail()
        def test_c(self): print("third")
""")
        self.assertEqual(len(run.jobs), 1)
        sections = {report["when"]: report["sections"] for report in run.reports("test_a::A.test_a")}
        self.assertEqual(sections["setup"], [["Captured stdout setup", "set up\n"]])
        self.assertEqual(self.failures(run, "A.test_a")[0][4], {"Captured stdout call": "first\n"})
        self.assertEqual(self.failures(run, "A.test_b")[0][4],
                         {"Captured stdout call": "second\n", "Captured stderr call": "aside"})
        self.assertEqual((run.jobs[0].out, run.jobs[0].err), ("", ""))

    def test_a_test_that_mocks_does_not_silence_us(self):
        run = self.run_module(CASE + """
        def test_it(self):
            from unittest import mock
            with mock.patch("os.write"), mock.patch("time.perf_counter", side_effect=KeyError):
                with self.subTest(number=1):
                    self.fail()
""")
        self.assertEqual(self.by_name(run), {"A.test_it": "fail"})
        self.assertEqual(len(self.failures(run, "A.test_it")), 1)

    def test_pass_after_ctrl_c_is_none(self):
        run = self.run_module(CASE + """
        def test_it(self): raise KeyboardInterrupt
        def test_well(self): pass
""")
        self.assertEqual(self.by_name(run), {"A.test_it": "error", "A.test_well": "pass"})
        words = [line["broken"] for line in run.lines[("test_a::A.test_it", 0)] if "broken" in line]
        self.assertIn("KeyboardInterrupt", words[0])


class Together(WarmerTest):
    """Units."""

    def test_set_up_once_each(self):
        run = self.run_module(CASE + """
        log = []
        @classmethod
        def setUpClass(cls): A.log.append("A up")
        @classmethod
        def tearDownClass(cls): A.log.append("A down")
        def test_a(self): self.assertEqual(A.log, ["module up", "A up"])
        def test_b(self): self.assertEqual(A.log, ["module up", "A up"])
    class B(unittest.TestCase):
        def test_b(self): self.assertEqual(A.log, ["module up", "A up", "A down"])
    def setUpModule(): A.log.append("module up")
""")
        self.assertEqual(self.by_name(run), {"A.test_a": "pass", "A.test_b": "pass", "B.test_b": "pass"})
        self.assertEqual(len(run.jobs), 1)

    def test_classes_alone_are_apart(self):
        run = self.run_module(CASE + """
        @classmethod
        def setUpClass(cls): os.environ["MATE"] = "1"
        def test_a(self): pass
    class B(unittest.TestCase):
        def test_b(self): self.assertNotIn("MATE", os.environ)
""")
        self.assertEqual(self.by_name(run), {"A.test_a": "pass", "B.test_b": "pass"})
        self.assertEqual(len(run.jobs), 2)

    def test_failed_teardown_of_a_class_in_a_module(self):
        run = self.run_module(CASE + """
        @classmethod
        def tearDownClass(cls): raise OSError("stuck")
        def test_a(self): pass
        def test_b(self): pass
    class B(unittest.TestCase):
        def test_b(self): pass
    def tearDownModule(): raise OSError("stuck too")
""")
        self.assertEqual(self.by_name(run), {"A.test_a": "pass", "A.test_b": "error", "B.test_b": "error"})
        self.assertEqual([found[:2] for found in self.failures(run, "A.test_b")], [("teardown", "OSError: stuck")])
        self.assertEqual([found[:2] for found in self.failures(run, "B.test_b")], [("teardown", "OSError: stuck too")])

    def test_failfast_leaves_the_rest(self):
        run = self.run_module(CASE + """
        @classmethod
        def setUpClass(cls): pass
        def test_a(self): pass
        def test_b(self): self.fail()
        def test_c(self): pass
""", "-f")
        self.assertEqual([bool(run.lines[("test_a::A.test_" + name, 0)]) for name in "abc"], [True, True, False])
        self.assertEqual(self.by_name(run), {"A.test_a": "pass", "A.test_b": "fail", "A.test_c": "crash"})
        self.assertTrue(run.lister.stop_told)

    def test_a_death_between_classes_is_the_next_ones(self):
        run = self.run_module(CASE + """
        def test_a(self): pass
    class B(unittest.TestCase):
        @classmethod
        def setUpClass(cls): os._exit(0)
        def test_b(self): pass
    def setUpModule(): pass
""")
        lines = run.jobs[0]
        self.assertIn({"test": 0, "end": True}, lines.of(0))
        self.assertEqual(lines.of(1), [{"test": 1, "start": True}])

    def test_unsafe_modules_are_loaded_in_their_process(self):
        run = self.run_module(CASE + """
        def test_a(self): THREAD.join(10); self.assertEqual(FOUND, [os.getpid()])
        def test_b(self): self.assertEqual(FOUND, [os.getpid()])
    import threading
    FOUND = []
    THREAD = threading.Thread(target=lambda: FOUND.append(os.getpid()))
    THREAD.start()
    KEEP = threading.Thread(target=threading.Event().wait, daemon=True)
    KEEP.start()
""")
        self.assertEqual(self.by_name(run), {"A.test_a": "pass", "A.test_b": "pass"})
        self.assertEqual(len(run.jobs), 1)


class Jobs(WarmerTest):
    """Single jobs, sent by hand."""

    def job_of(self, warmer, *names, **more):
        """A job of tests of `test_a`."""
        tests = [{"id": "test_a::" + name, "n": 0} for name in names]
        return warmer.job(dict({"file": "module:test_a", "tests": tests}, **more))

    def test_a_death_is_the_last_of_its_job(self):
        warmer = self.warmer(test_a=CASE + """
        def test_a(self): pass
        def test_b(self): os._exit(3)
        def test_c(self): pass
""")
        job = self.job_of(warmer, "A.test_a", "A.test_b", "A.test_c")
        self.assertEqual([bool(end[1]) for end in job.ended], [False, True])
        self.assertEqual([list(line) for line in job.of(1) + job.of(2)], [["test", "start"]])
        warmer.finish()

    def test_a_batch_meets_what_came_before(self):
        warmer = self.warmer(test_a=CASE + """
        def test_a(self): os.environ["MATE"] = "1"
        def test_b(self): self.assertIn("MATE", os.environ)
""")
        for batch, outcomes in ((False, ["pass", "fail"]), (True, ["pass", "pass"])):
            job = self.job_of(warmer, "A.test_a", "A.test_b", batch=batch)
            self.assertEqual([driver.outcome(job.of(place), job.ended[-1][1]) for place in range(2)], outcomes)
        warmer.finish()

    def test_a_modules_teardown_belongs_to_its_last_test(self):
        warmer = self.warmer(test_a="""
            import test_b, test_c, unittest
            def load_tests(loader, tests, pattern):
                return unittest.TestSuite([test_b.B("test_it"), test_c.C("test_it")])
        """, test_b="""
            import unittest
            class B(unittest.TestCase):
                def test_it(self): pass
            def tearDownModule(): raise OSError("stuck")
        """, test_c="""
            import unittest
            class C(unittest.TestCase):
                def test_it(self): pass
        """)
        job = self.job_of(warmer, "test_b.B.test_it", "test_c.C.test_it", batch=True)
        self.assertEqual([driver.outcome(job.of(place), job.ended[-1][1]) for place in range(2)], ["error", "pass"])
        warmer.finish()

    def warmer(self, *args, **files):
        """Ends with the test."""
        self.root = self.project(**files)
        warmer = unittest_driver.Warmer(args, self.root, driver.settings(), rule=unittest_driver.RULE, env=ENV, slot=0)
        self.addCleanup(warmer.close)
        return warmer

    def test_missing_and_broken(self):
        warmer = self.warmer(test_a=CASE + "        def test_a(self): pass", test_b="import no_such_module")
        job = warmer.job({"file": "module:test_a", "tests": [{"id": "test_a::A.test_gone", "n": 0},
                                                             {"id": "test_a::A.test_a", "n": 1}]})
        self.assertEqual([list(line) for line in job.lines], 2 * [["test", "missing"]])
        job = warmer.job({"file": "module:test_b", "tests": [{"id": "test_b::A.test_a", "n": 0}]})
        self.assertIn("no_such_module", job.lines[0]["broken"])
        job = warmer.job({"file": "name:test_a.A.test_a", "tests": [{"id": "test_a::A.test_a (again)", "n": 0}]})
        self.assertEqual(driver.outcome(job.of(0), job.ended[0][1]), "pass")
        self.assertEqual(warmer.finish()[0], 0)

    def test_only_what_a_job_needs_is_imported(self):
        warmer = self.warmer(test_a="""
            import sys, unittest
            class A(unittest.TestCase):
                def test_a(self): self.assertNotIn("test_b", sys.modules)
        """, test_b="open('imported', 'w')")
        job = warmer.job({"file": "module:test_a", "tests": [{"id": "test_a::A.test_a", "n": 0}]})
        self.assertEqual(driver.outcome(job.of(0), job.ended[0][1]), "pass")
        self.assertGreater(warmer.keeps, 0)
        warmer.finish()

    @unittest.skipIf(sys.version_info < (3, 8), "module cleanups are of 3.8")
    def test_cleanups_of_imports_belong_to_their_module(self):
        text = CASE + """
        def test_a(self): self.assertTrue(os.path.exists("made_by_" + __name__))
    unittest.addModuleCleanup(os.remove, "made_by_" + __name__)
    def tearDownModule(): pass
    open("made_by_" + __name__, "w").close()
"""
        warmer = self.warmer(test_a=text, test_b=text)
        warmer.job({"file": "module:test_b", "tests": [{"id": "test_b::A.test_gone", "n": 0}]})
        for name in ("test_a", "test_b"):
            job = warmer.job({"file": "module:" + name, "tests": [{"id": name + "::A.test_a", "n": 0}]})
            self.assertEqual(driver.outcome(job.of(0), job.ended[0][1]), "pass", job.lines)
        self.assertEqual([name for name in os.listdir(self.root) if name.startswith("made")], [])
        warmer.finish()

    def test_the_environment_is_the_users(self):
        warmer = self.warmer(test_a=CASE + """
        def test_a(self):
            self.assertNotIn("SEATRIAL_SLOT", os.environ)
            for number in range(3, 11):
                self.assertRaises(OSError, os.fstat, number)
""")
        job = warmer.job({"file": "module:test_a", "tests": [{"id": "test_a::A.test_a", "n": 0}]})
        lines = [line for line in job.lines if line.get("report", {}).get("outcome") == "failed"]
        self.assertEqual(driver.outcome(job.of(0), job.ended[0][1]), "pass", lines)
        warmer.finish()


if __name__ == "__main__":
    unittest.main()
