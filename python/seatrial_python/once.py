"""A slot's interpreter when the project cannot be forked once its conftest files are imported: each test file has a pytest of
its own, which begins in a fresh fork of this process.
"""

import os

from seatrial_python import forks, hazards, old, reports, run_fixtures, warmer, wire


def main(packet, channel):
    """Serves jobs; returns the exit status of the process."""
    for number in range(wire.FIRST, wire.LAST + 1):
        os.set_inheritable(number, False)
    hazards.quiet_libraries()
    return old.serve(packet, channel, run_file)


def run_file(packet, job, report):
    """pytest's session for one file, in a process of its own; its status."""
    import pytest

    plugin = Once(packet, job, report)
    shared = run_fixtures.plugin(packet.get("fixtures") or [], plugin.fixtures)
    pytest.main(list(packet["args"]), plugins=[plugin, plugin.collecting, shared])
    return forks.NOT_RUN


class Once(warmer.Warmer):
    """The plug-in of that session."""

    def __init__(self, packet, job, report):
        super(Once, self).__init__(None, packet)
        self.job_to_run = job
        self.report = report

    def take_shelf(self):
        """There is none."""
        return None

    def take_findings(self, config):
        """They came with the packet, and this is as cold as it gets."""
        self.findings.pop("cold", None)
        super(Once, self).take_findings(config)

    def lines(self):
        """For the job's report pipe."""
        return reports.Lines(self.report)

    def pytest_internalerror(self, excrepr):
        """None of the tests has run."""
        text = wire.clean("INTERNALERROR\n%s" % excrepr)
        self.tell([{"test": place, "broken": text} for place in range(len(self.job_to_run["tests"]))])

    def serve(self):
        """The job, and the end of the process."""
        lines = self.lines()
        self.forks.begin()
        try:
            self.forks.run_here(self.job_to_run, lines)
            self.forks.depart(lines)
            status = 0
        except BaseException as error:
            status = self.forks.last_error(error, lines)
        os._exit(status)
