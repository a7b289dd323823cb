"""Sound of an answer, joined: it comes in pieces of base64, each of which may be padded."""

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]


def joined(pieces: Iterable[Mapping[str, Any]]) -> Json:
    """Return the ``audio`` of a message from the deltas of a stream."""
    whole: Json = {}
    data = b""
    for piece in pieces:
        whole = {**piece, **whole}
        data += _decoded(str(piece.get("data", "")))
    return {**whole, "data": base64.b64encode(data).decode()}


def _decoded(data: str) -> bytes:
    try:
        return base64.b64decode(data)
    except (binascii.Error, ValueError):
        return b""
