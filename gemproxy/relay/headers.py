"""What crosses the proxy: headers both ways, the request target, the credential.

Three rules live here and nowhere else:

- *Hop-by-hop* (RFC 9110 section 7.6.1): ``Connection``, every header it names, and the
  classic list end at each hop. Values with control characters never pass (RFC 9110
  section 5.5). A byte of a value that is not UTF-8 is a lone surrogate here (PEP 383), and passes
  as that byte (``relay.octets``).
- *One credential goes up*, in a header, whichever way it came. In this order: the
  ``x-goog-api-key`` header, an OAuth ``Authorization``, the query (``key``,
  ``access_token``, ``oauth_token``), an API key as a Bearer token, any other
  ``Authorization``. Google answers 400 to two credentials, and 401 to an API key that is
  sent as a Bearer token, except under ``/openai/``, where only Bearer is understood. The
  ephemeral tokens of Live have a scheme of their own, ``Token``; google-genai sends one in
  the place of a key too, @google/genai in the query.
- *The target* is forwarded byte for byte except for the credential in its query. It is
  joined to the upstream base as text, so that nothing in it can name another host.
"""

import functools
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote, unquote

import attrs
from multidict import CIMultiDict
from yarl import URL

from gemproxy.core.errors import BadRequest

API_KEY = "x-goog-api-key"
AUTHORIZATION = "Authorization"

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
        "host",  # both are written by the client library for the new hop
        "content-length",
        "expect",  # answered by our own server
        "cookie",
        "forwarded",  # these describe the way to us
        "via",
        "x-real-ip",
    }
)
_HOP_BY_HOP_PREFIXES = ("proxy-",)
_REQUEST_PREFIXES = ("x-gemproxy-", "x-forwarded-", *_HOP_BY_HOP_PREFIXES)
_RESPONSE_ONLY_HERE = _HOP_BY_HOP | {"alt-svc", "set-cookie", "set-cookie2"}
_REWRITTEN_ONLY_HERE = _RESPONSE_ONLY_HERE | {"content-length", "content-encoding"}

_UNFIT = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udc7f\udd00-\udfff]")
_UNFIT_IN_TARGET = re.compile(r"[\x00-\x20\x7f\ud800-\udfff]")
_WITHOUT_VERSION = ("/models/", "/tunedModels/")
_EPHEMERAL = "auth_tokens/"
_LOOKS_LIKE_API_KEY = re.compile(r"AIza|AQ\.")
_MAY_HOLD_CREDENTIAL = re.compile(r"key|token|%")
_SECRET = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "x-goog-api-key",
        "cookie",
        "set-cookie",
        "idempotency-key",
    }
)
_IS_URL = ("Location", "Content-Location", "X-Goog-Upload-URL", "X-Goog-Upload-Control-URL")
_HOLDS_URLS = ("Link", "Refresh")
_URL_IN_VALUE = re.compile(r"(?<=<)[^>]*(?=>)|(?<=url=)[^\s\"']+", re.IGNORECASE)
_HOLDS_URL = frozenset({"location", "referer", "x-goog-upload-url", "x-goog-upload-control-url"})


@attrs.frozen
class Credential:
    """One way to say who asks: the header that carries it and its whole value."""

    header: str
    value: str = attrs.field(repr=False)

    @classmethod
    def api_key(cls, key: str) -> "Credential":
        """Return the credential for a Gemini API key."""
        return cls(API_KEY, key)

    def for_path(self, raw_path: str) -> "Credential":
        """Return the form that the API at ``raw_path`` understands."""
        token = self.value.rpartition(" ")[2]
        if token.startswith(_EPHEMERAL):
            return Credential(AUTHORIZATION, f"Token {token}")
        if self.header == API_KEY and "/openai/" in raw_path:
            return Credential(AUTHORIZATION, f"Bearer {self.value}")
        return self


@attrs.frozen
class Target:
    """Where a request goes; ``credential`` was in its query and is no longer."""

    url: URL
    credential: Credential | None = None


