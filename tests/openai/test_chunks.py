"""Chunks: any native stream is a stream of OpenAI's, whatever way its frames came."""

import json
from itertools import chain
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gemproxy.core.answer.transcript import join_surrogates
from gemproxy.core.repair.events import Frames, Out, Run
from gemproxy.core.wire.frame import Frame
from gemproxy.openai.asked import Telling
from gemproxy.openai.voice import OpenAIVoice
from tests.openai.reader import Reader, Told, events
from tests.openai.streams import STREAMS, as_events
from tests.openai.told import (
    STOP,
    TELLING,
    answer,
    collected,
    from_bytes,
    message,
    read,
    streamed,
    text,
)

Json = dict[str, Any]

TELLINGS = st.builds(
    Telling,
    st.just("boat"),
    include_usage=st.booleans(),
    single_call=st.booleans(),
    legacy=st.booleans(),
    markdown=st.booleans(),
)


def said(out: list[Out], telling: Telling = TELLING) -> bytes:
    """Return the bytes for what the repair passes on."""
    voice = OpenAIVoice.of(answer(telling))
    return b"".join([voice.say((one,)) for one in out]) + voice.close(None)


def native(stream: list[Json], *, thoughts: bool) -> str:
    """Return the text of the first candidate, without our translator."""
    found = [
        part["text"]
        for one in stream
        for candidate in one.get("candidates", ())[:1]
        for part in candidate.get("content", {}).get("parts", ())
        if "text" in part and bool(part.get("thought")) == thoughts
    ]
    return "".join(found)


@given(STREAMS, TELLINGS)
def test_any_stream_is_one_that_a_strict_reader_takes(stream: list[Json], telling: Telling) -> None:
    told = read(stream, telling)
    if "```" not in (told.content or "") and not telling.markdown:
        assert join_surrogates(told.content or "") == join_surrogates(
            native(stream, thoughts=False)
        )
    assert join_surrogates(told.reasoning) == join_surrogates(native(stream, thoughts=True))


@given(STREAMS, TELLINGS)
def test_a_unary_answer_is_the_stream_joined(stream: list[Json], telling: Telling) -> None:
    reader = Reader.of(streamed(stream, telling), usage=telling.include_usage)
    told, whole = reader.told, collected(stream, telling)
    choice = whole["choices"][0]
    joined = choice["message"]
    assert joined["content"] == (told.content or (None if called(told) else ""))
    assert joined.get("reasoning_content", "") == told.reasoning
    assert joined["refusal"] == (told.refusal or None)
    calls = [{k: v for k, v in call.items() if k != "index"} for call in told.calls]
    assert joined.get("tool_calls", []) == calls
    assert joined.get("function_call") == told.function_call
    assert joined.get("images", []) == told.images
    assert joined.get("annotations", []) == told.annotations
    assert choice["finish_reason"] == told.finish_reason
    for name in ("id", "model", "created", "system_fingerprint"):
        assert whole[name] == reader.chunks[0][name]
    assert reader.usage in (None, whole["usage"])


def called(told: Told) -> bool:
    return bool(told.calls or told.function_call)


@given(STREAMS, TELLINGS)
def test_openais_own_library_takes_any_stream(stream: list[Json], telling: Telling) -> None:
    state = ChatCompletionStreamState()
    *chunks, _ = events(streamed(stream, telling))
    for chunk in chunks:
        state.handle_chunk(ChatCompletionChunk.model_validate(json.loads(chunk), strict=True))
    final = state.current_completion_snapshot.choices[0]
    told = read(stream, telling)
    assert final.finish_reason == told.finish_reason
    assert (final.message.content or "") == (told.content or "")
    ids = [call.id for call in final.message.tool_calls or ()]
    assert ids == [call["id"] for call in told.calls]
    ChatCompletion.model_validate(collected(stream, telling), strict=True)


