"""Stock SDKs upload, use, download and delete a file through the proxy."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import attrs
import pytest
from google import genai
from google.genai import types

from gemproxy.chaos.answers import Answer
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.chaos.wire import Request
from gemproxy.core.repair.request import look_up
from tests.running import StartProxy
from tests.sdk.node import NodeDriver

MODEL = "gemini-test"
CONTENT = b"".join(b"line %d\n" % number for number in range(1_000_000))
"""More than one piece of 8 MiB, which is what the SDKs send at once."""

# google-genai makes a subclass of aiohttp's session and hands it pieces of 8 MiB as bytes, both
# of which aiohttp discourages.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Inheritance class Aiohttp:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning"),
]


@attrs.frozen
class Journey:
    """What a client got for a file, from the upload to the end."""

    uploaded: types.File
    looked_up: types.File
    answer: str | None
    downloaded: bytes
    left: int


Travel = Callable[[genai.Client, Path, str], Awaitable[Journey]]


def _travel(client: genai.Client, path: Path, url: str) -> Journey:
    files = client.files
    uploaded = files.upload(file=path, config=_config(url))
    assert uploaded.name
    assert uploaded.uri
    looked_up = files.get(name=uploaded.name)
    part = types.Part.from_uri(file_uri=uploaded.uri, mime_type="text/plain")
    answer = client.models.generate_content(model=MODEL, contents=[part])
    downloaded = files.download(file=uploaded.name)
    files.delete(name=uploaded.name)
    return Journey(uploaded, looked_up, answer.text, downloaded, len(list(files.list())))


def _config(url: str) -> types.UploadFileConfigDict:
    """Return options by which all of an upload goes to ``url``, "" for where the proxy says."""
    options: types.UploadFileConfigDict = {"mime_type": "text/plain"}
    return {**options, "http_options": {"base_url": url}} if url else options


async def sync(client: genai.Client, path: Path, url: str = "") -> Journey:
    """Go with the synchronous client, in a thread of its own."""
    return await asyncio.to_thread(_travel, client, path, url)


async def asynchronous(client: genai.Client, path: Path, url: str = "") -> Journey:
    """Go with the asynchronous client."""
    files = client.aio.files
    uploaded = await files.upload(file=path, config=_config(url))
    assert uploaded.name
    assert uploaded.uri
    looked_up = await files.get(name=uploaded.name)
    part = types.Part.from_uri(file_uri=uploaded.uri, mime_type="text/plain")
    answer = await client.aio.models.generate_content(model=MODEL, contents=[part])
    downloaded = await files.download(file=uploaded.name)
    await files.delete(name=uploaded.name)
    left = [file async for file in await files.list()]
    return Journey(uploaded, looked_up, answer.text, downloaded, len(left))


@contextlib.asynccontextmanager
async def client_of(url: str) -> AsyncIterator[genai.Client]:
    options = types.HttpOptions(base_url=url)
    client = genai.Client(vertexai=False, api_key="test-key", http_options=options)
    try:
        yield client
    finally:
        await client.aio.aclose()
        client.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a file to upload."""
    made = tmp_path / "lines.txt"
    made.write_bytes(CONTENT)
    return made


def pieces(server: ChaosServer) -> list[Request]:
    """Return the requests that carried pieces of the file."""
    return [request for request in server.requests if request.header("x-goog-upload-offset")]


@pytest.mark.parametrize(
    "travel",
    [
        pytest.param(sync, marks=pytest.mark.sdk("google-genai (sync)", "files")),
        pytest.param(asynchronous, marks=pytest.mark.sdk("google-genai (async)", "files")),
    ],
)
async def test_google_genai_has_its_file(proxy: StartProxy, path: Path, travel: Travel) -> None:
    async with ChaosServer(Script(Answer("It has lines."))) as server:
        async with client_of((await proxy(server)).url) as client:
            journey = await travel(client, path, "")

        assert journey.uploaded.size_bytes == len(CONTENT)
        assert journey.looked_up.uri == journey.uploaded.uri
        assert journey.answer == "It has lines."
        assert journey.downloaded == CONTENT
        assert journey.left == 0
        assert_whole(server)


@pytest.mark.parametrize("travel", [sync, asynchronous])
async def test_over_https_google_genai_knows_the_file_by_our_uri(
    proxy: StartProxy, path: Path, travel: Travel
) -> None:
    """The test has no TLS: an option of the upload leads the SDK back to where it came from."""
    async with ChaosServer(Script(Answer("It has lines."))) as server:
        started = await proxy(server, server={"public_url": "https://proxy.example"})
        async with client_of(started.url) as client:
            journey = await travel(client, path, started.url)

        name = journey.uploaded.name
        assert journey.uploaded.uri is not None
        assert journey.uploaded.uri.startswith("https://proxy.example/v1")
        assert journey.uploaded.uri.endswith(f"/{name}")
        (generation,) = server.attempts
        (part,) = generation.request.document["contents"][0]["parts"]
        uri = look_up(part["fileData"], "fileUri")
        assert uri.startswith(f"{server.url}/v1")
        assert uri.endswith(f"/{name}")
        assert journey.downloaded == CONTENT
        assert_whole(server)


@pytest.mark.sdk("@google/genai", "files")
@pytest.mark.parametrize("public_url", ["", "https://proxy.example"])
async def test_google_genai_js_has_its_file(
    proxy: StartProxy, node_driver: NodeDriver, path: Path, public_url: str
) -> None:
    async with ChaosServer(Script(Answer("It has lines."))) as server:
        started = await proxy(server, server={"public_url": public_url})
        run = await node_driver(started.url, str(path), mode="files")

        assert run.error is None
        uploaded, looked_up, answer = run.chunks
        assert uploaded.raw["sizeBytes"] == str(len(CONTENT))
        assert uploaded.raw["uri"].startswith(public_url or server.url)
        assert looked_up.raw["uri"] == uploaded.raw["uri"]
        assert answer.text == "It has lines."
        assert path.with_name("lines.txt.back").read_bytes() == CONTENT
        assert_whole(server)


def assert_whole(server: ChaosServer) -> None:
    """Assert that the upload went through the proxy whole, in pieces, each with the key."""
    sent = pieces(server)
    assert b"".join(request.body for request in sent) == CONTENT
    assert len(sent) > 1
    assert {request.header("x-goog-api-key") for request in server.requests} == {"test-key"}
    assert server.files.files == {}
    assert server.violations == []
