"""One thin module for each family of routes; the table below reads as one list.

The first entry that matches wins. SDKs put any API version in front of a resource, a base
URL may add a path of its own, and one that ends with a slash makes two of it; a gateway or
Vertex AI names a model in its own way. So a method of Gemini is recognised by the end of the
path alone, behind its last colon, which may be percent-encoded.
"""

from aiohttp import web

from gemproxy.routes import health, interactions, live, models, passthrough, stream, unary, upload

_METHOD = r"/{target:(?s:.*)}:{method:%s}"
STREAM = _METHOD % "streamGenerateContent"
GENERATE = _METHOD % "generateContent"
COMPUTE = _METHOD % "(?:countTokens|embedContent|batchEmbedContents|predict)"
MODELS = "/{slash:/*}v1/models"
INTERACTIONS = r"/{prefix:(?s:.*/)?}interactions"
LIVE = r"/{prefix:(?s:.*/)?}ws/{rest:(?s:.*)}"
UPLOAD = r"/{prefix:(?s:.*/)?}upload/{version:v\d[^/]*}/{rest:(?s:.*)}"

ROUTES = [
    web.get("/health", health.health, name="health"),
    web.get("/healthz", health.live, name="healthz"),
    web.get("/livez", health.live, name="livez"),
    web.get("/readyz", health.ready, name="readyz"),
    web.post(STREAM, stream.handle, name="stream"),
    web.post(GENERATE, unary.generate, name="generate"),
    web.post(COMPUTE, unary.compute, name="compute"),
    web.get(MODELS, models.handle, name="models"),
    web.get(MODELS + r"/{model:[^/:]+}", models.handle, name="model"),
    web.post(INTERACTIONS, interactions.create, name="interactions"),
    web.get(INTERACTIONS + r"/{interaction:[^/:]+}", interactions.read, name="interaction"),
    web.route("*", UPLOAD, upload.handle, name="upload"),
    web.get(LIVE, live.handle, name="live"),
    web.get("/{path:(?s:.*)}", live.handle, name="fetch"),
    web.route("*", "/{path:(?s:.*)}", passthrough.handle, name="passthrough"),
]
