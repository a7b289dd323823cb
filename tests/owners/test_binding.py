"""Binding: which project a request goes to, by the names in it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import pytest

from gemproxy.core.errors import BadRequest, Busy, Encoded, Exhausted, NotOwned, TooLarge
from gemproxy.exchange.account import Account
from gemproxy.exchange.exchange import Exchange
from gemproxy.owners.binding import Binding
from gemproxy.owners.registry import Registry
from tests.owners.in_memory import InMemory

HOST = "https://generativelanguage.googleapis.com"
GENERATE = "/v1beta/models/m:generateContent"


@attrs.define(eq=False)
class Fake:
    """Projects, and what exists in them; ``asked`` are the look-ups."""

    holds: dict[str, set[str]]
    silent: set[str] = attrs.field(factory=set)
    asked: list[tuple[str, str]] = attrs.field(factory=list)

    def order(self, caller: str) -> Sequence[str]:
        del caller
        return list(self.holds)

    async def status(self, project: str, target: str) -> int | None:
        self.asked.append((project, target))
        if project in self.silent:
            return None
        return 200 if target.partition("beta/")[2] in self.holds[project] else 403


@attrs.define(eq=False)
class Scene:
    """A binding over three projects; ann's home is ``home``."""

    projects: Fake
    binding: Binding
    clock: list[float]

    async def bind(
        self,
        path: str = GENERATE,
        body: Any = None,
        caller: str = "ann",
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
    ) -> str | None:
        sent = body if isinstance(body, bytes) else b"{}" if body is ... else _json(body)
        told = {"Content-Type": "application/json", "Content-Length": str(len(sent))}
        path, _, query = path.partition("?")
        exchange = Exchange(
            "1", "x", method, path, query, {**told, **(headers or {})}, Account(access=caller)
        )
        return await self.binding.bind(exchange, None if body is ... else sent)


def _json(body: Any) -> bytes:
    return json.dumps(body or {}).encode()


def scene(*, allows_unowned: bool = True, **holds: set[str]) -> Scene:
    projects = Fake({"home": set(), "lab": set(), "far": set(), **holds})
    clock = [1000.0]
    binding = Binding(Registry(InMemory()), projects, lambda: allows_unowned, now=lambda: clock[0])
    return Scene(projects, binding, clock)


def uses(*names: str) -> Any:
    files = [{"fileData": {"fileUri": f"{HOST}/v1beta/{name}"}} for name in names]
    return {"contents": [{"parts": [*files, {"text": "files/nothing"}]}]}


async def test_a_request_that_names_nothing_is_free() -> None:
    assert await scene().bind(body=uses()) is None


async def test_what_one_made_is_found_in_path_and_body() -> None:
    at = scene()
    await at.binding.record({"files/a": None}, "lab", "ann")

    assert await at.bind("/v1beta/files/a", method="GET") == "lab"
    assert await at.bind(body=uses("files/a")) == "lab"
    assert not at.projects.asked


async def test_what_another_made_is_not_there() -> None:
    at = scene()
    await at.binding.record({"files/a": None}, "lab", "ann")

    with pytest.raises(NotOwned, match="files/a"):
        await at.bind("/v1beta/files/a", method="GET", caller="bob")
    with pytest.raises(NotOwned):
        await at.bind(body=uses("files/a"), caller="bob")
    assert not at.projects.asked


async def test_two_owners_are_named() -> None:
    at = scene()
    await at.binding.record({"files/a": None}, "lab", "ann")
    await at.binding.record({"files/b": None}, "far", "ann")

    with pytest.raises(BadRequest, match="files/a and files/b"):
        await at.bind(body=uses("files/a", "files/b"))


async def test_an_unknown_name_is_looked_up_once() -> None:
    at = scene(far={"files/a"})

    assert await at.bind(body=uses("files/a")) == "far"
    assert await at.bind("/v1beta/files/a", method="GET") == "far"
    assert at.projects.asked == [(p, "/v1beta/files/a") for p in ("home", "lab", "far")]


async def test_what_exists_nowhere_is_googles_affair() -> None:
    at = scene()

    assert await at.bind(body=uses("files/a")) == "home"
    assert await at.bind(body=uses("files/a")) == "home"
    assert len(at.projects.asked) == 3
    at.clock[0] += 60
    assert await at.bind(body=uses("files/a")) == "home"
    assert len(at.projects.asked) == 6


async def test_the_target_of_a_write_goes_home_without_a_look_up() -> None:
    at = scene(far={"files/a"})

    assert await at.bind("/v1beta/files/a", method="DELETE") == "home"
    assert not at.projects.asked


async def test_what_nobody_made_is_refused_where_several_could_have() -> None:
    at = scene(allows_unowned=False, far={"files/a"}, home={"files/h"})

    for path, method in [("files/a", "GET"), ("files/h", "DELETE"), ("files/h", "PATCH")]:
        with pytest.raises(NotOwned):
            await at.bind(f"/v1beta/{path}", method=method)
    assert await at.bind("/v1beta/files/b", method="DELETE") == "home"
    assert at.projects.asked[-1] == ("home", "/v1beta/files/b")


async def test_a_home_that_cannot_be_asked_lets_nobody_in() -> None:
    at = scene(allows_unowned=False)
    at.projects.silent.add("home")

    with pytest.raises(Busy):
        await at.bind("/v1beta/files/a", method="GET")


async def test_a_project_that_cannot_be_asked_stops_nobody_and_is_asked_again() -> None:
    at = scene(allows_unowned=False, lab={"files/a"})
    at.projects.silent.add("lab")
    assert await at.bind("/v1beta/files/a", method="GET") == "home"

    at.projects.silent.clear()
    with pytest.raises(NotOwned):
        await at.bind("/v1beta/files/a", method="GET")


