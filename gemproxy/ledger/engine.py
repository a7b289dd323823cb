"""The way to the database of the ledger: where it is, and the engines that speak to it.

SQLite has one engine that writes and one that reads. Every transaction of the writing one begins
with its lock (BEGIN IMMEDIATE): a deferred one fails at once, whatever its timeout, when another
process wrote after its first read. The reading one is in autocommit, so no read holds a snapshot
while it waits for its caller, and it refuses to write. The driver's own BEGIN is off. WAL lets
readers and the writer go on at the same time; with synchronous NORMAL a commit survives the death
of the process, and a power failure may take the last ones.

PostgreSQL has the same two engines, with a pool each, so that slow reads never keep the writer from
its connection. A connection that the server has closed is replaced when it is taken from the pool.

The password of a database is in no error, log or repr.
"""

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote

import attrs
from sqlalchemy import event, make_url
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from gemproxy.store.unusable import DATA_DIR, Unusable

FILE = "ledger.sqlite"
DATABASE_URL = "ledger.database_url"

BUSY_SECONDS = 2.0
"""Seconds that a write on SQLite waits for the lock of another process."""

CONNECT_SECONDS = 5.0
"""Seconds that PostgreSQL has to answer to a new connection."""

READERS = 4
"""Reads that run at the same time."""

_WAL_BYTES = 64 << 20
_POSTGRES = frozenset({"postgres", "postgresql", "postgresql+asyncpg"})
_SQLITE = frozenset({"sqlite", "sqlite+aiosqlite"})
_IGNORED = frozenset({"application_name", "channel_binding", "pgbouncer"})
"""What hosts of PostgreSQL add to their URLs for other drivers."""

_OF_VALUES = (
    DataError,
    IntegrityError,
    ValueError,
    OverflowError,
    TypeError,
    LookupError,
    AttributeError,
)
_DATA = "22"
_UNFIT = frozenset({_DATA, "23"})
"""Classes of PostgreSQL's error codes: data exceptions, and violations of constraints."""

_LASTING = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOTADB,
    }
)
_NOT_ALLOWED = frozenset({"42", "25"})
"""Classes of PostgreSQL's error codes: no privilege or no table, and a read-only database."""

_KNOWN = frozenset(
    {
        "host",
        "port",
        "ssl",
        "prepared_statement_cache_size",
        "target_session_attrs",
    }
)


@attrs.frozen
class Place:
    """Where the database is.

    ``file`` is the file of SQLite, None for PostgreSQL. ``setting`` is the setting that says so.
    """

    url: URL = attrs.field(repr=False)
    file: Path | None
    setting: str

    @property
    def words(self) -> str:
        """The place for people, without its password."""
        if self.file is not None:
            return f"'{self.file}'"
        return f"database {self.url.database!r} at {self.host or 'the local socket'}"

    @property
    def host(self) -> str:
        """The host of PostgreSQL, empty for the local socket and for SQLite."""
        host = self.url.host or self.url.query.get("host") or ""
        return host if isinstance(host, str) else host[0]


def place_of(database_url: str, data_dir: Path) -> Place:
    """Return the place that the settings name: a URL, or if that is empty the data directory.

    Raises Unusable.
    """
    if not database_url.strip():
        return in_file(data_dir / FILE, DATA_DIR)
    try:
        url = make_url(database_url.strip())
    except (ArgumentError, ValueError):
        raise Unusable(DATABASE_URL, _WANTED) from None
    if url.drivername in _SQLITE:
        name = unquote(url.database or "")
        if not name or name == ":memory:" or name.startswith("file:") or url.query or url.host:
            raise Unusable(DATABASE_URL, _WANTED)
        return in_file(Path(name), DATABASE_URL)
    if url.drivername in _POSTGRES:
        return Place(_with_asyncpg(url), None, DATABASE_URL)
    raise Unusable(DATABASE_URL, _WANTED)


_WANTED = (
    "is not the URL of a database: give postgresql://USER:PASSWORD@HOST/DATABASE or "
    "sqlite:///PATH (four slashes for an absolute one)"
)


def in_file(file: Path, setting: str) -> Place:
    """Return the place in a file of SQLite."""
    return Place(URL.create("sqlite+aiosqlite", database=str(file)), file, setting)


def _with_asyncpg(url: URL) -> URL:
    """Return a URL of PostgreSQL with the driver's words for what libpq's users write."""
    query = {name: value for name, value in url.query.items() if name not in _IGNORED}
    if "sslmode" in query:
        query["ssl"] = query.pop("sslmode")
    if not query.keys() <= _KNOWN:  # a word there may be the rest of a password with a ?
        known = ", ".join(sorted(_KNOWN - {"ssl"} | {"sslmode"}))
        raise Unusable(DATABASE_URL, f"has words behind its ? that are none of {known}")
    if not url.database:
        raise Unusable(DATABASE_URL, "names no database: it is what stands behind the last /")
    return url.set(drivername="postgresql+asyncpg", query=query)


