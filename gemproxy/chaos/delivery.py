"""A reply and its fault -> the steps on the connection.

Sans-IO: ``wire`` carries the steps out. ``compose`` applies faults of frames (an error frame, a bad
finishReason) to the pieces; ``deliver`` applies faults of bytes (an end, a reset, a wrong chunk) to
the steps.
"""

import enum
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus

import attrs

from gemproxy.chaos.faults import (
    CUTS,
    INSERTS,
    Fault,
    Kind,
    Place,
    Where,
    error_of,
    html_page,
)
from gemproxy.chaos.frames import Document
from gemproxy.chaos.framing import Framing, Style, pretty


class Transfer(enum.Enum):
    """How the end of a body is marked for the client."""

    CHUNKED = "chunked"
    LENGTH = "length"
    CLOSE = "close"


@attrs.frozen
class Send:
    """Write these bytes."""

    data: bytes


@attrs.frozen
class Pause:
    """Wait as long as the server waits between two events."""


@attrs.frozen
class Flood:
    """Write these bytes again and again until the peer closes."""

    data: bytes


class Close(enum.Enum):
    """The state of the connection after the response."""

    KEEP = "keep"  # wait for the next request
    FIN = "fin"
    RST = "rst"
    HANG = "hang"  # nothing more until the peer closes


Step = Send | Pause | Flood | Close


@attrs.frozen
class Reply:
    """An HTTP response before a fault; its body is the joined ``pieces``."""

    status: int
    headers: tuple[tuple[str, str], ...]
    pieces: tuple[bytes, ...]

    @property
    def body(self) -> bytes:
        """The whole body."""
        return b"".join(self.pieces)


class NoSuchPlace(ValueError):
    """The answer has no place of the fault's kind."""


def compose(documents: Sequence[Document], framing: Framing, fault: Fault | None) -> Reply:
    """Return the reply with ``documents``, with the faults of frames applied.

    Raises NoSuchPlace.
    """
    if fault is not None and fault.kind in _WHOLE:
        return _WHOLE[fault.kind](fault, framing)
    if fault is not None and fault.kind in INSERTS:
        pieces = _inserted(documents, framing, fault)
    else:
        pieces = _framed(documents, framing)
    return Reply(200, (("Content-Type", framing.content_type),), tuple(pieces))


@attrs.frozen
class Wiring:
    """The transfer coding; ``write_size`` cuts every piece into writes of so many bytes."""

    transfer: Transfer = Transfer.CHUNKED
    write_size: int | None = None


def deliver(reply: Reply, fault: Fault | None, wiring: Wiring) -> Iterator[Step]:
    """Yield the steps that send ``reply``, the last of them a Close.

    Raises NoSuchPlace before the first step.
    """
    if fault is None:
        return _complete(reply, wiring)
    if fault.kind is Kind.DRIP:
        return _complete(reply, attrs.evolve(wiring, write_size=fault.size))
    if fault.kind is Kind.ENDLESS_LINE:
        return _endless(reply, wiring)
    if fault.kind not in CUTS:
        return _complete(reply, wiring)
    if fault.at.where is Where.HEADERS:
        return iter((_ENDS[fault.kind],))
    wiring = attrs.evolve(wiring, transfer=_NEEDED.get(fault.kind, wiring.transfer))
    return _cut_short(reply, fault.kind, offset(fault.at, reply.pieces), wiring)


def offset(place: Place, pieces: Sequence[bytes]) -> int:
    """Return how many bytes of the body go out before ``place``; raise NoSuchPlace."""
    total = sum(map(len, pieces))
    if place.where is Where.BYTE:
        return min(place.number, total)
    if place.where is Where.EVENT:
        return sum(map(len, pieces[: place.number]))
    if place.where is Where.UTF8:
        return _inside_character(b"".join(pieces), place.number)
    if place.where is Where.THINKING:
        return sum(map(len, pieces[: _first_thought(pieces) + 1]))
    return total


def _inside_character(body: bytes, number: int) -> int:
    leads = (at for at, value in enumerate(body) if value >= 0xC0)  # noqa: PLR2004 - UTF-8 lead
    try:
        return next(itertools.islice(leads, max(number, 1) - 1, None)) + 1
    except StopIteration:
        raise NoSuchPlace(f"the answer has no {number} multi-byte characters") from None


def _first_thought(pieces: Sequence[bytes]) -> int:
    for index, piece in enumerate(pieces):
        if b'"thought": true' in piece:
            return index
    raise NoSuchPlace("the answer has no thoughts")


def _frames_before(place: Place, pieces: Sequence[bytes]) -> int:
    """Return the number of whole frames that contain the bytes before ``place``."""
    bytes_before = offset(place, pieces)
    ends = itertools.accumulate(map(len, pieces), initial=0)
    return next(count for count, end in enumerate(ends) if end >= bytes_before)


def _framed(documents: Iterable[Document], framing: Framing) -> list[bytes]:
    pieces = [framing.frame(d, first=i == 0) for i, d in enumerate(documents)]
    closing = framing.closing(empty=not pieces)
    return [*pieces, closing] if closing else pieces


def _inserted(documents: Sequence[Document], framing: Framing, fault: Fault) -> list[bytes]:
    pieces = [framing.frame(d, first=i == 0) for i, d in enumerate(documents)]
    count = _frames_before(fault.at, pieces)
    before = list(documents[:count])
    if fault.kind is Kind.ERROR_FRAME:
        return _framed([*before, error_of(fault)], framing)
    if fault.kind is Kind.BAD_FINISH:
        return _framed(_finished(before, fault.reason), framing)
    if fault.kind is Kind.BARE:
        return _with_a_bare_one(documents, pieces, framing, count)
    if fault.kind is Kind.GARBAGE:
        pieces.insert(count, framing.garbage())
        return [*pieces, framing.closing(empty=False)]
    tail = (
        framing.line_without_end()
        if fault.kind is Kind.ENDLESS_LINE
        else pretty(error_of(fault)).encode()
    )
    return [*pieces[:count], tail]


