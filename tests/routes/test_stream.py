"""The streaming route over real sockets: what it changes, and that it changes nothing else."""

import asyncio
import gzip
import json
import re

import attrs
import pytest

from gemproxy.chaos.delivery import Transfer, Wiring
from gemproxy.chaos.faults import parse_fault
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.gemini import BODY, REQUEST, chunk, sse, text_of
from tests.replies import cut, reply, replying, sse_reply
from tests.running import AccessLog, StartProxy
from tests.wire import ARRAY, KEY, STREAM, Answer, Ending, body_of, connect

STORY = BUILT_IN["story"]
ASKED_AGAIN = {"empty", "thoughts-only", "long-decode"}
"""Answers that the proxy does not leave as they are, for good reason."""


async def said_without_a_proxy(script: Script, target: str) -> Answer:
    async with ChaosServer(script) as server, connect(server.url) as connection:
        return await connection.ask(target)


@pytest.mark.parametrize("line_end", ["\r\n", "\n"], ids=["crlf", "lf"])
@pytest.mark.parametrize(
    "target",
    [STREAM, ARRAY, f"{ARRAY}?$alt=json;enum-encoding=int", f"{ARRAY}?alt=json"],
    ids=["sse", "array", "enums-as-ints", "alt-json"],
)
@pytest.mark.parametrize("name", sorted(BUILT_IN.keys() - ASKED_AGAIN))
async def test_an_undisturbed_stream_passes_byte_for_byte(
    proxy: StartProxy, name: str, target: str, line_end: str
) -> None:
    script = Script(BUILT_IN[name], line_end=line_end)
    said = await said_without_a_proxy(script, target)
    async with ChaosServer(script) as server:
        answer = await (await proxy(server)).ask(target)

        assert answer.body == said.body
        assert answer.ending is Ending.COMPLETE
        assert answer.headers["Content-Type"] == said.headers["Content-Type"]


@pytest.mark.parametrize("transfer", list(Transfer))
@pytest.mark.parametrize("write_size", [None, 1, 100])
async def test_how_the_upstream_writes_its_body_makes_no_difference(
    proxy: StartProxy, transfer: Transfer, write_size: int | None
) -> None:
    said = await said_without_a_proxy(Script(STORY), STREAM)
    async with ChaosServer(Script(STORY, wiring=Wiring(transfer, write_size))) as server:
        answer = await (await proxy(server)).ask()

        assert answer.body == said.body
        assert answer.headers["Transfer-Encoding"] == "chunked"
        assert "Content-Length" not in answer.headers


async def test_each_frame_is_written_by_itself_as_soon_as_it_is_there(proxy: StartProxy) -> None:
    """The second frame is only sent when the client has the first."""
    async with ChaosServer(Script(STORY, [parse_fault("stall@event:1")])) as server:
        running = await proxy(server)
        async with running.connect() as connection:
            await connection.send()
            status, _ = await connection.head()

            frame = await connection.chunk()

        assert status == 200
        assert frame.startswith(b"data: {")
        assert frame.endswith(b"}\r\n\r\n")
        await server.until_closed()


async def test_the_request_goes_up_as_it_came(proxy: StartProxy) -> None:
    body = json.dumps({**REQUEST, "unknown": [1.0, 1e3, "\u2028 ü"]}, indent=3).encode() + b"\n"
    sent = {
        "X-Goog-Api-Key": "test-key",
        "X-Goog-Api-Client": "google-genai-sdk/3.4.0 gl-python/3.13.0",
        "User-Agent": "google-genai-sdk/3.4.0 gl-python/3.13.0",
        "Content-Type": "application/json; odd=yes",
        "X-Server-Timeout": "60",
        "Accept-Encoding": "gzip, br",
        "Cookie": "a=b",
        "Connection": "close, X-Hop",
        "X-Hop": "1",
        "X-Forwarded-For": "192.0.2.1",
    }
    async with ChaosServer(Script(STORY)) as server:
        await (await proxy(server)).ask(f"{STREAM}&x=%2F%zz&y", body, sent)

        (request,) = server.requests
        assert request.body == body
        assert request.target == f"{STREAM}&x=%2F%zz&y"
        assert dict(request.headers) == {
            "host": server.url.removeprefix("http://"),
            "x-goog-api-client": sent["X-Goog-Api-Client"],
            "user-agent": sent["User-Agent"],
            "content-type": sent["Content-Type"],
            "x-server-timeout": "60",
            "accept-encoding": "identity",
            "x-goog-api-key": "test-key",
            "content-length": str(len(body)),
        }


