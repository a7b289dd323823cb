"""What a request may touch: the project that owns a name serves it, for its maker alone.

Every way to somebody else's name is closed, in paths and in bodies, in both spellings.
"""

import json
from pathlib import Path
from typing import Any

import attrs
import pytest

from gemproxy.chaos.refusals import INVALID, quota, requests_by_minute
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.pooled.conftest import Clock, StartHouse
from tests.pooled.house import ANN, BOB, K1, K2, K3, MODEL, House, access, projects, stream_of
from tests.pooled.program import program
from tests.wire import Answer

pytestmark = pytest.mark.production_loop

GENERATE = f"/v1beta/models/{MODEL}:generateContent"
HELLO: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
DENIED = (400, 403, 404)


def with_part(**part: Any) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": "Hello"}, part]}]}


def found(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.body
    document: dict[str, Any] = json.loads(answer.body)
    return document


async def upload(house: House, key: str = ANN) -> dict[str, Any]:
    """Upload a small file in one request; return its resource."""
    headers = {"X-Goog-Upload-Protocol": "raw", "Content-Type": "text/plain"}
    answer = await house.send("POST", "/upload/v1beta/files", b"content", key=key, headers=headers)
    file: dict[str, Any] = found(answer)["file"]
    return file


async def cache(house: House, key: str = ANN) -> str:
    asked = {"model": f"models/{MODEL}", **HELLO}
    name: str = found(await house.send("POST", "/v1beta/cachedContents", asked, key=key))["name"]
    return name


def owner(house: House, name: str) -> str:
    """Return the project that has a name at the fake."""
    (project,) = (one.name for one in house.cloud.projects if house.fake.of(one.name).has(name))
    return project


async def test_a_name_is_served_by_its_project_whatever_the_strategy(house: StartHouse) -> None:
    started = await house(pool={"strategy": "round_robin"})
    name = (await upload(started))["name"]
    project, before = owner(started, name), len(started.cloud.log)

    for target, document in (
        (GENERATE, with_part(fileData={"fileUri": f"{started.fake.url}/v1beta/{name}"})),
        (GENERATE, with_part(file_data={"file_uri": f"{started.fake.url}/v1beta/{name}"})),
        (stream_of(), with_part(fileData={"fileUri": f"{started.proxy.url}/v1beta/{name}"})),
        (f"/v1beta/models/{MODEL}:countTokens", with_part(fileData={"fileUri": name})),
    ):
        for _ in range(3):
            answer = await started.send("POST", target, document)
            assert answer.status == 200, answer.body
    for target in (f"/v1beta/{name}", f"/v1/{name}:download?alt=media"):
        assert (await started.send("GET", target)).status == 200
    assert {one.project for one in started.cloud.log[before:]} == {project}


def ways(file: str, cached: str, batch: str, interaction: str) -> list[tuple[str, str, Any]]:
    """Return requests that touch what somebody made: method, target, document."""
    uri = f"https://generativelanguage.googleapis.com/v1beta/{file}"
    data, snake = {"fileUri": uri}, {"file_uri": uri, "mime_type": "text/plain"}
    batched = f"/v1beta/models/{MODEL}:batchGenerateContent"
    input_file = {"batch": {"inputConfig": {"fileName": file}}}
    further = {"model": MODEL, "input": "On"}
    source = {"model": MODEL, "input": [{"type": "document", "uri": uri}]}
    return [
        ("GET", f"/v1beta/{file}", b""),
        ("GET", f"/v1/{file}", b""),
        ("GET", f"/v1beta/{file}:download?alt=media", b""),
        ("GET", f"/v1beta/{file.replace('/', '%2F')}", b""),
        ("GET", f"/v1beta//{file}", b""),
        ("GET", f"/download/v1beta/{file}:download?alt=media", b""),
        ("DELETE", f"/v1beta/{file}", b""),
        ("POST", GENERATE, with_part(fileData=data)),
        ("POST", GENERATE, with_part(file_data=snake)),
        ("POST", GENERATE, with_part(fileData=snake)),
        ("POST", GENERATE, with_part(fileData={"fileUri": file})),
        ("POST", stream_of(), with_part(fileData=data)),
        ("POST", GENERATE, {**HELLO, "systemInstruction": {"parts": [{"fileData": data}]}}),
        ("POST", GENERATE, {**HELLO, "system_instruction": {"parts": [{"file_data": snake}]}}),
        ("POST", f"/v1beta/models/{MODEL}:countTokens", with_part(fileData=data)),
        (
            "POST",
            f"/v1beta/models/{MODEL}:countTokens",
            {"generateContentRequest": {"model": f"models/{MODEL}", **with_part(fileData=data)}},
        ),
        (
            "POST",
            f"/v1beta/models/{MODEL}:embedContent",
            {"content": {"parts": [{"fileData": data}]}},
        ),
        (
            "POST",
            "/v1beta/cachedContents",
            {"model": f"models/{MODEL}", **with_part(fileData=data)},
        ),
        ("POST", batched, input_file),
        ("POST", batched, {"batch": {"input_config": {"file_name": file}}}),
        ("GET", f"/v1beta/{cached}", b""),
        ("PATCH", f"/v1beta/{cached}", {"ttl": "9s"}),
        ("DELETE", f"/v1beta/{cached}", b""),
        ("POST", GENERATE, {**HELLO, "cachedContent": cached}),
        ("POST", GENERATE, {**HELLO, "cached_content": cached}),
        ("POST", stream_of(), {**HELLO, "cachedContent": cached}),
        ("GET", f"/v1beta/{batch}", b""),
        ("POST", f"/v1beta/{batch}:cancel", b"{}"),
        ("DELETE", f"/v1beta/{batch}", b""),
        ("GET", f"/v1beta/interactions/{interaction}", b""),
        ("GET", f"/v1beta/interactions/{interaction}?stream=true", b""),
        ("POST", f"/v1beta/interactions/{interaction}/cancel", b"{}"),
        ("DELETE", f"/v1beta/interactions/{interaction}", b""),
        ("POST", "/v1beta/interactions", {**further, "previous_interaction_id": interaction}),
        ("POST", "/v1beta/interactions", source),
        ("POST", "/v1beta/interactions", {**source, "stream": True}),
    ]


async def test_every_way_to_anothers_name_is_closed(house: StartHouse) -> None:
    """One project, so that only gemproxy stands between the two users."""
    started = await house([attrs.evolve(projects()[0], keys=(K1,))])
    file, cached = (await upload(started))["name"], await cache(started)
    asked = {"batch": {"inputConfig": {"fileName": file}}}
    batched = f"/v1beta/models/{MODEL}:batchGenerateContent"
    batch = found(await started.send("POST", batched, asked))["name"]
    talked = {"model": MODEL, "input": "Hello", "background": True}
    interaction = found(await started.send("POST", "/v1beta/interactions", talked))["id"]
    before = len(started.cloud.log)

    opened = []
    for method, target, document in ways(file, cached, batch, interaction):
        answer = await started.send(method, target, document, key=BOB)
        if answer.status not in DENIED:
            opened.append((method, target, document, answer.status))
    assert opened == []
    assert len(started.cloud.log) == before
    assert [one.method for one in started.cloud.log[before:]] == []

    shut = [
        (method, target, answer.status)
        for method, target, document in ways(file, cached, batch, interaction)
        if method != "DELETE"
        and "/download/" not in target
        and "//" not in target
        and "%2F" not in target
        and (answer := await started.send(method, target, document)).status != 200
    ]
    assert shut == []


async def test_lists_show_what_one_made(house: StartHouse) -> None:
    started = await house(pool={"strategy": "round_robin"})
    made: dict[str, list[str]] = {ANN: [], BOB: []}
    for number in range(7):
        key = (ANN, BOB, ANN)[number % 3]
        made[key].append((await upload(started, key))["name"])

    for key, names in made.items():
        listed, token = list[str](), ""
        while True:
            page = found(await started.send("GET", f"/v1beta/files?pageSize=2{token}", key=key))
            listed += [file["name"] for file in page["files"]]
            if "nextPageToken" not in page:
                break
            token = f"&pageToken={page['nextPageToken']}"
        assert sorted(listed) == sorted(names)


async def test_two_owners_in_one_request_are_refused_by_name(
    house: StartHouse, clock: Clock
) -> None:
    started = await house()
    first = (await upload(started))["name"]
    home = owner(started, first)
    for key in (K1, K2) if home == "P1" else (K3,):
        started.cloud.refuse(key, INVALID)
    second = await cache(started)
    started.cloud.heal()
    uri = f"{started.fake.url}/v1beta/{first}"
    asked = {**with_part(fileData={"fileUri": uri}), "cachedContent": second}

    answer = await started.send("POST", GENERATE, asked)

    assert owner(started, second) != home
    assert answer.status == 400
    assert first in answer.error["message"]
    assert second in answer.error["message"]


async def test_a_bound_request_waits_for_its_own_project(house: StartHouse, clock: Clock) -> None:
    started = await house()
    name = await cache(started)
    home = owner(started, name)
    rest = quota(requests_by_minute(MODEL), delay=20)
    started.cloud.refuse(home, rest, model=MODEL)
    asked = {**HELLO, "cachedContent": name}

    answers = [await started.send("POST", GENERATE, asked)]
    clock.at += 5
    answers.append(await started.send("POST", GENERATE, asked))

    assert [answer.status for answer in answers] == [429, 429]
    assert answers[-1].headers["Retry-After"] == "15"
    assert {one.project for one in started.came()} == {home}
    assert (await started.ask()).status == 200


@pytest.mark.parametrize("name", ["files/nobodys", "cachedContents/nobodys"])
async def test_an_unknown_name_is_looked_up_and_never_generated_with(
    house: StartHouse, name: str
) -> None:
    started = await house()
    read = await started.send("GET", f"/v1beta/{name}")
    used = (
        {**HELLO, "cachedContent": name}
        if name.startswith("cached")
        else with_part(fileData={"fileUri": f"{started.fake.url}/v1beta/{name}"})
    )
    answer = await started.send("POST", GENERATE, used)

    assert (read.status, answer.status) in {(403, 403), (404, 404), (404, 403), (403, 404)}
    assert {one.status for one in started.came()} <= {403}
    assert len(started.came()) <= 1


async def test_an_upload_in_pieces_needs_no_credential(house: StartHouse) -> None:
    started = await house(pool={"strategy": "round_robin"})
    start = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}
    for key in (ANN, BOB, ANN):
        begun = await started.send("POST", "/upload/v1beta/files", {}, key=key, headers=start)
        url = begun.headers["X-Goog-Upload-URL"]
        target = url.removeprefix(started.proxy.url)
        piece = {"X-Goog-Upload-Command": "upload, finalize", "X-Goog-Upload-Offset": "0"}
        done = await started.proxy.ask(target, b"content", piece)
        name = found(done)["file"]["name"]
        other = BOB if key == ANN else ANN

        assert not [secret for secret in (K1, K2, K3, key) if secret in url]
        assert (await started.send("GET", f"/v1beta/{name}", key=key)).status == 200
        assert (await started.send("GET", f"/v1beta/{name}", key=other)).status in DENIED
    assert started.fake.violations == []


