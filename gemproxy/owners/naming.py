r"""The names in a request that bind it to an owner: in its path, its query and its body.

*Path*: see ``exchange.names``. *Query*: names in any parameter, also inside a filter. *Body*: the
strings of the JSON, at the places that are the API's own:

- members that are known to name something, in both spellings (``fileUri`` and ``file_uri``);
- any other string that is exactly a bound name, or the URI of one on Google's host or ours. So a
  field that Google adds tomorrow names its owner, too.

Text, the arguments and responses of functions and schemas are the client's own: a name in them
refers to nothing. Other people's URIs (YouTube, https, gs) bind nothing either, unless one has the
form of Gemini's and the name in it has an owner.

Nearly all bodies name nothing, and the type of most of them says so (``plain``). Of the others a
cheap look at the beginnings of their strings comes first; it notices escapes (``\u0066iles``). What
Google's lenient parser might read in another way than we do,
JSON in single quotes or in another encoding, is refused, and so is what cannot be read at all.
"""

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator
from urllib.parse import unquote, unquote_plus, urlsplit

import attrs
import msgspec

from gemproxy.core.errors import BadRequest, Encoded, TooLarge
from gemproxy.core.wire.strings import Strings, Text
from gemproxy.exchange.names import COLLECTIONS, bound_names, well_formed
from gemproxy.owners.plain import names_nothing

TOKENS = "continuationTokens"
HANDLES = "sessionHandles"
"""Our collections for what Google names by an opaque string: the id is its hash."""

_URIS = frozenset({"uri", "fileUri", "file_uri", "downloadUri", "download_uri"})
_TOKENS = frozenset({"continuationToken", "continuation_token"})
_SESSIONS = frozenset({"sessionResumption", "session_resumption"})
_PREVIOUS = frozenset({"previousInteractionId", "previous_interaction_id"})
_IDS = {
    **dict.fromkeys(_PREVIOUS, "interactions"),
    **dict.fromkeys(("interactionId", "interaction_id"), "interactions"),
    **dict.fromkeys(("cachedContent", "cached_content"), "cachedContents"),
    **dict.fromkeys(("fileName", "file_name", "fileId", "file_id"), "files"),
    **dict.fromkeys(("inputFileId", "input_file_id"), "files"),
    **dict.fromkeys(("fileSearchStoreNames", "file_search_store_names"), "fileSearchStores"),
    **dict.fromkeys(("environment", "environmentId", "environment_id"), "environments"),
    **dict.fromkeys(("agent", "agentId", "agent_id"), "agents"),
    **dict.fromkeys(("voice", "voiceName", "voice_name", "voiceId", "voice_id"), "voices"),
    **dict.fromkeys(("videoId", "video_id"), "videos"),
    **dict.fromkeys(("batchId", "batch_id"), "batches"),
}
"""Members that name something by its id alone, or with its collection in front."""

_CLIENTS_OWN = re.compile(
    r"/(?:(?:function|tool)_?[cC]all/(?:args|arguments)"
    r"|(?:function|tool)_?[rR]esponse/response"
    r"|(?:function_?[dD]eclarations|function|tools)/(?:parameters|response)\w*"
    r"|part_?[mM]etadata"
    r"|(?:_?response|input|output)?_?(?:[jJ]son)?_?[sS]chema|response_?[fF]ormat|arguments)/"
)
"""Places whose content is the client's own, or the model's, in the names on the way there."""
_TEXTS = frozenset(
    [
        *("text", "content", "input", "prompt", "instructions", "description", "title"),
        *("systemInstruction", "system_instruction", "displayName", "display_name"),
        *("stringValue", "string_value", "data", "query", "arguments"),
        *("signature", "thoughtSignature", "thought_signature"),
        *("code", "output", "result", "suffix", "stop", "stopSequences", "stop_sequences"),
    ]
)
"""Members whose string is text, or bytes."""

_NO_NAMES = frozenset(
    [
        *("fields", "$fields", "updateMask", "update_mask", "readMask", "read_mask"),
        *("pageToken", "page_token", "upload_id", "key", "access_token", "oauth_token"),
    ]
)
"""Parameters of a query that name members of an answer, or are opaque."""

