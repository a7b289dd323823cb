"""One choice of an answer: Gemini's frames in, OpenAI's deltas out.

This is the translator of a stream and of a unary answer alike: a stream wraps each delta in a chunk
(``chunks``), a unary answer joins them to a message (``completion``). It is pure: the same frames
give the same deltas, however they came. It stands behind the repair and sees what a native client
would see.

Rules:

- The first delta has the role, and one delta follows for each part of a frame.
- A part is a thought because it says ``thought``, whatever signature it has. Pictures in thoughts
  are drafts, which are not shown.
- What stands for the whole answer is told at its end: sources, because their places are known then,
  and the signature of the text, because clients would glue two of them together.
- Only one candidate is read, since one was asked for: the first, or the one that came first.
- The finishReason that came last counts. An answer without one has not ended, and says so.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs
import msgspec

from gemproxy.core.answer.chunk import FINISH_REASONS, Undecodable, loads
from gemproxy.core.answer.transcript import join_surrogates
from gemproxy.core.answer.usage import parse_usage
from gemproxy.core.errors import BadEnding, Unrepaired
from gemproxy.core.repair.events import Run
from gemproxy.core.wire.frame import Data
from gemproxy.core.wire.image import Lifted, lifted
from gemproxy.openai import citations, finish, logprobs, parts
from gemproxy.openai.answer import Answer
from gemproxy.openai.calls import Calls
from gemproxy.openai.signatures import signed

Json = dict[str, Any]

_TEXT, _THOUGHT = "content", "reasoning_content"
_HIGH_SURROGATES = ("\ud800", "\udbff")
_UNSPECIFIED = ("", "FINISH_REASON_UNSPECIFIED", "BLOCK_REASON_UNSPECIFIED")
_SIGNATURE, _CITATION = b"thoughtSignature", b"citationMetadata"
"""What a plain event can say besides its text."""

_NOTHING_LIFTED = Lifted(b"")


@attrs.frozen
class Ending:
    """How a choice ended: OpenAI's word, and Gemini's own."""

    reason: str
    native: str


@attrs.define
class Choice:
    """The translator of one choice; ``index`` is its place in the answer.

    ``fresh``: no frame has been read.
    """

    answer: Answer
    index: int = 0
    fresh: bool = True
    _calls: Calls | None = None
    _begun: bool = False
    _candidate: int | None = None
    _pieces: list[str] = attrs.field(factory=list, repr=False)
    _inserts: list[citations.Insert] = attrs.field(factory=list, repr=False)
    _half: dict[str, str] = attrs.field(factory=dict, repr=False)
    _shown: dict[str, int] = attrs.field(factory=dict)
    _reason: str | None = None
    _message: str | None = None
    _blocked: bool = False
    _signature: str | None = None
    _grounding: Json = attrs.field(factory=dict, repr=False)
    _citations: list[Json] = attrs.field(factory=list, repr=False)
    _logprobs: list[Json] = attrs.field(factory=list, repr=False)
    _wants_logprobs: bool = attrs.field(init=False)
    _usage: msgspec.Raw | Mapping[str, Any] = attrs.field(factory=dict)
    _lifted: Lifted = _NOTHING_LIFTED

    def __attrs_post_init__(self) -> None:
        self._wants_logprobs = self.answer.telling.logprobs

    # -- frames in ---------------------------------------------------------------------------

    def take(self, data: Data) -> list[Json]:
        """Return the deltas of one frame, given as bytes.

        Marks stand for the pictures of a large one, see ``Answer.filled``. A picture that is shown
        in the text has its whole length there, because of the places of citations.
        """
        if self.answer.telling.markdown:
            return self.read(document_of(data))
        document, self._lifted = _opened(data)
        try:
            return self.read(document)
        finally:
            self._lifted = _NOTHING_LIFTED

    def read(self, document: Mapping[str, Any]) -> list[Json]:
        """Return the deltas of one frame."""
        self.fresh = False
        self.answer.begin(document)
        usage = document.get("usageMetadata")
        if isinstance(usage, dict) and usage:
            self._usage = usage
        self._note_block(document.get("promptFeedback"))
        candidate = self._mine(document.get("candidates"))
        if candidate is None:
            return []
        self._note(candidate)
        content = candidate.get("content")
        deltas = self._deltas(content.get("parts") if isinstance(content, dict) else None)
        return [self._first(delta) for delta in deltas]

    def plain(self, run: Run) -> Sequence[str]:
        """Note a run of plain events if nothing but its texts is of interest; return these.

        Each text is a delta. Of any other run nothing is noted, and the frames must be read: the
        first one of an answer, those behind half a character, and signed ones. This is called for
        each read of a stream, so it calls nothing.
        """
        raw = run.raw
        if self._half or not self._begun or self._candidate or self._wants_logprobs:
            return ()
        if _SIGNATURE in raw or _CITATION in raw:
            return ()
        texts = run.texts
        self._pieces += texts
        if run.usage:
            self._usage = _usage_of(run) if run.rewritten else run.usage
        return texts

    def end(self) -> list[Json]:
        """Return the deltas behind the last frame: what is told of the answer as a whole."""
        deltas = list(self._halves())
        if self._message:
            deltas.append({"refusal": self._message})
        sources = self._sources()
        if sources:
            deltas.append({"annotations": sources})
        if self._signature:
            deltas.append({"extra_content": signed(self._signature)})
        if not self._begun and not deltas:
            deltas.append({})
        return [self._first(delta) for delta in deltas]

    def ending(self) -> Ending:
        """Return how the choice ended; raise Unrepaired for an end that is none of OpenAI's."""
        if self._reason is None:
            raise Unrepaired("The answer has no end.")
        if self._reason in finish.FAILURES:
            raise BadEnding(self._reason)
        said = bool(self._pieces or self._shown or self._inserts)
        if self._blocked:
            return Ending(finish.FILTERED, self._reason)
        called, legacy = bool(self._calls and self._calls.count), self.answer.telling.legacy
        word = finish.finish_reason(self._reason, called=called, legacy=legacy, said=said)
        return Ending(word, self._reason)

    def logprobs(self) -> list[Json]:
        """Return the probabilities of the tokens since the last call, if the client wants them."""
        taken, self._logprobs = self._logprobs, []
        return taken

    @property
    def usage(self) -> Mapping[str, Any]:
        """The last usageMetadata."""
        return parse_usage(self._usage) if isinstance(self._usage, msgspec.Raw) else self._usage

    # -- what a frame says beside its parts ----------------------------------------------------

    def _mine(self, candidates: object) -> Json | None:
        """Return the candidate of a frame that is read, if it is there."""
        found: dict[int, Json] = {}
        for candidate in _mappings(candidates):
            index = candidate.get("index")
            found.setdefault(index if isinstance(index, int) else 0, candidate)
        if self._candidate is None and found:
            self._candidate = 0 if 0 in found else next(iter(found))
        return None if self._candidate is None else found.get(self._candidate)

    def _note_block(self, feedback: object) -> None:
        reason = _word(feedback.get("blockReason")) if isinstance(feedback, dict) else None
        if reason is None:
            return
        assert isinstance(feedback, dict)  # noqa: S101 - else it has no reason
        self._blocked, self._reason = True, reason
        message = feedback.get("blockReasonMessage")
        self._message = str(message or f"The prompt was blocked ({reason}).")

    def _note(self, candidate: Mapping[str, Any]) -> None:
        self._reason = _word(candidate.get("finishReason")) or self._reason
        message = candidate.get("finishMessage")
        if isinstance(message, str) and message and self._reason not in ("STOP", "MAX_TOKENS"):
            self._message = message
        if self._wants_logprobs:
            self._logprobs += logprobs.tokens(candidate.get("logprobsResult"))
        grounding = candidate.get("groundingMetadata")
        if isinstance(grounding, dict):
            self._grounding |= {name: value for name, value in grounding.items() if value}
        cited = candidate.get("citationMetadata")
        if isinstance(cited, dict):
            self._citations += _mappings(cited.get("citationSources") or cited.get("citations"))

    def _sources(self) -> list[Json]:
        if not self._grounding and not self._citations:
            return []
        content = citations.Content("".join(self._pieces), self._inserts)
        return citations.annotations(content, self._grounding, self._citations)

    # -- parts -> deltas -----------------------------------------------------------------------

    def _first(self, delta: Json) -> Json:
        """Return a delta, the first one with the role; ``content`` is null before a call only."""
        if self._begun:
            return delta
        self._begun = True
        called = "tool_calls" in delta or "function_call" in delta
        return {"role": "assistant", "content": None if called else "", **delta}

    def _deltas(self, given: object) -> Iterator[Json]:
        for part in _mappings(given):
            call, text, signature = part.get("functionCall"), part.get("text"), _signature(part)
            if isinstance(call, dict):
                yield from self._called(call, signature)
            elif part.get("thought"):
                yield from self._said(_THOUGHT, text)
            else:
                data = part.get("inlineData")
                if data is None:
                    self._signature = signature or self._signature
                yield from self._said(_TEXT, text)
                yield from self._data(data, signature)
                block = parts.code(part)
                if block is not None:
                    yield self._inserted(parts.behind(block, self._before()))

    def _called(self, call: Mapping[str, Any], signature: str | None) -> Iterator[Json]:
        yield from self._halves()
        if self._calls is None:
            answer = self.answer
            seed = f"{answer.id}/{answer.request_id}/{self.index}"
            self._calls = Calls(answer.telling, seed)
        delta = self._calls.told(call, signature)
        if delta is not None:
            yield delta

    def _said(self, kind: str, text: object) -> Iterator[Json]:
        """Yield the delta of a text; half a character at its end waits for the other half."""
        if not isinstance(text, str):
            return
        text = self._half.pop(kind, "") + text
        if text and _HIGH_SURROGATES[0] <= text[-1] <= _HIGH_SURROGATES[1]:
            text, self._half[kind] = text[:-1], text[-1]
        if text:
            text = join_surrogates(text)
            if kind == _TEXT:
                self._pieces.append(text)
            yield {kind: text}

    def _halves(self) -> Iterator[Json]:
        """Yield the halves of characters whose other halves did not come."""
        halves, self._half = self._half, {}
        for kind, half in halves.items():
            if kind == _TEXT:
                self._pieces.append(half)
            yield {kind: half}

    def _data(self, blob: object, signature: str | None) -> Iterator[Json]:
        if not isinstance(blob, dict) or not blob.get("data"):
            return
        kind, large = parts.mime_type(blob), self._lifted.found(str(blob["data"]))
        if large is not None and not kind.startswith("image/"):
            blob, large = {**blob, "data": str(large, "ascii")}, None
        if signature is not None:
            self.answer.drawn(str(blob["data"]) if large is None else large, signature)
        if kind.startswith("audio/"):
            yield {"audio": self._sound(blob, kind)}
        elif kind.startswith("image/"):
            url = self.answer.link(str(blob["data"]) if large is None else large)
            if large is not None and not url:
                blob = {**blob, "data": self.answer.stand_in(large)}
            url = url or parts.data_url(blob)
            yield {"images": [parts.picture(url, self._next("images"), signature)]}
            if self.answer.telling.markdown:
                yield self._inserted(parts.in_markdown(url, self._before()))
        else:
            yield {"files": [parts.file(parts.data_url(blob), self._next("files"))]}

    def _sound(self, blob: Mapping[str, Any], kind: str) -> Json:
        """Return a piece of sound; the first one has what stands for all of them."""
        data = {"data": blob["data"]}
        if self._next("audio"):
            return data
        answer = self.answer
        name = f"audio_{answer.id.removeprefix('chatcmpl-')}_{self.index}"
        return {
            "id": name,
            "mime_type": kind,
            "expires_at": answer.created,
            "transcript": "",
            **data,
        }

    def _next(self, kind: str) -> int:
        index = self._shown.get(kind, 0)
        self._shown[kind] = index + 1
        return index

    def _before(self) -> str:
        """Return the last text of the content."""
        here = sum(map(len, self._pieces))
        if self._inserts and self._inserts[-1][0] == here:
            return self._inserts[-1][1]
        return self._pieces[-1][-2:] if self._pieces else ""

    def _inserted(self, text: str) -> Json:
        self._inserts.append((sum(map(len, self._pieces)), text))
        return {_TEXT: text}


