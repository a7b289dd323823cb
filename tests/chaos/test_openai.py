"""The fake OpenAI layer."""

import json
from typing import Any

import pytest

from gemproxy.chaos.api import Refused
from gemproxy.chaos.delivery import Reply
from gemproxy.chaos.openai import OpenAI
from gemproxy.chaos.wire import Request

CHAT = "/v1beta/openai/chat/completions"
BEARER = (("authorization", "Bearer test-key"),)


def ask(target: str, document: Any, headers: tuple[tuple[str, str], ...] = BEARER) -> Reply:
    body = json.dumps(document).encode()
    reply = OpenAI(("gemini-test",)).answer(Request("POST", target, "HTTP/1.1", headers, body))
    assert reply is not None
    return reply


def messages(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def test_a_chat_says_its_last_message_again() -> None:
    told = json.loads(ask(CHAT, {"model": "m", "messages": messages("Say this.")}).body)

    assert told["choices"][0]["message"]["content"] == "Say this."


def test_a_streamed_chat_ends_with_its_mark() -> None:
    asked = {"model": "m", "messages": messages("Say this again."), "stream": True}
    *events, done, rest = ask(CHAT, asked).body.decode().split("\n\n")
    deltas = [json.loads(event.removeprefix("data: "))["choices"][0] for event in events]

    assert (done, rest) == ("data: [DONE]", "")
    assert "".join(one["delta"].get("content", "") for one in deltas) == "Say this again."
    assert deltas[-1]["finish_reason"] == "stop"


def test_one_vector_for_each_text() -> None:
    told = json.loads(ask("/v1/openai/embeddings", {"model": "m", "input": ["a", "b"]}).body)

    assert [one["index"] for one in told["data"]] == [0, 1]


@pytest.mark.parametrize(
    "headers", [(), (("x-goog-api-key", "k"),), (*BEARER, ("x-goog-api-key", "k"))]
)
def test_only_a_bearer_is_understood(headers: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(Refused):
        ask(CHAT, {}, headers)


def test_other_paths_are_left_to_others() -> None:
    assert OpenAI(()).answer(Request("GET", "/v1/models", "HTTP/1.1", (), b"")) is None
