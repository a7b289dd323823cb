"""The ledger's database: what is in it, and its backup, check and cleanup, as by ``gemproxy db``.

The work runs beside the streams: SQLite in threads, PostgreSQL over sockets, deletions in short
transactions with rests between them. A worker does one such work at a time. Work that has begun
goes on, and is noted in the audit log, when who asked for it is gone.

A backup is a new file in the directory ``backups`` of ``server.data_dir``. Its name is made here;
a caller can name no path.
"""

import asyncio
import datetime as dt
import secrets
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import attrs
import msgspec
from sqlalchemy.exc import SQLAlchemyError

from gemproxy.accounts.calendar import Calendar
from gemproxy.admin.audit import note
from gemproxy.admin.route import Call, Form, Nothing, Route, says
from gemproxy.admin.streams import Workers, workers_of
from gemproxy.core.errors import Busy, Conflict, Unrouted
from gemproxy.ledger.backup import Refused, back_up
from gemproxy.ledger.check import check as checked
from gemproxy.ledger.cleanup import Cleanup
from gemproxy.ledger.contents import Contents, contents_of
from gemproxy.ledger.engine import words_of
from gemproxy.ledger.ledger import Ledger
from gemproxy.ledger.schema import Foreign, Newer, refusal
from gemproxy.ledger.upkeep import clean_up
from gemproxy.store.unusable import Unusable

STATE = "ledger"
"""The question to the other workers, by path."""

LOOK_SECONDS = 10.0
"""Seconds that the database has to say what is in it."""

_MOST_DAYS = 100_000
_PRIVATE = 0o700
_NO_LEDGER = (
    "This proxy keeps no ledger, and so no database: set ledger.enabled to true and start it again."
)
_BUSY = "A backup, a check or a cleanup runs in this worker: ask again when it has ended."

T = TypeVar("T")


class LedgerWriter(Form, frozen=True):
    """One worker's rows for the ledger on their way to the database."""

    worker: Annotated[int, says("The number of the worker")]
    waiting: Annotated[int, says("Rows that are not written yet")]
    failing_since: Annotated[dt.datetime | None, says("Since when writing fails; null: it works")]
    why: Annotated[str, says("What fails, empty while writing works")]
    lost: Annotated[int, says("Rows of ended requests that were dropped since the start")]
    unbegun: Annotated[int, says("Rows of running requests that were dropped since the start")]


class DatabaseContents(Form, frozen=True):
    """What is in the database."""

    schema: Annotated[str, says("The version of the tables")]
    server: Annotated[str, says("The version of SQLite or PostgreSQL")]
    bytes: Annotated[int, says("The size of SQLite's files, or of our tables in PostgreSQL")]
    requests: Annotated[int, says("Requests whose rows are kept")]
    running: Annotated[int, says("Those of them that have no ending yet")]
    attempts: Annotated[int, says("Attempts of requests that took several")]
    rollups: Annotated[int, says("Sums of hours, days and months")]
    audit: Annotated[int, says("Entries of the audit log")]
    oldest: Annotated[dt.datetime | None, says("When the oldest request that is kept began")]
    newest: Annotated[dt.datetime | None, says("When the newest request began")]
    summed_until: Annotated[dt.datetime | None, says("Requests before this time are summed up")]
    kept_since: Annotated[
        dt.datetime | None, says("Rows from before this time were deleted; null: none was")
    ]


class DatabaseState(Form, frozen=True):
    """The ledger's database, and whether it works."""

    kind: Annotated[str, says("sqlite or postgresql")]
    file: Annotated[str | None, says("The file of SQLite")]
    host: Annotated[str | None, says("The host of PostgreSQL; empty for the local socket")]
    port: Annotated[int | None, says("The port of PostgreSQL, if it is not the usual one")]
    name: Annotated[str | None, says("The name of the database in PostgreSQL")]
    ok: Annotated[bool, says("Whether it can be read, and every worker can write to it")]
    problem: Annotated[str, says("Why it cannot be read, empty if it can")]
    contents: Annotated[DatabaseContents | None, says("Null if it cannot be read")]
    waiting: Annotated[int, says("Rows that are not written yet, of all workers")]
    lost: Annotated[int, says("Rows of ended requests that were dropped, of all workers")]
    writers: Annotated[list[LedgerWriter], says("The workers that answered")]
    workers: Annotated[Workers, says("How many other workers were asked, and answered")]


class DatabaseBackup(Form, frozen=True):
    """A backup that was written: a file of SQLite for ``gemproxy db restore``."""

    name: Annotated[str, says("The name of the file in the directory backups of server.data_dir")]
    bytes: Annotated[int, says("Its size")]
    requests: Annotated[int, says("How many requests are in it")]


class BackupFile(Form, frozen=True):
    """A backup that is there."""

    name: Annotated[str, says("The name of the file in the directory backups of server.data_dir")]
    bytes: Annotated[int, says("Its size")]
    made: Annotated[dt.datetime, says("When it was written")]


class BackupList(Form, frozen=True):
    """The backups that are there."""

    directory: Annotated[str, says("The directory on the machine of the proxy")]
    backups: Annotated[list[BackupFile], says("The backups, newest first")]