def pictures_in(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the pictures that a frame shows, in base64; drafts are not among them."""
    for candidate in _mappings(document.get("candidates")):
        content = candidate.get("content")
        for part in _mappings(content.get("parts") if isinstance(content, dict) else None):
            blob = part.get("inlineData")
            if not isinstance(blob, dict) or not blob.get("data") or part.get("thought"):
                continue
            if parts.mime_type(blob).startswith("image/"):
                yield str(blob["data"])


def document_of(data: Data | None) -> Json:
    """Return the JSON of a frame; empty where it is no object, or the frame has none."""
    if data is None:
        return {}
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            document = loads(data, "replace")
        except Undecodable:
            return {}
    return document if isinstance(document, dict) else {}


def _opened(data: Data) -> tuple[Json, Lifted]:
    """Return the JSON of a frame, and the pictures that were lifted out of a large one."""
    whole = data.obj if isinstance(data, memoryview) else None
    if not isinstance(whole, bytes) or bytes(data[:1]) != b"{":
        return document_of(data), _NOTHING_LIFTED
    first = whole.index(b"{")  # no brace stands before the data of a frame
    opened = lifted(whole, first + len(data), first)
    return document_of(opened.text), opened


def _usage_of(run: Run) -> Json:
    """Return the last usageMetadata of a run that was rewritten."""
    for frame in reversed(run.frames()):
        usage = document_of(frame.data).get("usageMetadata")
        if isinstance(usage, dict) and usage:
            return usage
    return {}


def _signature(part: Mapping[str, Any]) -> str | None:
    signature = part.get("thoughtSignature")
    return signature if isinstance(signature, str) and signature else None


def _word(value: object) -> str | None:
    """Return the name of an enum's value, sent as a name or as a number of finishReason."""
    if isinstance(value, int) and not isinstance(value, bool):
        return FINISH_REASONS[value] if 0 <= value < len(FINISH_REASONS) else str(value)
    return value if isinstance(value, str) and value not in _UNSPECIFIED else None


def _mappings(value: object) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
