"""What imports leave that forks cannot inherit, and which files are concerned."""

import ast
import os
import sys
import sysconfig
import types

from seatrial_python import hazards


STANDARD = sysconfig.get_paths()["stdlib"] + os.sep


class Leftovers(object):
    """Looked for around each import of a conftest file or test file."""

    def __init__(self):
        self.before = set()
        self.loaded = set()
        self.first = hazards.written()
        self.of_tests = set()
        # pytest's own modules, and those of its plug-ins.
        self.own = set(sys.modules)
        # What conftest files have left.
        self.conftest = set()
        # Files that have left something, and the modules that came with them.
        self.leaving = set()
        self.modules = set()
        # Modules of test files.
        self.imported = {}

    def look(self):
        """Before an import."""
        self.before = hazards.of_imports()
        self.loaded = set(sys.modules)

    def of_conftest(self):
        """After the import of a conftest file, or of the first ones."""
        now = hazards.of_imports()
        self.conftest |= now - self.before
        self.before = now

    def of_file(self, path, module):
        """After the import of a test file."""
        now = hazards.of_imports()
        self.imported[path] = module
        self.of_tests |= now - self.before
        if now - self.before:
            self.leaving.add(path)
            self.modules |= {name for name in set(sys.modules) - self.loaded if not is_standard(sys.modules[name])}
        self.before = now

    def of_session(self, config):
        """After collection: files that hooks of conftest files have opened. pytest's own logs stay where its session is."""
        logs = {"file:" + os.path.abspath(value) for value in vars(config.option).values() if isinstance(value, str)}
        handler = getattr(config.pluginmanager.getplugin("logging-plugin"), "log_file_handler", None)
        logs.add("file:" + str(getattr(handler, "baseFilename", "")))
        opened = hazards.written() - self.first - self.of_tests - logs
        self.conftest |= {name for name in opened if not os.path.basename(name).startswith(".coverage")}

    def files(self, all):
        """Those whose tests cannot be forked: they or what they import have left something, whoever was first to import it."""
        if self.conftest:
            return set(all)
        if not self.leaving:
            return set()
        return self.leaving | {path for path in all if self.reaches(self.imported.get(path))}

    def reaches(self, module):
        """Whether a module imports, by however many others, one of those that came when something was left."""
        seen, left = set(), [module]
        while left:
            module = left.pop()
            for name in held(module) | imported(module):
                if name in self.modules:
                    return True
                found = None if name in seen or name in self.own else sys.modules.get(name)
                seen.add(name)
                if found is not None and not is_standard(found):
                    left.append(found)
        return False


def held(module):
    """Names of the modules that a module has, or has something of."""
    found = set()
    for value in list(getattr(module, "__dict__", {}).values()):
        if isinstance(value, types.ModuleType):
            found.add(value.__name__)
        else:
            # Of instances the class is asked: they may answer to anything.
            found.add((value if isinstance(value, (type, types.FunctionType)) else type(value)).__module__)
    return found


def imported(module):
    """Names of the modules that stand in a module's own import statements, and some that are none."""
    found = set()
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or not file.endswith(".py"):
        return found
    try:
        with open(file, "rb") as source:
            tree = ast.parse(source.read())
    except (OSError, SyntaxError, ValueError):
        return found
    for statement in ast.walk(tree):
        if isinstance(statement, ast.Import):
            names = [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            package = (getattr(module, "__package__", None) or "").split(".")
            above = package[:len(package) + 1 - statement.level] if statement.level else []
            start = ".".join(above + ([statement.module] if statement.module else []))
            names = [start] + [start + "." + alias.name for alias in statement.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            found.update(".".join(parts[:count]) for count in range(1, len(parts) + 1))
    return found


def is_standard(module):
    """Whether a module is of the standard library, or built in."""
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        # A namespace package may hold the project's.
        return not hasattr(module, "__path__")
    return file.startswith(STANDARD) and "-packages" + os.sep not in file


def is_conftest(plugin):
    """Whether a plug-in is a conftest file."""
    return os.path.basename(getattr(plugin, "__file__", None) or "") == "conftest.py"
