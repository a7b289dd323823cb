"""The store of a data directory as a whole."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import attrs

from gemproxy.store import keyring
from gemproxy.store.database import FILE, Database, understood
from gemproxy.store.keyring import Keyring, any_sealed
from gemproxy.store.ownership import Ownership
from gemproxy.store.pool import PoolStore
from gemproxy.store.vault import Vault


def stored_projects(data_dir: str, secret_key: str) -> frozenset[str]:
    """Return the projects of the keys in a data directory, which need not exist. Blocks.

    Raises Unusable for one that a start would refuse.
    """
    folder = Path(data_dir)
    if not (folder / FILE).exists():
        return frozenset()
    store = Store.open(folder, secret_key)
    try:
        with understood(store.database.path):
            return store.database.read(keyring.projects).result()
    finally:
        store.database.close()


@attrs.frozen(eq=False)
class Store:
    """What outlives a restart. One process may have several; all of them see one state."""

    folder: Path
    vault: Vault
    database: Database
    ring: Keyring
    pool: PoolStore
    owners: Ownership

    @classmethod
    def open(cls, folder: Path, secret_key: str = "", now: Callable[[], float] = time.time) -> Self:
        """Open the store in ``folder``, and make it if it is missing. Blocks.

        ``secret_key`` encrypts keys; empty: the key file does, which is made. Raises Unusable.
        """
        database = Database.open(folder)
        try:
            with understood(database.path):
                sealed = database.read(any_sealed).result()
            vault = Vault.open(folder, secret_key, make=not sealed)
            ring = Keyring(vault)

            def check(connection: sqlite3.Connection) -> None:
                ring.check(connection, folder)

            with understood(database.path):
                database.read(check).result()
        except BaseException:
            database.close()
            raise
        return cls(
            folder, vault, database, ring, PoolStore(database, ring), Ownership(database, now)
        )

    async def prune(self, now: float) -> None:
        """Forget what no longer matters at ``now``; worth a call every few minutes."""
        await self.pool.prune(now)
        await self.owners.prune(now)

    async def close(self) -> None:
        """Write what waits, and close the files."""
        await self.pool.close()
        await self.owners.close()
        self.database.close()
