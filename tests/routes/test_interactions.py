"""Interactions over sockets: cut anywhere, the client gets the bytes of the uncut stream."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from gemproxy.chaos.answers import Answer
from gemproxy.chaos.faults import Fault, Kind, byte, parse_fault
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.routes.parts import IN_FLIGHT
from tests.gemini import Json
from tests.replies import DEAD, RESET, SILENT, Reply, json_reply, reply, replying
from tests.running import AccessLog, Proxy, StartProxy
from tests.sockets import Reader, Writer, head, scripted
from tests.wire import KEY, Ending, connect
from tests.wire import Answer as Got

COLLECTION = "/v1beta/interactions"
MODEL = "m-00000"
ONE = f"{COLLECTION}/v1_{MODEL}_1"
TOLD = Answer("Größe: 测试 👩‍💻 und Schluss.", thoughts="Short.", chunk=(5, 12))
JSON = {**KEY, "Content-Type": "application/json"}
CUTS = (Kind.CLEAN_EOF, Kind.FIN, Kind.RST)
CLIENTS = 32
HASTY = {"retry_delay_ms": 1}
STUBBORN = {"max_consecutive_retries": 2}


def body(*, model: str = MODEL, stream: bool = True, **more: Any) -> bytes:
    return json.dumps({"model": model, "input": "Hello", "stream": stream, **more}).encode()


async def create(proxy: Proxy, **asked: Any) -> Got:
    return await proxy.ask(COLLECTION, body(**asked), JSON)


async def read(proxy: Proxy, query: str = "?stream=true", target: str = ONE) -> Got:
    return await proxy.ask(target + query, b"", KEY, "GET")


def script(*specs: str) -> Script:
    return Script(TOLD, [parse_fault(spec) for spec in specs])


def events(answer: Got) -> list[Json]:
    """Return the events of an answer, its end mark left out."""
    blocks = answer.body.decode().strip().split("\n\n")
    data = [block.partition("data: ")[2] for block in blocks]
    return [json.loads(each) for each in data if each != "[DONE]"]


def methods(server: ChaosServer) -> list[str]:
    return [request.method for request in server.requests]


async def whole(ids_every: int = 1) -> bytes:
    """Return the bytes of the uncut stream, as the fake Gemini itself says them."""
    async with ChaosServer(script()) as server, connect(server.url) as connection:
        server.interactions.ids_every = ids_every
        return (await connection.ask(COLLECTION, body(), JSON)).body


def is_loud(answer: Got) -> Json:
    """Assert that the answer broke off behind an error event; return the error."""
    assert answer.ending is Ending.FIN
    assert answer.chunks[-1].startswith(b"event: error\ndata: ")
    last = events(answer)[-1]
    assert last["event_type"] == "error"
    error: Json = last["error"]
    return error


# -- whole streams ------------------------------------------------------------------------


async def test_a_stream_passes_byte_for_byte(proxy: StartProxy) -> None:
    async with ChaosServer(script()) as server:
        answer = await create(await proxy(server))

        assert answer.body == await whole()
        assert answer.ending is Ending.COMPLETE
        assert answer.headers["Content-Type"] == "text/event-stream"
        (request,) = server.requests
        assert request.body == body()
        assert request.values("x-goog-api-key") == ["test-key"]


async def test_a_stream_is_told_again_as_its_client_asks(proxy: StartProxy) -> None:
    async with ChaosServer(script()) as server:
        running = await proxy(server)
        told = await create(running)
        again = await read(running)
        rest = await read(running, "?stream=true&last_event_id=event-4")

        assert again.body == told.body
        assert told.body.endswith(rest.body)
        assert events(rest)[0]["event_id"] == "event-5"
        assert [request.target for request in server.requests[1:]] == [
            f"{ONE}?stream=true",
            f"{ONE}?stream=true&last_event_id=event-4",
        ]


@pytest.mark.parametrize(("ids_every", "overlap"), [(1, 0), (1, 1), (3, 0), (0, 0)])
@pytest.mark.parametrize("kind", CUTS)
async def test_a_cut_at_any_byte_is_not_seen(
    proxy: StartProxy,
    kind: Kind,
    ids_every: int,
    overlap: int,
    record_property: Callable[[str, object], None],
) -> None:
    """The names of models are all of one length, so that the offsets mean the same place."""
    uncut = await whole(ids_every)
    named = uncut.index(b"\n\n")  # before that nobody knows the id of the interaction
    cuts = range(named, len(uncut) + 1, 1 if ids_every == 1 else 5)
    scripts = {f"m-{at:05}": Script(TOLD, [Fault(kind, byte(at))]) for at in cuts}
    async with ChaosServer(scripts) as server:
        server.interactions.ids_every = ids_every
        server.interactions.overlap = overlap
        running = await proxy(server)
        todo = iter(cuts)
        bad: dict[int, bytes] = {}

        async def client() -> None:
            async with running.connect() as connection:
                for at in todo:
                    model = f"m-{at:05}"
                    answer = await connection.ask(COLLECTION, body(model=model), JSON)
                    expected = uncut.replace(MODEL.encode(), model.encode())
                    if answer.ending is not Ending.COMPLETE or answer.body != expected:
                        bad[at] = answer.body

        await asyncio.gather(*(client() for _ in range(CLIENTS)))

        record_property("cuts", (len(cuts), len(cuts) - len(bad)))
        assert bad == {}
        assert server.violations == []
        assert methods(server).count("POST") == len(cuts)


@pytest.mark.parametrize(
    "spec", ["fin@headers", "rst@headers", "status:503", "clean@0", "rst@77", "refuse"]
)
async def test_a_client_that_reads_on_sees_no_cut_either(proxy: StartProxy, spec: str) -> None:
    async with ChaosServer(script("none", spec, "fin@900")) as server:
        running = await proxy(server)
        told = await create(running)
        rest = await read(running, "?stream=true&last_event_id=event-4")

        assert told.body.endswith(rest.body)
        assert events(rest)[0]["event_id"] == "event-5"


async def test_many_cuts_and_errors_are_not_seen(proxy: StartProxy) -> None:
    specs = ("rst@700", "raw-error:503@event:1", "error:503@event:2", "garbage@event:1", "fin@300")
    async with ChaosServer(script(*specs)) as server:
        answer = await create(await proxy(server))

        assert answer.body == await whole()
        assert methods(server) == ["POST", *["GET"] * 5]
        credentials = {tuple(r.values("x-goog-api-key")) for r in server.requests}
        assert credentials == {("test-key",)}


async def test_silence_is_a_cut(proxy: StartProxy) -> None:
    patience = {"chunk_timeout_seconds": 0.1, "thinking_timeout_seconds": 0.1}
    async with ChaosServer(script("stall@1000")) as server:
        answer = await create(await proxy(server, upstream=patience))

        assert answer.body == await whole()


async def test_what_runs_in_the_background_is_the_same(proxy: StartProxy) -> None:
    async with ChaosServer(script("rst@900")) as server:
        answer = await create(await proxy(server), background=True, agent="deep", store=True)

        assert events(answer)[-1]["event_type"] == "interaction.completed"
        assert methods(server) == ["POST", "GET"]


async def test_heartbeats_are_blank_lines(proxy: StartProxy) -> None:
    async with ChaosServer(script("stall@900")) as server:
        running = await proxy(
            server,
            client={"heartbeat_seconds": 0.02},
            upstream={"chunk_timeout_seconds": 0.3, "thinking_timeout_seconds": 0.3},
        )
        answer = await create(running)

        assert b"\n\n" in answer.chunks
        assert b"".join(c for c in answer.chunks if c.strip()) == await whole()


async def test_the_query_and_the_headers_go_with_it(proxy: StartProxy) -> None:
    async with ChaosServer(script("fin@900")) as server:
        running = await proxy(server)
        headers = {"Content-Type": "application/json", "Api-Revision": "2026-05-20"}
        answer = await running.ask(f"{COLLECTION}?key=test-key&alt=sse", body(), headers)

        assert answer.ending is Ending.COMPLETE
        post, get = server.requests
        assert get.target.startswith(f"{ONE}?alt=sse&stream=true&last_event_id=event-")
        assert get.values("api-revision") == ["2026-05-20"]
        assert get.values("content-type") == []
        assert get.body == b""
        assert post.values("x-goog-api-key") == get.values("x-goog-api-key") == ["test-key"]


# -- endings ------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [400, 403, 410])
async def test_a_refusal_to_read_on_is_loud(proxy: StartProxy, code: int) -> None:
    async with ChaosServer(script("clean@900", f"status:{code}")) as server:
        answer = await create(await proxy(server))

        error = is_loud(answer)
        named = {400: "invalid_argument", 403: "permission_denied", 410: "out_of_range"}
        assert error["code"] == named[code]
        assert error["details"][-1]["requestId"] == answer.headers["X-Request-Id"]
        assert (await whole()).startswith(b"".join(answer.chunks[:-1]))
        assert methods(server) == ["POST", "GET"]


@pytest.mark.parametrize("code", [404, 429])
async def test_a_refusal_to_read_on_that_may_pass_is_no_end(proxy: StartProxy, code: int) -> None:
    async with ChaosServer(script("clean@900", f"status:{code}", f"status:{code}")) as server:
        answer = await create(await proxy(server, repair=HASTY))

        assert answer.body == await whole()
        assert methods(server) == ["POST", "GET", "GET", "GET"]


async def test_when_the_retries_are_used_up_the_end_is_loud(proxy: StartProxy) -> None:
    async with ChaosServer(script("clean@900", *["status:503"] * 9)) as server:
        answer = await create(await proxy(server, repair=STUBBORN))

        assert is_loud(answer)["code"] == "unavailable"
        assert methods(server) == ["POST", "GET", "GET"]


@pytest.mark.parametrize("spec", ["clean@900", "fin@900", "rst@900"])
async def test_what_is_not_stored_ends_loudly(proxy: StartProxy, spec: str) -> None:
    async with ChaosServer(script(spec)) as server:
        answer = await create(await proxy(server), store=False)

        is_loud(answer)
        assert methods(server) == ["POST"]


async def test_before_the_first_event_a_cut_is_loud_and_creates_nothing_twice(
    proxy: StartProxy,
) -> None:
    async with ChaosServer(script("rst@40")) as server:
        answer = await create(await proxy(server))

        is_loud(answer)
        assert (answer.status, len(events(answer))) == (200, 1)
        assert methods(server) == ["POST"]


@pytest.mark.parametrize("spec", ["clean@900", "rst@900"])
async def test_with_repair_off_nothing_is_read_on(proxy: StartProxy, spec: str) -> None:
    async with ChaosServer(script(spec)) as server:
        running = await proxy(server)
        off = {**JSON, "X-Gemproxy-Repair": "off"}
        answer = await running.ask(COLLECTION, body(), off)

        is_loud(answer)
        assert methods(server) == ["POST"]


async def test_where_the_sdk_goes_on_by_itself_it_is_only_cut(proxy: StartProxy) -> None:
    async with ChaosServer(script("fin@30")) as server:
        answer = await create(await proxy(server), store=False, continuation_token="t")

        assert (answer.body, answer.ending) == (b"", Ending.FIN)


async def test_a_creation_that_was_received_is_not_repeated(proxy: StartProxy) -> None:
    for lost in (DEAD, RESET):
        async with replying(lost) as upstream:
            answer = await create(await proxy(upstream.url))

            assert answer.status == 502
            assert len(upstream.seen) == 1


async def test_a_creation_that_is_not_answered_is_not_repeated(proxy: StartProxy) -> None:
    async with replying(SILENT) as upstream:
        impatient = {"first_byte_timeout_seconds": 0.1}
        answer = await create(await proxy(upstream.url, upstream=impatient))

        assert answer.status == 504
        assert len(upstream.seen) == 1


@pytest.mark.parametrize("code", [400, 429, 500, 503])
async def test_a_refused_creation_is_passed_on(proxy: StartProxy, code: int) -> None:
    error = {"error": {"code": code, "message": "no", "status": "X"}}
    async with replying(json_reply(error, code, "Retry-After: 1")) as upstream:
        answer = await create(await proxy(upstream.url))

        assert (answer.status, json.loads(answer.body)) == (code, error)
        assert answer.headers["Retry-After"] == "1"
        assert len(upstream.seen) == 1


@pytest.mark.parametrize("stream", [True, False])
async def test_a_creation_that_a_gateway_answers_with_a_page_is_refused_as_google_refuses(
    proxy: StartProxy, stream: bool
) -> None:
    page = reply(b"<html>Bad gateway</html>", 502, kind="text/html")
    async with replying(page) as upstream:
        answer = await create(await proxy(upstream.url), stream=stream)

    assert (answer.status, answer.error["status"]) == (502, "UNAVAILABLE")
    assert answer.error["details"][0]["requestId"] == answer.headers["X-Request-Id"]
    assert answer.ending is Ending.COMPLETE


async def test_a_creation_that_cannot_arrive_is_tried_again(
    proxy: StartProxy, access_log: AccessLog
) -> None:
    answer = await create(await proxy("http://127.0.0.1:9", repair=STUBBORN))

    assert answer.status == 503
    line = await access_log.line()
    assert (line["attempts"], line["causes"]) == (3, ["unreachable"] * 3)


async def test_a_refused_read_is_passed_on(proxy: StartProxy) -> None:
    async with ChaosServer(script()) as server:
        running = await proxy(server)
        answer = await read(running)

        async with connect(server.url) as connection:
            direct = await connection.ask(f"{ONE}?stream=true", b"", KEY, "GET")
        assert (answer.status, answer.body) == (404, direct.body)
        assert len(server.requests) == 2


# -- what is no stream --------------------------------------------------------------------


async def test_without_stream_a_creation_is_answered_as_it_came(proxy: StartProxy) -> None:
    async with ChaosServer(script()) as server:
        running = await proxy(server)
        made = await create(running, stream=False)
        found = await read(running, "")

        assert made.headers["Content-Type"].startswith("application/json")
        assert json.loads(made.body)["status"] == "completed"
        assert found.body == made.body


async def test_what_is_no_stream_names_files_by_our_base(proxy: StartProxy) -> None:
    """Our base is https here, or the SDKs would not take such a URI for a file's name."""
    ours = "https://proxy.example/v1beta/files/f"
    asked: list[bytes] = []

    async def upstream(reader: Reader, writer: Writer) -> None:
        fields = (await head(reader)).decode().lower()
        lines = dict(line.split(": ", 1) for line in fields.splitlines()[1:-1])
        asked.append(await reader.readexactly(int(lines["content-length"])))
        theirs = {"uri": f"http://{lines['host']}/v1beta/files/f"}
        writer.write(json_reply(theirs).raw)

    async with scripted(upstream) as url:
        running = await proxy(str(url), server={"public_url": "https://proxy.example"})
        answer = await create(running, stream=False, uri=ours)

        assert json.loads(answer.body) == {"uri": ours}
        assert json.loads(asked[0])["uri"] == f"{url}v1beta/files/f"


