"""The content of one attempt, and its form on the wire.

The machine keeps only the fields for its decisions. A report needs more: the number of frames with
usageMetadata, the line ends, the calls.
"""

import json
from collections.abc import Mapping
from typing import Any

import attrs

from gemproxy.core.answer.chunk import Chunk, Undecodable, read
from gemproxy.core.answer.usage import Billed, billed, parse_usage
from gemproxy.core.wire.frame import Frame
from gemproxy.core.wire.sse import SSEDecoder

Json = dict[str, Any]
Part = Mapping[str, Any]


@attrs.define
class Said:
    """One attempt so far; ``take`` adds a frame.

    ``lengths`` holds the number of visible characters of each frame. ``calls`` are the unchanged
    parts with a functionCall. ``garbled`` counts frames that are not JSON, ``billed`` tokens.
    """

    frames: list[Frame] = attrs.field(factory=list)
    lengths: list[int] = attrs.field(factory=list)
    calls: list[Part] = attrs.field(factory=list)
    text: str = ""
    thought_characters: int = 0
    thoughts_after_text: bool = False
    token: bool = False
    error: Json | None = None
    blocked: str | None = None
    garbled: int = 0
    with_usage: int = 0
    response_ids: set[str] = attrs.field(factory=set)
    model_version: str | None = None
    finish_reason: str | None = None
    finish_has_content: bool = False
    frames_after_finish: int = 0
    billed: Billed = attrs.field(factory=Billed)

    def take(self, frame: Frame) -> None:
        """Add a frame; one without data (a comment, a blank line) has no content."""
        if frame.data is None:
            return
        self.frames.append(frame)
        try:
            chunk = read(frame.data)
        except Undecodable:
            self.garbled += 1
            self.lengths.append(0)
            return
        for part in _parts(bytes(frame.data)):
            self._take_part(part)
        self._take(chunk)

    def _take(self, chunk: Chunk) -> None:
        self.text += chunk.text
        self.lengths.append(len(chunk.text))
        self.token |= chunk.token is not None
        self.error = chunk.error or self.error
        self.blocked = chunk.block_reason or self.blocked
        self._take_finish(chunk)
        self.model_version = chunk.model_version or self.model_version
        if chunk.response_id is not None:
            self.response_ids.add(chunk.response_id)
        if chunk.usage:
            self.with_usage += 1
            self.billed = billed(parse_usage(chunk.usage))

    def _take_finish(self, chunk: Chunk) -> None:
        """Record the ending: the last finishReason without content after it."""
        if chunk.finish_reason is not None:
            self.finish_reason = chunk.finish_reason
            self.finish_has_content, self.frames_after_finish = chunk.news, 0
        elif chunk.news:
            self.finish_reason = None
        elif self.finish_reason is not None:
            self.frames_after_finish += 1

    def _take_part(self, part: Part) -> None:
        if "functionCall" in part:
            self.calls.append(part)
        if part.get("thought"):
            self.thought_characters += len(str(part.get("text", "")))
            self.thoughts_after_text |= bool(self.text)

    @property
    def line_ends(self) -> str:
        """The line ends of the frames: crlf, lf, mixed, or none without frames."""
        kinds = {"crlf" if frame.raw.endswith(b"\r\n") else "lf" for frame in self.frames}
        return "mixed" if len(kinds) > 1 else next(iter(kinds), "none")


def listen(stream: bytes) -> Said:
    """Return the content of a whole stream."""
    said, decoder = Said(), SSEDecoder()
    for frame in decoder.feed(stream):
        said.take(frame)
    return said


def _parts(data: bytes) -> list[Part]:
    """Return the parts of the first candidate in the JSON of a frame."""
    document = json.loads(data)
    candidates = document.get("candidates") if isinstance(document, dict) else None
    if not isinstance(candidates, list) or not candidates:
        return []
    return parts_of(candidates[0])


def parts_of(candidate: object) -> list[Part]:
    """Return the parts of a candidate; none if it has an unusual form."""
    content = candidate.get("content") if isinstance(candidate, dict) else None
    parts = content.get("parts") if isinstance(content, dict) else None
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
