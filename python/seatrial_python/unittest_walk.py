"""Loads tests as `python -m unittest` does, and says of each test where it can be loaded again.

An *origin* is a call of the loader that one process can repeat without the others': a module that discovery has found
(`module:pkg.test_a`) or a name as it was typed (`name:pkg.test_a.Class`). A test is addressed by its origin, its id
and its position among equal ids of that origin.
"""

import sys
import unittest

from seatrial_python import wire

AGAIN = " (again"
# What a suite may do in its own way around its tests: such a suite can only be run as a whole.
OWN_WAYS = ("run", "__call__", "_handleModuleFixture", "_handleModuleTearDown", "_handleClassSetUp",
            "_tearDownPreviousClass")
FIXTURES = ("setUpClass", "tearDownClass")
MODULE_FIXTURES = ("setUpModule", "tearDownModule")


class Program(unittest.TestProgram):
    """unittest's own reading of its arguments; tests are loaded, or promised, and not run."""

    def __init__(self, args, loader):
        unittest.TestProgram.__init__(self, module=None, argv=[sys.argv[0]] + list(args), testLoader=loader, exit=False)

    def runTests(self):
        """Seatrial's part."""


class Loader(unittest.TestLoader):
    """Notes from which origin a suite came."""

    def __init__(self, on_loaded=None):
        unittest.TestLoader.__init__(self)
        self.origins = {}
        self.kept = []
        self.current = None
        self.on_loaded = on_loaded

    def loadTestsFromModule(self, module, *args, **options):
        """A module, found by discovery or by name; `load_tests` has its say."""
        load = unittest.TestLoader.loadTestsFromModule
        return self.note("module:" + module.__name__, lambda: load(self, module, *args, **options))

    def loadTestsFromName(self, name, module=None):
        """A module, class, method or function, by its dotted name."""
        load = unittest.TestLoader.loadTestsFromName
        return self.note("name:" + name, lambda: load(self, name, module))

    def note(self, origin, load):
        """The outermost call is the origin: what `load_tests` makes of others' suites is its own business."""
        if self.current is not None:
            return load()
        self.current = origin
        try:
            suite = load()
        finally:
            self.current = None
        self.origins[id(suite)] = origin
        self.kept.append(suite)
        if self.on_loaded is not None:
            self.on_loaded(origin)
        return suite


class Later(Loader):
    """Promises at first what it is asked for, so that paths and patterns are as unittest sets them; `load` keeps it."""

    def __init__(self):
        Loader.__init__(self)
        self.waits = True
        self.pattern = None
        self.top = None

    def _find_tests(self, start_dir, pattern, *args, **options):
        if not self.waits:
            return Loader._find_tests(self, start_dir, pattern, *args, **options)
        self.pattern, self.top = pattern, self._top_level_dir
        return iter(())

    def loadTestsFromNames(self, names, module=None):
        """All names of the command line."""
        if self.waits:
            return self.suiteClass()
        return Loader.loadTestsFromNames(self, names, module)

    def load(self, origin):
        """The suite of an origin."""
        self.waits = False
        kind, _, name = origin.partition(":")
        if kind == "name":
            return self.loadTestsFromName(name)
        __import__(name)
        # As while discovery is at this module: its `load_tests` may go on discovering.
        before, self._top_level_dir = self._top_level_dir, self.top
        self._loading_packages.add(name)
        try:
            return self.loadTestsFromModule(sys.modules[name], pattern=self.pattern)
        finally:
            self._loading_packages.discard(name)
            self._top_level_dir = before


class Found(object):
    """A test of a suite."""

    def __init__(self, test, origin, whole):
        self.test = test
        self.origin = origin
        # The widest suite around it that can only be run as a whole, or None.
        self.whole = whole
        self.group, self.name = group_and_name(test, origin)
        self.id = wire.clean(self.group + "::" + self.name)


def walk(tree, origins, origin=None, whole=None):
    """All tests in their order."""
    origin = origin or origins.get(id(tree))
    if tree is None:
        return
    if not is_suite(tree):
        yield Found(tree, origin, whole)
        return
    if whole is None and has_own_ways(tree):
        whole = tree
    for part in tree:
        for found in walk(part, origins, origin, whole):
            yield found


def is_suite(tree):
    """As unittest tells suites and tests apart."""
    try:
        iter(tree)
    except TypeError:
        return False
    return True


def has_own_ways(suite):
    """Whether the suite's class does something around its tests that `unittest.TestSuite` does not."""
    kind = type(suite)
    return any(getattr(kind, name, None) is not getattr(unittest.TestSuite, name, None) for name in OWN_WAYS)


def group_and_name(test, origin):
    """The module under which a test is shown, and its name there."""
    id = test.id() if callable(getattr(test, "id", None)) else str(test)
    home = module_of(origin)
    own = type(test).__module__
    if not id.startswith(own + "."):
        own = home
    # A class that a module has only imported is that module's test too.
    group = own if own == home or own.startswith(home + ".") else home
    if id.startswith(group + "."):
        return group, id[len(group) + 1:]
    return group, id


def module_of(origin):
    """The module that an origin names."""
    kind, _, name = (origin or "").partition(":")
    while kind == "name" and name and name not in sys.modules:
        name = name.rpartition(".")[0]
    return name or "unittest"


def index(tree, origins):
    """Tests by id, each list in its order."""
    found = {}
    for entry in walk(tree, origins):
        found.setdefault(entry.id, []).append(entry)
    return found


def find(tests, id, number):
    """The test of a job, or None. An id that an earlier origin had too has got a mark at its end."""
    same = tests.get(id) or tests.get(id.rpartition(AGAIN)[0]) or []
    return same[number] if number < len(same) else None


def is_failed(test):
    """Whether it stands for something that could not be loaded."""
    kind = type(test)
    return kind.__name__ == "_FailedTest" and kind.__module__ == "unittest.loader"


def is_skipped_module(test):
    """Whether it stands for a module that skips itself when it is imported."""
    kind = type(test)
    return kind.__name__ == "ModuleSkipped" and kind.__module__ == "unittest.loader"


def unit_of(found, origins_with_cleanups):
    """What has to be run together with the test, in words; None for a test alone."""
    if found.whole is not None:
        return "suite " + type(found.whole).__name__
    kind = type(found.test)
    module = sys.modules.get(kind.__module__)
    if found.origin in origins_with_cleanups or any(getattr(module, name, None) for name in MODULE_FIXTURES):
        return "module " + kind.__module__
    if any(differs(kind, name) for name in FIXTURES) or getattr(kind, "_class_cleanups", None):
        return "class " + kind.__name__
    return None


def differs(kind, name):
    """Whether a class has a fixture that is not unittest's own empty one."""
    own = getattr(kind, name, None)
    empty = getattr(unittest.TestCase, name)
    return own is not None and getattr(own, "__func__", own) is not empty.__func__
