"""The version of the tables: checked when a process starts, and brought to the newest one.

Alembic runs the migrations in one transaction, in SQLite too, so one that fails leaves everything
as it was. Of several processes that start at once one migrates and the others wait for it: for the
write lock of SQLite, for an advisory lock of PostgreSQL. Alembic is only imported where there is
something to migrate.

A database without our table of versions is new if it is empty (in PostgreSQL: if it has no table
with the name of one of ours), and otherwise that of another program.
"""

import asyncio
import contextlib
import logging
import os
from pathlib import Path

from sqlalchemy import Connection, func, inspect, select, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from gemproxy.ledger.engine import Engines, Place, is_busy, words_of
from gemproxy.ledger.tables import METADATA
from gemproxy.store.unusable import Unusable

VERSION_TABLE = "gemproxy_version"

NEWEST = "0001"
"""The version of ``tables``."""

WAIT_SECONDS = 120.0
"""Seconds that a start waits while another process migrates."""

_SCRIPTS = Path(__file__).with_name("migrations")

LOCKS = 0x6765_6D70
"""The first number of our advisory locks in PostgreSQL; the second says which."""

MIGRATING = -1

_AGAIN_SECONDS = 0.05
_PRIVATE = 0o600


class Newer(Exception):
    """The tables have a version that this code does not know; the argument is the version."""


class Foreign(Exception):
    """The tables are those of another program."""


class Failed(Exception):
    """A migration failed, and changed nothing; the argument says how."""


async def prepare(engines: Engines, scripts: Path = _SCRIPTS, newest: str = NEWEST) -> None:
    """Bring the tables to the newest version. Raises Unusable."""
    place = engines.place
    try:
        if place.file is not None:
            _make_private(place.file)
        if await version_of(engines) == newest:
            return
        async with asyncio.timeout(WAIT_SECONDS):
            await _migrate_in_turn(engines, scripts, newest)
    except (Newer, Foreign) as error:
        raise refusal(place, error, newest) from None
    except Failed as failure:
        raise Unusable(
            place.setting,
            f"{place.words} could not be brought to schema {newest} and is as it was: {failure}",
        ) from failure
    except TimeoutError:
        raise Unusable(place.setting, f"{place.words} is locked by another process") from None
    except (SQLAlchemyError, OSError) as error:
        raise unusable(place, error) from None


def _make_private(file: Path) -> None:
    """Make a file of SQLite, if it is missing, as one that only its owner reads.

    It has names and hashes of access keys. SQLite gives its other files the same mode.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _PRIVATE))


def refusal(place: Place, error: Newer | Foreign, newest: str = NEWEST) -> Unusable:
    """Return the refusal of a database whose tables are newer, or those of another program."""
    if isinstance(error, Newer):
        why = (
            f"{place.words} was written by a newer gemproxy (schema {error}, this one knows "
            f"{newest}): install that version, or use another database"
        )
        return Unusable(place.setting, why)
    return Unusable(place.setting, f"{place.words} is a database of another program")


def unusable(place: Place, error: Exception) -> Unusable:
    """Return the refusal of a database that raised an error."""
    words = words_of(error)
    if "malformed" in words or "not a database" in words:
        words = f"damaged ({words}): restore a backup, or move it away"
        return Unusable(place.setting, f"{place.words} is {words}")
    return Unusable(place.setting, f"{place.words} cannot be used: {words}")


async def version_of(engines: Engines, newest: str = NEWEST) -> str:
    """Return the version of the tables, empty for a new database. Raises Newer, Foreign."""
    async with engines.reading() as connection:
        return await connection.run_sync(_version, newest)


def _version(connection: Connection, newest: str) -> str:
    names = set(inspect(connection).get_table_names())
    if VERSION_TABLE in names:
        statement = text(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 (a constant)
        version = str(connection.execute(statement).scalar() or "")
        if version > newest or (not version and names & METADATA.tables.keys()):
            raise Newer(version) if version else Foreign
        return version
    ours = METADATA.tables.keys() if connection.dialect.name == "postgresql" else names
    if names & ours:
        raise Foreign
    return ""


async def _migrate_in_turn(engines: Engines, scripts: Path, newest: str) -> None:
    while True:
        try:
            async with engines.writing() as connection:
                await _wait_for_others(engines, connection)
                if await connection.run_sync(_version, newest) != newest:
                    await connection.run_sync(_migrate, scripts, newest)
        except DBAPIError as error:
            if not is_busy(error):
                raise
            await asyncio.sleep(_AGAIN_SECONDS)
        else:
            return


async def _wait_for_others(engines: Engines, connection: AsyncConnection) -> None:
    """Wait for the lock; the transaction of SQLite has it."""
    if not engines.is_sqlite:
        await connection.execute(select(func.pg_advisory_xact_lock(LOCKS, MIGRATING)))


def _migrate(connection: Connection, scripts: Path, newest: str) -> None:
    from alembic import command  # noqa: PLC0415 (see the docstring of this module)
    from alembic.config import Config  # noqa: PLC0415

    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of each step
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, newest)
    except Exception as error:
        raise Failed(f"{type(error).__name__}: {words_of(error)}") from error