async def test_no_query_makes_a_download_of_an_interaction(proxy: StartProxy) -> None:
    async def upstream(reader: Reader, writer: Writer) -> None:
        fields = (await head(reader)).decode().lower()
        lines = dict(line.split(": ", 1) for line in fields.splitlines()[1:-1])
        await reader.readexactly(int(lines["content-length"]))
        theirs = {"uri": f"http://{lines['host']}/v1beta/files/f?key=test-key"}
        writer.write(json_reply(theirs).raw)

    async with scripted(upstream) as url:
        answer = await (await proxy(str(url))).ask("/v1beta/interactions?alt=media")

        assert json.loads(answer.body) == {"uri": f"{url}v1beta/files/f"}


async def test_a_compressed_stream_is_passed_on_as_it_came(proxy: StartProxy) -> None:
    packed = reply(b"\x1f\x8bnone", 200, "Content-Encoding: gzip", kind="text/event-stream")
    async with replying(packed) as upstream:
        answer = await create(await proxy(upstream.url))

        assert answer.body == b"\x1f\x8bnone"
        assert answer.headers["Content-Encoding"] == "gzip"


async def test_a_resource_that_breaks_off_is_no_answer(proxy: StartProxy) -> None:
    async with replying(Reply(json_reply({"id": "v1_a"}).raw[:-3], closes=True)) as upstream:
        answer = await create(await proxy(upstream.url), stream=False)

        assert answer.status == 502
        assert len(upstream.seen) == 1


