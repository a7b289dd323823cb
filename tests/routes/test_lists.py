"""Lists under an access key, over sockets: what it owns, merged over the projects of the pool."""

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlencode

import attrs
import pytest
from aiohttp import web

from gemproxy.routes.parts import IN_FLIGHT
from tests.pooling import FakePool, pooled_app
from tests.sockets import running
from tests.wire import Answer, connect

Json = dict[str, Any]

FILES = "/v1beta/files"


@attrs.define(eq=False)
class Google:
    """An upstream with files by project, two on each page, whose refusals are set by project."""

    files: dict[str, list[str]] = attrs.field(factory=dict)
    refusals: dict[str, list[tuple[int, Any] | None]] = attrs.field(factory=dict)
    seen: list[web.Request] = attrs.field(factory=list)
    member: str = "files"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a list."""
        self.seen.append(request)
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        project = (request.headers.get("x-goog-api-key") or bearer).removeprefix("key-")
        refusals = self.refusals.get(project, [])
        refusal = refusals.pop(0) if refusals else None
        if refusal is not None:
            return web.json_response(refusal[1], status=refusal[0])
        held = self.files.get(project, [])
        if "/openai/" in request.path:
            return web.json_response({"object": "list", "data": [{"id": name} for name in held]})
        begin = int(request.query.get("pageToken", "0"))
        page: Json = {self.member: [{"name": name, "n": 2**60} for name in held[begin : begin + 2]]}
        if begin + 2 < len(held):
            page["nextPageToken"] = str(begin + 2)
        return web.json_response(page)

    @property
    def projects(self) -> list[str]:
        """The projects that were asked, in order."""
        return [request.headers["x-goog-api-key"].removeprefix("key-") for request in self.seen]


def refused(status: int, **error: object) -> tuple[int, Json]:
    return status, {"error": {"code": status, "message": "no", **error}}


@attrs.define(eq=False)
class World:
    """The proxy between two access keys and three projects."""

    google: Google
    pool: FakePool
    port: int = 0

    async def put(self, caller: str, project: str, *names: str) -> None:
        """Have a project hold some files; ``caller`` made them, nobody if it is empty."""
        self.google.files.setdefault(project, []).extend(names)
        if caller:
            await self.pool.put(caller, project, *names)

    async def ask(
        self,
        who: str,
        path: str = FILES,
        query: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask once as an access key."""
        target = f"{path}?{urlencode(query)}" if query else path
        async with connect(f"http://127.0.0.1:{self.port}") as connection:
            sent = {"x-goog-api-key": who, **(headers or {})}
            return await connection.ask(target, b"", sent, "GET")

    async def pages(self, who: str, path: str = FILES, **query: object) -> list[list[str]]:
        """Return the names on all pages."""
        pages: list[list[str]] = []
        token: object = None
        while not pages or token:
            asked = {**query, "pageToken": token} if token else query
            answer = await self.ask(who, path, asked)
            assert answer.status == 200, answer.body
            document = json.loads(answer.body)
            pages.append([entry["name"] for entry in document.get(self.google.member, [])])
            token = document.get("nextPageToken")
        return pages


@pytest.fixture
async def world() -> AsyncIterator[World]:
    google, pool = Google(), FakePool()
    upstream = web.Application()
    upstream.router.add_route("*", "/{path:.*}", google.handle)
    async with contextlib.AsyncExitStack() as stack:
        port = await stack.enter_async_context(running(upstream))
        app = pooled_app(f"http://127.0.0.1:{port}", pool)
        yield World(google, pool, await stack.enter_async_context(running(app)))
        await app[IN_FLIGHT].drain(5)


async def test_two_access_keys_see_their_own_files_in_all_projects(world: World) -> None:
    await world.put("ann", "P", "files/a", "files/b", "files/c")
    await world.put("bob", "P", "files/d")
    await world.put("", "Q", "files/e")
    await world.put("bob", "R", "files/f", "files/g")
    await world.put("ann", "R", "files/h")

    assert await world.pages("ann") == [["files/a", "files/b", "files/c", "files/h"]]
    assert await world.pages("ann", pageSize=3) == [["files/a", "files/b", "files/c"], ["files/h"]]
    assert await world.pages("bob", pageSize=1) == [["files/d"], ["files/f"], ["files/g"]]


async def test_only_projects_with_something_of_the_caller_s_are_asked(world: World) -> None:
    await world.put("ann", "Q", "files/a")
    await world.put("bob", "R", "files/b")

    await world.pages("ann")

    assert world.google.projects == ["Q"]


async def test_what_belongs_to_nobody_is_seen_where_the_operator_allows_it(world: World) -> None:
    await world.put("ann", "P", "files/a")
    await world.put("bob", "P", "files/b")
    await world.put("", "Q", "files/c")

    assert await world.pages("ann") == [["files/a"]]
    world.pool.binding.unowned = lambda: True
    assert await world.pages("ann") == [["files/a", "files/c"]]


async def test_a_name_on_record_for_another_project_is_not_the_same_file(world: World) -> None:
    await world.put("ann", "P", "files/a")
    world.google.files["Q"] = ["files/a"]
    await world.put("ann", "Q", "files/q")

    assert await world.pages("ann") == [["files/a", "files/q"]]


