"""Pythons that are too old for the rest of the helper: a process for each file, and plain pytest's results."""

import os
import unittest

import pytest

import driver
import plain
from project import ALONE, ProjectTest

TESTS = """
    # -*- coding: utf-8 -*-
    import os, pytest
    STATE = []
    def test_one(): STATE.append(1)
    def test_two(): assert STATE == [1]
    def test_fail(): assert u"\\xfc" == "x"
    @pytest.mark.skip(reason="why not")
    def test_skip(): pass
    @pytest.mark.xfail
    def test_expected(): assert 0
    @pytest.mark.parametrize("x", [u"\\xfc", "a b", b"\\xff", 1, None])
    def test_each(x): pass
    @pytest.fixture(scope="module")
    def wide():
        yield 1
        assert 0, "teardown breaks"
    def test_wide(wide): os.mkdir("left")
"""
UNITS = """
    import unittest, os
    class Case(unittest.TestCase):
        @classmethod
        def setUpClass(cls): cls.made = 1
        def test_made(self): self.assertEqual(self.made, 1)
        def test_left(self): self.assertTrue(os.path.isdir(os.getcwd()))
    def test_directory(tmpdir): tmpdir.join("a").write("x")
"""
# This Python too, if its pytest still has the hooks of old ones; and one that is named.
PYTHONS = [None] if int(pytest.__version__.partition(".")[0]) < 8 else []
PYTHONS += [os.environ["SEATRIAL_TEST_PYTHON2"]] if "SEATRIAL_TEST_PYTHON2" in os.environ else []


@unittest.skipUnless(PYTHONS, "neither an old pytest nor SEATRIAL_TEST_PYTHON2")
class Old(ProjectTest):
    """Whole runs."""

    def play(self, root, *args):
        """A run with each Python."""
        for python in PYTHONS:
            with self.subTest(python=python):
                args = ["-p", "no:cacheprovider"] + list(args)
                yield driver.play(args, root, python=python, env=ALONE, boot="old.py"), (args, root, python, ALONE)

    def test_equal_to_plain(self):
        root = self.project(test_a=TESTS, pkg____init__="", pkg__test_b=UNITS)
        for done, how in self.play(root):
            os.rmdir(os.path.join(root, "left"))
            status, outcomes, _ = plain.run(*how)
            os.rmdir(os.path.join(root, "left"))
            self.assertEqual(done.outcomes, outcomes)
            self.assertEqual(done.finished["exit"], status)
            self.assertEqual(done.statuses, [0])
            self.assertEqual({test["job"] for test in done.lister.tests}, {"file"})

    def test_selection(self):
        root = self.project(test_a=TESTS, test_b=UNITS)
        for args in (["-k", "one or made"], ["test_a.py::test_each[a b]", "test_b.py::Case"],
                     ["test_b.py", "--deselect", "test_b.py::test_directory"]):
            for done, how in self.play(root, *args):
                self.assertEqual(done.outcomes, plain.run(*how)[1])
                self.assertTrue(done.outcomes)

    def test_a_file_whose_process_dies_is_never_green(self):
        root = self.project(test_a="import os\ndef test_a(): pass\ndef test_b(): os._exit(0)\ndef test_c(): pass\n",
                            test_b="def test_after(): pass\n")
        for done, _ in self.play(root):
            self.assertEqual(self.names(done.outcomes),
                             {"test_a": "pass", "test_b": "crash", "test_c": "crash", "test_after": "pass"})
            self.assertEqual(done.finished["exit"], 1)

    def test_what_cannot_be_collected(self):
        root = self.project(test_a="import not_there", test_b=UNITS)
        for done, _ in self.play(root):
            self.assertIn("not_there", done.lister.problems[0]["text"])
            self.assertEqual((done.lister.listed["exit"], done.finished["exit"]), (2, 2))