class DatabaseCheck(Form, frozen=True):
    """What a check found. The counts are null if the file is damaged."""

    ok: Annotated[bool, says("Whether there is no problem")]
    schema: Annotated[str, says("The version of the tables")]
    problems: Annotated[list[str], says("What is wrong, for people")]
    requests: Annotated[int | None, says("Requests whose rows are kept")]
    unfinished: Annotated[int | None, says("Those of them that have no ending yet")]
    hours: Annotated[int | None, says("Hours whose sums were compared with their requests")]


class CleanupOrder(Form, frozen=True):
    """What a cleanup deletes."""

    days: Annotated[
        int,
        msgspec.Meta(ge=0, le=_MOST_DAYS, description="Days of requests that stay; 0: none stays"),
    ]


class CleanupQuery(Form, frozen=True):
    """Which cleanup is asked about."""

    days: Annotated[
        int,
        msgspec.Meta(ge=0, le=_MOST_DAYS, description="Days of requests that would stay; 0: none"),
    ]


class CleanupForecast(Form, frozen=True):
    """What a cleanup would delete now."""

    days: Annotated[int, says("Days of requests that would stay")]
    requests: Annotated[int, says("Requests whose rows would be deleted; their sums stay")]


class DatabaseCleanup(Form, frozen=True):
    """What a cleanup deleted. The sums of the deleted requests stay."""

    deleted: Annotated[int, says("Requests whose rows were deleted")]
    kept_since: Annotated[
        dt.datetime | None, says("Rows from before this time are deleted; null: none is")
    ]


