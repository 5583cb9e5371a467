"""Plays engine and zygote for the helper, over real sockets, pipes and processes.

`Lister` and `Warmer` are the two processes; `play` runs a whole project: lists, runs each test as a job in one or
more warmers, hands the lines to the lister, and gives back what came of it. A test's files are not undone here.
"""

import fcntl
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = os.path.join(os.path.dirname(HERE), "seatrial_python")
LIMIT = 120
BOOT = (
    "import json,socket,sys\n"
    "made=(socket.AF_UNIX,socket.SOCK_SEQPACKET)\n"
    "channel=socket.socket(*made+(0,3)) if sys.version_info>=(3,6) else socket.fromfd(3,*made)\n"
    "packet=json.loads(channel.recv(1<<20).decode())\n"
    'exec(compile(packet["boot"],"<seatrial boot>","exec"))\n'
)


def sources():
    """All files of the helper but `boot.py`, by module name."""
    found = {}
    for name in sorted(os.listdir(SOURCES)):
        if name.endswith(".py") and name != "boot.py":
            with open(os.path.join(SOURCES, name)) as file:
                found[name[:-3]] = file.read()
    return found


def first_packet(role, args, settings, rule, nodes, boot, found):
    """The first packet as the engine makes it."""
    with open(os.path.join(SOURCES, boot)) as file:
        boot = file.read()
    packet = {"v": 1, "role": role, "boot": boot, "modules": sources()}
    packet.update({"args": list(args), "rule": rule, "settings": settings, "nodes": nodes})
    packet.update(found or {})
    return json.dumps(packet).encode()


