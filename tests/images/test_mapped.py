"""Memory that is mapped for answers, and used again when nothing refers to it."""

import mmap

import pytest

from gemproxy.images import mapped as module
from gemproxy.images.mapped import Mappings, mapped

STEP = 512 << 10
SIZE = 5 * STEP


@pytest.mark.parametrize(
    ("size", "given"), [(0, STEP), (1, STEP), (SIZE, SIZE), (SIZE + 1, 6 * STEP)]
)
def test_memory_has_a_little_more_than_was_asked_for_and_can_be_written(
    size: int, given: int
) -> None:
    memory = mapped(size)
    memory[:] = b"x" * len(memory)

    assert len(memory) == given
    assert memory.find(b"y") == -1


@pytest.mark.parametrize("advice", [None, -1])
def test_a_system_without_large_pages_gives_small_ones(
    monkeypatch: pytest.MonkeyPatch, advice: int | None
) -> None:
    monkeypatch.setattr(module, "_LARGE_PAGES", advice)

    assert isinstance(mapped(9), mmap.mmap)


def test_memory_is_used_again_for_about_the_same_size() -> None:
    mappings = Mappings()
    first = mappings.take(SIZE, 100 * STEP)
    mappings.put(first)

    assert mappings.take(SIZE - STEP, 100 * STEP) is not first
    assert mappings.take(SIZE + 1, 100 * STEP) is not first
    assert mappings.take(SIZE - STEP + 1, 100 * STEP) is first
    assert (mappings.used, mappings.spare) == ((4 + 6 + 5) * STEP, 0)


def test_memory_is_not_used_again_while_anything_refers_to_a_byte_of_it() -> None:
    mappings = Mappings()
    first = mappings.take(SIZE, 100 * STEP)
    sent = memoryview(memoryview(first)[7:9])
    mappings.put(first)

    other = mappings.take(SIZE, 100 * STEP)
    assert other is not first
    sent.release()
    assert mappings.take(SIZE, 100 * STEP) is first
    assert first[:1] == b"\0"


def test_spare_memory_goes_where_all_together_would_be_too_much() -> None:
    mappings = Mappings()
    for memory in [mappings.take(SIZE, 100 * STEP) for _ in range(3)]:
        mappings.put(memory)
    assert (mappings.used, mappings.spare) == (0, 3 * SIZE)

    mappings.take(9 * STEP, 9 * STEP + SIZE)
    assert (mappings.used, mappings.spare) == (9 * STEP, SIZE)
    mappings.trim(0)
    assert mappings.spare == 0


class _Unmoved(mmap.mmap):
    """A mapping that nothing refers to, on a system that never resizes one."""

    error: type[Exception] = OSError

    def resize(self, newsize: int, /) -> None:
        raise self.error(newsize)


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (OSError, True),
        (SystemError, True),
        (ValueError, True),
        (BufferError, False),
        (AttributeError, False),
    ],
)
def test_what_the_system_says_of_a_mapping_in_use(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception], *, again: bool
) -> None:
    mappings, memory = Mappings(), _Unmoved(-1, STEP)
    monkeypatch.setattr(_Unmoved, "error", error)
    mappings.put(memory)

    assert (mappings.take(STEP, STEP) is memory) is again
