"""Collects one file at a time, or all together, in a session that goes on, so that later files do not disturb what stands."""

import os
import time

from seatrial_python import listing, wire

# What is wanted when it is all.
ALL = ""
# Seconds between two words of progress.
PROGRESS = 0.5
# Before tests put something else in its place.
monotonic = time.monotonic


class Collecting(object):
    """The plug-in that narrows a collection to one file."""

    def __init__(self):
        self.wanted = None
        # Files that are not to be collected with all others.
        self.apart = frozenset()
        self.progress, self.next = None, 0.0
        self.directories = {}
        self.trouble = []
        self.found = []
        self.pending = {}

    def pytest_collection(self, session):
        """Collects the wanted file, with all that plug-ins do around a collection; at first there is none."""
        if self.wanted == ALL:
            session.perform_collect()
        elif self.wanted is not None:
            session.perform_collect([self.start()])
        return True

    def start(self):
        """What pytest is asked for: the file, or its directory where the name would be read as a node id."""
        start = self.wanted
        while "::" in start or "[" in start:
            start = os.path.dirname(start)
        return start

    def pytest_collect_directory(self, path, parent):
        """Directories are the same nodes at each collection: conftest fixtures are bound to them."""
        outcome = yield
        made = outcome.get_result()
        if made is not None:
            outcome.force_result(self.directories.setdefault(str(path), made))

    def pytest_collection_modifyitems(self, items):
        """Before others, who may leave out some: what is left out was decided when all were collected."""
        self.found = list(items)

    def pytest_collection_finish(self, session):
        """From version 9.1 on pytest forgets conftest files here whose directory was not on the way; another file's may be."""
        self.pending = dict(getattr(session._fixturemanager, "_pending_conftests", {}))

    def ignores(self, path):
        """Of a directory on the way to the file, nothing but the way is looked at."""
        if self.wanted is None:
            return None
        path = wire.clean(str(path))
        if self.wanted == ALL:
            return True if path in self.apart else None
        if path == self.wanted or self.wanted.startswith(path.rstrip(os.sep) + os.sep):
            return None
        # A package is what its `__init__.py` makes it.
        return None if path == os.path.join(os.path.dirname(self.wanted), "__init__.py") else True

    def pytest_collectreport(self, report):
        """Keeps what went wrong."""
        if self.wanted == ALL and monotonic() > self.next:
            self.next = monotonic() + PROGRESS
            self.progress()
        if report.failed:
            self.trouble.append(str(getattr(report, "longreprtext", "") or report.longrepr))

    def collect(self, session, file):
        """The items of the file by id, and what was wrong with it (text), of which one is None."""
        items = self.run(session, file)
        if self.trouble:
            return None, "\n".join(self.trouble)
        return index(item for item in items if listing.file_of(item) == file), None

    def collect_all(self, session, apart, progress):
        """The items of all files by id, by file, as pytest itself would collect them, without those that are to be collected
        `apart`. Nothing when anything is wrong: that is found out file by file. `progress` is called now and then, and at the end."""
        self.apart, self.progress, self.next = frozenset(apart), progress, monotonic() + PROGRESS
        files = {}
        for item in self.run(session, ALL):
            files.setdefault(listing.file_of(item), []).append(item)
        progress()
        return {} if self.trouble else {file: index(items) for file, items in files.items()}

    def run(self, session, wanted):
        """A collection; its items, with those that were left out. What went wrong is in `trouble`."""
        option = session.config.option
        self.wanted, self.trouble, self.found = wanted, [], []
        # A failed collection is told; it must not end this session.
        maxfail, option.maxfail = option.maxfail, 0
        try:
            session.config.hook.pytest_collection(session=session)
        except BaseException as error:
            self.trouble.append("%s: %s" % (type(error).__name__, error))
        finally:
            option.maxfail = maxfail
            session.testsfailed = 0
            self.wanted = None
            getattr(session._fixturemanager, "_pending_conftests", {}).update(self.pending)
            self.pending = {}
        known = {item.nodeid for item in session.items}
        return list(session.items) + [item for item in self.found if item.nodeid not in known]


def plugin():
    """A `Collecting` with the hooks that this pytest knows."""
    import pytest

    new = int(pytest.__version__.partition(".")[0]) >= 7

    class Fitting(Collecting):
        """With the argument's name of this pytest."""

        if new:

            def pytest_ignore_collect(self, collection_path):
                """Since version 7."""
                return self.ignores(collection_path)

        else:

            def pytest_ignore_collect(self, path):
                """Version 6."""
                return self.ignores(path)

    pytest.hookimpl(tryfirst=True)(Fitting.pytest_ignore_collect)
    pytest.hookimpl(tryfirst=True)(Fitting.pytest_collection_modifyitems)
    pytest.hookimpl(tryfirst=True)(Fitting.pytest_collection_finish)
    pytest.hookimpl(hookwrapper=True, optionalhook=True)(Fitting.pytest_collect_directory)
    return Fitting()


def index(items):
    """Items by id; each with its id and number noted on it."""
    found = {}
    for item in items:
        id = wire.clean(item.nodeid)
        same = found.setdefault(id, [])
        item._seatrial = (id, len(same))
        # Pytest computes a location at its first use and keeps it: better once here than in each fork.
        item.location
        same.append(item)
    return found


def renamed(module, id):
    """The items of an id, where pytest names their file otherwise: the name of one outside of its root directory depends on
    what it was asked for. They get the id."""
    tail = id.partition("::")[2]
    found = [item for other, items in module.items() if tail and other.partition("::")[2] == tail for item in items]
    for number, item in enumerate(found):
        item._nodeid = id
        item._seatrial = (id, number)
    return found


def find(module, test, of):
    """The item of a test, or None.

    Ids can differ from one collection to the next (an address, the time of day). `of` has all ids of a function, by what
    they have in common, as they were listed: those that both collections know are matched by id, and the others in
    their order, if there are as many of them on both sides.
    """
    same = module.get(test["id"], [])
    if test["n"] < len(same):
        return same[test["n"]]
    if not same:
        same = renamed(module, test["id"])
        if test["n"] < len(same):
            return same[test["n"]]
    listed = of.get(listing.function_key(test["id"])) if of else None
    if not listed:
        return None
    key = listing.function_key(test["id"])
    here = [id for id in module if listing.function_key(id) == key]
    gone = [id for id in listed if id not in module]
    new = [id for id in here if id not in set(listed)]
    if len(gone) != len(new) or test["id"] not in gone:
        return None
    return module[new[gone.index(test["id"])]][0]
