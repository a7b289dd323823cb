"""Leads requests of the playground to a fake Gemini each, and all others where they belong.

Only the operator's browser may ask for a fake: the request needs the session of the pages beside
its header. Without one it is refused, because it must not go up as a real request either. Its
faults touch nobody: no key of the pool is lent for it, and nothing is learnt from its outcome. In
all else it is a request like others, with a client's key, limits, repairs and a row in the ledger.

A fake lives for its request: over all attempts, and for a while after the last one, because
another one may follow. It listens on an address of this machine, and a proxy on the way out is not
asked for it.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial

import attrs
from yarl import URL

from gemproxy.chaos.server import ChaosServer
from gemproxy.core.errors import Busy, Forbidden
from gemproxy.exchange.account import Account, Entry
from gemproxy.exchange.credential import Credential
from gemproxy.exchange.exchange import Exchange
from gemproxy.playground.wish import HEADER, Wish, wish_of
from gemproxy.relay.leases import CredentialSource, Lease

MOST = 16
"""Fakes at a time."""
LINGER = 120.0
"""Seconds for which another attempt may still follow; longer than any pause between two."""

_NO_PROXY = URL()
_KEY = Credential.api_key("playground")
_NOT_YOURS = (
    f"The header {HEADER} is for the playground, and needs a browser that has signed in to the"
    " pages."
)


@attrs.define(eq=False)
class _Fake:
    """A fake that listens at ``base``; ``timer`` ends it."""

    base: URL
    listening: AsyncExitStack
    timer: asyncio.TimerHandle | None = None

    def keep(self) -> None:
        """Let it live until somebody says otherwise."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


@attrs.frozen(eq=False)
class FakeLease:
    """One attempt at a fake; ``done`` hears its outcome."""

    base: URL
    done: Callable[[Entry], None]
    key: str = ""
    credential: Credential = _KEY
    proxy: URL = _NO_PROXY
    another: bool = False
    detour: bool = False
    project: str = ""

    def answered(self) -> None:
        """Ignore it."""

    def witness(self, exchange: Exchange, status: int, headers: Mapping[str, str]) -> None:
        """Return None: a fake makes nothing that outlives it."""

    async def named(self, names: Mapping[str, float | None]) -> None:
        """Record nothing."""

    def over(self, entry: Entry) -> None:
        """End the fake, now or when no attempt has followed."""
        self.done(entry)


@attrs.define(eq=False)
class Stage:
    """The source of credentials of a proxy with a playground; other requests ask ``source``.

    ``is_operator`` says whether the headers of a request have a session of the pages.
    """

    source: CredentialSource
    is_operator: Callable[[Mapping[str, str]], bool]
    _fakes: dict[Account, _Fake] = attrs.field(factory=dict, init=False)
    _ending: set[asyncio.Task[None]] = attrs.field(factory=set, init=False)

    @property
    def fakes(self) -> int:
        """How many fakes there are."""
        return len(self._fakes)

    async def lease(self, exchange: Exchange, body: bytes | None) -> Lease:
        """Return a lease for a fake, or one of the source's.

        Raises Forbidden, BadRequest, Busy, and what the source raises.
        """
        header = exchange.headers.get(HEADER)
        if header is None:
            return await self.source.lease(exchange, body)
        if not self.is_operator(exchange.headers):
            raise Forbidden(_NOT_YOURS)
        account = exchange.account
        fake = self._fakes.get(account) or await self._begin(account, wish_of(header))
        fake.keep()
        return FakeLease(fake.base, partial(self._over, account))

    async def close(self) -> None:
        """End all fakes."""
        for account in list(self._fakes):
            self._end(account)
        await asyncio.gather(*self._ending)

    async def _begin(self, account: Account, wish: Wish) -> _Fake:
        self._make_room()
        listening = AsyncExitStack()
        server = ChaosServer(wish.script, event_delay=wish.pause, record=False)
        await listening.enter_async_context(server)
        fake = self._fakes[account] = _Fake(URL(server.url), listening)
        return fake

    def _make_room(self) -> None:
        """End the oldest fake that waits for another attempt. Raises Busy where all have one."""
        if len(self._fakes) >= MOST:
            idle = next((one for one, fake in self._fakes.items() if fake.timer), None)
            if idle is None:
                raise Busy("Too many requests of the playground run; abort one.")
            self._end(idle)

    def _over(self, account: Account, entry: Entry) -> None:
        fake = self._fakes.get(account)
        if fake is not None:
            # Whether another attempt follows one that brought no head is not known yet.
            is_last = entry.cause is None and entry.answered is not None
            wait = 0.0 if is_last else LINGER
            fake.timer = asyncio.get_running_loop().call_later(wait, self._end, account)

    def _end(self, account: Account) -> None:
        fake = self._fakes.pop(account, None)
        if fake is not None:
            fake.keep()
            task = asyncio.create_task(fake.listening.aclose())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
