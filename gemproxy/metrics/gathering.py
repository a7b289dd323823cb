"""One scrape tells of all workers: it gathers their snapshots.

Scrapes of a shared port come to any worker. A worker that hangs is told of by the last snapshot
that anybody has of it, so that no counter falls from one scrape to the next: who scrapes asks the
others for what they last knew of it, and takes the latest.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import attrs
import msgspec

from gemproxy.metrics import families
from gemproxy.metrics.counts import Counts, Labels
from gemproxy.metrics.families import FAMILIES
from gemproxy.metrics.snapshot import Reading, Snapshot, Value, merged, take

PATH = "metrics"
"""Where the other workers answer."""
MERGES = {family.name: family.merge for family in FAMILIES}


class Answer(Protocol):
    """The JSON document of one worker."""

    @property
    def worker(self) -> int:
        """Its number."""

    @property
    def document(self) -> Any:  # noqa: ANN401 (JSON)
        """What it answered."""


class Answers(Protocol):
    """What the other workers answered."""

    @property
    def answers(self) -> Sequence[Answer]:
        """The answers that came in time."""

    @property
    def asked(self) -> int:
        """How many were asked."""


class Neighbours(Protocol):
    """The other workers of the proxy."""

    async def ask(self, path: str, document: Any = None) -> Answers:  # noqa: ANN401 (JSON)
        """Ask all of them; leave out who does not answer within a second."""


class Question(msgspec.Struct):
    """What another worker asks for: our snapshot, or the last ones that we have of ``of``."""

    of: list[int] = []


@attrs.define(eq=False)
class Gathering:
    """Takes and gathers snapshots; ``readings`` are asked for gauges. ``clock`` is Unix time.

    ``numbers`` are those of the other workers.
    """

    counts: Counts
    readings: list[Reading] = attrs.field(factory=list)
    neighbours: Neighbours | None = None
    numbers: Sequence[int] = ()
    clock: Callable[[], float] = time.time
    _last: dict[int, Snapshot] = attrs.field(factory=dict)

    def own(self) -> Snapshot:
        """Return the snapshot of this process."""
        return take(self.counts, self._read(), self.clock())

    async def answer(self, document: Any) -> Any:  # noqa: ANN401 (JSON)
        """Answer another worker's question."""
        question = msgspec.convert(document or {}, Question)
        if not question.of:
            return msgspec.to_builtins(self.own(), str_keys=True)
        known = {number: self._last[number] for number in question.of if number in self._last}
        return msgspec.to_builtins(known, str_keys=True)

    async def whole(self) -> Snapshot:
        """Return the snapshot of all workers."""
        if self.neighbours is None or not self.numbers:
            return await self._with_workers([self.own()], silent=0)
        answers = (await self.neighbours.ask(PATH)).answers
        for answer in answers:
            self._last[answer.worker] = _read(answer.document)
            await asyncio.sleep(0)  # a large snapshot takes a few milliseconds
        heard = {answer.worker for answer in answers}
        silent = [number for number in self.numbers if number not in heard]
        if silent:
            await self._hear_of(silent)
        known = [
            self._last[n] if n in heard else self._last[n].without_gauges()
            for n in self.numbers
            if n in self._last
        ]
        return await self._with_workers([self.own(), *known], silent=len(silent))

    async def _hear_of(self, silent: Sequence[int]) -> None:
        """Take what others last knew of workers that do not answer, if it is later."""
        assert self.neighbours is not None  # noqa: S101 (asked by ``whole``)
        question = msgspec.to_builtins(Question(list(silent)))
        for answer in (await self.neighbours.ask(PATH, question)).answers:
            known = msgspec.convert(answer.document, dict[int, Snapshot], strict=False)
            for number, snapshot in known.items():
                last = self._last.get(number)
                if last is None or last.at < snapshot.at:
                    self._last[number] = snapshot

    async def _with_workers(self, snapshots: Sequence[Snapshot], silent: int) -> Snapshot:
        whole = await merged(snapshots, MERGES)
        answered: list[tuple[Labels, float]] = [
            (("answered",), 1 + len(self.numbers) - silent),
            (("silent",), silent),
        ]
        whole.gauges[families.WORKERS.name] = answered
        return whole

    def _read(self) -> Iterable[Value]:
        for reading in self.readings:
            yield from reading()


def _read(document: Any) -> Snapshot:  # noqa: ANN401 (JSON)
    return msgspec.convert(document, Snapshot, strict=False)
