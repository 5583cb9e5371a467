"""`--stepwise` where tests end in any order: the next run continues from the first test, as collected, that has not passed.

pytest remembers the test that failed last. Here tests before it may have failed too, or have never run.
"""


class Stepwise(object):
    """What pytest's own plug-in is to remember; nothing when it is not at work."""

    def __init__(self, config):
        self.plugin = config.pluginmanager.getplugin("stepwiseplugin")
        self.skips = getattr(self.plugin, "skip", False)
        self.failed = []
        self.passed = set()

    def saw(self, report):
        """Called with each report."""
        if report.failed:
            self.failed.append(report.nodeid)
        elif report.when == "call" or report.skipped:
            self.passed.add(report.nodeid)

    def settle(self, items):
        """Called before the plug-in saves what it remembers."""
        if self.plugin is None or not self.failed:
            return
        forgiven = self.failed[:1] if self.skips else []
        if set(self.failed) == set(forgiven):
            return
        over = (self.passed - set(self.failed)).union(forgiven)
        item = next((item for item in items if item.nodeid not in over), None)
        if item is None:
            return
        # Newer versions keep a date beside it, and names in parts.
        keeper = getattr(self.plugin, "cached_info", None)
        if keeper is not None:
            keeper.last_failed = getattr(item, "id", item.nodeid)
        else:
            self.plugin.lastfailed = item.nodeid
