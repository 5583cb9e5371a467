"""Where a test's output goes under unittest: to the pipes of the job's set, or into memory where tests share a process.

A lone test writes straight into the pipes: the engine knows whose words these are. Tests of one process write into
memory files, of which each test's part is taken when it has ended and shown with that test. What a dead process
left there is copied to the pipes.
"""

import fcntl
import os
import sys
from os import fstat, ftruncate, pread

from seatrial_python import capture

KEPT = 128 * 1024


class Capture(object):
    """Both ways, one of which is chosen before each fork."""

    def __init__(self):
        self.files = None
        self.apart = False

    def choose(self, tests):
        """Before a fork that runs so many tests."""
        self.apart = tests > 1
        if self.apart and self.files is None:
            self.files = [capture.memory_file(), capture.memory_file()]
            for file in self.files:
                # What was taken is cut off; whoever writes next begins anew.
                fcntl.fcntl(file, fcntl.F_SETFL, os.O_APPEND)

    def attach(self, out, err):
        """In a test's process: its standard streams go where they belong."""
        targets = self.files if self.apart else (out, err)
        for number, target in zip((1, 2), targets):
            os.dup2(target, number)

    def take(self):
        """What was written since the last call: pairs of `stdout` or `stderr` and text, without those that are empty."""
        if not self.apart:
            return []
        found = []
        for number, stream in ((1, sys.__stdout__), (2, sys.__stderr__)):
            flush(stream)
            size = fstat(number).st_size
            if size:
                text = pread(number, min(size, KEPT), max(0, size - KEPT)).decode("utf-8", "replace")
                if size > KEPT:
                    text = "[%d bytes before are left out]\n%s" % (size - KEPT, text)
                ftruncate(number, 0)
                found.append(("stdout" if number == 1 else "stderr", text))
        return found

    def last_words(self, out, err):
        """After a sudden death: copies what was not taken."""
        for file, target in zip(self.files if self.apart else (), (out, err)):
            text = pread(file, capture.LAST_WORDS, max(0, fstat(file).st_size - capture.LAST_WORDS))
            while text:
                text = text[os.write(target, text):]

    def empty(self):
        """After a fork: nothing of it is left for the next."""
        for file in self.files or ():
            ftruncate(file, 0)


def flush(stream):
    """Python keeps what it writes for a while; a test may have closed the stream."""
    try:
        stream.flush()
    except (AttributeError, OSError, ValueError):
        return