@attrs.frozen(eq=False)
class Engines:
    """The engines of a database. Raise SQLAlchemyError and OSError when it fails.

    ``apart`` makes connections that are kept for long, in autocommit.
    """

    place: Place
    write: AsyncEngine
    read: AsyncEngine
    apart: AsyncEngine

    @classmethod
    def of(cls, place: Place) -> "Engines":
        """Make the engines; nothing is connected yet. Raises Unusable without the driver."""
        make = _postgres if place.file is None else _sqlite
        try:
            write, read = make(place.url, write=True), make(place.url, write=False)
            apart = create_async_engine(
                place.url,
                hide_parameters=True,
                isolation_level="AUTOCOMMIT",
                connect_args=_CONNECTING if place.file is None else {},
                poolclass=NullPool,
            )
        except ModuleNotFoundError:
            raise Unusable(
                place.setting,
                "needs the driver of PostgreSQL: pip install 'gemproxy[postgres]'",
            ) from None
        return cls(place, write, read, apart)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite."""
        return self.place.file is not None

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that writes; it is committed at the end."""
        async with self.write.begin() as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection that reads; each statement sees what is committed by then."""
        async with self.read.connect() as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection that reads; all statements see the same state."""
        async with self.read.connect() as connection:
            begin = "BEGIN" if self.is_sqlite else _SNAPSHOT
            await connection.exec_driver_sql(begin)
            try:
                yield connection
            finally:
                with contextlib.suppress(SQLAlchemyError):  # the first error is the one to tell
                    await connection.exec_driver_sql("ROLLBACK")

    async def close(self) -> None:
        """Close all connections."""
        await self.write.dispose()
        await self.read.dispose()
        await self.apart.dispose()


_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


def is_busy(error: DBAPIError) -> bool:
    """Whether another process has the lock of SQLite."""
    code: int = getattr(error.orig, "sqlite_errorcode", 0)
    return code & 0xFF == sqlite3.SQLITE_BUSY  # the rest says why


def is_refusal(error: Exception) -> bool:
    """Whether the database refuses to be written, now and later: it is damaged, or read-only."""
    code: int = getattr(getattr(error, "orig", None), "sqlite_errorcode", 0)
    return code & 0xFF in _LASTING or _sqlstate(error)[:2] in _NOT_ALLOWED


def is_unfit(error: Exception) -> bool:
    """Whether the values of a statement are to blame, which would fail again.

    SQLAlchemy has no class of its own for what asyncpg raises, but that has a code of PostgreSQL.
    """
    if isinstance(error, Unusable):  # a ValueError, too
        return False
    return isinstance(error, _OF_VALUES) or _sqlstate(error)[:2] in _UNFIT


def _sqlstate(error: Exception) -> str:
    return str(getattr(getattr(error, "orig", None), "sqlstate", None) or "")


def words_of(error: Exception) -> str:
    """Return an error of the database in one line, without statement, values or password."""
    if _sqlstate(error).startswith(_DATA):  # the driver's words have the value
        return "a value does not fit"
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(cause, TimeoutError):
        return "it took too long"
    if isinstance(cause, SQLAlchemyError):
        return type(cause).__name__
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(cause).partition("\n")[0].rpartition(">: ")[2] or type(cause).__name__


class _Cursor(Protocol):
    def execute(self, statement: str, /) -> object: ...

    def close(self) -> object: ...


class _Driver(Protocol):
    """A connection of the driver."""

    isolation_level: str | None

    def cursor(self) -> _Cursor: ...


def _sqlite(url: URL, *, write: bool) -> AsyncEngine:
    engine = create_async_engine(
        url,
        hide_parameters=True,
        connect_args={"timeout": BUSY_SECONDS},
        pool_size=1 if write else READERS,
        max_overflow=0,
        **({} if write else {"isolation_level": "AUTOCOMMIT"}),
    )
    event.listen(engine.sync_engine, "connect", _prepare_writer if write else _prepare_reader)
    if write:
        event.listen(engine.sync_engine, "begin", _begin_with_lock)
    return engine


def _prepare_writer(connection: _Driver, _: object) -> None:
    _prepare(
        connection,
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = NORMAL",
        f"PRAGMA journal_size_limit = {_WAL_BYTES}",
    )


def _prepare_reader(connection: _Driver, _: object) -> None:
    _prepare(connection, "PRAGMA query_only = ON")


def _prepare(connection: _Driver, *statements: str) -> None:
    connection.isolation_level = None  # the driver begins nothing itself
    cursor = connection.cursor()
    for statement in statements:
        cursor.execute(statement)
    cursor.close()


def _begin_with_lock(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


_CONNECTING = {
    "timeout": CONNECT_SECONDS,
    "server_settings": {"application_name": "gemproxy"},
}


def _postgres(url: URL, *, write: bool) -> AsyncEngine:
    return create_async_engine(
        url,
        hide_parameters=True,
        connect_args=_CONNECTING,
        pool_pre_ping=True,
        pool_size=READERS,
        max_overflow=0,
        **({} if write else {"isolation_level": "AUTOCOMMIT"}),
    )
