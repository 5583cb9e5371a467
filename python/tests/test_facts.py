"""What is told of the files that tests open and the modules that they import."""

import os
import sys
import tempfile
import unittest

import driver
from project import ALONE
from test_warmer import QUIET, WarmerTest

sys.path.insert(0, os.path.dirname(driver.SOURCES))
from seatrial_python import facts  # noqa: E402


class FactsTest(WarmerTest):
    """With a warmer that records."""

    def recording(self, root):
        """Ends with the test."""
        settings = dict(driver.settings(), files=root)
        warmer = driver.Warmer(QUIET, root, settings, env=ALONE)
        self.addCleanup(warmer.close)
        return warmer

    def facts(self, job):
        """All facts of a job: shared ones and those of forks."""
        lines = [line["facts"] for line in job.lines if "facts" in line]
        return [line for line in lines if "shared" in line], [line for line in lines if "shared" not in line]

    def of_one(self, body, top="", **files):
        """What the fork of one test tells."""
        text = "import os, sys\n%s\ndef test_a(tmp_path):\n    %s\n"
        root = self.project(test_a=text % (top, body.replace("\n", "\n    ")), **files)
        warmer = self.recording(root)
        job = warmer.job(self.payload(root, "test_a", "test_a"))
        self.assertEqual(self.outcomes(job, 1), ["pass"], job.lines)
        self.assertEqual(warmer.finish()[0], 0)
        shared, own = self.facts(job)
        self.assertEqual(len(own), 1)
        return own[0]


@unittest.skipUnless(hasattr(sys, "addaudithook"), "this Python has no audit hooks")
class Told(FactsTest):
    """What is."""

    def test_files(self):
        cases = [
            ("open('data').close()", ["data"], []),
            ("open(b'data').close()", ["data"], []),
            ("import pathlib; pathlib.Path('data').read_text()", ["data"], []),
            ("os.close(os.open(os.path.abspath('data'), os.O_RDONLY))", ["data"], []),
            ("os.mkdir('d'); os.chdir('d'); open('../data').close()", ["data"], []),
            ("open('data').close(); open('data').close()", ["data"], []),
            ("open('out', 'w').close()", [], ["out"]),
            ("os.close(os.open('out', os.O_WRONLY | os.O_CREAT))", [], ["out"]),
            ("open('data', 'r+').close()", ["data"], ["data"]),
            ("open('data', 'a').close()", [], ["data"]),
            ("try: open('not_there')\nexcept OSError: pass", ["not_there"], []),
            ("open('/etc/passwd').close()", ["/etc/passwd"], []),
            ("open(os.__file__).close()", [], []),
            ("import pytest; open(pytest.__file__).close()", [], []),
            ("open('/dev/null').close(); open('/proc/self/stat').close()", [], []),
            ("(tmp_path / 'x').write_text('x')", [], []),
            ("import tempfile; tempfile.TemporaryFile().close()", [], []),
            ("os.close(os.open('.', os.O_RDONLY | os.O_DIRECTORY)); os.listdir('.')", [], []),
        ]
        for body, opened, written in cases:
            with self.subTest(body):
                found = self.of_one(body, "open('data', 'w').close()")
                self.assertEqual((found["opened"], found["written"]), (opened, written))
                self.assertEqual((found["tests"], found["left_out"]), ([0], 0))

    def test_modules(self):
        found = self.of_one(
            "import importlib, late, email.mime.nonmultipart\ntry: import gone\nexcept ImportError: pass\n"
            "importlib.import_module('later')", late="X = 1", later="X = 1")
        self.assertEqual(found["imported"], ["gone", "late", "later"])
        self.assertEqual(found["opened"], ["late.py", "later.py"])

    def test_what_tests_do_to_the_hook(self):
        found = self.of_one(
            "for words in ((), (1,), ('x', 2, 3, 4), ([], None, None), ('x', None, None)): sys.audit('open', *words)\n"
            "for words in ((), (1,)): sys.audit('import', *words)\n"
            "kept = os.getcwd, os.fsdecode\n"
            "os.getcwd = os.fsdecode = None\n"
            "open(b'data').close()\n"
            "os.getcwd, os.fsdecode = kept", "open('data', 'w').close()")
        self.assertEqual(found["opened"], ["data"])

    def test_a_directory_that_is_gone(self):
        found = self.of_one(
            "os.mkdir('d'); os.chdir('d'); os.rmdir('../d')\ntry: open('x')\nexcept FileNotFoundError: pass\n"
            "os.chdir('..')")
        self.assertEqual(found["opened"], [])

    def test_too_many_are_counted(self):
        found = self.of_one("for n in range(2010):\n  try: open('f%d' % n)\n  except OSError: pass")
        self.assertEqual((len(found["opened"]), found["left_out"]), (2000, 10))

    def test_what_forks_inherit(self):
        root = self.project(
            conftest="""
                import pytest
                @pytest.fixture(scope="module")
                def wide(): return open("data").close()
            """,
            shared="X = 1",
            test_a="import shared\ndef test_a(): pass\ndef test_b(wide): pass",
            test_b="import shared\ndef test_c(): import shared",
        )
        open(os.path.join(root, "data"), "w").close()
        warmer = self.recording(root)
        inherited, own = self.facts(warmer.job(self.payload(root, "test_a", "test_a", "test_b")))
        self.assertEqual([line["step"] for line in inherited], [1, 2])
        self.assertEqual([line["tests"] for line in inherited], [[0], [1]])
        self.assertEqual(inherited[0]["opened"], ["conftest.py", "shared.py", "test_a.py"])
        self.assertLessEqual({"conftest", "shared", "test_a"}, set(inherited[0]["imported"]))
        self.assertEqual(inherited[1]["opened"], ["data"])
        self.assertEqual([(line["tests"], line["step"], line["opened"]) for line in own], [([0], 1, []), ([1], 2, [])])
        # The second file finds what the first has imported: its tests inherit all steps before.
        inherited, own = self.facts(warmer.job(self.payload(root, "test_b", "test_c")))
        self.assertEqual([(line["step"], line["opened"]) for line in inherited], [(3, ["test_b.py"])])
        self.assertEqual([(line["step"], line["imported"]) for line in own], [(3, [])])
        self.assertEqual(len({line["interpreter"] for line in inherited + own}), 1)
        self.assertEqual(warmer.finish()[0], 0)

    def test_a_batch_is_of_the_tests_that_ran(self):
        root = self.project(test_a="""
            import os
            def test_a(): open("a", "w").close()
            def test_b(): os.environ["SEA"] = "rough"
            def test_c(): open("c", "w").close()
        """)
        warmer = self.recording(root)
        payload = self.payload(root, "test_a", "test_a", "test_b", "test_c", batch=True, check=True)
        _, own = self.facts(warmer.job(payload))
        self.assertEqual([(place, line["written"]) for line in own for place in line["tests"]][-1], (2, ["c"]))
        self.assertEqual([place for line in own for place in line["tests"]], [0, 1, 2])
        self.assertNotIn([0, 1, 2], [line["tests"] for line in own])
        warmer.finish()

    def test_a_file_of_its_own(self):
        root = self.project(test_a="import sys\ndef test_a(): pass\ndef test_b(): pass")
        warmer = self.recording(root)
        inherited, own = self.facts(warmer.job(self.payload(root, "test_a", "test_a", "gone", "test_b", fresh=True)))
        self.assertNotIn("test_a.py", [name for line in inherited for name in line["opened"]])
        self.assertEqual([(line["tests"], line["opened"]) for line in own], [([0, 2], ["test_a.py"])])
        warmer.finish()

    def test_a_death_tells_nothing(self):
        root = self.project(test_a="import os\ndef test_a(): open('/etc/passwd'); os.abort()")
        warmer = self.recording(root)
        self.assertEqual(self.facts(warmer.job(self.payload(root, "test_a", "test_a")))[1], [])
        warmer.finish()


