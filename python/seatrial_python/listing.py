"""What Seatrial has to know of a collected test: id, place, file, and which tests share set-ups with it."""

import collections
import os

from seatrial_python import wire

NARROWEST = "function"
# Where classes are left out of account.
ACROSS, OWN = "across", "own"
# Fixtures of these set up the same whatever is imported.
BLIND = ("_pytest", "anyio", "pytest_asyncio", "xdist")
WIDEST = "session"
# Marks of tests that ask how earlier tests of their file ended: pytest-dependency, pytest-order, pytest's recipe of steps.
IN_ORDER = ("dependency", "incremental", "order")


def path_of(node):
    """The node's file or directory, absolute, whatever pytest's age."""
    path = getattr(node, "path", None)
    if path is None:
        path = getattr(node, "fspath", None)
    return wire.clean(str(path))


def file_of(item):
    """The file in which pytest has found the item, absolute. Items may name another as their own: an example
    that functions of one file are tried on."""
    from _pytest.nodes import File

    return path_of(item.getparent(File) or item)


def module_of(item):
    """The Python file in which the item stands, or None."""
    from _pytest.python import Module

    return item.getparent(Module)


def is_function(item):
    """Whether the item is a Python test, which can be run alone in a fork of its collected module."""
    from _pytest.python import Function

    module = module_of(item)
    return isinstance(item, Function) and module is not None and path_of(module) == path_of(item)


def in_order(items):
    """Files some of whose tests ask how earlier ones ended."""
    return {file_of(item) for item in items if any(item.get_closest_marker(name) for name in IN_ORDER)}


def lone(items):
    """Items that are all that their file holds, and no Python functions (a page of doctests, a file with one example)."""
    counts = collections.Counter(file_of(item) for item in items)
    return {item for item in items if counts[file_of(item)] == 1 and not is_function(item)}


def wide_fixtures(item):
    """The definitions that the item uses and that are wider than a function, in the order of their set-up."""
    info = getattr(item, "_fixtureinfo", None)
    if info is None:
        return []
    found = []
    for name in info.names_closure:
        definitions = info.name2fixturedefs.get(name)
        if definitions and definitions[-1].scope != NARROWEST and not is_narrow(item, definitions[-1]):
            found.append(definitions[-1])
    return found


def may_look_around(definition):
    """Whether what a session's fixture sets up may depend on all that is imported by then."""
    module = str(getattr(definition.func, "__module__", ""))
    return definition.scope == WIDEST and module.partition(".")[0] not in BLIND


def is_narrow(item, definition):
    """Whether a class's fixture is one of the item's own, because it stands in no class."""
    from _pytest.python import Class

    return definition.scope == "class" and item.getparent(Class) is None


def own_class(item):
    """The class for which fixtures are set up before the item and torn down behind its last test; None without any, or
    where classes stand in one another."""
    from _pytest.python import Class, Module

    node = item.getparent(Class)
    if node is None or not isinstance(node.parent, Module):
        return None
    return node if any(definition.scope == "class" for definition in wide_fixtures(item)) else None


def package_of(item, definition):
    """The directory whose tests share a fixture of package scope."""
    try:
        from _pytest.fixtures import get_scope_package

        node = get_scope_package(item, definition)
    except Exception:
        node = None
    if node is None or node is item.session:
        return os.path.dirname(path_of(item))
    path = path_of(node)
    return path if os.path.isdir(path) else os.path.dirname(path)


def function_key(nodeid):
    """What the id of a parametrised test has in common with its siblings'."""
    return nodeid.partition("[")[0]


class Listing(object):
    """The messages that tell of all tests of a session, in collection order."""

    def __init__(self, whole_files):
        self.whole_files = whole_files
        self.seen = {}
        self.groups = {}
        self.kinds = {}
        self.lone = set()
        # Classes in which others stand.
        self.outer = set()
        self.looks_around = False

    def describe(self, items):
        """A list of records. `group` is found in a second walk: a later test may widen a file's group."""
        from _pytest.python import Class

        self.lone = lone(items)
        self.outer = {item.getparent(Class).parent for item in items if item.getparent(Class) is not None}
        records = [self.record(item) for item in items]
        for record in records:
            group = self.groups.get(record["file"], record["file"])
            if group != record["file"]:
                record["group"] = group
        return records

    def record(self, item):
        """One test."""
        file = file_of(item)
        key = (file, wire.clean(item.nodeid))
        number = self.seen.get(key, 0)
        self.seen[key] = number + 1
        line = item.location[1]
        definitions = wide_fixtures(item)
        wide = self.is_wide(item, file, definitions)
        self.looks_around = self.looks_around or any(may_look_around(definition) for definition in definitions)
        alone = item in self.lone and not definitions
        single = (alone or is_function(item)) and file not in self.whole_files
        told = {
            "id": wire.clean(item.nodeid),
            "n": number,
            "file": file,
            "line": None if line is None else line + 1,
            "wide": wide,
            "job": "test" if single else "file",
            "kind": self.kind(item, wide, definitions),
        }
        if single and alone:
            told["alone"] = True
        if single and wide:
            told.update(self.across(item, definitions))
        return told

    def across(self, item, definitions):
        """`wider`: what `kind` is, without what is set up for classes. `own`: the class, if something is set up for it."""
        from _pytest.python import Class

        node = own_class(item)
        if node in self.outer:
            return {}
        if node is not None:
            definitions = [definition for definition in definitions if definition.scope != "class"]
            told = {"own": self.kinds.setdefault((OWN, node), len(self.kinds))}
        elif item.getparent(Class) is None:
            told = {}
        else:
            return {}
        params = getattr(getattr(item, "callspec", None), "indices", {})
        key = (ACROSS, tuple((definition, params.get(definition.argname)) for definition in definitions))
        return dict(told, wider=self.kinds.setdefault(key, len(self.kinds)))

    def kind(self, item, wide, definitions):
        """A number that tests have in common for which the same wide set-ups are made, once, before they run."""
        params = getattr(getattr(item, "callspec", None), "indices", {})
        names = [definition.argname for definition in definitions]
        key = (item.parent if wide else None, tuple((name, params.get(name)) for name in names))
        return self.kinds.setdefault(key, len(self.kinds))

    def is_wide(self, item, file, definitions):
        """Whether it uses something wider than a function and narrower than the session."""
        wide = False
        for definition in definitions:
            if definition.scope == WIDEST:
                continue
            wide = True
            if definition.scope == "package":
                directory = package_of(item, definition)
                known = self.groups.get(file)
                if known is None or len(directory) < len(known):
                    self.groups[file] = directory
        return wide
