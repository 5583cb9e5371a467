"""What cannot be inherited through a fork: threads, child processes, sockets, pipes and the like."""

import atexit
import fcntl
import gc
import logging
import os
import stat
import sys
import threading
import time

KINDS = ("socket:", "pipe:", "anon_inode:")
# As `gc.set_threshold` takes them.
RARELY = (50000, 20, 100)
TASKS = "/proc/self/task"
QUIET = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def quiet_libraries():
    """Numeric libraries start a thread for each processor at import, unless told otherwise."""
    for name in QUIET:
        os.environ.setdefault(name, "1")


def threads():
    """The ids of this process's threads; those of C libraries are among them."""
    try:
        return set(os.listdir(TASKS))
    except OSError:
        return set()


def written():
    """Names of files that are open for writing. A fork has them, but for whoever opens them by name in a test's process they
    are other files: what was written before lies in a layer below its own."""
    found = set()
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink("/proc/self/fd/" + descriptor)
            if not target.startswith("/") or target.startswith("/memfd:") or target.endswith(" (deleted)"):
                continue
            flags = fcntl.fcntl(int(descriptor), fcntl.F_GETFL)
            if flags & os.O_ACCMODE != os.O_RDONLY and stat.S_ISREG(os.fstat(int(descriptor)).st_mode):
                found.add("file:" + target)
        except OSError:
            continue
    return found


def logs():
    """Names of files that loggers write, for whoever may read them later: it does no harm when a fork writes another."""
    handlers = [reference() for reference in logging._handlerList]
    return {"file:" + handler.baseFilename for handler in handlers if isinstance(handler, logging.FileHandler)}


def of_imports():
    """Of `present`, what imports may leave and forks may not inherit."""
    return {"thread:" + thread for thread in threads()} | written() - logs()


def left_since(before):
    """What imports have left since `before`, another `of_imports`. A thread that was joined may still be on its way out."""
    left = of_imports() - before
    tries = 0
    while tries < 20 and any(name.startswith("thread:") for name in left):
        time.sleep(0.001)
        tries += 1
        left = of_imports() - before
    return left


def children():
    """Numbers of child processes, where this kernel lists them."""
    found = []
    for thread in threads():
        try:
            with open("%s/%s/children" % (TASKS, thread)) as file:
                found += [int(child) for child in file.read().split()]
        except OSError:
            # The thread has ended.
            continue
    return found


def present():
    """What a fork would lose or share: a set of names, to be compared with a later one."""
    found = written() - logs() | {"thread:" + thread for thread in threads()}
    found.update("child:%d" % child for child in children())
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink("/proc/self/fd/" + descriptor)
        except OSError:
            continue
        if target.startswith(KINDS):
            found.add("descriptor:" + target)
    return found


def in_words(names):
    """What was left behind, for people."""
    words = {"thread": "a thread", "child": "a child process", "descriptor": "a socket or pipe", "file": "an open file"}
    return ", ".join(sorted({words[name.partition(":")[0]] for name in names}))


def spare():
    """Lets garbage be collected less often, while much is made that stays: what a session imports and collects. Gives
    what `collect_as_before` wants."""
    before = gc.get_threshold()
    gc.set_threshold(*RARELY)
    return before


def collect_as_before(before):
    """The end of `spare`, unless user code has had its own wishes meanwhile."""
    if gc.get_threshold() == RARELY:
        gc.set_threshold(*before)


def directory(before, look=os.getcwd):
    """The working directory, which user code may have changed; the one before if it is gone."""
    try:
        return look()
    except OSError:
        return before


def settle():
    """What has been made until now stays: collections of garbage need not look at it, nor copy it in forks."""
    if hasattr(gc, "freeze"):
        gc.freeze()


def resume():
    """The end of `settle`: who asks for an object's referrers is told of all again."""
    if hasattr(gc, "unfreeze"):
        gc.unfreeze()


def leave():
    """Ends the process as Python does, but does not take apart what the kernel frees at once."""
    for wait in (getattr(threading, "_shutdown", None), getattr(atexit, "_run_exitfuncs", None)):
        if wait is not None:
            wait()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
