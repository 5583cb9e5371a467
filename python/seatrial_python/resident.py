"""A resident: a fork that lives on, because a fixture takes long to set up and leaves what no fork inherits.

A server, a browser, a database: its process, thread or connection belongs to the process that has set it up. Where that is
cheap each fork does it anew. Where it is not, the warmer forks a resident, which sets it up, runs the tests that use it, one
after the other as plain pytest does, and tears it down after the last. For the slot's first process each of these tests is a
fork that begins, and rests at its end. As long as there is a resident, files that tests write stay.

Where tests use much for the first time in each fork (`starts`), a resident runs checked tests of all jobs, until one of them
fails or leaves something behind, or anything else is to run. As such it is called warm; files do not stay then.
"""

import fcntl
import os
import resource
import socket
import time

from seatrial_python import forks, keeper, listing, wire

PACKET = 1 << 20


class Resident(object):
    """The warmer's side: at most one at a time."""

    def __init__(self, warmer):
        self.warmer = warmer
        self.pid = None
        self.socket = None
        # The test that it ran last, and how many there were.
        self.item = None
        self.count = 0
        # Fixtures of its tests that leave what no fork inherits.
        self.held = set()
        # It holds no fixture, but what it has used.
        self.warm = False

    def serves(self, item):
        """Whether the test belongs there. What files a process has used is told test by test: then none does."""
        if self.warmer.facts is not None:
            return False
        # A cheap one that it holds may be a server too, on a port that is then taken.
        return self.warmer.wide.is_costly(item) or bool(self.held) and not self.held.isdisjoint(listing.wide_fixtures(item))

    def holds(self):
        """Whether something is set up in it that is to stay."""
        return self.pid is not None and not self.warm

    def run(self, place, item, test, lines, warm=False):
        """One test; as `Forks.run`."""
        if warm != self.warm:
            self.end()
        self.warm = warm
        warmer, side = self.warmer, self.warmer.forks
        side.begin_group([(place, item)])
        lines.flush()
        if not warm:
            self.held.update(warmer.wide.unsafe_of(item))
        if self.pid is None:
            self.start(item, lines)
        else:
            warmer.channel.send("forked", self.pid)
        self.item = item
        question = {"set": warmer.set, "place": place, "test": test, "enters": warm and warmer.classes.inside(item) is not None}
        if warm:
            question["life"] = side.starts.life()
        before = side.used
        answer = self.ask(question)
        if answer is None:
            status = self.reap(lines)
            self.forget()
        else:
            status = 0
            self.count += 1
            side.note_last()
        found = side.result([(place, item)])
        if warm and answer is not None:
            side.starts.note(self.count == 1, side.used - before)
            if answer["over"] or not side.starts.are_costly():
                self.end()
        return (status,) + found

    def start(self, item, lines):
        """Forks it."""
        warmer = self.warmer
        for definition in () if self.warm else listing.wide_fixtures(item):
            if definition in warmer.wide.costly:
                told = {"fixture": definition.argname, "left": warmer.wide.costly[definition], "shared": True}
                warmer.tell([{"unsafe": told}])
        if not self.warm:
            # What its fixture writes is not to be taken away from under it.
            warmer.channel.send("stay")
            warmer.expect("kept")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = forks.fork(warmer.threads)
        if pid == 0:
            ours.close()
            Inside(warmer, theirs, self.warm).live(lines)
        theirs.close()
        self.socket = high(ours)
        self.pid = pid
        warmer.channel.send("forked", pid)

    def ask(self, question):
        """Its answer, after which it rests; None if it has ended instead."""
        try:
            self.socket.sendall(wire.encode(question))
            answer = self.socket.recv(PACKET)
        except OSError:
            answer = b""
        if not answer:
            return None
        answer = wire.decode(answer)
        self.warmer.forks.used += (answer["used"][0] + answer["used"][1]) / 1e6
        self.warmer.channel.send("rests", self.pid, *answer["used"])
        return answer

    def leave(self, following):
        """Tears down what does not concern the following item (None: nothing follows), and ends it when nothing is left of
        what it lives for."""
        if following is None:
            self.end()
        if self.pid is None or self.item is None:
            return
        chain, next_one = self.item.listchain(), following.listchain()
        common = 0
        while common < min(len(chain) - 1, len(next_one)) and chain[common] is next_one[common]:
            common += 1
        if common == len(chain) - 1:
            return
        warmer = self.warmer
        warmer.forks.begin_group([])
        warmer.channel.send("forked", self.pid)
        answer = self.ask({"set": warmer.set, "leave": common})
        if answer is None:
            self.buried(self.reap(warmer.lines()))
        elif not self.warm and not answer["holds"]:
            self.end()

    def end(self):
        """Lets it tear down and depart, if there is one. What user code has written outside of tests is kept by then."""
        if self.pid is None:
            return
        warmer = self.warmer
        warmer.forks.begin_group([])
        self.socket.close()
        if warmer.leaving:
            # Nobody listens any more.
            pid, self.pid = self.pid, None
            status = os.waitpid(pid, 0)[1]
        else:
            warmer.channel.send("forked", self.pid)
            status = self.reap(warmer.lines())
        self.buried(status)

    def reap(self, lines):
        """Its status, once it has ended. There is none any more: the slot may be found spoiled by it, and all is torn down."""
        pid, self.pid = self.pid, None
        return self.warmer.forks.reap(pid, lines)

    def buried(self, status):
        """It has ended between two tests: badly is an error of the last one. An exit status can be anybody's, its word is not."""
        from _pytest.reports import TestReport

        if status != 0 or not self.warmer.forks.is_over():
            item = self.item
            text = "The process that it shared with others ended badly after them, in the teardown of fixtures or at its exit (wait status %d)." % status
            report = TestReport(item.nodeid, item.location, {}, "failed", text, "teardown")
            self.warmer.tell([self.warmer.late(item, report)])
        self.forget()

    def forget(self):
        """It has ended."""
        self.socket.close()
        self.pid = self.socket = self.item = None
        self.count = 0
        self.held.clear()
        if not self.warm:
            # With the next word `keep` files that tests write go again.
            self.warmer.wide.ran_user_code = True
        self.warm = False

    def close(self):
        """In a test's process: it is none of its business."""
        if self.socket is not None:
            self.socket.close()