async def test_a_continuation_goes_to_the_project_that_began_it(house: StartHouse) -> None:
    script = Script(BUILT_IN["long-decode"], rearm=True)
    started = await house(script=script, pool={"strategy": "round_robin"})
    off = {"X-Gemproxy-Repair": "off"}
    for number in range(4):
        asked = {"contents": [{"role": "user", "parts": [{"text": f"Prompt {number}"}]}]}
        begun = await started.send("POST", stream_of(), asked, headers=off)
        home, before = started.came()[-1].project, len(started.came())
        token = next(
            candidate["continuationToken"]
            for document in begun.documents
            for candidate in document["candidates"]
            if "continuationToken" in candidate
        )
        for spelling in ("continuationToken", "continuation_token"):
            further = {**asked, spelling: token}
            answer = await started.send("POST", stream_of(), further, headers=off)
            assert answer.status == 200, answer.body
            foreign = await started.send("POST", stream_of(), further, key=BOB)
            assert foreign.status in DENIED
        assert {one.project for one in started.came()[before:]} == {home}


async def test_a_store_and_its_documents_are_their_makers(house: StartHouse) -> None:
    started = await house()
    file = (await upload(started))["name"]
    store = found(await started.send("POST", "/v1beta/fileSearchStores", {}))["name"]
    imported = {"fileName": file}
    operation = found(await started.send("POST", f"/v1beta/{store}:importFile", imported))
    document = operation["response"]["documentName"]
    tool = {**HELLO, "tools": [{"fileSearch": {"fileSearchStoreNames": [store]}}]}
    snake = {**HELLO, "tools": [{"file_search": {"file_search_store_names": [store]}}]}
    touches: list[tuple[str, str, Any]] = [
        ("GET", f"/v1beta/{store}", b""),
        ("GET", f"/v1beta/{store}/documents", b""),
        ("GET", f"/v1beta/{document}", b""),
        ("GET", f"/v1beta/{operation['name']}", b""),
        ("POST", f"/v1beta/{store}:importFile", imported),
        ("POST", GENERATE, tool),
        ("POST", GENERATE, snake),
        ("DELETE", f"/v1beta/{document}", b""),
        ("DELETE", f"/v1beta/{store}?force=true", b""),
    ]

    foreign = [(await started.send(*touch, key=BOB)).status for touch in touches]
    own = [(await started.send(*touch)).status for touch in touches]
    assert [status for status in foreign if status not in DENIED] == []
    assert own == [200] * len(touches)
    assert found(await started.send("GET", "/v1beta/fileSearchStores")) in (
        {"fileSearchStores": []},
        {},
    )


