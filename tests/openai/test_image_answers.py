"""Answers with pictures: the last one that is no draft, or an error that says why there is none."""

import base64
import json
from typing import Any

import pytest

from gemproxy.core.answer.usage import Billed
from gemproxy.core.errors import NoPicture, Undrawable, UpstreamRejection
from gemproxy.core.wire.image import Lifted, lifted
from gemproxy.openai import words
from gemproxy.openai.image_answers import (
    RELAY_SHEET,
    Drawn,
    Outcome,
    Result,
    Sheet,
    event_sheet,
    openai_sheet,
    picture_in,
    relayed,
    told,
    usage,
)
from tests.images.samples import JPEG, PNG

PLAIN = Lifted(b"")
"""Nothing was lifted out of an answer."""


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
        ),
        PLAIN,
    )

    assert found.picture().data == PNG
    assert found.mime == "image/png"


def test_the_bytes_decide_the_type() -> None:
    assert picture_in(answer(inline(JPEG, "image/png")), PLAIN).mime == "image/jpeg"


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
        picture_in(given, PLAIN)

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
        picture_in(given, PLAIN)

    error = words.told(caught.value.payload("r"))["error"]
    assert (caught.value.status, error["code"]) == (400, "content_policy_violation")


def test_a_picture_that_was_lifted_is_found_again() -> None:
    given = json.dumps(answer(inline(JPEG, thought=True), {"text": "ü"}, inline(PNG)))
    images = lifted(given.encode(), len(given))

    found = picture_in(json.loads(images.text), images)

    assert (found.picture().data, found.mime) == (PNG, "image/png")


@pytest.mark.parametrize("lifts", [True, False])
def test_base64_for_urls_is_told_in_the_alphabet_of_all_clients(lifts: bool) -> None:
    data = PNG + b"\xff\xfe\xfd" * 5 + b"x"
    safe = base64.urlsafe_b64encode(data).decode().rstrip("=")
    given = answer({"inlineData": {"mimeType": "image/png", "data": safe}})
    body = json.dumps(given).encode()
    images = lifted(body, len(body)) if lifts else PLAIN

    found = picture_in(json.loads(images.text) if lifts else given, images)

    assert bytes(found.base64) == base64.b64encode(data)
    assert found.picture().data == data


ONE, TWO = Drawn(b"AAAA", "image/png"), Drawn(memoryview(b"BBBB"), "image/jpeg")
LATE = NoPicture("It is late.")
USED = Billed(prompt=10, output=1290, thoughts=5, total=1305, images=4)


def written(sheet: Sheet, results: list[Result], rest: Any) -> bytes:
    """Return the bytes of an answer: its pictures, and the rest."""
    pieces: list[bytes | memoryview] = []
    for result in results:
        if result.failed is None:
            pieces += sheet.picture(result, first=not pieces)
    return b"".join([*pieces, sheet.rest(rest)])


def outcome_of(results: list[Result]) -> Outcome:
    outcome = Outcome()
    for index, result in enumerate(results):
        outcome.add(index, result)
    return outcome


def openai_s(results: list[Result], *, links: bool = False) -> Any:
    rest = told(outcome_of(results), USED, links=links)
    return json.loads(written(openai_sheet(7), results, rest))


def relay_s(results: list[Result], cost: str | None = None, *, links: bool = False) -> Any:
    rest = relayed(outcome_of(results), "m", USED, cost, links=links)
    return json.loads(written(RELAY_SHEET, results, rest))


def test_each_picture_is_an_entry() -> None:
    assert openai_s([Result(ONE), Result(TWO)]) == {
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
    document = openai_s([Result(failed=LATE), Result(ONE)])

    assert document["data"] == [{"b64_json": "AAAA"}]
    assert document["gemproxy"] == {"failed": [{"index": 0, "error": "It is late."}]}


def test_a_link_that_could_not_be_made_is_the_bytes_and_said_so() -> None:
    linked = Result(ONE, "https://x.test/images/1.png")

    document = openai_s([linked, Result(TWO)], links=True)

    assert document["data"] == [{"url": "https://x.test/images/1.png"}, {"b64_json": "BBBB"}]
    assert document["gemproxy"] == {"store": "unavailable"}
    assert "gemproxy" not in openai_s([linked], links=True)


def test_the_first_error_is_remembered() -> None:
    outcome = outcome_of([Result(failed=LATE), Result(failed=Undrawable("no"))])

    assert (outcome.came, outcome.error) == (0, LATE)


def test_a_stream_is_one_event() -> None:
    rest = told(outcome_of([Result(ONE)]), USED, links=False)
    raw = written(event_sheet(7, "image_generation"), [Result(ONE)], rest)

    head, data = raw.decode().split("\n")[:2]
    event = json.loads(data.removeprefix("data: "))
    assert head == "event: image_generation.completed"
    assert event["type"] == "image_generation.completed"
    assert (event["b64_json"], event["created_at"]) == ("AAAA", 7)
    assert event["usage"]["total_tokens"] == 1305
    assert raw.endswith(b"\n\n")


class TestRelay:
    """The same pictures in the words of ``/generate``."""

    def test_each_picture_has_its_type_and_its_bytes(self) -> None:
        assert relay_s([Result(ONE), Result(TWO)], "0.27") == {
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
        document = relay_s([Result(failed=refused), Result(ONE), Result(failed=LATE)])

        assert document["failed"] == [
            {"index": 0, "error": "Too many."},
            {"index": 2, "error": "It is late."},
        ]
        assert document["cost_usd"] is None

    def test_the_bytes_stand_in_for_a_link_and_it_says_so(self) -> None:
        linked = Result(ONE, "https://x.test/images/1.png")
        document = relay_s([linked, Result(TWO)], links=True)

        assert document["images"] == [
            {"mime_type": "image/png", "url": "https://x.test/images/1.png"},
            {"mime_type": "image/jpeg", "data": "BBBB"},
        ]
        assert document["store"] == "unavailable"
        assert "store" not in relay_s([linked], links=True)
