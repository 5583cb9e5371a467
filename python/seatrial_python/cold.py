"""What a warm interpreter does when conftest files, or what they import, leave what no fork can inherit: it makes room for
one that has imported nothing of the project's (`once`).
"""

import json
import os
import signal
import sys

from seatrial_python import capture, hazards, wire

# As the engine's, but for the packet, which lies in the file that its argument names.
BOOT = """\
import sys
if sys.path[:1] == ['']: del sys.path[0]
import json, os, socket
with open(int(sys.argv[1]), 'rb') as file: packet = json.loads(file.read().decode('utf-8'))
channel = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, 3)
channel.set_inheritable(False)
names = {'__name__': 'seatrial_boot', 'packet': packet, 'channel': channel}
exec(compile(packet['boot'], '<seatrial boot>', 'exec'), names)
"""


def become(packet, environment):
    """Puts such an interpreter in the place of this one. `packet`: its first one, with what the lister has found out."""
    descriptor = capture.memory_file()
    wire.write_all(descriptor, json.dumps(dict(packet, role="once")).encode("utf-8"))
    os.lseek(descriptor, 0, os.SEEK_SET)
    # They belong to the first import of the conftest files.
    for child in hazards.children():
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    for number in [descriptor] + list(range(wire.FIRST, wire.LAST + 1)):
        os.set_inheritable(number, True)
    os.execve(sys.executable, [sys.executable, "-c", BOOT, str(descriptor)], environment)