@pytest.mark.parametrize("target", [STREAM, ARRAY])
async def test_a_body_that_is_not_kept_goes_up_with_its_length(
    proxy: StartProxy, target: str
) -> None:
    async with ChaosServer(Script(STORY)) as server:
        serving = await proxy(server, repair={"keep_body_bytes": len(BODY) - 1})
        answer = await serving.ask(target)

        assert answer.ending is Ending.COMPLETE
        (request,) = server.requests
        assert request.body == BODY
        headers = dict(request.headers)
        assert headers["content-length"] == str(len(BODY))
        assert "transfer-encoding" not in headers


@pytest.mark.parametrize("kept", [len(BODY), len(BODY) - 1])
async def test_an_answer_that_is_compressed_unasked_is_read_whether_the_body_is_kept_or_not(
    proxy: StartProxy, kept: int
) -> None:
    plain = sse(chunk("Unasked."), chunk(finish="STOP"))
    packed = reply(gzip.compress(plain), 200, "Content-Encoding: gzip", kind="text/event-stream")
    async with replying(packed) as upstream:
        answer = await (await proxy(upstream.url, repair={"keep_body_bytes": kept})).ask()

    assert answer.body == plain
    assert answer.ending is Ending.COMPLETE


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", {"X-Goog-Api-Key": "test-key"}),
        ("&key=test-key", {"X-Any": "1"}),
        ("&key=test-key", {"X-Goog-Api-Key": "test-key"}),
        ("&access_token=AQ.test-key", {"X-Any": "1"}),
        ("", {"Authorization": "Bearer AIza-test-key"}),
    ],
)
async def test_the_key_goes_up_in_its_header_whichever_way_it_came(
    proxy: StartProxy, query: str, headers: dict[str, str]
) -> None:
    async with ChaosServer(Script(STORY)) as server:
        answer = await (await proxy(server)).ask(STREAM + query, headers=headers)

        (request,) = server.requests
        assert answer.status == 200
        assert request.header("x-goog-api-key").endswith("test-key")
        assert request.header("authorization") == ""
        assert request.target == STREAM


async def test_an_oauth_token_goes_up_as_it_came(proxy: StartProxy) -> None:
    async with ChaosServer(Script(STORY)) as server:
        await (await proxy(server)).ask(headers={"Authorization": "Bearer ya29.test"})

        (request,) = server.requests
        assert request.header("authorization") == "Bearer ya29.test"
        assert request.header("x-goog-api-key") == ""


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/gemini-x",
        "/v1beta/tunedModels/mine",
        "/v1alpha/dynamic/this",
        "/some/sub/path/v1beta/models/gemini-x",
        "//v1beta/models/gemini-x",
        "/v1/endpoints/123",
        "/v1beta/models/google/gemini-x",
        "/v1beta/models/gemini-x:thinking",
        "/v1beta/models%2Fgemini-x",
        "/v1/projects/p/locations/l/publishers/google/models/gemini-x",
    ],
)
async def test_every_way_to_spell_the_route_is_repaired(proxy: StartProxy, path: str) -> None:
    async with ChaosServer(Script(STORY, [parse_fault("rst@900")])) as server:
        answer = await (await proxy(server)).ask(f"{path}:streamGenerateContent?alt=sse")

        assert answer.text == STORY.text
        assert len(server.attempts) == 2
        assert server.requests[0].path == f"{path.replace('//', '/')}:streamGenerateContent"


@pytest.mark.parametrize("target", [STREAM, ARRAY, "/v1beta/models/gemini-test:countTokens"])
async def test_a_model_without_a_version_is_found(proxy: StartProxy, target: str) -> None:
    async with ChaosServer(Script(STORY, [parse_fault("rst@900")])) as server:
        answer = await (await proxy(server)).ask(target.removeprefix("/v1beta"))

        assert answer.status == 200
        assert server.requests[0].target == target


