"""The dialects in which native streams are followed: events, or a JSON array."""

from aiohttp import web

from gemproxy.resume.log import Place
from gemproxy.resume.stream import Stream
from gemproxy.resume.telling import Reopened
from gemproxy.routes.keyed import Dialect
from gemproxy.routes.parts import EXCHANGE
from gemproxy.voices.array import ArrayVoice
from gemproxy.voices.sse import EventVoice
from gemproxy.voices.table import voice_of
from gemproxy.voices.voice import Voice


def _events(request: web.Request, stream: Stream, after: int) -> tuple[Voice, Place]:
    return voice_of(request[EXCHANGE].headers), stream.log.seek(after)


def _array(_request: web.Request, stream: Stream, after: int) -> tuple[Voice, Place]:
    voice = ArrayVoice()
    return (Reopened(voice) if after else voice), stream.log.seek(after)


SSE = Dialect("sse", EventVoice.content_type, _events)
ARRAY = Dialect("array", ArrayVoice.content_type, _array)
