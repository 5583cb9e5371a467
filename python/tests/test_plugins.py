"""Plug-ins that people have: coverage, xdist's contract, random order, reruns, time-outs. Skipped where they are missing."""

import importlib.util
import json
import os
import re
import unittest

import driver
import plain
from project import ALONE, ENV, ProjectTest

LIB = """
def branches(x):
    if x:
        return 1
    return 2
def loops(x):
    for i in range(x):
        if i == 3:
            break
    return x
def never():
    return 1
def of_fixture(x):
    if x: return 1
    return 2
"""
USES = """
import lib, os, pytest
@pytest.fixture(scope="module")
def wide():
    yield lib.of_fixture(1)
    lib.of_fixture(0)
def test_a(): lib.branches(1)
def test_b(): lib.branches(0)
def test_c(wide): lib.loops(2)
def test_d(wide): lib.loops(5)
def test_e(): assert lib.branches(1) == 2
"""


def needs(*modules):
    """Skips where a module is not installed."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    return unittest.skipIf(missing, "not installed: " + ", ".join(missing))


class Plugins(ProjectTest):
    """Each with the whole way through lister and warmer."""

    def run_one(self, text, *args, **options):
        """Outcomes of a project of one file."""
        root = self.project(test_a=text)
        done = driver.play(["-p", "no:cacheprovider"] + list(args), root, env=ENV, **options)
        self.done = done
        return self.names(done.outcomes)

    def table(self, text):
        """The coverage table."""
        return re.findall(r"^(?:lib|test_[ab]|TOTAL)\S*\s+\d+ .*%.*$", text, re.M)

    @needs("pytest_cov")
    def test_coverage_is_equal(self):
        for more in ([], ["--cov-branch"], ["--cov-context=test"]):
            for workers, batch in ((1, 0), (2, 0), (1, 3)):
                root = self.project(lib=LIB, test_a=USES, test_b=USES)
                args = ["-p", "no:cacheprovider", "-p", "no:randomly", "--cov=.", "--cov-report=term-missing"] + more
                wanted = self.table(plain.run(args, root, rule="python -m pytest", env=ENV)[2])
                done = driver.play(args, root, workers=workers, batch=batch, rule="python -m pytest", env=ENV)
                self.assertEqual(len(wanted), 4)
                self.assertEqual(self.table(done.finished["summary"]), wanted, (more, workers, batch))

    @needs("pytest_cov")
    def test_coverage_too_low(self):
        root = self.project(lib=LIB, test_a="import lib\ndef test_a(): pass")
        args = ["--cov=lib", "--cov-fail-under=99"]
        self.assertEqual(driver.play(args, root, rule="python -m pytest", env=ENV).finished["exit"], 1)

    @needs("xdist")
    def test_contract_of_xdist(self):
        text = """
            import os, pytest
            def test_id(worker_id): assert worker_id == os.environ["PYTEST_XDIST_WORKER"] and worker_id[:2] == "gw"
            def test_run(testrun_uid, request): assert testrun_uid == request.config.workerinput["testrunuid"]
            def test_count(request): assert request.config.workerinput["workercount"] == 2
        """
        self.assertEqual(set(self.run_one(text, workers=2).values()), {"pass"})

    def test_a_plugin_that_waits_for_xdists_hooks(self):
        root = self.project(conftest="""
            def pytest_configure(config):
                if config.pluginmanager.hasplugin("xdist"): return
                if hasattr(config, "workerinput"): config.workerinput["follower_ident"]
        """, test_a="def test_a(): pass")
        done = driver.play(["-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:django"], root, workers=2, env=ENV)
        self.assertEqual(self.names(done.outcomes), {"test_a": "pass"})

    @needs("xdist")
    def test_node_hooks(self):
        root = self.project(conftest="""
            import os, pytest
            def pytest_configure_node(node): node.workerinput["word"] = "ahoy " + node.gateway.id
            def pytest_testnodedown(node, error):
                with open(os.path.join(os.path.dirname(__file__), "down"), "a") as file:
                    file.write(node.workerinput["workerid"] + " ")
            @pytest.fixture
            def word(request): return request.config.workerinput["word"]
        """, test_a="def test_a(word, worker_id): assert word == 'ahoy ' + worker_id",
            test_b="def test_b(word, worker_id): assert word == 'ahoy gw1'")
        done = driver.play(["-p", "no:cacheprovider", "-p", "no:randomly"], root, workers=2, env=ENV)
        self.assertEqual(self.names(done.outcomes), {"test_a": "pass", "test_b": "pass"})
        with open(os.path.join(root, "down")) as file:
            self.assertEqual(file.read().split(), ["gw0", "gw1"])

    @needs("pytest_randomly", "xdist")
    def test_one_seed_for_all(self):
        text = """
            def test_a(request): assert request.config.getoption("randomly_seed") == 7
        """
        self.assertEqual(self.run_one(text, "--randomly-seed=7")["test_a"], "pass")

    @needs("pytest_randomly")
    def test_one_seed_for_all_without_xdist(self):
        text = """
            def test_a(request): print("seed", request.config.getoption("randomly_seed"))
            def test_b(request): assert isinstance(request.config.getoption("randomly_seed"), int)
        """
        found = self.run_one(text, "-p", "no:xdist", "-rP", workers=2)
        self.assertEqual(found, {"test_a": "pass", "test_b": "pass"})
        told = re.findall(r"--randomly-seed=(\d+)|seed (\d+)", self.done.finished["summary"])
        self.assertEqual(len({one or other for one, other in told}), 1, told)

    @needs("pytest_metadata", "xdist")
    def test_workers_end_with_their_metadata(self):
        self.assertEqual(self.run_one("def test_a(): pass", "--metadata", "ship", "Beagle")["test_a"], "pass")
        self.assertEqual(self.done.finished["exit"], 0)

    @needs("pytest_bdd")
    def test_scenarios_are_in_the_report(self):
        root = self.project(test_it="""
            from pytest_bdd import given, scenarios, then
            scenarios("it.feature")
            @given("a thing")
            def thing(): pass
            @then("it is there")
            def there(): pass
            @then("it is gone")
            def gone(): assert 0
        """)
        steps = "  Scenario: %s\n    Given a thing\n    Then it is %s\n"
        with open(os.path.join(root, "it.feature"), "w") as file:
            file.write("Feature: things\n" + steps % ("first", "there") + steps % ("second", "gone"))
        done = driver.play(["-p", "no:cacheprovider", "--cucumberjson=out.json"], root, workers=2, env=ENV)
        self.assertEqual(sorted(self.names(done.outcomes).values()), ["fail", "pass"])
        with open(os.path.join(root, "out.json")) as file:
            (feature,) = json.load(file)
        found = {element["name"]: element["steps"][1]["result"]["status"] for element in feature["elements"]}
        self.assertEqual(found, {"first": "passed", "second": "failed"})

    @needs("pytest_rerunfailures")
    def test_reruns(self):
        text = """
            N = []
            def test_second_time(): N.append(1); assert len(N) == 2
            def test_never(): assert 0
        """
        self.assertEqual(self.run_one(text, "--reruns=1"), {"test_second_time": "pass", "test_never": "fail"})
        reruns = [line for job in self.done.jobs.values() for line in job.lines
                  if line.get("report", {}).get("outcome") == "rerun"]
        self.assertEqual(len(reruns), 2)

    def test_steps(self):
        root = self.project(conftest="""
            import pytest
            def pytest_configure(config): config.addinivalue_line("markers", "incremental: steps")
            def pytest_runtest_makereport(item, call):
                if "incremental" in item.keywords and call.excinfo is not None:
                    item.parent.failed_before = True
            def pytest_runtest_setup(item):
                if getattr(item.parent, "failed_before", False):
                    pytest.xfail("an earlier step failed")
        """, test_a="""
            import pytest
            @pytest.mark.incremental
            class TestA:
                def test_a(self): pass
                def test_b(self): assert 0
                def test_c(self): pass
        """)
        done = driver.play(["-p", "no:cacheprovider"], root, env=ALONE)
        self.assertEqual(self.names(done.outcomes), {"test_a": "pass", "test_b": "fail", "test_c": "xfail"})

    @needs("pytest_dependency")
    def test_dependencies(self):
        text = """
            import pytest
            @pytest.mark.dependency()
            def test_a(): pass
            @pytest.mark.dependency(depends=["test_a"])
            def test_b(): pass
        """
        self.assertEqual(set(self.run_one(text, "-p", "no:randomly").values()), {"pass"})

    @needs("syrupy")
    def test_snapshots_that_are_used_stay(self):
        root = self.project(test_a="def test_a(snapshot): assert 1 == snapshot")
        args = ["-p", "no:cacheprovider", "--snapshot-update"]
        plain.run(args, root, env=ENV)
        kept = os.path.join(root, "__snapshots__", "test_a.ambr")
        for more in ([], args[2:]):
            done = driver.play(args[:2] + more, root, env=ENV)
            self.assertEqual(self.names(done.outcomes), {"test_a": "pass"})
            self.assertEqual(done.finished["exit"], 0)
            self.assertTrue(os.path.exists(kept))

    @needs("pytest_timeout")
    def test_timeouts(self):
        text = """
            import threading
            def test_hangs(): threading.Event().wait()
            def test_good(): pass
        """
        self.assertEqual(self.run_one(text, "--timeout=0.2"), {"test_hangs": "fail", "test_good": "pass"})
        found = self.run_one(text, "--timeout=0.2", "--timeout-method=thread")
        self.assertEqual(found, {"test_hangs": "crash", "test_good": "pass"})

    @needs("pytest_asyncio")
    def test_asyncio(self):
        text = """
            import asyncio, pytest, pytest_asyncio
            @pytest_asyncio.fixture(scope="module", loop_scope="module")
            async def wide(): yield asyncio.get_running_loop()
            @pytest.mark.asyncio(loop_scope="module")
            async def test_a(wide): assert wide is asyncio.get_running_loop()
            @pytest.mark.asyncio(loop_scope="module")
            async def test_b(wide): await asyncio.sleep(0)
            @pytest.mark.asyncio
            async def test_c(): await asyncio.sleep(0)
        """
        self.assertEqual(set(self.run_one(text).values()), {"pass"})

    @needs("hypothesis", "pytest_mock")
    def test_hypothesis_and_mock(self):
        text = """
            import os
            from hypothesis import given, strategies
            @given(strategies.integers())
            def test_true(x): assert x == x
            @given(strategies.integers())
            def test_false(x): assert x < 100
            def test_mock(mocker):
                double = mocker.patch("os.getcwd")
                os.getcwd()
                double.assert_called_once()
        """
        self.assertEqual(self.run_one(text), {"test_true": "pass", "test_false": "fail", "test_mock": "pass"})

    @needs("pytest_django", "django")
    def test_django(self):
        root = self.project(settings="""
            SECRET_KEY = "x"
            INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes"]
            DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
            USE_TZ = True
        """, test_a="""
            import pytest
            from django.contrib.auth.models import User
            from django.test import TestCase
            @pytest.mark.django_db
            def test_a(): User.objects.create(username="a"); assert User.objects.count() == 1
            @pytest.mark.django_db
            def test_b(): assert User.objects.count() == 0
            class TestC(TestCase):
                @classmethod
                def setUpTestData(cls): User.objects.create(username="c")
                def test_c(self): assert User.objects.get().username == "c"
                def test_d(self): User.objects.all().delete()
        """)
        args = ["-p", "no:cacheprovider", "--ds=settings"]
        done = driver.play(args, root, rule="python -m pytest", env=ENV)
        self.assertEqual(set(done.outcomes.values()), {"pass"}, [job.lines for job in done.jobs.values()])
        self.assertEqual(len(done.outcomes), 4)

    def test_conftest_files_whose_folder_comes_later(self):
        # pytest 9.1 and newer: one that is imported first and collected late.
        root = self.project(docs__test_a="def test_a(): pass", tests__sub__test_b="def test_b(it): assert it == 1", tests__conftest="""
            import pytest
            @pytest.fixture
            def it(): return 1
        """)
        done = driver.play(["-p", "no:cacheprovider"], root, env=ENV)
        self.assertEqual(self.names(done.outcomes), {"test_a": "pass", "test_b": "pass"})

    def test_what_starts_once_in_a_process(self):
        # Newer pytests count what was begun with.
        found = self.run_one("""
            import pytest, threading
            starts = []
            @pytest.fixture(scope="session")
            def before(): return 1
            @pytest.fixture(scope="session", autouse=True)
            def once(before):
                assert not starts
                starts.append(1)
                over = threading.Event()
                threading.Thread(target=over.wait, daemon=True).start()
                yield
                over.set()
            def test_a(once, before): assert threading.active_count() == 2
            def test_b(): pass
        """)
        self.assertEqual(found, {"test_a": "pass", "test_b": "pass"})

    def test_subtests(self):
        text = """
            import unittest
            class TestA(unittest.TestCase):
                def test_parts(self):
                    for number in range(3):
                        with self.subTest(number=number): assert number != 1
                def test_good(self):
                    with self.subTest("fine"): pass
        """
        wanted = plain.run(["-p", "no:cacheprovider"], self.project(test_a=text), env=ENV)
        found = self.run_one(text, "-rp")
        self.assertEqual(found, self.names(wanted[1]))
        self.assertIn("PASSED test_a.py::TestA::test_good", self.done.finished["summary"])
        self.assertNotIn("PASSED test_a.py::TestA::test_parts", self.done.finished["summary"])
        self.assertEqual(self.done.finished["exit"], wanted[0])

    def test_doctest_options(self):
        root = self.project(mod='''
            """
            >>> 1 + 1
            2
            """
            def f():
                """
                >>> f()
                7
                """
                return 8
        ''', test_a="def test_a(): pass")
        args = ["--doctest-modules", "-p", "no:cacheprovider"]
        status, wanted, _ = plain.run(args, root, env=ENV)
        done = driver.play(args, root, env=ENV)
        self.assertEqual((done.outcomes, done.finished["exit"]), (wanted, status))


if __name__ == "__main__":
    unittest.main()
