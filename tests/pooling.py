"""A small stand-in for the pool, for the tests of single routes: two access keys, some projects.

The access keys are ``ann`` and ``bob``, which are also the names of their owners. Each project has
one key, ``key-<project>``. What a request names goes to the project that has it on record, the rest
to the first project that is not sick. A token of Live goes up itself.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
from aiohttp import web
from cryptography.fernet import Fernet
from yarl import URL

from gemproxy.access.door import Door, Mode
from gemproxy.access.keys import AccessKeys
from gemproxy.core.errors import Exhausted, NoKey
from gemproxy.core.repair.blame import Fault
from gemproxy.exchange.account import Entry
from gemproxy.exchange.credential import Credential, ephemeral
from gemproxy.exchange.exchange import Exchange
from gemproxy.owners.binding import Binding
from gemproxy.owners.lists import PageTokens
from gemproxy.owners.registry import Registry
from gemproxy.relay.leases import Lease, OwnLease, Witness
from gemproxy.routes.parts import DOOR, POOLED, Pooled
from gemproxy.web.app import create_app
from tests.owners.in_memory import InMemory
from tests.running import settings

PEOPLE = ("ann", "bob")


@attrs.frozen(eq=False)
class PoolLease:
    """The key of one project for one attempt."""

    pool: "FakePool"
    project: str
    caller: str
    base: URL
    another: bool
    credential: Credential
    proxy: URL | None = None
    detour: bool = False

    @property
    def key(self) -> str:
        return self.project

    def answered(self) -> None:
        pass

    def witness(
        self, exchange: Exchange, status: int, headers: Mapping[str, str]
    ) -> Witness | None:
        return self.pool.binding.witness(exchange, status, headers)

    async def named(self, names: Mapping[str, float | None]) -> None:
        await self.pool.binding.record(names, self.project, self.caller)

    def over(self, entry: Entry) -> None:
        self.pool.over.append(entry)
        if entry.fault is Fault.KEY:
            self.pool.sick.add(self.project)


@attrs.define(eq=False)
class FakePool:
    """The source of keys; ``sick`` projects have none that is well, ``resting`` ones no quota.

    ``known`` are names that the projects have besides those on record. ``over`` are the attempts
    that have ended, ``bodies`` what each was asked with, ``callers`` the clients' own credentials.
    """

    projects: tuple[str, ...] = ("P", "Q", "R")
    known: dict[str, str] = attrs.field(factory=dict)
    sick: set[str] = attrs.field(factory=set)
    resting: set[str] = attrs.field(factory=set)
    over: list[Entry] = attrs.field(factory=list)
    callers: list[Credential | None] = attrs.field(factory=list)
    bodies: list[bytes | None] = attrs.field(factory=list)
    base: URL = attrs.field(factory=URL)
    binding: Binding = attrs.field(init=False)

    @binding.default
    def _binding(self) -> Binding:
        return Binding(Registry(InMemory()), self, lambda: False)

    def order(self, caller: str) -> Sequence[str]:
        return self.projects

    async def status(self, project: str, target: str) -> int | None:
        return 200 if target.endswith(f"/{self.known.get(project, '-')}") else 404

    async def put(self, caller: str, project: str, *names: str) -> None:
        """Record the maker of some names."""
        await self.binding.record(dict.fromkeys(names), project, caller)

    def at(self, base: URL) -> "FakePool":
        """Return the source for the upstream at ``base``."""
        self.base = base
        return self

    async def lease(self, exchange: Exchange, body: bytes | None) -> Lease:
        if not exchange.account.access:
            return OwnLease(self.base, exchange.caller)
        self.bodies.append(body)
        self.callers.append(exchange.caller)
        only = exchange.project or await self.binding.bind(exchange, body)
        able = [name for name in self.projects if name not in self.sick and only in (None, name)]
        if not able:
            raise NoKey("All keys are sick.")
        if able[0] in self.resting:
            raise Exhausted("All keys rest.", 7.0)
        another, access, own = only is None, exchange.account.access, exchange.caller
        credential = own if own and ephemeral(own) else Credential.api_key(f"key-{able[0]}")
        return PoolLease(self, able[0], access, self.base, another, credential)


def pooled_app(
    url: str, pool: FakePool, mode: Mode = Mode.BOTH, **sections: Mapping[str, Any]
) -> web.Application:
    """Return the application in front of ``url`` with the keys of ``pool``.

    ``sections`` override settings, section by section.
    """
    source: Callable[[URL], FakePool] = pool.at
    app = create_app(settings(url, **sections), source=source)
    app[DOOR] = Door(mode, AccessKeys.of({name: name for name in PEOPLE}))
    tokens = PageTokens(Fernet.generate_key())
    app[POOLED] = Pooled(pool.binding, tokens)
    return app
