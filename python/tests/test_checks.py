"""Checked batches: what ends one, and what does not."""

import os
import shutil
import tempfile
import unittest

import driver
from project import ALONE
from test_warmer import QUIET, WarmerTest


class OwnTemporary(WarmerTest):
    """With temporary files where nobody else writes, as in a slot."""

    def warmer(self, root, *args):
        """Ends with the test."""
        own = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, own)
        warmer = driver.Warmer(QUIET + list(args), root, driver.settings(), env=dict(ALONE, TMPDIR=own))
        self.addCleanup(warmer.close)
        return warmer


class CheckTest(OwnTemporary):
    """A batch of `test_a` and `test_b`."""

    def batch(self, body, top="", **more):
        """What the first test has left, and in how many processes both ran."""
        text = "import os, sys\n%s\ndef test_a(tmp_path):\n    %s\ndef test_b(): pass\n"
        root = self.project(test_a=text % (top, body.replace("\n", "\n    ")))
        os.mkdir(os.path.join(str(root), "package"))
        for name in ("__init__", "part"):
            open(os.path.join(str(root), "package", name + ".py"), "w").close()
        warmer = self.warmer(root)
        job = warmer.job(self.payload(root, "test_a", "test_a", "test_b", batch=True, check=True, **more))
        self.assertEqual(self.outcomes(job, 2), ["pass", "pass"], job.lines)
        left = [line["left"] for line in job.of(0) if "left" in line]
        self.assertEqual(warmer.finish()[0], 0)
        return left[0] if left else None, len({end[0] for end in job.ended})


class Cases(CheckTest):
    """Classes of unittest's, and others."""

    def test_attributes_of_a_case_are_its_own(self):
        top = "import unittest\nclass Case(unittest.TestCase):\n    old = 1\n    def run(self): pass"
        self.assertEqual(self.batch("Case.new = 1", top), (None, 1))
        self.assertEqual(self.batch("Case.old = 2", top), (None, 1))
        self.assertEqual(self.batch("del Case.old", top), ("test_a.Case", 2))
        self.assertEqual(self.batch("Case.run = None", top), ("test_a.Case", 2))
        self.assertEqual(self.batch("Case.setUp = lambda self: None", top), ("test_a.Case", 2))
        self.assertEqual(self.batch("Case.setUp = 1", top), ("test_a.Case", 2))
        self.assertEqual(self.batch("Case.new = 1", "class Case: old = 1"), ("test_a.Case", 2))


class Caches(OwnTemporary):
    """What grows again and again."""

    def processes(self, statement):
        """How many there were for 40 tests of which each does this once in its process."""
        root = self.project(test_a="""
            import pytest
            CACHE, NAMES, LIST, COUNT, OTHER = {"n": None}, set(), [], 0, 0
            class BASE:
                def save(self): pass
            class LAZY(BASE): made = None
            class CALM(BASE): made = None
            @pytest.mark.parametrize("n", range(40))
            def test_a(n): %s
        """ % statement)
        warmer = self.warmer(root)
        names = ["test_a[%d]" % n for n in range(40)]
        processes = 0
        while names:
            job = warmer.job(self.payload(root, "test_a", *names, batch=True, check=True))
            self.assertEqual(set(self.outcomes(job, len(names))), {"pass"}, job.lines)
            processes += len(job.ended)
            names = []
        self.assertEqual(warmer.finish()[0], 0)
        return processes

    def test_a_cache_is_known_after_a_while(self):
        # A machine under load ends processes by the clock, too.
        self.assertLess(self.processes("CACHE.setdefault(n, n)"), 10)
        self.assertLess(self.processes("NAMES.add(n)"), 10)

    def test_a_counter_is_known_after_a_while(self):
        self.assertLess(self.processes("global COUNT; COUNT += 1"), 10)
        self.assertEqual(self.processes("global COUNT; COUNT -= 1"), 40)
        # By the time that one is known, the other is not.
        self.assertGreater(self.processes("global COUNT, OTHER; COUNT += 1; OTHER += n > 19"), 5)
        self.assertEqual(self.processes("global COUNT; COUNT += 1; LIST.append(n)"), 40)

    def test_what_is_made_at_its_first_use_is_known_after_a_while(self):
        self.assertLess(self.processes("LAZY.made = LAZY.made or object()"), 10)
        self.assertLess(self.processes("LAZY.more = getattr(LAZY, 'more', n)"), 10)
        # It is not what is made again.
        self.assertGreater(self.processes("LAZY.made = object()"), 15)
        self.assertEqual(self.processes("LAZY.made = n; LIST.append(n)"), 40)
        # In the place of what is inherited it harms.
        self.assertEqual(self.processes("LAZY.save = None"), 40)
        # Nor does one class speak for another.
        self.assertGreater(self.processes("(CALM if n > 19 else LAZY).made = n"), 22)

    def test_a_number_that_is_new_in_a_patched_module_may_grow(self):
        statement = "import os; os.FOO = getattr(os, 'FOO', 0) + 1"
        self.assertGreater(self.processes(statement), 1)

    def test_what_is_always_left_open_is_known_after_a_while(self):
        self.assertLess(self.processes("import os; os.open('/dev/null', os.O_RDONLY)"), 10)
        self.assertEqual(self.processes("import os; os.open('/dev/null', os.O_RDONLY); os.environ['N'] = str(n)"), 40)
        self.assertEqual(self.processes("import os; os.close(os.open('/dev/null', os.O_RDONLY)); os.environ['N'] = str(n)"), 40)

    def test_what_changes_is_none(self):
        self.assertEqual(self.processes("CACHE['n'] = n"), 40)
        self.assertEqual(self.processes("LIST.append(n)"), 40)


