"""The received answer, compared with the uncut one.

This module has its own decoder of a dozen lines, because a check must not use the decoder that it
checks.
"""

import hashlib
import json
from typing import Any

import attrs


@attrs.frozen
class Comparison:
    """The comparison; ``faults`` lists the errors of the stream besides its text."""

    received: str = attrs.field(repr=False)
    uncut: str = attrs.field(repr=False)
    frames: int
    attempts: int
    faults: tuple[str, ...]

    @property
    def exact(self) -> bool:
        """Whether every character came once and the stream was one."""
        return self.received == self.uncut and not self.faults

    @property
    def digests(self) -> tuple[str, str]:
        """SHA-256 of the text that was received and of the uncut one."""
        return _digest(self.received), _digest(self.uncut)

    @property
    def first_difference(self) -> int | None:
        """The first character in which the texts differ, or None."""
        if self.received == self.uncut:
            return None
        pairs = zip(self.received, self.uncut, strict=False)
        shorter = min(len(self.received), len(self.uncut))
        return next((i for i, (one, other) in enumerate(pairs) if one != other), shorter)


def judge(stream: bytes, uncut: str, attempts: int) -> Comparison:
    """Compare the bytes of an event stream with the uncut answer."""
    documents = read(stream)
    text = "".join(text_of(document) for document in documents)
    return Comparison(text, uncut, len(documents), attempts, tuple(_faults(documents)))


def read(stream: bytes) -> list[dict[str, Any]]:
    """Return the JSON of each complete event; anything else counts as an error."""
    events = stream.decode().split("\r\n\r\n")[:-1]
    return [_json(event.removeprefix("data: ")) for event in events if event]


def _json(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    return document if isinstance(document, dict) else {"error": "an event without JSON"}


def text_of(document: dict[str, Any]) -> str:
    """Return the visible text of one response."""
    return "".join(
        part.get("text", "")
        for candidate in document.get("candidates", [])
        for part in candidate.get("content", {}).get("parts", [])
        if not part.get("thought")
    )


def _faults(documents: list[dict[str, Any]]) -> list[str]:
    candidates = [c for document in documents for c in document.get("candidates", [])]
    reasons = [c["finishReason"] for c in candidates if "finishReason" in c]
    ids = {document["responseId"] for document in documents if "responseId" in document}
    faults = []
    if reasons != ["STOP"]:
        faults.append(f"finishReason should come once, as STOP; it came as {reasons}")
    if len(ids) != 1:
        faults.append(f"there should be one responseId; there are {len(ids)}")
    if any("error" in document for document in documents):
        faults.append("the stream carries an error")
    return faults


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
