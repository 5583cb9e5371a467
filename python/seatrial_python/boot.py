"""First code in the interpreter: makes the other files importable from the packet and starts the role.

Executed by BOOT with two names set: `packet`, the decoded first packet, and `channel`, the socket on
descriptor 3. Nothing is written to disk, and nothing of it stays in `sys.path` or `sys.meta_path`.
"""

import importlib
import importlib.abc
import importlib.machinery
import os
import sys

PACKAGE = "seatrial_python"


class Sources(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports `seatrial_python.*` from a dictionary of sources."""

    def __init__(self, sources):
        self.sources = sources

    def find_spec(self, name, path=None, target=None):
        """A specification for a name of ours, else None."""
        if name == PACKAGE:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        if name.startswith(PACKAGE + ".") and self.key(name) in self.sources:
            return importlib.machinery.ModuleSpec(name, self)
        return None

    def create_module(self, spec):
        """The default kind of module."""
        return None

    def exec_module(self, module):
        """Runs the source in the module."""
        source = self.get_source(module.__name__)
        code = compile(source, "<seatrial " + self.key(module.__name__) + ">", "exec")
        exec(code, module.__dict__)

    def get_source(self, name):
        """The source, which tracebacks show too."""
        return self.sources.get(self.key(name), "")

    @staticmethod
    def key(name):
        """`wire` for `seatrial_python.wire`."""
        return name.rpartition(".")[2]


def set_up_paths(rule):
    """`sys.path` and `sys.argv` as the command of the rule has them."""
    if rule.startswith("python -m") and not getattr(sys.flags, "safe_path", False):
        sys.path.insert(0, os.getcwd())
    programs = {
        "pytest": os.path.join(os.path.dirname(sys.executable), "pytest"),
        "python -m pytest": "pytest/__main__.py",
        "python -m unittest": os.path.basename(sys.executable) + " -m unittest",
    }
    sys.argv[:] = [programs[rule]]


def start(packet, channel):
    """Runs the role of the packet and returns the process's exit status."""
    finder = Sources({name.replace(".py", ""): source for name, source in packet["modules"].items()})
    # Not as `python -c` has it: the working directory may hold files with names of the standard library's.
    if sys.path and sys.path[0] == "":
        sys.path.pop(0)
    sys.meta_path.append(finder)
    try:
        role = importlib.import_module(PACKAGE + "." + packet["role"])
    finally:
        sys.meta_path.remove(finder)
    set_up_paths(packet["rule"])
    sys.argv.extend(packet["args"])
    return role.main(packet, channel)


if "packet" in globals():
    sys.exit(start(globals().pop("packet"), globals().pop("channel")))