@given(
    STREAMS, TELLINGS, st.lists(st.integers(1, 400), max_size=6), st.sampled_from(["\n", "\r\n"])
)
def test_the_same_frames_give_the_same_bytes_however_they_came(
    stream: list[Json], telling: Telling, sizes: list[int], eol: str
) -> None:
    out = from_bytes(as_events(stream, eol), sizes)
    one_by_one: list[Out] = [Frames((frame,)) for frame in chain(*map(frames_of, out))]
    together: list[Out] = [Frames(tuple(chain(*map(frames_of, out))))]
    assert said(out, telling) == said(one_by_one, telling) == said(together, telling)


def frames_of(out: Out) -> tuple[Frame, ...]:
    return out.frames() if isinstance(out, Run) else out.frames


def plain(*pieces: str, **rest: object) -> list[Json]:
    return [{**text(piece), "responseId": "r", **rest} for piece in pieces]


def test_a_run_of_plain_events_is_one_write() -> None:
    events_of = as_events([*plain("a", '","', "\u2028🪸"), STOP])
    run, *_ = from_bytes(events_of)
    assert isinstance(run, Run)
    assert run.count == 3
    voice = OpenAIVoice.of(answer())
    stream = voice.say((run,))
    assert len(events(stream)) == 3
    assert b"\xe2\x80\xa8" not in stream


def test_a_run_that_was_rewritten_has_the_usage_of_its_bytes() -> None:
    raw = as_events(plain("a", "b", usageMetadata={"promptTokenCount": 5}))
    own = b'{"promptTokenCount":99}'
    run = Run(raw, 2, b"\r\n\r\n", rewritten=True, texts=["a", "b"], usage=msgspec.Raw(own))
    telling = attrs.evolve(TELLING, include_usage=True)
    reader = Reader.of(said([run, run, *ends()], telling), usage=True)
    assert reader.told.content == "abab"
    assert reader.usage is not None
    assert reader.usage["prompt_tokens"] == 5


def ends() -> list[Out]:
    return [Frames((Frame(b"", json.dumps(STOP).encode()),))]


def test_a_signed_event_in_a_run_keeps_its_signature() -> None:
    signed = {"candidates": [{"content": {"parts": [{"text": "b", "thoughtSignature": "c2ln"}]}}]}
    out = from_bytes(as_events([*plain("a"), signed, *plain("c"), STOP]))
    told = Reader.of(said(out)).told
    assert (told.content, told.signature) == ("abc", "c2ln")


@pytest.mark.parametrize("count", [1, 2, 200])
def test_frames_may_be_elements_of_an_array(count: int) -> None:
    pieces = [f"{number} " for number in range(count)]
    frames = tuple(
        Frame(b",\r\n" + json.dumps(text(piece)).encode(), json.dumps(text(piece)).encode())
        for piece in pieces
    )
    silent = Frame(b"\n]", None)
    stream = said([Frames((*frames, silent)), *ends()])
    assert Reader.of(stream).told.content == "".join(pieces)


def test_a_large_frame_comes_as_a_view_of_its_bytes() -> None:
    picture = {"inlineData": {"mimeType": "image/png", "data": "A" * 300_000}}
    data = json.dumps({"candidates": [{"content": {"parts": [picture]}}]}).encode()
    stream = said([Frames((Frame(b"data: " + data, memoryview(data)),)), *ends()])
    assert len(Reader.of(stream).told.images[0]["image_url"]["url"]) > 300_000
    assert message([{"candidates": [{"content": {"parts": [picture]}}]}, STOP])["images"]


@pytest.mark.parametrize("model", ["\0", '"\0"', "\ud800", "重启", "\u2028"])
def test_any_name_of_a_model_is_told(model: str) -> None:
    out = from_bytes(as_events([*plain("a", "b", "c"), STOP]))
    reader = Reader.of(said(out, Telling(model)))
    assert reader.told.content == "abc"
    assert {chunk["model"] for chunk in reader.chunks} == {model}
