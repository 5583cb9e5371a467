"""Which files a process opens and which modules it imports, heard by an audit hook (Python 3.8 and newer).

The hook is installed once, in the warmer, and every fork inherits it with the rest. What the warmer itself has heard is
told before the next fork, as a numbered step: a fork names the last step before it, for it inherits all of them. What
a fork has heard is told at its end. A hook cannot be taken out again, and what it raises is raised where the file was
opened: so it runs nothing that can fail, and nothing of the user's.

Told are files of the project, by their path below its root, and files elsewhere but for Python's own and installed
packages, temporary files and devices; a bytecode file stands for its source. Modules of the project are told by their
names, installed packages by their first name, those of the standard library not at all.
"""

import itertools
import os
import sys
import types

# Names of one line at most; of what is heard for it, before what does not matter is taken out.
NAMES = 2000
HEARD = 50000
PACKAGES = (os.sep + "site-packages" + os.sep, os.sep + "dist-packages" + os.sep)
CACHE = os.sep + "__pycache__"
# What pytest remembers of its last run is no part of a project.
MEMORY = os.sep + ".pytest_cache" + os.sep
# Bound now, for tests replace them.
normpath, fsdecode, getcwd = os.path.normpath, os.fsdecode, os.getcwd


def recorder(settings):
    """A recorder when the run wants one and this Python has audit hooks, else None."""
    root = settings.get("files")
    return Facts(root) if root and hasattr(sys, "addaudithook") else None


def hook(opened, imported):
    """The hook that adds to these sets. `sys.audit` may be called by anybody, with anything."""
    directory = os.O_DIRECTORY
    access = os.O_ACCMODE

    def heard(event, arguments):
        if event == "open":
            if len(arguments) != 3 or type(arguments[2]) is not int or arguments[2] & directory:
                return
            path = arguments[0]
            if type(path) is bytes:
                path = fsdecode(path)
            elif type(path) is not str:
                return
            if path[:1] != "/":
                try:
                    path = getcwd() + "/" + path
                except FileNotFoundError:
                    return
            if len(opened) < HEARD:
                opened.add((path, arguments[2] & access))
        elif event == "import" and arguments and type(arguments[0]) is str and len(imported) < HEARD:
            imported.add(arguments[0])

    return heard


class Facts(object):
    """What this process has heard since it was last told."""

    def __init__(self, root):
        self.places = Places(root)
        self.step = 0
        self.name_interpreter()
        self.opened = set()
        self.imported = set()
        self.modules = len(sys.modules)
        sys.addaudithook(hook(self.opened, self.imported))

    def name_interpreter(self):
        """Tells this interpreter from the others of the run, also from one that took its place in its slot."""
        self.interpreter = "%012x" % int.from_bytes(os.urandom(6), "big")

    def share(self, lines, tests):
        """In the warmer, before a fork for these tests: what forks inherit from now on, if that is more."""
        line = self.take(tests)
        if any(line[kind] for kind in ("opened", "written", "imported", "left_out")):
            self.step += 1
            line.update(step=self.step, shared=True)
            lines.add({"facts": line})

    def begin(self):
        """In a fork: what was heard before is not its own."""
        self.opened.clear()
        self.imported.clear()
        self.modules = len(sys.modules)

    def tell(self, lines, tests):
        """In a fork, at its end: what it has done for these tests, be it nothing."""
        lines.add({"facts": self.take(tests)})

    def take(self, tests):
        """A line's content."""
        opened, imported = self.opened.copy(), self.imported.copy()
        self.opened.difference_update(opened)
        self.imported.difference_update(imported)
        imported.update(self.new_modules())
        found = {
            "opened": {self.places.read(path) for path, mode in opened if mode != os.O_WRONLY},
            "written": {self.places.written(path) for path, mode in opened if mode != os.O_RDONLY},
            "imported": {self.places.module(name) for name in imported},
        }
        # Where hearing has ended, nobody knows how many more there were.
        room, left_out = NAMES, sum(len(heard) >= HEARD for heard in (opened, imported))
        line = {"tests": tests, "interpreter": self.interpreter, "step": self.step}
        for kind in ("opened", "written", "imported"):
            names = sorted(found[kind] - {None})
            line[kind] = names[:room]
            left_out += len(names) - len(line[kind])
            room -= len(line[kind])
        line["left_out"] = left_out
        return line

    def new_modules(self):
        """The newest modules: of those that `importlib` imported no hook hears. To look at all of them would copy the
        pages that their names lie on."""
        count, self.modules = len(sys.modules) - self.modules, len(sys.modules)
        names = itertools.islice(reversed(sys.modules), count) if count > 0 else ()
        return [name for name in names if type(name) is str]


