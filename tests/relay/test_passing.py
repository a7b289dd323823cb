"""Where an answer that passes through may end with an error, and where it is over by itself."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from gemproxy.relay.passing import PassedThrough, passed_through
from gemproxy.voices.sse import INTERACTIONS, OPENAI, Manner

STREAM = {"Content-Type": "text/event-stream; charset=utf-8"}


@pytest.mark.parametrize(
    ("path", "manner"),
    [
        ("/v1beta/openai/chat/completions", OPENAI),
        ("/openai/completions/", OPENAI),
        ("/v1beta/openai/responses", None),
        ("/v1/chat/completions", None),
        ("/v1beta/interactions", INTERACTIONS),
        ("/v1beta/interactions/abc", INTERACTIONS),
        ("/v1beta/interactions/abc:cancel", None),
        ("/v1beta/interactions/abc/def", None),
        ("/v1beta/files", None),
    ],
)
def test_the_path_tells_who_reads_what_passes_through(path: str, manner: Manner | None) -> None:
    passed = passed_through(path, 200, STREAM)

    assert passed.manner is manner
    assert passed.voice.name == (manner.name if manner else "mute")


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (201, STREAM),
        (500, STREAM),
        (200, {"Content-Type": "application/json"}),
        (200, {}),
        (200, {**STREAM, "Content-Length": "10"}),
        (200, {**STREAM, "Content-Encoding": "gzip"}),
    ],
)
def test_nothing_is_said_where_it_might_not_be_an_event(
    status: int, headers: dict[str, str]
) -> None:
    passed = passed_through("/openai/chat/completions", status, CIMultiDict(headers))

    assert passed.voice.last_words({"error": {}}, b"") == b""


@given(st.lists(st.integers(0, 80)))
@pytest.mark.parametrize(
    ("manner", "mark"),
    [
        (OPENAI, b"data: [DONE]"),
        (OPENAI, b"data:[DONE]"),
        (INTERACTIONS, b"event: done\ndata: [DONE]"),
        (INTERACTIONS, b'data: {"event_type": "interaction.completed"}'),
        (INTERACTIONS, b'data: {"interaction":{},"event_type":"interaction.complete"}'),
    ],
)
@pytest.mark.parametrize("before", [b"", b'data: {"a": "b"}\n\n', b"data: 1\r\n\r\n"])
def test_the_end_mark_is_found_however_it_is_cut(
    manner: Manner, mark: bytes, before: bytes, cuts: list[int]
) -> None:
    stream = before + mark + b"\n\n"
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    passed = PassedThrough(manner)

    found = [passed.ends_in(stream[begin:end]) for begin, end in itertools.pairwise(places)]

    assert any(found)


@pytest.mark.parametrize(
    "data",
    [
        b'data: {"text": "say data: [DONE]"}\n\n',
        b"data: [DON\n\n",
        b'data: {"text": "\\"event_type\\":\\"interaction.completed\\""}\n\n',
        b": data: [DONE]\n\n",
    ],
)
@pytest.mark.parametrize("manner", [OPENAI, INTERACTIONS, None])
def test_what_only_speaks_of_an_end_is_none(manner: Manner | None, data: bytes) -> None:
    assert not PassedThrough(manner).ends_in(data)
