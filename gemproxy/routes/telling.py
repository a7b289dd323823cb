"""The dialects in which streams are followed: Gemini's events, its JSON array, and OpenAI's chunks.

``READ`` has what a stream is read in by its id: the dialect of its request, but always as events.
"""

import contextlib
from collections.abc import Mapping
from functools import partial

import attrs
from aiohttp import web

from gemproxy.core.errors import GemproxyError
from gemproxy.openai.answer import Answer
from gemproxy.openai.asked import Telling
from gemproxy.openai.voice import OpenAIVoice
from gemproxy.resume.log import Beyond, Place, Whole
from gemproxy.resume.stream import Stream
from gemproxy.resume.telling import AsEvents, Reopened, Skipping
from gemproxy.routes.bounded import new_mark
from gemproxy.routes.keyed import Dialect
from gemproxy.routes.parts import DRAWN, EXCHANGE, caller_of
from gemproxy.voices.array import ArrayVoice
from gemproxy.voices.sse import EventVoice
from gemproxy.voices.table import voice_of
from gemproxy.voices.voice import Voice


def _events(request: web.Request, stream: Stream, after: int) -> tuple[Voice, Place]:
    return voice_of(request[EXCHANGE].headers), stream.log.seek(after)


def _array(_request: web.Request, stream: Stream, after: int) -> tuple[Voice, Place]:
    voice = ArrayVoice()
    return (Reopened(voice) if after else voice), stream.log.seek(after)


def _array_as_events(request: web.Request, stream: Stream, after: int) -> tuple[Voice, Place]:
    return AsEvents(voice_of(request[EXCHANGE].headers)), stream.log.seek(after)


@attrs.frozen
class Terms:
    """What is the same for all who follow a stream of chunks; ``created`` is its Unix time."""

    telling: Telling
    request_id: str
    created: int

    def answer(self) -> Answer:
        """Return what a translation begins with."""
        return Answer(self.telling, self.request_id, self.created, mark=new_mark())


def _chat(request: web.Request, stream: Stream, after: int) -> tuple[Voice, Place]:
    """Return the voice that leaves out as many chunks as the client has, and the beginning."""
    assert isinstance(stream.terms, Terms)  # noqa: S101 (with which its route began it)
    place, answer = stream.log.seek(0), stream.terms.answer()
    answer.drawn = partial(request.app[DRAWN].remember, caller_of(request[EXCHANGE]))
    voice = OpenAIVoice.of(answer)
    if not after:
        return voice, place
    if after > _chunks_of(stream, stream.terms):
        raise Beyond
    return Skipping(voice, after), place


def _chunks_of(stream: Stream, terms: Terms) -> int:
    """Return how many chunks there are by now."""
    most = 1 << 62
    counting = Skipping(OpenAIVoice.of(terms.answer()), most)
    serial = stream.log.seek(0).serial
    while out := stream.log.read(serial):
        serial += len(out)
        counting.say(out)
    if isinstance(stream.log.ending, Whole):
        with contextlib.suppress(GemproxyError):  # which its followers are told
            counting.close(stream.log.ending.tail)
    return most - counting.left


SSE = Dialect("sse", EventVoice.content_type, _events)
ARRAY = Dialect("array", ArrayVoice.content_type, _array)
CHAT = Dialect("chat", OpenAIVoice.content_type, _chat, texts=True, native=False)

READ: Mapping[str, Dialect] = {
    SSE.name: SSE,
    ARRAY.name: attrs.evolve(ARRAY, voice=_array_as_events),
    CHAT.name: CHAT,
}
