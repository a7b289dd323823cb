"""Files in messages, the user's and the model's."""

import base64

import pytest

from gemproxy.core.picture import Picture
from gemproxy.openai.content import links, texts_and_pictures
from gemproxy.openai.media import Files
from gemproxy.openai.request import Ways
from tests.openai.histories import (
    DRAWS,
    GO,
    INLINE,
    NEW,
    OLD,
    PICTURE,
    PNG,
    Json,
    call,
    calls,
    contents,
    native,
    refused,
    response,
    result,
    said,
    user,
)


@pytest.mark.parametrize(
    "part",
    [
        PICTURE,
        {"type": "image_url", "image_url": PICTURE["image_url"]["url"]},
        {"type": "input_image", "image_url": PICTURE["image_url"]["url"]},
        {"type": "image_url", "image_url": {"url": PNG}},
    ],
)
def test_a_picture_of_the_users(part: Json) -> None:
    text = {"type": "text", "text": "What?"}

    assert contents([user(text, part)]) == [said("user", "What?", INLINE)]


@pytest.mark.parametrize(
    ("part", "mime"),
    [
        ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
         "audio/mp3"),
        ({"type": "input_audio", "input_audio": {"data": "data:audio/wav;base64,AAAA"}},
         "audio/wav"),
        ({"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}},
         "application/pdf"),
        ({"type": "file", "file": {"file_data": "AAAA", "filename": "a.pdf"}},
         "application/pdf"),
        ({"type": "input_file", "file_data": "AAAA", "filename": "a.pdf"}, "application/pdf"),
        ({"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}},
         "video/mp4"),
        ({"type": "image_url", "image_url": {"url": "data:application/pdf;base64,AAAA"}},
         "application/pdf"),
    ],
)  # fmt: skip
def test_other_files_of_the_users(part: Json, mime: str) -> None:
    inline = {"inlineData": {"mimeType": mime, "data": "AAAA"}}

    assert contents([user(part)]) == [said("user", inline)]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "file", "file": {"file_id": "files/abc"}},
        {"type": "input_file", "file_id": "files/abc"},
        {"type": "input_image", "file_id": "files/abc"},
    ],
)
def test_a_file_of_geminis_own_is_pointed_to(part: Json) -> None:
    uri = "https://generativelanguage.googleapis.com/v1beta/files/abc"

    assert contents([user(part)]) == [said("user", {"fileData": {"fileUri": uri}})]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "data": PNG, "mimeType": "image/png"},
        {"type": "image", "base64": PNG, "mime_type": "image/jpeg"},
        {"type": "image", "url": f"data:image/png;base64,{PNG}"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
    ],
)
def test_pictures_as_tools_write_them(block: Json) -> None:
    found = contents([GO, calls(call("A")), result("A", [block])])

    assert found[2] == said("user", response("A", "tide", "", parts=[INLINE]))


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ({"type": "image"}, "data"),
        ({"type": "image_url"}, "image_url"),
        ({"type": "image_url", "image_url": {}}, "image_url.url"),
        ({"type": "image_url", "image_url": {"url": ""}}, "image_url.url"),
        ({"type": "image_url", "image_url": {"url": "data:image/png,raw"}}, "image_url.url"),
        ({"type": "image_url", "image_url": {"url": "https://example.com/a"}}, "image_url.url"),
        ({"type": "input_audio", "input_audio": {"data": "*", "format": "wav"}},
         "input_audio"),
        ({"type": "file", "file": {"file_id": "file-abc"}}, "file.file_id"),
        ({"type": "file", "file": {"file_data": "data:a/b,x"}}, "file.file_data"),
        ({"type": "file"}, "file"),
    ],
)  # fmt: skip
def test_what_cannot_be_sent_is_named(part: Json, field: str) -> None:
    refused([user({"type": "text", "text": "a"}, part)], f"messages[0].content[1].{field}")


def test_a_picture_by_url_names_the_setting() -> None:
    part = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}

    error = refused([user(part)], "messages[0].content[0].image_url.url")

    assert "openai.fetch_images" in error.message
    assert "example.com" not in error.message


@pytest.mark.parametrize(
    "message",
    [
        {"content": "Here.", "images": [PICTURE]},
        {"content": f"Here.![p](data:image/png;base64,{PNG})"},
        {"content": f"Here.![p](data:image/png;base64,{PNG})", "images": [PICTURE]},
        {"content": [{"type": "text", "text": "Here."}, PICTURE]},
    ],
)
@pytest.mark.parametrize("model", [DRAWS, NEW])
def test_pictures_of_the_models_own(model: str, message: Json) -> None:
    messages = [GO, {"role": "assistant", **message}, {"role": "user", "content": "bluer"}]
    known = Ways(signatures=lambda data: "c2ln" if data == base64.b64decode(PNG) else None)

    signed = contents(messages, model, known)
    shown = contents(messages, model)

    assert signed[1]["parts"][1:] == [{**INLINE, "thoughtSignature": "c2ln"}]
    assert signed[2] == said("user", "bluer")
    assert signed[1]["parts"][0]["text"] == shown[1]["parts"][0]["text"] == "Here."
    assert shown[1:][1] == said("user", INLINE, "bluer")


