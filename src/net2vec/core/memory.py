"""Keeping freed memory in the process, where giving it back costs more than it is worth."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

# From malloc.h of the GNU C library.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LIMIT = 1 << 28


@cache
def keep_freed_memory() -> None:
    """Let the C library reuse large blocks instead of returning them to the system.

    A network's activations are freed and asked for again with every batch. By default each such
    block is mapped afresh, and faulting its pages in can take longer than the convolutions. This
    is a setting of the whole process, so the program makes it for itself and for the processes it
    starts, and the package does not; it matters on Linux with the GNU C library alone.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return
    mallopt(_M_MMAP_THRESHOLD, _LIMIT)
    mallopt(_M_TRIM_THRESHOLD, _LIMIT)


def give_back_freed_memory() -> None:
    """Return what was freed to the system after all, where others are about to need memory."""
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