_COLLECTION = "|".join([*sorted(COLLECTIONS, key=len, reverse=True), "models", "videos"])
_NAME = re.compile(
    rf"/*(?:v\d\w*/)?(?:{_COLLECTION})/[!-.0-~]+"
    r"(?:/(?:files/.+|(?:operations|documents|upload|media)/[!-~]+))?"
)
_ANYWHERE = re.compile(rf"(?:{_COLLECTION})/[^\s\"'?#()]+")
_URI = re.compile(r"(?:https?:)?/*//|https?:", re.IGNORECASE)
_VERSIONED = re.compile(rf"/v\d\w*/(?:{_COLLECTION})/")
_SCHEME = re.compile(r"\w[\w+.-]*:(?!/?(?:files|cached))")
_MEMBERS = "|".join(sorted({*_URIS, *_TOKENS, *_IDS, "handle"} - {"uri"}, key=len, reverse=True))
_FIRST = "".join(sorted({name[0] for name in f"{_COLLECTION}|{_MEMBERS}".split("|")} | set("uv")))
_HINT = re.compile(
    rb'"(?=[ /hH'
    + _FIRST.encode()
    + rb"])(?:[ /]*(?:v\d\w*/)?(?:"
    + _COLLECTION.replace("models|", "").encode()
    + rb'|models/[^"\\]{1,256}/operations)/| *(?:[hH][tT][tT][pP][sS]?:|//)|(?:uri|'
    + _MEMBERS.encode()
    + rb')")'
)
"""The beginning of a string that could name something, or of the name of such a member.

Its first character is looked at by itself, which is several times faster.
"""
_ESCAPED = re.compile(rb'"[\w /:.-]{0,64}\\(?:u00|/)')
"""The beginning of a string that could be one of those when its escapes are undone."""

_MAY_BE_JSON = frozenset(
    [
        *("", "application/json", "text/plain"),
        *("application/x-www-form-urlencoded", "application/octet-stream"),
    ]
)

_MOST = 1_000_000
"""Strings that are read of one body; that takes about two seconds."""

_valid = msgspec.json.Decoder(msgspec.Raw).decode

_UNREADABLE = "The request body must be JSON in UTF-8, for its names belong to their owners."


@attrs.frozen
class Names:
    """The names of a request, each once.

    ``target``: in the path. ``used``: in the query and the body. ``perhaps``: ids that may be names
    of Google's own (an agent, a voice), URIs that may be a gateway's, and what cannot be looked up
    (a token); they bind only where an owner is known.
    """

    target: tuple[str, ...] = ()
    used: tuple[str, ...] = ()
    perhaps: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.target or self.used or self.perhaps)


NO_NAMES = Names()


def hashed(collection: str, secret: str) -> str:
    """Return our name for an opaque token or handle; it does not reveal it."""
    digest = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{collection}/{digest[:32]}"


def names_in_path(path: str) -> tuple[str, ...]:
    """Return the names in a path that was decoded once, however often it is encoded."""
    names = dict.fromkeys(bound_names(path))
    while "%" in path and (decoded := unquote(path)) != path:
        path = decoded
        names.update(dict.fromkeys(bound_names(path)))
    return tuple(names)


def names_in_query(raw_query: str, hosts: Collection[str] = ()) -> tuple[str, ...]:
    """Return the names in the parameters of a query as it came."""
    if "/" not in raw_query and "%" not in raw_query:
        return ()
    names: dict[str, None] = {}
    for pair in raw_query.split("&"):
        member, _, given = pair.partition("=")
        value = unquote_plus(given)
        if unquote(member) not in _NO_NAMES:
            names.update(dict.fromkeys(names_of(value, hosts) or _within(value)))
    return tuple(names)


def names_in_body(body: bytes, hosts: Collection[str] = ()) -> Names:
    """Return the names in a JSON body.

    ``hosts`` are those whose URIs are names besides Google's: the upstream's and ours, with a port
    that is not the usual one.

    Raises BadRequest for a body that is not JSON, and TooLarge.
    """
    if names_nothing(body):
        return NO_NAMES
    _check(body)
    if not _may_name(body):
        return NO_NAMES
    used: dict[str, None] = {}
    perhaps: dict[str, None] = {}
    for number, text in enumerate(Strings().feed(body)):
        if number > _MOST:
            raise TooLarge("The request body has too many strings to be read for names.")
        if is_the_apis(text.names):
            used.update(dict.fromkeys(_of_text(text, hosts)))
            perhaps.update(dict.fromkeys(_perhaps(text)))
    return Names((), tuple(used), tuple(name for name in perhaps if name not in used))


