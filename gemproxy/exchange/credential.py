"""The credential of a request, from any of its possible places.

The upstream gets *one* credential, in a header. It is chosen in this order: the ``x-goog-api-key``
header, an OAuth ``Authorization``, the query (``key``, ``access_token``, ``oauth_token``), an API
key as a Bearer token, any other ``Authorization``. Google answers 400 to two credentials, and 401
to an API key that is sent as a Bearer token, except under ``/openai/``, which accepts only Bearer.
The ephemeral tokens of Live have their own scheme, ``Token``; google-genai also sends one in place
of a key, @google/genai in the query.
"""

import binascii
import functools
import re
from base64 import b64decode
from collections.abc import Mapping
from urllib.parse import quote, unquote

import attrs

API_KEY = "x-goog-api-key"
AUTHORIZATION = "Authorization"

UNFIT = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udc7f\udd00-\udfff]")
"""Characters that headers must not contain (RFC 9110, 5.5); surrogates of PEP 383 are bytes."""

_EPHEMERAL = "auth_tokens/"
OTHER_HEADERS = ("x-api-key", "api-key")
"""Headers of other vendors' SDKs; a request with the pool's key does not take them along."""
TAKEN_HEADERS = frozenset({API_KEY, AUTHORIZATION.lower(), "cookie", *OTHER_HEADERS})
"""Headers that never go up as they came."""
_IN_QUERY = frozenset({"key", "access_token", "oauth_token"})
_SYSTEM = frozenset(
    f"{mark}{name}"
    for mark in ("", "$")
    for name in ("key", "access_token", "oauth_token", "userProject", "httpHeaders")
)
"""Google's system parameters that say who asks, or set a header that does."""
_KEYS = (API_KEY, *OTHER_HEADERS)
_AUTHORIZATION, _SUBPROTOCOLS, _FURTHER = len(_KEYS), len(_KEYS) + 1, len(_KEYS) + 2
"""Places of credentials in headers; those before them are ``_KEYS``."""
_NOT_FURTHER = frozenset({*_KEYS, AUTHORIZATION.lower(), "proxy-authorization"})
_SPEAKS_OF_ONE = re.compile(r"key|token|auth|secret|passw")
"""In the name of a header that nobody takes a credential from, although it may have one."""
_SUBPROTOCOL = "sec-websocket-protocol"
_OF_GOOGLE = re.compile(r"AIza|AQ\.|ya29\.|auth_tokens/.|eyJ[\w-]+\.[\w-]+\.[\w-]*\Z")
_LOOKS_LIKE_API_KEY = re.compile(r"AIza|AQ\.")
_MAY_HOLD_CREDENTIAL = re.compile(r"key|token|%")


@attrs.frozen
class Credential:
    """A credential: the name of its header and the whole value."""

    header: str
    value: str = attrs.field(repr=False)

    @classmethod
    def api_key(cls, key: str) -> "Credential":
        """Return the credential for a Gemini API key."""
        return cls(API_KEY, key)

    def for_path(self, raw_path: str) -> "Credential":
        """Return the form that the API at ``raw_path`` accepts."""
        token = ephemeral(self)
        if token:
            return Credential(AUTHORIZATION, f"Token {token}")
        if self.header == API_KEY and "/openai/" in raw_path:
            return Credential(AUTHORIZATION, f"Bearer {self.value}")
        return self


def is_api_key(token: str) -> bool:
    """Return whether a Bearer token has the form of a Gemini API key."""
    return _LOOKS_LIKE_API_KEY.match(token) is not None


def is_googles(token: str) -> bool:
    """Return whether a token has a form of Google's: API key, OAuth, JWT, ephemeral token."""
    return _OF_GOOGLE.match(token) is not None


def ephemeral(credential: Credential | None) -> str:
    """Return the ephemeral token that a credential is, ``auth_tokens/x``; empty if it is none."""
    token = "" if credential is None else credential.value.rpartition(" ")[2]
    return token if token.startswith(_EPHEMERAL) else ""


def brought(headers: Mapping[str, str], query: str) -> tuple[list[str], list[str]]:
    """Return every credential of a request, without its scheme.

    The first list has those in places from which a credential is taken before the request goes up
    with another one. The second list has values that would go up: those in further parameters of
    the query, in subprotocols, and in headers whose names speak of a key or a token.
    """
    found: list[tuple[int, str]] = []
    offered: list[str] = []
    further: list[str] = []
    for name, value in headers.items():
        place = _place(name)
        if place is None:
            continue
        if place < _AUTHORIZATION:
            found.append((place, value.strip()))
        elif place == _AUTHORIZATION:
            found += [(place, key) for key in _in_authorization(value.strip())]
        elif place == _SUBPROTOCOLS:
            parts = [part.strip() for part in value.split(",")]
            offered += [one for part in parts for one in (part, part.rpartition(".")[2])]
        else:
            further.append(value.strip().rpartition(" ")[2])
    if len(found) > 1:
        found.sort(key=_rank)
    taken = [key for _, key in found if key]
    if not query:
        return taken, offered + further
    in_query, passed = _values_of(query)
    return taken + in_query, passed + offered + further


