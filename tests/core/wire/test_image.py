"""A frame without its images says what the frame says."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.answer.chunk import Undecodable, read
from gemproxy.core.wire.frame import Data
from gemproxy.core.wire.image import without_images

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
