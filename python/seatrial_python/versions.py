"""The number that CPython 3.6 to 3.13 keeps in each dict and changes with it (PEP 509, in the way of PEP 699).

To compare a dict with its copy counts references up and down, which in a fork copies the pages of all that it holds. To read
the number copies none. Where there is none (3.14, other Pythons, no ctypes) it is not used.
"""

import gc
import types

try:
    import ctypes
except ImportError:
    ctypes = None


def of(space):
    """What has the number of a module's dict, or of the dict behind a class's `vars`, as its `value`; None without one. The
    caller keeps `space` alive. Not for other dicts: what 3.13 writes into an instance's leaves the number as it is."""
    if type(space) is types.MappingProxyType:
        inside = gc.get_referents(space)
        space = inside[0] if len(inside) == 1 else None
    if type(space) is not dict or not usable():
        return None
    return at(space)


def at(space):
    """In CPython's dict object, the number comes behind the count of its entries."""
    return ctypes.c_uint64.from_address(id(space) + object.__basicsize__ + ctypes.sizeof(ctypes.c_ssize_t))


def usable():
    """Whether this Python has the numbers, tried out once."""
    if not KNOWN:
        KNOWN.append(ctypes is not None and try_out())
    return KNOWN[0]


KNOWN = []


def try_out():
    """Whether what should be the number behaves as one."""
    tried = {}
    if type(tried).__basicsize__ < object.__basicsize__ + 2 * ctypes.sizeof(ctypes.c_ssize_t):
        return False
    number, seen = at(tried), []
    for change in (None, ("a", 1), ("b", 2), ("a", 3)):
        if change is not None:
            tried[change[0]] = change[1]
        seen.append(number.value)
    del tried["a"]
    seen.append(number.value)
    before = number.value
    tried.get("b")
    tried["b"] = tried["b"]
    return len(set(seen)) == len(seen) and number.value == before
