"""Fixtures wider than a function: set up in the warmer, used in forks, torn down in the warmer."""

import unittest

import driver
from project import ALONE
from test_warmer import QUIET, WarmerTest


class Again(WarmerTest):
    """Tests that run a second time in the same warmer."""

    def test_after_its_fixture_was_torn_down(self):
        root = self.project(test_a="""
            import pytest
            @pytest.fixture(scope="module")
            def db(): return {}
            def test_a(db): pass
            def test_b(db): pass
        """)
        warmer = self.warmer(root)
        for last in ("module", "module", None, "session"):
            job = warmer.job(self.payload(root, "test_a", "test_a", "test_b", batch=True, last=last))
            self.assertEqual(self.outcomes(job, 2), ["pass", "pass"], job.lines)
            job = warmer.job(self.payload(root, "test_a", "test_b", last=last))
            self.assertEqual(self.outcomes(job, 1), ["pass"], job.lines)
        warmer.finish()

    def test_after_tests_of_other_classes(self):
        root = self.project(test_a="""
            import unittest
            class TestA(unittest.TestCase):
                @classmethod
                def setUpClass(cls): cls.left = 1
                def test_a(self): assert self.left
            class TestB(TestA): pass
            class TestC(TestA): pass
        """)
        warmer = self.warmer(root)
        names = ["TestA::test_a", "TestB::test_a", "TestC::test_a"]
        for some in (names, names[2:], names[1:2], names, names[1:], names):
            job = warmer.job(self.payload(root, "test_a", *some, batch=True))
            self.assertEqual(self.outcomes(job, len(some)), ["pass"] * len(some), job.lines)
        warmer.finish()

    def test_in_another_class(self):
        root = self.project(test_a="""
            import pytest
            @pytest.fixture(scope="class")
            def box(): return []
            class TestA:
                def test_0(self, box): pass
                def test_1(self, box): box.append(1)
            class TestB:
                def test_2(self, box): assert box == []
        """)
        warmer = self.warmer(root)
        job = warmer.job(self.payload(root, "test_a", "TestA::test_0", "TestA::test_1", "TestB::test_2", batch=True))
        self.assertEqual(self.outcomes(job, 3), ["pass"] * 3, job.lines)
        warmer.finish()


class OfClasses(WarmerTest):
    """Fixtures of class scope."""

    def test_for_a_function_in_no_class(self):
        root = self.project(conftest="""
            import pytest
            @pytest.fixture(scope="class", autouse=True)
            def whose(request):
                state = [request.cls]
                yield state
                state.clear()
        """, test_a="""
            def test_f(whose): assert whose == [None]
            def test_g(whose): assert whose == [None]
            class TestA:
                def test_m(self, whose): assert whose == [TestA]
                def test_n(self, whose): assert whose == [TestA]
            def test_h(whose): assert whose == [None]
        """)
        warmer = self.warmer(root)
        job = warmer.job(self.payload(root, "test_a", "test_f", "test_g", "TestA::test_m", "TestA::test_n", "test_h"))
        self.assertEqual(self.outcomes(job, 5), ["pass"] * 5, job.lines)
        warmer.finish()


class Failures(WarmerTest):
    """Set-ups that fail elsewhere than in the fixture."""

    def test_teardown_of_the_parameter_before(self):
        root = self.project(test_a="""
            import pytest
            @pytest.fixture(scope="module", params=["a", "b"])
            def db(request):
                yield request.param
                assert request.param != "a", "did not stop"
            def test_one(db): pass
        """)
        done = driver.play(QUIET, root, env=ALONE)
        self.assertEqual(self.names(done.outcomes), {"test_one[a]": "pass", "test_one[b]": "error"})
        self.assertEqual(done.late, [])

    def test_hook_around_a_set_up(self):
        hook = """
            import pytest
            @pytest.hookimpl(hookwrapper=True)
            def pytest_fixture_setup(fixturedef):
                yield
                if fixturedef.argname == "slow": raise RuntimeError("too slow")
        """
        test = "import pytest\n@pytest.fixture(scope='session')\ndef slow(): return 1\ndef test_a(slow): pass\ndef test_b(slow): pass"
        root = self.project(conftest=hook, test_a=test)
        done = driver.play(QUIET, root, env=ALONE)
        self.assertEqual(self.names(done.outcomes), {"test_a": "error", "test_b": "pass"})

    def test_plugin_that_refuses_an_empty_test(self):
        hook = """
            import pytest
            @pytest.hookimpl(hookwrapper=True)
            def pytest_runtest_makereport(item):
                out = yield
                out.get_result().description = item.function.__doc__.strip()
        """
        root = self.project(conftest="pytest_plugins = ['plug']", plug=hook, test_a='def test_a():\n    """A."""')
        done = driver.play(QUIET, root, env=ALONE, rule="python -m pytest")
        self.assertEqual(self.names(done.outcomes), {"test_a": "pass"})


