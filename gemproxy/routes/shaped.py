"""The operator's additions to native requests for content: defaults for thinking, and a prompt.

Their body is read whole, whatever route they take: generateContent and streamGenerateContent of
models, tuned models and Vertex AI's paths. Without such settings nothing of this happens.
"""

import re

import attrs
from aiohttp import web

from gemproxy.exchange.exchange import Exchange
from gemproxy.relay.bodies import Body
from gemproxy.routes.parts import EXCHANGE, LIVE
from gemproxy.shaping.family import family_of
from gemproxy.shaping.native import added
from gemproxy.shaping.thinking import Thinking

_CONTENT = re.compile(r":(?:g|streamG)enerateContent/*$")


def is_shaped(request: web.Request, exchange: Exchange) -> bool:
    """Return whether something may be added to the body of a request, so it must be read whole."""
    shaping = request[LIVE].shaping
    if not shaping.native or request.method != "POST" or not _CONTENT.search(exchange.path):
        return False
    return shaping.thoughts.native or shaping.prompt(exchange.headers) is not None


def shaped(request: web.Request, body: Body) -> Body:
    """Return the body of such a request with what is added, itself if that is nothing."""
    shaping, exchange = request[LIVE].shaping, request[EXCHANGE]
    model = exchange.model
    thinking = shaping.thoughts.default(model) if shaping.thoughts.native else Thinking()
    family = family_of(model, shaping.pictures)
    made = added(body.kept, family, thinking, shaping.prompt(exchange.headers))
    exchange.account.injected = made.injected
    return body if made.body is body.kept else attrs.evolve(body, kept=made.body)
