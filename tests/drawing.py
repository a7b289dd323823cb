"""Gemini's answers with pictures, the links to them, and a store that keeps none."""

import base64
from typing import Any

import pytest

from gemproxy.images.shelf import StoreDown
from gemproxy.images.store import PictureStore
from tests.gemini import Json
from tests.images.samples import PNG
from tests.replies import Reply, json_reply
from tests.running import Proxy
from tests.wire import Answer

USAGE: dict[str, Any] = {
    "promptTokenCount": 10,
    "candidatesTokenCount": 1290,
    "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}],
    "totalTokenCount": 1300,
}
"""The usage of each answer."""


def inline(data: bytes = PNG) -> Json:
    """Return the part with a picture, which Gemini calls a PNG whatever it is."""
    return {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(data).decode()}}


def drawn(data: bytes = PNG) -> Reply:
    """Return a whole answer with a picture."""
    return said(inline(data))


def said(*parts: Json, finish: str = "STOP") -> Reply:
    """Return a whole answer with these parts."""
    candidate: dict[str, Any] = {
        "content": {"parts": list(parts), "role": "model"},
        "finishReason": finish,
    }
    return json_reply({"candidates": [candidate], "usageMetadata": USAGE})


async def behind(link: str, served: Proxy) -> Answer:
    """Return the answer to a client without a key that follows a link to the proxy."""
    return await served.ask(link.removeprefix(served.url), b"", {}, "GET")


def break_store(monkeypatch: pytest.MonkeyPatch, method: str = "put") -> None:
    """Let this method of every store of pictures fail until the end of the test."""

    async def down(*_: object) -> None:
        raise StoreDown("the disk is full")

    monkeypatch.setattr(PictureStore, method, down)
