"""What imports leave that forks cannot inherit, and which files are concerned."""

import ast
import os
import sys
import sysconfig
import threading
import types

from seatrial_python import hazards

# Those of a conftest file that run before tests do.
HOOKS = {"pytest_configure", "pytest_sessionstart", "pytest_collection", "pytest_collection_modifyitems",
         "pytest_collection_finish"}
# https://www.sqlite.org/fileformat.html
DATABASE = b"SQLite format 3\0"
# In the paths of what is installed.
PACKAGES = "-packages" + os.sep
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
        # Modules of test files, and what modules know.
        self.imported = {}
        self.known = {}

    def look(self):
        """Before an import."""
        self.before = hazards.of_imports()
        self.loaded = set(sys.modules)

    def of_conftest(self):
        """After the import of a conftest file, or of the first ones."""
        self.conftest |= hazards.left_since(self.before)
        self.look()

    def of_file(self, path, module):
        """After the import of a test file."""
        left = hazards.left_since(self.before)
        self.imported[path] = module
        self.of_tests |= left
        if left:
            self.leaving.add(path)
            self.modules |= {name for name in set(sys.modules) - self.loaded if not is_standard(sys.modules[name])}
        self.look()

    def of_session(self, config):
        """After collection: what hooks of conftest files have left, and databases that those of plug-ins keep open. pytest's
        own logs stay where its session is."""
        self.conftest |= {name for name in hazards.written() - self.first - self.of_tests if is_database(name)}
        if not any(is_conftest(plugin) and HOOKS.intersection(vars(plugin)) for plugin in config.pluginmanager.get_plugins()):
            return
        logs = {"file:" + os.path.abspath(value) for value in vars(config.option).values() if isinstance(value, str)}
        opened = hazards.written() - hazards.logs() - self.first - self.of_tests - logs
        self.conftest |= {name for name in opened if not is_coverage(name)}
        self.conftest |= {thread for thread in project_threads() if thread not in self.of_tests}

    def files(self, all):
        """Those whose tests cannot be forked: they or what they import have left something, whoever was first to import it."""
        if self.conftest:
            return set(all)
        if not self.leaving:
            return set()
        concerned = self.concerned()
        return self.leaving | {path for path in all if concerned & self.edges(self.imported.get(path))}

    def concerned(self):
        """Names of modules that a process must not import early: those that came when something was left, and those that
        import them, by however many others."""
        if not self.modules:
            return set()
        importers = {}
        for name, module in list(sys.modules.items()):
            if name not in self.own and not is_standard(module):
                for known in self.edges(module):
                    importers.setdefault(known, set()).add(name)
        found, left = set(), list(self.modules)
        while left:
            name = left.pop()
            if name not in found:
                found.add(name)
                left += importers.get(name, ())
        return found

    def edges(self, module):
        """Names of the modules that a module knows, looked up once."""
        if id(module) not in self.known:
            self.known[id(module)] = held(module) | imported(module)
        return self.known[id(module)]


def held(module):
    """Names of the modules that a module has, or has something of."""
    found = set()
    for value in list(getattr(module, "__dict__", {}).values()):
        # Values are not asked for their class: some are made when they are asked for anything.
        kind = type(value)
        if issubclass(kind, types.ModuleType):
            found.add(vars(value).get("__name__"))
        elif issubclass(kind, (type, types.FunctionType)):
            found.add(getattr(value, "__module__", None))
        else:
            found.add(getattr(kind, "__module__", None))
    return {name for name in found if isinstance(name, str)}


def imported(module):
    """Names of the modules that stand in a module's own import statements, and some that are none. Installed packages are not
    read: that would take long."""
    found = set()
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or not file.endswith(".py") or PACKAGES in file:
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


def project_threads():
    """Names of threads that run a function of the project's, or of the standard library's."""
    found = set()
    for thread in threading.enumerate():
        number = getattr(thread, "native_id", None)
        if thread is threading.main_thread() or number is None:
            continue
        function = getattr(thread, "_target", None) or type(thread).run
        file = getattr(sys.modules.get(getattr(function, "__module__", None)), "__file__", None) or ""
        if PACKAGES not in file:
            found.add("thread:%d" % number)
    return found


def is_coverage(name):
    """Whether this is a file of coverage's, which is taken care of."""
    return os.path.basename(name).startswith(".coverage")


def is_database(name):
    """Whether a file that is open here is one of SQLite's, which takes no more than reading when it is another than the one that
    was opened. It is not opened once more: with the end of that SQLite would lose its locks (fcntl(2))."""
    if is_coverage(name):
        return False
    path = name.partition(":")[2]
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            if os.readlink("/proc/self/fd/" + descriptor) == path:
                return os.pread(int(descriptor), len(DATABASE), 0) == DATABASE
        except OSError:
            continue
    return False


def is_standard(module):
    """Whether a module is of the standard library, or built in."""
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        # A namespace package may hold the project's.
        return not hasattr(module, "__path__")
    return file.startswith(STANDARD) and PACKAGES not in file


def is_conftest(plugin):
    """Whether a plug-in is a conftest file."""
    return os.path.basename(getattr(plugin, "__file__", None) or "") == "conftest.py"
