"""Forks of the lister that become the warm interpreters of slots, so that nothing is imported and collected twice.

A slot's invitation brings what makes a process one of its own. Only a session is forked that would have come about in
the slot as well: what it has opened, started or written outside, a slot's processes would look for in vain. Plug-ins and
test files that ask whether they run in a worker of pytest-xdist's get an interpreter that was one from its start.
"""

import importlib
import importlib.util
import os
import re
import resource
import signal
import stat
import struct
import sys
import time

from seatrial_python import hazards, randomness

# Where a warmer's channel, pipes and shelf are.
FIRST = 3
LAST = 10
WORKER = re.compile(rb"worker(input|output|_id)|slave(input|output)|PYTEST_XDIST|configure_node|testnodedown")
# They ask only when a fixture is set up, or the answer is the same in every process.
KNOWN = ("_pytest", "pytest", "xdist", "execnet", "seatrial_python", "pytest_django", "pytest_randomly", "anyio",
         "_hypothesis_pytestplugin", "pytest_asyncio", "pytest_mock", "pytest_timeout", "py")
# Linux: prctl(2), capabilities(7), capset(2).
SET_DUMPABLE, SET_SECCOMP, HAS_BOUND, DROP_BOUND, AMBIENT = 4, 22, 23, 24, 47
# Bytes from which on memory is joined, and of a page of joined memory; madvise(2).
LARGE, HUGE, COLLAPSE = 64 << 20, 2 << 20, 25
FILTER_MODE, CLEAR_ALL, CAPABILITIES_V3 = 2, 4, 0x20080522


def reserve():
    """Keeps the numbers of a warmer's descriptors free; called before anybody else opens something. Gives those that the
    process has inherited."""
    inherited = [int(number) for number in os.listdir("/proc/self/fd") if int(number) > LAST]
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(FIRST + 1, LAST + 1):
        try:
            os.fstat(number)
        except OSError:
            os.dup2(null, number, False)
    if null > LAST:
        os.close(null)
    return inherited


class Origin(object):
    """What the process was before user code ran in it, and why it cannot be forked, in words."""

    def __init__(self, packet, inherited):
        self.inherited = inherited
        # First of each three processes of which the last is a slot's warmer.
        self.forks = []
        self.has_fixtures = bool(packet.get("fixtures"))
        self.directory = os.getcwd()
        self.temporary = temporary()
        self.present = hazards.present() | files()
        self.modules = set(sys.modules)
        self.random = None

    def refusal(self, config):
        """When plug-ins and the first conftest files are there; None if nothing is against it yet."""
        self.random = randomness.State()
        if not hasattr(os, "fork") or importlib.util.find_spec("_ctypes") is None:
            return "this Python has no ctypes"
        if self.has_fixtures:
            return "there are fixtures for the whole run"
        if sys.gettrace() is not None or config.pluginmanager.hasplugin("_cov") or "coverage" in sys.modules:
            return "coverage is measured"
        for plugin in config.pluginmanager.get_plugins():
            name = getattr(plugin, "__name__", None) or type(plugin).__module__
            top = name.partition(".")[0]
            for module in list(sys.modules):
                if (module == name or module.startswith(top + ".")) and top not in KNOWN and asks(sys.modules[module]):
                    return "%s asks for a worker" % module
        return None

    def reap(self):
        """Forks that have done their part."""
        while self.forks:
            os.waitpid(self.forks.pop(), 0)

    def late_refusal(self, config):
        """When all is collected."""
        if len(hazards.threads()) > 1:
            return "there are threads"
        left = (hazards.present() | files()) - self.present | temporary() - self.temporary
        if left:
            return "collection has left " + ", ".join(sorted(left))
        root = str(getattr(config, "rootpath", None) or config.rootdir) + os.sep
        for name in set(sys.modules) - self.modules:
            module = sys.modules.get(name)
            if (getattr(module, "__file__", None) or "").startswith(root) and asks(module):
                return "%s asks for a worker" % name
        return None


def files():
    """Open files that have a name, as `hazards.present` tells of sockets."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink("/proc/self/fd/" + number)
            regular = stat.S_ISREG(os.fstat(int(number)).st_mode)
        except OSError:
            continue
        if regular and not target.endswith(" (deleted)"):
            found.add("open file " + target)
    return found


def temporary():
    """What this user has in the folder of temporary files: slots have one of their own."""
    found = set()
    try:
        with os.scandir(os.environ.get("TMPDIR") or "/tmp") as entries:
            for entry in entries:
                if entry.stat(follow_symlinks=False).st_uid == os.getuid():
                    found.add(entry.path)
    except OSError:
        return found
    return found


def asks(module):
    """Whether a module's source has words by which workers are known."""
    path = getattr(module, "__file__", None) or ""
    if not path.endswith(".py"):
        return False
    try:
        with open(path, "rb") as file:
            return WORKER.search(file.read()) is not None
    except OSError:
        return True


