"""Stock SDKs through the pool: two users at once, over three projects, each with its own things.

A user is an access key. Neither sees, uses, downloads or deletes what the other made, by any way
that the SDK has to it.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from aiohttp import web
from google import genai
from google.genai import errors, types

from gemproxy.chaos.answers import Answer
from gemproxy.chaos.projects import Project
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.config.tls import server_context
from gemproxy.web.app import create_app
from gemproxy.web.server import make_runner
from tests.certificates import Files, make
from tests.pooled.house import ANN, BOB, keys_of
from tests.running import StartProxy, settings
from tests.sdk.node import NodeDriver

MODEL = "gemini-test"
CONTENT = b"".join(b"line %d\n" % number for number in range(1_000_000))
"""More than one piece of 8 MiB, which is what the SDKs send at once."""

KEYS = tuple(f"AIzaSySdk{number}c27d404be4a0f8f3e6a51c7d0" for number in range(3))
PROJECTS = [Project(f"P{number}", (key,)) for number, key in enumerate(KEYS)]

# google-genai makes a subclass of aiohttp's session and hands it pieces of 8 MiB as bytes, both
# of which aiohttp discourages; and it says that tokens are experimental.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Inheritance class Aiohttp:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::google.genai.errors.ExperimentalWarning"),
]


@attrs.frozen
class Made:
    """What one user made, by name, and what the user then sees."""

    file: str
    uri: str
    cache: str
    batch: str
    interaction: str
    answer: str | None
    listed: list[list[str]]

    @property
    def own(self) -> list[list[str]]:
        """What the lists of files, caches and batches should show."""
        return [[self.file], [self.cache], [self.batch]]


def fake() -> ChaosServer:
    return ChaosServer(Script(Answer("It has lines.")), projects=PROJECTS)


def pool_of(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the settings of a pool with the keys of the projects, and two users."""
    return {
        "pool": {"projects": keys_of(PROJECTS)},
        "access": {"keys": {"ann": ANN, "bob": BOB}},
        "server": {"data_dir": str(folder / "data")},
    }


@contextlib.asynccontextmanager
async def client_of(url: str, key: str, **more: Any) -> AsyncIterator[genai.Client]:
    options = types.HttpOptions(base_url=url, **more)
    client = genai.Client(vertexai=False, api_key=key, http_options=options)
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


async def make_all(client: genai.Client, path: Path) -> Made:
    """Make one thing of each kind, use them, and list them."""
    ai = client.aio
    file = await ai.files.upload(file=path, config={"mime_type": "text/plain"})
    part = types.Part.from_uri(file_uri=file.uri or "", mime_type="text/plain")
    cached: types.CreateCachedContentConfigDict = {"contents": [part]}
    cache = await ai.caches.create(model=MODEL, config=cached)
    source = types.BatchJobSource(file_name=file.name)
    batch = await ai.batches.create(model=MODEL, src=source)
    interaction: Any = await ai.interactions.create(model=MODEL, input="Hello")
    config = types.GenerateContentConfig(cached_content=cache.name)
    answer = await ai.models.generate_content(model=MODEL, contents=[part], config=config)
    assert await ai.files.download(file=file.name or "") == CONTENT
    lists: list[Any] = [await ai.files.list(), await ai.caches.list(), await ai.batches.list()]
    listed = [[one.name async for one in pages] for pages in lists]
    return Made(
        file=str(file.name),
        uri=str(file.uri),
        cache=str(cache.name),
        batch=str(batch.name),
        interaction=interaction.id,
        answer=answer.text,
        listed=listed,
    )


