"""When the session of the lister may be forked for slots, as far as it does not need a slot."""

import argparse
import os
import sys
import types
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from seatrial_python import origin


class Knows(unittest.TestCase):
    """Of which plug-ins nothing comes of it that they ask for a worker."""

    def config(self, **options):
        """With these options."""
        return types.SimpleNamespace(option=argparse.Namespace(**options))

    def test_reporters_only_without_their_option(self):
        self.assertTrue(origin.knows("pytest_bdd", self.config()))
        self.assertFalse(origin.knows("pytest_other", self.config()))
        for name, option in (("pytest_html", "htmlpath"), ("pytest_jsonreport", "json_report"), ("pytest_reportlog", "report_log")):
            self.assertTrue(origin.knows(name, self.config(**{option: None})), name)
            self.assertTrue(origin.knows(name, self.config()), name)
            self.assertFalse(origin.knows(name, self.config(**{option: "out"})), name)


if __name__ == "__main__":
    unittest.main()
