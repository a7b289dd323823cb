"""``POST /v1/images/generations`` and ``/v1/images/edits``: pictures for clients of OpenAI's.

Some may fail: the answer has those that came and says which did not. It is an error if none came.
"""

import time

from aiohttp import web

from gemproxy.openai.asides import EventAsides
from gemproxy.openai.document import OpenAIDocumentVoice
from gemproxy.openai.fields import Json
from gemproxy.openai.image_answers import event_sheet, openai_sheet, told
from gemproxy.openai.image_requests import Drawing, pictures_in, translate, urls_in
from gemproxy.routes.forms import is_form, pictures_of
from gemproxy.routes.native import document_of
from gemproxy.routes.painting import Painted, Painting
from gemproxy.routes.parts import LIVE
from gemproxy.routes.showing import kept

_EVENTS = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}


async def generations(request: web.Request) -> web.StreamResponse:
    """Answer a request for new pictures."""
    async with request[LIVE].repair.bodies.receive(request, whole=True) as received:
        asked = translate(document_of(received.kept), request[LIVE].studio)
        return await _answer(request, asked, "image_generation")


async def edits(request: web.Request) -> web.StreamResponse:
    """Answer a request for changed pictures."""
    async with request[LIVE].repair.bodies.receive(request, whole=True) as received:
        if is_form(request.headers):
            document, pictures = await pictures_of(request.headers, received.kept)
        else:
            document = document_of(received.kept)
            pictures = pictures_in(document, await kept(request, urls_in(document)))
        asked = translate(document, request[LIVE].studio, pictures)
        return await _answer(request, asked, "image_edit")


async def _answer(request: web.Request, asked: Drawing, event: str) -> web.StreamResponse:
    """Draw, and answer; ``event`` is the first part of the name of the events."""

    def tell(painted: Painted) -> Json:
        return told(painted.outcome, painted.used, links=asked.links)

    created = int(time.time())
    if asked.stream:
        painting = Painting(request, asked, event_sheet(created, event), tell)
        return await painting.answer(EventAsides(), _EVENTS)
    return await Painting(request, asked, openai_sheet(created), tell).answer(OpenAIDocumentVoice())
