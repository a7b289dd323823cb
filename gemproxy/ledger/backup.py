"""Backups of a ledger: made while it is in use, restored while it is not.

A backup is a file of SQLite with the tables of the ledger, whichever database it comes from, so it
can be restored to either. It is one snapshot. A file of SQLite is copied by VACUUM INTO, which
waits for nobody and stops nobody; from PostgreSQL the rows are copied.

A restore first copies the backup beside the database, checks it and brings it to the newest tables.
Then it takes the lock that each process shares which has the ledger open: it refuses while one
does. The new file replaces the old one in one step, and in PostgreSQL all rows are replaced in one
transaction. So what goes wrong leaves the database as it was.
"""

import asyncio
import contextlib
import os
import secrets
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from gemproxy.ledger.copying import copy
from gemproxy.ledger.engine import BUSY_SECONDS, Engines, Place, in_file, words_of
from gemproxy.ledger.ledger import open_engines
from gemproxy.ledger.locks import Lock
from gemproxy.ledger.presence import IN_USE, in_use
from gemproxy.ledger.schema import LOCKS
from gemproxy.ledger.tables import METADATA
from gemproxy.store.database import make_private
from gemproxy.store.unusable import Unusable

_IN_USE = "a process has the ledger open: stop it, and restore then"


class Refused(Exception):
    """It cannot be done as things are; the message is for people."""


async def back_up(place: Place, target: Path) -> int:
    """Write a backup to a new file; return how many requests are in it.

    Raises Refused, Unusable.
    """
    if _is_there(target):
        raise Refused(f"'{target}' is there already: name a new file")
    engines = await open_existing(place)
    draft = _draft(target)
    try:
        make_private(draft)
        if place.file is not None:
            await asyncio.to_thread(_vacuum_into, place.file, draft)
        else:
            await _copy_to_file(engines, draft)
        count = await asyncio.to_thread(_checked, draft)
        await asyncio.to_thread(_put_in_place, draft, target)
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise Refused(f"the backup was not written: {words_of(error)}") from None
    finally:
        _remove(draft)
        await engines.close()
    return count


async def restore(place: Place, source: Path) -> int:
    """Replace the ledger by a backup; return how many requests are in it.

    Raises Refused, Unusable.
    """
    if not _is_there(source):
        raise Refused(f"there is no file '{source}'")
    try:
        if place.file is None:
            return await _restore_rows(place, source)
        return await _restore_file(place.file, source)
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise Refused(f"nothing was restored: {words_of(error)}") from None


async def _restore_file(file: Path, source: Path) -> int:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    real = _resolved(file)
    draft = _draft(real)
    try:
        with _locked_file(file):
            count = await _prepare(source, draft)
            await asyncio.to_thread(_replace, real, draft)
            return count
    finally:
        _remove(draft)


async def _restore_rows(place: Place, source: Path) -> int:
    with tempfile.TemporaryDirectory(prefix="gemproxy-") as folder:
        draft = Path(folder, "ledger.sqlite")
        count = await _prepare(source, draft)
        async with (
            _opened(place) as target,
            _opened(in_file(draft, "")) as copied,
            target.writing() as connection,
        ):
            lock = select(func.pg_try_advisory_xact_lock(LOCKS, IN_USE))
            if not (await connection.execute(lock)).scalar_one():
                raise Refused(_IN_USE)
            await copy(copied, target, connection)
        return count


async def open_existing(place: Place) -> Engines:
    """Return the engines of a ledger that is there. Raises Refused, Unusable."""
    if place.file is not None and not _is_there(place.file):
        raise Refused(f"there is no ledger: {place.words} does not exist")
    return await open_engines(place)


async def _prepare(source: Path, draft: Path) -> int:
    """Copy a backup to a draft with the newest tables; return how many requests it has.

    Raises Refused, SQLAlchemyError, OSError, sqlite3.OperationalError.
    """
    make_private(draft)
    try:
        await asyncio.to_thread(_vacuum_into, source, draft)
        if not await asyncio.to_thread(_is_ledger, draft):
            raise Refused(f"'{source}' is no backup of a ledger")
        async with _opened(in_file(draft, "")):
            pass  # which brings it to the newest tables
        return await asyncio.to_thread(_checked, draft)
    except Unusable as refusal:
        words = str(refusal).replace(str(draft), str(source))
        raise Refused(f"nothing was restored: {words}") from None
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        raise Refused(f"'{source}' is no backup, or damaged: {error}") from None


@contextlib.asynccontextmanager
async def _opened(place: Place) -> AsyncIterator[Engines]:
    engines = await open_engines(place)
    try:
        yield engines
    finally:
        await engines.close()


async def _copy_to_file(engines: Engines, draft: Path) -> None:
    async with _opened(in_file(draft, "")) as target, target.writing() as connection:
        await copy(engines, target, connection)


@contextlib.contextmanager
def _locked_file(file: Path) -> Iterator[None]:
    """Hold the lock that processes share. Raises Refused."""
    lock = Lock.take(in_use(file))
    if lock is None:
        raise Refused(_IN_USE)
    try:
        yield
    finally:
        lock.drop()


def _vacuum_into(source: Path, target: Path) -> None:
    with contextlib.closing(_connect(source)) as connection:
        connection.execute("VACUUM INTO ?", (str(target),))


def _is_ledger(file: Path) -> bool:
    with contextlib.closing(_connect(file)) as connection:
        found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return METADATA.tables.keys() <= {name for (name,) in found}


def _checked(draft: Path) -> int:
    """Return how many requests a backup has, whose content is on the disk and sound.

    It has no files beside it then. Raises sqlite3.DatabaseError.
    """
    with contextlib.closing(_connect(draft)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        (sound,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if sound != "ok":
            raise sqlite3.DatabaseError(sound)
        (count,) = connection.execute("SELECT count(*) FROM generations").fetchone()
    _sync(draft)
    return int(count)


def _replace(file: Path, draft: Path) -> None:
    """Put a draft in the place of a database that no process has open. Raises Refused, OSError."""
    if file.exists():
        _close_down(file)
    draft.replace(file)
    _sync(file.parent)


def _close_down(file: Path) -> None:
    """Leave a database without files beside it, or move it away if it is damaged."""
    try:
        with contextlib.closing(_connect(file)) as connection:
            (mode,) = connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.OperationalError:
        mode = "locked"
    except sqlite3.DatabaseError:
        _move_away(file)
        return
    if mode != "delete":
        raise Refused("another program has the ledger open: end it, and restore then")


def _move_away(file: Path) -> None:
    away = f"{file.name}.damaged-{secrets.token_hex(4)}"
    for ending in ("-wal", "-shm", ""):
        part = file.with_name(f"{file.name}{ending}")
        with contextlib.suppress(FileNotFoundError):
            part.rename(file.with_name(f"{away}{ending}"))


def _resolved(file: Path) -> Path:
    """Return the file that a link leads to, which is replaced and not the link."""
    return file.resolve()


def _is_there(file: Path) -> bool:
    return file.exists()


def _put_in_place(draft: Path, target: Path) -> None:
    """Name the draft ``target``. Raises OSError if that is there by now."""
    try:
        target.hardlink_to(draft)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        draft.rename(target)
    _sync(target.parent)


def _connect(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)


def _draft(target: Path) -> Path:
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}")


def _remove(draft: Path) -> None:
    for ending in ("-wal", "-shm", "-journal", ""):
        draft.with_name(f"{draft.name}{ending}").unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Have a power failure not lose a file, or a name in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
