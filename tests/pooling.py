"""A small stand-in for the pool, for the tests of single routes: two access keys, some projects.

A client's ``x-goog-api-key`` is its access key, ``ann`` or ``bob``. Each project has one key,
``key-<project>``. What a body or a path names goes to the project that has it on record, the rest
to the first project that is not sick.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import attrs
from aiohttp import web
from aiohttp.typedefs import Handler
from cryptography.fernet import Fernet
from yarl import URL

from gemproxy.core.errors import Exhausted, NoKey
from gemproxy.core.repair.blame import Fault
from gemproxy.exchange.account import Entry
from gemproxy.exchange.credential import Credential
from gemproxy.exchange.exchange import Exchange
from gemproxy.owners.lists import PageTokens
from gemproxy.owners.owner import Owner
from gemproxy.routes.parts import EXCHANGE, POOLED, Pooled
from gemproxy.web.app import create_app
from tests.running import settings

PEOPLE = ("ann", "bob")


@attrs.define(eq=False)
class Owners:
    """The record of owners, in memory."""

    known: dict[str, Owner] = attrs.field(factory=dict)

    def put(self, caller: str, project: str, *names: str) -> None:
        """Record the maker of some names."""
        self.known |= {name: Owner(name, project, caller, 1e12) for name in names}

    async def find(self, names: Collection[str]) -> Sequence[Owner]:
        return [self.known[name] for name in names if name in self.known]

    async def add(self, owners: Iterable[Owner]) -> None:
        self.known |= {owner.name: owner for owner in owners}

    async def forget(self, names: Iterable[str]) -> None:
        for name in names:
            self.known.pop(name, None)

    async def made_by(self, caller: str, collection: str) -> Sequence[Owner]:
        of = f"{collection}/"
        return [o for o in self.known.values() if o.caller == caller and o.name.startswith(of)]


@attrs.frozen(eq=False)
class PoolLease:
    """The key of one project for one attempt."""

    pool: "FakePool"
    project: str
    caller: str
    base: URL
    another: bool
    proxy: URL | None = None
    detour: bool = False

    @property
    def key(self) -> str:
        return self.project

    @property
    def credential(self) -> Credential:
        return Credential.api_key(f"key-{self.project}")

    def answered(self) -> None:
        pass

    def witness(self, exchange: Exchange, status: int, headers: Mapping[str, str]) -> None:
        del exchange, status, headers

    async def named(self, names: Mapping[str, float | None]) -> None:
        self.pool.owners.put(self.caller, self.project, *names)

    def over(self, entry: Entry) -> None:
        self.pool.over.append(entry)
        if entry.fault is Fault.KEY:
            self.pool.sick.add(self.project)


@attrs.define(eq=False)
class FakePool:
    """The source of keys; ``sick`` projects have none that is well, ``resting`` ones no quota."""

    projects: tuple[str, ...] = ("P", "Q", "R")
    owners: Owners = attrs.field(factory=Owners)
    sick: set[str] = attrs.field(factory=set)
    resting: set[str] = attrs.field(factory=set)
    unowned: bool = False
    over: list[Entry] = attrs.field(factory=list)
    bodies: list[bytes | None] = attrs.field(factory=list)
    base: URL = attrs.field(factory=URL)

    def at(self, base: URL) -> "FakePool":
        """Return the source for the upstream at ``base``."""
        self.base = base
        return self

    async def lease(self, exchange: Exchange, body: bytes | None, *, elsewhere: bool) -> PoolLease:
        del elsewhere  # a key whose fault a refusal was is sick by now
        self.bodies.append(body)
        text = f"{exchange.path} {(body or b'').decode()}"
        names = re.findall(r"(?:files|cachedContents|interactions|sessionHandles)/[\w-]+", text)
        bound = [owner.project for owner in await self.owners.find(names)]
        only = exchange.project or next(iter(bound), None)
        able = [name for name in self.projects if name not in self.sick and only in (None, name)]
        if not able:
            raise NoKey("All keys are sick.")
        if able[0] in self.resting:
            raise Exhausted("All keys rest.", 7.0)
        another = only is None
        return PoolLease(self, able[0], exchange.account.access, self.base, another=another)


@web.middleware
async def _admit(request: web.Request, handler: Handler) -> web.StreamResponse:
    key = request.headers.get("x-goog-api-key") or request.query.get("key", "")
    if key in PEOPLE:
        request[EXCHANGE].account.access = key
    return await handler(request)


def pooled_app(url: str, pool: FakePool) -> web.Application:
    """Return the application in front of ``url`` with the keys of ``pool``."""
    source: Callable[[URL], FakePool] = pool.at
    app = create_app(settings(url), source=source)
    app.middlewares.append(_admit)
    tokens = PageTokens(Fernet.generate_key())
    app[POOLED] = Pooled(pool.owners, lambda: pool.projects, lambda: pool.unowned, tokens)
    return app