@pytest.mark.parametrize("content", ["Here.", f"Here.![p](data:image/png;base64,{PNG})"])
def test_a_picture_that_is_echoed_with_its_signature_is_the_models_own(content: str) -> None:
    extra = {"google": {"thought_signature": "UzE="}}
    message = {
        "role": "assistant",
        "content": content,
        "images": [{**PICTURE, "index": 0, "extra_content": extra}],
        "extra_content": {"google": {"thought_signature": "UzI="}},
    }

    found = contents([GO, message, GO], DRAWS)

    assert found[1]["parts"] == [
        {"text": "Here.", "thoughtSignature": "UzI="},
        {**INLINE, "thoughtSignature": "UzE="},
    ]


def test_models_that_draw_get_neither_tools_nor_thinking() -> None:
    tool = {"type": "function", "function": {"name": "tide"}}
    body = native([GO], DRAWS, tools=[tool], reasoning_effort="high")

    assert body.keys() == {"contents", "generationConfig"}
    assert body["generationConfig"] == {"responseModalities": ["TEXT", "IMAGE"]}


def by_url(url: str, kind: str = "image_url") -> Json:
    return {"type": kind, kind: {"url": url}}


def test_the_links_of_a_request_are_listed_by_field() -> None:
    web, other = "https://example.com/a.png", "http://example.com/b.png"
    messages = [
        user(by_url(web), by_url("https://youtu.be/x"), by_url(f"data:image/png;base64,{PNG}")),
        user(by_url(f" {other} "), by_url(web), {"type": "input_image", "image_url": web}),
        user(by_url(web, "video_url"), {"type": "image_url", "image_url": 7}, {"type": []}),
        {"role": "assistant", "content": "x", "images": [by_url(other)]},
        result("A", [by_url(web)]),
        {"role": "user", "content": web},
    ]

    assert links(messages) == {
        "messages[0].content[0].image_url.url": web,
        "messages[1].content[0].image_url.url": other,
        "messages[1].content[1].image_url.url": web,
        "messages[1].content[2].image_url": web,
        "messages[3].images[0].image_url.url": other,
        "messages[4].content[0].image_url.url": web,
    }


@pytest.mark.parametrize("messages", [None, {}, "x", [7], [{"content": {}}], [{"content": [7]}]])
def test_a_spoiled_request_has_no_links(messages: object) -> None:
    assert links(messages) == {}


@pytest.mark.parametrize("model", [NEW, OLD])
def test_a_fetched_picture_is_sent(model: str) -> None:
    url = "https://example.com/a"
    fetched = Ways(files=Files({url: Picture(base64.b64decode(PNG), "image/png")}))
    messages = [user(by_url(url)), calls(call("A")), result("A", [by_url(url)])]

    found = contents(messages, model, fetched)

    assert found[0] == said("user", INLINE)
    assert INLINE in [
        *found[2]["parts"],
        *found[2]["parts"][0]["functionResponse"].get("parts", ()),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "![a](data:image/png;base64,",
        f"[a](data:image/png;base64,{PNG})",
        f"![a] b](data:image/png;base64,{PNG})",
        f"![{'a' * 2000}](data:image/png;base64,{PNG})",
        "![a](data:image/png;base64,*)",
        "![a](https://example.com/a.png)",
        "![a](data:text/plain;base64,AAAA)",
        f"data:image/png;base64,{PNG} is a picture",
    ],
)
def test_other_texts_of_the_models_stay(text: str) -> None:
    assert texts_and_pictures(text) == [{"text": text}]


def test_texts_around_pictures_stay() -> None:
    shown = f"![a b](data:image/png;base64,{PNG})"

    assert texts_and_pictures(f"x{shown}{shown} y [b](z)\n{shown}z") == [
        {"text": "x"},
        INLINE,
        INLINE,
        {"text": " y [b](z)\n"},
        INLINE,
        {"text": "z"},
    ]


def test_texts_that_only_begin_to_show_pictures_take_no_long_search() -> None:
    for text in ("![x " * 300_000, "](data:image/" * 100_000, "![](data:image/" * 100_000 + ")"):
        assert texts_and_pictures(text) == [{"text": text}]
