"""Forks of the lister that become the warm interpreters of slots, so that nothing is imported and collected twice.

A slot's invitation brings what makes a process one of its own: descriptors, namespaces, what privileges are left.
"""

import gc
import importlib
import os
import resource
import signal
import struct
import sys
import time

from seatrial_python import hazards, wire

# Linux: prctl(2), capabilities(7), capset(2).
SET_DUMPABLE, SET_SECCOMP, HAS_BOUND, DROP_BOUND, AMBIENT = 4, 22, 23, 24, 47
# Bytes from which on memory is joined, and of a page of joined memory; madvise(2).
LARGE, HUGE, COLLAPSE = 64 << 20, 2 << 20, 25
# The exit status of a fork that does not get as far as its first job.
FAILED = 70
FILTER_MODE, CLEAR_ALL, CAPABILITIES_V3 = 2, 4, 0x20080522


def reserve():
    """Keeps the numbers of a warmer's descriptors free; called before anybody else opens something. Gives those that the
    process has inherited."""
    inherited = [int(number) for number in os.listdir("/proc/self/fd") if int(number) > wire.LAST]
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(wire.FIRST + 1, wire.LAST + 1):
        try:
            os.fstat(number)
        except OSError:
            os.dup2(null, number, False)
    if null > wire.LAST:
        os.close(null)
    return inherited


class Invitation(object):
    """A slot's message and the descriptors that came with it."""

    def __init__(self, facts, descriptors):
        self.slot = facts["slot"]
        self.capabilities = facts["capabilities"]
        self.processes = facts["processes"]
        self.filter = bytes(bytearray.fromhex(facts["filter"]))
        behind = len(descriptors) - facts["doors"]
        self.descriptors = descriptors
        seats = wire.LAST + 1 - wire.FIRST
        self.seats, self.namespaces, self.doors = descriptors[:seats], descriptors[seats:behind], descriptors[behind:]

    def decline(self):
        """The slot starts an interpreter of its own."""
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = []

    def enter(self, ctypes, inherited):
        """In a fork: becomes a process of the slot. Returns in its grandchild, whose parent is the slot's first process."""
        system = ctypes.CDLL(None, use_errno=True)

        def call(function, *numbers):
            if getattr(system, function)(*[ctypes.c_ulong(number) for number in numbers]) < 0:
                raise OSError(ctypes.get_errno(), function)

        for door in self.doors:
            os.write(door, b"0")
        own = {os.stat("/proc/self/ns/" + name).st_ino for name in os.listdir("/proc/self/ns")}
        for namespace in self.namespaces:
            if os.fstat(namespace).st_ino not in own:
                call("setns", namespace, 0)
        # Only children live in the slot's namespace of processes, and only orphans get its first process as parent.
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)
            os._exit(0)
        os.setsid()
        if os.fork():
            os._exit(0)
        while os.getppid() != 1:
            time.sleep(0.0005)
        os.setpgid(0, 0)
        for place, descriptor in enumerate(self.seats):
            os.dup2(descriptor, wire.FIRST + place, False)
        self.decline()
        self.drop_privileges(ctypes, call)
        # What Seatrial was started with is not for tests.
        for descriptor in inherited:
            try:
                os.close(descriptor)
            except OSError:
                continue

    def drop_privileges(self, ctypes, call):
        """What the slot's first process has dropped too, and its filter."""

        class Program(ctypes.Structure):
            """`struct sock_fprog`."""

            _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_char_p)]

        program = Program(len(self.filter) // 8, self.filter)
        call("prctl", SET_SECCOMP, FILTER_MODE, ctypes.addressof(program), 0, 0)
        call("prctl", AMBIENT, CLEAR_ALL, 0, 0, 0)
        number = 0
        while True:
            try:
                call("prctl", HAS_BOUND, number, 0, 0, 0)
            except OSError:
                break
            if not self.capabilities >> number & 1:
                call("prctl", DROP_BOUND, number, 0, 0, 0)
            number += 1
        low, high = self.capabilities & 0xFFFFFFFF, self.capabilities >> 32
        head = ctypes.create_string_buffer(struct.pack("=Ii", CAPABILITIES_V3, 0))
        sets = ctypes.create_string_buffer(struct.pack("=6I", low, low, 0, high, high, 0))
        call("capset", ctypes.addressof(head), ctypes.addressof(sets))
        if self.processes is not None:
            resource.setrlimit(resource.RLIMIT_NPROC, (self.processes, resource.getrlimit(resource.RLIMIT_NPROC)[1]))
        # Other credentials have made it unreadable to its own user.
        call("prctl", SET_DUMPABLE, 1, 0, 0, 0)


def accept(lister, session, invitation):
    """Forks the session for a slot. None in the lister, which does not wait; in the fork's grandchild the slot's warmer."""
    import ctypes

    warmer = load("warmer")
    sys.stdout.flush()
    sys.stderr.flush()
    if not lister.origin.forks:
        # What a collection does to objects that stay (tuples of constants are tracked no more) is not done to settled ones.
        gc.collect()
    hazards.settle()
    if not lister.origin.forks:
        join_pages(ctypes)
    state = lister.origin.random.settle()
    directory = hazards.directory("/")
    pid = os.fork()
    if pid:
        hazards.resume()
        invitation.decline()
        lister.origin.forks.append(pid)
        return None
    try:
        invitation.enter(ctypes, lister.origin.inherited)
        # Not the directory itself, which lies outside, but what is there in the slot.
        os.chdir(directory)
        return settle(warmer, lister, session, invitation.slot, state)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
        os._exit(FAILED)


def join_pages(ctypes):
    """Lets large memory lie in huge pages, if it is much: a fork copies a table entry for each page."""
    with open("/proc/self/statm") as file:
        if int(file.read().split()[1]) * resource.getpagesize() < LARGE:
            return
    madvise = ctypes.CDLL(None).madvise
    with open("/proc/self/maps") as file:
        for line in file:
            fields = line.split()
            if fields[1] != "rw-p" or (len(fields) > 5 and fields[5] != "[heap]"):
                continue
            start, end = (int(number, 16) for number in fields[0].split("-"))
            start, end = -(-start // HUGE) * HUGE, end // HUGE * HUGE
            if end > start:
                # Refused where the kernel cannot (before Linux 6.1) or has no such page: then they stay as they are.
                madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), COLLAPSE)


def load(name):
    """A file of ours that the lister itself has no use for."""
    finder = __spec__.loader
    sys.meta_path.append(finder)
    try:
        return importlib.import_module("seatrial_python." + name)
    finally:
        sys.meta_path.remove(finder)


def settle(warmer, lister, session, slot, state):
    """The slot's warmer, ready for jobs."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    hazards.collect_as_before(lister.origin.thresholds)
    lister.origin.random.resume(state)
    manager = session.config.pluginmanager
    manager.unregister(lister)
    settings = dict(lister.settings, slot=slot)
    plugin = warmer.Guest(lister.messages.channel, settings, lister.origin, session.items)
    manager.register(plugin, "seatrial-warmer")
    plugin.begin(session)
    plugin.capture.attach(wire.FIRST + 1, wire.FIRST + 2)
    plugin.channel.send("arrived", os.getpid())
    plugin.take_findings(session.config)
    return plugin