def ways_to(client: genai.Client, made: Made) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Return every way of an SDK to what somebody made."""
    ai = client.aio
    part = types.Part.from_uri(file_uri=made.uri, mime_type="text/plain")
    cached = types.GenerateContentConfig(cached_content=made.cache)
    use = ai.models.generate_content
    source = types.BatchJobSource(file_name=made.file)
    return {
        "get a file": lambda: ai.files.get(name=made.file),
        "download a file": lambda: ai.files.download(file=made.file),
        "use a file": lambda: use(model=MODEL, contents=[part]),
        "delete a file": lambda: ai.files.delete(name=made.file),
        "get a cache": lambda: ai.caches.get(name=made.cache),
        "use a cache": lambda: use(model=MODEL, contents="Hello", config=cached),
        "change a cache": lambda: ai.caches.update(name=made.cache, config={"ttl": "9s"}),
        "delete a cache": lambda: ai.caches.delete(name=made.cache),
        "make a batch of a file": lambda: ai.batches.create(model=MODEL, src=source),
        "get a batch": lambda: ai.batches.get(name=made.batch),
        "cancel a batch": lambda: ai.batches.cancel(name=made.batch),
        "delete a batch": lambda: ai.batches.delete(name=made.batch),
        "get an interaction": lambda: ai.interactions.get(made.interaction),
        "follow an interaction": lambda: ai.interactions.create(
            model=MODEL, input="On", previous_interaction_id=made.interaction
        ),
        "delete an interaction": lambda: ai.interactions.delete(made.interaction),
    }


async def refusals(client: genai.Client, made: Made) -> dict[str, int]:
    """Try every way to what another user made; return the statuses, 200 for what worked."""
    statuses = {}
    for way, go in ways_to(client, made).items():
        try:
            await go()
            statuses[way] = 200
        except errors.APIError as error:
            statuses[way] = error.code
        except Exception as error:  # noqa: BLE001 (the interactions' errors are of another family)
            statuses[way] = getattr(error, "status_code", 0)
    return statuses


def assert_own_keys(server: ChaosServer) -> None:
    """Assert that only keys of the pool went up, and nothing of an access key."""
    assert {one.key for one in server.cloud.log} <= set(KEYS)
    for request in server.requests:
        sent = f"{request.target}{request.headers}"
        assert ANN not in sent
        assert BOB not in sent


def assert_nothing_lost(server: ChaosServer, *made: Made) -> None:
    """Assert that all is still there, and that the fake saw neither a mistake nor a foreign key."""
    files = [name for one in PROJECTS for name in server.of(one.name).files.files]
    caches = [name for one in PROJECTS for name in server.of(one.name).resources.caches]
    batches = [
        batch for one in PROJECTS for batch in server.of(one.name).resources.batches.values()
    ]
    stored = [name for one in PROJECTS for name in server.of(one.name).interactions.stored]

    assert sorted(f"files/{name}" for name in files) == sorted(one.file for one in made)
    assert sorted(caches) == sorted(one.cache for one in made)
    assert sorted(stored) == sorted(one.interaction for one in made)
    assert {batch["metadata"]["state"] for batch in batches} == {"BATCH_STATE_PENDING"}
    assert server.violations == []
    assert_own_keys(server)


async def test_google_genai_for_two_users(proxy: StartProxy, path: Path, tmp_path: Path) -> None:
    async with fake() as server:
        url = (await proxy(server, **pool_of(tmp_path))).url
        async with client_of(url, ANN) as ann, client_of(url, BOB) as bob:
            of_ann, of_bob = await asyncio.gather(make_all(ann, path), make_all(bob, path))

            assert of_ann.listed == of_ann.own
            assert of_bob.listed == of_bob.own
            assert of_ann.answer == of_bob.answer == "It has lines."
            for client, foreign in ((ann, of_bob), (bob, of_ann)):
                statuses = await refusals(client, foreign)
                assert {way: s for way, s in statuses.items() if s not in (403, 404)} == {}
        assert_nothing_lost(server, of_ann, of_bob)
        sent = [one for one in server.requests if one.header("x-goog-upload-offset")]
        assert len(sent) == 4


async def test_google_genai_js_for_two_users(
    proxy: StartProxy, node_driver: NodeDriver, path: Path, tmp_path: Path
) -> None:
    async with fake() as server:
        url = (await proxy(server, **pool_of(tmp_path))).url
        runs = await asyncio.gather(
            *(node_driver(url, str(path), mode="making", api_key=key) for key in (ANN, BOB))
        )
        assert [run.error for run in runs] == [None, None]
        made = [
            Made(
                **run.chunks[0].raw,
                answer=run.chunks[1].raw["used"],
                listed=run.chunks[2].raw["listed"],
            )
            for run in runs
        ]
        assert [one.listed for one in made] == [one.own for one in made]
        for key, foreign in ((ANN, made[1]), (BOB, made[0])):
            names = json.dumps(attrs.asdict(foreign))
            run = await node_driver(url, names, mode="trespassing", api_key=key)
            assert run.error is None
            statuses = {chunk.raw["way"]: chunk.raw["status"] for chunk in run.chunks}
            assert {way: s for way, s in statuses.items() if s not in (403, 404)} == {}
        assert_nothing_lost(server, *made)


@contextlib.asynccontextmanager
async def over_tls(server: ChaosServer, folder: Path, files: Files) -> AsyncIterator[str]:
    """Yield the base URL of a proxy that speaks TLS: google-genai wants it for Live."""
    values = settings(server.url, **pool_of(folder))
    runner = make_runner(create_app(values), values)
    await runner.setup()
    try:
        tls = server_context(files.cert, files.key)
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        yield f"https://127.0.0.1:{site.port}"
    finally:
        await runner.cleanup()


async def talk(client: genai.Client, text: str, handle: str | None = None) -> tuple[str, str]:
    """Hold a session of one turn; return the answer and the handle by which it can go on."""
    resumption = types.SessionResumptionConfig(handle=handle)
    config = types.LiveConnectConfig(session_resumption=resumption)
    said, new = "", ""
    async with client.aio.live.connect(model=MODEL, config=config) as session:
        turn = types.Content(role="user", parts=[types.Part(text=text)])
        await session.send_client_content(turns=turn, turn_complete=True)
        async for message in session.receive():
            said += message.text or ""
            if message.session_resumption_update:
                new = message.session_resumption_update.new_handle or ""
    return said, new


async def test_google_genai_live_for_two_users(tmp_path: Path) -> None:
    files = make(tmp_path)
    async with fake() as server, over_tls(server, tmp_path, files) as url:
        trusting = {"async_client_args": {"ssl": files.trusting()}}
        async with client_of(url, ANN, **trusting) as ann, client_of(url, BOB, **trusting) as bob:
            of_ann, of_bob = await asyncio.gather(talk(ann, "I am Ann"), talk(bob, "I am Bob"))
            assert (of_ann[0], of_bob[0]) == ("I am Ann", "I am Bob")
            for client, own, foreign in ((ann, of_ann, of_bob), (bob, of_bob, of_ann)):
                assert (await talk(client, "Again", own[1]))[0] == "Again"
                with pytest.raises(Exception, match=r"(?i)handle|session|not found|403|404"):
                    await talk(client, "Again", foreign[1])
        assert_own_keys(server)


async def test_a_token_opens_sessions_of_its_maker(tmp_path: Path) -> None:
    """A client with a token of ann's has no access key, and what it makes is ann's."""
    files = make(tmp_path)
    async with fake() as server, over_tls(server, tmp_path, files) as url:
        trusting = {"async_client_args": {"ssl": files.trusting()}, "api_version": "v1alpha"}
        async with client_of(url, ANN, **trusting) as ann:
            token = (await ann.aio.auth_tokens.create(config={"uses": 1})).name or ""
            async with client_of(url, token, **trusting) as guest:
                said, handle = await talk(guest, "I am a guest")
                assert said == "I am a guest"
                assert (await talk(ann, "Again", handle))[0] == "Again"
        async with client_of(url, "auth_tokens/unknown", **trusting) as stranger:
            with pytest.raises(Exception, match=r"401|403|not valid"):
                await talk(stranger, "Hello")
        assert "auth_tokens/unknown" not in str([one.headers for one in server.requests])


async def test_google_genai_js_live_for_two_users(
    proxy: StartProxy, node_driver: NodeDriver, tmp_path: Path
) -> None:
    async with fake() as server:
        url = (await proxy(server, **pool_of(tmp_path))).url
        users = {ANN: "I am Ann", BOB: "I am Bob"}

        async def held(key: str, text: str, handle: str | None = None) -> tuple[str, str]:
            config = {"sessionResumption": {} if handle is None else {"handle": handle}}
            run = await node_driver(url, text, mode="live", api_key=key, config=config)
            updates = [chunk.raw.get("sessionResumptionUpdate") or {} for chunk in run.chunks]
            handles = [update["newHandle"] for update in updates if "newHandle" in update]
            said = run.text() if run.error is None else run.error.message
            return said, handles[-1] if handles else ""

        talks = await asyncio.gather(*(held(key, text) for key, text in users.items()))
        assert [text for text, _ in talks] == list(users.values())
        (_, of_ann), (_, of_bob) = talks
        assert (await held(ANN, "Again", of_ann))[0] == "Again"
        for key, foreign in ((ANN, of_bob), (BOB, of_ann)):
            assert (await held(key, "Again", foreign))[0].startswith("closed: 1008")
        assert_own_keys(server)