async def test_the_list_is_asked_for_with_the_client_s_filters_and_no_conditions(
    world: World,
) -> None:
    await world.put("ann", "P", "files/a")
    await world.ask(
        "ann",
        query={"filter": "x y", "fields": "files(uri)", "key": "ann", "alt": "json"},
        headers={"If-None-Match": "x", "Range": "bytes=0-1", "X-Goog-FieldMask": "files.uri"},
    )

    seen = world.google.seen[0]
    assert dict(seen.query) == {
        "filter": "x y",
        "fields": "files(uri),files/name,nextPageToken",
        "pageSize": "100",
    }
    assert seen.headers["X-Goog-FieldMask"] == "files.uri,files.name,nextPageToken"
    assert not {"If-None-Match", "Range"} & {*seen.headers}
    assert "ann" not in str(seen.headers)


async def test_entries_keep_their_values(world: World) -> None:
    await world.put("ann", "P", "files/a")

    answer = await world.ask("ann")

    assert json.loads(answer.body) == {"files": [{"name": "files/a", "n": 2**60}]}
    assert answer.headers["Content-Type"] == "application/json; charset=UTF-8"


async def test_a_token_of_another_s_list_is_refused_as_google_refuses(world: World) -> None:
    await world.put("ann", "P", "files/a", "files/b")
    token = json.loads((await world.ask("ann", query={"pageSize": 1})).body)["nextPageToken"]

    others: tuple[tuple[str, dict[str, str]], ...] = (("bob", {}), ("ann", {"filter": "x"}))
    for who, query in others:
        answer = await world.ask(who, query={**query, "pageToken": token})
        assert (answer.status, answer.error["status"]) == (400, "INVALID_ARGUMENT")
    assert (await world.ask("ann", query={"pageToken": "2"})).status == 400
    assert len(world.google.seen) == 1


async def test_a_refusal_of_the_request_is_google_s_own(world: World) -> None:
    await world.put("ann", "P", "files/a")
    world.google.refusals["P"] = [refused(400)]

    answer = await world.ask("ann", query={"filter": "?"})

    assert (answer.status, answer.error["message"]) == (400, "no")


async def test_a_project_that_fails_for_a_moment_is_asked_again(world: World) -> None:
    await world.put("ann", "P", "files/a")
    world.google.refusals["P"] = [refused(503), None]

    assert await world.pages("ann") == [["files/a"]]


async def test_a_list_with_a_part_that_cannot_be_had_is_an_error_that_says_so(
    world: World,
) -> None:
    await world.put("ann", "P", "files/a")
    await world.put("ann", "Q", "files/b")
    world.google.refusals["Q"] = [refused(503)] * 20

    answer = await world.ask("ann")

    assert (answer.status, answer.error["status"]) == (503, "UNAVAILABLE")
    assert "project Q" in answer.error["message"]


async def test_an_answer_that_is_no_list_is_an_error(world: World) -> None:
    await world.put("ann", "P", "files/a")
    world.google.refusals["P"] = [(200, [])] * 20

    assert (await world.ask("ann")).status == 503


async def test_a_project_without_keys_hides_only_what_is_on_record_for_nobody(
    world: World,
) -> None:
    world.pool.binding.unowned = lambda: True
    world.pool.sick = {"Q"}
    await world.put("ann", "P", "files/a")
    await world.put("", "Q", "files/b")

    assert await world.pages("ann") == [["files/a"]]
    await world.put("ann", "Q", "files/c")
    answer = await world.ask("ann")
    assert (answer.status, answer.error["status"]) == (503, "UNAVAILABLE")
    assert "project Q" in answer.error["message"]


async def test_a_project_that_rests_says_for_how_long(world: World) -> None:
    await world.put("ann", "P", "files/a")
    world.pool.resting = {"P"}

    answer = await world.ask("ann")

    assert (answer.status, answer.headers["Retry-After"]) == (429, "7")


async def test_a_list_of_openai_goes_on_behind_an_id(world: World) -> None:
    await world.put("ann", "P", "files/a", "files/b")
    await world.put("bob", "P", "files/c")
    await world.put("ann", "Q", "files/d")
    path = "/v1beta/openai/files"

    first = json.loads((await world.ask("ann", path, {"limit": 2})).body)
    assert [entry["id"] for entry in first["data"]] == ["files/a", "files/b"]
    assert (first["has_more"], first["last_id"]) == (True, "files/b")
    rest = json.loads((await world.ask("ann", path, {"limit": 2, "after": "files/b"})).body)
    assert ([entry["id"] for entry in rest["data"]], rest["has_more"]) == (["files/d"], False)
    for after in ("files/c", "files/z"):
        assert (await world.ask("ann", path, {"after": after})).status == 400


async def test_a_collection_that_nobody_records_is_not_listed(world: World) -> None:
    answer = await world.ask("ann", "/v1beta/gizmos")

    assert (answer.status, answer.error["status"]) == (400, "INVALID_ARGUMENT")
    assert "gizmos" in answer.error["message"]
    assert world.google.seen == []


async def test_the_models_belong_to_nobody(world: World) -> None:
    world.google.member = "models"
    world.google.files["P"] = ["models/a"]

    assert await world.pages("ann", path="/v1beta/models") == [["models/a"]]


async def test_a_client_with_its_own_key_gets_google_s_list_unchanged(world: World) -> None:
    world.google.files["AIza-own"] = ["files/a", "files/b", "files/c"]

    answer = await world.ask("AIza-own", FILES)

    assert json.loads(answer.body)["nextPageToken"] == "2"
