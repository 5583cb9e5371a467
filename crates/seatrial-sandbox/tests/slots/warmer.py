"""A warmer for tests: it keeps to the contract of python/README.md and runs what a job's payload says.

The payload is JSON: `fixture` is run here, and what it wrote is kept (with `keeping = "stay"`, what tests write too); each of `tests` is run in a fork. Then come
`after`, run here without a word to the zygote, and `status`, which stands for that of the last test.
"""
import json, os, socket, sys

channel = socket.socket(fileno=3)
first = channel.recv(1 << 20)


def tell(*fields):
    channel.sendall("\0".join(str(field) for field in fields).encode())


def expect(word):
    got = channel.recv(1 << 20)
    if got == b"spoiled":
        os._exit(0)
    assert got == word, got


def say(text):
    os.write(4 + 3 * number + 2, (str(text) + "\n").encode())


def write(path, text="x"):
    with open(path, "w") as file:
        file.write(text)


def read(path):
    with open(path) as file:
        return file.read()


def test(code):
    go, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            # Nothing happens in it before the zygote can know of it.
            os.close(told)
            os.read(go, 1)
            os.close(go)
            channel.close()
            exec(code, globals())
            status = 0
        except SystemExit as end:
            status = end.code or 0
        except BaseException as error:
            say("%s: %s" % (type(error).__name__, error))
        finally:
            sys.stdout.flush()
            os._exit(status)
    tell("forked", pid)
    os.close(go)
    os.close(told)
    _, status, usage = os.wait4(pid, 0)
    tell("ended", pid, status, int(usage.ru_utime * 1e6), int(usage.ru_stime * 1e6), usage.ru_maxrss)
    expect(b"clean")
    return status


while True:
    packet = channel.recv(1 << 20)
    if not packet:
        break
    if not packet.startswith(b"job"):
        second = packet
        continue
    word, number, payload = packet.split(b"\0", 2)
    assert word == b"job", word
    number, payload = int(number), json.loads(payload)
    status = 0
    os.chdir("/")
    if payload.get("fixture"):
        exec(payload["fixture"], globals())
        tell(globals().get("keeping", "keep"))
        expect(b"kept")
        os.chdir("/")
    for code in payload.get("tests", []):
        status = test(code)
    exec(payload.get("after", ""), globals())
    tell("done", payload.get("status", status))
exec(globals().get("farewell", ""))
