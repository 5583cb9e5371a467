"""pytest-xdist's contract: plug-ins ask whether they run in a worker, and hand data from session to workers.

The lister plays xdist's controller with one node for each slot; the warmer plays the worker. Nothing here needs
xdist itself. Adaptations to single plug-ins stand here and nowhere else.
"""

import importlib.util
import os
import sys
import tempfile

from seatrial_python import wire

# Characters of a variable that is handed on at most, for a packet has a limit.
VARIABLE = 4096
# pytest-xdist's options with a value, and without; they may stand in `addopts` or PYTEST_ADDOPTS.
WITH_VALUE = (
    ("-n", "--numprocesses"), ("--maxprocesses",), ("--dist",), ("--tx",), ("--px",), ("--max-worker-restart",),
    ("--maxschedchunk",), ("--testrunuid",), ("--rsyncdir",), ("--rsyncignore",),
)
FLAGS = (("-d", "--distload"), ("-f", "--looponfail"), ("--no-loadscope-reorder",), ("--loadscope-reorder",))


def accept_options(parser):
    """Without pytest-xdist, its options are known all the same; Seatrial has looked at them."""
    if importlib.util.find_spec("xdist") is not None:
        return
    group = parser.getgroup("seatrial", "options of pytest-xdist, which Seatrial takes for itself")
    # Lower-case letters are pytest's own, for those who ask.
    add = getattr(group, "_addoption", group.addoption)
    for names in WITH_VALUE:
        add(*names, action="append", dest="seatrial_" + names[-1].strip("-").replace("-", "_"))
    for names in FLAGS:
        add(*names, action="store_true", dest="seatrial_" + names[-1].strip("-").replace("-", "_"))


def start_no_workers(config):
    """With pytest-xdist, it starts nothing: called when it has read its options and before it acts on them."""
    for name, nothing in (("numprocesses", None), ("dist", "no"), ("tx", []), ("looponfail", False)):
        if hasattr(config.option, name):
            setattr(config.option, name, nothing)


# Plug-ins that are to know their worker also where there is no pytest-xdist. Others believe then that they have been told
# something by its hooks, which nobody has called.
WORKERS = ("pytest_django", "pytest_randomly")


class Gateway(object):
    """As execnet's, as far as plug-ins look at it."""

    def __init__(self, name):
        self.id = name
        self.spec = self

    popen = True
    chdir = None
    python = sys.executable

    def _rinfo(self, update=False):
        return self

    platform = sys.platform
    version_info = tuple(sys.version_info)
    executable = sys.executable


class NodeManager(object):
    """As xdist's."""

    def __init__(self, config, run):
        self.config = config
        self.testrunuid = run
        self.roots = []


class Node(object):
    """As xdist's `WorkerController`."""

    def __init__(self, manager, number, count):
        self.nodemanager = manager
        self.config = manager.config
        self.gateway = Gateway("gw%d" % number)
        self.workerinput = worker_input(number, count, manager.testrunuid)
        # pytest-metadata wants its part of every worker's. It is the same here as in this session.
        self.workeroutput = {"metadata": {}} if self.config.pluginmanager.hasplugin("metadata") else {}
        self.shutting_down = False


def worker_input(number, count, run):
    """What every worker knows of itself."""
    return {
        "workerid": "gw%d" % number,
        "workercount": count,
        "testrunuid": run,
        "mainargv": list(sys.argv),
    }


def workers_inputs(config, settings):
    """For each slot what plug-ins hand to its worker; an empty list when no plug-in hands anything."""
    hook = getattr(config.hook, "pytest_configure_node", None)
    config._seatrial_nodes = []
    count = settings.get("workers")
    if hook is None or not count:
        # Without pytest-xdist, pytest-randomly hands nothing over, but asks a worker for it.
        seed = getattr(config.option, "randomly_seed", None)
        return [{"randomly_seed": seed} for _ in range(count or 0) if isinstance(seed, int)]
    quiet_coverage(config)
    manager = NodeManager(config, settings.get("run", ""))
    for number in range(count):
        node = Node(manager, number, count)
        hook(node=node)
        config._seatrial_nodes.append(node)
    return [node.workerinput for node in config._seatrial_nodes]


def added_variables(before):
    """Environment variables that were not there before, by name: xdist's workers inherit them from its controller."""
    added = {name: value for name, value in os.environ.items() if name not in before and not name.startswith("PYTEST_")}
    return {name: value for name, value in added.items() if wire.clean(value) == value and len(name + value) < VARIABLE}


def temporary_folders(variables):
    """Directories among the values, of those for temporary files."""
    return [value for value in variables.values() if os.path.dirname(value) == tempfile.gettempdir() and os.path.isdir(value)]


def inherit_variables(variables, folders):
    """In a worker, behind its own start: those that it has not set itself, with the directories that they name, for its
    `/tmp` is another. Not before its start: what the controller has started is often out of reach here."""
    for name, value in variables.items():
        if name in os.environ:
            continue
        os.environ[name] = value
        if value in folders:
            try:
                os.makedirs(value)
            except OSError:
                # It is there, or cannot be: whoever uses it will say so.
                continue


def workers_left(config):
    """Tells plug-ins that the workers have ended."""
    hook = getattr(config.hook, "pytest_testnodedown", None)
    if hook is not None:
        for node in config._seatrial_nodes:
            hook(node=node, error=None)


def quiet_coverage(config):
    """pytest-cov measures here as in one process, and gets the workers' share by another way."""
    plugin = config.pluginmanager.getplugin("_cov")
    controller = getattr(plugin, "cov_controller", None)
    if controller is not None and not hasattr(controller, "configure_node"):
        controller.configure_node = lambda node: None
        controller.testnodedown = lambda node, error: None


def become_worker(config, settings):
    """Makes this session a worker's. Called before plug-ins are configured."""
    number = settings.get("slot", 0)
    count = settings.get("workers") or 1
    given = worker_input(number, count, settings.get("run", ""))
    given.update(settings.get("workerinput") or {})
    if config.pluginmanager.hasplugin("xdist") or any(name in sys.modules for name in WORKERS):
        config.workerinput = given
        config.workeroutput = {}
    os.environ["PYTEST_XDIST_WORKER"] = given["workerid"]
    os.environ["PYTEST_XDIST_WORKER_COUNT"] = str(count)
    os.environ["PYTEST_XDIST_TESTRUNUID"] = given["testrunuid"]
    # A test may start an xdist of its own: it is not to take all processors for each slot.
    os.environ.setdefault("PYTEST_XDIST_AUTO_NUM_WORKERS", "1")
    rerunfailures = sys.modules.get("pytest_rerunfailures")
    if hasattr(rerunfailures, "ClientStatusDB"):
        # Its database of crashed tests is reached by a port, which a slot's own network does not have.
        rerunfailures.ClientStatusDB = lambda *address: rerunfailures.StatusDB()
        given.setdefault("sock_port", 0)
        given.setdefault("statusdb_token", "")
    randomly = sys.modules.get("pytest_randomly")
    if randomly is not None and "randomly_seed" not in given:
        # Not yet a number where the user gave none.
        seed = getattr(config.option, "randomly_seed", 0)
        given["randomly_seed"] = seed if isinstance(seed, int) else settings.get("seed") or 0


def keep_coverage(config):
    """pytest-cov goes on as it has begun, but saves and reports nothing here."""
    plugin = config.pluginmanager.getplugin("_cov")
    controller = getattr(plugin, "cov_controller", None)
    if controller is not None:
        plugin._is_worker = lambda session: False
        plugin._should_report = lambda: False
        controller.finish = lambda: None
