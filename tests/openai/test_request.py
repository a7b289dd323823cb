"""Whole chat requests, translated."""

import pytest

from gemproxy.core.errors import BadField
from gemproxy.openai.request import Ways, translate
from tests.gatekeeper import problems

HELLO = {"model": "gemini-3.8-flash", "messages": [{"role": "user", "content": "hi"}]}


def test_a_plain_request_is_translated() -> None:
    asked = translate(HELLO, Ways())

    assert asked.model == "gemini-3.8-flash"
    assert asked.body == {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    assert problems(asked.model, "generateContent", asked.body) == []
    assert not asked.stream


@pytest.mark.parametrize(
    ("named", "model"),
    [
        ("gemini-3.8-flash", "gemini-3.8-flash"),
        ("models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("gpt-4o", "gemini-3.5-flash"),
        (None, "gemini-2.5-flash"),
    ],
)
def test_the_model_is_found(named: str | None, model: str) -> None:
    asked = translate({**HELLO, "model": named}, Ways(aliases={"gpt-4o": "gemini-3.5-flash"}))

    assert asked.model == model
    assert asked.telling.model == (named or model)


@pytest.mark.parametrize("model", [7, "", "../files", "a b", "m:countTokens", "m?key=1", "a/b"])
def test_a_name_that_is_no_model_is_refused(model: object) -> None:
    with pytest.raises(BadField) as caught:
        translate({**HELLO, "model": model}, Ways())

    assert caught.value.field == "model"


@pytest.mark.parametrize("stream", ["yes", 1, {}])
def test_stream_is_a_switch(stream: object) -> None:
    with pytest.raises(BadField) as caught:
        translate({**HELLO, "stream": stream}, Ways())

    assert caught.value.field == "stream"
