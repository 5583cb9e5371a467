"""syrupy's account of snapshots: what each test's process has used is added up in the lister, which finds the unused ones.

Newer versions of syrupy do that for pytest-xdist, and are asked for the same here. With older ones nothing is known of what
tests have used: then the lister's session says nothing of unused snapshots, and does not fail for them.
"""

import json

KEY = "syrupy_report"


def account(config):
    """syrupy's session, if it is at work here."""
    return getattr(config, "_syrupy", None)


def can_share(syrupy):
    """Whether this version can add up reports of workers."""
    return hasattr(syrupy, "add_worker_report") and hasattr(syrupy, "_publish_worker_report")


def used(config):
    """In a test's process: what it has used, as JSON can hold it; or None."""
    syrupy = account(config)
    if syrupy is None or not can_share(syrupy) or not getattr(syrupy, "_assertions", None):
        return None
    syrupy.finish()
    report = getattr(config, "workeroutput", {}).pop(KEY, None)
    if report is None:
        return None
    # The lister has collected everything itself, and sees which tests have run.
    for name in ("collected", "collected_modules", "selected"):
        report.pop(name, None)
    if isinstance(report["collections"], bytes):
        from syrupy.utils import decompress_json

        report["collections"] = decompress_json(report["collections"])
    report["selected"] = {}
    return json.loads(json.dumps(report))


class Account(object):
    """In the lister."""

    def __init__(self, config, items):
        self.syrupy = account(config)
        self.notice = None
        if self.syrupy is not None and not can_share(self.syrupy):
            silence(self.syrupy)
            if any("snapshot" in getattr(item, "fixturenames", ()) for item in items):
                self.notice = "this version does not add up what several processes use: unused snapshots are not looked for"

    def add(self, report):
        """What a test's process has used."""
        if self.syrupy is not None and can_share(self.syrupy):
            self.syrupy.add_worker_report(report)

    def settle(self):
        """Which tests have run, as this session has heard."""
        if self.syrupy is None or not can_share(self.syrupy):
            return
        ran = {name: status.value for name, status in self.syrupy._selected_items.items()}
        self.syrupy.add_worker_report({"collections": {}, "num_xfails": 0, "selected": ran, "extensions": {}})


def settle(config, summed):
    """Before syrupy judges. Where no test was to run it has nothing to judge."""
    if summed is not None:
        summed.settle()
    elif account(config) is not None:
        silence(account(config))


class NoReport(object):
    """Prints nothing."""

    lines = ()


def silence(syrupy):
    """Lets it judge nothing."""
    syrupy.finish = lambda: 0
    syrupy.report = NoReport()
