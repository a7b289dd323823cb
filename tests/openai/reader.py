"""A strict reader of OpenAI's chat streams, which shares no code with the translator.

``Reader.of`` takes the bytes of a whole stream and fails on anything that OpenAI's reference does
not have: wrong shapes, an index that leaves a gap, an id that comes twice, content behind the end.
"""

import json
from collections.abc import Mapping
from typing import Any

import attrs

Json = dict[str, Any]

REASONS = {"stop", "length", "tool_calls", "content_filter", "function_call"}
CHUNK = {"id", "object", "created", "model", "system_fingerprint", "choices"}
CHOICE = {"index", "delta", "logprobs", "finish_reason"}
DELTA = {
    "role",
    "content",
    "refusal",
    "tool_calls",
    "function_call",
    "audio",
    "annotations",
    "reasoning_content",  # from here on: what other servers of the dialect add
    "images",
    "files",
    "extra_content",
}


@attrs.define
class Told:
    """One choice as a client has it after the whole stream."""

    content: str | None = None
    reasoning: str = ""
    refusal: str = ""
    calls: list[Json] = attrs.field(factory=list)
    function_call: Json | None = None
    images: list[Json] = attrs.field(factory=list)
    files: list[Json] = attrs.field(factory=list)
    annotations: list[Json] = attrs.field(factory=list)
    audio: list[Json] = attrs.field(factory=list)
    signature: str | None = None
    logprobs: list[Json] = attrs.field(factory=list)
    finish_reason: str | None = None
    native: str | None = None
    begun: bool = False


@attrs.define
class Reader:
    """Reads one stream. ``usage``: the client asked for the usage."""

    usage_asked: bool = False
    n: int = 1
    chunks: list[Json] = attrs.field(factory=list)
    choices: dict[int, Told] = attrs.field(factory=dict)
    usage: Json | None = None
    done: bool = False

    @classmethod
    def of(cls, stream: bytes, *, usage: bool = False, n: int = 1) -> "Reader":
        """Read a stream that is complete."""
        reader = cls(usage, n)
        for event in events(stream):
            reader.take(event)
        assert reader.done, "the stream has no [DONE]"
        assert sorted(reader.choices) == list(range(n))
        assert all(told.finish_reason for told in reader.choices.values())
        assert (reader.usage is not None) == usage
        return reader

    @property
    def told(self) -> Told:
        """The only choice."""
        assert set(self.choices) == {0}
        return self.choices[0]

    def take(self, event: str) -> None:
        """Read one event."""
        assert not self.done, "an event behind [DONE]"
        if event == "[DONE]":
            self.done = True
            return
        chunk = json.loads(event, parse_constant=refuse)
        assert isinstance(chunk, dict)
        self._check_head(chunk)
        self.chunks.append(chunk)
        if not chunk["choices"]:
            self._take_usage(chunk)
            return
        assert self.usage is None, "a choice behind the usage"
        assert chunk.get("usage", None) is None
        assert ("usage" in chunk) == self.usage_asked
        assert len(chunk["choices"]) == 1
        self._take_choice(chunk["choices"][0])

    def _check_head(self, chunk: Json) -> None:
        assert chunk.keys() - {"usage", "service_tier"} == CHUNK
        assert chunk["object"] == "chat.completion.chunk"
        assert isinstance(chunk["id"], str)
        assert chunk["id"].startswith("chatcmpl-")
        assert isinstance(chunk["created"], int)
        assert isinstance(chunk["model"], str)
        if self.chunks:
            for name in ("id", "created", "model", "system_fingerprint"):
                assert chunk[name] == self.chunks[0][name], name

    def _take_usage(self, chunk: Json) -> None:
        assert self.usage_asked
        assert self.usage is None
        assert all(told.finish_reason for told in self.choices.values())
        self.usage = chunk["usage"]
        check_usage(self.usage)

    def _take_choice(self, choice: Json) -> None:
        assert choice.keys() - {"native_finish_reason"} == CHOICE
        assert choice["index"] in range(self.n)
        told = self.choices.setdefault(choice["index"], Told())
        assert told.finish_reason is None, "a chunk behind the end of its choice"
        self._take_delta(told, choice["delta"])
        if choice["logprobs"] is not None:
            told.logprobs += choice["logprobs"]["content"]
        reason = choice["finish_reason"]
        if reason is not None:
            assert reason in REASONS
            called = {"tool_calls": bool(told.calls), "function_call": bool(told.function_call)}
            assert called.get(reason, not any(called.values()))
            told.finish_reason, told.native = reason, choice.get("native_finish_reason")

    def _take_delta(self, told: Told, delta: Json) -> None:
        assert delta.keys() <= DELTA, delta.keys() - DELTA
        assert ("role" in delta) == (not told.begun)
        if not told.begun:
            assert delta["role"] == "assistant"
            told.begun = True
        if delta.get("content") is not None:
            assert isinstance(delta["content"], str)
            told.content = (told.content or "") + delta["content"]
        told.reasoning += delta.get("reasoning_content", "")
        told.refusal += delta.get("refusal") or ""
        for call in delta.get("tool_calls", ()):
            self._take_call(told, call)
        if "function_call" in delta:
            assert told.function_call is None
            told.function_call = delta["function_call"]
            an_object(told.function_call["arguments"])
        for image in delta.get("images", ()):
            assert image["index"] == len(told.images)
            assert image["image_url"]["url"].startswith("data:")
            told.images.append(image)
        told.files += delta.get("files", ())
        told.annotations += delta.get("annotations", ())
        if "audio" in delta:
            assert ("id" in delta["audio"]) == (not told.audio)
            told.audio.append(delta["audio"])
        if "extra_content" in delta:
            assert told.signature is None, "two signatures would be glued"
            told.signature = delta["extra_content"]["google"]["thought_signature"]

    def _take_call(self, told: Told, call: Json) -> None:
        assert call.keys() - {"extra_content"} == {"index", "id", "type", "function"}
        assert call["index"] == len(told.calls), "the indices leave a gap, or come twice"
        assert call["id"]
        assert call["id"] not in {each["id"] for each in told.calls}
        assert call["type"] == "function"
        assert call["function"].keys() == {"name", "arguments"}
        an_object(call["function"]["arguments"])
        told.calls.append(call)


def events(stream: bytes) -> list[str]:
    """Return the data of the events of a whole stream; comments are skipped."""
    text = stream.decode()
    assert not stream or text.endswith("\n\n")
    found = []
    for block in text.split("\n\n")[:-1]:
        lines = [line for line in block.split("\n") if not line.startswith(":")]
        assert len(lines) <= 1, "an event of ours is one line"
        for line in lines:
            assert line.startswith("data: ")
            assert len(line.splitlines()) == 1, "old SDKs split at any line separator"
            found.append(line.removeprefix("data: "))
    return found


def check_usage(usage: Mapping[str, Any]) -> None:
    """Check that a usage object has all its fields and adds up."""
    asked, answered = usage["prompt_tokens"], usage["completion_tokens"]
    assert usage["total_tokens"] == asked + answered
    assert 0 <= usage["prompt_tokens_details"]["cached_tokens"] <= asked
    assert 0 <= usage["completion_tokens_details"]["reasoning_tokens"] <= answered


def an_object(text: str) -> Json:
    """Return the arguments of a call, which must be one JSON object."""
    value = json.loads(text, parse_constant=refuse)
    assert isinstance(value, dict)
    return value


def refuse(constant: str) -> None:
    """Refuse NaN and Infinity, which are no JSON."""
    raise AssertionError(constant)
