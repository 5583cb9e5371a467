"""What goes over descriptors: messages in packets, fields in packets, and lines of JSON.

JSON can hold less than Python, and Rust's strings less than Python's. `encode` keeps what a receiver can
bring back, and says so where it cannot: an object that JSON does not know becomes `{"$repr": "..."}`.
"""

import json
import os
import re
import select
import socket
import struct

PACKET = 96 * 1024
# A warmer's descriptors: its channel, pipes and shelf.
FIRST = 3
LAST = 10
# Room for the descriptors of one packet.
DESCRIPTORS = socket.CMSG_SPACE(4 * 32)
LONE = re.compile("[\ud800-\udfff]")


def clean(text):
    """The text with halves of surrogate pairs, which UTF-8 does not know, as visible escapes."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return LONE.sub(lambda found: "\\u%04x" % ord(found.group()), text)
    return text


def encode(value):
    """One line of JSON in UTF-8, without its line end."""
    try:
        text = ENCODER.encode(value)
    except (TypeError, ValueError, RecursionError):
        text = ENCODER.encode(tame(value))
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return LONE.sub(lambda found: "\\\\u%04x" % ord(found.group()), text).encode("utf-8")


def foreign(value):
    """What stands in JSON for an object that it does not know."""
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=repr)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    try:
        return {"$repr": repr(value)}
    except Exception as error:
        return {"$repr": "<%s, whose repr raised %s>" % (type(value).__name__, type(error).__name__)}


def tame(value, depth=40):
    """The value without what no encoder for JSON takes: keys that are no text, and what holds itself."""
    if depth and isinstance(value, dict):
        return {key if isinstance(key, str) else repr(key): tame(inner, depth - 1) for key, inner in value.items()}
    if depth and isinstance(value, (list, tuple)):
        return [tame(inner, depth - 1) for inner in value]
    return value if value is None or isinstance(value, (str, bool, int, float)) else foreign(value)


# `json.dumps` would make one for each line.
ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=foreign)


class Told(object):
    """Stands for an object of another process: it prints as that one did."""

    def __init__(self, text):
        self.text = text

    def __repr__(self):
        return self.text


def decode(raw):
    """The value of one line or message."""
    if isinstance(raw, bytes):
        raw = raw.decode("utf-8")
    return json.loads(raw, object_hook=told) if '"$repr"' in raw else json.loads(raw)


def told(pairs):
    """Brings back what `foreign` could not say."""
    if len(pairs) == 1 and "$repr" in pairs:
        return Told(pairs["$repr"])
    return pairs


class Messages(object):
    """JSON messages of any size, cut into packets that begin with `+` (more follows) or `.` (the last)."""

    def __init__(self, channel):
        self.channel = channel
        # Those that came with the message received last.
        self.descriptors = []

    def send(self, message):
        """Sends all of it, waiting where the other end is slow."""
        raw = encode(message)
        room = PACKET - 1
        count = max(1, -(-len(raw) // room))
        for number in range(count):
            mark = b"." if number == count - 1 else b"+"
            self.channel.sendall(mark + raw[number * room:(number + 1) * room])

    def has_one(self):
        """Whether something has come."""
        return bool(select.select([self.channel], [], [], 0)[0])

    def receive(self):
        """The next message, or None when the other end is closed."""
        parts = []
        self.descriptors = []
        while True:
            packet, others, _, _ = self.channel.recvmsg(PACKET + 1, DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
            if not packet:
                return None
            for level, kind, raw in others:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    self.descriptors += struct.unpack("=%di" % (len(raw) // 4), raw[:len(raw) // 4 * 4])
            parts.append(packet[1:])
            if packet[:1] == b".":
                return decode(b"".join(parts))


class Fields(object):
    """Packets of fields that NUL separates: the warmer's channel."""

    SIZE = 1 << 20

    def __init__(self, channel):
        self.channel = channel
        # One for all packets: a new one of this size would be mapped and unmapped for each.
        self.room = bytearray(self.SIZE)

    def send(self, *fields):
        """One packet."""
        self.channel.sendall("\0".join(str(field) for field in fields).encode("utf-8"))

    def receive(self):
        """The fields of the next packet, or None when the other end is closed."""
        size = self.channel.recv_into(self.room)
        if not size:
            return None
        return self.room[:size].decode("utf-8").split("\0", 2)


def write_all(descriptor, raw, write=os.write):
    """Writes all bytes, however small the pipe. A test that replaces `os.write` does not change this one."""
    view = memoryview(raw)
    while view:
        view = view[write(descriptor, view):]
