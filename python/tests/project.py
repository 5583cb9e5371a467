"""Small projects, made for one test each."""

import os
import shutil
import tempfile
import textwrap
import unittest

ENV = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
    ENV.pop(name, None)
# Without plug-ins that reorder tests, give each a wide fixture or start threads, where they are installed.
ALONE = dict(ENV, PYTEST_ADDOPTS="-p no:randomly -p no:django -p no:rerunfailures")


class ProjectTest(unittest.TestCase):
    """A test with a directory of its own."""

    maxDiff = None

    def project(self, **files):
        """Writes files (`test_a` is `test_a.py`) and returns the directory."""
        root = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, root)
        for name, text in files.items():
            path = os.path.join(root, name.replace("__", "/") + ".py")
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                file.write(textwrap.dedent(text))
        return root

    def names(self, outcomes):
        """Outcomes by the last part of the id."""
        return {id.rpartition("::")[2]: outcome for (id, _), outcome in outcomes.items()}