class Process(object):
    """A started interpreter with its channel on 3 and pipes from 4 on."""

    def __init__(self, role, args, cwd, settings, rule="pytest", python=None, env=None, pipes=0, nodes=(), slot=None,
                 boot="boot.py", shelf=False, found=None):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        pairs = [os.pipe() for _ in range(pipes)]
        given = [theirs.fileno()] + [write for _, write in pairs]
        if shelf:
            with tempfile.TemporaryFile() as file:
                file.truncate(1 << 17)
                given.append(os.dup(file.fileno()))
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 50) for fd in given]

        def place():
            for number, fd in enumerate(high):
                os.dup2(fd, 3 + number)

        if slot is not None:
            env = dict(os.environ if env is None else env, SEATRIAL_SLOT=str(slot))
        self.child = subprocess.Popen(
            [python or sys.executable, "-c", BOOT], cwd=cwd, env=env, preexec_fn=place,
            pass_fds=range(3, 3 + len(high)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        theirs.close()
        for fd in high + given[1:]:
            os.close(fd)
        self.channel = ours
        self.pipes = [read for read, _ in pairs]
        self.received = [b"" for _ in pairs]
        self.output = b""
        ours.send(first_packet(role, args, settings, rule, nodes, boot, found))

    def drain(self, wait):
        """Takes what stands in the pipes; true when the channel has something (or is closed)."""
        out = self.child.stdout.fileno()
        poll = select.poll()
        for fd in [self.channel.fileno(), out] + self.pipes:
            if fd >= 0:
                poll.register(fd, select.POLLIN)
        ready = {fd for fd, _ in poll.poll(wait)}
        for number, fd in enumerate(self.pipes):
            if fd in ready:
                self.received[number] += os.read(fd, 1 << 20)
        if out in ready:
            self.output += os.read(out, 1 << 20)
        return self.channel.fileno() in ready

    def receive(self):
        """The next packet, empty at the end of file."""
        for _ in range(LIMIT * 1000):
            if self.drain(1000):
                try:
                    return self.channel.recv(1 << 20)
                except ConnectionResetError:
                    # It ended with a packet of ours unread.
                    return b""
        raise AssertionError("nothing came: " + self.output.decode())

    def end(self):
        """Waits for the process; its status."""
        while True:
            out = self.child.stdout.read()
            self.output += out
            if not out:
                break
        status = self.child.wait()
        self.child.stdout.close()
        return status

    def close(self):
        """Frees what is left."""
        self.channel.close()
        for fd in self.pipes:
            os.close(fd)
        self.pipes = []


class Lister(Process):
    """The lister, with its messages by kind."""

    role = "lister"

    def __init__(self, args, cwd, settings, **options):
        Process.__init__(self, self.role, args, cwd, settings, **options)
        self.hello, self.listed, self.finished = None, None, None
        self.tests, self.problems, self.others = [], [], []
        while self.listed is None:
            self.take()

    def take(self):
        """Receives one message."""
        parts = b""
        while True:
            packet = self.receive()
            if not packet:
                raise AssertionError("the lister is gone: " + self.output.decode())
            parts += packet[1:]
            if packet[:1] == b".":
                break
        message = json.loads(parts.decode())
        for kind, value in message.items():
            if kind == "tests":
                self.tests += value
            elif kind == "problem":
                self.problems.append(value)
            elif kind in ("hello", "listed", "finished"):
                setattr(self, kind, value)
            else:
                self.others.append(message)

    def tell(self, message):
        """Sends one message in packets."""
        raw = json.dumps(message).encode()
        room = 96 * 1024 - 1
        parts = [raw[start:start + room] for start in range(0, len(raw), room)]
        for number, part in enumerate(parts):
            self.channel.sendall((b"." if number == len(parts) - 1 else b"+") + part)

    def stop_asked(self):
        """Whether the session asks for the end, when it has taken in all that was sent."""
        self.tell({"sync": len(self.others)})
        while not any("synced" in other for other in self.others):
            self.take()
        self.others = [other for other in self.others if "synced" not in other]
        return self.stop_told

    @property
    def stop_told(self):
        """Reasons of `stop` messages."""
        return [other["stop"] for other in self.others if "stop" in other]

    def finish(self, reason=None):
        """Ends the session; its last message."""
        self.tell({"end": {"reason": reason}})
        while self.finished is None:
            self.take()
        self.status = self.end()
        self.close()
        return self.finished


class Warmer(Process):
    """A warmer, with the zygote's part played here."""

    role = "warmer"

    def __init__(self, args, cwd, settings, **options):
        Process.__init__(self, self.role, args, cwd, settings, pipes=6, shelf=True, **options)
        self.set = 1
        self.keeps = 0
        self.usage = []

    def job(self, payload):
        """Runs a job; its lines, its end packets, and its stdout and stderr. None when the warmer died."""
        self.set = 1 - self.set
        self.channel.sendall(b"job\0%d\0" % self.set + json.dumps(payload).encode())
        ended = []
        while True:
            packet = self.receive()
            if not packet:
                self.status = self.end()
                return None
            fields = packet.decode().split("\0")
            if fields[0] in ("keep", "stay"):
                self.stays = fields[0] == "stay"
                self.keeps += 1
                self.channel.sendall(b"kept")
            elif fields[0] == "ended":
                ended.append([int(field) for field in fields[1:]])
                self.channel.sendall(b"clean")
            elif fields[0] == "done":
                break
        while self.drain(0):
            raise AssertionError("it spoke after `done`")
        self.usage += ended
        return Job(self.lines(), ended, self.text(0), self.text(1))

    def take_text(self, stream):
        """What stands in a pipe of the current set."""
        number = 3 * self.set + stream
        raw, self.received[number] = self.received[number], b""
        return raw

    def text(self, stream):
        """The same as text."""
        return self.take_text(stream).decode("utf-8", "replace")

    def lines(self):
        """Report lines of the current set."""
        return [json.loads(line.decode()) for line in self.take_text(2).split(b"\n") if line]

    def finish(self):
        """Closes the channel; the status, and the lines that came at the end."""
        self.channel.shutdown(socket.SHUT_WR)
        while True:
            while not self.drain(1000):
                pass
            if not self.channel.recv(1 << 20):
                break
        status = self.end()
        for number, fd in enumerate(self.pipes):
            os.set_blocking(fd, False)
            self.received[number] += everything(fd)
        lines = self.lines()
        self.close()
        return status, lines


def everything(fd):
    """What stands in a pipe that does not block."""
    parts = []
    try:
        while not parts or parts[-1]:
            parts.append(os.read(fd, 1 << 20))
    except BlockingIOError:
        # Somebody still holds the other end.
        pass
    return b"".join(parts)


class Job(object):
    """What came of a job."""

    def __init__(self, lines, ended, out, err):
        self.lines, self.ended, self.out, self.err = lines, ended, out, err

    def of(self, position):
        """The lines of one test."""
        return [line for line in self.lines if line.get("test") == position]


def outcome(lines, status):
    """A test's outcome by its lines and its process's status: as the engine decides."""
    if any("missing" in line or "broken" in line for line in lines):
        return "error"
    reports = [line["report"] for line in lines if "report" in line]
    if not any("end" in line for line in lines) or status != 0:
        return "crash"
    by = {report["when"]: report for report in reports if "_subtest.context" not in report}
    for when in ("setup", "teardown"):
        if when not in by or by[when]["outcome"] == "failed":
            return "error"
    if by["setup"]["outcome"] == "skipped":
        return "xfail" if "wasxfail" in by["setup"] else "skip"
    if any(report["outcome"] == "failed" for report in reports):
        return "fail"
    if by["call"]["outcome"] == "skipped":
        return "xfail" if "wasxfail" in by["call"] else "skip"
    return "xpass" if "wasxfail" in by["call"] else "pass"


def settings(workers=1):
    """As the engine's."""
    return {"workers": workers, "run": uuid.uuid4().hex, "seed": 0, "granularity": "test"}


class Played(object):
    """What came of a whole run."""


def jobs_of(tests, batch=0):
    """Jobs in listed order: one for each test, batches of neighbours of one file, or files."""
    jobs = []
    for test in tests:
        size = batch if test["job"] == "test" else len(tests)
        same = jobs and jobs[-1][0]["file"] == test["file"] and jobs[-1][0]["job"] == test["job"]
        if same and len(jobs[-1]) < size:
            jobs[-1].append(test)
        else:
            jobs.append([test])
    return jobs


def play(args, cwd, workers=1, batch=0, stop=True, **options):
    """Runs a project. Jobs of one group go to one warmer."""
    done = Played()
    whole = settings(workers)
    lister = Lister(args, cwd, whole, **options)
    done.lister, done.outcomes, done.jobs, done.late = lister, {}, {}, []
    done.ends = []
    if lister.listed["exit"] is not None:
        while lister.finished is None:
            lister.take()
        lister.end()
        done.finished = lister.finished
        return done
    warmers = []
    for slot in range(workers):
        found = {name: lister.listed[name] for name in ("cold", "imports") if name in lister.listed}
        warmers.append(Warmer(args, cwd, whole, nodes=lister.hello["nodes"], slot=slot, found=found, **options))
    homes = {}
    for job in jobs_of(lister.tests, batch):
        group = job[0].get("group", job[0]["file"])
        home = homes.setdefault(group, len(homes) % workers)
        run_job(done, lister, warmers, home, job, batch)
        if stop and lister.stop_asked():
            break
    done.statuses = []
    for warmer in warmers:
        if warmer.channel.fileno() < 0:
            continue
        status, lines = warmer.finish()
        done.statuses.append(status)
        take_late(done, lister, lines)
    done.warmers = warmers
    done.finished = lister.finish()
    return done


def run_job(done, lister, warmers, home, tests, batch):
    """One job in one warmer, and its reports to the lister."""
    names = [{"id": test["id"], "n": test["n"]} for test in tests]
    fresh = tests[0]["job"] == "file"
    payload = {"file": tests[0]["file"], "tests": names, "batch": batch > 1, "fresh": fresh}
    job = warmers[home].job(payload)
    if job is None:
        raise AssertionError("the warmer is gone: " + warmers[home].output.decode())
    reports = []
    for position, test in enumerate(tests):
        lines = job.of(position)
        done.ends += job.ended
        status = job.ended[-1][1] if job.ended else 0
        key = (test["id"], test["n"])
        done.outcomes[key] = outcome(lines, status)
        done.jobs[key] = job
        asked = [line for line in lines if "exit" in line]
        if asked:
            reports.append(dict(names[position], lines=asked))
        elif done.outcomes[key] == "crash" or not any("report" in line for line in lines):
            lister.tell({"lost": dict(names[position], text="crash", duration=0.0)})
        else:
            reports.append(dict(names[position], lines=lines))
    lister.tell({"reports": reports})
    take_late(done, lister, job.lines)


def take_late(done, lister, lines):
    """Teardown errors of wide fixtures, and the warmer's coverage."""
    for line in lines:
        if "late" in line:
            done.late.append(line)
            done.outcomes[(line["late"]["id"], line["late"]["n"])] = "error"
            lister.tell({"reports": [dict(line["late"], lines=[{"report": line["report"]}])]})
        elif ("coverage" in line or "snapshots" in line) and "test" not in line:
            lister.tell({"reports": [{"id": "", "n": 0, "lines": [line]}]})
