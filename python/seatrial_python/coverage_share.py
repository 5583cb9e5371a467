"""coverage.py across forks: each process hands over what ran in it, the lister adds it to its own.

Data goes through the collector's own `flush_data`, with a recorder in the place of the data file: so the
formats of its cores (C, Python, sys.monitoring; packed or mapped arcs) stay its own business.
"""

import sys


def running():
    """The coverage object that measures in this process, or None."""
    module = sys.modules.get("coverage")
    current = getattr(getattr(module, "Coverage", None), "current", None)
    cov = current() if current is not None else None
    if cov is None or getattr(cov, "_collector", None) is None:
        return None
    return cov


class Recorder(object):
    """Takes the place of coverage's `CoverageData` while a collector is flushed."""

    def __init__(self):
        self.context = ""
        self.lines = []
        self.arcs = []
        self.tracers = {}

    def set_context(self, context):
        """Under which name the following data ran."""
        self.context = context or ""

    def add_lines(self, data):
        """File to numbers of lines."""
        self.lines.extend([self.context, file, sorted(found)] for file, found in data.items() if found)

    def add_arcs(self, data):
        """File to pairs of lines."""
        self.arcs.extend([self.context, file, sorted(found)] for file, found in data.items() if found)

    def add_file_tracers(self, tracers):
        """File to the plug-in that measures it."""
        self.tracers.update(tracers)

    def message(self):
        """What is sent, or None when nothing ran."""
        found = {"lines": self.lines, "arcs": self.arcs, "tracers": self.tracers}
        return {name: value for name, value in found.items() if value} or None


class Share(object):
    """Measures in a warmer and its forks."""

    def __init__(self, cov):
        self.cov = cov
        self.recorder = Recorder()

    def install(self):
        """Lets the collector flush into the recorder from now on (also when a context changes)."""
        self.cov._collector.covdata = self.recorder

    def take(self):
        """What ran since the last call, or None."""
        self.cov._collector.flush_data()
        message = self.recorder.message()
        context = self.recorder.context
        self.recorder = Recorder()
        self.recorder.context = context
        self.install()
        return message


def share():
    """A `Share` when coverage runs here, else None."""
    cov = running()
    if cov is None:
        return None
    found = Share(cov)
    found.install()
    return found


class Sum(object):
    """What all processes handed over, in the lister."""

    def __init__(self):
        self.lines = {}
        self.arcs = {}
        self.tracers = {}

    def add(self, message):
        """Adds one line's data."""
        for context, file, found in message.get("lines", ()):
            self.lines.setdefault(context, {}).setdefault(file, set()).update(found)
        for context, file, found in message.get("arcs", ()):
            pairs = (tuple(pair) for pair in found)
            self.arcs.setdefault(context, {}).setdefault(file, set()).update(pairs)
        self.tracers.update(message.get("tracers", {}))

    def save(self, config):
        """Puts it into the data of the coverage object that measures here, before that is reported."""
        plugin = config.pluginmanager.getplugin("_cov")
        cov = getattr(getattr(plugin, "cov_controller", None), "cov", None) or running()
        if cov is None or not (self.lines or self.arcs):
            return
        data = cov.get_data()
        for context, files in sorted(self.lines.items()):
            data.set_context(context)
            data.add_lines(files)
        for context, files in sorted(self.arcs.items()):
            data.set_context(context)
            data.add_arcs(files)
        if self.tracers:
            data.add_file_tracers(self.tracers)
