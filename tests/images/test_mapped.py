"""Memory that is mapped for one answer."""

import mmap

import pytest

from gemproxy.images import mapped as module
from gemproxy.images.mapped import mapped


@pytest.mark.parametrize("size", [0, 1, 5 << 20])
def test_memory_has_its_size_and_can_be_written(size: int) -> None:
    memory = mapped(size)
    memory[:] = b"x" * len(memory)

    assert len(memory) == max(size, 1)
    assert memory.find(b"y") == -1


@pytest.mark.parametrize("advice", [None, -1])
def test_a_system_without_large_pages_gives_small_ones(
    monkeypatch: pytest.MonkeyPatch, advice: int | None
) -> None:
    monkeypatch.setattr(module, "_LARGE_PAGES", advice)

    assert isinstance(mapped(9), mmap.mmap)
