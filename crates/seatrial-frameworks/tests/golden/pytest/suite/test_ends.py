"""A test for each way in which pytest can end one, and for each form of a traceback."""

import logging
import os
import sys
import unittest

import pytest


@pytest.fixture
def broken_before():
    print("printed by the set-up")
    raise RuntimeError("no database\nand a second line")


@pytest.fixture
def broken_after():
    print("before")
    yield 7
    print("after")
    raise RuntimeError("cannot close")


@pytest.fixture
def talks_after():
    yield
    sys.stderr.write("said at the end without a line end")


def test_passes():
    print("nobody reads this")


def test_compares(talks_after):
    print("to stdout\n")
    sys.stderr.write("to stderr\n")
    logging.getLogger("app").warning("to the log")
    assert {"a": [1, 2], "b": "x"} == {"a": [1, 3], "b": "x"}


def inner(number, word):
    if number:

        raise ValueError("number %d\nword %s" % (number, word))


@pytest.mark.parametrize("word", ["grün", "a[b]", "two\nlines"])
def test_raises_deeper(word):
    here = [word] * 3
    inner(len(here), word)


def test_chains():
    try:
        inner(1, "first")
    except ValueError as error:
        raise KeyError("second") from error


def test_recurses():
    def again(n):
        return again(n)

    again(1)


def test_many_arguments():
    def takes(first, second, third):
        raise TypeError(first)

    takes("1" * 30, "2" * 30, "3" * 30)


def test_fails_with_words():
    pytest.fail("in a few\nwords", pytrace=False)


def test_error_before(broken_before):
    pass


def test_error_after(broken_after):
    assert broken_after == 7


def test_fails_and_error_after(broken_after):
    assert broken_after == 8, "not eight"


def test_unknown_fixture(nobody):
    pass


@pytest.mark.skip(reason="not today")
def test_skipped():
    pass


def test_skips_itself():
    pytest.skip("after a look")


@pytest.mark.skipif(os.sep == "/", reason="other systems")
def test_skipped_if():
    pass


@pytest.mark.xfail(reason="known")
def test_xfail():
    assert False


@pytest.mark.xfail(reason="never run", run=False)
def test_xfail_not_run():
    os._exit(1)


def test_xfails_itself():
    pytest.xfail("seen too late")


@pytest.mark.xfail
def test_xfail_without_words():
    assert False


@pytest.mark.xfail(reason="cured")
def test_xpass():
    pass


@pytest.mark.xfail(reason="to be cured", strict=True)
def test_xpass_strict():
    pass


@pytest.mark.xfail(reason="only call", raises=ValueError)
def test_xfail_of_another_kind():
    raise KeyError("other")


TRIES = []


@pytest.mark.flaky(reruns=2)
def test_passes_on_rerun():
    TRIES.append(1)
    assert len(TRIES) == 3


@pytest.mark.flaky(reruns=1)
def test_fails_on_rerun(broken_after):
    assert broken_after == 9


def test_subtests(subtests):
    for number in range(3):
        with subtests.test("odd", number=number):
            assert number % 2 == 0
    with subtests.test():
        pytest.skip("this one")


def test_subtests_pass(subtests):
    with subtests.test("first"):
        pass


class TestInClass:
    def test_fails(self):
        assert self is None


class Old(unittest.TestCase):
    def test_fails(self):
        self.assertEqual([1], [2])

    def test_sub(self):
        for number in (1, 2):
            with self.subTest(number=number):
                self.assertEqual(number, 1)

    @unittest.skip("old reason")
    def test_skip(self):
        pass

    @unittest.expectedFailure
    def test_expected(self):
        self.fail("as expected")

    @unittest.expectedFailure
    def test_unexpected(self):
        pass


@pytest.mark.skipif(sys.version_info < (3, 11), reason="no groups before 3.11")
def test_group():
    raise ExceptionGroup("several", [ValueError("one"), KeyError("two")])  # noqa: F821
