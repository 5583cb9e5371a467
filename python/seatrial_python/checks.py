"""What a test leaves behind in its process, looked at between the tests of a batch.

A batch is one fork that runs several tests. After each, `Checks.change` compares what another test could notice
with what was there before: the environment, the working directory, files outside of pytest's temporary
directories, threads, children, descriptors, handlers, the names of modules of the project and what stands in their
classes and containers. The first change ends the batch, and the tests that follow get a new fork.

Not seen: what lies deeper (an attribute of an instance, an element of an element), modules that are not the
project's own but for those in `PATCHED`, caches in C, modules that a test has imported.
"""

import builtins
import collections
import gc
import locale
import logging
import os
import signal
import sys
import tempfile
import time
import types
import warnings

from seatrial_python import versions

SIGNALS = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM", "SIGCHLD", "SIGUSR1", "SIGUSR2", "SIGPIPE")
]
# Modules that tests patch.
PATCHED = ("builtins", "os", "time", "datetime", "random", "socket", "subprocess")
# Names of the project that are compared: more would cost more than a fork.
NAMES = 6000
CONTAINER = 200
# Processes that may end because a container has grown, or because descriptors or files were left.
CACHE = 4
# Before the names of what is made at its first use, beside those of what is counted.
LATER = "at first use: "
DESCRIPTORS, THREADS, CHILDREN = "open descriptors", "threads", "child processes"
# What no fork inherits, whatever it is.
UNSAFE = (THREADS, CHILDREN)
FILES = "files"
HABITS = (DESCRIPTORS, FILES)
CONTAINERS = (dict, list, set)
# What Python keeps in a module for itself. Notes of warnings hold as long as the filters do, which pytest sets for each test.
INNER = ("__builtins__", "__warningregistry__")
NOT_OURS = (os.sep + "site-packages" + os.sep, os.sep + "dist-packages" + os.sep)


# What `vars` of a class has for its methods.
METHODS = (types.FunctionType, classmethod, staticmethod, property)
# As they are before tests put something else in their place, which is told by `os` in `PATCHED`.
ENVIRONMENT, directory, status, listing = os.environ, os.getcwd, os.stat, os.listdir