async def test_a_file_that_was_deleted_is_nobodys(house: StartHouse) -> None:
    started = await house()
    name = (await upload(started))["name"]
    assert (await started.send("DELETE", f"/v1beta/{name}")).status == 200

    for key in (ANN, BOB):
        assert (await started.send("GET", f"/v1beta/{name}", key=key)).status in DENIED
        assert found(await started.send("GET", "/v1beta/files", key=key)).get("files", []) == []


@pytest.mark.parametrize("kind", ["raw", "multipart", "media"])
async def test_an_upload_in_one_request_is_its_makers(house: StartHouse, kind: str) -> None:
    started = await house()
    query = f"?uploadType={kind}" if kind != "raw" else ""
    headers = {"Content-Type": "text/plain"}
    body = b"content"
    if kind == "raw":
        headers["X-Goog-Upload-Protocol"] = "raw"
    if kind == "multipart":
        headers["Content-Type"] = "multipart/related; boundary=b"
        parts = (
            b'Content-Type: application/json\r\n\r\n{"file": {}}',
            b"Content-Type: text/plain\r\n\r\nx",
        )
        body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"
    made = await started.send("POST", f"/upload/v1beta/files{query}", body, headers=headers)
    name = found(made)["file"]["name"]

    assert (await started.send("GET", f"/v1beta/{name}")).status == 200
    assert (await started.send("GET", f"/v1beta/{name}", key=BOB)).status in DENIED


async def test_owners_outlive_a_restart(tmp_path: Path) -> None:
    installed = program(tmp_path, projects())
    async with ChaosServer(Script(BUILT_IN["story"], rearm=True), projects=projects()) as fake:
        raw = {"X-Goog-Upload-Protocol": "raw", "Content-Type": "text/plain"}
        async with installed.serving(fake) as process:
            names = []
            for key in (ANN, BOB):
                sent = {**access(key), **raw}
                file = found(await process.ask("/upload/v1beta/files", b"content", sent))["file"]
                names.append(file["name"])
            process.process.kill()
            await process.exit_status()
        async with installed.serving(fake) as process:
            statuses = [
                (await process.ask(f"/v1beta/{name}", b"", access(key), "GET")).status
                for key in (ANN, BOB)
                for name in names
            ]

    assert statuses[0] == statuses[3] == 200
    assert statuses[1] in DENIED
    assert statuses[2] in DENIED
