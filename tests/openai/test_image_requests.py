"""Requests for pictures: OpenAI's words for size and quality become Gemini's."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.errors import BadField
from gemproxy.openai.image_requests import (
    MOST_GIVEN,
    RATIOS,
    Drawing,
    Studio,
    picture_part,
    pictures_in,
    relayed,
    translate,
)
from tests.images.samples import GIF, JPEG, PNG, SVG

NEW = "gemini-3.1-flash-image"
OLD = "gemini-2.5-flash-image"
STUDIO = Studio("gemini-3-pro-image-preview", {"dall-e-3": OLD})


def asked(studio: Studio = STUDIO, **fields: Any) -> Drawing:
    return translate({"prompt": "a kelp", "model": NEW, **fields}, studio)


def config(**fields: Any) -> Any:
    return asked(**fields).body()["generationConfig"]


def refused(studio: Studio = STUDIO, **fields: Any) -> BadField:
    with pytest.raises(BadField) as caught:
        asked(studio, **fields)
    return caught.value


def test_a_prompt_is_the_request_for_one_picture() -> None:
    assert asked().body() == {
        "contents": [{"role": "user", "parts": [{"text": "a kelp"}]}],
        "generationConfig": {"responseModalities": ["IMAGE"]},
    }


@pytest.mark.parametrize(
    ("size", "ratio"),
    [
        ("1536x1024", "3:2"),
        ("1024x1024", "1:1"),
        ("256x256", "1:1"),
        ("512x512", "1:1"),
        ("1024x1536", "2:3"),
        ("1792x1024", "16:9"),
        ("1024x1792", "9:16"),
        ("1280x720", "16:9"),
        ("1680x720", "21:9"),
    ],
)
def test_a_size_is_the_nearest_shape(size: str, ratio: str) -> None:
    assert config(size=size)["imageConfig"] == {"aspectRatio": ratio}


@pytest.mark.parametrize("size", ["auto", None, ""])
def test_without_a_size_the_model_chooses_the_shape(size: str | None) -> None:
    assert "imageConfig" not in config(size=size)


@pytest.mark.parametrize(
    "size", ["999x7", "big", "1024", "0x0", "1024x", "1024*1024", "1e3x1e3", 1024, "3000x1000"]
)
def test_another_size_is_refused(size: object) -> None:
    assert refused(size=size).field == "size"


@given(st.integers(10, 4000), st.integers(10, 4000))
def test_a_size_is_near_its_shape_or_refused(width: int, height: int) -> None:
    try:
        ratio = config(size=f"{width}x{height}")["imageConfig"]["aspectRatio"]
    except BadField:
        ratios = [int(one.split(":")[0]) / int(one.split(":")[1]) for one in RATIOS]
        assert all(abs(width / height / ratio - 1) > 0.09 for ratio in ratios)
    else:
        across, down = map(int, ratio.split(":"))
        assert abs(width / height / (across / down) - 1) < 0.11


@pytest.mark.parametrize(
    ("model", "quality", "size", "expected"),
    [
        (NEW, "high", None, "2K"),
        (NEW, "hd", "1024x1024", "2K"),
        (NEW, "low", "1024x1024", None),
        (NEW, "medium", None, None),
        (NEW, "standard", "1792x1024", None),
        (NEW, "auto", None, None),
        (NEW, None, "2048x2048", "2K"),
        (NEW, None, "4096x4096", "4K"),
        ("nano-banana-pro-preview", "hd", None, "2K"),
        (OLD, "high", None, None),
        (OLD, "hd", "4096x4096", None),
    ],
)
def test_quality_and_large_sizes_are_sizes_of_models_that_have_them(
    model: str, quality: str | None, size: str | None, expected: str | None
) -> None:
    made = config(model=model, quality=quality, size=size)

    assert made.get("imageConfig", {}).get("imageSize") == expected


@pytest.mark.parametrize(
    ("model", "modalities"),
    [(OLD, ["IMAGE"]), (NEW, ["IMAGE"]), ("gemini-2.0-flash-exp", ["TEXT", "IMAGE"])],
)
def test_a_model_that_also_speaks_may_speak(model: str, modalities: list[str]) -> None:
    assert config(model=model)["responseModalities"] == modalities


def test_the_model_is_the_operator_s_for_a_name_and_for_none() -> None:
    assert asked(model=None).model == "gemini-3-pro-image-preview"
    assert asked(model="models/" + OLD).model == OLD
    one = asked(model="dall-e-3")
    assert (one.named, one.model) == ("dall-e-3", OLD)
    assert refused(model="gemini-2.5-pro").field == "model"
    assert refused(model=7).field == "model"


@pytest.mark.parametrize("n", [0, 11, "2", 1.5, True, -1])
def test_a_wrong_number_is_refused(n: object) -> None:
    assert refused(n=n).field == "n"


def test_the_number_is_that_of_the_pictures() -> None:
    assert [asked(n=n).n for n in (None, 1, 10)] == [1, 1, 10]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt", ""),
        ("prompt", " \n"),
        ("prompt", None),
        ("prompt", ["a"]),
        ("quality", "best"),
        ("response_format", "base64"),
        ("output_format", "gif"),
        ("output_compression", 50),
        ("background", "transparent"),
        ("mask", "x"),
        ("stream", "yes"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(field: str, value: object) -> None:
    wrong: Any = {field: value}

    assert refused(**wrong).field == field


def test_hints_of_openai_change_nothing() -> None:
    hints: Any = {"style": "vivid", "moderation": "low", "user": "u", "partial_images": 2}
    formats: Any = {"output_format": "webp", "output_compression": 100, "background": "opaque"}

    assert asked(**hints, **formats) == asked()


def test_a_stream_has_one_picture() -> None:
    assert asked(stream=True).stream
    assert not asked(stream=None).stream
    assert refused(stream=True, n=2).field == "stream"


def test_links_need_a_place_for_pictures() -> None:
    error = refused(response_format="url")

    assert error.field == "response_format"
    assert "images.storage" in error.message
    assert asked(Studio(links=True), response_format="url").links
    assert not asked(response_format="b64_json").links


def test_the_bytes_of_a_given_picture_decide_its_type() -> None:
    part = picture_part(JPEG, "image")

    assert part["inlineData"]["mimeType"] == "image/jpeg"
    assert base64.b64decode(part["inlineData"]["data"]) == JPEG
    made = translate({"prompt": "p", "model": NEW}, STUDIO, [part]).body()
    assert made["contents"][0]["parts"] == [part, {"text": "p"}]
    for data in (SVG, GIF, b"", b"text"):
        with pytest.raises(BadField, match="image"):
            picture_part(data, "image")


def url(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def test_a_json_request_has_pictures_as_data_urls() -> None:
    several = pictures_in({"images": [{"image_url": url(PNG)}, {"image_url": url(JPEG)}]})

    assert [part["inlineData"]["mimeType"] for part in several] == ["image/png", "image/jpeg"]
    assert pictures_in({"image": url(PNG)}) == several[:1]
    assert pictures_in({"image": [url(PNG), url(JPEG)]}) == several


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({}, "image"),
        ({"images": []}, "image"),
        ({"images": "x"}, "images"),
        ({"images": [7]}, "images[0].image_url"),
        ({"images": [{"file_id": "f"}]}, "images[0].image_url"),
        ({"images": [{"image_url": "https://pictures.test/x.png"}]}, "images[0].image_url"),
        ({"image": url(SVG)}, "image"),
        ({"image": "nothing"}, "image"),
        ({"image": [url(PNG)] * (MOST_GIVEN + 1)}, "image"),
    ],
)
def test_other_pictures_are_refused_by_their_name(document: Any, field: str) -> None:
    with pytest.raises(BadField) as caught:
        pictures_in(document)

    assert caught.value.field == field


def test_the_relay_has_a_prompt_a_model_and_a_number() -> None:
    drawing = relayed({"prompt": "a kelp"}, STUDIO)
    several = relayed({"prompt": "p", "model": "dall-e-3", "number_of_images": 3}, STUDIO)

    assert (drawing.model, drawing.n, drawing.links) == ("gemini-3-pro-image-preview", 1, False)
    assert drawing.body()["contents"] == [{"role": "user", "parts": [{"text": "a kelp"}]}]
    assert (several.named, several.model, several.n) == ("dall-e-3", OLD, 3)


def test_the_relay_answers_with_links_where_that_is_set() -> None:
    assert relayed({"prompt": "p"}, Studio(links=True, relay_links=True)).links
    assert not relayed({"prompt": "p", "response_format": "url"}, Studio(links=True)).links


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({}, "prompt"),
        ({"prompt": " "}, "prompt"),
        ({"prompt": ["p"]}, "prompt"),
        ({"prompt": "p", "number_of_images": 0}, "number_of_images"),
        ({"prompt": "p", "number_of_images": 11}, "number_of_images"),
        ({"prompt": "p", "number_of_images": "2"}, "number_of_images"),
        ({"prompt": "p", "number_of_images": True}, "number_of_images"),
        ({"prompt": "p", "model": "gemini-2.5-flash"}, "model"),
        ({"prompt": "p", "model": 1}, "model"),
    ],
)
def test_what_the_relay_cannot_use_is_named(document: dict[str, Any], field: str) -> None:
    with pytest.raises(BadField) as caught:
        relayed(document, STUDIO)

    assert caught.value.field == field
