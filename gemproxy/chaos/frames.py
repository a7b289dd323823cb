"""An answer -> the response documents of one attempt.

The documents have the fields of a streamed ``GenerateContentResponse`` of the Gemini API: every
frame has usageMetadata with running totals and the same responseId and modelVersion, and the last
one with content has the finishReason.
"""

import base64
import itertools
import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from gemproxy.chaos.answers import Answer, Call, Part

Document = dict[str, Any]

_CHARACTERS_PER_TOKEN = 4
_WEIGHT_OF_A_PART = 64  # characters that a part without text counts in usageMetadata


@attrs.frozen
class Portion:
    """The part of an answer that one attempt sends.

    ``text`` is the text of candidate 0, an ending of a full text with the length ``whole`` (offsets
    in tokens count from its start). ``resumed`` omits the parts before the text, except the
    thoughts, because a model thinks again.
    """

    text: str
    whole: int
    thoughts: str = ""
    resumed: bool = False


def all_of(answer: Answer) -> Portion:
    """Return the whole answer, which a first attempt sends."""
    return Portion(answer.text, len(answer.text), answer.thoughts)


@attrs.define
class Envelope:
    """The common fields of an attempt's frames, and the running totals.

    ``project`` is the one that continuationTokens are bound to, if there are projects.
    """

    prompt_tokens: int
    response_id: str
    model: str
    project: str = ""
    _thoughts: int = attrs.field(default=0, init=False)
    _visible: int = attrs.field(default=0, init=False)

    def seal(self, candidate: Document | None) -> Document:
        """Return the response document with ``candidate``, or without one."""
        self._weigh(candidate or {})
        if self.project and candidate and "continuationToken" in candidate:
            offset = offset_of(candidate["continuationToken"]) or 0
            candidate["continuationToken"] = token_for(offset, self.project)
        head = {} if candidate is None else {"candidates": [candidate]}
        return {**head, **self._rest()}

    def blocked(self, reason: str) -> Document:
        """Return the only document of a blocked prompt."""
        return {"promptFeedback": {"blockReason": reason}, **self._rest()}

    def _weigh(self, candidate: Document) -> None:
        for part in candidate.get("content", {}).get("parts", ()):
            weight = len(part["text"]) if "text" in part else _WEIGHT_OF_A_PART
            if part.get("thought"):
                self._thoughts += weight
            else:
                self._visible += weight

    def _rest(self) -> Document:
        return {
            "usageMetadata": self._usage(),
            "modelVersion": self.model,
            "responseId": self.response_id,
        }

    def _usage(self) -> Document:
        thoughts, visible = tokens(self._thoughts), tokens(self._visible)
        usage: Document = {"promptTokenCount": self.prompt_tokens}
        if visible:
            usage["candidatesTokenCount"] = visible
        usage["totalTokenCount"] = self.prompt_tokens + visible + thoughts
        usage["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": self.prompt_tokens}]
        if thoughts:
            usage["thoughtsTokenCount"] = thoughts
        return usage


