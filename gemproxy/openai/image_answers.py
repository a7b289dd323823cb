"""Gemini's answers with pictures, as those of ``/v1/images/generations``, ``edits``, ``/generate``.

A model may draw drafts while it thinks, and says so (``thought``); the last picture that is none is
the result, one for each answer. An answer without one is an error, by its reason: refused for its
content, or without a picture for no good reason.

Some pictures may have come and others not. Then ``data`` has those that came, and ``gemproxy``
beside it says which did not, and whether links could not be made. ``/generate`` has words of its
own for the same.

Sources: https://ai.google.dev/gemini-api/docs/image-generation (thoughts),
https://platform.openai.com/docs/api-reference/images/object.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import attrs

from gemproxy.core.answer.rewrite import dump
from gemproxy.core.answer.usage import Billed
from gemproxy.core.errors import GemproxyError, NoPicture, Undrawable
from gemproxy.core.picture import Picture, type_of
from gemproxy.openai import words
from gemproxy.openai.fields import Json
from gemproxy.voices.voice import Payload

_POLICY = frozenset(
    {
        *("SAFETY", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "RECITATION"),
        *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"),
    }
)
"""The reasons that are about the content."""


@attrs.frozen
class Drawn:
    """A picture of an answer: its bytes in base64 as they came, and its type by the bytes."""

    base64: str = attrs.field(repr=False)
    mime: str

    def picture(self) -> Picture:
        """Return the bytes."""
        return Picture(base64.b64decode(self.base64), self.mime)


def picture_in(answer: Mapping[str, Any]) -> Drawn:
    """Return the picture of an answer of Gemini's; raise Undrawable or NoPicture."""
    candidate = _first(answer.get("candidates"))
    found: Drawn | None = None
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, dict) and not part.get("thought"):
            found = _drawn(part.get("inlineData")) or found
    if found is not None:
        return found
    feedback = answer.get("promptFeedback")
    blocked = feedback.get("blockReason") if isinstance(feedback, dict) else None
    reason = blocked or candidate.get("finishReason") or "no reason"
    if blocked or reason in _POLICY:
        raise Undrawable(f"Gemini refuses to draw this: {reason}.")
    raise NoPicture(f"Gemini answered without a picture ({reason}).")


def _first(candidates: object) -> Mapping[str, Any]:
    first = candidates[0] if isinstance(candidates, list) and candidates else None
    return first if isinstance(first, dict) else {}


def _drawn(inline: object) -> Drawn | None:
    data = inline.get("data") if isinstance(inline, dict) else None
    if not isinstance(data, str):
        return None
    try:
        mime = type_of(base64.b64decode(data[:16]))
    except (binascii.Error, ValueError):
        return None
    return None if mime is None else Drawn(data, mime)


@attrs.frozen
class Result:
    """What became of one picture: it is there, perhaps with a link in its place, or it failed."""

    drawn: Drawn | None = None
    url: str = ""
    failed: GemproxyError | None = None


def told(results: Sequence[Result], created: int, used: Billed, *, links: bool) -> Json:
    """Return the answer of OpenAI's form; ``used`` is the sum of all that was used.

    ``links``: links were asked for; a picture without one has its bytes. Raises the first error if
    no picture came.
    """
    come = _come(results)
    document: Json = {
        "created": created,
        "data": [_datum(result) for result in come],
        "output_format": _format(come[0]),
        "usage": usage(used),
    }
    aside: Json = {}
    if failed := _failed(results):
        aside["failed"] = failed
    if links and not all(result.url for result in come):
        aside["store"] = "unavailable"
    return {**document, "gemproxy": aside} if aside else document


def relayed(
    results: Sequence[Result], model: str, used: Billed, cost: str | None, *, links: bool
) -> Json:
    """Return the answer of ``/generate``; ``cost`` is in dollars, None if it is not known.

    ``used`` is what is paid. ``links``: as in ``told``. Raises the first error if no picture came.
    """
    come = _come(results)
    document: Json = {
        "images": [_image(result) for result in come],
        "failed": _failed(results),
        "model": model,
        "usage": usage(used),
        "cost_usd": cost,
    }
    kept = not links or all(result.url for result in come)
    return document if kept else {**document, "store": "unavailable"}


def _come(results: Sequence[Result]) -> list[Result]:
    """Return those that came; raise the first error if there is none."""
    come = [result for result in results if result.drawn is not None]
    if not come:
        raise next(result.failed for result in results if result.failed is not None)
    return come


def _failed(results: Sequence[Result]) -> list[Json]:
    return [
        {"index": index, "error": _why(result.failed)}
        for index, result in enumerate(results)
        if result.failed is not None
    ]


def _why(error: GemproxyError) -> str:
    """Return why a picture failed, in the upstream's words where it has some."""
    said = error.payload()["error"].get("message")
    return said if isinstance(said, str) and said else error.message


def _image(result: Result) -> Json:
    assert result.drawn is not None  # noqa: S101 (the caller has looked)
    mime = result.drawn.mime
    if result.url:
        return {"mime_type": mime, "url": result.url}
    return {"mime_type": mime, "data": result.drawn.base64}


def _datum(result: Result) -> Json:
    assert result.drawn is not None  # noqa: S101 (the caller has looked)
    return {"url": result.url} if result.url else {"b64_json": result.drawn.base64}


def _format(result: Result) -> str:
    assert result.drawn is not None  # noqa: S101 (the caller has looked)
    return result.drawn.mime.partition("/")[2]


def usage(used: Billed) -> Json:
    """Return the usage of pictures in OpenAI's form."""
    return {
        "input_tokens": used.prompt,
        "output_tokens": used.output + used.thoughts,
        "total_tokens": used.total,
        "input_tokens_details": {
            "text_tokens": used.prompt - used.images,
            "image_tokens": used.images,
        },
    }


def as_event(document: Mapping[str, Any], event: str) -> bytes:
    """Return the answer with one picture as the only event of a stream; ``event`` names its kind.

    Drafts are not shown, so there are no events of partial pictures.
    """
    name = f"{event}.completed"
    said = {key: value for key, value in document.items() if key not in {"data", "created"}}
    completed = {"type": name, "created_at": document["created"], **document["data"][0], **said}
    return b"event: " + name.encode() + b"\ndata: " + dump(completed) + b"\n\n"


@attrs.frozen
class ImageEventVoice:
    """Speaks to one client of OpenAI's that waits for the event of its picture; see ``Asides``."""

    name: ClassVar[str] = "openai-image"

    def heartbeat(self) -> bytes:
        """Return an SSE comment."""
        return b": keep-alive\n\n"

    def last_words(self, payload: Payload, tail: bytes) -> bytes:
        """Return the error as an event, or nothing within one."""
        return b"" if tail and not tail.endswith(b"\n\n") else words.as_event(payload)

    def refusal(self, payload: Payload) -> bytes:
        """Return the body of an error answer."""
        return words.body(payload)
