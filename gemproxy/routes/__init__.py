"""One thin module for each family of routes; the table below reads as one list.

The first entry that matches wins, and each that is tried before it costs three calls, so the routes
that are asked most go first. SDKs put any API version in front of a resource, a base
URL may add a path of its own, and one that ends with a slash makes two of it; a gateway or
Vertex AI names a model in its own way. So a method of Gemini is recognised by the end of the
path alone, behind its last colon, which may be percent-encoded.
"""

from aiohttp import web

from gemproxy.images.names import PATTERN
from gemproxy.routes import (
    chat,
    drawing,
    embeddings,
    health,
    image_relay,
    interactions,
    kept,
    live,
    models,
    passthrough,
    pictures,
    refused,
    selftest,
    stream,
    unary,
    upload,
)

_METHOD = r"/{target:(?s:.*)}:{method:%s}"
OWN = "/{slash:/*}%s{end:/*}"
"""A path of our own, with the slashes that a base URL may add."""
STREAM = _METHOD % "streamGenerateContent"
GENERATE = _METHOD % "generateContent"
COMPUTE = _METHOD % "(?:countTokens|embedContent|batchEmbedContents|predict)"
MODELS = "/{slash:/*}v1/{more:/*}models"
MODEL = MODELS + r"/{model:(?:models/|tunedModels/)?[^/:]+}{end:/*}"
CHAT = "/{slash:/*}v1/{more:/*}chat/{further:/*}completions{end:/*}"
EMBEDDINGS = "/{slash:/*}v1/{more:/*}embeddings{end:/*}"
GENERATIONS = "/{slash:/*}v1/{more:/*}images/{further:/*}generations{end:/*}"
EDITS = "/{slash:/*}v1/{more:/*}images/{further:/*}edits{end:/*}"
_OF_OPENAI = (
    "chat|completions|responses|embeddings|moderations|audio|images|videos|assistants|threads"
    "|fine_tuning|fine-tunes|uploads|vector_stores|realtime|evals|containers|conversations"
    "|organization|edits|engines|chatkit|skills"
    "|v1/+(?:chat|completions|responses|embeddings)"  # of a base URL to which a client adds /v1
)
"""First pieces of paths that OpenAI has below ``/v1``, and Gemini has not."""
_ALONE = "(?:chat/)?completions|embeddings|responses"
"""What clients ask for whose base URL lacks the ``/v1``."""
REFUSED = (
    r"/{slash:/*}{openai:(?:v1/+(?:" + _OF_OPENAI + r")(?:/(?s:.*))?|" + _ALONE + r")}{end:/*}"
)
_KEPT = "/{slash:/*}gemproxy/v1/streams{rest:(?s:.*)}"
KEPT = "/{slash:/*}gemproxy/v1/streams/{stream:[^/:]+}"
RELAY = "/{slash:/*}generate{end:/*}"
INTERACTIONS = r"/{prefix:(?s:.*/)?}interactions"
LIVE = r"/{prefix:(?s:.*/)?}ws/{rest:(?s:.*)}"
UPLOAD = r"/{prefix:(?s:.*/)?}upload/{version:v\d[^/]*}/{rest:(?s:.*)}"
PICTURE = r"/{prefix:(?s:.*/)?}images/{name:" + PATTERN + "}"

USUAL = [
    web.post(STREAM, stream.handle, name="stream"),
    web.post(CHAT, chat.handle, name="chat"),
    web.post(GENERATE, unary.generate, name="generate"),
    web.post(COMPUTE, unary.compute, name="compute"),
]
"""What nearly all requests are; no path of our own is among them."""

OTHERS = [
    web.route("*", OWN % "health", health.health, name="health"),
    web.route("*", OWN % "healthz", health.live, name="healthz"),
    web.route("*", OWN % "livez", health.live, name="livez"),
    web.route("*", OWN % "readyz", health.ready, name="readyz"),
    web.get("/selftest/stream", selftest.stream, name="selftest"),
    web.route("*", "/images/{name:(?s:.*)}", pictures.handle, name="picture"),
    web.route("*", KEPT + "{end:/*}", kept.read, name="streams"),
    web.route("*", KEPT + "/{status:status}{end:/*}", kept.status, name="stream_status"),
    web.route("*", KEPT + ":cancel{end:/*}", kept.cancel, name="stream_cancel"),
    web.route("*", _KEPT, kept.nothing, name="gemproxy"),
    web.post(EMBEDDINGS, embeddings.handle, name="embeddings"),
    web.post(GENERATIONS, drawing.generations, name="drawing"),
    web.post(EDITS, drawing.edits, name="edits"),
    web.route("*", RELAY, image_relay.handle, name="image_relay"),
    web.get(MODELS + "{end:/*}", models.handle, name="models"),
    web.get(MODEL, models.handle, name="model"),
    web.route("*", REFUSED, refused.handle, name="refused"),
    web.post(INTERACTIONS, interactions.create, name="interactions"),
    web.get(INTERACTIONS + r"/{interaction:[^/:]+}", interactions.read, name="interaction"),
    web.route("*", UPLOAD, upload.handle, name="upload"),
    web.route("*", PICTURE, pictures.handle, name="prefixed_picture"),
    web.get(LIVE, live.handle, name="live"),
    web.get("/{path:(?s:.*)}", live.handle, name="fetch"),
    web.route("*", "/{path:(?s:.*)}", passthrough.handle, name="passthrough"),
]

ROUTES = [*USUAL, *OTHERS]
