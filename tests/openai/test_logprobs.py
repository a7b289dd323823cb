"""The probabilities of tokens."""

from typing import Any

import pytest

from gemproxy.openai.asked import Telling
from gemproxy.openai.logprobs import tokens, told
from gemproxy.openai.voice import OpenAIVoice
from tests.openai.reader import Reader
from tests.openai.streams import as_events
from tests.openai.told import STOP, answer, collected, from_bytes, read, text

AY = {"token": "Ä", "tokenId": 7, "logProbability": -0.5}
BE = {"token": "b", "logProbability": 0}
RESULT = {
    "chosenCandidates": [AY, BE],
    "topCandidates": [{"candidates": [AY, BE]}, {"candidates": [BE]}],
}
TOLD_AY = {"token": "Ä", "logprob": -0.5, "bytes": [195, 132]}
TOLD_BE = {"token": "b", "logprob": 0, "bytes": [98]}


def test_tokens_are_told_with_the_likely_ones() -> None:
    assert tokens(RESULT) == [
        {**TOLD_AY, "top_logprobs": [TOLD_AY, TOLD_BE]},
        {**TOLD_BE, "top_logprobs": [TOLD_BE]},
    ]
    assert tokens({"chosenCandidates": [BE]}) == [{**TOLD_BE, "top_logprobs": []}]


@pytest.mark.parametrize("result", [None, {}, [], "x", {"chosenCandidates": 7}])
def test_no_result_has_no_tokens(result: Any) -> None:
    assert tokens(result) == []
    assert told(tokens(result)) is None


def test_what_is_missing_has_a_value_that_clients_take() -> None:
    result = {"chosenCandidates": [{}, 7], "topCandidates": [7]}
    entry = {"token": "", "logprob": -9999.0, "bytes": [], "top_logprobs": []}
    assert tokens(result) == [entry, entry]


def test_entries_are_told_as_content() -> None:
    assert told([TOLD_BE]) == {"content": [TOLD_BE], "refusal": None}


def frames() -> list[Any]:
    some = [{"chosenCandidates": [token]} for token in (AY, BE)]
    return [text("Ä", logprobsResult=some[0]), text("b", logprobsResult=some[1]), STOP]


WANTED = Telling("boat", logprobs=True)
ALL = [{**TOLD_AY, "top_logprobs": []}, {**TOLD_BE, "top_logprobs": []}]


def test_a_stream_and_a_whole_answer_have_the_tokens_of_each_text() -> None:
    assert read(frames(), WANTED).logprobs == ALL
    assert collected(frames(), WANTED)["choices"][0]["logprobs"] == {
        "content": ALL,
        "refusal": None,
    }
    assert collected(frames())["choices"][0]["logprobs"] is None


def test_no_token_is_lost_in_a_run_of_plain_events() -> None:
    voice = OpenAIVoice.of(answer(WANTED))
    data = as_events(frames())
    said = b"".join([voice.say((one,)) for one in from_bytes(data)]) + voice.close(None)
    assert Reader.of(said, usage=False).told.logprobs == ALL
