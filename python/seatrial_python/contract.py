"""pytest-xdist's contract: plug-ins ask whether they run in a worker, and hand data from session to workers.

The lister plays xdist's controller with one node for each slot; the warmer plays the worker. Nothing here needs
xdist itself. Adaptations to single plug-ins stand here and nowhere else.
"""

import os
import sys


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
        self.workeroutput = {}
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


class Unasked(object):
    """In the place of syrupy's report."""

    lines = ("Unused snapshots are looked for by plain pytest only.",)


def quiet_snapshots(session):
    """syrupy compares in the tests' processes. In this session no snapshot was used: it must not complain, nor delete."""
    snapshots = getattr(session.config, "_syrupy", None) or getattr(session, "_syrupy", None)
    if snapshots is not None and hasattr(snapshots, "finish"):
        snapshots.report = Unasked()
        snapshots.finish = lambda: 0


def slot_settings(packet):
    """The packet's settings with this slot's number and its part of `nodes`: one packet serves all slots."""
    settings = dict(packet["settings"])
    number = int(os.environ.pop("SEATRIAL_SLOT", settings.get("slot") or 0))
    settings["slot"] = number
    nodes = packet.get("nodes") or []
    if number < len(nodes):
        settings.setdefault("workerinput", nodes[number])
    return settings


def become_worker(config, settings):
    """Makes this session a worker's. Called before plug-ins are configured."""
    number = settings.get("slot", 0)
    count = settings.get("workers") or 1
    given = worker_input(number, count, settings.get("run", ""))
    given.update(settings.get("workerinput") or {})
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
