"""Forms with pictures: read as OpenAI's SDKs send them, bounded, and refused in words."""

import base64
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDict

from gemproxy.core.errors import BadField, BadRequest, GemproxyError, TooLarge
from gemproxy.openai.fields import Json
from gemproxy.routes import forms
from gemproxy.routes.forms import is_form, pictures_of
from tests.images.samples import JPEG, PNG, SVG

PICTURE = {"filename": "x.png", "content_type": "image/png"}


class _Sink:
    def __init__(self) -> None:
        self.raw = bytearray()

    async def write(self, data: bytes) -> None:
        self.raw += data


async def form(*fields: tuple[str, Any]) -> tuple[CIMultiDict[str], bytes]:
    """Return the headers and the body of a form; bytes are files."""
    data = aiohttp.FormData(default_to_multipart=True)
    for name, value in fields:
        data.add_field(name, value, **(PICTURE if isinstance(value, bytes) else {}))
    payload, sink = data(), _Sink()
    await payload.write(sink)  # type: ignore[arg-type]
    return CIMultiDict({"Content-Type": payload.content_type}), bytes(sink.raw)


async def read(*fields: tuple[str, Any]) -> tuple[Json, list[Json]]:
    return await pictures_of(*await form(*fields))


async def test_fields_are_texts_numbers_and_switches() -> None:
    document, pictures = await read(
        ("image", JPEG), ("prompt", "größer 大"), ("n", "2"), ("stream", "true"), ("user", "7")
    )

    assert document == {"prompt": "größer 大", "n": 2, "stream": True, "user": "7"}
    assert [part["inlineData"]["mimeType"] for part in pictures] == ["image/jpeg"]


async def test_a_picture_larger_than_a_buffer_stays_whole() -> None:
    large = PNG + bytes(range(256)) * 4_000
    document, (part,) = await read(("image", large), ("prompt", "p"))

    assert document == {"prompt": "p"}
    assert base64.b64decode(part["inlineData"]["data"]) == large


async def test_pictures_stay_in_order_under_either_name() -> None:
    for name in ("image", "image[]"):
        _, pictures = await read((name, PNG), ("prompt", "p"), (name, JPEG))
        kinds = [part["inlineData"]["mimeType"] for part in pictures]
        assert kinds == ["image/png", "image/jpeg"]


async def test_a_mask_is_never_ignored() -> None:
    document, _ = await read(("image", PNG), ("mask", PNG))

    assert document["mask"]


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ([("prompt", "p")], BadField),
        ([("image", SVG)], BadField),
        ([("image", b"a text")], BadField),
        ([("image", PNG)] * 17, BadField),
        ([("image", PNG), *[("x", "y")] * 64], BadRequest),
    ],
)
async def test_what_is_too_much_or_no_picture_is_refused(
    fields: Any, kind: type[GemproxyError]
) -> None:
    with pytest.raises(kind):
        await read(*fields)


async def test_what_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "LARGEST", len(PNG))
    monkeypatch.setattr(forms, "LONGEST", 3)

    await read(("image", PNG), ("prompt", "abc"))
    with pytest.raises(TooLarge):
        await read(("image", PNG + b"0"))
    with pytest.raises(TooLarge):
        await read(("image", PNG), ("prompt", "abcd"))


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b""),
        ("multipart/form-data; boundary=b", b"--c\r\n\r\nx\r\n--c--"),
        ("multipart/form-data; boundary=" + "b" * 100, b"x"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n\xff\r\n--b--\r\n',
        ),
        (
            "multipart/form-data; boundary=b",
            b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c--\r\n--b--\r\n",
        ),
    ],
)
async def test_what_is_no_form_is_refused(kind: str, body: bytes) -> None:
    with pytest.raises(GemproxyError) as caught:
        await pictures_of(CIMultiDict({"Content-Type": kind}), body)

    assert caught.value.status == 400


def test_a_form_is_known_by_its_type() -> None:
    assert is_form({"Content-Type": "Multipart/Form-Data; boundary=x"})
    assert not is_form({"Content-Type": "application/json"})
    assert not is_form({})
