"""What the process keeps of memory that it has no use for."""

import ctypes
import sys

_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of <malloc.h>
_LARGE = 128 * 1024  # glibc's own at the start


def give_back_memory() -> None:
    """Have every large piece of memory returned to the system as soon as it is free.

    AWS's answer about ten thousand instances is a piece of five megabytes. From the first one on, glibc would
    keep such pieces for the thread that freed them, and for each other thread as well: 34 MB in all. Where
    there is no glibc, nothing is done.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_MMAP_THRESHOLD, _LARGE)
