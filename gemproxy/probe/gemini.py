"""The probe's access to the API: lists, streams, waits for a quota, a limit on requests.

The key is in one header and no other module knows it; ``Scrubber`` removes it from all output, in
case a server repeats it.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, cast

import attrs
from multidict import CIMultiDict
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt
from yarl import URL

from gemproxy import __version__
from gemproxy.core.answer.usage import Billed
from gemproxy.core.errors import upstream_error
from gemproxy.core.repair.verdict import is_transient, retry_delay_of_body
from gemproxy.exchange.credential import Credential
from gemproxy.relay.redirects import Hop
from gemproxy.relay.upstream import AttemptFailed, Reply, Upstream
from gemproxy.relay.wants import STREAM

Json = dict[str, Any]

_OK = range(200, 300)
_ABOUT_THE_REQUEST = frozenset({400, 413, 422})
_TRIES = 3
_FIRST_WAIT = 5.0
_ERROR_BODY_LIMIT = 1 << 16
_MESSAGE_LIMIT = 300
_MOST_PAGES = 10


class CannotTell(Exception):
    """A case has no verdict; the reason is a text for people."""


class Unavailable(CannotTell):
    """The same reason applies to every further case of this model."""


class Rejection(Exception):
    """The API answered with an error status.

    Its message is shown only if it is about the request, which is ours. Messages about the user's
    key, project or quota may name them.
    """

    def __init__(self, status: int, body: bytes) -> None:
        error = upstream_error(body) or {}
        self.status = status
        self.retry_after = retry_delay_of_body(body)
        code = printable(str(error.get("status", "")))
        self.message = printable(str(error.get("message", ""))) if self.is_about_request else ""
        words = f"{status} {code}".rstrip()
        super().__init__(f"{words}: {self.message}" if self.message else words)

    @property
    def is_about_request(self) -> bool:
        """Whether another request may still be accepted."""
        return self.status in _ABOUT_THE_REQUEST


def printable(text: str) -> str:
    """Return foreign text as one short line that is safe for a terminal."""
    line = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(line.split())[:_MESSAGE_LIMIT]


@attrs.frozen
class Scrubber:
    """Masks a key in text."""

    _key: str = attrs.field(repr=False)

    def __call__(self, text: str) -> str:
        """Return ``text`` with the key masked."""
        return text.replace(self._key, "***")


@attrs.define
class Meter:
    """The costs so far, and the limit on requests."""

    most_requests: int
    requests: int = 0
    tokens: Billed = attrs.field(factory=Billed)

    def count(self) -> None:
        """Count one request; raise Unavailable beyond the limit."""
        if self.requests >= self.most_requests:
            raise Unavailable(f"the limit of {self.most_requests} requests is reached")
        self.requests += 1

    def add(self, tokens: Billed) -> None:
        """Add the cost of one stream."""
        self.tokens += tokens


@attrs.define(eq=False)
class Gemini:
    """One server of the Gemini API, with a key.

    ``timeout`` is the limit for one answer, ``longest_wait`` for a wait that a server asks for
    (seconds). ``notice`` is called with a text for people at each such wait.
    """

    base: URL
    credential: Credential
    upstream: Upstream
    meter: Meter
    timeout: float = 180.0
    longest_wait: float = 65.0
    notice: Callable[[str], object] = lambda _: None

    async def models(self) -> list[Json]:
        """Return the entries of models.list."""
        entries: list[Json] = []
        query = {"pageSize": "1000"}
        for _ in range(_MOST_PAGES):
            document = await self._get("models", query)
            entries += document.get("models") or []
            if not document.get("nextPageToken"):
                break
            query["pageToken"] = document["nextPageToken"]
        return entries

    async def model(self, name: str) -> Json:
        """Return the API's entry of one model."""
        return await self._get(f"models/{name}", {})

    @contextlib.asynccontextmanager
    async def stream(self, model: str, body: bytes) -> AsyncIterator[Reply]:
        """Ask for a streamed answer and yield it; leaving early abandons it.

        Raises Rejection, Unavailable, or AttemptFailed for a connection that broke, and
        TimeoutError for an answer that took too long.
        """
        url = self._url(f"models/{model}:streamGenerateContent", {"alt": "sse"})
        async with contextlib.AsyncExitStack() as stack:
            reply = await self._open(stack, "POST", url, body)
            async with asyncio.timeout(self.timeout):
                yield reply

    def _url(self, path: str, query: Mapping[str, str]) -> URL:
        return URL(f"{str(self.base).rstrip('/')}/v1beta/{path}").with_query(query)

    async def _get(self, path: str, query: Mapping[str, str]) -> Json:
        body = bytearray()
        async with contextlib.AsyncExitStack() as stack:
            reply = await self._open(stack, "GET", self._url(path, query), b"")
            async with asyncio.timeout(self.timeout):
                while data := await reply.read():
                    body += data
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise Unavailable("the server's answer is not that of the Gemini API")
        return document

    async def _open(
        self, stack: contextlib.AsyncExitStack, method: str, url: URL, body: bytes
    ) -> Reply:
        """Make a request; repeat it after a wait if the server asks for one."""
        patience = AsyncRetrying(
            retry=retry_if_exception(self._is_worth_a_wait),
            wait=_wait,
            stop=stop_after_attempt(_TRIES),
            before_sleep=self._notice_wait,
            reraise=True,
        )
        try:
            return await patience(self._open_once, stack, method, url, body)
        except Rejection as rejection:
            if rejection.is_about_request:
                raise
            raise Unavailable(f"the server answered {rejection}") from rejection

    async def _open_once(
        self, stack: contextlib.AsyncExitStack, method: str, url: URL, body: bytes
    ) -> Reply:
        self.meter.count()
        headers = {
            self.credential.header: self.credential.value,
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"gemproxy-probe/{__version__}",
        }
        hop = Hop(url, CIMultiDict(headers))
        try:
            reply = await self.upstream.open(method, hop, body, self.timeout, STREAM)
        except AttemptFailed as failure:
            raise Unavailable(f"no answer from the server ({failure.how.value})") from failure
        stack.callback(reply.close)
        if reply.status in _OK:
            return reply
        raise Rejection(reply.status, await reply.read_error(_ERROR_BODY_LIMIT))

    def _is_worth_a_wait(self, error: BaseException) -> bool:
        return (
            isinstance(error, Rejection)
            and is_transient(error.status)
            and (error.retry_after or 0.0) <= self.longest_wait
        )

    def _notice_wait(self, state: RetryCallState) -> None:
        self.notice(f"the server answered {_rejection(state)}; waiting {state.upcoming_sleep:g} s")


def _wait(state: RetryCallState) -> float:
    """Return the seconds that the server asked for, else a growing number."""
    asked = _rejection(state).retry_after
    return float(_FIRST_WAIT * 2 ** (state.attempt_number - 1)) if asked is None else asked


def _rejection(state: RetryCallState) -> Rejection:
    """Return the error of a failed try; only such errors are retried."""
    return cast(Rejection, state.outcome and state.outcome.exception())
