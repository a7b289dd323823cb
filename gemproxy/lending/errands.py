"""Cheap reads with a key of the pool: checks of sick keys, and look-ups of names.

Neither is a generation, so no quota of a model counts them. They go the way of the key's other
requests, through its outbound proxy.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence

import attrs
from multidict import CIMultiDict
from yarl import URL

from gemproxy.core.errors import GemproxyError
from gemproxy.exchange.credential import Credential
from gemproxy.exchange.target import Target
from gemproxy.observe.background import repeat
from gemproxy.pool.key import Key
from gemproxy.pool.pool import Outcome, Pick, Pool, Wish
from gemproxy.relay.headers import retry_after
from gemproxy.relay.redirects import Hop
from gemproxy.relay.upstream import AttemptFailed, Reply, Upstream
from gemproxy.relay.wants import DOCUMENT

CHECK = "/v1beta/models?pageSize=1"
"""The target that shows whether a key is well."""

SECONDS = 20.0
"""Seconds that a read may take."""

_ERRORS = 400
_MOST = 1 << 16
_PAUSE_SECONDS = 1.0
_DICE = random.SystemRandom()


async def open_read(upstream: Upstream, base: URL, key: Key, target: str) -> Reply:
    """Return the answer to a GET of ``target`` with a key; it is to be closed.

    Raises AttemptFailed.
    """
    path, _, query = target.partition("?")
    url = Target(path, query).on(base)
    credential = Credential.api_key(key.secret).for_path(url.raw_path)
    hop = Hop(url, CIMultiDict({credential.header: credential.value}), key.proxy)
    return await upstream.open("GET", hop, None, SECONDS, DOCUMENT)


@attrs.define(eq=False)
class Errands:
    """Makes these reads for ``pool``, at the upstream at ``base``.

    ``learnt`` is called when the pool has learnt something. ``clock`` is the Unix clock (s).
    """

    upstream: Upstream
    base: URL
    pool: Pool
    learnt: Callable[[], object] = bool
    clock: Callable[[], float] = time.time

    async def ask(self, key: Key, target: str) -> Outcome:
        """Return the outcome of a GET of ``target`` with a key; its content is dropped."""
        try:
            async with asyncio.timeout(SECONDS):
                reply = await open_read(self.upstream, self.base, key, target)
                try:
                    if reply.status >= _ERRORS:
                        await reply.read_error(_MOST)
                finally:
                    reply.close()
        except (AttemptFailed, GemproxyError, TimeoutError):
            return Outcome()
        return Outcome(reply.status, reply.error, retry_after(reply.headers))

    async def check_keys(self) -> None:
        """Check the sick keys that are due, one after another."""
        for key in self.pool.due(self.clock()):
            outcome = await self.ask(key, CHECK)
            self.pool.checked(key.name, outcome, self.clock())
            self.learnt()

    async def keep_checking(self) -> None:
        """Check sick keys when they are due, until cancelled.

        Processes that share the keys wait for a random time, so that one of them is the first, and
        the others learn of its result.
        """
        await repeat(self.check_keys, lambda: _DICE.uniform(1.0, 2.0) * _PAUSE_SECONDS)

    def order(self, caller: str) -> Sequence[str]:
        """Return the names of all projects, the home of ``caller`` first."""
        return self.pool.order(caller)

    async def status(self, project: str, target: str) -> int | None:
        """Return the status of a GET of ``target`` with a key of a project.

        None if no answer came, or no key of the project can ask now.
        """
        pick = self.pool.pick(Wish(project=project), self.clock())
        if not isinstance(pick, Pick):
            return None
        outcome = Outcome()
        try:
            outcome = await self.ask(pick.key, target)
        finally:
            self.pool.over(pick, outcome, self.clock())
        return outcome.status
