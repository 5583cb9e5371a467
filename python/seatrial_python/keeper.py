"""A keeper: a process of its own that sets one run-wide fixture up, holds it, and undoes it.

The lister starts it as `python -c SOURCE FD`, in a session of its own: neither the terminal's keys nor the end of the
lister's process group reaches it. Its channel is the socket FD. There it finds its fixture's definition, tells
`{"value": ...}` or `{"error": text}`, holds until the channel says or is closed (the lister has gone, however it went),
undoes, ends every process that is left below it, and tells `{"ended": null or text}`. What the fixture writes goes to
the streams that the lister gave. This file stands alone: nothing of the helper is importable here.
"""

import importlib
import inspect
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback

SIZE = 1 << 20
SUBREAPER = 36


class Failed(Exception):
    """The fixture could not be set up; says why."""


class Gone(Exception):
    """Nobody waits for the fixture any more."""


class Command(object):
    """A command whose first line is the value, and which runs until it is ended."""

    def __init__(self, fixture, channel):
        self.fixture = fixture
        self.channel = channel
        self.child = None

    def set_up(self):
        """The value."""
        words = self.fixture["command"]
        try:
            self.child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, bufsize=0)
        except OSError as error:
            raise Failed("could not be started: %s" % error)
        line = self.first_line().decode("utf-8", "replace").strip()
        try:
            return json.loads(line, parse_constant=no_number)
        except ValueError:
            return line

    def first_line(self):
        """The first line, or all that was written until the stream's end."""
        said = b""
        deadline = time.monotonic() + self.fixture["timeout"]
        while b"\n" not in said:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Failed("wrote no line within %g s" % self.fixture["timeout"])
            ready = select.select([self.child.stdout, self.channel], [], [], left)[0]
            if self.channel in ready:
                raise Gone()
            if self.child.stdout in ready:
                more = self.pass_on()
                if not more:
                    self.look_at_end(said)
                    break
                said += more
        return said.partition(b"\n")[0]

    def look_at_end(self, said):
        """Its standard output is closed before a line was complete: a failure, or a line without an end."""
        try:
            status = self.child.wait(1)
        except subprocess.TimeoutExpired:
            status = 0
        if status or not said.strip():
            raise Failed("%s before it had written a line" % (in_words(status) if status else "closed its output"))

    def pass_on(self):
        """Reads what it writes, and shows it; the bytes."""
        more = os.read(self.child.stdout.fileno(), 1 << 16)
        os.write(1, more)
        return more

    def hold(self):
        """Until the channel says."""
        watched = [self.channel, self.child.stdout]
        while self.channel not in select.select(watched, [], [])[0]:
            if len(watched) > 1 and select.select([self.child.stdout], [], [], 0)[0] and not self.pass_on():
                watched.pop()

    def undo(self):
        """Ends it; what was wrong, or None."""
        status = self.child.poll() if self.child is not None else None
        end_all(self.fixture["grace"])
        return "%s before the run's end" % in_words(status) if status else None


class Function(object):
    """A function of the project: a generator, a context manager, or what simply returns its value."""

    def __init__(self, fixture, channel):
        self.fixture = fixture
        self.channel = channel
        self.made = None

    def set_up(self):
        """The value."""
        with Limit(self.fixture, "gave no value within %g s", self.channel) as limit:
            try:
                return self.call()
            except KeyboardInterrupt:
                if limit.reason is None:
                    raise Gone()
                raise Failed("%s; it was here:\n%s" % (limit.reason, last_call()))
            except BaseException:
                raise Failed("raised an exception:\n" + traceback.format_exc())

    def call(self):
        """Calls it and enters what it gives."""
        module, _, name = self.fixture["function"].partition(":")
        found = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        made = found()
        if inspect.isgenerator(made):
            self.made = made
            return next(made)
        if hasattr(type(made), "__enter__"):
            value = made.__enter__()
            self.made = made
            return value
        return made

    def hold(self):
        """Until the channel says."""
        select.select([self.channel], [], [])

    def undo(self):
        """Leaves what was entered; what was wrong, or None."""
        wrong = None
        with Limit(self.fixture, "its teardown took more than %g s") as limit:
            try:
                if inspect.isgenerator(self.made):
                    if next(self.made, self) is not self:
                        wrong = "yields more than one value"
                elif self.made is not None:
                    self.made.__exit__(None, None, None)
            except KeyboardInterrupt:
                wrong = "%s; it was here:\n%s" % (limit.reason, last_call())
            except BaseException:
                wrong = "raised an exception in its teardown:\n" + traceback.format_exc()
        end_all(self.fixture["grace"])
        return wrong


