"""Whether the lister can be forked for slots: only a session that would have come about in a slot as well.

What it has opened, started or written outside, a slot's processes would look for in vain, or reach by it what lies outside. Plug-ins
and test files that ask whether they run in a worker of pytest-xdist's get an interpreter that was one from its start.
"""

import importlib.util
import os
import re
import sys

from seatrial_python import facts, hazards, randomness

DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
WORKER = re.compile(rb"worker(input|output|_id)|slave(input|output)|PYTEST_XDIST|configure_node|testnodedown")
# They ask only when a fixture is set up or something is measured, or the answer is the same in every process; or those who are
# no worker report besides, which a fork does to nobody.
KNOWN = ("_pytest", "pytest", "xdist", "execnet", "seatrial_python", "pytest_django", "pytest_randomly", "anyio", "pytest_cov",
         "_hypothesis_pytestplugin", "pytest_asyncio", "pytest_mock", "pytest_timeout", "py", "pytest_bdd", "pytest_check",
         "random_order", "pytest_instafail", "pytest_sugar", "pytest_metadata")
# They do nothing without this option.
IDLE = {"pytest_html": "htmlpath", "pytest_jsonreport": "json_report", "pytest_reportlog": "report_log"}


class Origin(object):
    """What the process was before user code ran in it, and why it cannot be forked, in words."""

    def __init__(self, packet, inherited):
        self.inherited = inherited
        # First of each three processes of which the last is a slot's warmer.
        self.forks = []
        self.has_fixtures = bool(packet.get("fixtures"))
        self.temporary = temporary()
        self.present = hazards.present() | files()
        self.environment = set(os.environ)
        self.imports = hazards.of_imports()
        self.modules = set(sys.modules)
        # Before conftest files, which may seed.
        self.random = randomness.State()
        self.thresholds = hazards.spare()
        # What user code opens and imports from here on, for forks inherit it.
        self.facts = facts.recorder(packet["settings"])

    def refusal(self, config):
        """When plug-ins and the first conftest files are there; None if nothing is against it yet."""
        if not hasattr(os, "fork") or importlib.util.find_spec("_ctypes") is None:
            return "this Python has no ctypes"
        if self.has_fixtures:
            return "there are fixtures for the whole run"
        if sys.gettrace() is not None or config.pluginmanager.hasplugin("_cov") or coverage_runs():
            return "coverage is measured"
        for plugin in config.pluginmanager.get_plugins():
            name = getattr(plugin, "__name__", None) or type(plugin).__module__
            top = name.partition(".")[0]
            for module in list(sys.modules):
                if (module == name or module.startswith(top + ".")) and not knows(top, config) and asks(sys.modules[module]):
                    return "%s asks for a worker" % module
        return None

    def reap(self):
        """Forks that have done their part."""
        while self.forks:
            os.waitpid(self.forks.pop(), 0)

    def late_refusal(self, config):
        """When all is collected."""
        if any(name.startswith("thread:") for name in hazards.left_since(self.imports)):
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


def knows(top, config):
    """Whether nothing comes of it that a plug-in of this name asks."""
    return top in KNOWN or top in IDLE and not getattr(config.option, IDLE[top], None)


def coverage_runs():
    """Whether this process measures, of whatever origin."""
    kind = getattr(sys.modules.get("coverage"), "Coverage", None)
    return hasattr(kind, "current") and kind.current() is not None


def files():
    """Open files, directories and devices, and files in shared memory, as `hazards.present` tells of sockets: through them a
    process in a slot would reach what lies outside. What has no name is pytest's own."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink("/proc/self/fd/" + number)
        except OSError:
            continue
        if is_outside(target):
            found.add("open file " + target)
    with open("/proc/self/maps") as maps:
        for line in maps:
            fields = line.split(None, 5)
            if fields[1][1::2] == "ws" and len(fields) > 5 and is_outside(fields[5].strip()):
                found.add("shared memory of " + fields[5].strip())
    return found


def is_outside(target):
    """Whether this is the name of a file of the host's."""
    return target.startswith("/") and target not in DEVICES and not target.endswith(" (deleted)")


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
