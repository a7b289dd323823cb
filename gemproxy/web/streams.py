"""The composition of the list of running requests: this worker's, which the others ask for."""

from aiohttp import web

from gemproxy.admin.streams import CANCELS, INTERRUPTS, LISTS, Streams
from gemproxy.routes.parts import IN_FLIGHT
from gemproxy.web.neighbours import NEIGHBOURS

STREAMS = web.AppKey("streams", Streams)


def show_streams(app: web.Application) -> Streams:
    """Return the running requests of ``app``, and have it answer the other workers about them."""
    neighbours = app[NEIGHBOURS]
    streams = Streams(app[IN_FLIGHT], neighbours.number)
    neighbours.answerers[LISTS] = streams.list
    neighbours.answerers[CANCELS] = streams.cancel
    neighbours.answerers[INTERRUPTS] = streams.interrupt
    return streams