class Checks(object):
    """A picture of the process, and what has changed since it was taken."""

    def __init__(self, root):
        self.root = root.rstrip(os.sep) + os.sep
        # The first file asks where temporary files go; that is no change.
        self.temporary = tempfile.gettempdir()
        tempfile._get_candidate_names()
        self.stamp = None
        self.own_mount = is_overlay(directory())
        # User code has run since the picture was taken.
        self.is_old = True
        # How many processes have ended because nothing but this has grown, and what is no longer a reason.
        self.growths = collections.Counter()
        self.caches = set()
        # In a fork: the place of the space that has grown, from 1; 0 if its end had another reason.
        self.grown = 0

    def picture(self, module):
        """Before forks, when user code has run: what stands in modules. `module`: the tests' own, looked at first."""
        self.is_old = False
        self.loaded = len(sys.modules)
        self.modules = []
        # The first places stand for what has no names.
        self.spaces = [(name, None, None) for name in HABITS]
        self.cases, self.classes = {}, {}
        for name in PATCHED:
            patched = sys.modules.get(name)
            if patched is not None:
                self.modules.append((name, patched))
                self.spaces.append((name, vars(patched), dict(vars(patched))))
        left = NAMES
        seen = set()
        for module in [module] + list(sys.modules.values()):
            if left <= 0:
                break
            if id(module) not in seen and self.is_ours(module):
                seen.add(id(module))
                left -= self.keep(module)
        self.readers = [versions.of(now) if has_names(now) else None for _, now, _ in self.spaces]
        self.modules_reader = versions.of(sys.modules)
        self.versions = self.read()
        named = [(name, before) for name, space, before in self.spaces[len(HABITS):] if has_names(space)]
        self.numbers = ["%s.%s" % (name, key) for name, before in named for key, value in before.items() if type(value) is int]
        self.numbers += sorted({self.later(name, key) for name, before in named for key, value in before.items() if value is None})

    def read(self):
        """The versions of `sys.modules` and of all spaces, None where there is none."""
        return [reader and reader.value for reader in [self.modules_reader] + self.readers]

    def note_growth(self, place):
        """A process has ended because a container has grown, or because descriptors or files were left. What is so again and
        again is a cache, or the project's way (event loops that nobody closes, reports): in plain pytest, too, all tests share
        it, and a test that fails after others runs again alone."""
        names = [name for name, _, _ in self.spaces] + self.numbers
        name = names[place - 1]
        self.growths[name] += 1
        if self.growths[name] >= CACHE:
            self.caches.add(name)

    def begin(self):
        """In a fork, before its first test: the rest of the picture."""
        self.facts = self.look()

    def is_ours(self, module):
        """Whether the module is a file of the project."""
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or not file.startswith(self.root):
            return False
        return not any(part in file for part in NOT_OURS)

    def keep(self, module):
        """The names of a module, of its classes and in its containers; how many they are."""
        name, space = getattr(module, "__name__", "?"), vars(module)
        self.modules.append((name, sys.modules.get(name)))
        self.spaces.append((name, space, dict(space)))
        count = len(space)
        for key, value in list(space.items()):
            kind = type(value)
            if kind in CONTAINERS:
                if key not in INNER and len(value) <= CONTAINER:
                    self.spaces.append(("%s.%s" % (name, key), value, kind(value)))
                    count += len(value)
            elif isinstance(value, type) and value.__module__ == name:
                inside = vars(value)
                self.spaces.append(("%s.%s" % (name, key), inside, dict(inside)))
                count += len(inside)
                self.classes["%s.%s" % (name, key)] = value
                if is_case(value):
                    self.cases["%s.%s" % (name, key)] = value
        return count

    def look(self):
        """What can be had in a few microseconds each, by name."""
        facts = {
            "environment variables": dict(ENVIRONMENT._data),
            "working directory": directory(),
            "umask": umask(),
            "sys.path": list(sys.path),
            "sys.meta_path": list(sys.meta_path),
            "signal handlers": [signal.getsignal(number) for number in SIGNALS],
            "timer": signal.getitimer(signal.ITIMER_REAL)[1] or signal.getitimer(signal.ITIMER_REAL)[0] > 0,
            # A directory for each thread, each of which counts as a link.
            THREADS: status("/proc/self/task").st_nlink,
            CHILDREN: has_children(),
            DESCRIPTORS: descriptors(),
            "locale": locale.setlocale(locale.LC_ALL),
            "warning filters": list(warnings.filters),
            "hooks": (
                sys.excepthook, sys.displayhook, warnings.showwarning, builtins.__import__, sys.gettrace(),
                sys.getprofile(), sys.getrecursionlimit(), gc.isenabled(), sys.stdin, sys.__stdout__, sys.__stderr__,
            ),
            "logging": logs(),
            "temporary files": self.temporary_files(),
        }
        if self.own_mount:
            facts[FILES] = used(".")
        return facts

    def temporary_files(self):
        """Their names, looked up when the directory has changed."""
        facts = status(self.temporary)
        # Times move in steps of some milliseconds; sizes of directories in memory count the entries.
        stamp = (facts.st_mtime_ns, facts.st_size, facts.st_nlink)
        if stamp != self.stamp:
            self.stamp, self.names = stamp, sorted(listing(self.temporary))
        return self.names

    def change(self, own=None):
        """What has changed, in words, or None. `own`: a class whose attributes are its own business now."""
        facts = self.look()
        if facts[THREADS] > self.facts[THREADS]:
            # One that was joined may still be on its way out.
            time.sleep(0.001)
            facts = self.look()
        changed = sorted(name for name in facts if facts[name] != self.facts[name])
        if changed:
            new = [name for name in changed if name not in self.caches or not more(name, facts, self.facts)]
            if new:
                self.grown = 1 + HABITS.index(new[0]) if len(new) == 1 and more(new[0], facts, self.facts) else 0
                return ", ".join(changed)
            self.facts = facts
        before, self.versions = self.versions, self.read()
        if before[0] is None or before[0] != self.versions[0]:
            # Modules that nobody patches are only counted: to look at each would copy the page that it lies on.
            if len(sys.modules) < self.loaded:
                return "sys.modules"
            for name, module in self.modules:
                if sys.modules.get(name) is not module:
                    return "sys.modules"
        for place, (old, new) in enumerate(zip(before[1:], self.versions[1:])):
            if (new is None or new != old) and self.differs(place, own):
                return self.spaces[place][0]
        return None

    def is_unsafe(self, change):
        """Whether a change is of what no fork inherits."""
        return any(name in change for name in UNSAFE)

    def later(self, name, key):
        """How what is made at its first use is known: in classes of one name, which may be made by one, by that."""
        return LATER + "%s.%s" % (name.rpartition(".")[2] if name in self.classes else name, key)

    def differs(self, place, own):
        """Whether a space has changed in a way that counts. `own`: as for `change`. Anything else is known from now on."""
        name, now, before = self.spaces[place]
        if same(now, before):
            return False
        if name in PATCHED and only_more(now, before) or has_names(now) and only_imports(name, now, before):
            return False
        if own is not None and name == "%s.%s" % (own.__module__, own.__name__) or name in self.cases and are_own(self.cases[name], before):
            before.update(now)
            return False
        counters = ["%s.%s" % (name, key) for key in counted(now, before)] or [
            self.later(name, key) for key in filled(now, before)]
        if counters:
            new = [counter for counter in counters if counter not in self.caches]
            # One that has come since the picture has no place.
            known = new and new[0] in self.numbers and (len(new) == 1 or new[0].startswith(LATER))
            self.grown = 1 + len(self.spaces) + self.numbers.index(new[0]) if known else 0
            before.update(now)
            return bool(new)
        grows = has_grown(now, before, self.classes.get(name))
        if grows and name in self.caches:
            before.update(now)
            return False
        self.grown = place + 1 if grows else 0
        return True


