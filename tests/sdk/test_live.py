"""Stock SDKs in Live sessions through the proxy.

google-genai speaks nothing but wss to a base URL when it has an API key, so the proxy has a
certificate here; its authority is trusted by SSL_CERT_FILE, or by an SSL context among the
client's arguments. @google/genai takes ws too.
"""

import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from google import genai
from google.genai import errors, types
from google.genai.live import AsyncSession

from gemproxy.config.tls import server_context
from gemproxy.web.app import create_app
from gemproxy.web.server import make_runner
from tests.certificates import Files, make
from tests.live_upstream import LiveUpstream, gemini, live_upstream
from tests.running import StartProxy, settings
from tests.sdk.node import NodeDriver, NodeRun

MODEL = "gemini-live-test"
VERSIONS = pytest.mark.parametrize("version", ["v1", "v1beta"])
SERVICE = "google.ai.generativelanguage.{}.GenerativeService.{}"
TOKEN = "auth_tokens/test"

# google-genai makes a subclass of aiohttp's session, which aiohttp discourages; and it says
# that tokens and music are experimental.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Inheritance class Aiohttp:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::google.genai.errors.ExperimentalWarning"),
    pytest.mark.filterwarnings("ignore:Realtime music generation is experimental"),
]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return make(tmp_path)


@contextlib.asynccontextmanager
async def over_tls(files: Files) -> AsyncIterator[tuple[str, LiveUpstream]]:
    """Yield the base URL of a proxy that speaks TLS, and the fake Gemini behind it."""
    async with live_upstream(gemini) as upstream:
        values = settings(upstream.url)
        runner = make_runner(create_app(values), values)
        await runner.setup()
        try:
            tls = server_context(files.cert, files.key)
            site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
            await site.start()
            yield f"https://127.0.0.1:{site.port}", upstream
        finally:
            await runner.cleanup()


