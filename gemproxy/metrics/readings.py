"""What is read of the process when somebody scrapes: its memory, the collector, the event loop."""

import asyncio
import platform
from collections import deque
from collections.abc import Iterable, Iterator

import attrs
from prometheus_client import GCCollector, ProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

from gemproxy import __version__
from gemproxy.metrics import families
from gemproxy.metrics.families import READ
from gemproxy.metrics.snapshot import Value

_EVERY_SECONDS = 0.25
_SECONDS = 15.0


def build() -> Iterable[Value]:
    """Return the versions."""
    yield families.BUILD_INFO, (__version__, platform.python_version()), 1


@attrs.define(eq=False)
class Process:
    """The library's figures of the process, as far as our table has them.

    They are collected by hand: a registry of the process would be one for all applications in it.
    """

    _collectors: tuple[Collector, ...] = attrs.field(
        factory=lambda: (
            ProcessCollector(registry=CollectorRegistry()),
            GCCollector(registry=CollectorRegistry()),
        )
    )

    def __call__(self) -> Iterator[Value]:
        """Yield the figures of this moment."""
        for collector in self._collectors:
            for metric in collector.collect():
                family = _BY_NAME.get(metric.name)
                for sample in metric.samples if family is not None else ():
                    assert family is not None  # noqa: S101 (the loop is empty then)
                    yield family, tuple(sample.labels[n] for n in family.labels), sample.value


_BY_NAME = {family.name: family for family in READ}


@attrs.define(eq=False)
class LoopLag:
    """How late the timers of the event loop are; a timer of its own finds out.

    A loop that is late by this much lets every stream wait as long.
    """

    _late: deque[float] = attrs.field(
        factory=lambda: deque([0.0], maxlen=round(_SECONDS / _EVERY_SECONDS))
    )
    _timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to look."""
        loop = asyncio.get_running_loop()
        due = loop.time() + _EVERY_SECONDS
        self._timer = loop.call_at(due, self._look, loop, due)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def take(self, late: float) -> None:
        """Take in how late a timer was (seconds)."""
        self._late.append(max(late, 0.0))

    def _look(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self.take(loop.time() - due)
        self.start()

    def __call__(self) -> Iterator[Value]:
        """Yield the longest delay of the last seconds."""
        yield families.LOOP_LAG, (), max(self._late)
