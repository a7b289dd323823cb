"""Memory for large answers, mapped for each of them.

What the allocator of the process gives and takes back stays with it where smaller things stand in
between, so answers of different sizes leave holes. A mapping goes back to the system as soon as
nothing refers to it. Linux gives it in large pages where it may: 4 KiB at a time cost more than
all else that is done with a picture.

The system clears memory before it gives it. So while there is much to do a mapping is used again,
by an answer of about the same size, and only when nothing refers to any of its bytes: a transport
may still send them. Python counts that, and refuses to resize a mapping in use (BufferError).
"""

import contextlib
import mmap

import attrs

_FLAGS = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
_LARGE_PAGES: int | None = getattr(mmap, "MADV_HUGEPAGE", None)
"""Linux only."""

_STEP = 512 << 10
"""Mappings have a multiple of so many bytes, so that one fits answers of about the same size."""


def mapped(size: int) -> mmap.mmap:
    """Return ``size`` bytes or a little more; the system gives them when they are written."""
    memory = mmap.mmap(-1, -(-max(size, 1) // _STEP) * _STEP, flags=_FLAGS)
    if _LARGE_PAGES is not None:
        with contextlib.suppress(OSError):  # a kernel without them
            memory.madvise(_LARGE_PAGES)
    return memory


@attrs.define(eq=False)
class Mappings:
    """The mappings of this process: ``used`` bytes are lent, ``spare`` ones wait for an answer."""

    used: int = 0
    spare: int = 0
    _kept: list[mmap.mmap] = attrs.field(factory=list)

    def take(self, size: int, most: int) -> mmap.mmap:
        """Lend ``size`` bytes or a little more, whose content is anything.

        Spare ones are let go of where all together would be more than ``most`` bytes.
        """
        memory = self._fitting(size) or mapped(size)
        self.used += len(memory)
        self.trim(most - self.used)
        return memory

    def put(self, memory: mmap.mmap) -> None:
        """Take back a mapping; some of its bytes may be in use still."""
        self.used -= len(memory)
        self.spare += len(memory)
        self._kept.append(memory)

    def trim(self, most: int) -> None:
        """Let go of spare mappings, the oldest first, until they take ``most`` bytes."""
        while self._kept and self.spare > most:
            self.spare -= len(self._kept.pop(0))

    def _fitting(self, size: int) -> mmap.mmap | None:
        for index, memory in enumerate(self._kept):
            if 0 <= len(memory) - size < _STEP and not _is_in_use(memory):
                self.spare -= len(memory)
                return self._kept.pop(index)
        return None


def _is_in_use(memory: mmap.mmap) -> bool:
    """Return whether anything refers to a byte; True where that cannot be said."""
    try:
        memory.resize(len(memory))
    except (BufferError, AttributeError):
        return True
    except (OSError, SystemError, ValueError):  # not in use, and never resized
        return False
    return False
