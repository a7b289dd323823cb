"""What is bound to a project, through the whole proxy: two access keys over three projects.

Each access key makes files, caches, batches, stores, interactions and sessions, finds them in its
lists, and has no way to those of the other.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import aiohttp
import attrs
import pytest

from gemproxy.chaos.faults import Fault, Kind, byte
from gemproxy.chaos.projects import Project, parse_project
from gemproxy.chaos.refusals import INVALID
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.live_upstream import LIVE
from tests.replies import json_reply, reply, replying
from tests.running import PATIENCE, Proxy, running
from tests.wire import Answer, connect

Json = dict[str, Any]

KEYS = {
    "ann": "gp-ann-0123456789abcdef",
    "bob": "gp-bob-0123456789abcdef",
    "cid": "gp-cid-0123456789abcdef",
    "dan": "gp-dan-0123456789abcdef",
}
PROJECTS = {"lab": ["AIza-lab-1", "AIza-lab-2"], "home": ["AIza-home"], "club": ["AIza-club"]}
SETUP = {"setup": {"model": "models/gemini-test", "sessionResumption": {}}}


@attrs.define(eq=False)
class World:
    """The proxy and the fake Gemini with three projects."""

    google: ChaosServer
    proxy: Proxy

    async def ask(
        self, who: str, method: str, target: str, document: object = None, **headers: str
    ) -> Answer:
        """Ask once as an access key."""
        return await ask(self.proxy, who, method, target, document, **headers)

    async def made(self, who: str, target: str, document: object, **headers: str) -> Json:
        """Create something as an access key, and return the answer."""
        answer = await self.ask(who, "POST", target, document, **headers)
        assert answer.status == 200, answer.body
        made: Json = json.loads(answer.body)
        return made

    async def upload(self, who: str) -> str:
        """Upload a file and return its name."""
        raw = {"X-Goog-Upload-Protocol": "raw"}
        made = await self.made(who, "/upload/v1beta/files", b"content", **raw)
        name: str = made["file"]["name"]
        return name

    async def listed(self, who: str, target: str, member: str, **query: object) -> list[str]:
        """Return the names on all pages of a list."""
        names: list[str] = []
        token: str | None = ""
        while token is not None:
            asked = urlencode({**query, **({"pageToken": token} if token else {})})
            answer = await self.ask(who, "GET", f"{target}?{asked}")
            assert answer.status == 200, answer.body
            page = json.loads(answer.body)
            names += [entry["name"] for entry in page.get(member, [])]
            token = page.get("nextPageToken")
        return names

    @contextlib.asynccontextmanager
    async def session(
        self, setup: Json, query: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Yield a Live session on which the setup was sent."""
        url = f"{self.proxy.url}{LIVE}?{urlencode(query)}"
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(url, headers=headers) as socket,
        ):
            await socket.send_json(setup)
            yield socket


POOLED: Json = {"pool": {"projects": PROJECTS}, "access": {"keys": KEYS}}


def specs(projects: Mapping[str, Sequence[str]]) -> list[Project]:
    """Return projects as the fake Gemini takes them."""
    return [parse_project(f"{name}={','.join(keys)}") for name, keys in projects.items()]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    google = ChaosServer(Script(BUILT_IN["story"]), projects=specs(PROJECTS))
    async with google, running(google, **POOLED) as proxy:
        yield World(google, proxy)
    assert google.violations == []


