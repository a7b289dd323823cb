"""The place that the command works on: the database of users, and what the settings say of it."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from zoneinfo import ZoneInfo

import attrs

from gemproxy.ledger.engine import Engines, place_of
from gemproxy.ledger.schema import prepare
from gemproxy.ledger.users import CHECK, Users
from gemproxy.store.store import Store
from gemproxy.store.vault import Vault


@attrs.frozen
class Site:
    """What the settings say.

    ``taken`` has the names of their access keys. ``pooled``: there is a pool that access keys open.
    """

    data_dir: Path
    secret_key: str = attrs.field(repr=False)
    database_url: str = attrs.field(repr=False)
    zone: ZoneInfo
    workers: int = 1
    taken: frozenset[str] = frozenset()
    pooled: bool = True

    @property
    def is_new(self) -> bool:
        """Whether there is no database yet; one of PostgreSQL counts as there."""
        file = place_of(self.database_url, self.data_dir).file
        return file is not None and not file.exists()

    def vault(self) -> Vault:
        """Return the vault, whose data directory is made if there is none. Blocks.

        Raises Unusable.
        """
        store = Store.open(self.data_dir, self.secret_key)
        store.database.close()
        return store.vault

    @contextlib.asynccontextmanager
    async def users(self, vault: Vault) -> AsyncIterator[Users]:
        """Open the users, whose tables are made if there are none. Raises Unusable."""
        engines = Engines.of(place_of(self.database_url, self.data_dir))
        try:
            await prepare(engines)
            yield Users(engines, vault.subkey(CHECK))
        finally:
            await engines.close()
