"""Reads a database of SQLite without changing anything, not even the files beside it.

A usual connection to a database in WAL mode makes the files ``-wal`` and ``-shm`` and removes them
at its end. So a database without a log is read as one that nobody writes (``immutable``). Where
there is a log, a process has the database open, or died with it; it is read with the log, and the
index of the log (``-shm``) stays as it is (``readonly_shm``, a parameter of SQLite's os_unix.c).
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, urlencode

from gemproxy.pool.key import Key
from gemproxy.store import keyring, learnt
from gemproxy.store.database import FILE, understood
from gemproxy.store.keyring import Keyring, any_sealed
from gemproxy.store.schema import STEPS, steps_taken
from gemproxy.store.vault import Vault


def parameters(file: Path) -> Mapping[str, str]:
    """Return the parameters of the URI by which SQLite reads ``file`` and changes nothing."""
    log = Path(f"{file}-wal")
    if log.exists() and log.stat().st_size:
        return {"mode": "ro", "readonly_shm": "1"}
    return {"mode": "ro", "immutable": "1"}


@contextlib.contextmanager
def peeking(file: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection that reads ``file``, which exists. Raises Unusable, also for the caller's
    errors of SQLite.
    """  # noqa: D205 - one sentence
    with understood(file):
        uri = f"file:{quote(str(file.absolute()))}?{urlencode(parameters(file))}"
        connection = sqlite3.connect(uri, uri=True)
        try:
            yield connection
        finally:
            connection.close()


def peek_at_projects(folder: Path) -> frozenset[str]:
    """Return the projects of the keys in a data directory, which need not exist. Blocks.

    Raises Unusable.
    """
    if not (folder / FILE).exists():
        return frozenset()
    with peeking(folder / FILE) as connection:
        return keyring.projects(connection) if steps_taken(connection) else frozenset()


def peek_at_disabled(folder: Path) -> frozenset[str]:
    """Return the fingerprints of the keys that are disabled. Blocks; raises Unusable.

    An earlier version's database, which has not been opened by this one, has none.
    """
    if not (folder / FILE).exists():
        return frozenset()
    with peeking(folder / FILE) as connection:
        known = steps_taken(connection) == len(STEPS)
        return learnt.disabled(connection) if known else frozenset()


def peek_at_keys(folder: Path, secret_key: str) -> tuple[list[Key], int]:
    """Return the keys in a data directory, and the number of damaged ones. Blocks.

    Raises Unusable, also if the keys were encrypted with another secret.
    """
    if not (folder / FILE).exists():
        return [], 0
    with peeking(folder / FILE) as connection:
        if not steps_taken(connection) or not any_sealed(connection):
            return [], 0
        ring = Keyring(Vault.open(folder, secret_key, make=False))
        ring.check(connection, folder)
        keys = ring.keys(connection)
        (all_,) = connection.execute("SELECT count(*) FROM keys").fetchone()
        return keys, all_ - len(keys)