class Places(object):
    """By which name a file or module is told, if it is."""

    def __init__(self, root):
        import sysconfig

        self.root = below(root)
        paths = sysconfig.get_paths()
        archive = os.path.join(os.path.dirname(paths["stdlib"]), "python%d%d.zip" % sys.version_info[:2])
        self.library = tuple(below(path) for path in (paths["stdlib"], paths["platstdlib"], archive))
        others = [paths["purelib"], paths["platlib"], os.environ.get("TMPDIR") or "/tmp", "/dev", "/proc", "/sys"]
        if sys.prefix != sys.base_prefix:
            others.append(sys.prefix)
        self.outside = self.library + tuple(below(path) for path in others)
        # An environment may lie in the project; a project that lies in one of these is a project all the same.
        self.inside = tuple(path for path in self.outside if path.startswith(self.root) and path != self.root)
        self.known = set(getattr(sys, "stdlib_module_names", ())) | set(sys.builtin_module_names)
        self.bytecode = below(sys.pycache_prefix) if sys.pycache_prefix else None

    def read(self, path):
        """The name of a file that was opened for reading."""
        return self.name(self.source(normpath(path)))

    def written(self, path):
        """The name of a file that was opened for writing. Bytecode is nobody's doing."""
        path = normpath(path)
        is_bytecode = CACHE + os.sep in path or (self.bytecode is not None and path.startswith(self.bytecode))
        return None if is_bytecode else self.name(path)

    def module(self, name):
        """The name of a module."""
        first = name.partition(".")[0]
        if first == "seatrial_python" or first in self.known:
            return None
        file = self.file(name)
        if file is None or self.name(file) is not None:
            return name
        is_package = any(part in file for part in PACKAGES) or not file.startswith(self.library)
        return first if is_package else None

    def file(self, name):
        """The absolute path of a module that is there. A lazy one is not woken."""
        module = sys.modules.get(name)
        if not issubclass(type(module), types.ModuleType):
            return None
        file = object.__getattribute__(module, "__dict__").get("__file__")
        return normpath(file) if type(file) is str and file[:1] == "/" else None

    def name(self, path):
        """The name of an absolute path."""
        if MEMORY in path or any(part in path for part in PACKAGES):
            return None
        # A temporary file without a name is opened by that of its directory.
        folder = path + os.sep
        if path.startswith(self.root):
            return None if folder.startswith(self.inside) else path[len(self.root):]
        return None if folder.startswith(self.outside) else path

    def source(self, path):
        """The source of a bytecode file, Python's or pytest's; other paths as they are."""
        folder, _, name = path.rpartition(os.sep)
        if self.bytecode is not None and path.startswith(self.bytecode):
            folder = folder[len(self.bytecode) - 1:]
        elif folder.endswith(CACHE):
            folder = folder[:-len(CACHE)]
        else:
            return path
        stem, tag, _ = name.rpartition("." + sys.implementation.cache_tag)
        return folder + os.sep + stem + ".py" if tag else path


def below(folder):
    """What paths below a folder begin with."""
    return normpath(folder).rstrip(os.sep) + os.sep
