"""A native request as the bytes that go up.

Strings of JSON may hold half a surrogate pair (clients cut emoji in two), which is no UTF-8 and
which Google's reader refuses. U+FFFD goes up in its place.
"""

import json

import msgspec

from gemproxy.openai.fields import Json

_encode = msgspec.json.Encoder().encode


def encoded(body: Json) -> bytes:
    """Return a request as JSON in UTF-8."""
    try:
        return _encode(body)
    except UnicodeEncodeError:
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
