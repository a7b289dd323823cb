"""Which processes write to a ledger, and which of them are gone.

A process has a number in the table ``processes`` for its rows, and a *proof of life* that the
system takes away when it dies, however it dies. On SQLite that is a lock (flock) of a file beside
the database, in PostgreSQL an advisory lock of a connection that does nothing else. It also notes
the time now and then: its *beat*.

On SQLite a process without its lock is gone. In PostgreSQL a connection can be cut while its
process lives, so a process is gone only if its last beat is old too, or if it ran on this machine
and has no entry among the processes any more. A process that is held to be gone too early comes to
no harm: its rows are marked, and they are right again when it settles them.

A second lock, which all processes share, keeps ``db restore`` away.
"""

import asyncio
import contextlib
import os
import socket
from pathlib import Path
from typing import Protocol

import attrs
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from gemproxy.ledger.engine import Engines
from gemproxy.ledger.locks import Lock
from gemproxy.ledger.schema import LOCKS
from gemproxy.ledger.tables import PROCESSES

BEAT_SECONDS = 10.0
"""Seconds between two beats of a process that writes nothing."""

OLD_SECONDS = 60.0
"""Seconds after which a beat is old: several were missed."""

IN_USE = 0
"""The second number of the advisory lock that all processes share."""


_UNLOCK_SECONDS = 1.0


@attrs.frozen
class Process:
    """A process that writes, as the table has it; times are Unix milliseconds."""

    id: int
    host: str
    pid: int
    beat: int


class Restoring(Exception):
    """A backup is being restored, and until then nobody may write."""

    def __str__(self) -> str:
        return "a backup is being restored"


class Proofs(Protocol):
    """The proofs of life of a database's processes."""

    async def take(self, connection: AsyncConnection, number: int) -> None:
        """Take the proof of this process, in the transaction that makes it known."""

    async def keep(self) -> None:
        """Take it again if it was lost."""

    async def is_gone(self, connection: AsyncConnection, process: Process, now: float) -> bool:
        """Return whether another process is gone."""

    async def drop(self) -> None:
        """Give it up."""


@attrs.define(eq=False)
class LockedFiles:
    """Proofs beside a file of SQLite."""

    _file: Path
    _number: int = 0
    _shared: Lock | None = None
    _own: Lock | None = None

    async def take(self, connection: AsyncConnection, number: int) -> None:
        """Lock the file of this process. Raises Restoring."""
        del connection
        await self.drop()
        self._number = number
        with contextlib.suppress(OSError):  # a file system without locks: the beats decide
            self._shared = Lock.take(in_use(self._file), shared=True)
            if self._shared is None:
                raise Restoring
            self._own = Lock.take(_alive(self._file, number))

    async def keep(self) -> None:
        """Lock the file if that was not possible; else only the end of the process unlocks it."""
        if self._own is None and self._number:
            with contextlib.suppress(OSError):
                self._own = Lock.take(_alive(self._file, self._number))

    async def is_gone(self, connection: AsyncConnection, process: Process, now: float) -> bool:
        """Return whether nobody has the lock of a process."""
        del connection
        path = _alive(self._file, process.id)
        try:
            found = Lock.take(path)
        except OSError:  # a file system without locks
            return _is_old(process, now)
        if found is None:
            return False
        found.drop(remove=True)
        return True

    async def drop(self) -> None:
        """Unlock the files."""
        if self._own is not None:
            self._own.drop(remove=True)
        if self._shared is not None:
            self._shared.drop()
        self._own = self._shared = None


