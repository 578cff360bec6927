"""Run code without root's right to ignore the modes of files, so that tests of permissions also hold for root."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

_VERSION = 0x20080522  # of the structures of Linux's capset
_IGNORES_MODES = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


@contextmanager
def modes_hold() -> Iterator[None]:
    """Give up the right to ignore the modes of files, in this thread and inside the block only."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_VERSION, 0)
    before = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable: the low halves, then the high halves
    if libc.capget(header, before):
        raise OSError(ctypes.get_errno(), "capget")
    without = (ctypes.c_uint32 * 6)(*before)
    without[0] &= ~_IGNORES_MODES
    try:
        if libc.capset(header, without):
            raise OSError(ctypes.get_errno(), "capset")
        yield
    finally:
        libc.capset(header, before)