async def test_a_version_may_stand_in_the_upstreams_base(proxy: StartProxy) -> None:
    async with ChaosServer(Script(STORY)) as server:
        answer = await (await proxy(f"{server.url}/v1alpha")).ask(STREAM.removeprefix("/v1beta"))

        assert answer.text == STORY.text
        assert server.requests[0].target == STREAM.replace("v1beta", "v1alpha")


async def test_an_escaped_colon_is_the_same_route(proxy: StartProxy, access_log: AccessLog) -> None:
    target = "/v1/models/gemini-x%3AstreamGenerateContent?alt=sse"
    async with ChaosServer(Script(STORY)) as server:
        await (await proxy(server)).ask(target)

        assert server.requests[0].target == target
        assert (await access_log.line())["route"] == "stream"


async def test_a_path_in_the_upstreams_base_is_put_in_front(proxy: StartProxy) -> None:
    async with ChaosServer(Script(STORY)) as server:
        answer = await (await proxy(f"{server.url}/base/")).ask()

        assert answer.text == STORY.text
        assert server.requests[0].target == f"/base{STREAM}"


async def test_a_request_id_is_kept_when_it_is_sane(proxy: StartProxy) -> None:
    async with ChaosServer(Script(STORY)) as server:
        answer = await (await proxy(server)).ask(headers={**KEY, "X-Request-Id": "my.id_1-2"})

        assert answer.headers["X-Request-Id"] == "my.id_1-2"


@pytest.mark.parametrize("given", ["", "with space", "x" * 129, "a\tb", '{"a":1}'])
async def test_a_request_id_is_made_when_there_is_none_that_is_sane(
    proxy: StartProxy, access_log: AccessLog, given: str
) -> None:
    async with ChaosServer(Script(STORY)) as server:
        answer = await (await proxy(server)).ask(headers={**KEY, "X-Request-Id": given})

        made = answer.headers["X-Request-Id"]
        assert re.fullmatch("[0-9a-f]{32}", made)


async def test_the_log_line_tells_the_whole_story(proxy: StartProxy, access_log: AccessLog) -> None:
    faults = [parse_fault(spec) for spec in ("rst@event:5", "error:503@event:4", "status:500")]
    thinking = BUILT_IN["thinking"]
    async with ChaosServer(Script(attrs.evolve(thinking, thoughts="Hm."), faults)) as server:
        answer = await (await proxy(server)).ask(
            "/v1/models/gemini-x:streamGenerateContent?alt=sse"
        )

        line = await access_log.line()
        assert line["route"] == "stream"
        assert line["method"] == "POST"
        assert line["path"] == "/v1/models/gemini-x:streamGenerateContent"
        assert line["status"] == 200
        assert line["model"] == "gemini-x"
        assert line["ending"] == "done"
        assert line["finish_reason"] == "STOP"
        assert line["attempts"] == 4
        assert line["causes"] == ["drop", "error_frame", "status"]
        assert line["joints"] == ["echo", "echo"]
        assert len(line["seam_ms"]) <= 2  # a seam that comes whole in one read takes no time
        assert line["characters"] == len(thinking.text)
        assert line["repair"] is True
        assert line["bytes"] > len(answer.body)
        usage = answer.documents[-1]["usageMetadata"]
        shown = usage["promptTokenCount"] + usage["candidatesTokenCount"]
        assert line["tokens"]["prompt"] > usage["promptTokenCount"]
        assert line["tokens"]["output"] >= usage["candidatesTokenCount"]
        assert 0 < line["extra_tokens"] < line["tokens"]["total"] - shown + 10


async def test_usage_after_a_repair_is_that_of_one_answer(proxy: StartProxy) -> None:
    said = await said_without_a_proxy(Script(STORY), STREAM)
    async with ChaosServer(Script(STORY, [parse_fault("rst@event:9")])) as server:
        answer = await (await proxy(server)).ask()

        whole, seen = (a.documents[-1]["usageMetadata"] for a in (said, answer))
        assert seen["promptTokenCount"] == whole["promptTokenCount"]
        assert seen["candidatesTokenCount"] == pytest.approx(whole["candidatesTokenCount"], abs=5)
        assert seen["totalTokenCount"] == seen["promptTokenCount"] + seen["candidatesTokenCount"]


