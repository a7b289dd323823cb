"""Memory for a large answer, mapped for it alone.

What the allocator of the process gives and takes back stays with it where smaller things stand in
between, so answers of different sizes leave holes. A mapping goes back to the system as soon as
nothing refers to it. Linux gives it in large pages where it may: 4 KiB at a time cost more than
all else that is done with a picture.
"""

import contextlib
import mmap

_FLAGS = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
_LARGE_PAGES: int | None = getattr(mmap, "MADV_HUGEPAGE", None)
"""Linux only."""


def mapped(size: int) -> mmap.mmap:
    """Return ``size`` bytes, at least one; the system gives them when they are written."""
    memory = mmap.mmap(-1, max(size, 1), flags=_FLAGS)
    if _LARGE_PAGES is not None:
        with contextlib.suppress(OSError):  # a kernel without them
            memory.madvise(_LARGE_PAGES)
    return memory
