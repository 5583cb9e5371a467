"""What a collection of all files has imported, so that a warmer that collects few has the same at hand.

A test may use a module that it does not import itself, because another file's import has bound it; and what is
imported before the forks need not be imported in each of them.
"""

import importlib
import sys

# Characters of names at most: they travel in a packet.
ROOM = 60000


class Imports(object):
    """Modules that appear from now on."""

    def __init__(self):
        self.before = set(sys.modules)

    def names(self, files, unsafe=()):
        """Their names in the order of their import, less those of `files`, which are collected and not imported, and of modules
        that leave something behind, which are `unsafe`."""
        names, room = [], ROOM
        for name, module in list(sys.modules.items()):
            if name in self.before or name in unsafe or not is_plain(name, module, files):
                continue
            room -= len(name) + 4
            if room < 0:
                break
            names.append(name)
        return names


def is_plain(name, module, files):
    """True for a module that `import` finds again."""
    spec = getattr(module, "__spec__", None)
    file = getattr(module, "__file__", None)
    if spec is None or spec.name != name or not file:
        return False
    return file not in files and not file.endswith("conftest.py")


def repeat(names):
    """Imports them; those that cannot be imported by now."""
    left = []
    for name in names:
        if name in sys.modules:
            continue
        try:
            importlib.import_module(name)
        except BaseException:
            left.append(name)
    return left