def tokens(characters: int) -> int:
    """Return how many tokens so many characters count as."""
    return -(-characters // _CHARACTERS_PER_TOKEN)


def render(
    answer: Answer, portion: Portion, envelope: Envelope, rng: random.Random
) -> list[Document]:
    """Return the documents of one attempt, in their order in the stream."""
    if answer.block:
        return [envelope.blocked(answer.block)]
    first = list(_main_candidate(answer, portion, rng))
    others = [
        list(_other_candidate(text, index, answer, rng))
        for index, text in enumerate(answer.others, start=1)
    ]
    rows = itertools.zip_longest(first, *others)
    documents = [envelope.seal(candidate) for row in rows for candidate in row if candidate]
    if answer.ending.usage_after:
        documents.append(envelope.seal(None))
    return documents


def split(text: str, size: tuple[int, int], rng: random.Random) -> list[str]:
    """Cut ``text`` into chunks of random numbers of characters."""
    chunks = []
    while text:
        length = rng.randint(*size)
        chunks.append(text[:length])
        text = text[length:]
    return chunks


_CHECKPOINT = "chaos checkpoint "


def token_for(offset: int, project: str = "") -> str:
    """Return the continuationToken for an answer that continues at ``offset``.

    The API's tokens are bytes, so in JSON they are base64; the SDKs decode them. Only ``project``
    can use it, if given.
    """
    return base64.b64encode(f"{_CHECKPOINT}{offset} {project}".rstrip().encode()).decode()


def offset_of(token: object) -> int | None:
    """Return the offset in a token of ``token_for``, or None for any other token."""
    number, _, _ = _read(token).partition(" ")
    return int(number) if number.isdecimal() else None


def project_of(token: object) -> str:
    """Return the project that a token of ``token_for`` is bound to; empty if there is none."""
    return _read(token).partition(" ")[2]


def _read(token: object) -> str:
    """Return what a token of ``token_for`` says; empty for any other token."""
    try:
        text = base64.b64decode(str(token), validate=True).decode()
    except ValueError:
        return ""
    said = text.removeprefix(_CHECKPOINT)
    return said if said != text else ""


def merged(documents: list[Document]) -> Document:
    """Return the unary answer with the content of the streamed ``documents``."""
    whole: Document = {}
    candidates: dict[int, Document] = {}
    for document in documents:
        whole |= {name: value for name, value in document.items() if name != "candidates"}
        for candidate in document.get("candidates", ()):
            _join(candidates.setdefault(candidate.get("index", 0), {}), candidate)
    return (
        {"candidates": [candidates[i] for i in sorted(candidates)], **whole}
        if candidates
        else whole
    )


def _join(whole: Document, candidate: Mapping[str, Any]) -> None:
    parts: list[Part] = whole.get("content", {}).get("parts", [])
    for part in candidate["content"].get("parts", ()):
        if parts and _is_plain(parts[-1], part):
            parts[-1] = {**parts[-1], "text": parts[-1]["text"] + part["text"]}
        else:
            parts.append(part)
    whole |= candidate
    whole["content"] = {"parts": parts, "role": "model"}


def _is_plain(one: Part, other: Part) -> bool:
    """Return whether two neighbours are plain text of the same kind."""
    kind = {"text", "thought"} if one.get("thought") else {"text"}
    return set(one) == set(other) == kind


def _main_candidate(answer: Answer, portion: Portion, rng: random.Random) -> Iterator[Document]:
    frames = [
        _candidate({"text": text, "thought": True}) for text in _thoughts(answer, portion, rng)
    ]
    if not portion.resumed:
        frames += [_candidate(part) for part in answer.opening]
    texts, cut = _text_frames(answer, portion, rng)
    frames += texts
    if not cut:
        frames += [_candidate(part) for part in answer.closing]
        frames += [_candidate(part) for call in answer.calls for part in call_parts(call)]
        _finish(frames, answer, portion)
    for _ in range(answer.ending.empty_first):
        yield _candidate({"text": ""}) | {"finishReason": "STOP"}
    yield from frames


def _thoughts(answer: Answer, portion: Portion, rng: random.Random) -> list[str]:
    return split(portion.thoughts, answer.chunk, rng)


def _text_frames(
    answer: Answer, portion: Portion, rng: random.Random
) -> tuple[list[Document], bool]:
    """Return the frames of the text, and whether a CONTINUATION ends them early."""
    frames: list[Document] = []
    chunks = split(portion.text, answer.chunk, rng)
    rest = len(portion.text)
    for number, chunk in enumerate(chunks, start=1):
        rest -= len(chunk)
        frame = _candidate({"text": chunk})
        frames.append(frame)
        if number in answer.ending.after:
            frame["finishReason"] = "STOP"
        hop_ends = number == answer.hop and rest > 0
        if hop_ends or (answer.checkpoint and number % answer.checkpoint == 0):
            frame["continuationToken"] = token_for(max(0, portion.whole - rest))
        if hop_ends:
            frame["finishReason"] = "CONTINUATION"
            return frames, True
    return frames, False


def _finish(frames: list[Document], answer: Answer, portion: Portion) -> None:
    ending = answer.ending
    if answer.signature:
        frames.append(_candidate({"text": "", "thoughtSignature": answer.signature}))
    if ending.alone:
        frames.append({"content": {"role": "model"}, "index": 0})
    if not frames:
        frames.append(_candidate({"text": ""}))
    if ending.reason:
        for frame in frames if ending.everywhere else frames[-1:]:
            frame["finishReason"] = ending.reason
    if ending.message:
        frames[-1]["finishMessage"] = ending.message
    if answer.citations:
        frames[-1]["groundingMetadata"] = grounding(answer.citations, portion.text)


def _other_candidate(
    text: str, index: int, answer: Answer, rng: random.Random
) -> Iterator[Document]:
    frames = [_candidate({"text": chunk}, index) for chunk in split(text, answer.chunk, rng)]
    if frames and answer.ending.reason:
        frames[-1]["finishReason"] = answer.ending.reason
    yield from frames


def _candidate(part: Part, index: int = 0) -> Document:
    return {"content": {"parts": [part], "role": "model"}, "index": index}


def grounding(passages: tuple[str, ...], text: str) -> Document:
    """Return groundingMetadata for the passages in ``text``.

    The offsets count bytes of UTF-8 in the text of this attempt, as in the API.
    """
    found = [passage for passage in passages if passage in text]
    return {
        "webSearchQueries": ["what the chaos server was asked"],
        "groundingChunks": [
            {"web": {"uri": f"https://example.com/source/{n}", "title": f"Source {n}"}}
            for n, _ in enumerate(found)
        ],
        "groundingSupports": [
            {"segment": _segment(passage, text), "groundingChunkIndices": [n]}
            for n, passage in enumerate(found)
        ],
    }


def _segment(passage: str, text: str) -> Document:
    start = len(text[: text.index(passage)].encode())
    return {"startIndex": start, "endIndex": start + len(passage.encode()), "text": passage}


def call_parts(call: Call) -> Iterator[Part]:
    """Yield the parts of a function call: one, or its opening, its pieces and its end."""
    if not call.piece:
        yield _call_part({"name": call.name, "args": dict(call.args)}, call)
        return
    yield _call_part({"name": call.name, "willContinue": True}, call)
    for path, value in _leaves(call.args, "$"):
        for piece in _pieces(path, value, call.piece):
            yield {"functionCall": {"partialArgs": [piece], "willContinue": True}}
    yield {"functionCall": {}}


def _call_part(body: Document, call: Call) -> Document:
    if call.id:
        body = {"id": call.id, **body}
    signature = {"thoughtSignature": call.signature} if call.signature else {}
    return {"functionCall": body, **signature}


def _leaves(value: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for name, member in value.items():
            yield from _leaves(
                member, f"{path}.{name}" if name.isidentifier() else _quoted(path, name)
            )
    elif isinstance(value, list | tuple):
        for index, member in enumerate(value):
            yield from _leaves(member, f"{path}[{index}]")
    else:
        yield path, value


def _quoted(path: str, name: str) -> str:
    """Return the bracket form of RFC 9535 for a name that the dot form cannot express."""
    return f"{path}[{json.dumps(name, ensure_ascii=False)}]"


def _pieces(path: str, value: object, size: int) -> Iterator[Document]:
    if isinstance(value, str):
        ends = range(0, max(len(value), 1), size)
        for start in ends:
            more = {"willContinue": True} if start != ends[-1] else {}
            yield {"jsonPath": path, "stringValue": value[start : start + size], **more}
    elif isinstance(value, bool):
        yield {"jsonPath": path, "boolValue": value}
    elif value is None:
        yield {"jsonPath": path, "nullValue": "NULL_VALUE"}
    else:
        yield {"jsonPath": path, "numberValue": value}
