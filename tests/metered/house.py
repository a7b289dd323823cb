"""A proxy in pool mode with stored users and a ledger, in front of the fake Gemini.

Users are stored as the command stores them, so a test has their keys and the proxy their hashes.
"""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

import attrs

from gemproxy.access.secret import PURPOSE, hashed, new_id, new_key
from gemproxy.accounts.calendar import Calendar
from gemproxy.accounts.user import Kind, Limit, User
from gemproxy.chaos.server import Outcome, Served
from gemproxy.ledger.engine import place_of
from gemproxy.ledger.ledger import Ledger, open_engines
from gemproxy.ledger.queries import Queries
from gemproxy.ledger.row import Row
from gemproxy.ledger.users import CHECK, Users
from gemproxy.metering.accountant import Accountant
from gemproxy.routes.parts import METER
from gemproxy.store.vault import Vault
from tests.pooled.house import House
from tests.running import PATIENCE, Proxy


def _vault(data: Path) -> Vault:
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Vault.open(data)


async def store(data: Path, users: Mapping[str, User], url: str = "") -> dict[str, str]:
    """Store users in a data directory, or the database ``url``; return the key of each name."""
    vault = _vault(data)
    engines = await open_engines(place_of(url, data))
    try:
        table = Users(engines, vault.subkey(CHECK))
        keys: dict[str, str] = {}
        for name, user in users.items():
            public = new_id()
            key = keys[name] = new_key(public)
            made = attrs.evolve(user, id=public, name=name)
            await table.add(made, hashed(key, vault.subkey(PURPOSE)), time.time())
        return keys
    finally:
        await engines.close()


def limited(*limits: Limit, models: tuple[str, ...] = (), **amounts: int) -> User:
    """Return what a user may use; ``amounts`` are limits by their kind: ``rpm=50``."""
    given = tuple(Limit(Kind(kind), amount) for kind, amount in amounts.items())
    return User("", "", (*given, *limits), models)


def meter_of(proxy: Proxy) -> Accountant:
    """Return the meter of a proxy that has one."""
    meter = proxy.app[METER]
    assert isinstance(meter, Accountant)
    return meter


async def rows_of(proxy: Proxy) -> list[Row]:
    """Return the rows of all requests, oldest first, once all are settled and written."""
    meter = meter_of(proxy)
    async with asyncio.timeout(PATIENCE):
        while meter.running:  # noqa: ASYNC110 (nobody announces the end of a handler)
            await asyncio.sleep(0.005)
    assert await ledger_of(proxy).flush()
    return list(reversed(await queries_of(proxy).requests(1000)))


def ledger_of(proxy: Proxy) -> Ledger:
    """Return the ledger of a proxy that has one."""
    ledger = meter_of(proxy).ledger
    assert isinstance(ledger, Ledger)
    return ledger


def queries_of(proxy: Proxy) -> Queries:
    """Return what reads the ledger of a proxy."""
    return Queries(ledger_of(proxy).engines, Calendar())


class Attempts(list[Served]):
    """The attempts at the fake; ``most`` is how many were answered at once."""

    most = 0

    def append(self, served: Served) -> None:
        """Take an attempt that begins."""
        super().append(served)
        self.most = max(self.most, sum(one.outcome is Outcome.RUNNING for one in self))


@attrs.frozen
class MeteredHouse(House):
    """The proxy, the fake behind it, and the access keys of its users by name."""

    people: Mapping[str, str] = attrs.field(factory=dict, repr=False)

    @property
    def meter(self) -> Accountant:
        """The meter of the proxy."""
        return meter_of(self.proxy)

    @property
    def most_at_once(self) -> int:
        """How many generations the fake answered at once."""
        assert isinstance(self.fake.attempts, Attempts)
        return self.fake.attempts.most

    async def rows(self) -> list[Row]:
        """Return the rows of all requests, oldest first, once all are settled and written."""
        return await rows_of(self.proxy)
