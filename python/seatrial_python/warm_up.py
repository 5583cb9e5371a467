"""Runs an empty test a few times before the first fork.

What pytest makes at first use (hook callers, lazy imports, specialised bytecode) is then shared by all tests'
processes, instead of being made in each and copied with the pages that it touches.
"""

import inspect
import sys
import types

TIMES = 10
NOWHERE = "/seatrial/warm_up.py"


def run(session):
    """Warms pytest and installed plug-ins up. No conftest of the project hears of it: the path is not below one."""
    try:
        for _ in range(TIMES):
            run_once(session)
    except BaseException:
        # A plug-in may refuse a test that stands in no file. Then tests are slower, and no less right.
        clear(session)
    finally:
        settle(session)


def run_once(session):
    """One empty test, reported to nobody."""
    from _pytest.runner import runtestprotocol

    item = make(session)
    runtestprotocol(item, log=True, nextitem=None)


def make(session):
    """A test function in a module that was never imported."""
    import pathlib

    import pytest

    def test_nothing():
        pass

    try:
        module = pytest.Module.from_parent(session, path=pathlib.Path(NOWHERE))
    except (TypeError, ValueError):
        import py

        module = pytest.Module.from_parent(session, fspath=py.path.local(NOWHERE))
    module._obj = types.ModuleType("seatrial_warm_up")
    item = pytest.Function.from_parent(module, name="test_nothing", callobj=test_nothing)
    # No fixture of the project is set up for it.
    del item.fixturenames[:]
    info = getattr(item, "_fixtureinfo", None)
    if info is not None:
        del info.names_closure[:]
    return item


def clear(session):
    """Takes out of the stack of set-ups what a protocol that broke off has left there."""
    stack = session._setupstate.stack
    for left in list(stack):
        if isinstance(stack, dict):
            del stack[left]
        else:
            stack.remove(left)
            session._setupstate._finalizers.pop(left, None)


def settle(session):
    """Leaves the session as it was."""
    session.testsfailed = 0


def for_failures(known):
    """Makes what the report of a failure makes at its first use: above all, which module each file belongs to. How many modules there
    are then, and whether some were imported meanwhile. `known`: how many there were at the last time, 0 at first."""
    before = len(sys.modules)
    if before == known:
        return known, False
    try:
        from _pytest._code import ExceptionInfo
        from _pytest.outcomes import fail

        try:
            fail("")
        except BaseException:
            ExceptionInfo.from_current().getrepr(style="long")
        inspect.getmodule(for_failures.__code__)
    except BaseException:
        # Modules may answer to their attributes as they like. Then failures are slower to tell of.
        pass
    now = len(sys.modules)
    return now, now != before