def check_form(content_type: str, coding: str) -> None:
    """Raise Encoded for a body that is compressed or cannot be JSON, by its headers.

    curl and HTTP libraries name a type of their own where their user names none. A body that was
    read as JSON goes up as JSON (``relay.dispatcher``), so nothing reads it in another way.
    """
    if content_type == "application/json" and not coding:
        return
    if coding.strip().lower() not in {"", "identity"}:
        raise Encoded("Send the request body without a Content-Encoding.")
    kind, _, parameters = content_type.partition(";")
    kind = kind.strip().lower()
    charset = re.search(r"charset\s*=\s*\"?([\w-]+)", parameters, re.IGNORECASE)
    readable = kind in _MAY_BE_JSON or kind.endswith("+json")
    if not readable or (charset and charset[1].lower() not in {"utf-8", "utf8", "us-ascii"}):
        raise Encoded("Send the request body as application/json in UTF-8.")


def is_the_apis(names: Iterable[str]) -> bool:
    """Return whether a string at the end of ``names`` is the API's own, and no text."""
    way = tuple(names)
    if way and way[-1] in _TEXTS:
        return False
    return _CLIENTS_OWN.search(f"/{'/'.join(way)}/") is None


def names_of(value: str, hosts: Collection[str] = ()) -> tuple[str, ...]:
    """Return the names of a string that is exactly a bound name, or the URI of one."""
    value = value.strip(" ").rstrip("/")
    if _URI.match(value):
        return _of_uri(value, hosts)
    if _NAME.fullmatch(value.partition("?")[0]):
        return bound_names(f"/{value.partition('?')[0].lstrip('/')}")
    return ()


def bare_name(collection: str, value: str) -> Iterator[str]:
    """Yield the name of an id that stands without its collection, if it can be one."""
    name = value.strip(" ")
    if "/" not in name and well_formed(name):
        yield f"{collection}/{name}"


def _check(body: bytes) -> None:
    """Raise BadRequest for what is not JSON in UTF-8."""
    try:
        _valid(body)
    except (msgspec.DecodeError, RecursionError):
        try:  # which takes lone surrogates, too
            json.loads(body.decode())
        except (ValueError, RecursionError):
            raise BadRequest(_UNREADABLE) from None


def _may_name(body: bytes) -> bool:
    """Return, by a cheap look, whether a body may name something."""
    if _HINT.search(body) is not None:
        return True
    escapes = b"\\u00" in body or b"\\/" in body
    return escapes and _ESCAPED.search(body) is not None


def _of_text(text: Text, hosts: Collection[str]) -> tuple[str, ...]:
    """Return the names that a string at a place of the API's own has for certain."""
    member = text.names[-1] if text.names else ""
    names = names_of(text.value, hosts)
    if names:
        return names
    if member in _IDS or (member in _URIS and not _SCHEME.match(text.value.strip(" "))):
        found = _within(text.value)
        if found:
            return found
    return tuple(bare_name("interactions", text.value)) if member in _PREVIOUS else ()


def _perhaps(text: Text) -> Iterator[str]:
    """Yield the names that a string has if an owner of them is known."""
    member = text.names[-1] if text.names else ""
    if member in _TOKENS:
        yield hashed(TOKENS, text.value)
    elif member == "handle" and not _SESSIONS.isdisjoint(text.names):
        yield hashed(HANDLES, text.value)
    elif member in _IDS:
        yield from bare_name(_IDS[member], text.value)
    elif member in _URIS:
        yield from _of_a_gateway(text.value)


def _of_uri(uri: str, hosts: Collection[str]) -> tuple[str, ...]:
    """Return the names in the path of a URI on Google's host or ours."""
    try:
        parts = urlsplit(uri.replace("\\", "/"))
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return _within(uri)
    if not host:
        return _within(uri)
    googles = host.endswith(".googleapis.com") and "generativelanguage" in host
    if googles or host in hosts or f"{host}:{port}" in hosts:
        return names_in_path(unquote(parts.path))
    return ()


def _of_a_gateway(uri: str) -> tuple[str, ...]:
    """Return the names in a URI on any host, which may be a gateway's, by the form of its path."""
    path = uri.partition("://")[2].partition("?")[0]
    return names_in_path(unquote(path)) if _VERSIONED.search(path) else ()


def _within(value: str) -> tuple[str, ...]:
    """Return the names that stand anywhere in a string that is no text."""
    found = [bound_names(f"/{name}") for name in _ANYWHERE.findall(unquote(value))]
    return tuple(dict.fromkeys(name for names in found for name in names))