class Changes(CheckTest):
    """Each ends the batch, by its name."""

    CASES = [
        ("os.environ['SEA'] = 'rough'", "environment variables"),
        ("os.chdir('/')", "working directory"),
        ("os.umask(0o77)", "umask"),
        ("sys.path.append('/nowhere')", "sys.path"),
        ("import signal; signal.signal(signal.SIGUSR1, lambda *_: None)", "signal handlers"),
        ("import signal; signal.alarm(1000)", "timer"),
        ("import threading, time; threading.Thread(target=time.sleep, args=(9,), daemon=True).start()", "threads"),
        ("import subprocess; subprocess.Popen(['sleep', '9'])", "child processes"),
        ("os.open('/dev/null', os.O_RDONLY)", "open descriptors"),
        ("sys.excepthook = print", "hooks"),
        ("import logging; logging.getLogger('sea').setLevel(10)", "logging"),
        ("import tempfile; tempfile.mkstemp()", "temporary files"),
        ("import time; time.sleep = int", "time"),
        ("global N; N = 2", "test_a"),
        ("L.append(1)", "test_a.L"),
        ("D['a'].append(1); D['b'] = 1", "test_a.D"),
        ("C.x = 2", "test_a.C"),
        # What lies behind a list or an instance has versions of its own.
        ("ONE.append({})", "test_a.ONE"),
        ("BOX.x = 2", "test_a.INSIDE"),
        ("import package; package.part = 1", "package"),
        ("import package, json; package.json = json", "package"),
        ("del sys.modules['json']; del sys.modules['json.decoder']", "sys.modules"),
    ]
    TOP = "import json\nN = 1\nL = []\nD = {'a': []}\nclass C(object): x = 1\n"
    TOP += "ONE = [{'a': 1}]\nBOX = C()\nBOX.x = 1\nINSIDE = vars(BOX)\nimport package\n"

    def test_each_is_seen_and_named(self):
        for body, name in self.CASES:
            with self.subTest(body):
                left, processes = self.batch(body, self.TOP)
                self.assertIn(name, left or "nothing")
                self.assertEqual(processes, 2)


class NoChanges(CheckTest):
    """What is undone, or harms nobody, ends nothing."""

    CASES = [
        "pass",
        "(tmp_path / 'file').write_text('x')",
        "os.environ['SEA'] = 'rough'; del os.environ['SEA']",
        "import uuid",
        "import time; time.clock_of_mine = None",
        "import threading; t = threading.Thread(target=int); t.start(); t.join()",
        "import subprocess; subprocess.check_call(['true'])",
        "with open(os.devnull) as f: f.read()",
        "import warnings; warnings.warn('old')",
    ]

    def test_both_run_in_one_process(self):
        for body in self.CASES:
            with self.subTest(body):
                self.assertEqual(self.batch(body), (None, 1))

    def test_notes_of_warnings_are_none_of_a_test(self):
        top = "import warnings\nwarnings.warn('at import')\nassert __warningregistry__"
        self.assertEqual(self.batch("warnings.warn('old')", top), (None, 1))

    def test_an_import_gives_its_package_a_name(self):
        self.assertEqual(self.batch("import package.part", "import package"), (None, 1))


