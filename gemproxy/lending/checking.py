"""Checks of keys that an operator asks for, by a request that costs nothing and counts to no quota.

The list of models is asked for with each key, on the key's own way out. What a refusal means is
decided as for any other (``pool.result``): a quota or a refused location says that the key is well,
a fault of the service or of the network says nothing.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs
from yarl import URL

from gemproxy.core.errors import GemproxyError, upstream_error
from gemproxy.lending.errands import CHECK, SECONDS, open_read
from gemproxy.observe.logs import MASK, redact
from gemproxy.pool.key import Key
from gemproxy.pool.pool import Outcome
from gemproxy.pool.result import result_of
from gemproxy.pool.state import Result, Why
from gemproxy.relay.headers import retry_after
from gemproxy.relay.upstream import AttemptFailed, Upstream

AT_ONCE = 8
"""Keys that are checked at the same time."""

_MOST_BYTES = 1 << 20
_MOST_WORDS = 200
_ERRORS = 400

_QUOTAS = {Result.MINUTE, Result.DAY, Result.ABSENT, Result.BARE}
_WELL = {Result.OK, Result.LOCATION, *_QUOTAS}
_CAUSES = {why.value: why for why in Why if Result(why.value) not in _QUOTAS}
_NO_API = "the answer is not one of the Gemini API: is upstream.url_base right?"


@attrs.frozen
class Finding:
    """What came of the check of a key.

    ``words`` say more to the operator at a terminal: the upstream's own, without keys. ``outcome``
    is the answer as the pool learns from it.
    """

    key: Key
    result: Result
    words: str = ""
    outcome: Outcome = attrs.field(factory=Outcome)

    @property
    def well(self) -> bool | None:
        """Whether the key is well; None where nobody can say."""
        if self.result in _WELL:
            return True
        return None if self.why is None else False

    @property
    def state(self) -> str:
        """The same as a word: well, sick or unknown."""
        return {True: "well", False: "sick", None: "unknown"}[self.well]

    @property
    def status(self) -> int | None:
        """The HTTP status of the answer; None if the upstream gave none."""
        return self.outcome.status

    @property
    def why(self) -> Why | None:
        """The cause of a sickness."""
        return _CAUSES.get(self.result.value)

    @property
    def elsewhere(self) -> bool:
        """Whether Google refuses the location from which the request came."""
        return self.result is Result.LOCATION


@attrs.frozen(eq=False)
class Checker:
    """Asks the upstream at ``base`` about keys, about a few at the same time."""

    upstream: Upstream
    base: URL
    _room: asyncio.Semaphore = attrs.field(factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def check(self, keys: Iterable[Key], tell: Callable[[Finding], object]) -> None:
        """Check keys; ``tell`` hears of each as soon as it is known."""
        async with asyncio.TaskGroup() as group:
            for key in keys:
                group.create_task(self._check(key, tell))

    async def _check(self, key: Key, tell: Callable[[Finding], object]) -> None:
        async with self._room:
            finding = await self._ask(key)
        tell(finding)

    async def _ask(self, key: Key) -> Finding:
        try:
            async with asyncio.timeout(SECONDS):
                reply = await open_read(self.upstream, self.base, key, CHECK)
                try:
                    body = await reply.read_error(_MOST_BYTES)
                finally:
                    reply.close()
        except AttemptFailed as failure:
            words = f"no answer: {_without(key, failure.detail)}"
            return Finding(key, Result.NO_ANSWER, words)
        except GemproxyError as error:
            return Finding(key, Result.NO_ANSWER, f"no answer: {_without(key, error.message)}")
        except TimeoutError:
            return Finding(key, Result.NO_ANSWER, f"no answer in {SECONDS:g} seconds")
        return judged(key, reply.status, body, retry_after(reply.headers))


def judged(key: Key, status: int, body: bytes, wait: float | None = None) -> Finding:
    """Return what an answer says of its key; ``wait`` is its Retry-After in seconds."""
    if status < _ERRORS:
        if _is_object(body):
            return Finding(key, Result.OK, outcome=Outcome(status))
        return Finding(key, Result.NOT_GEMINI, _NO_API)
    error = upstream_error(body)
    result, words = result_of(status, error, wait), _words(key, status, error)
    if result is Result.LOCATION:
        words = f"the location is refused: {words}"
    return Finding(key, result, words, Outcome(status, error, wait))


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False


def _words(key: Key, status: int, error: Mapping[str, Any] | None) -> str:
    message = " ".join(str((error or {}).get("message", "")).split())[:_MOST_WORDS]
    return _without(key, f"{status} {message}".strip())


def _without(key: Key, words: str) -> str:
    """Return words from outside without keys."""
    return redact(words.replace(key.secret, MASK))
