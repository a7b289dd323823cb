"""One thin module for each family of routes; the table below reads as one list.

The first entry that matches wins. SDKs put any API version in front of a resource, a base
URL may add a path of its own, and one that ends with a slash makes two of it; so a Gemini
route is recognised by its end.
"""

from aiohttp import web

from gemproxy.routes import health, passthrough, stream

STREAM = (
    r"/{prefix:(?s:.*/)?}{kind:models|tunedModels|dynamic}/{model:[^/:]+}"
    r"{method:(?::|%3[Aa])streamGenerateContent}"
)

ROUTES = [
    web.get("/health", health.health, name="health"),
    web.get("/healthz", health.live, name="healthz"),
    web.get("/livez", health.live, name="livez"),
    web.get("/readyz", health.ready, name="readyz"),
    web.post(STREAM, stream.handle, name="stream"),
    web.route("*", "/{path:(?s:.*)}", passthrough.handle, name="passthrough"),
]
