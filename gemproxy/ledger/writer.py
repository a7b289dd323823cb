"""Write-behind: the rows that wait to be written, and the one task that writes them.

Rows wait here by serial, so that a row that is put again before it was written is written once.
One transaction runs at a time, and the next one begins a moment later, or earlier if somebody waits
for its commit: a transaction of many rows costs hardly more than one of a single row. Over a second
or so the task writes for no more than about a tenth of the time: a transaction counts for ten times
as long as it took, and the task rests until that is over, but for ``_BURST_SECONDS`` of it.

When a transaction fails, its rows wait again and it is tried again each second. Its commit may have
happened: rows are written by serial, so that changes nothing. Beyond ``limit`` rows the oldest ones
are dropped, first those that are not settled: a settled row is whole, and the others may still
become so. A row that no database would hold is dropped alone.
"""

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence

import attrs

from gemproxy.ledger.engine import is_unfit, words_of
from gemproxy.ledger.health import Health
from gemproxy.ledger.row import Row

AT_ONCE = 500
"""Rows of one transaction; more would hold up the event loop."""

AGAIN_SECONDS = 1.0
"""Seconds after which a failed transaction is tried again."""

GATHER_SECONDS = 0.05
"""Seconds between two transactions if nobody waits for the second one."""

_SHARE = 10
_BURST_SECONDS = 0.25
_LONGEST_REST = 0.25

_log = logging.getLogger(__name__)


