"""A spare: a fork of the warmer, from before a wide fixture is set up for the first time.

What a set-up has left cannot always be undone: one instance for the whole process, a reactor, a virtual machine do not
start again once they have stopped. So the process in which a set-up has left what no fork inherits is given up, and its
spare goes on in its place, in which nothing of that has happened. The zygote knows the warmer by its number: that waits
for the spare's end, and ends as it does.
"""

import fcntl
import os
import signal
import sys

from seatrial_python import forks, wire

PACKET = 1 << 16
# The ends of living spares' pipes that keep them waiting.
waiting = set()


class Elsewhere(BaseException):
    """The fixture is not to be set up here, but where its tests are."""


class Spare(object):
    """Both sides. `found` is None in the warmer, and in the spare what the set-up has left, once it goes on."""

    def __init__(self, warmer):
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        state = warmer.random.settle()
        read, self.write = (high(end) for end in os.pipe())
        self.found = None
        self.pid = forks.fork(warmer.threads)
        if self.pid == 0:
            os.close(self.write)
            self.wait(read)
            warmer.random.resume(state)
        else:
            os.close(read)
            waiting.add(self.write)

    def wait(self, read):
        """In the spare: for the word that it is to go on. Mostly there is none."""
        for end in waiting:
            # Those before it are not kept waiting by this process.
            os.close(end)
        waiting.clear()
        said = os.read(read, PACKET)
        os.close(read)
        if not said:
            os._exit(0)
        self.found = wire.decode(said.decode("utf-8"))

    def dismiss(self):
        """The set-up has left nothing: there is no need for it."""
        waiting.discard(self.write)
        os.close(self.write)
        os.waitpid(self.pid, 0)

    def take_over(self, found):
        """Lets it go on in the place of this process, which does nothing any more; does not return."""
        for number in range(wire.FIRST, wire.LAST + 1):
            os.close(number)
        os.write(self.write, wire.encode(found))
        for end in waiting:
            os.close(end)
        status = os.waitpid(self.pid, 0)[1]
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            if number != signal.SIGKILL:
                signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 1)


def high(end):
    """The same end with a descriptor above those that programs use, and close in other programs."""
    copy = fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, forks.HIGH)
    os.close(end)
    return copy