class NotTold(FactsTest):
    """Nobody has asked."""

    def test_no_hook(self):
        root = self.project(test_a="def test_a(): open('/etc/passwd').close()")
        warmer = self.warmer(root)
        job = warmer.job(self.payload(root, "test_a", "test_a"))
        self.assertEqual(self.outcomes(job, 1), ["pass"])
        self.assertEqual(self.facts(job), ([], []))
        warmer.finish()


@unittest.skipUnless(hasattr(sys, "addaudithook"), "this Python has no audit hooks")
class Names(unittest.TestCase):
    """Paths and modules as they are told."""

    def test_bytecode_is_its_source(self):
        places = facts.Places("/p")
        tag = sys.implementation.cache_tag
        for name, source in (
            ("/p/a/__pycache__/b.%s.pyc" % tag, "a/b.py"),
            ("/p/a/__pycache__/b.%s.opt-1.pyc" % tag, "a/b.py"),
            ("/p/a/__pycache__/test_b.c.%s-pytest-9.2.0.pyc" % tag, "a/test_b.c.py"),
            ("/p/a/__pycache__/other", "a/__pycache__/other"),
        ):
            self.assertEqual(places.read(name), source)
            self.assertIsNone(places.written(name))
        places.bytecode = "/cache/"
        self.assertEqual(places.read("/cache/p/a/b.%s.pyc" % tag), "a/b.py")
        self.assertIsNone(places.written("/cache/p/a/b.%s.pyc" % tag))

    def test_environments_and_projects_within_one_another(self):
        temporary = tempfile.gettempdir()
        places = facts.Places(temporary + "/project")
        self.assertEqual(places.read(temporary + "/project/a"), "a")
        self.assertIsNone(places.read(temporary + "/projects/a"))
        self.assertEqual(places.read("/home/somebody/a"), "/home/somebody/a")
        before, sys.prefix = sys.prefix, temporary + "/project/.venv"
        try:
            places = facts.Places(temporary + "/project")
        finally:
            sys.prefix = before
        self.assertIsNone(places.read(temporary + "/project/.venv/pyvenv.cfg"))
        self.assertEqual(places.read(temporary + "/project/.venvs"), ".venvs")


if __name__ == "__main__":
    unittest.main()