def _values_of(query: str) -> tuple[list[str], list[str]]:
    """Return the credentials in a query, and the values of its other parameters."""
    taken: list[str] = []
    passed: list[str] = []
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if "%" in pair:
            name, value = unquote(name), unquote(value)
        value = value.strip()
        if name not in _IN_QUERY:
            passed.append(value)
        elif value:
            taken.append(value)
    return taken, passed


def _rank(found: tuple[int, str]) -> int:
    return found[0]


@functools.lru_cache(maxsize=512)
def _place(header: str) -> int | None:
    """Return which place of credentials a header is; None for one that has none."""
    name = header.lower()
    if name in _KEYS:
        return _KEYS.index(name)
    if name == AUTHORIZATION.lower():
        return _AUTHORIZATION
    if name == _SUBPROTOCOL:
        return _SUBPROTOCOLS
    speaks = name not in _NOT_FURTHER and _SPEAKS_OF_ONE.search(name)
    return _FURTHER if speaks else None


def in_path(path: str) -> list[str]:
    """Return the pieces of a decoded path that could be a credential."""
    pieces = path.split("/")
    if ":" not in path:
        return pieces
    return pieces + [part for piece in pieces if ":" in piece for part in piece.split(":")]


def _in_authorization(value: str) -> list[str]:
    """Return the credentials in an Authorization header; Basic has two, of which one may be it."""
    scheme, _, token = value.partition(" ")
    if scheme.lower() != "basic":
        return [(token or scheme).strip()]
    try:
        decoded = b64decode(token.strip(), validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError):
        return [token.strip()]
    return [part for part in decoded.partition(":")[::2] if part]


def choose_credential(headers: Mapping[str, str], in_query: Credential | None) -> Credential | None:
    """Return the credential for the upstream, or None if the client sent none."""
    key = headers.get(API_KEY, "").strip()
    if key:
        return Credential.api_key(key)
    authorization = headers.get(AUTHORIZATION, "").strip()
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    bearer = scheme.lower() in {"bearer", "token"} and bool(token)
    if bearer and not is_api_key(token):
        return Credential(AUTHORIZATION, authorization)
    if in_query is not None:
        return in_query
    if bearer:
        return Credential.api_key(token)
    return Credential(AUTHORIZATION, authorization) if token else None


def of_openai(headers: Mapping[str, str], in_query: Credential | None) -> Credential | None:
    """Return the credential of a client of OpenAI's dialect for Gemini's own API.

    Its SDKs have one place for a key of any form, the Bearer token. One that has the form of
    Google's other tokens stays what it is.
    """
    chosen = choose_credential(headers, in_query)
    if chosen is None or chosen.header == API_KEY:
        return chosen
    scheme, _, token = chosen.value.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or (is_googles(token) and not is_api_key(token)):
        return chosen
    return Credential.api_key(token)


def take_credential(query: str) -> tuple[str, Credential | None]:
    """Return ``query`` without its credential parameters, and the first of them."""
    if not _MAY_HOLD_CREDENTIAL.search(query):
        return query, None
    kept: list[str] = []
    found: list[Credential] = []
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        name, value = unquote(name), unquote(value)
        if name not in _IN_QUERY:
            kept.append(pair)
        elif value and not UNFIT.search(value):
            oauth = name != "key" and not is_api_key(value)
            found.append(
                Credential(AUTHORIZATION, f"Bearer {value}") if oauth else Credential.api_key(value)
            )
    return "&".join(kept), found[0] if found else None


def without_identity(query: str) -> str:
    """Return ``query`` without Google's system parameters that say who asks."""
    if "$" not in query and "%" not in query and "userProject" not in query:
        return query
    pairs = query.split("&")
    return "&".join(pair for pair in pairs if unquote(pair.partition("=")[0]) not in _SYSTEM)


def without_credential(url: str) -> str:
    """Return a URL or a target without the credential parameters of its query.

    A URL in the value of another parameter, as for a login page, loses them as well.
    """
    path, _, query = url.partition("?")
    kept, _ = take_credential(query)
    if "?" in kept or "%3f" in kept.lower():
        kept = "&".join(map(_without_inner_credential, kept.split("&")))
    return f"{path}?{kept}" if kept else path


def _without_inner_credential(pair: str) -> str:
    """Return a parameter; if its value is a URL, without credentials in it."""
    name, mark, value = pair.partition("=")
    path, _, query = unquote(value).partition("?")
    kept, _ = take_credential(query)
    if kept == query:
        return pair
    inner = f"{path}?{kept}" if kept else path
    return f"{name}{mark}{quote(inner, safe='')}"
