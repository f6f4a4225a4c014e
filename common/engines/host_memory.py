"""How the host's memory is asked for."""

import ctypes
import platform

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Numbers of glibc's `mallopt`, from its malloc.h."""
LARGEST_BLOCK = 32 << 20
"""Bytes; the most that every glibc takes. Larger blocks are given back as before."""
KEPT = 1 << 30
"""Bytes at the end of the heap that are not given back."""


def keep_freed_memory() -> bool:
    """Have the C library keep freed memory for the next tensor.

    By itself it maps a large block anew and gives it back when it is freed. The activations of a training step are such
    blocks, so that the kernel hands out and clears the same pages in every step.

    Returns:
        Whether the C library took it; False where it is another than glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST_BLOCK)) and bool(mallopt(M_TRIM_THRESHOLD, KEPT))
