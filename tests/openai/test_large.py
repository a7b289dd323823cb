"""A frame with a large picture says the same whether its picture is lifted out of it or not."""

import base64
import json

import pytest

from gemproxy.core.repair.events import Frames
from gemproxy.core.wire.frame import Frame
from gemproxy.openai.asked import Telling
from gemproxy.openai.completion import Message, completion
from gemproxy.openai.voice import OpenAIVoice
from tests.gemini import Json
from tests.images.samples import PNG
from tests.openai.told import STOP, TELLING, answer, frame, text

DATA = base64.b64encode(PNG * 20_000).decode()
URL_SAFE = DATA.replace("+", "-").replace("/", "_")


def part(mime: str, data: str = DATA, **more: object) -> Json:
    return {"inlineData": {"mimeType": mime, "data": data}, **more}


def large(*parts: Json) -> Json:
    return {"candidates": [{"content": {"parts": list(parts)}}], "responseId": "r"}


def lent(document: Json) -> Frames:
    """Return a frame as the decoder gives a large one."""
    raw = b"data: " + json.dumps(document).encode() + b"\r\n\r\n"
    return Frames((Frame(raw, memoryview(raw)[6:-4]),))


PARTS = {
    "a picture": [part("image/png")],
    "two pictures": [part("image/png"), {"text": "and"}, part("image/png", DATA[:-4])],
    "a draft before it": [part("image/png", thought=True), part("image/png")],
    "sound": [part("audio/L16;rate=24000")],
    "a file": [part("application/pdf")],
    "no object": [{"inlineData": 3}, part("image/png")],
}


@pytest.mark.parametrize("markdown", [False, True])
@pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS.keys())
def test_both_ways_say_the_same(parts: list[Json], *, markdown: bool) -> None:
    telling = Telling("boat", markdown=markdown)
    said: list[tuple[bytes, bytes]] = []
    for given in (lent(large(*parts)), frame(large(*parts))):
        frames = (frame(text("a")), given, frame(STOP))
        whole = answer(telling)
        voice, message = OpenAIVoice.of(whole), Message.of(answer(telling))
        stream = b"".join([voice.say((one,)) for one in frames]) + voice.close(None)
        message.take(frames)
        message.end()
        said.append((stream, b"".join(completion(message.choice.answer, [message]))))

    assert said[0] == said[1]


def test_base64_for_urls_is_told_in_the_alphabet_of_all_clients() -> None:
    stream = OpenAIVoice.of(answer()).say((lent(large(part("image/png", URL_SAFE))),))

    assert f"base64,{DATA}".encode() in stream


def test_the_signature_of_a_large_picture_is_remembered_by_its_bytes() -> None:
    whole = answer(TELLING)
    seen: list[tuple[str, str]] = []
    whole.drawn = lambda data, signature: seen.append((bytes(data).decode(), signature))  # type: ignore[arg-type]  # here it is bytes
    OpenAIVoice.of(whole).say((lent(large(part("image/png", thoughtSignature="c2ln"))),))

    assert seen == [(DATA, "c2ln")]