class Following(object):
    """Stands for a next test that shares some of an item's collectors, the first of its chain."""

    def __init__(self, item, count):
        self.item = item
        self.count = count

    def listchain(self):
        """As an item's."""
        return self.item.listchain()[:self.count]

    def __getattr__(self, name):
        return getattr(self.item, name)


class Inside(object):
    """Its own side."""

    def __init__(self, warmer, channel, warm):
        self.warmer = warmer
        self.warm = warm
        self.over = False
        self.forks = warmer.forks
        self.channel = channel
        self.item = None
        self.count = 0
        self.told = (0, 0)

    def live(self, lines):
        """Its whole life."""
        status = forks.NOT_RUN
        try:
            self.settle()
            while True:
                packet = self.channel.recv(PACKET)
                if not packet:
                    break
                question = wire.decode(packet)
                lines = self.turn_to(question["set"])
                if "leave" in question:
                    self.part(Following(self.item, question["leave"]), lines)
                else:
                    self.run(question, lines)
                lines.flush()
                holds = self.warmer.wide.holds_costly()
                self.channel.sendall(wire.encode({"used": self.used(), "holds": holds, "over": self.over}))
            self.part(None, lines)
            self.forks.depart(lines)
            self.forks.say_over(0, False)
            status = 0
        except BaseException as error:
            status = self.forks.last_error(error, lines)
        finally:
            os._exit(status)

    def settle(self):
        """Makes the process its own."""
        # Servers that go into the background stay below it, for everybody else's leavings are killed.
        keeper.adopt_orphans()
        self.channel = high(self.channel)
        os.close(wire.FIRST)
        self.forks.settle_user_code()
        if self.warm:
            self.warmer.checks.begin()

    def turn_to(self, number):
        """The job's set: where output and lines go."""
        warmer = self.warmer
        warmer.set = number
        out = 4 + 3 * number
        warmer.capture.attach(out, out + 1)
        return warmer.lines()

    def run(self, question, lines):
        """Pytest's own protocol for one item."""
        warmer, place = self.warmer, question["place"]
        start = {"test": place, "start": True}
        if self.count:
            start["before"] = self.count
        self.forks.stopped = False
        item, wrong = warmer.find(question["test"])
        if wrong is not None:
            lines.add(start)
            lines.add(dict(wrong, test=place))
            self.forks.say_over(1, False)
            return
        self.part(item, lines)
        warmer.sender.begin(lines, place)
        warmer.classes.only(item, question["enters"])
        if not self.forks.begin_test(item, start, lines):
            self.over = True
            self.forks.say_over(0, False)
            return
        lines.keep()
        self.item = item
        self.count += 1
        item.ihook.pytest_runtest_protocol(item=item, nextitem=Following(item, len(item.listchain()) - 1))
        self.forks.after(item, place, lines)
        end = {"test": place, "end": True}
        if self.warm:
            change = warmer.checks.change()
            if change is not None:
                end["left"] = change
            self.over = warmer.sender.failed or change is not None or time.process_time() > question["life"]
        lines.add(end)
        self.forks.say_over(1, warmer.sender.failed)

    def part(self, following, lines):
        """Tears down what does not concern the following item."""
        if self.item is None:
            return
        report = self.warmer.wide.tear_down(self.item, following)
        if report is not None:
            lines.add(self.warmer.late(self.item, report))

    def used(self):
        """Microseconds of processor time since it was last asked, user's and system's, and the largest size in KiB."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        now = (int(usage.ru_utime * 1000000), int(usage.ru_stime * 1000000))
        before, self.told = self.told, now
        return [max(0, now[0] - before[0]), max(0, now[1] - before[1]), usage.ru_maxrss]


def high(channel):
    """The same socket with a descriptor above those that programs use, and close in tests' processes."""
    copy = fcntl.fcntl(channel.fileno(), fcntl.F_DUPFD_CLOEXEC, forks.HIGH)
    channel.close()
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, copy)