@attrs.define(eq=False)
class AdvisoryLocks:
    """Proofs in PostgreSQL: locks of a connection that does nothing else."""

    _engines: Engines
    _connection: AsyncConnection | None = None
    _number: int = 0

    async def take(self, connection: AsyncConnection, number: int) -> None:
        """Lock the number of this process. Raises Restoring."""
        del connection
        self._number = number
        await self._connect()

    async def keep(self) -> None:
        """Connect again if the connection was cut."""
        if self._connection is not None:
            try:
                await self._connection.execute(select(1))
            except (SQLAlchemyError, OSError):
                await self._connect()

    async def is_gone(self, connection: AsyncConnection, process: Process, now: float) -> bool:
        """Return whether nobody has the lock of a process that has died, or is silent."""
        free = select(func.pg_try_advisory_xact_lock(LOCKS, process.id))
        if not (await connection.execute(free)).scalar_one():
            return False
        return _is_old(process, now) or _died_here(process)

    async def drop(self) -> None:
        """Cut the connection."""
        if self._connection is not None:
            with contextlib.suppress(SQLAlchemyError, OSError, TimeoutError):
                async with asyncio.timeout(_UNLOCK_SECONDS):
                    await self._connection.execute(select(func.pg_advisory_unlock_all()))
            with contextlib.suppress(SQLAlchemyError, OSError):
                await self._connection.invalidate()
            await self._connection.close()
        self._connection = None

    async def _connect(self) -> None:
        await self.drop()
        self._connection = await self._engines.apart.connect()
        shared = select(func.pg_try_advisory_lock_shared(LOCKS, IN_USE))
        if not (await self._connection.execute(shared)).scalar_one():
            await self.drop()
            raise Restoring
        await self._connection.execute(select(func.pg_try_advisory_lock(LOCKS, self._number)))


@attrs.define(eq=False)
class Presence:
    """This process among those of a database; ``number`` is 0 until it has joined."""

    proofs: Proofs
    number: int = 0
    beaten: float = 0.0

    @classmethod
    def of(cls, engines: Engines) -> "Presence":
        """Return the presence in a database."""
        file = engines.place.file
        return cls(LockedFiles(file) if file is not None else AdvisoryLocks(engines))

    async def join(self, connection: AsyncConnection, now: float) -> int:
        """Return a number for this process, and take its proof, in the open transaction.

        The number is ours when the transaction is committed. Raises Restoring.
        """
        moment = int(now * 1000)
        values = {"host": HOST, "pid": os.getpid(), "started": moment, "beat": moment}
        added = await connection.execute(insert(PROCESSES).values(values))
        (number,) = added.inserted_primary_key or (0,)
        await self.proofs.take(connection, number)
        self.beaten = now
        return int(number)

    async def beat(self, connection: AsyncConnection, now: float) -> None:
        """Note that the process lives, in the open transaction."""
        moment = int(now * 1000)
        known = await connection.execute(
            update(PROCESSES).where(PROCESSES.c.id == self.number).values(beat=moment)
        )
        if not known.rowcount:  # another process held it to be gone
            values = {"host": HOST, "pid": os.getpid(), "started": moment, "beat": moment}
            await connection.execute(insert(PROCESSES).values(id=self.number, **values))
        self.beaten = now

    async def remove_gone(self, connection: AsyncConnection, now: float) -> list[Process]:
        """Return the processes that are gone, and forget them in the open transaction."""
        gone: list[Process] = []
        table = PROCESSES.c
        found = await connection.execute(
            select(table.id, table.host, table.pid, table.beat).where(table.id != self.number)
        )
        for row in found.all():
            process = Process(*row)
            if await self.proofs.is_gone(connection, process, now):
                gone.append(process)
                await connection.execute(delete(PROCESSES).where(table.id == process.id))
        return gone

    async def leave(self, connection: AsyncConnection) -> None:
        """Give the number back, in the open transaction."""
        await connection.execute(delete(PROCESSES).where(PROCESSES.c.id == self.number))

    async def drop(self) -> None:
        """Give up the number and its proof of life."""
        await self.proofs.drop()
        self.number = 0


def in_use(file: Path) -> Path:
    """Return the file whose lock all processes share that have a database open."""
    return file.with_name(f"{file.name}.lock")


def _alive(file: Path, number: int) -> Path:
    return file.with_name(f"{file.name}.{number}.alive")


def _is_old(process: Process, now: float) -> bool:
    return process.beat / 1000 < now - OLD_SECONDS


def _died_here(process: Process) -> bool:
    """Whether a process ran on this machine, and does no longer."""
    if process.host != HOST:
        return False
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass  # it is another user's
    return False


def _host() -> str:
    """Return a name for what numbers processes: this start of the machine, or a container in it."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


HOST = _host()
