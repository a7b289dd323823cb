"""Pictures by URL: fetched side by side, within bounds, before a request goes up.

A request for a picture carries nothing of the client and nothing of the proxy's: no cookie, no
credential, no Referer, and it uses no outbound proxy, which would look up the name itself and lead
around the rules about addresses. Redirects are followed here, and each target passes the same
checks as the first URL.

A failure names the field of the request. A URL that is refused for its own text is told why. All
that goes wrong behind it is told in one and the same sentence, so nobody learns from it whether an
address exists, is open, is inside, or what it answers.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

import aiohttp
import attrs
from aiohttp.abc import AbstractResolver
from yarl import URL

from gemproxy.core.errors import BadField
from gemproxy.core.picture import TAKEN, Picture, type_of
from gemproxy.fetching.guard import connector
from gemproxy.fetching.links import Refused, Rules, parsed
from gemproxy.fetching.names import Names

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OK = 200
_HEADERS = {
    "Accept": ", ".join(sorted(TAKEN)),
    "Accept-Encoding": "identity",
    "User-Agent": "gemproxy",
}
_CONNECTIONS = 32
_MIB = 2**20


@attrs.frozen
class Bounds:
    """How much is fetched for one request.

    ``count`` pictures, each of ``size`` bytes and all together of ``total`` bytes (twice as much),
    in ``seconds`` for all; each by way of ``redirects`` redirects at most.
    """

    size: int = 20 * _MIB
    seconds: float = 10.0
    count: int = 16
    redirects: int = 3
    total: int = attrs.field()

    @total.default
    def _of_two(self) -> int:
        return 2 * self.size


class _NotFetched(Exception):
    """A picture could not be had; why is nobody's business but the operator's."""


@attrs.define
class _Purse:
    """The bytes that the pictures of one request may still have."""

    left: int

    def take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise _NotFetched


@attrs.frozen(eq=False)
class Pictures:
    """Fetches pictures; made by ``open_pictures``."""

    bounds: Bounds
    _rules: Rules
    _session: aiohttp.ClientSession

    async def fetch(self, named: Mapping[str, str]) -> Mapping[str, Picture]:
        """Return the pictures by URL. ``named`` has the URLs by the fields that name them.

        A URL that is named twice is fetched once. Raises BadField for a URL that is refused or
        cannot be fetched; nothing is fetched if one is refused by its text.
        """
        fields, urls = self._checked(named)
        purse = _Purse(self.bounds.total)
        try:
            async with asyncio.timeout(self.bounds.seconds), asyncio.TaskGroup() as group:
                tasks = {
                    text: group.create_task(self._picture(url, fields[text], purse))
                    for text, url in urls.items()
                }
        except TimeoutError:
            late = (text for text, task in tasks.items() if task.cancelled())
            raise self._failure(fields[next(late, next(iter(fields)))]) from None
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return {text: task.result() for text, task in tasks.items()}

    def _checked(self, named: Mapping[str, str]) -> tuple[dict[str, str], dict[str, URL]]:
        """Return the first field of each URL, and each URL as it may be asked."""
        fields: dict[str, str] = {}
        urls: dict[str, URL] = {}
        for field, text in named.items():
            fields.setdefault(text, field)
            if len(fields) > self.bounds.count:
                raise BadField(
                    field, f"is one picture by URL too many: {self.bounds.count} may be named"
                )
            try:
                urls[text] = self._rules.checked(text)
            except Refused as error:
                raise BadField(field, str(error)) from None
        return fields, urls

    async def _picture(self, url: URL, field: str, purse: _Purse) -> Picture:
        try:
            data = await self._followed(url, purse)
        except (aiohttp.ClientError, OSError, ValueError, _NotFetched):
            raise self._failure(field) from None
        mime = type_of(data)
        if mime not in TAKEN:
            raise self._failure(field)
        return Picture(data, mime)

    async def _followed(self, url: URL, purse: _Purse) -> bytes:
        """Return what the last of some redirects answers."""
        for _ in range(self.bounds.redirects + 1):
            async with self._session.get(url, allow_redirects=False) as response:
                if response.status not in _REDIRECTS:
                    return await self._body(response, purse)
                target = url.join(parsed(response.headers.get("Location", "")))
            url = self._rules.checked(str(target))
        raise _NotFetched

    async def _body(self, response: aiohttp.ClientResponse, purse: _Purse) -> bytes:
        """Return the body of an answer, which is let go once it is too large."""
        most = min(self.bounds.size, purse.left)
        if response.status != _OK or (response.content_length or 0) > most:
            raise _NotFetched
        body = bytearray()
        async for piece in response.content.iter_any():
            body += piece
            purse.take(len(piece))
            if len(body) > self.bounds.size:
                raise _NotFetched
        return bytes(body)

    def _failure(self, field: str) -> BadField:
        bounds = self.bounds
        return BadField(
            field,
            "could not be fetched. It must lead to a PNG, JPEG, WebP, HEIC or HEIF picture on the"
            f" public Internet, of at most {bounds.size / _MIB:g} MiB, all pictures together of"
            f" {bounds.total / _MIB:g} MiB, within {bounds.seconds:g} s and {bounds.redirects}"
            " redirects",
        )


@contextlib.asynccontextmanager
async def open_pictures(
    bounds: Bounds, rules: Rules | None = None, names: AbstractResolver | None = None
) -> AsyncIterator[Pictures]:
    """Yield what fetches pictures; its connections are closed at the exit.

    ``rules`` and ``names`` (which looks up names) are for tests; by default both are those of the
    public Internet.
    """
    kept, resolver = rules or Rules(), names or Names()
    try:
        async with aiohttp.ClientSession(
            connector=connector(kept, resolver, limit=_CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers=_HEADERS,
            timeout=aiohttp.ClientTimeout(total=bounds.seconds),
            trust_env=False,
        ) as session:
            yield Pictures(bounds, kept, session)
    finally:
        await resolver.close()