def _with_a_bare_one(
    documents: Sequence[Document], pieces: list[bytes], framing: Framing, count: int
) -> list[bytes]:
    """Remove the framing of the frame after so many others; raise NoSuchPlace."""
    if framing.style is not Style.SSE or count >= len(documents):
        raise NoSuchPlace("the answer has no event there")
    return [*pieces[:count], framing.bare(documents[count]), *pieces[count + 1 :]]


def _finished(documents: list[Document], reason: str) -> list[Document]:
    """Give the last of ``documents`` this ``reason``; add a frame if there is none."""
    if not documents or not documents[-1].get("candidates"):
        finish = {"content": {"role": "model"}, "finishReason": reason, "index": 0}
        return [*documents, {"candidates": [finish]}]
    *before, last = documents
    first, *rest = last["candidates"]
    return [*before, {**last, "candidates": [{**first, "finishReason": reason}, *rest]}]


_WHOLE: Mapping[Kind, Callable[[Fault, Framing], Reply]] = {
    Kind.STATUS: lambda fault, framing: Reply(
        fault.code,
        (("Content-Type", framing.content_type), *fault.headers),
        (framing.rejection(error_of(fault)) if fault.body is None else fault.body,),
    ),
    Kind.HTML: lambda fault, _: Reply(
        fault.code,
        (("Content-Type", "text/html; charset=utf-8"), *fault.headers),
        (html_page(fault) if fault.body is None else fault.body,),
    ),
    Kind.EMPTY: lambda _, framing: Reply(200, (("Content-Type", framing.content_type),), ()),
    Kind.BAD_GZIP: lambda _, framing: Reply(
        200,
        (("Content-Type", framing.content_type), ("Content-Encoding", "gzip")),
        (b"\x1f\x8b\x08\x00 this is no deflate stream",),
    ),
}

_NEEDED: Mapping[Kind, Transfer] = {
    Kind.TRUNCATED_CHUNK: Transfer.CHUNKED,
    Kind.BAD_CHUNK: Transfer.CHUNKED,
    Kind.SHORT_LENGTH: Transfer.LENGTH,
}
_ENDS: Mapping[Kind, Close] = {
    Kind.FIN: Close.FIN,
    Kind.RST: Close.RST,
    Kind.STALL: Close.HANG,
    Kind.SHORT_LENGTH: Close.FIN,
    Kind.TRUNCATED_CHUNK: Close.FIN,
    Kind.BAD_CHUNK: Close.FIN,
}
_MISSING = 64  # bytes that a truncated chunk announces and never gets
_FLOOD = b"x" * 65536


def _complete(reply: Reply, wiring: Wiring) -> Iterator[Step]:
    yield _head(reply, wiring.transfer, len(reply.body))
    yield from _paced(reply.pieces, wiring)
    yield from _proper_end(wiring.transfer)


def _endless(reply: Reply, wiring: Wiring) -> Iterator[Step]:
    wiring = attrs.evolve(wiring, transfer=Transfer.CHUNKED)
    yield _head(reply, wiring.transfer, 0)
    yield from _paced(reply.pieces, wiring)
    yield Flood(_chunk(_FLOOD))
    yield Close.FIN


def _cut_short(reply: Reply, kind: Kind, cut: int, wiring: Wiring) -> Iterator[Step]:
    clean = kind is Kind.CLEAN_EOF
    pieces = _first_bytes(reply.pieces, cut)
    yield _head(reply, wiring.transfer, cut if clean else len(reply.body))
    if kind is Kind.TRUNCATED_CHUNK:
        last = pieces.pop() if pieces else b""
        yield from _paced(pieces, wiring)
        yield Send(b"%x\r\n" % (len(last) + _MISSING) + last)
    else:
        yield from _paced(pieces, wiring)
    if kind is Kind.BAD_CHUNK:
        yield Send(b"no-number\r\n")
    if clean:
        yield from _proper_end(wiring.transfer)
    else:
        yield _ENDS[kind]


def _paced(pieces: Iterable[bytes], wiring: Wiring) -> Iterator[Step]:
    for number, piece in enumerate(pieces):
        if number:
            yield Pause()
        for data in _slices(piece, wiring.write_size or len(piece)):
            yield Send(_chunk(data) if wiring.transfer is Transfer.CHUNKED else data)


def _proper_end(transfer: Transfer) -> Iterator[Step]:
    if transfer is Transfer.CHUNKED:
        yield Send(b"0\r\n\r\n")
    yield Close.FIN if transfer is Transfer.CLOSE else Close.KEEP


def _first_bytes(pieces: Iterable[bytes], count: int) -> list[bytes]:
    kept = []
    for piece in pieces:
        if count <= 0:
            break
        kept.append(piece[:count])
        count -= len(piece)
    return kept


def _slices(piece: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(piece), size or 1):
        yield piece[start : start + size]


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _head(reply: Reply, transfer: Transfer, length: int) -> Send:
    ends_with = {
        Transfer.CHUNKED: ("Transfer-Encoding", "chunked"),
        Transfer.LENGTH: ("Content-Length", str(length)),
        Transfer.CLOSE: ("Connection", "close"),
    }[transfer]
    lines = [f"{name}: {value}\r\n" for name, value in (*reply.headers, ends_with)]
    return Send(f"HTTP/1.1 {reply.status} {_phrase(reply.status)}\r\n{''.join(lines)}\r\n".encode())


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
