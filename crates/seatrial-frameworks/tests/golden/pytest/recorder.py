"""Writes each test's report lines, as the helper inside Python does, to the file named by RECORD."""

import json
import os

import pytest


class Recorder:
    def __init__(self, config):
        self.config = config
        self.out = open(os.environ["RECORD"], "w", encoding="utf-8")
        self.number = -1

    def line(self, key, value):
        text = json.dumps({"test": self.number, key: value}, ensure_ascii=False, separators=(",", ":"), default=repr)
        self.out.write(text + "\n")
        self.out.flush()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item, nextitem):
        if self.number >= 0:
            self.line("end", True)
        self.number += 1
        self.line("start", True)

    def pytest_runtest_logreport(self, report):
        data = self.config.hook.pytest_report_to_serializable(config=self.config, report=report)
        for name in ("duration", "start", "stop"):
            if name in data:
                data[name] = 0.25
        data.pop("keywords", None)
        self.line("report", data)

    def pytest_sessionfinish(self):
        self.line("end", True)
        self.out.close()


def pytest_configure(config):
    config.pluginmanager.register(Recorder(config), "recorder of lines")