class Invitation(object):
    """A slot's message and the descriptors that came with it."""

    def __init__(self, facts, descriptors):
        self.slot = facts["slot"]
        self.capabilities = facts["capabilities"]
        self.processes = facts["processes"]
        self.filter = bytes(bytearray.fromhex(facts["filter"]))
        behind = len(descriptors) - facts["doors"]
        self.descriptors = descriptors
        seats = LAST + 1 - FIRST
        self.seats, self.namespaces, self.doors = descriptors[:seats], descriptors[seats:behind], descriptors[behind:]

    def decline(self):
        """The slot starts an interpreter of its own."""
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = []

    def enter(self, ctypes, inherited):
        """In a fork: becomes a process of the slot. Returns in its grandchild, whose parent is the slot's first process."""
        system = ctypes.CDLL(None, use_errno=True)

        def call(function, *numbers):
            if getattr(system, function)(*[ctypes.c_ulong(number) for number in numbers]) < 0:
                raise OSError(ctypes.get_errno(), function)

        for door in self.doors:
            os.write(door, b"0")
        own = {os.stat("/proc/self/ns/" + name).st_ino for name in os.listdir("/proc/self/ns")}
        for namespace in self.namespaces:
            if os.fstat(namespace).st_ino not in own:
                call("setns", namespace, 0)
        # Only children live in the slot's namespace of processes, and only orphans get its first process as parent.
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)
            os._exit(0)
        os.setsid()
        if os.fork():
            os._exit(0)
        while os.getppid() != 1:
            time.sleep(0.0005)
        os.setpgid(0, 0)
        for place, descriptor in enumerate(self.seats):
            os.dup2(descriptor, FIRST + place, False)
        self.decline()
        self.drop_privileges(ctypes, call)
        # What Seatrial was started with is not for tests.
        for descriptor in inherited:
            try:
                os.close(descriptor)
            except OSError:
                continue

    def drop_privileges(self, ctypes, call):
        """What the slot's first process has dropped too, and its filter."""

        class Program(ctypes.Structure):
            """`struct sock_fprog`."""

            _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_char_p)]

        program = Program(len(self.filter) // 8, self.filter)
        call("prctl", SET_SECCOMP, FILTER_MODE, ctypes.addressof(program), 0, 0)
        call("prctl", AMBIENT, CLEAR_ALL, 0, 0, 0)
        number = 0
        while True:
            try:
                call("prctl", HAS_BOUND, number, 0, 0, 0)
            except OSError:
                break
            if not self.capabilities >> number & 1:
                call("prctl", DROP_BOUND, number, 0, 0, 0)
            number += 1
        low, high = self.capabilities & 0xFFFFFFFF, self.capabilities >> 32
        head = ctypes.create_string_buffer(struct.pack("=Ii", CAPABILITIES_V3, 0))
        sets = ctypes.create_string_buffer(struct.pack("=6I", low, low, 0, high, high, 0))
        call("capset", ctypes.addressof(head), ctypes.addressof(sets))
        if self.processes is not None:
            resource.setrlimit(resource.RLIMIT_NPROC, (self.processes, resource.getrlimit(resource.RLIMIT_NPROC)[1]))
        # Other credentials have made it unreadable to its own user.
        call("prctl", SET_DUMPABLE, 1, 0, 0, 0)


def accept(lister, session, invitation):
    """Forks the session for a slot; returns in the lister, which does not wait."""
    import ctypes

    warmer = load("warmer")
    sys.stdout.flush()
    sys.stderr.flush()
    hazards.settle()
    if not lister.origin.forks:
        join_pages(ctypes)
    state = lister.origin.random.settle()
    pid = os.fork()
    if pid:
        invitation.decline()
        lister.origin.forks.append(pid)
        return
    status = 70
    try:
        invitation.enter(ctypes, lister.origin.inherited)
        status = serve(warmer, lister, session, invitation.slot, state)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
    finally:
        os._exit(status)


def join_pages(ctypes):
    """Lets large memory lie in huge pages, if it is much: a fork copies a table entry for each page."""
    with open("/proc/self/statm") as file:
        if int(file.read().split()[1]) * resource.getpagesize() < LARGE:
            return
    madvise = ctypes.CDLL(None).madvise
    with open("/proc/self/maps") as file:
        for line in file:
            fields = line.split()
            if fields[1] != "rw-p" or (len(fields) > 5 and fields[5] != "[heap]"):
                continue
            start, end = (int(number, 16) for number in fields[0].split("-"))
            start, end = -(-start // HUGE) * HUGE, end // HUGE * HUGE
            if end > start:
                # Refused where the kernel cannot (before Linux 6.1) or has no such page: then they stay as they are.
                madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), COLLAPSE)


def load(name):
    """A file of ours that the lister itself has no use for."""
    finder = __spec__.loader
    sys.meta_path.append(finder)
    try:
        return importlib.import_module("seatrial_python." + name)
    finally:
        sys.meta_path.remove(finder)


def serve(warmer, lister, session, slot, state):
    """The life of the slot's warmer; its exit status."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(lister.origin.directory)
    lister.origin.random.resume(state)
    manager = session.config.pluginmanager
    manager.unregister(lister)
    settings = dict(lister.settings, slot=slot)
    plugin = warmer.Guest(lister.messages.channel, settings, lister.origin.random, session.items)
    manager.register(plugin, "seatrial-warmer")
    plugin.begin(session)
    plugin.capture.attach(FIRST + 1, FIRST + 2)
    plugin.channel.send("arrived", os.getpid())
    plugin.take_findings(session.config)
    plugin.serve()
    return 0
