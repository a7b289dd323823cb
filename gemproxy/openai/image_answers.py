"""Gemini's answers with pictures, as those of ``/v1/images/generations``, ``edits``, ``/generate``.

A model may draw drafts while it thinks, and says so (``thought``); the last picture that is none is
the result, one for each answer. An answer without one is an error, by its reason: refused for its
content, or without a picture for no good reason.

Some pictures may have come and others not. Then ``data`` has those that came, and ``gemproxy``
beside it says which did not, and whether links could not be made. ``/generate`` has words of its
own for the same.

An answer is written piece by piece as its pictures come, so whatever is known only at the end
stands behind them.

Sources: https://ai.google.dev/gemini-api/docs/image-generation (thoughts),
https://platform.openai.com/docs/api-reference/images/object.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from gemproxy.core.answer.rewrite import dump
from gemproxy.core.answer.usage import Billed
from gemproxy.core.errors import GemproxyError, NoPicture, Undrawable
from gemproxy.core.picture import Picture, type_of
from gemproxy.core.wire.image import Lifted
from gemproxy.openai.fields import Json

_HEAD = 16
"""Characters of base64 that show a type."""

_POLICY = frozenset(
    {
        *("SAFETY", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "RECITATION"),
        *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"),
    }
)
"""The reasons that are about the content."""


@attrs.frozen
class Drawn:
    """A picture of an answer: its bytes in base64, and its type by the bytes."""

    base64: bytes | memoryview = attrs.field(repr=False)
    mime: str

    def picture(self) -> Picture:
        """Return the bytes."""
        return Picture(base64.b64decode(self.base64), self.mime)


def picture_in(answer: Mapping[str, Any], images: Lifted) -> Drawn:
    """Return the picture of an answer of Gemini's, from which ``images`` were lifted.

    Raises Undrawable or NoPicture.
    """
    candidate = _first(answer.get("candidates"))
    found: Drawn | None = None
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, dict) and not part.get("thought"):
            found = _drawn(part.get("inlineData"), images) or found
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


def _drawn(inline: object, images: Lifted) -> Drawn | None:
    data = inline.get("data") if isinstance(inline, dict) else None
    if not isinstance(data, str):
        return None
    found = images.image(data)
    try:
        mime = type_of(base64.b64decode(found[:_HEAD]))
    except (binascii.Error, ValueError):
        return None
    return None if mime is None else Drawn(found, mime)


@attrs.frozen
class Result:
    """What became of one picture: it is there, perhaps with a link in its place, or it failed."""

    drawn: Drawn | None = None
    url: str = ""
    failed: GemproxyError | None = None


@attrs.define
class Outcome:
    """What became of all pictures: who failed, how many came, and the type of the first that came.

    ``unlinked``: some came without a link.
    """

    failed: list[Json] = attrs.field(factory=list)
    came: int = 0
    mime: str = ""
    unlinked: bool = False
    error: GemproxyError | None = None
    """The first error."""

    def add(self, index: int, result: Result) -> None:
        """Add what became of one picture."""
        if result.failed is not None:
            self.error = self.error or result.failed
            self.failed.append({"index": index, "error": _why(result.failed)})
        elif result.drawn is not None:
            self.mime = self.mime or result.drawn.mime
            self.came += 1
            self.unlinked = self.unlinked or not result.url


def _why(error: GemproxyError) -> str:
    """Return why a picture failed, in the upstream's words where it has some."""
    said = error.payload()["error"].get("message")
    return said if isinstance(said, str) and said else error.message


@attrs.frozen
class Sheet:
    """How the bytes of an answer are put together, in the order in which they are known.

    ``opening`` stands in front of the first picture; ``field`` is the name of its base64, and
    ``typed`` says whether its type stands beside it. ``left`` and ``right`` stand around each
    picture, ``closing`` behind the last one, and ``end`` behind all that is said at the end.
    """

    opening: bytes
    field: str
    typed: bool = False
    left: bytes = b"{"
    right: bytes = b"}"
    closing: bytes = b"]"
    end: bytes = b""

    def picture(self, result: Result, *, first: bool) -> Sequence[bytes | memoryview]:
        """Return the pieces of a picture that came."""
        assert result.drawn is not None  # noqa: S101 (the caller has looked)
        before = (self.opening if first else b",") + self.left
        said = {"mime_type": result.drawn.mime} if self.typed else {}
        if result.url:
            return [before + dump({**said, "url": result.url})[1:-1] + self.right]
        named = dump({**said, self.field: ""})[1:-2]
        return [before + named, result.drawn.base64, b'"' + self.right]

    def rest(self, document: Json) -> bytes:
        """Return the end of an answer that says ``document`` behind its pictures."""
        return self.closing + b"," + dump(document)[1:] + self.end


def openai_sheet(created: int) -> Sheet:
    """Return the sheet of an answer of OpenAI's form."""
    return Sheet(b'{"created":%d,"data":[' % created, "b64_json")


def event_sheet(created: int, event: str) -> Sheet:
    """Return the sheet of an answer that is the only event of a stream; ``event`` names its kind.

    Drafts are not shown, so there are no events of partial pictures.
    """
    name = f"{event}.completed"
    begun = dump({"type": name, "created_at": created})[:-1]
    opening = b"event: " + name.encode() + b"\ndata: " + begun + b","
    return Sheet(opening, "b64_json", left=b"", right=b"", closing=b"", end=b"\n\n")


RELAY_SHEET = Sheet(b'{"images":[', "data", typed=True)
"""The sheet of an answer of ``/generate``."""


def told(outcome: Outcome, used: Billed, *, links: bool) -> Json:
    """Return what an answer of OpenAI's form says behind its pictures.

    ``used`` is the sum of all that was used. ``links``: links were asked for; a picture without one
    has its bytes.
    """
    document: Json = {
        "output_format": outcome.mime.partition("/")[2],
        "usage": usage(used),
    }
    aside: Json = {}
    if outcome.failed:
        aside["failed"] = outcome.failed
    if links and outcome.unlinked:
        aside["store"] = "unavailable"
    return {**document, "gemproxy": aside} if aside else document


def relayed(outcome: Outcome, model: str, used: Billed, cost: str | None, *, links: bool) -> Json:
    """Return what an answer of ``/generate`` says behind its pictures.

    ``used`` is what is paid. ``cost`` is in dollars, None if it is not known. ``links``: as in
    ``told``.
    """
    document: Json = {
        "failed": outcome.failed,
        "model": model,
        "usage": usage(used),
        "cost_usd": cost,
    }
    return {**document, "store": "unavailable"} if links and outcome.unlinked else document


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
