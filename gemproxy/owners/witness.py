"""The witness: reads the names in an answer while it passes, before its client gets them.

Which answers name what their client made is known by the request and the head:

| answer                                                    | names in it                          |
|-----------------------------------------------------------|--------------------------------------|
| to a generation                                           | continuationToken                    |
| JSON to a POST, PUT or PATCH of anything else             | ``name``, ``id``, ``uri`` ... below  |
| JSON to a GET of one bound resource                       | the same: what came of an operation  |
| events of an interaction                                  | the same                             |
| to a DELETE of one bound resource                         | what its path names is gone          |
| lists, the content of files, all else                     | none                                 |

A list shows what the whole project has, so nobody becomes an owner by asking for one. Text, calls
and all else that a model says names nothing (``naming.is_the_apis``), and neither do other members
than those that the API names things by.
"""

import functools
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

import attrs

from gemproxy.core.wire.strings import Strings, Text
from gemproxy.exchange.exchange import Exchange
from gemproxy.exchange.names import COLLECTIONS, bound_names
from gemproxy.owners.naming import HANDLES, TOKENS, bare_name, hashed, is_the_apis, names_of

_OK = 200
_REDIRECTS = 300
_CREATING = frozenset({"POST", "PUT", "PATCH"})
_GENERATES = re.compile(r":(?:stream)?[gG]enerate\w+$|/completions/?$")
_COMPUTES = re.compile(
    r":(?:countTokens|embedContent|batchEmbedContents|predict)$|/openai/(?:embeddings|images/.*)$"
)
_OPERATION = re.compile(r"/operations/[^/:]+$")
_CONTENT = re.compile(r"(?:^|&)(?:%24|\$)?alt=(?:media|proto)")
_BARE = {
    **dict.fromkeys(("environmentId", "environment_id"), "environments"),
    **dict.fromkeys(("interactionId", "interaction_id"), "interactions"),
}
_NAMED_BY = frozenset(
    [
        *("name", "uri", "downloadUri", "download_uri", "tunedModel", "tuned_model"),
        *("responsesFile", "responses_file", "outputFileId", "output_file_id"),
        *("errorFileId", "error_file_id", *_BARE),
    ]
)
_TOKEN = frozenset({"continuationToken", "continuation_token"})
_HANDLE = frozenset({"newHandle", "new_handle"})
_SAID = frozenset({"candidates", "args", "arguments", "result", "results"})
"""What a model or a tool says, in the answer of a batch, too."""
_ENDS = frozenset({"expireTime", "expire_time", "expirationTime", "expiration_time"})
_MARK = b"ontinuation"
_SHORT = len(_MARK)
_MOST = 1 << 20
_FEW = 64
_EVENTS = "text/event-stream"
_READ = frozenset({"application/json", _EVENTS})
_ANY_WINDOW = zlib.MAX_WBITS | 32
_PACKED = (b"\x1f\x8b", b"\x78")
"""The first bytes of gzip and zlib; no JSON and no event begins so."""

Named = dict[str, float | None]
"""Names, with the time at which each is over; see ``relay.leases.Witness``."""
_NOTHING: Mapping[str, float | None] = {}


@attrs.define(eq=False)
class TokenWitness:
    """Reads the continuationTokens of a generation.

    ``lines``: the answer is a stream of events, each in a line. A line, or a document, is read only
    when the ``mark`` of a token was seen in it; a stretch without a mark costs a search, and a read
    that ends with a line and has no mark needs no look, unless something ``waits``.
    """

    lines: bool
    mark: bytes = _MARK
    waits: bool = False
    _text: bytes | bytearray = b""
    _marked: bool = False
    _told: Mapping[str, float | None] = _NOTHING
    _strings: Strings | None = None

    def look(self, data: bytes, *, anew: bool = False) -> Mapping[str, float | None]:
        """Return the tokens in ``data``, the next bytes; b"" is the end.

        ``anew``: what came before is known to have none that has not been returned.
        """
        if anew:
            self._text, self._marked, self._strings = b"", False, None
            self._told, self.waits = _NOTHING, not self.lines
        if not data:
            return _NOTHING
        if self._strings is not None:
            return dict.fromkeys(_tokens(self._strings, data))
        text, named = self._text, _NOTHING
        if self._marked or _MARK in data or (text and _MARK in text[-_SHORT:] + data[:_SHORT]):
            strings = Strings()
            found = dict.fromkeys(_tokens(strings, bytes(text + data)))
            named = {name: None for name in found if name not in self._told}
            self._told = found  # a line that goes on is read again from its beginning
            self._strings = None if self.lines else strings
            self._marked = True
        self._keep(data)
        return named

    def _keep(self, data: bytes) -> None:
        """Keep what the next bytes may go on with: the line that has begun, or the document."""
        end = data.rfind(b"\n") + 1 if self.lines else 0
        if end or not self._text:
            self._text = data[end:]
        elif isinstance(self._text, bytearray):
            self._text += data
        else:
            self._text = bytearray(self._text + data)
        self._marked = self._marked and _MARK in self._text
        if not self._text:
            self._told = _NOTHING
        if len(self._text) > _MOST:  # an image
            self._text = bytes(self._text[-_SHORT:])
        self.waits = bool(self._text) or not self.lines


