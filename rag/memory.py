"""How the C library keeps memory."""

import ctypes
import sys
from typing import Final

_M_MMAP_THRESHOLD: Final = -3  # of malloc.h
_LARGE: Final = 1 << 20


def return_large_blocks() -> None:
    """Let blocks of a MiB and more go back to the system as soon as they are freed.

    glibc stops doing so with the first ones: it takes each freed block for a sign that more of its
    size will come, up to 32 MiB, and keeps them, once for each thread (mallopt(3)). A service would
    hold a copy of its largest upload in every thread that such a one passed through. Other C
    libraries are left as they are.
    """
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        if hasattr(library, "mallopt"):
            library.mallopt(_M_MMAP_THRESHOLD, _LARGE)
