"""Where an answer that passes through may end with an error, and where it is over by itself."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from gemproxy.relay.dialects import INTERACTIONS, MUTE, OPENAI, Dialect
from gemproxy.relay.passing import EndMark, passed_through

STREAM = {"Content-Type": "text/event-stream; charset=utf-8"}


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("/v1beta/openai/chat/completions", OPENAI),
        ("/openai/completions/", OPENAI),
        ("/v1beta/openai/responses", MUTE),
        ("/v1/chat/completions", MUTE),
        ("/v1beta/interactions", INTERACTIONS),
        ("/v1beta/interactions/abc", INTERACTIONS),
        ("/v1beta/interactions/abc:cancel", MUTE),
        ("/v1beta/interactions/abc/def", MUTE),
        ("/v1beta/files", MUTE),
    ],
)
def test_the_path_tells_the_dialect_of_what_passes_through(path: str, dialect: Dialect) -> None:
    assert passed_through(path, 200, STREAM) is dialect


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
    assert passed_through("/openai/chat/completions", status, CIMultiDict(headers)) is MUTE


@given(st.lists(st.integers(0, 80)))
@pytest.mark.parametrize(
    ("dialect", "mark"),
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
    dialect: Dialect, mark: bytes, before: bytes, cuts: list[int]
) -> None:
    stream = before + mark + b"\n\n"
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    over = EndMark(dialect)

    found = [over.is_in(stream[begin:end]) for begin, end in itertools.pairwise(places)]

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
@pytest.mark.parametrize("dialect", [OPENAI, INTERACTIONS, MUTE])
def test_what_only_speaks_of_an_end_is_none(dialect: Dialect, data: bytes) -> None:
    assert not EndMark(dialect).is_in(data)
