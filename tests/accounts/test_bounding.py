"""The limit of an answer in requests that name none; all else stays as the client wrote it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.accounts.bounding import bounded
from gemproxy.accounts.estimate import Asking
from gemproxy.core.repair.request import Unreadable

GENERATION, INTERACTION, OPENAI = Asking.GENERATION, Asking.INTERACTION, Asking.OPENAI


@pytest.mark.parametrize(
    ("kind", "body", "limited"),
    [
        (GENERATION, b"{}", b'{"generationConfig":{"maxOutputTokens":9}}'),
        (
            GENERATION,
            b' { "contents" : [1.50, "\xc3\xa9"] }',
            b' {"generationConfig":{"maxOutputTokens":9}, "contents" : [1.50, "\xc3\xa9"] }',
        ),
        (
            GENERATION,
            b'{"generationConfig": { "temperature": 1.0}}',
            b'{"generationConfig": {"maxOutputTokens":9, "temperature": 1.0}}',
        ),
        (
            GENERATION,
            b'{"generation_config": {}}',
            b'{"generation_config": {"max_output_tokens":9}}',
        ),
        (
            GENERATION,
            b'{"x":[{"generationConfig":{}}],"generationConfig":{"topK":1}}',
            b'{"x":[{"generationConfig":{}}],"generationConfig":{"maxOutputTokens":9,"topK":1}}',
        ),
        (
            GENERATION,
            b'{"generationConfig":null,"a":1}',
            b'{"generationConfig":{"maxOutputTokens":9},"a":1}',
        ),
        (
            GENERATION,
            b'{"generationConfig":{"max_output_tokens":null,"topK":1}}',
            b'{"generationConfig":{"maxOutputTokens":9,"topK":1}}',
        ),
        (
            GENERATION,
            b'{"generation\\u0043onfig":{"topK":1}}',
            b'{"generationConfig":{"maxOutputTokens":9,"topK":1}}',
        ),
        (
            INTERACTION,
            b'{"input":"x"}',
            b'{"generation_config":{"max_output_tokens":9},"input":"x"}',
        ),
        (
            GENERATION,
            b'{"generationConfig":{"maxOutputTokens":0}}',
            b'{"generationConfig":{"maxOutputTokens":9}}',
        ),
        (OPENAI, b'{"messages":[]}', b'{"max_completion_tokens":9,"messages":[]}'),
        (OPENAI, b'{"input":"x"}', b'{"max_output_tokens":9,"input":"x"}'),
    ],
)
def test_a_request_without_a_limit_gets_one(kind: Asking, body: bytes, limited: bytes) -> None:
    assert bounded(kind, body, 9) == limited


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (GENERATION, b'{"generationConfig":{"maxOutputTokens":  5}}'),
        (GENERATION, b'{"generationConfig":{"max_output_tokens":"5"}}'),
        (GENERATION, b'{"generation_config":{"maxOutputTokens":5}, "x":1.0}'),
        (GENERATION, b'{"generationConfig":{}, "generation_config":{"maxOutputTokens":5}}'),
        (GENERATION, b'{"generationConfig": 3}'),
        (INTERACTION, b'{"generation_config": {"max_output_tokens": 5}}'),
        (INTERACTION, b'{"agent": "deep-research", "input": "x"}'),
        (OPENAI, b'{"max_tokens": 5}'),
        (OPENAI, b'{"max_completion_tokens": 5}'),
        (Asking.EMBEDDING, b'{"content": {}}'),
        (Asking.COUNT, b"{}"),
        (Asking.PICTURES, b"{}"),
        (Asking.LIVE, b"not JSON"),
    ],
)
def test_any_other_request_stays_as_it_is(kind: Asking, body: bytes) -> None:
    assert bounded(kind, body, 9) is body


@pytest.mark.parametrize("body", [b"", b"[]", b'{"a":1,"a":2}', b"{'a':1}", b'{"a":NaN}', b"\xff"])
def test_a_request_that_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(Unreadable):
        bounded(GENERATION, body, 9)


names = st.sampled_from(["contents", "tools", "generationConfig", "generation_config", "x"])
leaves = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5)
configs = st.dictionaries(st.sampled_from(["topK", "maxOutputTokens", "stop"]), leaves, max_size=3)
documents = st.dictionaries(names, st.one_of(leaves, st.lists(leaves, max_size=3), configs))


@given(documents, st.sampled_from([GENERATION, INTERACTION]), st.integers(1, 10**6))
def test_a_limit_adds_nothing_else_and_is_added_once(
    document: dict[str, object], kind: Asking, tokens: int
) -> None:
    body = json.dumps(document).encode()
    limited = bounded(kind, body, tokens)

    assert bounded(kind, limited, tokens + 1) == limited
    assert _without_config(json.loads(limited)) == _without_config(document)


def _without_config(document: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in document.items() if "eneration" not in name}
