"""The C library's allocator, told to keep what the training loop frees.

By default glibc hands blocks over 32 MB back to the kernel, which fills them with zeros, page by page, when the next step asks for
them again. Kept, the process stays at its peak, which it needs in every step anyway.
"""

import ctypes
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4  # malloc.h


def keep_freed_memory() -> bool:
    """Never give memory back; False where the C library is not glibc, which is then left as it is."""
    return _set({MMAP_MAX: 0, TRIM_THRESHOLD: 2**31 - 1})


def return_freed_memory() -> bool:
    """glibc's own steady state, for comparisons: what its thresholds grow to, and nothing kept."""
    done = _set({MMAP_MAX: 65536, MMAP_THRESHOLD: 32 << 20, TRIM_THRESHOLD: 64 << 20})
    if done:
        ctypes.CDLL(None).malloc_trim(0)
    return done


def _set(options: dict[int, int]) -> bool:
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if not hasattr(library, "malloc_trim"):  # glibc's alone
        return False
    return all([library.mallopt(option, value) for option, value in options.items()])
