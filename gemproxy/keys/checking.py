"""Asks Gemini whether keys are well, by a request that costs nothing and counts to no quota.

The list of models is asked for with each key, on the key's own way out. What a refusal means is
decided as for any other (``core.repair.blame``): a quota or a refused location says that the key is
well, a fault of the service or of the network says nothing.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs

from gemproxy.core.errors import upstream_error
from gemproxy.core.repair.blame import Fault, blame, is_of_the_location
from gemproxy.keys.site import Site
from gemproxy.lending.errands import CHECK, SECONDS, open_read
from gemproxy.observe.logs import MASK, redact
from gemproxy.pool.ailment import ailment_of
from gemproxy.pool.key import Key
from gemproxy.pool.quota import is_quota
from gemproxy.pool.sickness import Sicknesses
from gemproxy.pool.state import Change, Sickness, Why
from gemproxy.relay.upstream import AttemptFailed, Upstream, open_upstream

AT_ONCE = 8
"""Keys that are checked at the same time."""

_MOST_BYTES = 1 << 20
_MOST_WORDS = 200
_ERRORS = 400


@attrs.frozen
class Finding:
    """What came of the check of a key; ``well`` is None where nobody can say.

    ``why`` is the cause of a sickness, ``words`` say more to people. ``elsewhere``: Google refuses
    the location from which the request came.
    """

    key: Key
    well: bool | None
    words: str = ""
    why: Why | None = None
    elsewhere: bool = False


async def check(site: Site, keys: Iterable[Key], tell: Callable[[Finding], None]) -> list[Finding]:
    """Check keys; ``tell`` hears of each as soon as it is known."""
    findings: list[Finding] = []
    room = asyncio.Semaphore(AT_ONCE)

    async def one(key: Key) -> None:
        async with room:
            finding = await _ask(upstream, site, key)
        findings.append(finding)
        tell(finding)

    way_up = open_upstream(connect_timeout=site.connect_seconds, proxy=site.proxy)
    async with way_up as upstream, asyncio.TaskGroup() as group:
        for key in keys:
            group.create_task(one(key))
    return findings


def changes_of(findings: Sequence[Finding], known: Iterable[Change], now: float) -> list[Change]:
    """Return what the store is to learn; ``known`` is what it has."""
    book = Sicknesses()
    for change in known:
        if isinstance(change, Sickness):
            book.put(change)
    learnt: list[Change] = []
    for finding in findings:
        before = book.get(finding.key.name)
        if finding.why is not None:
            learnt.append(book.fell(finding.key.name, finding.why, now))
        elif finding.well and before is not None and before.why is not None:
            learnt.append(book.passed(before, now))
    return learnt


async def _ask(upstream: Upstream, site: Site, key: Key) -> Finding:
    try:
        async with asyncio.timeout(SECONDS):
            reply = await open_read(upstream, site.base, key, CHECK)
            try:
                body = await reply.read_error(_MOST_BYTES)
            finally:
                reply.close()
    except AttemptFailed as failure:
        return Finding(key, well=None, words=f"no answer: {_without(key, failure.detail)}")
    except TimeoutError:
        return Finding(key, well=None, words=f"no answer in {SECONDS:g} seconds")
    return judged(key, reply.status, body)


def judged(key: Key, status: int, body: bytes) -> Finding:
    """Return what an answer says of its key."""
    if status < _ERRORS:
        whole = _is_object(body)
        return Finding(key, well=True) if whole else Finding(key, well=None, words=_NO_API)
    error = upstream_error(body)
    words = _words(key, status, error)
    if is_of_the_location(error):
        return Finding(key, well=True, words=f"the location is refused: {words}", elsewhere=True)
    fault = blame(status, error)
    if fault is not Fault.KEY:
        return Finding(key, well=None, words=words)
    if is_quota(status, error):
        return Finding(key, well=True, words=words)
    return Finding(key, well=False, words=words, why=ailment_of(status, error))


_NO_API = "the answer is not one of the Gemini API: is upstream.url_base right?"


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
