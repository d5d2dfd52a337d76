"""Compiled programs go; the memory that they and their compiling took is given back to the system."""

import ctypes
import sys

import jax


def let_go(*, programs: bool = True) -> None:
    """Give back the memory that compiling took, between two parts of a long notebook.

    On Linux the C library keeps what the compiler has freed, hundreds of megabytes of it, until it is asked.

    Args:
        programs: also forget what has been compiled; what is needed again compiles again.

    >>> let_go(programs=False)
    """
    if programs:
        jax.clear_caches()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's; musl has none
        if trim is not None:
            trim(0)