async def test_a_large_resource_that_breaks_off_is_cut(proxy: StartProxy) -> None:
    large = json_reply({"id": "v1_a", "text": "x" * (2 << 20)})
    async with replying(Reply(large.raw[:-3], closes=True)) as upstream:
        running = await proxy(upstream.url)
        async with running.connect() as connection:
            await connection.send(COLLECTION, body(stream=False), JSON)
            status, headers = await connection.head()
            rest = await connection.rest()

        assert status == 200
        assert len(rest) == int(headers["Content-Length"]) - 3


async def test_interactions_are_cancelled_and_deleted(proxy: StartProxy) -> None:
    async with ChaosServer(script()) as server:
        running = await proxy(server)
        await create(running, background=True)
        cancelled = await running.ask(f"{ONE}/cancel", b"{}", JSON)
        deleted = await running.ask(ONE, b"", KEY, "DELETE")

        assert json.loads(cancelled.body)["status"] == "cancelled"
        assert deleted.status == 200
        assert server.interactions.stored == {}
        assert (await read(running)).status == 404


# -- the rest of the house ----------------------------------------------------------------


async def test_a_stream_is_one_line_in_the_log(proxy: StartProxy, access_log: AccessLog) -> None:
    async with ChaosServer(script("fin@900", "rst@200")) as server:
        answer = await create(await proxy(server))

        line = await access_log.line()
        assert (line["route"], line["status"], line["model"]) == ("interactions", 200, MODEL)
        assert (line["ending"], line["attempts"], line["causes"]) == ("done", 3, ["drop", "drop"])
        assert line["events"] == len(events(answer))
        assert line["status_of_interaction"] == "completed"
        assert line["bytes"] > len(answer.body)
        assert "Größe" not in str(line)


async def test_a_body_too_large_to_keep_is_streamed_and_read_on(proxy: StartProxy) -> None:
    async with ChaosServer(script("fin@900")) as server:
        running = await proxy(server, repair={"keep_body_bytes": 10})
        answer = await create(running)

        assert answer.body == await whole()
        assert server.requests[0].body == body()


async def test_a_client_that_leaves_ends_the_stream_upstream(
    proxy: StartProxy, access_log: AccessLog
) -> None:
    async with ChaosServer(script("stall@900")) as server:
        running = await proxy(server)
        async with running.connect() as connection:
            await connection.send(COLLECTION, body(), JSON)
            await connection.until(b"step.start")
        await server.until_closed()

        assert methods(server) == ["POST"]
        assert (await access_log.line())["attempts"] == 1


async def test_a_shutdown_ends_a_stream_loudly(proxy: StartProxy) -> None:
    async with ChaosServer(script("stall@900")) as server:
        running = await proxy(server)
        async with running.connect() as connection:
            await connection.send(COLLECTION, body(), JSON)
            await connection.until(b"step.start")
            in_flight = running.app[IN_FLIGHT]
            assert len(in_flight) == 1
            await in_flight.drain(0)

            assert b"event: error" in await connection.rest()
        in_flight.expired = False
