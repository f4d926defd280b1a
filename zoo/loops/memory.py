"""Arrays for compiled code: aligned, and taken from memory that was used before, which is there already."""

import ctypes
import functools
import math
import sys
import threading

import numpy as np

ALIGNMENT = 64  # bytes: a line of the cache, a vector of AVX-512, and what TensorFlow takes without a copy
_KEPT = 2**30  # bytes at most
_UNUSED = 3  # references to a block that nobody else holds: the list's, the loop's and getrefcount's own

_blocks: list[np.ndarray] = []
_one_at_a_time = threading.Lock()


@functools.cache
def keep():
    """Let this process keep the memory that it frees: JAX and PyTorch ask for what a step needs anew, each time.

    Nothing happens where the C library is not glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        no_mapping, no_trimming = (-4, 0), (-1, 2**31 - 1)  # M_MMAP_MAX, M_TRIM_THRESHOLD
        mallopt(*no_mapping)
        mallopt(*no_trimming)


def give_back():
    """Give memory that is kept but not in use back to the system.

    Batches of many shapes leave gaps that later ones do not fit into, half a gigabyte in a minute of training:
    whoever runs for long calls this now and then.
    """
    with _one_at_a_time:
        _blocks[:] = [block for block in _blocks if sys.getrefcount(block) > _UNUSED]
    if keep.cache_info().currsize and hasattr(ctypes.CDLL(None), "malloc_trim"):
        ctypes.CDLL(None).malloc_trim(0)


def empty(shape, dtype):
    """Return an array of any content.

    The system hands out large blocks page by page, at the first touch of each, which costs more than what a loop
    writes there. So blocks are kept and used again as soon as no array lies in them any more.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    with _one_at_a_time:
        for block in _blocks:
            if (
                size + ALIGNMENT <= block.size <= 2 * size + 2 * ALIGNMENT
                and sys.getrefcount(block) == _UNUSED
            ):
                break
        else:
            block = np.empty(size + ALIGNMENT, np.uint8)
            if size > 2**16:
                _blocks.append(block)
                while sum(each.size for each in _blocks) > _KEPT:
                    _blocks.pop(0)  # who holds it goes on with it
        begin = -block.ctypes.data % ALIGNMENT
        return block[begin : begin + size].view(dtype).reshape(shape)
