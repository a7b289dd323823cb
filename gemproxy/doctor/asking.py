"""One GET, and what came of it: an answer, or the kind of trouble on the way.

The libraries' exceptions are translated here. No key is ever sent, so a server whose certificate
is refused may be asked for its clock.
"""

import asyncio
import enum
import ssl
import time
from collections.abc import Callable, Mapping

import aiohttp
import attrs
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from gemproxy.config.outbound import UnusableProxy, resolve_proxy
from gemproxy.exchange.target import Target

SECONDS = 6.0
"""Seconds that an answer may take."""

_MOST_BYTES = 1 << 16
_NOT_YET_VALID, _EXPIRED = 9, 10  # X509_V_ERR_* of OpenSSL
OF_TIME = frozenset({_NOT_YET_VALID, _EXPIRED})
"""Refusals of a certificate that our own clock may be to blame for."""


FAILURES = (aiohttp.ClientError, OSError, ValueError)
"""What the client library raises."""


class Kind(enum.Enum):
    """Where a request came to its end."""

    NAME = "the name of the host is unknown"
    REFUSED = "no connection can be made"
    SILENT = "there is no answer"
    PROXY = "the proxy on the way out cannot be reached"
    PROXY_REFUSES = "the proxy on the way out refuses"
    CERTIFICATE = "the certificate is refused"
    TLS = "TLS fails"
    BROKEN = "the connection breaks"


@attrs.frozen
class Answer:
    """An answer; ``began`` and ``ended`` are Unix times (s) of our own clock."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes = attrs.field(repr=False)
    began: float = 0.0
    ended: float = 0.0


@attrs.frozen
class Trouble:
    """Why there is no answer; ``code`` is OpenSSL's for a certificate, or a proxy's status."""

    kind: Kind
    detail: str = ""
    code: int = 0

    @property
    def words(self) -> str:
        """The trouble for people."""
        return f"{self.kind.value} ({self.detail})" if self.detail else self.kind.value


@attrs.frozen
class Seen:
    """What came of asking the upstream.

    ``unverified`` is the answer of a server whose certificate our clock refuses. ``by_environment``
    says whether a proxy that only the environment names would have led there, None if there is
    none.
    """

    result: Answer | Trouble
    unverified: Answer | None = None
    by_environment: bool | None = None


def answer_of(
    status: int, body: bytes = b"", headers: Mapping[str, str] | None = None, at: float = 0.0
) -> Answer:
    """Return an answer of these parts."""
    return Answer(status, CIMultiDictProxy(CIMultiDict(headers or {})), body, at, at)


async def see(
    base: URL, setting: str, environ: Mapping[str, str], now: Callable[[], float]
) -> Seen:
    """Ask the upstream at ``base`` for its models, without a key, on the proxy's own way."""
    url = Target("/v1beta/models", "pageSize=1").on(base)
    result = await ask(url, now, proxy=_proxy(setting, base, environ))
    if isinstance(result, Answer):
        return Seen(result)
    if result.kind is Kind.CERTIFICATE and result.code in OF_TIME:
        again = await ask(url, now, proxy=_proxy(setting, base, environ), verify=False)
        return Seen(result, unverified=again if isinstance(again, Answer) else None)
    other = None if setting else _proxy("env", base, environ)
    if other is None:
        return Seen(result)
    other_way = await ask(url, now, proxy=other, seconds=SECONDS / 3)
    return Seen(result, by_environment=isinstance(other_way, Answer))


def _proxy(setting: str, base: URL, environ: Mapping[str, str]) -> URL | None:
    try:
        return resolve_proxy(setting, base, environ)
    except UnusableProxy:  # it is one of the problems of the settings
        return None


async def ask(
    url: URL,
    now: Callable[[], float] = time.time,
    *,
    proxy: URL | None = None,
    verify: bool = True,
    seconds: float = SECONDS,
) -> Answer | Trouble:
    """Return what came of one GET; redirects are not followed."""
    try:
        async with asyncio.timeout(seconds):
            return await _get(url, now, proxy, verify=verify)
    except TimeoutError:
        return Trouble(Kind.SILENT, f"not in {seconds:g} seconds")
    except FAILURES as error:
        return trouble_of(error)


async def _get(url: URL, now: Callable[[], float], proxy: URL | None, *, verify: bool) -> Answer:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        began = now()
        request = session.get(url, proxy=proxy, allow_redirects=False, ssl=verify)
        async with request as response:
            ended = now()
            body = bytearray()
            async for piece in response.content.iter_any():
                body += piece
                if len(body) >= _MOST_BYTES:
                    break
            return Answer(response.status, response.headers, bytes(body), began, ended)


def trouble_of(error: Exception) -> Trouble:
    """Return what an exception of the client library means."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause = error.certificate_error
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Trouble(Kind.CERTIFICATE, cause.verify_message, cause.verify_code)
        return Trouble(Kind.CERTIFICATE)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return Trouble(Kind.PROXY_REFUSES, f"status {error.status}", error.status)
    kinds: Mapping[type[Exception], Kind] = {
        aiohttp.ClientProxyConnectionError: Kind.PROXY,
        aiohttp.ClientConnectorDNSError: Kind.NAME,
        aiohttp.ClientConnectorSSLError: Kind.TLS,
        aiohttp.ServerTimeoutError: Kind.SILENT,
        aiohttp.ClientConnectorError: Kind.REFUSED,
    }
    for type_, kind in kinds.items():
        if isinstance(error, type_):
            return Trouble(kind, _words(error))
    return Trouble(Kind.BROKEN, type(error).__name__)


def _words(error: Exception) -> str:
    """Return the system's own words about a connection, which have no address."""
    cause = getattr(error, "os_error", None)
    if isinstance(cause, ssl.SSLError):
        return (cause.reason or "").replace("_", " ").lower()
    return str(getattr(cause, "strerror", None) or "").partition("[")[0].strip()
