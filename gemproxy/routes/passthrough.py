"""Every route that is not repaired, whatever its method and its path."""

from aiohttp import web

from gemproxy.routes.foreign import refuse_foreign
from gemproxy.routes.forwarding import pass_through


async def handle(request: web.Request) -> web.StreamResponse:
    """Send the request up and the answer down."""
    refuse_foreign(request)
    return await pass_through(request)
