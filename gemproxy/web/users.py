"""The composition of stored access keys: open for as long as the application has a pool."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from gemproxy.access.keys import AccessKeys
from gemproxy.access.secret import PURPOSE
from gemproxy.config.settings import Settings
from gemproxy.ledger.engine import Engines, place_of
from gemproxy.ledger.schema import prepare, unusable
from gemproxy.ledger.users import CHECK, Users
from gemproxy.metering.directory import Directory
from gemproxy.store.vault import Vault


def check_users(settings: Settings, vault: Vault) -> None:
    """Make the tables of users, and load them once. Blocks; raises Unusable.

    So what is wrong is said once, before several processes start.
    """

    async def check() -> None:
        async with _loaded(settings, vault, AccessKeys()):
            pass

    asyncio.run(check())


@contextlib.asynccontextmanager
async def open_users(
    settings: Settings, vault: Vault, keys: AccessKeys
) -> AsyncIterator[Directory]:
    """Yield what keeps ``keys`` in step with the database. Raises Unusable."""
    async with _loaded(settings, vault, keys) as directory:
        keeping = asyncio.create_task(directory.keep())
        try:
            yield directory
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)


@contextlib.asynccontextmanager
async def _loaded(settings: Settings, vault: Vault, keys: AccessKeys) -> AsyncIterator[Directory]:
    engines = Engines.of(place_of(settings.ledger.database_url, Path(settings.server.data_dir)))
    try:
        await prepare(engines)
        users, workers = Users(engines, vault.subkey(CHECK)), settings.server.workers
        directory = Directory(users, keys, vault.subkey(PURPOSE), workers)
        try:
            await directory.load()
        except (SQLAlchemyError, OSError) as error:
            raise unusable(engines.place, error) from None
        yield directory
    finally:
        await engines.close()
