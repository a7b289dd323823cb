"""The voice of a request: which kind of client asks, and in which framing."""

import functools
import re
from collections.abc import Mapping

from gemproxy.voices.array import ArrayVoice
from gemproxy.voices.sse import FRAGILE, GO, STANDARD, EventVoice, Manner
from gemproxy.voices.voice import Voice

_JS = re.compile(r"\bgoogle-genai-sdk/([0-9]{1,6})\.([0-9]{1,6})\S* gl-node/")
_GO = re.compile(r"\bgl-go/")
_FIRST_GENERATION = re.compile(r"(?:^|\s)genai-\w+/")
_JS_SKIPS_BLANK_LINES = (1, 30)


def voice_of(headers: Mapping[str, str], *, sse: bool = True) -> Voice:
    """Return a voice for the client that sent these request headers, and asked for this framing."""
    if not sse:
        return ArrayVoice()
    client = f"{headers.get('x-goog-api-client', '')} {headers.get('User-Agent', '')}"
    return EventVoice(_manner(client))


@functools.lru_cache
def _manner(client: str) -> Manner:
    if _GO.search(client):
        return GO
    if _FIRST_GENERATION.search(client):
        return FRAGILE
    js = _JS.search(client)
    if js and (int(js[1]), int(js[2])) < _JS_SKIPS_BLANK_LINES:
        return FRAGILE
    return STANDARD
