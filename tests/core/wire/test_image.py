"""A frame without its images says what the frame says."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.answer.chunk import Undecodable, read
from gemproxy.core.wire.frame import Data
from gemproxy.core.wire.image import lifted, without_images

BYTES = "QUJD" * 1000


def view(text: str | bytes, before: bytes = b"data: ", behind: bytes = b"\r\n\r\n") -> memoryview:
    """Return ``text`` as the decoder gives it: a view into a frame."""
    data = text.encode() if isinstance(text, str) else text
    return memoryview(before + data + behind)[len(before) : len(before) + len(data)]


def image(bytes_: str = BYTES) -> dict[str, object]:
    return {"inlineData": {"mimeType": "image/png", "data": bytes_}}


def answer(*parts: object, **more: object) -> dict[str, object]:
    return {"candidates": [{"content": {"parts": list(parts)}, **more}]}


def test_an_image_keeps_all_but_its_bytes() -> None:
    document = answer(image(), finishReason="STOP")
    assert json.loads(bytes(without_images(view(json.dumps(document))))) == answer(
        image(""), finishReason="STOP"
    )


def test_every_image_of_a_frame() -> None:
    document = answer({"text": "a"}, image(), image(), {"text": "b"})
    assert json.loads(bytes(without_images(view(json.dumps(document))))) == answer(
        {"text": "a"}, image(""), image(""), {"text": "b"}
    )


@pytest.mark.parametrize(
    "text",
    [
        '{"inlineData":{"data":"QUJD","mimeType":"image/png"}}',
        '{ "inlineData" : {\n"mimeType" :"image/png" ,\t"data": "QUJD" } }',
    ],
    ids=["the other order", "with white space"],
)
def test_spellings_of_an_image(text: str) -> None:
    assert b"QUJD" not in bytes(without_images(view(text)))


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "",
        "[]",
        " {}",
        json.dumps(answer({"text": "no image"})),
        json.dumps(answer({"text": json.dumps(image())})),
        json.dumps(answer(image('"'))),
        json.dumps(json.dumps(image())),
        '{"inlineData":{"mimeType":"image/png","data":"QUJD',
        '{"inlineData":{"mimeType":"image/png","data":"Q\\/JD"}}',
        '{"inlineData":{"mimeType":"image/png","data":""}}',
        '{"inlineData":{"data":1}}',
        '{"data":"QUJD"}',
        '{"inlineData":{"mimeType":"image/png","data":"QÜJD"}}',
    ],
)
def test_what_is_no_plain_image_stays_as_it_is(text: str) -> None:
    whole = view(text)
    assert bytes(without_images(whole)) == text.encode()


names = st.sampled_from(["inlineData", "data", "mimeType", "text", 'x"data', "thought", "\\"])
strings = st.text(st.sampled_from('aQ="\\{}:, \u00fc\u2028'), max_size=6) | names
objects = st.recursive(
    st.none() | st.booleans() | strings,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
parts = st.dictionaries(names, objects, max_size=3) | st.just(image("QUJD"))


def emptied(value: object) -> object:
    """Return ``value`` with each string ``data`` of an ``inlineData`` left out."""
    if isinstance(value, list):
        return [emptied(each) for each in value]
    if not isinstance(value, dict):
        return value
    found = {name: emptied(each) for name, each in value.items()}
    inline = found.get("inlineData")
    if isinstance(inline, dict) and isinstance(inline.get("data"), str):
        found["inlineData"] = {name: each for name, each in inline.items() if name != "data"}
    return found


@given(st.lists(parts, max_size=3), st.booleans())
def test_nothing_else_is_left_out(found: list[object], ascii_: bool) -> None:
    text = json.dumps(answer(*found), ensure_ascii=ascii_)
    assert emptied(json.loads(bytes(without_images(view(text))))) == emptied(json.loads(text))


def said(data: Data) -> object:
    try:
        return read(data)
    except Undecodable:
        return None


@given(st.lists(parts, min_size=1, max_size=3), st.booleans(), st.integers(0, 400))
def test_a_frame_says_the_same_without_its_images(
    found: list[object], whole: bool, cut: int
) -> None:
    text = json.dumps(answer(*found))
    text = text if whole else text[:cut]
    assert said(view(text)) == said(text.encode())


LONG = "QUJD" * 50_000
"""More than is looked at together."""


def raised(text: str) -> tuple[Any, list[bytes]]:
    """Return a JSON text without its images, and these, however it is kept."""
    raw = text.encode()
    out = lifted(raw, len(raw))
    again = lifted(bytearray(raw + b"behind"), len(raw))
    assert (again.text, list(again._images)) == (out.text, list(out._images))
    return json.loads(out.text), [bytes(one) for one in out._images]


def test_images_are_lifted_and_found_by_their_marks() -> None:
    raw = json.dumps(answer(image(LONG), {"text": "a"}, image(), image())).encode()
    out = lifted(raw, len(raw))

    parts = json.loads(out.text)["candidates"][0]["content"]["parts"]
    marks = [part["inlineData"]["data"] for part in parts if "inlineData" in part]
    assert [bytes(out.image(mark)) for mark in marks] == [
        one.encode() for one in (LONG, BYTES, BYTES)
    ]
    assert out.image("QUJD") == b"QUJD"


@pytest.mark.parametrize("data", [LONG[:-2] + "-_", LONG + "QUI", "-" + LONG[1:]])
def test_an_image_in_another_alphabet_is_lifted_in_the_standard_one(data: str) -> None:
    standard = data.replace("-", "+").replace("_", "/")
    _, images = raised(json.dumps(answer(image(data))))

    assert images == [(standard + "=" * (-len(standard) % 4)).encode()]


@pytest.mark.parametrize("bad", ["\\/", "\u00e9"])
@pytest.mark.parametrize("before", [0, 1 << 17])
def test_an_answer_with_an_image_that_is_not_plain_stays_as_it_is(bad: str, before: int) -> None:
    text = '{"inlineData":{"mimeType":"image/png","data":"' + "A" * before + bad + '"}}'

    assert raised(text) == (json.loads(text), [])


def test_half_an_image_is_not_lifted() -> None:
    text = b'{"inlineData":{"mimeType":"image/png","data":"' + LONG.encode()

    assert lifted(text, len(text)).text == text
    assert lifted(text + b'"}}', len(text)).text == text


def test_a_name_without_an_image_behind_it_hides_none() -> None:
    document, images = raised(json.dumps([{"inlineData": 1}, image()]))

    assert (images, document[0]) == ([BYTES.encode()], {"inlineData": 1})