def is_case(kind):
    """Whether a class is one of unittest's."""
    case = getattr(sys.modules.get("unittest.case"), "TestCase", None)
    return case is not None and issubclass(kind, case)


def descriptors():
    """How many there are; before Linux 6.2, which tells that, their numbers."""
    return status("/proc/self/fd").st_size or listing("/proc/self/fd")


def more(name, now, before):
    """Whether descriptors, or files, were only added."""
    now, before = now[name], before[name]
    if name == FILES:
        return now[0] <= before[0] and now[1] <= before[1]
    if name != DESCRIPTORS:
        return False
    return now > before if isinstance(now, int) else set(now) > set(before)


def same(now, before):
    """Whether two containers hold the same."""
    try:
        return bool(now == before)
    except Exception:
        # Values that cannot be compared are not the same objects any more.
        return False


def has_names(space):
    """Whether it is a module's or a class's own, and not a container in one."""
    return space is not None and type(space) not in CONTAINERS or type(space) is dict and "__name__" in space


def has_grown(now, before, kind=None):
    """Whether a dict or set of a module, not the module itself, or the class `kind` holds what it held, and more: in a class, what
    stands in the place of nothing inherited."""
    if type(now) is set:
        return before <= now
    if type(now) not in (dict, types.MappingProxyType) or "__name__" in now:
        return False
    nothing = object()
    if not all(now.get(key, nothing) is value for key, value in before.items()):
        return False
    return kind is None or not any(key in vars(base) for key in now if key not in before for base in kind.__mro__[1:])


def counted(now, before):
    """Names in a module or class that count something: numbers that have grown, if nothing else has changed."""
    if not has_names(now) or len(now) != len(before):
        return []
    nothing = object()
    changed = [key for key, value in before.items() if now.get(key, nothing) is not value]
    numbers = [key for key in changed if type(now.get(key)) is type(before[key]) is int and now[key] > before[key]]
    return numbers if len(numbers) == len(changed) else []


def filled(now, before):
    """Names in a module or class that were None and are no more, if nothing else has changed: what is made at its first use."""
    if not has_names(now) or len(now) != len(before):
        return []
    nothing = object()
    changed = [key for key, value in before.items() if now.get(key, nothing) is not value]
    return changed if all(before[key] is None and key in now for key in changed) else []


def are_own(case, before):
    """Whether a class of unittest's has nothing new but what is no method. That `setUpClass` and `setUp` give to its tests."""
    now, nothing = vars(case), object()
    if any(name not in now for name in before):
        return False
    for name, value in now.items():
        if value is before.get(name, nothing):
            continue
        inherited = [vars(base).get(name) for base in case.__mro__[1:]]
        if any(is_method(one) for one in [value, before.get(name)] + inherited):
            return False
    return True


def is_method(value):
    """Whether an attribute of a class is called, and no class."""
    return isinstance(value, METHODS) or (callable(value) and not isinstance(value, type))


def only_more(now, before):
    """Whether nothing but new names has come, which nobody can have looked for. They are known from now on."""
    if any(now.get(name, before) is not value for name, value in before.items()):
        return False
    before.update(now)
    return True


def only_imports(package, now, before):
    """Whether nothing has come but names of modules in a package, which somebody has imported, and what Python notes of warnings.
    They are known from now on."""
    new = [key for key in now if key not in before and key not in INNER]
    if any(sys.modules.get(package + "." + key, package) is not now[key] for key in new):
        return False
    return only_more(now, before)


def umask():
    """The process's umask, which can only be read by setting it."""
    mask = os.umask(0o22)
    os.umask(mask)
    return mask


def has_children():
    """Whether there are child processes, running or dead."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def logs():
    """Levels and handlers of all loggers."""
    root = logging.root
    found = [root.level, list(root.handlers), root.disabled, root.manager.disable]
    for name, logger in list(root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and (logger.handlers or logger.level or logger.disabled):
            found.append((name, logger.level, list(logger.handlers), logger.disabled, logger.propagate))
    return found


def is_overlay(path):
    """Whether files here are a private layer: elsewhere other processes write too, and numbers say nothing."""
    here = status(path).st_dev
    try:
        with open("/proc/self/mountinfo") as file:
            for line in file:
                fields = line.split(" - ")
                device = fields[0].split()[2].split(":")
                if fields[1].startswith("overlay ") and os.makedev(int(device[0]), int(device[1])) == here:
                    return True
    except (OSError, ValueError, IndexError):
        return False
    return False


def used(path):
    """Blocks and files of the layer that is written to."""
    facts = os.statvfs(path)
    return facts.f_bfree, facts.f_ffree