@attrs.define(eq=False)
class Database:
    """The database of an open ledger, for worker ``number``.

    ``folder`` is for backups, ``now`` gives the Unix time.
    """

    ledger: Ledger
    calendar: Calendar
    folder: Path
    number: int = 0
    now: Callable[[], float] = time.time
    _work: asyncio.Task[Any] | None = None

    async def state(self, document: Any = None) -> LedgerWriter:  # noqa: ANN401 (JSON)
        """Return how this worker's rows fare."""
        del document
        health = self.ledger.health
        return LedgerWriter(
            worker=self.number,
            waiting=self.ledger.waiting,
            failing_since=_moment(health.failing_since),
            why=health.why,
            lost=health.lost,
            unbegun=health.unbegun,
        )

    async def alone(self, work: Callable[[], Coroutine[None, None, T]]) -> T:
        """Do some work to its end, also if the caller is cancelled. Raises Conflict."""
        if self._work is not None and not self._work.done():
            raise Conflict(_BUSY)
        task = self._work = asyncio.create_task(work())
        task.add_done_callback(_seen)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """End the work that runs."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)


def _seen(task: asyncio.Task[Any]) -> None:
    """Take the error of a task; the log needs no line for a caller that is gone."""
    if not task.cancelled():
        task.exception()


def database_of(call: Call[Any, Any]) -> Database:
    """Return the database. Raises Unrouted without a ledger."""
    if call.desk.database is None:
        raise Unrouted(_NO_LEDGER)
    return call.desk.database


async def database(call: Call[Nothing, Any]) -> DatabaseState:
    """Return what is in the database and whether it works. Raises Unrouted."""
    held = database_of(call)
    contents, problem = await _look(held)
    answers = await call.desk.neighbours.ask(STATE)
    writers = [await held.state()]
    writers += [msgspec.convert(answer.document, LedgerWriter) for answer in answers.answers]
    writers.sort(key=lambda one: one.worker)
    place = held.ledger.engines.place
    served = place.file is None
    return DatabaseState(
        kind="postgresql" if served else "sqlite",
        file=None if place.file is None else str(place.file),
        host=place.host if served else None,
        port=place.url.port if served else None,
        name=place.url.database if served else None,
        ok=contents is not None and all(one.failing_since is None for one in writers),
        problem=problem,
        contents=None if contents is None else _shown(contents),
        waiting=sum(one.waiting for one in writers),
        lost=sum(one.lost for one in writers),
        writers=writers,
        workers=workers_of(answers),
    )


async def _look(held: Database) -> tuple[Contents | None, str]:
    """Return what is in the database, or why it cannot be read."""
    engines = held.ledger.engines
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            return await contents_of(engines), ""
    except (Newer, Foreign) as error:
        return None, str(refusal(engines.place, error))
    except (SQLAlchemyError, OSError) as error:  # TimeoutError is an OSError
        return None, words_of(error)


def _shown(contents: Contents) -> DatabaseContents:
    return DatabaseContents(
        schema=contents.schema,
        server=contents.server,
        bytes=contents.bytes,
        requests=contents.requests,
        running=contents.running,
        attempts=contents.attempts,
        rollups=contents.rollups,
        audit=contents.audit,
        oldest=_moment(contents.oldest),
        newest=_moment(contents.newest),
        summed_until=_moment(contents.folded),
        kept_since=_moment(contents.pruned),
    )


async def backup(call: Call[Any, Nothing]) -> DatabaseBackup:
    """Write a backup to a new file. Raises Unrouted, Conflict."""
    held = database_of(call)
    return await held.alone(lambda: _backup(call, held))


async def _backup(call: Call[Any, Any], held: Database) -> DatabaseBackup:
    moment = dt.datetime.fromtimestamp(held.now(), dt.UTC)
    name = f"ledger-{moment:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}.sqlite"
    file = held.folder / name
    try:
        await asyncio.to_thread(_make, held.folder)
        requests = await back_up(held.ledger.engines.place, file)
        size = (await asyncio.to_thread(file.stat)).st_size
    except (Refused, Unusable) as error:
        raise Conflict(f"No backup can be made: {error}.") from None
    except OSError as error:
        raise Conflict(f"No backup can be made in {held.folder}: {words_of(error)}.") from None
    await note(call, "database.backup", name, {"bytes": size, "requests": requests})
    return DatabaseBackup(name=name, bytes=size, requests=requests)


def _make(folder: Path) -> None:
    folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)


async def backups(call: Call[Any, Any]) -> BackupList:
    """Return the backups that are there. Raises Unrouted, Busy."""
    held = database_of(call)
    try:
        found = await asyncio.to_thread(_files, held.folder)
    except OSError as error:
        raise _failed(error) from None
    return BackupList(directory=str(held.folder), backups=found)


def _files(folder: Path) -> list[BackupFile]:
    stats = [(file.name, file.stat()) for file in folder.glob("ledger-*.sqlite") if file.is_file()]
    stats.sort(key=lambda pair: (pair[1].st_mtime, pair[0]), reverse=True)
    return [
        BackupFile(
            name=name, bytes=stat.st_size, made=dt.datetime.fromtimestamp(stat.st_mtime, dt.UTC)
        )
        for name, stat in stats
    ]


async def check(call: Call[Any, Nothing]) -> DatabaseCheck:
    """Check the database; all of it is read. Raises Unrouted, Conflict, Busy."""
    held = database_of(call)
    return await held.alone(lambda: _check(held))


async def _check(held: Database) -> DatabaseCheck:
    try:
        report = await checked(held.ledger.engines)
    except (SQLAlchemyError, OSError) as error:
        raise _failed(error) from None
    return DatabaseCheck(
        ok=not report.problems,
        schema=report.schema,
        problems=list(report.problems),
        requests=report.requests,
        unfinished=report.unfinished,
        hours=report.hours,
    )


async def forecast(call: Call[CleanupQuery, Any]) -> CleanupForecast:
    """Return what a cleanup would delete now. Raises Unrouted, Busy."""
    held, days = database_of(call), call.query.days
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            requests = await Cleanup(held.ledger.engines).count(held.now(), days)
    except (SQLAlchemyError, OSError) as error:
        raise _failed(error) from None
    return CleanupForecast(days=days, requests=requests)


async def cleanup(call: Call[Any, CleanupOrder]) -> DatabaseCleanup:
    """Delete the rows of old requests. Raises Unrouted, Conflict, Busy."""
    held = database_of(call)
    return await held.alone(lambda: _cleanup(call, held))


async def _cleanup(call: Call[Any, CleanupOrder], held: Database) -> DatabaseCleanup:
    days = call.body.days
    try:
        cleaned = await clean_up(held.ledger.engines, held.calendar, held.now(), days)
    except (SQLAlchemyError, OSError) as error:
        # Some rows may be gone by now.
        await note(call, "database.cleanup", "", {"days": days, "failed": words_of(error)})
        raise _failed(error) from None
    await note(call, "database.cleanup", "", {"days": days, "deleted": cleaned.deleted})
    kept_since = _moment(cleaned.kept_since or None)
    return DatabaseCleanup(deleted=cleaned.deleted, kept_since=kept_since)


def _failed(error: Exception) -> Busy:
    return Busy(f"The database fails: {words_of(error)}.")


def _moment(unix: float | None) -> dt.datetime | None:
    return None if unix is None else _at(unix)


def _at(unix: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(unix, dt.UTC)


ROUTES = (
    Route(
        "GET",
        "/database",
        database,
        "Show the ledger's database: where it is, what is in it, and whether it works.",
        DatabaseState,
        tag="database",
    ),
    Route(
        "POST",
        "/database/backup",
        backup,
        "Write a backup to a new file in the directory backups of server.data_dir.",
        DatabaseBackup,
        tag="database",
    ),
    Route(
        "GET",
        "/database/backups",
        backups,
        "List the backups in the directory backups of server.data_dir.",
        BackupList,
        tag="database",
    ),
    Route(
        "POST",
        "/database/check",
        check,
        "See whether the database is sound, and its sums those of its requests.",
        DatabaseCheck,
        tag="database",
    ),
    Route(
        "GET",
        "/database/cleanup",
        forecast,
        "Say how many requests a cleanup would delete.",
        CleanupForecast,
        query=CleanupQuery,
        tag="database",
    ),
    Route(
        "POST",
        "/database/cleanup",
        cleanup,
        "Delete the requests that are older than some days; their sums stay.",
        DatabaseCleanup,
        body=CleanupOrder,
        tag="database",
    ),
)
