"""``POST /generate``: pictures for people who come from a relay for pictures.

    {"prompt": "a kelp forest", "model": "...", "number_of_images": 2}
    -> {"images": [{"mime_type": "image/png", "data": "..."}], "failed": [],
        "model": "...", "usage": {...}, "cost_usd": "0.27"}

Each picture is as for OpenAI's clients (``routes/painting.py``). Some may fail, and are in
``failed``; it is an error if none came. Errors are Google's JSON, ``{"error": {"message", ...}}``,
as of every route that is not OpenAI's. The usage and the cost are what the caller pays, so they
agree with the ledger; an attempt that brought no picture is the operator's.
"""

import time

from aiohttp import web

from gemproxy.accounts.charge import charge
from gemproxy.accounts.words import dollars
from gemproxy.core.errors import WrongMethod
from gemproxy.openai.fields import Json
from gemproxy.openai.image_answers import RELAY_SHEET
from gemproxy.openai.image_answers import relayed as told
from gemproxy.openai.image_requests import relayed
from gemproxy.routes.native import document_of
from gemproxy.routes.painting import Painted, Painting
from gemproxy.routes.parts import EXCHANGE, LIVE, PRICES
from gemproxy.voices.document import DocumentVoice


async def handle(request: web.Request) -> web.StreamResponse:
    """Answer with the pictures that came."""
    if request.method != "POST":
        raise WrongMethod("/generate takes POST only.", "POST")
    app, account = request.app, request[EXCHANGE].account
    async with request[LIVE].repair.bodies.receive(request, whole=True) as received:
        asked = relayed(document_of(received.kept), request[LIVE].studio)

        def tell(painted: Painted) -> Json:
            cost = charge(account, asked.model, app[PRICES], painted.began).cost_nano_usd
            paid = None if cost is None else dollars(cost).removeprefix("$")
            return told(painted.outcome, asked.model, painted.own, paid, links=asked.links)

        gate = request[LIVE].gate.entered(time.monotonic())
        painting = Painting(request, asked, RELAY_SHEET, tell, gate)
        return await painting.answer(DocumentVoice())