@contextlib.asynccontextmanager
async def client_of(
    url: str,
    version: str | None = None,
    key: str = "test-key",
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[genai.Client]:
    options = types.HttpOptions(
        base_url=url, api_version=version, async_client_args={"ssl": tls} if tls else None
    )
    client = genai.Client(vertexai=False, api_key=key, http_options=options)
    try:
        yield client
    finally:
        await client.aio.aclose()
        client.close()


def trust(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", files.authority)


async def say(session: AsyncSession, text: str) -> list[types.LiveServerMessage]:
    """Return the messages of the turn that answers ``text``."""
    turn = types.Content(role="user", parts=[types.Part(text=text)])
    await session.send_client_content(turns=turn, turn_complete=True)
    return [message async for message in session.receive()]


def text_of(messages: list[types.LiveServerMessage]) -> str:
    return "".join(message.text or "" for message in messages)


@pytest.mark.sdk("google-genai (async)", "Live")
@VERSIONS
async def test_python_talks_in_turns(
    files: Files, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    trust(files, monkeypatch)
    async with over_tls(files) as (url, upstream), client_of(url, version) as client:
        async with client.aio.live.connect(model=MODEL) as session:
            assert text_of(await say(session, "Hello, Ada")) == "Hello, Ada"
            assert text_of(await say(session, "Grüße 👋")) == "Grüße 👋"
        assert (await upstream.closed())[0] == 1000

    (seen,) = upstream.seen
    assert seen.path == f"/ws/{SERVICE.format(version, 'BidiGenerateContent')}"
    assert seen.headers["x-goog-api-key"] == "test-key"
    assert seen.headers["Host"] == upstream.url.removeprefix("http://")


async def test_python_trusts_a_context_among_its_arguments(files: Files) -> None:
    async with (
        over_tls(files) as (url, _),
        client_of(f"{url}/", tls=files.trusting()) as client,
        client.aio.live.connect(model=MODEL) as session,
    ):
        assert text_of(await say(session, "Hello")) == "Hello"


async def test_python_sends_and_hears_audio(files: Files) -> None:
    sound = bytes(range(256)) * 64
    async with (
        over_tls(files) as (url, _),
        client_of(url, tls=files.trusting()) as client,
        client.aio.live.connect(model=MODEL) as session,
    ):
        blob = types.Blob(data=sound, mime_type="audio/pcm;rate=16000")
        await session.send_realtime_input(audio=blob)
        heard = b"".join([message.data or b"" async for message in session.receive()])

    assert heard == sound


@pytest.mark.parametrize("code", [1008, 1011])
async def test_python_raises_the_code_with_which_gemini_closes(files: Files, code: int) -> None:
    async with (
        over_tls(files) as (url, _),
        client_of(url, tls=files.trusting()) as client,
        client.aio.live.connect(model=MODEL) as session,
    ):
        with pytest.raises(errors.APIError) as caught:
            await say(session, f"close:{code}")

    assert (caught.value.code, "as asked for" in str(caught.value)) == (code, True)


async def test_python_raises_when_gemini_is_lost(files: Files) -> None:
    async with (
        over_tls(files) as (url, _),
        client_of(url, tls=files.trusting()) as client,
        client.aio.live.connect(model=MODEL) as session,
    ):
        with pytest.raises(errors.APIError) as caught:
            await say(session, "drop")

    assert (caught.value.code, "lost" in str(caught.value)) == (1011, True)


async def test_python_s_ephemeral_token_is_the_one_credential(files: Files) -> None:
    async with (
        over_tls(files) as (url, upstream),
        client_of(url, "v1alpha", TOKEN, files.trusting()) as client,
        client.aio.live.connect(model=MODEL) as session,
    ):
        assert text_of(await say(session, "Hello")) == "Hello"

    (seen,) = upstream.seen
    assert seen.path == f"/ws/{SERVICE.format('v1alpha', 'BidiGenerateContentConstrained')}"
    assert seen.headers["Authorization"] == f"Token {TOKEN}"
    assert "x-goog-api-key" not in seen.headers


async def test_python_connects_for_music(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    trust(files, monkeypatch)
    async with (
        over_tls(files) as (url, upstream),
        client_of(url) as client,
        client.aio.live.music.connect(model="models/lyria-test") as session,
    ):
        await session.play()

    assert upstream.seen[0].path.endswith("BidiGenerateMusic")
    assert upstream.seen[0].headers["x-goog-api-key"] == "test-key"


def messages(run: NodeRun, turn: int) -> list[dict[str, Any]]:
    return [chunk.raw for chunk in run.chunks if chunk.turn == turn]


def said(run: NodeRun, turn: int) -> str:
    contents = [message.get("serverContent", {}) for message in messages(run, turn)]
    parts = [part for content in contents for part in content.get("modelTurn", {}).get("parts", [])]
    return "".join(part["text"] for part in parts)


async def test_javascript_talks_in_turns_without_tls(
    proxy: StartProxy, node_driver: NodeDriver
) -> None:
    async with live_upstream(gemini) as upstream:
        url = (await proxy(upstream.url)).url
        run = await node_driver(url, "Hello, Ada", "Grüße 👋", mode="live")

        assert run.error is None
        assert [said(run, 0), said(run, 1)] == ["Hello, Ada", "Grüße 👋"]
        (seen,) = upstream.seen
        assert seen.path == f"/ws/{SERVICE.format('v1beta', 'BidiGenerateContent')}"
        assert (seen.query_string, seen.headers["x-goog-api-key"]) == ("", "test-key")


@pytest.mark.sdk("@google/genai", "Live")
async def test_javascript_talks_over_tls(files: Files, node_driver: NodeDriver) -> None:
    async with over_tls(files) as (url, _):
        run = await node_driver(url, "Hello", mode="live", authority=files.authority)

    assert (run.error, said(run, 0)) == (None, "Hello")


@pytest.mark.parametrize(("prompt", "code"), [("close:1008", 1008), ("drop", 1011)])
async def test_javascript_hears_how_a_session_ended(
    proxy: StartProxy, node_driver: NodeDriver, prompt: str, code: int
) -> None:
    async with live_upstream(gemini) as upstream:
        run = await node_driver((await proxy(upstream.url)).url, prompt, mode="live")

    assert run.error is None
    assert messages(run, 0)[-1]["closed"]["code"] == code
    assert messages(run, 0)[-1]["closed"]["reason"]


async def test_javascript_s_ephemeral_token_is_the_one_credential(
    proxy: StartProxy, node_driver: NodeDriver
) -> None:
    async with live_upstream(gemini) as upstream:
        url = (await proxy(upstream.url)).url
        run = await node_driver(url, "Hello", mode="live", api_key=TOKEN, api_version="v1alpha")

    assert (run.error, said(run, 0)) == (None, "Hello")
    assert upstream.seen[0].headers["Authorization"] == f"Token {TOKEN}"
    assert "x-goog-api-key" not in upstream.seen[0].headers
    assert upstream.seen[0].query_string == ""


async def test_javascript_is_told_the_status_of_a_refusal(
    proxy: StartProxy, node_driver: NodeDriver
) -> None:
    refusal = lambda: web.json_response({"error": {"code": 429}}, status=429)  # noqa: E731
    async with live_upstream(gemini, refusal=refusal) as upstream:
        run = await node_driver((await proxy(upstream.url)).url, "Hello", mode="live")

    assert run.error is not None
    assert "429" in run.error.message


async def test_python_is_told_the_status_of_a_refusal(files: Files) -> None:
    async with over_tls(files) as (url, upstream):
        upstream.refuse = lambda: web.json_response({"error": {"code": 429}}, status=429)
        async with client_of(url, tls=files.trusting()) as client:
            connecting = client.aio.live.connect(model=MODEL)
            with pytest.raises(Exception, match="429"):
                await connecting.__aenter__()


async def test_javascript_connects_for_music(proxy: StartProxy, node_driver: NodeDriver) -> None:
    async with live_upstream(gemini) as upstream:
        run = await node_driver((await proxy(upstream.url)).url, "minimal techno", mode="music")

    assert run.error is None
    assert messages(run, 0) == [{"setupComplete": {}}]
    assert upstream.seen[0].path.endswith("BidiGenerateMusic")