def target(base: URL, raw_path_qs: str) -> Target:
    """Return the upstream URL for a request target in origin form.

    ``base`` is the upstream's base URL, whose path is put in front. A doubled leading
    slash is collapsed: SDKs make it out of a base URL that ends with one. A model without a
    version (litellm, whose ``api_base`` wants one at its end) gets ``v1beta``, unless the
    base has a path, which may hold it. Raises BadRequest for a target that is not a path,
    climbs with ``..``, or cannot be written.
    """
    path, mark, query = raw_path_qs.partition("?")
    if not path.startswith("/") or _UNFIT_IN_TARGET.search(raw_path_qs):
        raise BadRequest("The request target is not a path.")
    path_as_read = unquote(path) if "%" in path else path
    if ".." in path_as_read and ".." in re.split(r"[/\\]", path_as_read):
        raise BadRequest("The request path must not contain '..'.")
    query, credential = _take_credential(query)
    mark = mark if query else ""
    path = f"/{path.lstrip('/')}"
    if path.startswith(_WITHOUT_VERSION) and base.raw_path == "/":
        path = f"/v1beta{path}"
    url = URL(f"{_prefix(base)}{path}{mark}{query}", encoded=True)
    return Target(url, credential)


@functools.lru_cache(maxsize=16)
def _prefix(base: URL) -> str:
    return f"{base.origin()}{base.raw_path.rstrip('/')}"


def _take_credential(query: str) -> tuple[str, Credential | None]:
    """Return ``query`` without its credential parameters, and the first of them."""
    if not _MAY_HOLD_CREDENTIAL.search(query):
        return query, None
    kept: list[str] = []
    found: list[Credential] = []
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        name, value = unquote(name), unquote(value)
        if name not in {"key", "access_token", "oauth_token"}:
            kept.append(pair)
        elif value and not _UNFIT.search(value):
            oauth = name != "key" and not is_api_key(value)
            found.append(
                Credential(AUTHORIZATION, f"Bearer {value}") if oauth else Credential.api_key(value)
            )
    return "&".join(kept), found[0] if found else None


def without_credential(url: str) -> str:
    """Return a URL or a target without the credential parameters of its query.

    So is a URL in the value of another parameter, as a page to log in is told where to go on.
    """
    path, _, query = url.partition("?")
    kept, _ = _take_credential(query)
    if "?" in kept or "%3f" in kept.lower():
        kept = "&".join(map(_without_inner_credential, kept.split("&")))
    return f"{path}?{kept}" if kept else path


def _without_inner_credential(pair: str) -> str:
    """Return a parameter as it is where its value is no URL with a credential."""
    name, mark, value = pair.partition("=")
    path, _, query = unquote(value).partition("?")
    kept, _ = _take_credential(query)
    if kept == query:
        return pair
    inner = f"{path}?{kept}" if kept else path
    return f"{name}{mark}{quote(inner, safe='')}"


def is_api_key(token: str) -> bool:
    """Tell whether a Bearer token has the form of a Gemini API key."""
    return _LOOKS_LIKE_API_KEY.match(token) is not None


def choose_credential(headers: Mapping[str, str], in_query: Credential | None) -> Credential | None:
    """Return the one credential to send up, or None when the client sent none."""
    key = headers.get(API_KEY, "").strip()
    authorization = headers.get(AUTHORIZATION, "").strip()
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    bearer = scheme.lower() in {"bearer", "token"} and bool(token)
    if key:
        return Credential.api_key(key)
    if bearer and not is_api_key(token):
        return Credential(AUTHORIZATION, authorization)
    if in_query is not None:
        return in_query
    if bearer:
        return Credential.api_key(token)
    return Credential(AUTHORIZATION, authorization) if token else None


def upstream_headers(
    headers: Mapping[str, str], sent: Credential | None, *, identity: bool
) -> CIMultiDict[str]:
    """Return what a request sends up, in the client's order.

    ``sent`` is the only credential among them. ``identity`` asks for an uncompressed
    answer, which a route that reads the body needs; otherwise the client's own
    Accept-Encoding passes.
    """
    passed = CIMultiDict(_end_to_end(headers, _REQUEST_ONLY_HERE, _REQUEST_PREFIXES))
    if identity:
        passed["Accept-Encoding"] = "identity"
    if sent is not None and not _UNFIT.search(sent.value):
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

    ``only_here`` and ``prefixes`` are the lower-case names that do not pass either.
    """
    ended = only_here | _named_by_connection(headers)
    passed = [
        (name, value)
        for name, value in headers.items()
        if (lower := name.lower()) not in ended and not lower.startswith(prefixes)
    ]
    if _UNFIT.search("".join([part for pair in passed for part in pair])):
        return [pair for pair in passed if not _UNFIT.search("".join(pair))]
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


def describe(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers as a log may hold them: secrets masked, URLs without their query."""
    return {name: _described(name.lower(), value) for name, value in headers.items()}


def _described(name: str, value: str) -> str:
    if name in _SECRET:
        return "***"
    return without_query(value) if name in _HOLDS_URL else value


def without_query(target: str) -> str:
    """Return a request target or URL up to its query, which may hold a key."""
    return target.partition("?")[0]
