"""Where a test's output goes: pytest's capture files, and the descriptors of the job's set beneath them.

Pytest's capture writes into one temporary file for stdout and one for stderr. A fork inherits them with their
offsets. Here they are memory files, so that no directory holds them, emptied by the warmer after each
test; what a dead test left in them is all that can be known of its last words.
"""

import os
import tempfile

LAST_WORDS = 256 * 1024


def memory_file():
    """A descriptor of a file without a name."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("seatrial", os.MFD_CLOEXEC)
    descriptor, path = tempfile.mkstemp()
    os.unlink(path)
    return descriptor


class Capture(object):
    """Pytest's global capture, seen from below."""

    def __init__(self, config):
        self.manager = config.pluginmanager.getplugin("capturemanager")
        inner = getattr(self.manager, "_global_capturing", None)
        self.files = []
        for number, part in ((1, getattr(inner, "out", None)), (2, getattr(inner, "err", None))):
            saved = getattr(part, "targetfd_save", None)
            file = getattr(part, "tmpfile", None)
            if saved is not None and hasattr(file, "fileno"):
                self.files.append((number, saved, file))
        self.saved = {number: saved for number, saved, _ in self.files}
        self.faults = fault_descriptor(config)
        for _, _, file in self.files:
            fresh = memory_file()
            os.dup2(fresh, file.fileno(), False)
            os.close(fresh)

    def attach(self, out, err):
        """In a test's process: what escapes pytest's capture goes to the set's pipes."""
        for number, target in ((1, out), (2, err)):
            os.dup2(target, number)
            if number in self.saved:
                os.dup2(target, self.saved[number], False)
        if self.faults is not None:
            os.dup2(err, self.faults, False)

    def resume(self):
        """What runs from now on is captured."""
        if self.manager is not None:
            self.manager.resume_global_capture()

    def suspend(self):
        """The end of `resume`. What was captured stays in the files: the next test's set-up section gets it."""
        if self.manager is not None:
            self.manager.suspend_global_capture(in_=False)

    def read(self):
        """Takes what was captured: two texts."""
        if self.manager is None:
            return "", ""
        return self.manager.read_global_capture()

    def empty(self):
        """After a test: nothing of it is left for the next."""
        for _, _, file in self.files:
            descriptor = file.fileno()
            if os.fstat(descriptor).st_size:
                os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)

    def last_words(self, out, err):
        """After a test's sudden death: copies what it had printed to the set's pipes."""
        for number, _, file in self.files:
            descriptor = file.fileno()
            size = os.fstat(descriptor).st_size
            start = max(0, size - LAST_WORDS)
            text = os.pread(descriptor, size - start, start)
            target = out if number == 1 else err
            while text:
                text = text[os.write(target, text):]


def fault_descriptor(config):
    """Where pytest lets `faulthandler` write: a copy of stderr that it made at its start."""
    try:
        from _pytest import faulthandler as plugin
    except ImportError:
        return None
    for store in (getattr(config, "stash", None), getattr(config, "_store", None)):
        for name in ("fault_handler_stderr_fd_key", "fault_handler_stderr_key"):
            key = getattr(plugin, name, None)
            if store is None or key is None:
                continue
            found = store.get(key, None)
            if found is not None:
                return found if isinstance(found, int) else found.fileno()
    found = getattr(config, "fault_handler_stderr", None)
    return found.fileno() if hasattr(found, "fileno") else None
