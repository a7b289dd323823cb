"""The headers that cross the proxy, both ways.

*Hop-by-hop* (RFC 9110 section 7.6.1): ``Connection``, every header it names, and the classic list
end at each hop. Values with control characters never pass (RFC 9110 section 5.5). A byte of a
value that is not UTF-8 is a lone surrogate here (PEP 383), and passes as that byte
(``relay.octets``). The one credential that goes up is chosen elsewhere (``exchange.credential``).
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from multidict import CIMultiDict

from gemproxy.exchange.credential import OTHER_HEADERS, UNFIT, Credential, without_credential

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_REQUEST_ONLY_HERE = _HOP_BY_HOP.union(
    {
        "authorization",  # the chosen credential is added again
        "x-goog-api-key",
        "x-admin-secret",  # the operator's, a wrong one too
        "host",  # both are written by the client library for the new hop
        "content-length",
        "expect",  # answered by our own server
        "cookie",
        "forwarded",  # these describe the way to us
        "via",
        "x-real-ip",
        "traceparent",  # the traces of the client and of what is in front of us
        "tracestate",
        "baggage",
        "b3",
        "uber-trace-id",
        "sentry-trace",
    }
)
_OF_ITS_OWN_ACCOUNT = frozenset({"x-goog-user-project", "referer", *OTHER_HEADERS})
"""Headers of a client that end here where the operator's key goes up instead of the client's.

The Referer of a page that was opened with ``?key=`` has the access key.
"""
_LENT_ONLY_HERE = _REQUEST_ONLY_HERE | _OF_ITS_OWN_ACCOUNT

_HOP_BY_HOP_PREFIXES = ("proxy-",)
_REQUEST_PREFIXES = ("x-gemproxy-", "x-forwarded-", "x-b3-", *_HOP_BY_HOP_PREFIXES)
_RESPONSE_ONLY_HERE = _HOP_BY_HOP | {"alt-svc", "set-cookie", "set-cookie2"}
_REWRITTEN_ONLY_HERE = _RESPONSE_ONLY_HERE | {"content-length", "content-encoding"}

_IS_URL = ("Location", "Content-Location", "X-Goog-Upload-URL", "X-Goog-Upload-Control-URL")
_HOLDS_URLS = ("Link", "Refresh")
_URL_IN_VALUE = re.compile(r"(?<=<)[^>]*(?=>)|(?<=url=)[^\s\"']+", re.IGNORECASE)


def upstream_headers(
    headers: Mapping[str, str], sent: Credential | None, *, identity: bool, lent: bool = False
) -> CIMultiDict[str]:
    """Return what a request sends up, in the client's order.

    ``sent`` is the only credential among them. ``identity`` asks for an uncompressed
    answer, which a route that reads the body needs; otherwise the client's own
    Accept-Encoding passes. ``lent``: the credential is not the client's own.
    """
    only_here = _LENT_ONLY_HERE if lent else _REQUEST_ONLY_HERE
    passed = CIMultiDict(_end_to_end(headers, only_here, _REQUEST_PREFIXES))
    if identity:
        passed["Accept-Encoding"] = "identity"
    if sent is not None and not UNFIT.search(sent.value):
        passed[sent.header] = sent.value
    return passed


def downstream_headers(headers: Mapping[str, str], *, rewritten: bool) -> CIMultiDict[str]:
    """Return what an answer sends down; ``rewritten`` when its body is not the same bytes.

    No URL in it holds a credential: the upstream may repeat the one that it was asked by.
    """
    dropped = _REWRITTEN_ONLY_HERE if rewritten else _RESPONSE_ONLY_HERE
    passed = CIMultiDict(_end_to_end(headers, dropped, _HOP_BY_HOP_PREFIXES))
    for name in _IS_URL:
        if name in passed:
            urls = passed.popall(name)
            passed.extend((name, without_credential(url)) for url in urls)
    for name in _HOLDS_URLS:
        if name in passed:
            values = passed.popall(name)
            passed.extend((name, _URL_IN_VALUE.sub(_without, value)) for value in values)
    return passed


def _without(url: re.Match[str]) -> str:
    return without_credential(url[0])


def _end_to_end(
    headers: Mapping[str, str], only_here: frozenset[str], prefixes: tuple[str, ...]
) -> list[tuple[str, str]]:
    """Return the headers that this hop does not end and that can be written.

    ``only_here`` and ``prefixes`` are the lower-case names that do not pass either. A name that
    ends in a blank is one that frames a message (the parsers admit no other), so it ends here.
    """
    ended = only_here | _named_by_connection(headers)
    passed = [
        (name, value)
        for name, value in headers.items()
        if (lower := name.lower()) not in ended
        and not lower.startswith(prefixes)
        and lower[-1:] != " "
    ]
    if UNFIT.search("".join([part for pair in passed for part in pair])):
        return [pair for pair in passed if not UNFIT.search("".join(pair))]
    return passed


def _named_by_connection(headers: Mapping[str, str]) -> set[str]:
    """Return the lower-case names of the headers that ``Connection`` ends with this hop."""
    if "Connection" not in headers:
        return set()
    values = [value for name, value in headers.items() if name.lower() == "connection"]
    return {token.strip().lower() for value in values for token in value.split(",")}


def is_event_stream(headers: Mapping[str, str]) -> bool:
    """Tell a body of server-sent events, by its type."""
    kind = headers.get("Content-Type", "").partition(";")[0]
    return kind.strip().lower() == "text/event-stream"


def keep_unbuffered(headers: CIMultiDict[str]) -> None:
    """Ask whatever is in front to pass a stream on event by event, and uncompressed.

    nginx holds an answer back until its buffer is full unless X-Accel-Buffering says no, and what
    compresses may hold it back too. What Cache-Control says besides is kept.
    """
    headers["X-Accel-Buffering"] = "no"
    control = ", ".join(headers.popall("Cache-Control", []))
    if "no-transform" not in control.lower():
        control = f"{control}, no-transform" if control else "no-transform"
    headers["Cache-Control"] = control


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return a Retry-After header in seconds (RFC 9110 section 10.2.3).

    Its form with a date counts from the Date of the same answer, whatever our own clock shows;
    without one it says nothing.
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    until, now = _date(value), _date(headers.get("Date", ""))
    if until is None or now is None:
        return None
    return max((until - now).total_seconds(), 0.0)


def _date(value: str) -> datetime | None:
    """Return the moment that an HTTP date names, None for anything else."""
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)