@attrs.define(eq=False)
class Writer:
    """What waits, and its task. ``commit`` writes rows in one transaction, or raises."""

    commit: Callable[[Sequence[Row]], Awaitable[None]]
    health: Health
    limit: int
    again_seconds: float = AGAIN_SECONDS
    _starts: OrderedDict[int, Row] = attrs.field(factory=OrderedDict)
    _settled: OrderedDict[int, Row] = attrs.field(factory=OrderedDict)
    _writing: dict[int, Row] = attrs.field(factory=dict)
    _some: asyncio.Event = attrs.field(factory=asyncio.Event)
    _hurry: asyncio.Event = attrs.field(factory=asyncio.Event)
    _closing: asyncio.Event = attrs.field(factory=asyncio.Event)
    _waiters: dict[int, list[tuple[Row, asyncio.Future[bool]]]] = attrs.field(factory=dict)
    _task: asyncio.Task[None] | None = None
    _rested: float = 0.0

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def waiting(self) -> int:
        """How many rows are not written yet."""
        return len(self._starts) + len(self._settled) + len(self._writing)

    def put(self, row: Row) -> None:
        """Let a row wait; it replaces an earlier one of its serial."""
        if row.ending is None:
            self._starts[row.serial] = row
        else:
            self._starts.pop(row.serial, None)
            self._settled[row.serial] = row
        if self.waiting > self.limit:
            self._shed()
        self._some.set()

    def _shed(self) -> None:
        """Drop the oldest rows beyond the limit."""
        while self.waiting > self.limit and (self._starts or self._settled):
            settled = not self._starts
            queue = self._settled if settled else self._starts
            self._release(queue.popitem(last=False)[1], written=False)
            self.health.dropped(settled=settled)

    async def written(self, serial: int, seconds: float) -> bool:
        """Wait until what was put is committed; return whether it is.

        Waits at most some seconds, and not at all while writing fails.
        """
        row = self._current(serial) or self._writing.get(serial)
        if row is None:
            return True
        if self.health.failing_since is not None:
            return False
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(serial, []).append((row, future))
        self._hurry.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await future
        return False

    def _current(self, serial: int) -> Row | None:
        return self._settled.get(serial) or self._starts.get(serial)

    async def flush(self, seconds: float) -> bool:
        """Wait until all that waits is written, at most some seconds; return whether it is."""
        rows = [*self._writing.values(), *self._starts.values(), *self._settled.values()]
        waits = [self.written(row.serial, seconds) for row in rows]
        return all(await asyncio.gather(*waits))

    async def close(self, seconds: float) -> None:
        """Write what waits, without a rest, for at most some seconds."""
        self._closing.set()
        self._hurry.set()
        self._some.set()
        if self._task is not None:
            _, pending = await asyncio.wait({self._task}, timeout=seconds)
            if pending:
                self._task.cancel()
                await asyncio.wait({self._task})
        if self.waiting:
            _log.error("rows that were not written to the ledger: %d", self.waiting)

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        while not self._closing.is_set() or self.waiting:
            await self._some.wait()
            rows = self._take()
            if not rows:
                self._some.clear()
                continue
            began = clock()
            if not await self._write(rows):
                await asyncio.sleep(self.again_seconds)
            elif not self._closing.is_set():
                await self._rest(began, clock())

    async def _rest(self, began: float, ended: float) -> None:
        """Rest after a transaction; the end of the process ends it."""
        owed = _SHARE * (ended - began)
        self._rested = max(self._rested, began - _BURST_SECONDS) + owed
        rest = min(self._rested - ended, _LONGEST_REST)
        if rest > 0:
            await _wait(self._closing, rest)
        gather = GATHER_SECONDS - max(rest, 0)
        if gather > 0 and not self._waiters and not self._closing.is_set():
            self._hurry.clear()
            await _wait(self._hurry, gather)

    def _take(self) -> list[Row]:
        """Return the rows of the next transaction, which are no longer waiting."""
        half = AT_ONCE // 2
        rows = _popped(self._starts, max(half, AT_ONCE - len(self._settled)))
        rows += _popped(self._settled, AT_ONCE - len(rows))
        self._writing = {row.serial: row for row in rows}
        return rows

    async def _write(self, rows: Sequence[Row]) -> bool:
        try:
            await self.commit(rows)
        except Exception as error:  # noqa: BLE001 (whatever fails, rows must not be forgotten)
            if is_unfit(error):
                return await self._write_apart(rows)
            self._failed(error)
            return False
        self._succeeded(rows)
        return True

    async def _write_apart(self, rows: Sequence[Row]) -> bool:
        """Write each row alone, without those that no database would hold."""
        for position, row in enumerate(rows):
            self._writing = {left.serial: left for left in rows[position:]}
            try:
                await self.commit([row])
            except Exception as error:  # noqa: BLE001 (see above)
                if not is_unfit(error):
                    self._failed(error)
                    return False
                self._writing = {}
                self.health.unfit(words_of(error))
                self._release(row, written=False)
            else:
                self._succeeded([row])
        return True

    def _succeeded(self, rows: Sequence[Row]) -> None:
        self._writing = {}
        for row in rows:
            self._release(row, written=True)
        self.health.worked()
        if self.waiting <= self.limit // 2:
            self.health.emptied()

    def _failed(self, error: Exception) -> None:
        """Let the rows wait again, before all others."""
        for row in reversed(self._writing.values()):
            if self._current(row.serial) is None:
                queue = self._starts if row.ending is None else self._settled
                queue[row.serial] = row
                queue.move_to_end(row.serial, last=False)
        self._writing = {}
        self.health.failed(words_of(error), self.waiting)
        self._shed()
        for waiters in self._waiters.values():
            for _, future in waiters:
                _end(future, written=False)
        self._waiters.clear()

    def _release(self, row: Row, *, written: bool) -> None:
        """End the waits for a row that waits no longer, or for one that it replaced."""
        current = self._current(row.serial)
        for waiter in self._waiters.pop(row.serial, ()):
            if waiter[0] is current:
                self._waiters.setdefault(row.serial, []).append(waiter)
            else:
                _end(waiter[1], written=written)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _end(future: asyncio.Future[bool], *, written: bool) -> None:
    if not future.done():
        future.set_result(written)


def _popped(queue: OrderedDict[int, Row], most: int) -> list[Row]:
    return [queue.popitem(last=False)[1] for _ in range(min(most, len(queue)))]
