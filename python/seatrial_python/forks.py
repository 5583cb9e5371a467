"""Forks: a process for a test, a batch or a file, from its birth to the zygote's `clean`."""

import atexit
import fcntl
import mmap
import os
import struct
import sys
import time
import traceback
import warnings

from seatrial_python import collecting, snapshots, starts, wire

HIGH = 200
NOT_RUN = 70
# Tests of a checked batch, and the seconds of processor and of wall time after which it takes no further one. A fork
# costs some milliseconds, of which the machine's load makes more by the clock, and what is used for the first time in
# a process costs again in each, mostly in its first test: they count from the end of that.
TESTS = 64
WORK = 0.25
WAIT = 1.0
# How many times as long that may be in the midst of a class that the process has set up.
AMID = 8
# Seconds from which on it is too much to set wide fixtures up in each fork.
COSTLY = 0.02
WORD = struct.Struct("=?I???dIB")
# What a process says of the set-up of a class that it refuses: it leaves something, which is to stay; which no fork inherits;
# and it takes long.
LEAVES, UNSAFE, UNSAFE_AND_LONG = 1, 2, 3
# Before tests put something else in their place.
own_number, change_directory = os.getpid, os.chdir


class Forks(object):
    """Forks from the warmer."""

    def __init__(self, warmer):
        self.warmer = warmer
        self.channel = warmer.channel
        # Shared with the test's process, which sets it at its own end, for an exit status can be anybody's: whether it
        # is over, how many of its tests have run, whether one has failed, whether its session is to end, and whether
        # wide fixtures have taken long in it; the seconds of processor time at the end of its first test; which
        # container has grown, if that was the reason of its end; and whether the set-up of the next test's class was.
        self.word = mmap.mmap(-1, WORD.size)
        # Seconds of processor time of all processes since somebody set this to 0.
        self.used = 0.0
        self.group = []
        self.starts = starts.Starts()

    def run(self, group, lines, checked):
        """Positions and collected items, in one process: its status, how many have run, and whether one has failed.
        None has when the process did not come to its own end."""
        self.begin_group(group)
        before = self.used
        status = self.fork(lambda lines: self.run_items(group, lines, checked), lines)
        ran, failed = self.result(group)
        if checked:
            self.starts.note_fork(ran, WORD.unpack(self.word[:])[5], self.used - before)
        return status, ran, failed

    def begin_group(self, group):
        """These are the tests of the process that is asked next."""
        self.places = [place for place, _ in group]
        self.group = group
        self.say_nothing()

    def result(self, group):
        """What the process has said of these tests: how many have run, and whether one has failed."""
        over, ran, failed, self.stopped, costly, _, grown, self.refused = WORD.unpack(self.word[:])
        if not over and len(group) == 1:
            # It may have taken its first line along: then nobody would know whose death this was.
            self.warmer.tell([{"test": group[0][0], "start": True}])
        if grown:
            self.warmer.checks.note_growth(grown)
        if costly:
            self.warmer.wide.note_costly(group[0][1])
        return ran if over else 0, failed

    def run_file(self, payload):
        """A file that is collected in the test's own process; its status."""
        warmer = self.warmer
        self.places = list(range(len(payload["tests"])))
        warmer.leave(warmer.session_only())
        warmer.keep()
        return self.fork(lambda lines: self.run_here(payload, lines), warmer.lines())

    # -- the warmer's side

    def fork(self, child, lines):
        """Forks, waits, and tells the zygote."""
        if self.warmer.facts is not None:
            self.warmer.facts.share(lines, self.places)
        lines.flush()
        self.say_nothing()
        pid = fork(self.warmer.threads)
        if pid == 0:
            self.live(child, lines)
        self.channel.send("forked", pid)
        return self.reap(pid, lines)

    def reap(self, pid, lines):
        """Waits for a process, and tells the zygote; its status."""
        _, status, usage = os.wait4(pid, 0)
        # What it could not write itself.
        lines.flush()
        if not self.is_over():
            out = 4 + 3 * self.warmer.set
            self.warmer.capture.last_words(out, out + 1)
        self.used += usage.ru_utime + usage.ru_stime
        micros = [int(seconds * 1000000) for seconds in (usage.ru_utime, usage.ru_stime)]
        self.note_last()
        self.channel.send("ended", pid, status, micros[0], micros[1], usage.ru_maxrss)
        self.warmer.expect("clean")
        # Only now is nobody left who could write into them.
        self.warmer.capture.empty()
        change_directory(self.warmer.directory)
        return status

    def note_last(self):
        """Which test was the last to run, for teardowns that follow."""
        ran = WORD.unpack(self.word[:])[1]
        if ran and self.group:
            wide = self.warmer.wide
            for _, item in self.group[:ran]:
                wide.over(item)
            if wide.last is not None:
                wide.last = self.group[ran - 1][1]
        self.group = []

    # -- the test's side

    def live(self, child, lines):
        """The whole life of a test's process."""
        status = NOT_RUN
        try:
            self.settle(lines)
            child(lines)
            self.depart(lines)
            self.say_over(self.ran, self.failed)
            status = 0
        except BaseException as error:
            status = self.last_error(error, lines)
        finally:
            os._exit(status)

    def say_nothing(self):
        """As long as the process says nothing else."""
        self.word[:] = WORD.pack(False, 0, False, False, False, 0.0, 0, 0)

    def is_over(self):
        """Whether the process has said that it came to its own end."""
        return WORD.unpack(self.word[:])[0]

    def say_over(self, ran, failed):
        """The process has come to its own end, or its test has."""
        wide = self.warmer.wide
        costly = getattr(wide, "spent", 0.0) > COSTLY
        grown = getattr(getattr(self.warmer, "checks", None), "grown", 0)
        self.word[:] = WORD.pack(True, ran, failed, self.stopped, costly, self.first, grown, self.refused)

    def settle(self, lines):
        """Makes the process the test's own."""
        out = 4 + 3 * self.warmer.set
        self.warmer.capture.attach(out, out + 1)
        lines.descriptor = fcntl.fcntl(out + 2, fcntl.F_DUPFD_CLOEXEC, HIGH)
        os.closerange(wire.FIRST, wire.LAST + 1)
        resident = getattr(self.warmer, "resident", None)
        if resident is not None:
            resident.close()
        self.settle_user_code()

    def settle_user_code(self):
        """What user code finds is as it is to be found in a test's process."""
        self.begin()
        change_directory(self.warmer.directory)
        if self.warmer.facts is not None:
            self.warmer.facts.begin()
        self.warmer.random.restore()
        self.warmer.wide.drop_inherited()
        clear = getattr(atexit, "_clear", None)
        if clear is not None:
            clear()

    def begin(self):
        """From here on this process is a test's."""
        self.begun = []
        self.refused = 0
        self.process = own_number()

    def run_here(self, payload, lines):
        """Collects a file, and runs its tests."""
        tests = payload["tests"]
        lines.add({"test": 0, "start": True})
        lines.flush()
        module, trouble = self.warmer.collect(payload["file"])
        self.warmer.wide.in_test = True
        if trouble is not None:
            for place in range(len(tests)):
                lines.add({"test": place, "broken": trouble})
            return
        found = [(place, collecting.find(module, test, payload.get("of"))) for place, test in enumerate(tests)]
        for place, item in found:
            if item is None:
                lines.add({"test": place, "missing": "it was not there when its file was collected again"})
        self.run_items([pair for pair in found if pair[1] is not None], lines, False)

    def run_items(self, group, lines, checked):
        """Pytest's own protocol for each item. A checked batch ends early: before a test that would meet what another
        has left, after a failure, and when it has taken its time."""
        sender = self.warmer.sender
        classes = self.warmer.classes
        checked = checked and (len(group) > 1 or classes.inside(group[0][1]) is not None)
        until = None
        if checked:
            self.warmer.checks.begin()
        for number, (place, item) in enumerate(group):
            sender.begin(lines, place)
            following = group[number + 1][1] if number + 1 < len(group) else None
            start = {"test": place, "start": True}
            if checked and number:
                start["before"] = number
            if not self.begin_test(item, start, lines):
                self.ending = None
                break
            self.begun.append(place)
            if len(group) > 1:
                lines.keep()
            # Not a frame further down than need be: some tests count them.
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
            self.after(item, place, lines)
            self.ran, self.failed = number + 1, self.failed or sender.failed
            self.ending = {"test": place, "end": True}
            if number == 0:
                self.first = time.process_time()
            if following is None:
                break
            if checked and number == 0:
                now = (time.process_time(), time.monotonic())
                until = [(now[0] + times * WORK, now[1] + times * WAIT) for times in (1, AMID)]
            # Once begun, a class is to come to its end here.
            amid = self.entered is not None and classes.inside(following) is self.entered
            if self.stopped or checked and (sender.failed or self.must_end(until[amid])):
                self.tear_down(item, lines)
                break
            lines.add(self.ending)

    def after(self, item, place, lines):
        """Behind pytest's protocol for an item."""
        if own_number() != self.process:
            # A child of the test that has come back from it has nothing to say about it.
            os._exit(NOT_RUN)
        self.tell_stop(item.session, place, lines)

    ran = 0
    entered = None
    refused = 0
    first = 0.0
    failed = False
    ending = None
    stopped = False

    def tell_stop(self, session, place, lines):
        """Somebody wants no more tests: so that the lister's session wants none either."""
        for name in ("shouldfail", "shouldstop"):
            reason = getattr(session, name)
            if reason:
                self.stopped = True
                lines.add({"test": place, name: str(reason)})

    def begin_test(self, item, start, lines):
        """The test's first line, and what is set up for its class, if that is done here: whether the test may run here."""
        node = self.warmer.classes.inside(item)
        if node is None or node is self.entered:
            lines.add(start)
            return True
        lines.flush()
        lines.add(start)
        # Should this process die of it, it was this test.
        lines.keep()
        if self.enter(item, node):
            return True
        lines.discard()
        return False

    def enter(self, item, node):
        """Sets up what is set up for the item's class. False if that is to be done elsewhere: it is undone."""
        warmer, wide = self.warmer, self.warmer.wide
        wide.took, wide.entering = 0.0, []
        is_ready = wide.prepare(item)
        entered, wide.entering = wide.entering, None
        if not is_ready:
            return True
        self.entered = node
        change = warmer.checks.change(node.obj)
        if change is None and all(definition.scope == "class" for definition in entered):
            warmer.sender.took += wide.took
            return True
        wide.tear_down(item, None)
        self.refused = LEAVES
        if change is not None and warmer.checks.is_unsafe(change):
            self.refused = UNSAFE if wide.took <= COSTLY else UNSAFE_AND_LONG
        return False

    def must_end(self, until):
        """Whether the batch ends here; what a test has changed is told. `until`: its times."""
        if time.process_time() > until[0] or time.monotonic() > until[1]:
            return True
        change = self.warmer.checks.change()
        if change is not None:
            self.ending["left"] = change
        return change is not None

    def tear_down(self, item, lines):
        """What was still set up for a test that is left to another process."""
        report = self.warmer.wide.tear_down(item, None)
        if report is not None:
            lines.add(self.warmer.late(item, report))

    def depart(self, lines):
        """What Python does at its exit and belongs to the test; then the word that it is over."""
        run = getattr(atexit, "_run_exitfuncs", None)
        if run is not None:
            run()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        share = self.warmer.share
        ran = share.take() if share is not None else None
        if ran is not None:
            lines.add({"coverage": ran})
        if self.warmer.facts is not None:
            self.warmer.facts.tell(lines, self.begun)
        # unittest has no session, and no snapshots.
        session = getattr(self.warmer, "session", None)
        shown = snapshots.used(session.config) if session is not None else None
        if shown is not None:
            lines.add({"snapshots": shown})
        if self.ending is not None:
            lines.add(self.ending)
        lines.flush()

    def last_error(self, error, lines):
        """What ended the protocol itself: `pytest.exit`, Ctrl-C, SystemExit, an error of a plug-in."""
        if own_number() != self.process:
            # Not of this process.
            return NOT_RUN
        try:
            text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
            if type(error).__name__ == "Exit":
                text = getattr(error, "msg", None) or str(error)
                lines.add({"test": self.warmer.sender.position, "exit": str(text)})
            else:
                lines.add({"test": self.warmer.sender.position, "broken": text})
            lines.flush()
        except BaseException:
            return NOT_RUN
        return 1


def fork(threads):
    """Forks. `threads`: this process has some."""
    return quiet_fork() if threads else os.fork()


def quiet_fork():
    """A fork of a process with threads, of which Python warns. Those that matter were found by `hazards`."""
    before = warnings.filters[:]
    warnings.simplefilter("ignore")
    pid = os.fork()
    warnings.filters[:] = before
    getattr(warnings, "_filters_mutated", lambda: None)()
    return pid
