"""The answers of the fake Gemini.

An ``Answer`` is a value: the visible text and everything that the API can add to it. ``script``
decides how much of it an attempt sends, ``frames`` writes it as JSON.
"""

import base64
from collections.abc import Mapping
from typing import Any

import attrs

Part = Mapping[str, Any]
"""One element of ``content.parts``, in the API's form."""


@attrs.frozen
class Call:
    """A function call.

    ``piece`` is the number of characters of one piece when the arguments are streamed as
    ``partialArgs``; 0 sends the call whole. Gemini signs the first of parallel calls.
    """

    name: str
    args: Mapping[str, Any] = attrs.field(factory=dict)
    id: str | None = None
    signature: str | None = None
    piece: int = 0


@attrs.frozen
class Ending:
    """How the stream ends.

    ``alone`` puts the finishReason into a frame of its own, without parts. ``everywhere`` adds it
    to every frame, ``after`` to these chunks of text too (the first is 1), and ``empty_first``
    sends so many empty STOP frames first: gateways and built-in tools do all three. ``usage_after``
    adds a frame with only usageMetadata. With a ``reason`` of None the stream has no finishReason.
    """

    reason: str | None = "STOP"
    message: str | None = None
    alone: bool = False
    everywhere: bool = False
    after: tuple[int, ...] = ()
    empty_first: int = 0
    usage_after: bool = False


@attrs.frozen
class Answer:
    """A whole answer.

    The order is: ``thoughts``, ``opening`` parts, ``text``, ``closing`` parts, ``calls``,
    ``signature`` in an empty text part. ``chunk`` is the smallest and the largest number of
    characters of one frame's text. ``citations`` are passages of ``text`` that get
    groundingSupports. ``others`` are the texts of further candidates. With ``block``, a
    blockReason, the answer has no content. ``checkpoint`` adds a continuationToken to every
    so-many-th chunk of text, ``hop`` ends an attempt with CONTINUATION after so many chunks.
    """

    text: str = ""
    thoughts: str = ""
    chunk: tuple[int, int] = attrs.field(default=(8, 40))
    opening: tuple[Part, ...] = ()
    closing: tuple[Part, ...] = ()
    calls: tuple[Call, ...] = ()
    signature: str | None = None
    citations: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    block: str | None = None
    checkpoint: int = 0
    hop: int = 0
    ending: Ending = Ending()

    @chunk.validator
    def _at_least_one_character(self, _: object, value: tuple[int, int]) -> None:
        least, greatest = value
        if not 1 <= least <= greatest:
            raise ValueError(f"chunk needs 1 <= least <= greatest, not {value}")


def expected_text(answer: Answer) -> str:
    """Return the visible text that a client of the uncut stream receives."""
    return "" if answer.block else answer.text


def image(data: bytes, mime_type: str = "image/png") -> Part:
    """Return an inlineData part."""
    return {"inlineData": {"mimeType": mime_type, "data": base64.b64encode(data).decode()}}


def executable_code(code: str) -> Part:
    """Return the part in which the code execution tool shows its code."""
    return {"executableCode": {"language": "PYTHON", "code": code}}


def code_result(output: str) -> Part:
    """Return the part in which the code execution tool shows its output."""
    return {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": output}}
