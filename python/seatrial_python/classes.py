"""Classes whose fixtures are set up in the process of their tests, where a job has several whole classes.

That saves the warmer's work between classes, and a process for each. Where the set-up of a class leaves something that the
checks see (files, variables), or where a process has ended in the midst of a class, it is set up in the warmer instead, as
it is for a job of one class: every process inherits it then.
"""

from seatrial_python import listing


class Classes(object):
    """The classes of a job's tests."""

    def __init__(self):
        self.of = {}
        # Those that are set up in the warmer.
        self.outside = set()
        # That of the test that ran last, if its process has set it up.
        self.last = None

    def begin(self, items):
        """A job with these tests, which may share processes."""
        found = {item: listing.own_class(item) for item in items}
        self.of = found if len(set(found.values())) > 1 else {}
        self.last = None

    def inside(self, item):
        """The item's class, if it is set up in a process of its tests."""
        node = self.of.get(item)
        return None if node in self.outside else node

    def group(self, found, goes_on):
        """Those that may share the next process. `goes_on`: the process of the test before may take them."""
        first = self.of.get(found[0][1])
        if first is not None and first is self.last and not goes_on:
            self.outside.add(first)
        count = 1
        while count < len(found):
            node = self.of.get(found[count][1])
            if node is not first and (node in self.outside or first in self.outside):
                break
            count += 1
        return found[:count]

    def ran(self, item):
        """The last test of a process, None if that has run none."""
        if item is not None:
            self.last = self.inside(item)

    def refuse(self, item):
        """The item's class is to be set up in the warmer."""
        self.outside.add(self.of.get(item))

    def only(self, item, inside):
        """In a process that lives longer than a job: what is known there of a test of the job."""
        self.of = {item: listing.own_class(item)} if inside else {}
        self.outside.clear()
