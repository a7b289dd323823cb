"""Sources of an answer as OpenAI's ``url_citation`` annotations.

Gemini names sources in groundingMetadata (``groundingChunks``, and which part of the text each of
them supports) and in citationMetadata. Its offsets count the UTF-8 bytes of the text that it sent;
OpenAI's count the characters of the whole ``content``, in which other things can stand too, such as
fenced code. A segment also holds its text, which settles where it is when the offsets do not: they
count from the beginning of a part, and a part can come in pieces.

Sources: GroundingMetadata, Segment and CitationSource in
https://ai.google.dev/api/generate-content; annotations in
https://platform.openai.com/docs/api-reference/chat/object.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

Json = dict[str, Any]
Metadata = Mapping[str, Any]
Insert = tuple[int, str]
"""Text of ours in the content: how many of Gemini's characters stand before it, and the text."""

_SOURCES = ("web", "retrievedContext", "maps")


@attrs.frozen
class Content:
    """The content of a message: Gemini's own text, and what was inserted into it."""

    native: str
    inserts: Sequence[Insert] = ()

    def place(self, segment: Metadata) -> tuple[int, int]:
        """Return where a segment begins and ends in the content, in characters."""
        start, end = self._at(segment.get("startIndex")), self._at(segment.get("endIndex"))
        text = segment.get("text")
        if isinstance(text, str) and text and self.native[start:end] != text:
            found = self.native.find(text)
            if found >= 0:
                start, end = found, found + len(text)
        end = max(start, end)
        return start + self._before(start, at=True), end + self._before(end, at=end == start)

    @property
    def whole(self) -> tuple[int, int]:
        """Where the content begins and ends."""
        return 0, len(self.native) + sum(len(text) for _, text in self.inserts)

    def _at(self, offset: object) -> int:
        """Return the character at an offset in bytes; protobuf omits an offset of 0."""
        if not isinstance(offset, int) or offset <= 0:
            return 0
        if self.native.isascii():
            return min(offset, len(self.native))
        before = self.native.encode("utf-8", "surrogatepass")[:offset]
        return len(before.decode("utf-8", "ignore"))

    def _before(self, place: int, *, at: bool) -> int:
        """Return how much was inserted before a place, or ``at`` it."""
        return sum(len(text) for where, text in self.inserts if where < place + at)


def annotations(content: Content, grounding: Metadata, citations: Sequence[Metadata]) -> list[Json]:
    """Return the annotations for the sources of one message.

    A source that supports no part of the text stands for the whole of it.
    """
    sources = [_source(chunk) for chunk in _mappings(grounding.get("groundingChunks"))]
    told, used = [], set()
    for support in _mappings(grounding.get("groundingSupports")):
        segment = support.get("segment")
        place = content.place(segment) if isinstance(segment, dict) else content.whole
        for index in _indices(support, len(sources)):
            used.add(index)
            told += _told(sources[index], place)
    for index, source in enumerate(sources):
        if index not in used:
            told += _told(source, content.whole)
    for citation in citations:
        told += _told(citation, content.place(citation))
    return told


def _source(chunk: Metadata) -> Metadata:
    """Return the page, document or place that a groundingChunk names."""
    return next((chunk[kind] for kind in _SOURCES if isinstance(chunk.get(kind), dict)), {})


def _indices(support: Metadata, count: int) -> Iterator[int]:
    indices = support.get("groundingChunkIndices")
    for index in indices if isinstance(indices, list) else ():
        if isinstance(index, int) and 0 <= index < count:
            yield index


def _told(source: Metadata, place: tuple[int, int]) -> list[Json]:
    url, title = source.get("uri"), source.get("title")
    if not isinstance(url, str) or not url:
        return []
    start, end = place
    cited = {"url": url, "title": title if isinstance(title, str) else ""}
    cited |= {"start_index": start, "end_index": end}  # type: ignore[dict-item]
    return [{"type": "url_citation", "url_citation": cited}]


def _mappings(value: object) -> list[Metadata]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