@attrs.define(eq=False)
class DocumentWitness:
    """Reads the names in JSON, or in the JSON of events.

    ``ids`` is the collection of a top-level ``id``, empty if it is none. ``hosts``: see
    ``naming.names_of``.
    """

    ids: str = ""
    hosts: frozenset[str] = frozenset()
    mark: bytes = b""
    waits: bool = True
    _strings: Strings = attrs.field(factory=Strings)
    _named: dict[tuple[str, ...], list[str]] = attrs.field(factory=dict)
    _ends: dict[tuple[str, ...], float | None] = attrs.field(factory=dict)
    _unpack: Callable[[bytes], bytes] | None = None

    def look(self, data: bytes, *, anew: bool = False) -> Named:
        """Return the names in ``data``, the next bytes; nothing is left out before them."""
        del anew
        named: Named = {}
        for text in self._strings.feed(self._unpacked(data)):
            member, place = text.names[-1] if text.names else "", text.names[:-1]
            if member in _ENDS and len(self._ends) < _FEW:
                self._ends[place] = _seconds(text.value)
                named.update(dict.fromkeys(self._named.get(place, ()), self._ends[place]))
                continue
            for name in self._names(text, member):
                named[name] = self._ends.get(place) or named.get(name)
                if len(self._named) < _FEW:
                    self._named.setdefault(place, []).append(name)
        return named

    def _unpacked(self, data: bytes) -> bytes:
        """Return what the bytes say; an upstream may compress what was asked for without."""
        if self._unpack is None:
            packed = data.startswith(_PACKED)
            self._unpack = zlib.decompressobj(_ANY_WINDOW).decompress if packed else bytes
        try:
            return self._unpack(data)
        except zlib.error:
            return b""

    def _names(self, text: Text, member: str) -> Iterator[str]:
        """Yield the names that a string of an answer is."""
        names, value = text.names, text.value
        if not is_the_apis(names) or not _SAID.isdisjoint(names):
            return
        if member in _TOKEN:
            yield hashed(TOKENS, value)
        elif member == "id" and self.ids and names in {("id",), ("interaction", "id")}:
            yield from names_of(value, self.hosts) or bare_name(self.ids, value)
        elif member in _BARE:
            yield from names_of(value, self.hosts) or bare_name(_BARE[member], value)
        elif member in _NAMED_BY:
            yield from names_of(value, self.hosts)


@attrs.define(eq=False)
class GoneWitness:
    """Says at the end of an answer that what a DELETE named is gone."""

    names: tuple[str, ...]
    mark: bytes = b""
    waits: bool = True

    def look(self, data: bytes, *, anew: bool = False) -> Named:
        """Return the names at the end, as over."""
        del anew
        return {} if data else dict.fromkeys(self.names, 0.0)


Witnesses = TokenWitness | DocumentWitness | GoneWitness


@attrs.frozen
class _Path:
    """What a path says of the answer: its names, and the collection of an ``id`` at its top.

    ``whole``: it is that of one bound resource.
    """

    generates: bool
    computes: bool
    operation: bool
    whole: bool
    names: tuple[str, ...]
    collection: str


@functools.lru_cache(maxsize=1024)
def _read(path: str) -> _Path:
    """Return what a decoded path says; nearly all requests have one of few."""
    path = path.rstrip("/")
    names = bound_names(path)
    return _Path(
        _GENERATES.search(path) is not None,
        _COMPUTES.search(path) is not None,
        _OPERATION.search(path) is not None,
        len(names) == 1 and path.endswith(f"/{names[0].rpartition('/')[2]}"),
        names,
        _collection(path),
    )


def witness_of(
    exchange: Exchange,
    status: int,
    headers: Mapping[str, str],
    hosts_of: Callable[[Exchange], frozenset[str]] = lambda _: frozenset(),
) -> Witnesses | None:
    """Return what reads the answer with this head to a request of an access key, if anything.

    ``hosts_of`` returns the hosts whose URIs are names, see ``naming.names_of``.
    """
    if status < _OK or status >= _REDIRECTS:
        return None
    path = _read(exchange.path)
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if path.generates and exchange.method == "POST":
        return TokenWitness(lines=kind == _EVENTS)
    if exchange.method == "DELETE":
        return GoneWitness(path.names) if path.whole else None
    if kind not in _READ or not _may_name(exchange, path):
        return None
    return DocumentWitness(path.collection, hosts_of(exchange))


def handles_in(message: bytes) -> Named:
    """Return the session handles in a message of Live from Google."""
    return {
        hashed(HANDLES, text.value): None
        for text in Strings().feed(message)
        if text.names and text.names[-1] in _HANDLE and is_the_apis(text.names)
    }


def _may_name(exchange: Exchange, path: _Path) -> bool:
    """Return whether the JSON answer to a request may name what its client made."""
    if exchange.method in _CREATING:
        return not path.computes
    one = path.whole or path.operation
    return exchange.method == "GET" and one and not _CONTENT.search(exchange.raw_query)


def _collection(path: str) -> str:
    """Return the collection in a path whose ids are members ``id`` at the top of an answer."""
    segments = path.split("/")
    known = COLLECTIONS | {"videos"} if "openai" in segments else COLLECTIONS
    return next((segment for segment in segments if segment in known), "")


def _tokens(strings: Strings, data: bytes) -> Iterator[str]:
    """Yield the names of the continuationTokens in the next bytes of an answer."""
    for found in strings.feed(data):
        if found.names and found.names[-1] in _TOKEN and is_the_apis(found.names):
            yield hashed(TOKENS, found.value)


def _seconds(time: str) -> float | None:
    """Return an RFC 3339 time in Unix seconds, None for anything else."""
    try:
        return datetime.fromisoformat(time).timestamp()
    except ValueError:
        return None