class Ends(OwnTemporary):
    """Other ends of a batch."""

    def run_batch(self, text, *names, **more):
        """The job, and the processes of its tests in order."""
        root = self.project(test_a="import os, pytest, time\n" + text)
        warmer = self.warmer(root)
        job = warmer.job(self.payload(root, "test_a", *names, batch=True, check=True, **more))
        warmer.finish()
        return job

    def test_a_failure_ends_it_and_says_how_many_came_before(self):
        job = self.run_batch("def test_a(): pass\ndef test_b(): assert 0\ndef test_c(): pass", "test_a", "test_b", "test_c")
        self.assertEqual(self.outcomes(job, 3), ["pass", "fail", "pass"])
        before = [[line.get("before", 0) for line in job.of(n) if "start" in line] for n in range(3)]
        self.assertEqual((before, len(job.ended)), ([[0], [1], [0]], 2))

    def test_a_failure_ends_the_job_if_it_is_to(self):
        job = self.run_batch("def test_a(): assert 0\ndef test_b(): pass", "test_a", "test_b", stop=True)
        self.assertEqual((self.outcomes(job, 1), job.of(1)), (["fail"], []))

    def test_a_death_ends_the_job(self):
        for death in ("os._exit(0)", "os._exit(3)", "os.kill(os.getpid(), 9)"):
            with self.subTest(death):
                text = "def test_a(): pass\ndef test_b(): %s\ndef test_c(): pass" % death
                job = self.run_batch(text, "test_a", "test_b", "test_c")
                self.assertEqual(driver_outcome(job, 1), "crash")
                self.assertEqual((job.of(2), len(job.ended)), ([], 1))

    def test_a_forgotten_child_says_nothing(self):
        for child in ("pass", "assert False"):
            text = "def test_a():\n    if os.fork(): os.wait()\n    else: %s\ndef test_b(): pass" % child
            job = self.run_batch(text, "test_a", "test_b")
            self.assertEqual(self.outcomes(job, 2), ["pass", "pass"], child)
            for key in ("end", "report"):
                count = [len([line for line in job.of(n) if key in line]) for n in range(2)]
                self.assertEqual(count, [1, 1] if key == "end" else [3, 3], job.lines)

    def test_work_ends_it(self):
        text = "def busy():\n    t = time.process_time() + 0.3\n    while time.process_time() < t: pass\n"
        job = self.run_batch(text + "def test_a(): busy()\ndef test_b(): busy()\ndef test_c(): pass", "test_a", "test_b", "test_c")
        # The first may have paid for others.
        before = [[line.get("before", 0) for line in job.of(n) if "start" in line] for n in range(3)]
        self.assertEqual((self.outcomes(job, 3), before), (["pass"] * 3, [[0], [1], [0]]))

    def test_a_wide_fixture_is_set_up_once_for_all_forks(self):
        text = (
            "@pytest.fixture(scope='module')\n"
            "def wide():\n    print('up')\n    yield os.getpid()\n"
            "def test_a(wide): assert wide != os.getpid(); os.environ['A'] = '1'\n"
            "def test_b(wide): assert wide != os.getpid()\n"
        )
        job = self.run_batch(text, "test_a", "test_b", last=True)
        self.assertEqual((self.outcomes(job, 2), len(job.ended)), (["pass", "pass"], 2))
        self.assertEqual(["up\\n" in str(job.of(n)) for n in range(2)], [True, False])

    def test_what_an_ended_batch_has_set_up_is_torn_down(self):
        text = (
            "@pytest.fixture(scope='module')\n"
            "def late():\n    yield\n    assert 0, 'no way down'\n"
            "def test_a(request): request.getfixturevalue('late'); os.environ['A'] = '1'\n"
            "def test_b(): pass\n"
        )
        job = self.run_batch(text, "test_a", "test_b")
        late = [line for line in job.lines if "late" in line]
        self.assertEqual([line["late"]["id"] for line in late], ["test_a.py::test_a"])
        self.assertIn("no way down", str(late))


def driver_outcome(job, position):
    """By lines alone."""
    return "pass" if any("end" in line for line in job.of(position)) else "crash"


if __name__ == "__main__":
    unittest.main()
