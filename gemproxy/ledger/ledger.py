"""The ledger of a running process: rows go in, and are in the database soon after.

``open`` brings the tables to the newest version, joins the processes that write to the database,
and marks the rows that dead ones left unfinished. From then on nothing here raises because of the
database: what fails is tried again, and ``health`` says so.

A file that is deleted while it is open would go on to take rows that nobody will read. So each
transaction looks whether the name still leads to the open file: if it leads nowhere, the
transaction fails; if it leads to a new file, that one is opened.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Self

import attrs
from sqlalchemy.exc import SQLAlchemyError

from gemproxy.ledger.engine import Engines, Place, is_refusal, words_of
from gemproxy.ledger.health import Health
from gemproxy.ledger.lost import mark, mark_lost
from gemproxy.ledger.presence import BEAT_SECONDS, Presence, Process, Restoring
from gemproxy.ledger.row import Row
from gemproxy.ledger.rows import Rows
from gemproxy.ledger.schema import prepare, unusable
from gemproxy.ledger.writer import Writer
from gemproxy.store.database import make_private, number_of
from gemproxy.store.unusable import Unusable

COMMIT_SECONDS = 10.0
"""Seconds after which a transaction has failed."""

WRITTEN_SECONDS = 2.0
"""Seconds that a request waits for its row to be committed."""

CLOSE_SECONDS = 5.0
"""Seconds that the end of the process waits for rows to be written."""

_SWEEP_SECONDS = 60.0
_BEAT_AT_WORK = 1.0
"""Seconds between two beats while rows are written."""


@attrs.define(eq=False)
class Ledger:
    """An open ledger. ``engines`` are for reading, and for writing other tables than its own.

    ``orphans`` counts the rows of other processes that were marked as lost.
    """

    engines: Engines
    health: Health
    now: Callable[[], float]
    _rows: Rows
    _presence: Presence
    _writer: Writer = attrs.field(init=False)
    _keeper: asyncio.Task[None] | None = None
    _file: int = 0
    _swept: float = 0.0
    orphans: int = 0

    @classmethod
    async def open(
        cls, place: Place, queue: int = 10_000, now: Callable[[], float] = time.time
    ) -> Self:
        """Open the ledger at a place; make it if it is missing.

        At most ``queue`` rows wait. Raises Unusable.
        """
        engines = await open_engines(place)
        ledger = cls(
            engines,
            Health(now),
            now,
            Rows(engines.write.dialect),
            Presence.of(engines),
        )
        ledger._start(queue)
        try:
            await ledger._begin()
        except SQLAlchemyError as error:
            await ledger.close()
            raise unusable(place, error) from None
        except Restoring:
            await ledger.close()
            raise Unusable(
                place.setting,
                f"{place.words} is being restored from a backup: start again after it",
            ) from None
        return ledger

    def _start(self, queue: int) -> None:
        self._writer = Writer(self._commit, self.health, queue)
        self._file = self._number_of_file()

    async def _begin(self) -> None:
        try:
            await self._keep()
        except (SQLAlchemyError, OSError) as error:  # TimeoutError is an OSError
            if is_refusal(error):
                raise
            self.health.failed(words_of(error), 0)
        self._writer.start()
        self._keeper = asyncio.get_running_loop().create_task(self._keep_on())

    @property
    def process(self) -> int:
        """The number of this process among those that write here; 0 until it has one."""
        return self._presence.number

    @property
    def waiting(self) -> int:
        """How many rows are not written yet."""
        return self._writer.waiting

    def put(self, row: Row) -> None:
        """Have a row written; it replaces an earlier one of its serial. Never waits or raises."""
        self._writer.put(row)

    async def written(self, serial: int) -> bool:
        """Wait a moment until what was put is committed; return whether it is."""
        return await self._writer.written(serial, WRITTEN_SECONDS)

    async def flush(self, seconds: float = CLOSE_SECONDS) -> bool:
        """Wait until all that waits is written, for some seconds; return whether it is."""
        return await self._writer.flush(seconds)

    async def close(self) -> None:
        """Write what waits, as far as that is possible in a few seconds, and close the database."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})
        await self._writer.close(CLOSE_SECONDS)
        if self._presence.number and self.health.failing_since is None:
            with contextlib.suppress(SQLAlchemyError, OSError, TimeoutError):
                await self._leave()
        await self._presence.drop()
        await self.engines.close()

    async def _leave(self) -> None:
        moment = int(self.now() * 1000)
        own = Process(self._presence.number, "", 0, moment)
        async with asyncio.timeout(COMMIT_SECONDS), self.engines.writing() as connection:
            await mark(connection, own, self._rows, self.now())
            await self._presence.leave(connection)

    async def _commit(self, rows: Sequence[Row]) -> None:
        async with asyncio.timeout(COMMIT_SECONDS):
            await self._be_ready()
            now = self.now()
            async with self.engines.writing() as connection:
                names = await self._rows.put(connection, self.process, rows, now)
                if now - self._presence.beaten >= _BEAT_AT_WORK:
                    await self._presence.beat(connection, now)
            self._rows.learn(names)

    async def _be_ready(self) -> None:
        """Open a new file, and join, where that is to be done."""
        number = self._number_of_file()
        if number != self._file:
            if not number:
                raise FileNotFoundError(None, "the file is gone")
            await self.engines.close()
            await self._presence.drop()
            self._rows.forget()
            await prepare(self.engines)
            self._file = number
        if not self.process:
            await self._join()

    async def _join(self) -> None:
        try:
            async with self.engines.writing() as connection:
                number = await self._presence.join(connection, self.now())
        except BaseException:
            await self._presence.drop()
            raise
        self._presence.number = number

    async def _keep_on(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                await self._keep()
            except Exception as error:  # noqa: BLE001 (whatever fails, it must go on)
                self.health.failed(words_of(error), self.waiting)
            else:
                if not self.waiting:  # nothing else would say that it works again
                    self.health.worked()

    async def _keep(self) -> None:
        """Note that this process lives, and now and then mark the rows of those that do not."""
        now, marked = self.now(), 0
        async with asyncio.timeout(COMMIT_SECONDS):
            await self._be_ready()
            await self._presence.proofs.keep()
            async with self.engines.writing() as connection:
                await self._presence.beat(connection, now)
                if now - self._swept >= _SWEEP_SECONDS:
                    marked = await mark_lost(connection, self._presence, self._rows, now)
                    self._swept = now
        self.orphans += marked

    def _number_of_file(self) -> int:
        file = self.engines.place.file
        return number_of(file) if file is not None else 1


async def open_engines(place: Place) -> Engines:
    """Return the engines of a database whose tables have the newest version.

    Raises Unusable.
    """
    if place.file is not None:
        try:
            place.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            make_private(place.file)
        except OSError as error:
            words = f"{place.words} cannot be made: {error.strerror}"
            raise Unusable(place.setting, words) from None
    engines = Engines.of(place)
    try:
        await prepare(engines)
    except BaseException:
        await engines.close()
        raise
    return engines
