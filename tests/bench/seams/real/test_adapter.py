"""Gemini's dialect over a model that goes on from a prompt."""

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer

from bench.seams.real.adapter import Adapter, prompt_of
from bench.seams.real.conversations import Case
from bench.seams.real.wordings import WORDINGS
from gemproxy.chaos.conversation import Relation
from gemproxy.probe.said import listen

PATH = "/v1beta/models/story-1:streamGenerateContent?alt=sse"
QUESTION = {"role": "user", "parts": [{"text": "Tell me"}]}
DELIVERED = {"role": "model", "parts": [{"text": "The keeper had"}]}


class Parrot:
    """Says the last words of the prompt that it was given, and remembers it."""

    prompt = ""

    async def speak(self, prompt: str, *, least: int, most: int, begins: str) -> str:
        """Go on."""
        assert least > 0
        assert most > len(begins)
        self.prompt = prompt
        return " one rule."


def adapter(*, reset: bool = False) -> Adapter:
    case = Case("story-1", "in a word", "Tell me", "The keeper had", " one rule.", reset)
    return Adapter({case.name: case}, Parrot(), WORDINGS["own"])


async def test_the_first_request_gets_the_beginning_and_no_reason() -> None:
    async with TestClient(TestServer(adapter().app())) as client:
        response = await client.post(PATH, json={"contents": [QUESTION]})
        said = listen(await response.read())

    assert (said.text, said.finish_reason) == ("The keeper had", None)


async def test_the_beginning_may_end_with_a_reset() -> None:
    async with TestClient(TestServer(adapter(reset=True).app())) as client:
        with pytest.raises(aiohttp.ClientError):
            await (await client.post(PATH, json={"contents": [QUESTION]})).read()


async def test_what_follows_is_the_models_and_is_kept() -> None:
    made = adapter()
    async with TestClient(TestServer(made.app())) as client:
        await (await client.post(PATH, json={"contents": [QUESTION]})).read()
        turns = [QUESTION, DELIVERED, {"role": "user", "parts": [{"text": "Please go on"}]}]
        response = await client.post(PATH, json={"contents": turns})
        said = listen(await response.read())

    assert (said.text, said.finish_reason) == (" one rule.", "STOP")
    (attempt,) = made.attempts["story-1"]
    assert (attempt.asked.form, attempt.text) == (Relation.USER_TURN, " one rule.")
    speaker = made.speaker
    assert isinstance(speaker, Parrot)
    assert speaker.prompt.endswith(
        "<|im_start|>assistant\nThe keeper had<|im_end|>\n"
        "<|im_start|>user\nPlease go on<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_model_turn_at_the_end_is_left_open() -> None:
    turns = [("user", ({"text": "Tell me"},)), ("model", ({"text": "The keeper"},))]

    assert prompt_of(turns, "Be brief").endswith("<|im_start|>assistant\nThe keeper")
    assert prompt_of(turns, "Be brief").startswith("<|im_start|>system\nBe brief<|im_end|>\n")
