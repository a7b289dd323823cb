"""The hot path: all plain events of one read of an undisturbed stream, decoded together.

Nearly every event has the visible text of one candidate and nothing else. While a stream runs
undisturbed, such an event needs no decision: its bytes go out as they came, and its text is
recorded. So a run of them is a single input for the machine, without the objects for each event (a
frame, a chunk, an action), which would cost more than the decoding.

The msgspec type decides which events are plain. Each event is decoded once. An event with a
finishReason, a thought, a call, an error, several candidates or any other field to decide on does
not fit `_Plain`; the run ends before it, and ``chunk.read`` decodes that event.
"""

from typing import Annotated, Literal

import msgspec

_START = b"data: "
_NO_USAGE = (msgspec.Raw(b"null"), msgspec.Raw(b"{}"))
_LF, _CR = 0x0A, 0x0D


class _Part(msgspec.Struct, gc=False, rename="camel"):
    text: Annotated[str, msgspec.Meta(min_length=1)]
    thought: None = None
    function_call: None = None


class _Content(msgspec.Struct, gc=False):
    parts: tuple[_Part]


class _Candidate(msgspec.Struct, gc=False, rename="camel"):
    content: _Content
    finish_reason: None = None
    continuation_token: None = None
    grounding_metadata: None = None
    index: Literal[0] = 0


class _Plain(msgspec.Struct, gc=False, rename="camel"):
    candidates: tuple[_Candidate]
    usage_metadata: msgspec.Raw = msgspec.Raw()
    prompt_feedback: None = None
    error: None = None
    response_id: str | None = None
    model_version: str | None = None


_decode = msgspec.json.Decoder(_Plain).decode


class Flow(msgspec.Struct, frozen=True, gc=False):
    """A run of plain events: their bytes, and each event decoded."""

    raw: bytes
    count: int
    separator: bytes
    events: list[_Plain]

    def frames(self) -> list[tuple[bytes, bytes]]:
        """Return the bytes and the JSON of each event."""
        return split(self.raw, self.separator)

    @property
    def texts(self) -> list[str]:
        """The visible text of each event."""
        return [event.candidates[0].content.parts[0].text for event in self.events]

    @property
    def usages(self) -> list[bytes]:
        """The usageMetadata of each event that has one that is neither null nor empty."""
        given = (event.usage_metadata for event in self.events)
        return [bytes(usage) for usage in given if usage and usage not in _NO_USAGE]

    @property
    def usage(self) -> msgspec.Raw:
        """The last usageMetadata; empty if there is none."""
        for event in reversed(self.events):
            if event.usage_metadata and event.usage_metadata not in _NO_USAGE:
                return event.usage_metadata
        return msgspec.Raw()


def split(raw: bytes, separator: bytes) -> list[tuple[bytes, bytes]]:
    """Return the bytes and the JSON of each event of a run that ``separator`` ends."""
    lines = raw.split(separator)[:-1]
    return [(line + separator, line[len(_START) :]) for line in lines]


def take(data: bytes, separator: bytes) -> Flow | None:
    """Return the plain events at the beginning of ``data``, or None if there are none.

    Each is one ``data: `` line and ``separator``, the two line ends that end an event.
    """
    end = data.rfind(separator)
    if end < 0 or not data.startswith(_START):
        return None
    if data.find(separator) == end:  # one event, as each is that comes alone
        return _one(data, end, separator)
    texts = data[len(_START) : end].split(separator + _START)
    if _holds_line_end(b"".join(texts)):
        texts = _lines(texts, separator)
        end = _size(texts, separator)
    events = _decoded(texts)
    count = len(events)
    if not count:
        return None
    if count < len(texts):
        end = _size(texts[:count], separator)
    return Flow(data[: end + len(separator)], count, separator, events)


def _one(data: bytes, end: int, separator: bytes) -> Flow | None:
    """Return the one event that ends at ``end``, if it is plain and a single line."""
    text = data[len(_START) : end]
    if _LF in text or _CR in text:
        return None
    try:
        event = _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return Flow(data[: end + len(separator)], 1, separator, [event])


def _lines(texts: list[bytes], separator: bytes) -> list[bytes]:
    """Return the lines at the beginning of ``texts``, up to one that contains a line end."""
    lines: list[bytes] = []
    for text in texts:
        line, more, _ = text.partition(separator)
        if _holds_line_end(line):
            break
        lines.append(line)
        if more:
            break
    return lines


def _size(texts: list[bytes], separator: bytes) -> int:
    """Return the size of the events with these texts, without the last separator."""
    return sum(map(len, texts)) + len(texts) * len(_START + separator) - len(separator)


def _decoded(texts: list[bytes]) -> list[_Plain]:
    """Return the decoded events of ``texts``, up to the first that is not plain."""
    events: list[_Plain] = []
    try:
        for text in texts:
            events.append(_decode(text))  # noqa: PERF401 (those before an error count)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return events
    return events


def _holds_line_end(text: bytes) -> bool:
    return _LF in text or _CR in text  # integers are found several times faster