@pytest.mark.parametrize("specs", [[], ["rst@900"], ["status:400"], ["error:503@event:2"] * 9])
async def test_neither_key_nor_content_gets_into_the_log(
    proxy: StartProxy, caplog: pytest.LogCaptureFixture, specs: list[str]
) -> None:
    caplog.set_level("DEBUG", logger="gemproxy")
    script = Script(STORY, [parse_fault(spec) for spec in specs])
    async with ChaosServer(script) as server:
        running = await proxy(server)
        await running.ask(f"{STREAM}&key=secret-1", body_of("secret-2"), {"X-Any": "1"})
        await running.ask(headers={"X-Goog-Api-Key": "secret-3"}, body=body_of("secret-4"))
        await running.ask(headers={"Authorization": "Bearer secret-5"}, body=body_of("secret-6"))

    logged = "\n".join(str(record.__dict__) for record in caplog.records)
    assert "gemproxy.access" in logged
    assert "secret" not in logged
    assert "Skerry" not in logged


async def test_neither_key_nor_content_gets_into_an_error(proxy: StartProxy) -> None:
    specs = ["clean@event:3", *["clean@0"] * 9]
    script = Script(STORY, [parse_fault(spec) for spec in specs])
    async with ChaosServer(script) as server:
        running = await proxy(server, repair={"max_consecutive_retries": 1})
        answer = await running.ask(f"{STREAM}&key=secret-1", body_of("secret-2"), {"X-Any": "1"})

        assert answer.ending is Ending.FIN
        assert b"secret" not in answer.body


async def test_a_second_request_on_the_connection_is_served_alike(proxy: StartProxy) -> None:
    async with ChaosServer(Script(STORY, [parse_fault("rst@900")], rearm=True)) as server:
        running = await proxy(server)
        async with running.connect() as connection:
            answers = [await connection.ask(STREAM, BODY) for _ in range(3)]

        assert [answer.text for answer in answers] == [STORY.text] * 3
        assert len({answer.headers["X-Request-Id"] for answer in answers}) == 3


async def test_two_streams_at_once_do_not_meet(proxy: StartProxy) -> None:
    names = ["story", "chinese", "emoji", "table"]
    scripts = {name: Script(BUILT_IN[name], [parse_fault("rst@900")]) for name in names}
    async with ChaosServer(scripts, event_delay=0.001) as server:
        running = await proxy(server)
        targets = [f"/v1/models/{name}:streamGenerateContent?alt=sse" for name in names]

        answers = await asyncio.gather(*map(running.ask, targets))

        assert [answer.text for answer in answers] == [BUILT_IN[name].text for name in names]


# -- an upstream that answers in another framing -------------------------------------------------

SAID = [chunk("One. "), chunk("Two. "), chunk("Three.", finish="STOP", usage=(3, 4))]
PRETTY = json.dumps(chunk("One. Two. Three.", finish="STOP"), indent=2).encode()
OTHERWISE: dict[str, tuple[str, bytes]] = {
    "an object": ("application/json; charset=UTF-8", PRETTY),
    "an object called an event stream": ("text/event-stream", PRETTY),
    "a list": ("application/json", json.dumps(SAID, indent=1).encode()),
    "a list called nothing that helps": ("application/octet-stream", json.dumps(SAID).encode()),
    "lines": ("application/x-ndjson", b"".join(json.dumps(r).encode() + b"\n" for r in SAID)),
    "an event stream": ("text/event-stream", sse(*SAID)),
    "an event stream called text": ("text/plain; charset=utf-8", sse(*SAID, eol="\n")),
    "an event stream called JSON": ("application/json", sse(*SAID)),
    "events, one of them bare": (
        "text/event-stream",
        sse(SAID[0]) + json.dumps(SAID[1]).encode() + b"\r\n\r\n" + sse(SAID[2]),
    ),
}
"""Content-Type and body of answers of which each is right for one kind of request at most."""


@pytest.mark.parametrize("query", ["alt=sse", "$alt=sse", "%24alt=sse;enum-encoding=int"])
@pytest.mark.parametrize("name", OTHERWISE)
async def test_who_asks_for_events_gets_events(proxy: StartProxy, name: str, query: str) -> None:
    kind, body = OTHERWISE[name]
    async with replying(reply(body, kind=kind)) as upstream:
        answer = await (await proxy(upstream.url)).ask(f"{ARRAY}?{query}")

        assert len(upstream.seen) == 1
    assert (answer.status, answer.ending) == (200, Ending.COMPLETE)
    assert text_of(answer.body) == "One. Two. Three."
    if not body.startswith(b"data: "):
        assert answer.headers["Content-Type"] == "text/event-stream"


