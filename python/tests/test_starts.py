"""When processes of tests are to live longer."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from seatrial_python import starts


class Starts(unittest.TestCase):
    """What is concluded from the times of tests."""

    def after(self, *forks):
        found = starts.Starts()
        for ran, first, whole in forks:
            found.note_fork(ran, first, whole)
        return found

    def test_few_are_not_enough(self):
        self.assertFalse(self.after().are_costly())
        self.assertFalse(self.after((60, 2.0, 3.0)).are_costly())
        self.assertFalse(self.after((0, 0.0, 3.0), (60, 2.0, 3.0)).are_costly())

    def test_first_ones_that_cost_much_more(self):
        self.assertTrue(self.after((10, 2.0, 2.3), (10, 2.0, 2.3)).are_costly())
        self.assertFalse(self.after((10, 0.05, 0.3), (10, 0.05, 0.3)).are_costly(), "it is little")
        self.assertFalse(self.after((4, 2.0, 6.0), (4, 2.0, 6.0)).are_costly(), "all are slow")

    def test_alone_they_are_tried(self):
        found = self.after((1, 2.0, 2.0), (1, 2.0, 2.0))
        self.assertFalse(found.are_costly())
        found.note_fork(1, 2.0, 2.0)
        self.assertTrue(found.are_costly())
        for _ in range(3):
            found.note(False, 2.0)
        self.assertFalse(found.are_costly(), "they are slow anywhere")

    def test_life(self):
        self.assertEqual(self.after((10, 1.0, 2.3), (10, 3.0, 2.3)).life(), 2.0 * starts.LIVES)


if __name__ == "__main__":
    unittest.main()
