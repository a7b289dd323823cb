"""What ``detail`` of pictures asks of a whole request."""

from typing import Any

import pytest

from tests.openai.histories import (
    DRAWS,
    GEMMA,
    GO,
    NEW,
    OLD,
    PICTURE,
    Json,
    call,
    calls,
    native,
    refused,
    result,
    user,
)

LOW, HIGH = "MEDIA_RESOLUTION_LOW", "MEDIA_RESOLUTION_HIGH"
AUDIO: Json = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}


def picture(detail: object) -> Json:
    return {"type": "image_url", "image_url": {**PICTURE["image_url"], "detail": detail}}


def asked(*parts: Json, model: str = NEW) -> Any:
    return native([user(*parts)], model).get("generationConfig", {}).get("mediaResolution")


@pytest.mark.parametrize("model", [NEW, OLD])
@pytest.mark.parametrize(
    ("details", "resolution"),
    [
        (["low"], LOW),
        (["low", "low"], LOW),
        (["high"], HIGH),
        (["original"], HIGH),
        (["auto"], None),
        ([None], None),
        (["low", "high"], None),
        (["low", "auto"], None),
    ],
)
def test_pictures_that_agree_decide(
    model: str, details: list[object], resolution: str | None
) -> None:
    assert asked(*(picture(detail) for detail in details), model=model) == resolution


def test_a_flat_picture_has_its_detail_beside_it() -> None:
    flat = {"type": "input_image", "image_url": PICTURE["image_url"]["url"], "detail": "low"}

    assert asked(flat) == LOW


def test_other_media_keep_their_resolution() -> None:
    assert asked(picture("low"), AUDIO) is None


@pytest.mark.parametrize("model", [GEMMA, DRAWS, "gemini-1.5-pro"])
def test_models_without_the_field_do_not_get_it(model: str) -> None:
    assert asked(picture("low"), model=model) is None


def test_pictures_of_results_count() -> None:
    messages = [user(picture("low")), calls(call("A")), result("A", [picture("high")]), GO]

    assert "generationConfig" not in native(messages)


@pytest.mark.parametrize("detail", ["ultra", 7, ["low"]])
def test_an_unknown_detail_is_refused(detail: object) -> None:
    refused([user(picture(detail))], "messages[0].content[0].image_url.detail")