class AsInTheTest(WarmerTest):
    """What user code meets in a set-up."""

    def test_current_test(self):
        root = self.project(test_a="""
            import os, pytest
            @pytest.fixture(scope="session")
            def seen():
                yield os.environ["PYTEST_CURRENT_TEST"]
                assert os.environ["PYTEST_CURRENT_TEST"] == "test_a.py::test_b (teardown)"
            def test_a(seen): assert seen == "test_a.py::test_a (setup)"
            def test_b(seen): assert seen == "test_a.py::test_a (setup)"
        """)
        done = driver.play(QUIET, root, env=ALONE)
        self.assertEqual(self.names(done.outcomes), {"test_a": "pass", "test_b": "pass"})
        self.assertEqual(done.late, [])


class Patched(WarmerTest):
    """What tests put in the place of what the helper uses."""

    def test_functions_and_the_environment(self):
        root = self.project(test_a="""
            import os, pytest, unittest
            from unittest import mock
            def test_pid(monkeypatch): monkeypatch.setattr(os, "getpid", lambda: 42)
            def test_directory(monkeypatch): monkeypatch.setattr(os, "chdir", lambda path: 1 / 0)
            class TestA(unittest.TestCase):
                @classmethod
                def setUpClass(cls):
                    cls.patches = [mock.patch("os.environ", {"A": "b"}), mock.patch("os.getcwd", return_value="/no/where"),
                                   mock.patch("os.chdir"), mock.patch("os.getpid", return_value=1)]
                    for patch in cls.patches: patch.start()
                @classmethod
                def tearDownClass(cls):
                    for patch in cls.patches: patch.stop()
                def test_a(self): assert ("PATH" in os.environ, os.getcwd(), os.getpid()) == (False, "/no/where", 1)
                def test_b(self): assert os.environ["A"] == "b"
        """)
        warmer = self.warmer(root)
        names = ["test_pid", "test_directory", "TestA::test_a", "TestA::test_b"]
        for check in (False, True):
            jobs = [warmer.job(self.payload(root, "test_a", *part, batch=check, check=check)) for part in (names[:2], names[2:])]
            self.assertEqual([self.outcomes(job, 2) for job in jobs], [["pass"] * 2] * 2, [job.lines for job in jobs])
        self.assertEqual(warmer.finish()[0], 0)

    def test_what_no_json_holds(self):
        root = self.project(test_a="""
            def test_a(record_property):
                loop = []
                loop.append(loop)
                record_property("keys", {("a", "b"): 1, 2: 3})
                record_property("loop", loop)
        """)
        done = driver.play(QUIET, root, env=ALONE)
        self.assertEqual(self.names(done.outcomes), {"test_a": "pass"})

    def test_child_that_is_interrupted(self):
        root = self.project(test_a="""
            import os
            def test_a():
                if os.fork() == 0: raise KeyboardInterrupt
                os.wait()
        """)
        done = driver.play(QUIET, root, env=ALONE)
        self.assertEqual(self.names(done.outcomes), {"test_a": "pass"})


class Stops(WarmerTest):
    """Sessions that somebody wants to end."""

    def test_a_test_ends_the_session(self):
        for word in ("shouldfail", "shouldstop"):
            hook = """
                def pytest_runtest_teardown(item):
                    if item.name == "test_b": item.session.%s = "quota"
            """ % word
            root = self.project(conftest=hook, test_a="\n".join("def test_%s(): pass" % name for name in "abcd"))
            for batch in (0, 4):
                done = driver.play(QUIET, root, env=ALONE, batch=batch)
                ran = {name for name, outcome in self.names(done.outcomes).items() if outcome == "pass"}
                self.assertEqual(ran, {"test_a", "test_b"})
                self.assertEqual(done.finished["exit"], 1 if word == "shouldfail" else 2)
                self.assertIn("quota", done.finished["summary"])


if __name__ == "__main__":
    unittest.main()
