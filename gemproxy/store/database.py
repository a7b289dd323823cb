"""The file ``pool.sqlite``: one connection that writes and one that reads, each in its own thread.

In WAL mode a reader never waits for a writer, so a lookup is not held up by a disk that is slow to
sync or by another program that holds the lock. Every write is one transaction that begins with its
lock (BEGIN IMMEDIATE): a deferred one fails at once, whatever its timeout, when another process
wrote after its first read. The driver's own BEGIN is off. A commit is synced, so it survives a
power failure.

A file that is deleted while it is open would go on to take writes that nobody will read. So each
job looks whether the name still leads to the open file: if it leads nowhere, writes fail; if it
leads to a new file, that one is opened.
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import attrs

from gemproxy.store.health import Health
from gemproxy.store.schema import STEPS, Foreign, Newer, steps_taken, take_steps
from gemproxy.store.unusable import DATA_DIR, Unusable

FILE = "pool.sqlite"

BUSY_SECONDS = 2.0
"""Seconds that a write waits for the lock of another process."""

_WAL_BYTES = 16 << 20

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], T]


@attrs.define(eq=False)
class _Hand:
    """A connection, and the thread that uses it."""

    _path: Path
    _thread: ThreadPoolExecutor = attrs.field(init=False)
    _connection: sqlite3.Connection | None = None
    _file: int = 0

    @_thread.default
    def _start_thread(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(1, thread_name_prefix="gemproxy-store")

    def do(self, job: Callable[[sqlite3.Connection, int], T]) -> Future[T]:
        """Run ``job`` with the connection and the number of its file, after all earlier jobs."""
        return self._thread.submit(lambda: job(*self._current()))

    def _current(self) -> tuple[sqlite3.Connection, int]:
        file = number_of(self._path)
        if not file and self._connection is None:
            raise _gone()
        if self._connection is None or file not in {0, self._file}:
            self._disconnect()
            self._connection = _connect(self._path)
            self._file = number_of(self._path)
        return self._connection, file

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        """Close the connection when all jobs are done; returns when it is closed."""
        self._thread.submit(self._disconnect).result()
        self._thread.shutdown()


@attrs.define(eq=False)
class Database:
    """The database of a data directory; a job is a function that gets the connection."""

    path: Path
    reading: Health = attrs.field(factory=lambda: Health("reading"))
    writing: Health = attrs.field(factory=lambda: Health("writing"))
    _reader: _Hand = attrs.field(init=False)
    _writer: _Hand = attrs.field(init=False)

    @_reader.default
    def _make_reader(self) -> _Hand:
        return _Hand(self.path)

    @_writer.default
    def _make_writer(self) -> _Hand:
        return _Hand(self.path)

    @classmethod
    def open(cls, folder: Path) -> "Database":
        """Open the database in ``folder``; make both if they are missing. Raises Unusable."""
        path = folder / FILE
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            make_private(path)
        except OSError as error:
            raise Unusable(DATA_DIR, f"'{path}' cannot be made: {error.strerror}") from None
        database = cls(path)
        try:
            with understood(path):
                database._writer.do(lambda connection, _: _try_write(connection)).result()
                database._reader.do(lambda _, __: None).result()
        except Unusable:
            database.close()
            raise
        return database

    def read(self, job: Job[T]) -> "Future[T]":
        """Run a job that only reads. The future may raise sqlite3.Error."""
        return self._reader.do(lambda connection, _: job(connection))

    def write(self, job: Job[T]) -> "Future[T]":
        """Run a job in a transaction. The future may raise sqlite3.Error; then nothing changed."""

        def run(connection: sqlite3.Connection, file: int) -> T:
            if not file:
                raise _gone()
            return _in_transaction(connection, job)

        return self._writer.do(run)

    def version(self) -> "Future[tuple[int, int]]":
        """Return the number of the file, and one that grows with each commit to it."""

        def run(connection: sqlite3.Connection, _: int) -> tuple[int, int]:
            (version,) = connection.execute("PRAGMA data_version").fetchone()
            return self._reader._file, version  # noqa: SLF001 (a part of this module)

        return self._reader.do(run)

    def close(self) -> None:
        """Close it; returns when all that was asked for is done."""
        self._reader.close()
        self._writer.close()


@contextlib.contextmanager
def understood(path: Path) -> Iterator[None]:
    """Raise Unusable for the errors of a database that cannot be used."""
    try:
        yield
    except Newer as error:
        theirs, ours = error.args
        raise Unusable(
            DATA_DIR,
            f"'{path}' was written by a newer gemproxy (schema {theirs}, this one knows {ours}): "
            "install that version, or use another directory",
        ) from None
    except Foreign:
        raise Unusable(DATA_DIR, f"'{path}' is a database of another program") from None
    except sqlite3.OperationalError as error:
        raise Unusable(DATA_DIR, f"'{path}' cannot be used: {error}") from None
    except sqlite3.DatabaseError as error:
        raise Unusable(
            DATA_DIR, f"'{path}' is damaged ({error}): put a backup back, or move it away"
        ) from None


def _gone() -> sqlite3.OperationalError:
    return sqlite3.OperationalError("the file is gone")


def make_private(path: Path) -> None:
    """Make the file, or take its permissions from others; SQLite gives its own to its other files.

    A file that exists is not opened: closing it would free the locks that SQLite holds on it in
    this process.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)


def number_of(path: Path) -> int:
    """Return the number of the file at ``path``; 0 if there is none."""
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def _connect(path: Path) -> sqlite3.Connection:
    """Return a connection to a database of the newest version; raise sqlite3.Error."""
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        _use_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
        if steps_taken(connection) < len(STEPS):
            _in_transaction(connection, take_steps)
    except BaseException:
        connection.close()
        raise
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL; SQLite does not wait where two connections do so at once."""
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return


def _in_transaction(connection: sqlite3.Connection, job: Job[T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        done = job(connection)
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # the first error is the one to tell
            connection.execute("ROLLBACK")
        raise
    return done


def _try_write(connection: sqlite3.Connection) -> None:
    """Raise sqlite3.Error if the database cannot be written; another's lock is no reason."""
    try:
        _in_transaction(connection, lambda _: None)
    except sqlite3.OperationalError as error:
        if not _is_busy(error):
            raise


def _is_busy(error: sqlite3.Error) -> bool:
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY  # the rest says why