@pytest.mark.parametrize("query", ["", "?alt=json", "?$alt=json;enum-encoding=int", "?alt="])
@pytest.mark.parametrize("name", OTHERWISE)
async def test_who_asks_for_an_array_gets_an_array(
    proxy: StartProxy, name: str, query: str
) -> None:
    kind, body = OTHERWISE[name]
    async with replying(reply(body, kind=kind)) as upstream:
        answer = await (await proxy(upstream.url)).ask(f"{ARRAY}{query}")

        assert len(upstream.seen) == 1
    assert (answer.status, answer.ending) == (200, Ending.COMPLETE)
    assert text_of(sse(*json.loads(answer.body))) == "One. Two. Three."
    if not body.startswith(b"["):
        assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("query", ["alt=json&alt=sse", "alt=sse&alt=json", "$alt=json&alt=SSE"])
@pytest.mark.parametrize("name", ["a list", "an event stream"])
async def test_who_asks_for_both_forms_gets_events(
    proxy: StartProxy, name: str, query: str
) -> None:
    kind, body = OTHERWISE[name]
    async with replying(reply(body, kind=kind)) as upstream:
        answer = await (await proxy(upstream.url)).ask(f"{ARRAY}?{query}")

        assert upstream.seen[0].target == f"{ARRAY}?{query}"
        assert len(upstream.seen) == 1
    assert text_of(answer.body) == "One. Two. Three."


@pytest.mark.parametrize("name", ["a list", "lines", "an event stream"])
@pytest.mark.parametrize("target", [STREAM, ARRAY])
async def test_a_cut_in_another_framing_is_repaired(
    proxy: StartProxy, name: str, target: str
) -> None:
    kind, body = OTHERWISE[name]
    broken = cut(reply(body, kind=kind), len(body) - body.index(b"Three"))
    rest = sse_reply(sse(chunk("One. Two. Three.", finish="STOP")))
    async with replying(broken, rest) as upstream:
        answer = await (await proxy(upstream.url)).ask(target)

        assert len(upstream.seen) == 2
    assert (answer.text, answer.finish_reasons) == ("One. Two. Three.", ["STOP"])
    assert answer.ending is Ending.COMPLETE


@pytest.mark.parametrize("target", [STREAM, ARRAY])
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"ok": true}\n'),
        ("application/json; charset=UTF-8", b'[{"choices": []}]'),
        ("text/plain", b'{\n  "message": "later"\n}'),
    ],
)
async def test_json_that_is_no_generation_passes_as_it_came(
    proxy: StartProxy, access_log: AccessLog, target: str, kind: str, body: bytes
) -> None:
    async with replying(reply(body, kind=kind)) as upstream:
        answer = await (await proxy(upstream.url)).ask(target)

        assert len(upstream.seen) == 1
    assert (answer.status, answer.body, answer.ending) == (200, body, Ending.COMPLETE)
    assert answer.headers["Content-Type"] == kind
    assert (await access_log.line())["ending"] == "passed"


@pytest.mark.parametrize("target", [STREAM, ARRAY])
@pytest.mark.parametrize(("code", "attempts"), [(400, 1), (503, 3)])
async def test_a_bare_error_of_status_200_is_an_error(
    proxy: StartProxy, target: str, code: int, attempts: int
) -> None:
    body = json.dumps({"error": {"code": code, "message": "no"}}).encode()
    async with replying(reply(body)) as upstream:
        running = await proxy(upstream.url, repair={"max_consecutive_retries": 2})
        answer = await running.ask(target)

        assert len(upstream.seen) == attempts
    assert answer.status == code


@pytest.mark.parametrize("body", [b"{}", b"[]", b"null"])
async def test_json_that_says_nothing_is_an_empty_answer(proxy: StartProxy, body: bytes) -> None:
    whole = sse_reply(sse(*SAID))
    async with replying(reply(body), whole) as upstream:
        answer = await (await proxy(upstream.url)).ask()

        assert len(upstream.seen) == 2
    assert answer.text == "One. Two. Three."
