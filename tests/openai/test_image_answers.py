"""Answers with pictures: the last one that is no draft, or an error that says why there is none."""

import base64
import json
from typing import Any

import pytest

from gemproxy.core.answer.usage import Billed
from gemproxy.core.errors import NoPicture, Undrawable, UpstreamRejection
from gemproxy.openai import words
from gemproxy.openai.image_answers import (
    Drawn,
    ImageEventVoice,
    Result,
    as_event,
    picture_in,
    relayed,
    told,
    usage,
)
from tests.images.samples import JPEG, PNG


def inline(data: bytes, mime: str = "image/png", **more: Any) -> Any:
    return {"inlineData": {"mimeType": mime, "data": base64.b64encode(data).decode()}, **more}


def answer(*parts: Any, finish: str = "STOP") -> Any:
    content = {"content": {"parts": list(parts), "role": "model"}} if parts else {}
    return {"candidates": [{**content, "finishReason": finish}]}


def test_the_last_picture_that_is_no_draft_is_the_result() -> None:
    found = picture_in(
        answer(
            {"text": "thinking", "thought": True},
            inline(JPEG, thought=True),
            {"text": "Here it is."},
            inline(JPEG),
            inline(PNG),
            {"text": "", "thoughtSignature": "s"},
        )
    )

    assert found.picture().data == PNG
    assert found.mime == "image/png"


def test_the_bytes_decide_the_type() -> None:
    assert picture_in(answer(inline(JPEG, "image/png"))).mime == "image/jpeg"


@pytest.mark.parametrize(
    "given",
    [
        answer({"text": "I cannot."}),
        answer(finish="NO_IMAGE"),
        answer(inline(PNG, thought=True)),
        answer(inline(b"no picture")),
        answer({"inlineData": {"mimeType": "image/png", "data": "%"}}),
        answer({"inlineData": None}),
        {"candidates": []},
        {"candidates": [None]},
        {"candidates": [{"content": {"parts": None}}]},
        {},
    ],
)
def test_an_answer_without_a_picture_is_an_error(given: Any) -> None:
    with pytest.raises(NoPicture) as caught:
        picture_in(given)

    assert words.told(caught.value.payload("r"))["error"]["code"] == "no_image_generated"
    assert caught.value.headers(1) == {"x-should-retry": "false"}


@pytest.mark.parametrize(
    "given",
    [
        answer(finish="IMAGE_SAFETY"),
        answer({"text": "no"}, finish="PROHIBITED_CONTENT"),
        {"promptFeedback": {"blockReason": "OTHER"}},
    ],
)
def test_a_refusal_for_the_content_says_so(given: Any) -> None:
    with pytest.raises(Undrawable) as caught:
        picture_in(given)

    error = words.told(caught.value.payload("r"))["error"]
    assert (caught.value.status, error["code"]) == (400, "content_policy_violation")


ONE, TWO = Drawn("AAAA", "image/png"), Drawn("BBBB", "image/jpeg")
LATE = NoPicture("It is late.")
USED = Billed(prompt=10, output=1290, thoughts=5, total=1305, images=4)


def test_each_picture_is_an_entry() -> None:
    document = told([Result(ONE), Result(TWO)], 7, USED, links=False)

    assert document == {
        "created": 7,
        "data": [{"b64_json": "AAAA"}, {"b64_json": "BBBB"}],
        "output_format": "png",
        "usage": {
            "input_tokens": 10,
            "output_tokens": 1295,
            "total_tokens": 1305,
            "input_tokens_details": {"text_tokens": 6, "image_tokens": 4},
        },
    }
    assert usage(Billed())["total_tokens"] == 0


def test_pictures_that_failed_are_told_beside_the_others() -> None:
    document = told([Result(failed=LATE), Result(ONE)], 7, USED, links=False)

    assert document["data"] == [{"b64_json": "AAAA"}]
    assert document["gemproxy"] == {"failed": [{"index": 0, "error": "It is late."}]}


def test_a_link_that_could_not_be_made_is_the_bytes_and_said_so() -> None:
    linked = Result(ONE, "https://x.test/images/1.png")

    document = told([linked, Result(TWO)], 7, USED, links=True)

    assert document["data"] == [{"url": "https://x.test/images/1.png"}, {"b64_json": "BBBB"}]
    assert document["gemproxy"] == {"store": "unavailable"}
    assert "gemproxy" not in told([linked], 7, USED, links=True)


def test_without_any_picture_it_is_the_first_error() -> None:
    with pytest.raises(NoPicture, match="late"):
        told([Result(failed=LATE), Result(failed=Undrawable("no"))], 7, USED, links=False)


def test_a_stream_is_one_event() -> None:
    raw = as_event(told([Result(ONE)], 7, USED, links=False), "image_generation")

    head, data = raw.decode().split("\n")[:2]
    event = json.loads(data.removeprefix("data: "))
    assert head == "event: image_generation.completed"
    assert event["type"] == "image_generation.completed"
    assert (event["b64_json"], event["created_at"]) == ("AAAA", 7)
    assert event["usage"]["total_tokens"] == 1305
    assert raw.endswith(b"\n\n")


def test_a_stream_is_kept_warm_and_says_its_error() -> None:
    voice, payload = ImageEventVoice(), LATE.payload("r")

    assert voice.heartbeat().startswith(b":")
    assert json.loads(voice.last_words(payload, b"\n\n")[6:])["error"]["message"] == "It is late."
    assert voice.last_words(payload, b"data") == b""
    assert json.loads(voice.refusal(payload))["error"]["message"] == "It is late."


class TestRelay:
    """The same pictures in the words of ``/generate``."""

    def test_each_picture_has_its_type_and_its_bytes(self) -> None:
        document = relayed([Result(ONE), Result(TWO)], "m", USED, "0.27", links=False)

        assert document == {
            "images": [
                {"mime_type": "image/png", "data": "AAAA"},
                {"mime_type": "image/jpeg", "data": "BBBB"},
            ],
            "failed": [],
            "model": "m",
            "usage": usage(USED),
            "cost_usd": "0.27",
        }

    def test_what_failed_is_told_in_the_upstream_s_words(self) -> None:
        refused = UpstreamRejection(429, b'{"error": {"code": 429, "message": "Too many."}}')
        document = relayed(
            [Result(failed=refused), Result(ONE), Result(failed=LATE)], "m", USED, None, links=False
        )

        assert document["failed"] == [
            {"index": 0, "error": "Too many."},
            {"index": 2, "error": "It is late."},
        ]
        assert document["cost_usd"] is None

    def test_the_bytes_stand_in_for_a_link_and_it_says_so(self) -> None:
        linked = Result(ONE, "https://x.test/images/1.png")
        document = relayed([linked, Result(TWO)], "m", USED, None, links=True)

        assert document["images"] == [
            {"mime_type": "image/png", "url": "https://x.test/images/1.png"},
            {"mime_type": "image/jpeg", "data": "BBBB"},
        ]
        assert document["store"] == "unavailable"
        assert "store" not in relayed([linked], "m", USED, None, links=True)

    def test_it_is_an_error_if_none_came(self) -> None:
        with pytest.raises(NoPicture):
            relayed([Result(failed=LATE)], "m", USED, None, links=False)
