"""Imports that leave what forks cannot inherit."""

import driver
from project import ALONE
from test_warmer import QUIET, WarmerTest

POOL = """
    from concurrent.futures import ThreadPoolExecutor
    POOL = ThreadPoolExecutor(1)
    POOL.submit(int).result()
"""
USES = "def test_it(): assert app.POOL.submit(int, '3').result(timeout=5) == 3"


class Leftovers(WarmerTest):
    """Threads and open files."""

    def play(self, *args, **files):
        """Outcomes, and what is said of files."""
        done = driver.play(QUIET + list(args), self.project(**files), env=ALONE, rule="python -m pytest")
        return self.names(done.outcomes), [other["notice"]["text"] for other in done.lister.others if "notice" in other], done

    def test_whoever_is_first(self):
        files = {"test_" + name: "import app\n" + USES for name in "ab"}
        files["test_c"] = "from between import USED\ndef test_c(): assert USED.submit(int, '4').result(timeout=5) == 4"
        files["test_d"] = "def test_d(): pass"
        names, said, done = self.play(app=POOL, between="from app import POOL as USED", **files)
        self.assertEqual(set(names.values()), {"pass"})
        self.assertEqual(len(said), 3, said)
        self.assertFalse(done.lister.listed["cold"])
        self.assertEqual([test["job"] for test in done.lister.tests], ["file"] * 3 + ["test"])

    def test_what_is_imported_early(self):
        names, said, done = self.play(
            app=POOL, between="from app import POOL as USED", test_0="def test_0(): pass", test_a="import app\n" + USES,
            test_c="from between import USED\ndef test_c(): assert USED.submit(int, '4').result(timeout=5) == 4")
        self.assertEqual(set(names.values()), {"pass"})
        self.assertFalse({"app", "between"} & set(done.lister.listed["imports"]))

    def test_values_that_answer_to_anything(self):
        proxy = """
            class Proxy(object):
                @property
                def __class__(self): raise RuntimeError("not configured")
                def __getattr__(self, name): raise RuntimeError("not configured")
            P = Proxy()
        """
        names, said, done = self.play(proxy=proxy, test_a="LOG = open('log.txt', 'w')\ndef test_a(): pass",
                                      test_b="from proxy import P\ndef test_b(): pass")
        self.assertEqual(names, {"test_a": "pass", "test_b": "pass"})

    def test_what_is_over_by_then(self):
        over = """
            import logging, threading
            from concurrent.futures import ThreadPoolExecutor
            for _ in range(20):
                thread = threading.Thread(target=int); thread.start(); thread.join()
            with ThreadPoolExecutor(4) as pool: list(pool.map(int, range(8)))
            logging.getLogger("x").addHandler(logging.FileHandler("log.txt"))
        """
        names, said, done = self.play(conftest=over, sub__conftest=over, sub__test_a="def test_a(): pass")
        self.assertEqual((names, said), ({"test_a": "pass"}, []))
        self.assertFalse(done.lister.listed["cold"])

    def test_thread_of_a_hook(self):
        hook = """
            import app
            def pytest_configure(config): config.pool = app.start()
        """
        app = """
            from concurrent.futures import ThreadPoolExecutor
            def start():
                pool = ThreadPoolExecutor(1)
                pool.submit(int).result()
                return pool
        """
        test = "def test_a(request): assert request.config.pool.submit(int, '3').result(timeout=5) == 3"
        names, said, done = self.play(conftest=hook, app=app, test_a=test)
        self.assertEqual((names, done.lister.listed["cold"]), ({"test_a": "pass"}, True))

    def test_conftest(self):
        names, said, done = self.play(
            conftest="import app, pytest\n@pytest.fixture(scope='session')\ndef number(): return 1",
            app=POOL, test_a="import app\n" + USES, one__test_b="import app\n" + USES + "\ndef test_n(number): assert number == 1",
            test_c="def test_c(): assert 1 == 2", test_d="import os\ndef test_d(): os._exit(0)")
        self.assertEqual(names, {"test_it": "pass", "test_n": "pass", "test_c": "fail", "test_d": "crash"})
        self.assertEqual((len(said), done.lister.listed["cold"]), (1, True))
        self.assertEqual(done.finished["exit"], 1)

    def test_open_database(self):
        app = """
            import sqlite3
            DB = sqlite3.connect("test.db")
            DB.execute("create table if not exists t(a)")
            DB.commit()
        """
        uses = "def test_%s():\n    app.DB.execute('insert into t values (1)'); app.DB.commit()"
        names, said, done = self.play(app=app, test_a="import app\n" + uses % "a", test_b="import app\n" + uses % "b")
        self.assertEqual(names, {"test_a": "pass", "test_b": "pass"})
        self.assertEqual((len(said), done.lister.listed["cold"]), (2, False))
        names, said, done = self.play(app=app, conftest="import app", test_a="import app\n" + uses % "a")
        self.assertEqual(names, {"test_a": "pass"})
        self.assertTrue(done.lister.listed["cold"])

    def test_hook_that_opens_a_database(self):
        hook = """
            import sqlite3
            def pytest_sessionstart(session):
                session.config.db = sqlite3.connect("test.db")
                session.config.db.execute("create table if not exists t(a)")
        """
        test = "def test_a(request): request.config.db.execute('insert into t values (1)')"
        names, said, done = self.play("-o", "log_file=log.txt", conftest=hook, test_a=test)
        self.assertEqual((names, len(said)), ({"test_a": "pass"}, 1))
        self.assertTrue(done.lister.listed["cold"])
        names, said, done = self.play("-o", "log_file=log.txt", "--junitxml=report.xml", test_a="def test_a(): pass")
        self.assertEqual((names, said), ({"test_a": "pass"}, []))
        self.assertFalse(done.lister.listed["cold"])

    def test_fixture_with_an_open_file(self):
        root = self.project(test_a="""
            import pytest
            @pytest.fixture(scope="session")
            def log(tmp_path_factory):
                with open(str(tmp_path_factory.mktemp("a") / "log"), "w") as file: yield file
            def test_a(log): log.write("a")
        """)
        done = driver.play(QUIET, root, env=ALONE)
        self.assertEqual(self.names(done.outcomes), {"test_a": "pass"})
        unsafe = [line["unsafe"] for job in done.jobs.values() for line in job.lines if "unsafe" in line]
        self.assertEqual(unsafe, [{"fixture": "log", "left": "an open file", "stays": True}])

    def test_files_stay_as_long_as_one_is_open(self):
        root = self.project(test_a="""
            import pytest
            @pytest.fixture(scope="class")
            def log(tmp_path_factory):
                with open(str(tmp_path_factory.mktemp("a") / "log"), "w") as file: yield file
            def test_a(): pass
            class TestB:
                def test_b(self, log): log.write("a")
                def test_c(self, log): log.write("a")
            class TestD:
                @pytest.fixture(scope="class")
                def other(self): pass
                def test_d(self, other): pass
        """)
        warmer = self.warmer(root)
        stays = []
        for name in ("test_a", "TestB::test_b", "TestB::test_c", "TestD::test_d"):
            self.assertEqual(self.outcomes(warmer.job(self.payload(root, "test_a", name)), 1), ["pass"])
            stays.append(warmer.stays)
        self.assertEqual(stays, [False, True, True, False])
        warmer.finish()
