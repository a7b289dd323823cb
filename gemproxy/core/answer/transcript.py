"""The part of the answer that the client already has; append-only, because sent bytes are final.

Every decision after an interruption uses the transcript, not the upstream's frames: a frame that
was held, or received and never forwarded, is not in it.
"""

import json
from typing import Any

import attrs
import msgspec

from gemproxy.core.answer.chunk import Chunk, loads

_LOW_SURROGATES, _BEYOND = "\udc00", "\ue000"


@attrs.frozen
class Checkpoint:
    """A continuationToken and ``at``, the number of the client's characters before it."""

    token: str = attrs.field(repr=False)
    at: int


@attrs.define
class Transcript:
    """The delivered answer of one generation.

    ``chars`` counts visible characters. ``opaque``: content went out that text cannot continue;
    ``opaque_since_checkpoint``: after the last checkpoint. ``response_id`` and ``model_version``
    come from the first frame that has one; every later frame will carry them.
    """

    chars: int = 0
    started: bool = False
    thoughts: bool = False
    opaque: bool = False
    opaque_since_checkpoint: bool = False
    checkpoint: Checkpoint | None = None
    response_id: str | None = None
    model_version: str | None = None
    _keeps_checkpoints: bool = True
    _pieces: list[str] = attrs.field(factory=list, repr=False)
    _grounding: msgspec.Raw = attrs.field(factory=msgspec.Raw, repr=False)

    @property
    def visible(self) -> bool:
        """Whether the client has content that a replay would show twice."""
        return self.chars > 0 or self.opaque

    @property
    def text(self) -> str:
        """The visible text, exact to the character."""
        if len(self._pieces) > 1:
            self._pieces[:] = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""

    @property
    def grounding(self) -> dict[str, Any]:
        """The last groundingMetadata that the client has seen; empty if it has seen none."""
        metadata = loads(bytes(self._grounding)) if self._grounding else None
        return metadata if isinstance(metadata, dict) else {}

    def forget_checkpoints(self) -> None:
        """Ignore tokens from now on: the answer continues from text, and they do not fit it."""
        self.checkpoint = None
        self._keeps_checkpoints = False

    def begin(self, response_id: str | None, model_version: str | None) -> None:
        """Record that a frame went out, with its responseId and modelVersion."""
        self.started = True
        if self.response_id is None:
            self.response_id = response_id
        if self.model_version is None:
            self.model_version = model_version

    def add_text(self, text: str) -> None:
        """Append visible text; join a character that two frames split in halves."""
        if _LOW_SURROGATES <= text < _BEYOND and self._pieces:
            last = self._pieces.pop()
            self.chars -= len(last)
            text = join_surrogates(last + text)
        self._pieces.append(text)
        self.chars += len(text)

    def add_texts(self, texts: list[str]) -> None:
        """Append the visible texts of frames, which must not contain halves of characters."""
        self._pieces += texts
        self.chars += sum(map(len, texts))

    def add(self, chunk: Chunk, text: str, grounding: dict[str, Any] | None = None) -> None:
        """Record a whole frame; ``text`` is the part of its text that went out.

        ``grounding`` is the groundingMetadata that went out, if it differs from the frame's.
        """
        self.begin(chunk.response_id, chunk.model_version)
        if text:
            self.add_text(join_surrogates(text))
        self.thoughts |= chunk.thought
        opaque = chunk.opaque or chunk.call
        self.opaque |= opaque
        self.opaque_since_checkpoint |= opaque
        if chunk.grounding:
            sent = msgspec.Raw(json.dumps(grounding).encode()) if grounding is not None else None
            self._grounding = sent or chunk.grounding
        if chunk.token is not None and self._keeps_checkpoints:
            self.checkpoint = Checkpoint(chunk.token, self.chars)
            self.opaque_since_checkpoint = False


def join_surrogates(text: str) -> str:
    """Join surrogate pairs that JSON escapes split over two strings; keep lone halves."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
