"""The route table: which requests are streams, and that nothing is left out."""

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.routes import ROUTES
from gemproxy.web.checks import HEALTH
from gemproxy.web.status import ROUTES as STATUS

SEGMENT = st.text("abcXYZ019-._~%", min_size=1, max_size=8)


async def matched(method: str, path: str) -> str | None:
    """Return the name of the route that takes a request."""
    router = web.UrlDispatcher()
    router.add_routes([*STATUS, *ROUTES])
    return (await router.resolve(make_mocked_request(method, path))).route.name


@pytest.mark.parametrize(
    "path",
    [
        "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
        "/v1/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        "/v1alpha/tunedModels/mine:streamGenerateContent",
        "/v1beta/dynamic/0123:streamGenerateContent",
        "//v1beta/models/m:streamGenerateContent",
        "/team/gemini/v1beta/models/m:streamGenerateContent",
        "/models/m:streamGenerateContent",
        "/v1/projects/p/locations/l/publishers/google/models/m:streamGenerateContent",
        "/v1beta/models/m%3AstreamGenerateContent",
        "/v1/endpoints/123:streamGenerateContent",
        "/v1beta/models/google/gemini-2.5-flash:streamGenerateContent",
        "/v1beta/models/x:thinking:streamGenerateContent",
        "/v1beta/models%2Fx:streamGenerateContent",
        "/v1beta/models/google%2Fx%3Athinking%3AstreamGenerateContent?alt=sse",
        "/v1beta/xmodels/m:streamGenerateContent",
        "/v1beta/models/:streamGenerateContent",
        "/:streamGenerateContent",
    ],
)
async def test_a_stream_is_recognised_by_its_end(path: str) -> None:
    assert await matched("POST", path) == "stream"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/v1beta/models/m:generateContent"),
        ("POST", "/v1beta/models/m:batchGenerateContent"),
        ("POST", "/v1beta/models/m:asyncBatchEmbedContent"),
        ("POST", "/v1beta/models/m:predictLongRunning"),
        ("POST", "/v1beta/cachedContents"),
        ("POST", "/v1beta/interactions/v1_abc/cancel"),
        ("DELETE", "/v1beta/interactions/v1_abc"),
        ("POST", "/v1/models"),
        ("DELETE", "/v1beta/tunedModels/m"),
        ("POST", "/v1beta/models/m:streamGenerateContentX"),
        ("POST", "/v1beta/models/m:streamGenerateContent/"),
        ("POST", "/v1beta/models/m:streamGenerateContent/x"),
        ("POST", "/v1beta/models/streamGenerateContent"),
        ("POST", "/v1beta/models/m:rawstreamGenerateContent"),
        ("POST", "/v1beta/models/m%253AstreamGenerateContent"),
        ("POST", "/v1/endpoints/123:rawPredict"),
        ("POST", "/v1beta/openai/chat/completions"),
        ("PROPFIND", "/anything"),
    ],
)
async def test_everything_else_is_passed_through(method: str, path: str) -> None:
    assert await matched(method, path) == "passthrough"


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("POST", "/v1beta/models/m:generateContent", "generate"),
        ("POST", "//team/v1/tunedModels/m%3AgenerateContent", "generate"),
        ("POST", "/health", "health"),
        ("POST", "/v1beta/models/m:countTokens", "compute"),
        ("POST", "/v1beta/models/m:embedContent", "compute"),
        ("POST", "/v1beta/models/m:batchEmbedContents", "compute"),
        ("POST", "/v1beta/models/m:predict", "compute"),
        ("POST", "/v1/endpoints/123:generateContent", "generate"),
        ("POST", "/v1/models/google/x:thinking:generateContent", "generate"),
        ("POST", "/v1/models%2Fx:countTokens", "compute"),
        ("POST", "/v1/projects/p/locations/l/endpoints/1:predict", "compute"),
        ("POST", "/models/x:embedContent", "compute"),
        ("GET", "/images/0123456789abcdef0123456789abcdef.png", "picture"),
        ("POST", "/images/m:streamGenerateContent", "picture"),
        ("GET", "/images/", "picture"),
        ("PUT", "/team/images/0123456789abcdef0123456789abcdef.jpg", "prefixed_picture"),
        ("GET", "/team/images/0123456789abcdef0123456789abcdef.svg", "fetch"),
        ("GET", "/images", "fetch"),
        ("GET", "/v1/models", "models"),
        ("GET", "/v1//models/", "models"),
        ("POST", "/v1/chat/completions", "chat"),
        ("POST", "/v1//chat//completions/", "chat"),
        ("POST", "/v1/embeddings", "embeddings"),
        ("POST", "/v1//embeddings/", "embeddings"),
        ("POST", "/generate", "image_relay"),
        ("POST", "/generate//", "image_relay"),
        ("GET", "/generate", "image_relay"),
        ("POST", "/v1/generate", "passthrough"),
        ("GET", "/v1//chat/completions", "refused"),
        ("POST", "/v1//responses/r", "refused"),
        ("POST", "/v1/v1/chat/completions", "refused"),
        ("POST", "/v1/v1/models/m:generateContent", "generate"),
        ("GET", "/v1/v1/models", "fetch"),
        ("GET", "/v1/models/m", "model"),
        ("POST", "/v1beta/interactions", "interactions"),
        ("POST", "//team/v1/interactions", "interactions"),
        ("GET", "/v1beta/interactions/v1_abc", "interaction"),
        ("GET", "/v1beta/interactions", "fetch"),
        ("GET", "/ws/google.ai.generativelanguage.v1.GenerativeService.BidiGenerate", "live"),
        ("GET", "/team//ws/x", "live"),
        ("GET", "/v1beta/models", "fetch"),
        ("GET", "/v1beta/models/m:streamGenerateContent", "fetch"),
        ("HEAD", "/v1beta/files/f", "fetch"),
        ("GET", "/", "fetch"),
    ],
)
async def test_what_may_be_asked_again_has_routes_of_its_own(
    method: str, path: str, name: str
) -> None:
    assert await matched(method, path) == name


@given(st.lists(SEGMENT, max_size=3), st.sampled_from(["models", "tunedModels"]), SEGMENT)
async def test_any_prefix_may_stand_before_a_stream(
    prefix: list[str], kind: str, model: str
) -> None:
    path = "/".join(["", *prefix, kind, f"{model}:streamGenerateContent"])

    assert await matched("POST", path) == "stream"


@pytest.mark.parametrize("name", sorted(HEALTH))
async def test_health_routes_have_the_names_that_the_middlewares_know(name: str) -> None:
    assert await matched("GET", f"/{name}") == name
