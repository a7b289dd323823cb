"""Looks at the database of the ledger without changing anything: no table is made or migrated."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import attrs
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from gemproxy.accounts.user import User
from gemproxy.ledger.engine import Engines, Place, place_of
from gemproxy.ledger.schema import NEWEST, Foreign, Newer, refusal, unusable, version_of
from gemproxy.ledger.settings import values_in
from gemproxy.ledger.tables import USERS
from gemproxy.ledger.users import entries_where
from gemproxy.store.peeking import parameters


@attrs.frozen
class Sight:
    """What is in the database: the version of its tables, empty if there are none yet.

    ``exists`` says whether there is a file; of PostgreSQL it is true. ``users`` are those
    whose keys are not revoked, None if the tables are older. ``settings`` are the values that were
    set while a proxy ran, by path.
    """

    place: Place
    exists: bool
    version: str = ""
    users: Sequence[User] | None = ()
    settings: Mapping[str, object] = attrs.field(factory=dict, repr=False)

    @property
    def older(self) -> bool:
        """Whether the next start brings the tables to a newer version."""
        return bool(self.version) and self.version < NEWEST


async def look(database_url: str, data_dir: Path) -> Sight:
    """Return what is in the database. Raises Unusable with the words of a start."""
    place = place_of(database_url, data_dir)
    if place.file is not None and not place.file.exists():
        return Sight(place, exists=False)
    try:
        engines = Engines.of(_reading(place))
        try:
            version = await version_of(engines)
            users = await _users(engines) if version == NEWEST else () if not version else None
            settings = await _settings(engines) if version == NEWEST else {}
        finally:
            await engines.close()
    except (Newer, Foreign) as error:
        raise refusal(place, error) from None
    except (SQLAlchemyError, OSError) as error:
        raise unusable(place, error) from None
    return Sight(place, exists=True, version=version, users=users, settings=settings)


def _reading(place: Place) -> Place:
    if place.file is None:
        return place
    database = f"file:{quote(str(place.file.absolute()))}"
    query = {**parameters(place.file), "uri": "true"}
    return attrs.evolve(place, url=URL.create("sqlite+aiosqlite", database=database, query=query))


async def _users(engines: Engines) -> Sequence[User]:
    async with engines.reading() as connection:
        return [entry.user for entry in await entries_where(connection, USERS.c.revoked.is_(None))]


async def _settings(engines: Engines) -> Mapping[str, object]:
    async with engines.reading() as connection:
        return await values_in(connection)
