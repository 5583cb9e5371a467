"""Messages, packets and lines: what goes in comes out."""

import os
import socket
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from seatrial_python import collecting, listing, coverage_share, wire


class Wire(unittest.TestCase):
    """Encoding."""

    def pair(self):
        """Two ends that are closed after the test."""
        ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in ends:
            self.addCleanup(end.close)
        return ends

    def test_values(self):
        for value in [None, 1, "\u00fc\n\x00", ["a", {"b": [1.5, True]}], {}]:
            self.assertEqual(wire.decode(wire.encode(value)), value)

    def test_half_of_a_pair_is_visible(self):
        self.assertEqual(wire.decode(wire.encode("a\ud800b")), "a\\ud800b")
        self.assertEqual(wire.clean("a\ud800b"), "a\\ud800b")

    def test_object_prints_as_it_did(self):
        self.assertEqual(repr(wire.decode(wire.encode([object]))[0]), repr(object))
        self.assertEqual(wire.decode(wire.encode({"i": 1})), {"i": 1})

    def test_message_of_any_size(self):
        here, there = self.pair()
        for size in (0, 10, wire.PACKET - 3, wire.PACKET, 3 * wire.PACKET):
            for end in (here, there):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
            sent = {"text": "x" * size}
            wire.Messages(here).send(sent)
            self.assertEqual(wire.Messages(there).receive(), sent)

    def test_closed_channel(self):
        here, there = self.pair()
        here.close()
        self.assertIsNone(wire.Messages(there).receive())
        self.assertIsNone(wire.Fields(there).receive())

    def test_fields(self):
        here, there = self.pair()
        wire.Fields(here).send("job", 1, '{"a": 1}')
        self.assertEqual(wire.Fields(there).receive(), ["job", "1", '{"a": 1}'])


class Node(object):
    """An item, as far as `find` looks at it."""

    location = ("file", 0, "name")

    def __init__(self, nodeid):
        self.nodeid = nodeid


class Find(unittest.TestCase):
    """Tests whose ids differ between collections."""

    def check(self, collected, listed, wanted, expected):
        """The wanted test of those listed is the collected one with this number."""
        nodes = [Node(id) for id in collected]
        found = collecting.find(collecting.index(nodes), {"id": wanted, "n": 0}, {listing.function_key(wanted): listed})
        self.assertIs(found, None if expected is None else nodes[expected])

    def test_same_id(self):
        self.check(["f[a]", "f[b]"], ["f[a]", "f[b]"], "f[b]", 1)

    def test_changed_ids_in_order(self):
        self.check(["f[0x3]", "f[b]", "f[0x4]"], ["f[0x1]", "f[b]", "f[0x2]"], "f[0x2]", 2)

    def test_another_number_of_tests(self):
        self.check(["f[0x3]"], ["f[0x1]", "f[0x2]"], "f[0x1]", None)

    def test_another_function(self):
        self.check(["g[0x3]"], ["f[0x1]"], "f[0x1]", None)

    def test_equal_ids(self):
        nodes = [Node("f"), Node("f")]
        index = collecting.index(nodes)
        self.assertIs(collecting.find(index, {"id": "f", "n": 1}, None), nodes[1])
        self.assertIsNone(collecting.find(index, {"id": "f", "n": 2}, None))


class Coverage(unittest.TestCase):
    """Sums."""

    def test_lines_and_arcs_are_united(self):
        recorder = coverage_share.Recorder()
        recorder.add_lines({"a": {2, 1}, "b": set()})
        recorder.set_context("t")
        recorder.add_arcs({"a": [(1, 2)]})
        total = coverage_share.Sum()
        for _ in range(2):
            total.add(wire.decode(wire.encode(recorder.message())))
        total.add({"lines": [["", "a", [3]]]})
        self.assertEqual(total.lines, {"": {"a": {1, 2, 3}}})
        self.assertEqual(total.arcs, {"t": {"a": {(1, 2)}}})
        self.assertIsNone(coverage_share.Recorder().message())


if __name__ == "__main__":
    unittest.main()