class Limit(object):
    """Interrupts the main thread when its time is over, or when nobody waits any more; ends all if that does not help."""

    def __init__(self, fixture, words, channel=None):
        self.seconds = fixture["timeout"]
        self.grace = fixture["grace"]
        self.words = words % self.seconds
        self.channel = channel
        self.reason = None
        self.main = threading.get_ident()
        self.lock = threading.Lock()
        self.done, self.close = os.pipe()
        self.finished = threading.Event()
        self.watcher = threading.Thread(target=self.watch, daemon=True)

    def __enter__(self):
        self.watcher.start()
        return self

    def __exit__(self, *error):
        with self.lock:
            self.finished.set()
        os.close(self.close)
        self.watcher.join()
        os.close(self.done)

    def watch(self):
        """The watcher's life."""
        watched = [self.done] + ([self.channel] if self.channel is not None else [])
        ready = select.select(watched, [], [], self.seconds)[0]
        with self.lock:
            if self.finished.is_set() or self.done in ready:
                return
            if not ready:
                self.reason = self.words
            signal.pthread_kill(self.main, signal.SIGINT)
        if not self.finished.wait(self.grace):
            if self.reason is not None:
                tell(self.channel, {"error": self.reason})
            end_all(0)
            os._exit(1)


def last_call():
    """Where the main thread was interrupted."""
    return "".join(traceback.format_exc(limit=-3))


def in_words(status):
    """How a process ended."""
    return "exited with %d" % status if status > 0 else "was killed by signal %d" % -status


def adopt_orphans():
    """What daemons leave behind becomes this process's child, as far as the platform lets us ask for it."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        # Daemons of the fixture's are then its own business.
        return


def descendants():
    """Living processes below this one."""
    children = {}
    for name in os.listdir("/proc"):
        try:
            with open("/proc/%d/stat" % int(name), "rb") as file:
                state, parent = file.read().rpartition(b")")[2].split()[:2]
        except (ValueError, OSError):
            continue
        if state not in (b"Z", b"X"):
            children.setdefault(int(parent), []).append(int(name))
    found, open_ends = [], [os.getpid()]
    while open_ends:
        below = children.get(open_ends.pop(), [])
        found += below
        open_ends += below
    return found


def end_all(grace):
    """Ends every process below this one: SIGTERM, and SIGKILL for those that are left after the grace."""
    send(signal.SIGTERM)
    deadline = time.monotonic() + grace
    while descendants():
        if time.monotonic() > deadline:
            send(signal.SIGKILL)
        time.sleep(0.01)
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return
        except ChildProcessError:
            return


def send(number):
    """Signals every process below this one."""
    for pid in descendants():
        try:
            os.kill(pid, number)
        except OSError:
            continue


def tell(channel, message):
    """One message; a lister that has gone needs none."""
    try:
        channel.send(json.dumps(message).encode("utf-8"))
    except (OSError, AttributeError):
        return


def value_of(fixture):
    """Sets up; the value, which JSON can hold."""
    value = fixture.set_up()
    try:
        json.dumps(value, allow_nan=False)
        return value
    except (TypeError, ValueError) as error:
        raise Failed("gave a value that JSON cannot hold: %s" % error)


def no_number(text):
    """`NaN` and `Infinity` are Python's, and no JSON."""
    raise ValueError(text)


def main(channel):
    """The keeper's life."""
    definition = json.loads(channel.recv(SIZE).decode("utf-8"))
    sys.path[:] = definition["path"]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    adopt_orphans()
    fixture = (Command if "command" in definition else Function)(definition, channel)
    try:
        try:
            value = value_of(fixture)
        except (Failed, Gone) as error:
            fixture.undo()
            tell(channel, {"error": str(error)})
            return
        tell(channel, {"value": value})
        fixture.hold()
        wrong = fixture.undo()
        sys.stdout.flush()
        tell(channel, {"ended": wrong})
    finally:
        # Whatever went wrong here, nothing is left.
        end_all(definition["grace"])


if __name__ == "__main__":
    main(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, int(sys.argv[1])))
