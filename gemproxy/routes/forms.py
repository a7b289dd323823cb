"""Requests of ``multipart/form-data`` with pictures, as OpenAI's SDKs send them.

The fields of a form are texts; the numbers and switches among them are read as such. A form is in
memory as a whole, and bounded.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping

from aiohttp import BodyPartReader, MultipartReader, StreamReader, hdrs
from aiohttp.base_protocol import BaseProtocol

from gemproxy.core.errors import BadField, BadRequest, TooLarge
from gemproxy.openai.fields import Json
from gemproxy.openai.image_requests import MOST_GIVEN, picture_part

LARGEST = 20 << 20
"""Bytes of a picture, of which Gemini takes no more in a request."""

LONGEST = 1 << 20
"""Bytes of any other field."""

_FORM = "multipart/form-data"
_MOST_FIELDS = 64
_PICTURES = frozenset({"image", "image[]"})
_NUMBERS = frozenset({"n", "output_compression", "partial_images"})
_SWITCHES = {"true": True, "false": False}


def is_form(headers: Mapping[str, str]) -> bool:
    """Return whether a request has a form."""
    return headers.get(hdrs.CONTENT_TYPE, "").partition(";")[0].strip().lower() == _FORM


async def pictures_of(headers: Mapping[str, str], body: bytes) -> tuple[Json, list[Json]]:
    """Return the fields of a form, and the parts for its pictures in their order.

    Raises BadRequest for what is no form, BadField and TooLarge.
    """
    document: Json = {}
    pictures: list[Json] = []
    try:
        async for name, data in _fields(headers, body):
            if name in _PICTURES:
                field = f"image[{len(pictures)}]" if name == "image[]" else name
                pictures.append(_picture(data, field, len(pictures)))
            elif name == "mask":
                document[name] = True
            else:
                document[name] = _value(name, data)
    except (ValueError, AssertionError, LookupError) as error:
        raise BadRequest("The request body is no form that can be read.") from error
    if not pictures:
        raise BadField("image", "is missing")
    return document, pictures


async def _fields(headers: Mapping[str, str], body: bytes) -> AsyncIterator[tuple[str, bytes]]:
    # A buffer that has room for all: a full one would want a connection to read no further.
    stream = StreamReader(BaseProtocol(asyncio.get_running_loop()), len(body))
    stream.feed_data(body)
    stream.feed_eof()
    count = 0
    async for part in MultipartReader(headers, stream):
        count += 1
        if count > _MOST_FIELDS or not isinstance(part, BodyPartReader):
            raise BadRequest(f"A form has at most {_MOST_FIELDS} plain fields.")
        yield part.name or "", bytes(await part.read())


def _picture(data: bytes, field: str, before: int) -> Json:
    if before >= MOST_GIVEN:
        raise BadField("image", f"must be at most {MOST_GIVEN} pictures")
    if len(data) > LARGEST:
        raise TooLarge(f"A picture has more than {LARGEST} bytes.")
    return picture_part(data, field)


def _value(name: str, data: bytes) -> object:
    if len(data) > LONGEST:
        raise TooLarge(f"A field of the form has more than {LONGEST} bytes.")
    text = data.decode("utf-8")
    if name in _NUMBERS and text.strip().lstrip("-").isdecimal():
        return int(text)
    return _SWITCHES.get(text.strip().lower(), text) if name == "stream" else text