async def ask(
    proxy: Proxy, who: str, method: str, target: str, document: object = None, **headers: str
) -> Answer:
    """Ask once as an access key."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    body = b"" if document is None else body
    sent = {"x-goog-api-key": KEYS[who], "Content-Type": "application/json", **headers}
    return await proxy.ask(target, body, sent, method)


async def make(world: World, who: str, kind: str) -> str:
    """Make one thing of a collection and return its name."""
    if kind == "files":
        return await world.upload(who)
    if kind == "batches":
        target = "/v1beta/models/gemini-test:batchGenerateContent"
        return str((await world.made(who, target, {"batch": {}}))["name"])
    return str((await world.made(who, f"/v1beta/{kind}", {"model": "models/gemini-test"}))["name"])


MEMBERS = {
    "files": "files",
    "cachedContents": "cachedContents",
    "batches": "operations",
    "fileSearchStores": "fileSearchStores",
}


@pytest.mark.parametrize("kind", MEMBERS)
async def test_each_access_key_lists_what_it_made_and_reaches_nothing_else(
    world: World, kind: str
) -> None:
    made = {who: [await make(world, who, kind) for _ in range(3)] for who in KEYS}

    for who, names in made.items():
        for size in (1, 2, 50):
            listed = await world.listed(who, f"/v1beta/{kind}", MEMBERS[kind], pageSize=size)
            assert sorted(listed) == sorted(names)
    for method in ("GET", "DELETE"):
        refused = await world.ask("bob", method, f"/v1beta/{made['ann'][0]}")
        assert (refused.status, refused.error["status"]) == (404, "NOT_FOUND")
    assert (await world.ask("ann", "DELETE", f"/v1beta/{made['ann'][0]}")).status == 200
    left = await world.listed("ann", f"/v1beta/{kind}", MEMBERS[kind])
    assert sorted(left) == sorted(made["ann"][1:])


async def test_a_file_is_read_downloaded_and_used_by_its_maker_alone(world: World) -> None:
    name = await world.upload("ann")
    used = {"contents": [{"role": "user", "parts": [{"fileData": {"fileUri": name}}]}]}
    generate = "/v1beta/models/gemini-test:generateContent"

    for who, status in (("ann", 200), ("bob", 404)):
        assert (await world.ask(who, "GET", f"/v1beta/{name}")).status == status
        content = await world.ask(who, "GET", f"/v1beta/{name}:download?alt=media")
        assert (content.status, content.body == b"content") == (status, status == 200)
        assert (await world.ask(who, "POST", generate, used)).status == status


async def test_the_rest_of_an_upload_needs_no_credential(world: World) -> None:
    begun = await world.ask(
        "ann",
        "POST",
        "/upload/v1beta/files",
        {"file": {"displayName": "x"}},
        **{
            "X-Goog-Upload-Protocol": "resumable",
            "X-Goog-Upload-Command": "start",
            "X-Goog-Upload-Header-Content-Length": "7",
            "X-Goog-Upload-Header-Content-Type": "text/plain",
        },
    )
    url = begun.headers["X-Goog-Upload-URL"]
    assert "AIza" not in url
    rest = {"X-Goog-Upload-Command": "upload, finalize", "X-Goog-Upload-Offset": "0"}
    target = url.removeprefix(world.proxy.url)
    finished = await world.proxy.ask(target, b"content", rest, "POST")

    assert finished.status == 200
    name = json.loads(finished.body)["file"]["name"]
    assert await world.listed("ann", "/v1beta/files", "files") == [name]
    assert await world.listed("bob", "/v1beta/files", "files") == []


async def test_the_documents_of_a_store_are_its_makers(world: World) -> None:
    store, file = await make(world, "ann", "fileSearchStores"), await world.upload("ann")
    target = f"/v1beta/{store}:importFile"
    operation = await world.made("ann", target, {"fileName": file})

    for who, status in (("ann", 200), ("bob", 404)):
        assert (await world.ask(who, "GET", f"/v1beta/{store}/documents")).status == status
        assert (await world.ask(who, "GET", f"/v1beta/{operation['name']}")).status == status
        assert (await world.ask(who, "POST", target, {"fileName": file})).status == status
    documents = await world.ask("ann", "GET", f"/v1beta/{store}/documents")
    assert len(json.loads(documents.body)["documents"]) == 2


@pytest.mark.parametrize("stream", [True, False])
async def test_an_interaction_is_read_and_continued_where_it_was_made(
    world: World, stream: bool
) -> None:
    asked = {"model": "gemini-test", "input": "Hello", "stream": stream}
    answer = await world.ask("cid", "POST", "/v1beta/interactions", asked)
    assert answer.status == 200, answer.body
    text = answer.body.decode()
    identity = text.partition('"id": "')[2] if '"id": "' in text else text.partition('"id":"')[2]
    identity = identity.partition('"')[0]
    onwards = {"model": "gemini-test", "input": "More", "previous_interaction_id": identity}
    path = f"/v1beta/interactions/{identity}"

    for who, status in (("cid", 200), ("bob", 404)):
        assert (await world.ask(who, "GET", path)).status == status
        assert (await world.ask(who, "GET", f"{path}?stream=true")).status == status
        assert (await world.ask(who, "POST", "/v1beta/interactions", onwards)).status == status
    assert (await world.ask("bob", "DELETE", path)).status == 404
    assert (await world.ask("cid", "DELETE", path)).status == 200


@pytest.mark.parametrize("who", KEYS)
async def test_an_interaction_that_breaks_is_read_on_in_its_own_project(who: str) -> None:
    """The projects of other keys would answer 403, and the stream could not be completed."""
    faults = [Fault(Kind.FIN, at=byte(1200)), Fault(Kind.RST, at=byte(900))]
    google = ChaosServer(Script(BUILT_IN["story"], faults), projects=specs(PROJECTS))
    asked = {"model": "gemini-test", "input": "Hello", "stream": True}
    async with google, running(google, **POOLED) as proxy:
        answer = await ask(proxy, who, "POST", "/v1beta/interactions", asked)

    assert answer.body.endswith(b"data: [DONE]\n\n")
    assert b'"error"' not in answer.body
    assert [arrival.method for arrival in google.cloud.log] == ["POST", "GET", "GET"]
    assert len({arrival.project for arrival in google.cloud.log}) == 1


async def test_a_list_has_the_files_of_a_project_with_one_sick_key(world: World) -> None:
    made = {who: await world.upload(who) for who in KEYS}
    in_lab = world.google.of("lab").files.files
    for key in ("AIza-lab-1", "AIza-home", "AIza-club"):
        world.google.cloud.refuse(key, INVALID)

    for who, name in made.items():
        answer = await world.ask(who, "GET", "/v1beta/files")
        if name.removeprefix("files/") in in_lab:
            assert json.loads(answer.body)["files"][0]["name"] == name
        else:
            assert (answer.status, answer.error["status"]) == (503, "UNAVAILABLE")
            assert "lacks the part of project" in answer.error["message"]
    world.google.cloud.heal()


@pytest.mark.parametrize(
    "target",
    [
        "/v1beta/files/",
        "//v1beta/files",
        "/v1beta//files",
        "/v1beta/%66iles",
        "/v1/files?pageSize=1&pageSize=50",
        "/v1beta/files?fields=files(uri)",
        "/v1beta/files?fields=files%2Furi&$fields=*",
        "/v1beta/files?alt=media",
        "/v1beta/files?alt=proto",
        "/v1beta/files?access_token=x",
        "/v1beta/files?page_token=1",
        "/v1beta/files?pageToken=0",
        "/v1beta/openai/files",
        "/v1beta/./files",
    ],
)
async def test_no_spelling_of_a_list_shows_what_is_anothers(world: World, target: str) -> None:
    names = [await world.upload("ann") for _ in range(2)]

    answer = await world.ask("bob", "GET", target)
    assert not any(name.encode() in answer.body for name in names)
    override = {"X-HTTP-Method-Override": "GET"}
    answer = await world.ask("bob", "POST", target, {}, **override)
    assert not any(name.encode() in answer.body for name in names)


async def test_a_video_is_fetched_from_the_project_that_generated_it() -> None:
    operation = "models/veo/operations/o1"
    video = {"uri": "https://generativelanguage.googleapis.com/v1beta/files/v1:download?alt=media"}
    samples = {"generateVideoResponse": {"generatedSamples": [{"video": video}]}}
    done = {"name": operation, "done": True, "response": samples}
    listed = {"operations": [{"name": operation}, {"name": "models/veo/operations/o2"}]}
    replies = (json_reply({"name": operation}), json_reply(done), reply(b"video", kind="video/mp4"))
    paths = (f"/v1beta/{operation}", "/v1beta/files/v1:download?alt=media")
    async with (
        replying(*replies, json_reply(listed)) as upstream,
        running(upstream.url, **POOLED) as proxy,
    ):
        target = "/v1beta/models/veo:predictLongRunning"
        assert (await ask(proxy, "bob", "POST", target, {"instances": [{}]})).status == 200
        answers = [await ask(proxy, "bob", "GET", path) for path in paths]
        assert [answer.status for answer in answers] == [200, 200]
        assert answers[1].body == b"video"
        for path in paths:
            assert (await ask(proxy, "ann", "GET", path)).status == 404
        page = await ask(proxy, "bob", "GET", "/v1beta/models/veo/operations")
        assert json.loads(page.body) == {"operations": [{"name": operation}]}

    assert len({seen.headers["x-goog-api-key"] for seen in upstream.seen}) == 1
    assert len(upstream.seen) == 4


async def handle_of(socket: aiohttp.ClientWebSocketResponse) -> str:
    """Say something on a session and return the handle that comes with the answer."""
    said = {"role": "user", "parts": [{"text": "Hello"}]}
    await socket.send_json({"clientContent": {"turns": [said], "turnComplete": True}})
    while True:
        message = json.loads(await socket.receive_bytes(timeout=PATIENCE))
        if "sessionResumptionUpdate" in message:
            return str(message["sessionResumptionUpdate"]["newHandle"])


@pytest.mark.parametrize("who", KEYS)
async def test_a_session_is_resumed_by_its_handle_in_its_own_project(
    world: World, who: str
) -> None:
    async with world.session(SETUP, {"key": KEYS[who]}) as socket:
        assert "setupComplete" in json.loads(await socket.receive_bytes(timeout=PATIENCE))
        handle = await handle_of(socket)
    resumed = {"setup": {**SETUP["setup"], "sessionResumption": {"handle": handle}}}

    async with world.session(resumed, {"key": KEYS[who]}) as socket:
        assert "setupComplete" in json.loads(await socket.receive_bytes(timeout=PATIENCE))
    other = next(name for name in KEYS if name != who)
    async with world.session(resumed, {"key": KEYS[other]}) as socket:
        message = await socket.receive(timeout=PATIENCE)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1008)


@pytest.mark.parametrize("who", ["ann", "bob"])
async def test_a_token_of_live_opens_a_session_of_the_project_that_made_it(
    world: World, who: str
) -> None:
    token = (await world.made(who, "/v1alpha/auth_tokens", {"uses": 1}))["name"]

    for query, headers in (
        ({"access_token": token}, {}),
        ({}, {"Authorization": f"Token {token}"}),
    ):
        async with world.session(SETUP, query, headers) as socket:
            assert "setupComplete" in json.loads(await socket.receive_bytes(timeout=PATIENCE))
            handle = await handle_of(socket)
    resumed = {"setup": {**SETUP["setup"], "sessionResumption": {"handle": handle}}}
    async with world.session(resumed, {"key": KEYS[who]}) as socket:
        assert "setupComplete" in json.loads(await socket.receive_bytes(timeout=PATIENCE))


async def test_a_token_that_was_made_elsewhere_opens_nothing(world: World) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with world.session(SETUP, {"access_token": "auth_tokens/other"}):
            pass
    assert refused.value.status == 401


async def test_a_session_of_a_sick_key_begins_with_another_one(world: World) -> None:
    for key in ("AIza-lab-1", "AIza-lab-2", "AIza-home"):
        world.google.cloud.refuse(key, INVALID)

    async with asyncio.timeout(PATIENCE), world.session(SETUP, {"key": KEYS["ann"]}) as socket:
        assert "setupComplete" in json.loads(await socket.receive_bytes())
    world.google.cloud.refuse("AIza-club", INVALID)
    async with world.session(SETUP, {"key": KEYS["ann"]}) as socket:
        message = await socket.receive(timeout=PATIENCE)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1013)
    world.google.cloud.heal()


async def test_what_was_made_outside_is_listed_and_deleted_under_the_only_access_key() -> None:
    """It belongs to nobody, and so to the one who is there."""
    projects = {f"p{number:02}": [f"AIza-{number}"] for number in range(20)}
    access = {"keys": {"ann": KEYS["ann"]}}
    google = ChaosServer(Script(BUILT_IN["story"]), projects=specs(projects))
    raw = {"X-Goog-Upload-Protocol": "raw", "Content-Type": "text/plain"}
    async with google, running(google, pool={"projects": projects}, access=access) as proxy:
        world = World(google, proxy)
        async with connect(google.url) as direct:
            for number in (3, 17):
                own = {**raw, "x-goog-api-key": f"AIza-{number}"}
                await direct.ask("/upload/v1beta/files", b"content", own)
        made = [await world.upload("ann") for _ in range(2)]
        listed = await world.listed("ann", "/v1beta/files", "files", pageSize=3)
        assert len(listed) == 4
        assert set(made) < set(listed)
        for name in listed:
            assert (await world.ask("ann", "DELETE", f"/v1beta/{name}")).status == 200
        assert await world.listed("ann", "/v1beta/files", "files") == []