async def test_look_ups_are_limited_for_each_access_key() -> None:
    at = scene()
    for number in range(30):
        await at.bind(f"/v1beta/files/a{number}", method="GET")

    with pytest.raises(Exhausted) as refused:
        await at.bind("/v1beta/files/b", method="GET")

    assert refused.value.seconds == 2
    assert await at.bind("/v1beta/files/b", method="GET", caller="bob") == "home"
    at.clock[0] += 2
    assert await at.bind("/v1beta/files/b", method="GET") == "home"


async def test_a_token_or_an_agent_binds_only_where_it_is_known() -> None:
    at = scene()
    agent = {"agent": "deep-research", "environment": "remote", "continuation_token": "T"}
    assert await at.bind("/v1beta/interactions", agent) is None

    await at.binding.record({"agents/deep-research": None}, "lab", "ann")
    assert await at.bind("/v1beta/interactions", agent) == "lab"
    with pytest.raises(NotOwned):
        await at.bind("/v1beta/interactions", agent, caller="bob")
    assert not at.projects.asked


@pytest.mark.parametrize(
    ("error", "body", "headers", "path"),
    [
        (BadRequest, b"{'fileData': {}}", {}, GENERATE),
        (BadRequest, b"", {}, GENERATE),
        (BadRequest, "{}".encode("utf-16"), {}, GENERATE),
        (Encoded, b"{}", {"Content-Encoding": "gzip"}, GENERATE),
        (Encoded, b"{}", {"Content-Type": "application/x-protobuf"}, GENERATE),
        (Encoded, b"{}", {"Content-Type": "application/json; charset=utf-16"}, GENERATE),
        (Encoded, b"{}", {"Content-Type": "multipart/mixed; boundary=x"}, GENERATE),
        (TooLarge, ..., {"Content-Length": "99"}, GENERATE),
        (BadRequest, b"{}", {"X-HTTP-Method-Override": "DELETE"}, GENERATE),
        (NotOwned, b"{}", {}, "/$rpc/google.ai.generativelanguage.v1beta.FileService/ListFiles"),
        (NotOwned, b"{}", {}, "/google.ai.generativelanguage.v1beta.FileService/ListFiles"),
        (NotOwned, b"{}", {}, "/batch"),
    ],
)
async def test_what_cannot_be_read_is_refused_in_words(
    error: type[Exception], body: Any, headers: Mapping[str, str], path: str
) -> None:
    with pytest.raises(error, match=r"\."):
        await scene().bind(path, body if body is ... or body else b"{", headers=headers)


async def test_no_answer_repeats_the_request_with_its_key() -> None:
    with pytest.raises(NotOwned):
        await scene().bind("/v1beta/models", None, method="TRACE")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/upload/v1beta/files", "video/mp4"),
        ("/upload/v1beta/files?uploadType=multipart", "multipart/related; boundary=x"),
        ("/v1beta/openai/files", "multipart/form-data; boundary=x"),
    ],
)
async def test_the_content_of_a_file_names_nothing(path: str, kind: str) -> None:
    headers = {"Content-Type": kind, "Content-Length": "99"}

    assert await scene().bind(path, ..., headers=headers) is None
    assert await scene().bind(path, b'{"uri": "files/a"}', headers=headers) is None


async def test_a_deleted_name_is_forgotten() -> None:
    at = scene()
    await at.binding.record({"files/a": None}, "lab", "ann")
    await at.binding.record({"files/a": 0.0}, "lab", "ann")

    assert await at.bind("/v1beta/files/a", method="GET") == "home"


@pytest.mark.parametrize(
    "path", ["fileSearchStores/-/documents", "files/.", "files/a;b", "files/a%20b"]
)
async def test_what_google_might_read_in_another_way_is_nobodys(path: str) -> None:
    with pytest.raises(NotOwned):
        await scene().bind(f"/v1beta/{path}", method="GET")


async def test_nothing_is_read_under_upload() -> None:
    with pytest.raises(NotOwned):
        await scene().bind("/upload/v1beta/files", method="GET")


async def test_a_large_body_is_read_beside_the_loop() -> None:
    at = scene()
    await at.binding.record({"files/a": None}, "lab", "ann")

    assert await at.bind(body={"text": "x" * (2 << 20), **uses("files/a")}) == "lab"


@pytest.mark.parametrize(
    "path",
    [
        "/$discovery/rest",
        "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent",
    ],
)
async def test_discovery_and_live_are_no_other_ways(path: str) -> None:
    assert await scene().bind(path, method="GET") is None


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/v1/models/m:generateContent", "/v1beta/files/a"),
        ("/v9/models/m:generateContent", "/v1beta/files/a"),
        ("//v1/models/m:generateContent", "/v1beta/files/a"),
        ("/models/m:generateContent", "/v1beta/files/a"),
        ("/team/v1/models/m:generateContent", "/team/v1beta/files/a"),
    ],
)
async def test_a_look_up_has_a_version_of_our_choice(path: str, target: str) -> None:
    at = scene()
    await at.bind(path, uses("files/a"))

    assert at.projects.asked[0] == ("home", target)


@pytest.mark.parametrize(("caller", "reads"), [("ann", True), ("bob", False)])
async def test_what_hangs_on_a_name_is_only_its_makers(caller: str, *, reads: bool) -> None:
    at = scene()
    await at.binding.record({"operations/o": None}, "lab", "ann")
    for method, path in [("GET", "/v1/operations/o"), ("POST", "/v1/operations/o:wait")]:
        exchange = Exchange("1", "x", method, path, "", {}, Account(access=caller))

        witness = at.binding.witness(exchange, 200, {"Content-Type": "application/json"})

        assert (witness is not None) is reads
