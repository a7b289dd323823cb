"""generateContent run as a stream, over real sockets: what is cut is resumed, not begun again."""

import json
from collections.abc import Mapping
from typing import Any

import attrs
import pytest

from gemproxy.chaos.answers import Answer as Told
from gemproxy.chaos.behaviours import Behaviour
from gemproxy.chaos.faults import parse_fault
from gemproxy.chaos.framing import Style
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.routes.gathered import stream_target
from tests.gemini import BODY, REQUEST, Json, chunk, sse
from tests.replies import SILENT, error_reply, json_reply, replying, sse_reply
from tests.running import AccessLog, StartProxy
from tests.wire import KEY, Answer, Ending, body_of, connect, text_of_documents

TARGET = "/v1beta/models/gemini-test:generateContent"
STORY = BUILT_IN["story"]
VIA_STREAM: dict[str, Mapping[str, Any]] = {"repair": {"unary_via_stream": True}}
WARM: dict[str, Mapping[str, Any]] = {
    "repair": {"unary_via_stream": True, "max_consecutive_retries": 1},
    "client": {"headers_after_seconds": 0.01, "heartbeat_seconds": 0.01},
}


def script(*specs: str, told: Told = STORY, behaviour: Behaviour = Behaviour.ECHO) -> Script:
    return Script(told, [parse_fault(spec) for spec in specs], behaviour)


async def gathered(
    proxy: StartProxy,
    server: ChaosServer | str,
    body: bytes = BODY,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    return await (await proxy(server, **VIA_STREAM)).ask(TARGET, body, {**KEY, **(headers or {})})


async def said_directly(told: Told, body: bytes = BODY) -> Json:
    """Return what the upstream answers to the unary call."""
    async with ChaosServer(Script(told)) as server, connect(server.url) as connection:
        document: Json = json.loads((await connection.ask(TARGET, body)).body)
        return document


@pytest.mark.parametrize("name", ["story", "chinese", "emoji", "thinking", "call", "json", "table"])
async def test_the_response_is_that_of_the_unary_method(proxy: StartProxy, name: str) -> None:
    told = BUILT_IN[name]
    async with ChaosServer(Script(told)) as server:
        answer = await gathered(proxy, server)

        assert json.loads(answer.body) == await said_directly(told)
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "application/json; charset=UTF-8"
        assert answer.headers["Content-Length"] == str(len(answer.body))
        (seen,) = server.requests
        assert seen.target == "/v1beta/models/gemini-test:streamGenerateContent?alt=sse"
        assert seen.body == BODY


@pytest.mark.parametrize("specs", [("rst@900",), ("clean@event:4", "error:503@event:3", "fin@0")])
@pytest.mark.parametrize("behaviour", [Behaviour.ECHO, Behaviour.PLAIN])
async def test_a_cut_is_resumed(
    proxy: StartProxy, access_log: AccessLog, specs: tuple[str, ...], behaviour: Behaviour
) -> None:
    async with ChaosServer(script(*specs, behaviour=behaviour)) as server:
        answer = await gathered(proxy, server)

        document = json.loads(answer.body)
        whole = await said_directly(STORY)
        (candidate,) = document["candidates"]
        assert candidate == whole["candidates"][0]
        assert (
            document["usageMetadata"]["promptTokenCount"]
            == (whole["usageMetadata"]["promptTokenCount"])
        )
        assert server.violations == []
        line = await access_log.line()
        assert line["route"] == "generate"
        assert line["attempts"] == len(specs) + 1
        assert line["joints"]


async def test_thoughts_are_not_doubled_by_a_cut(proxy: StartProxy) -> None:
    told = BUILT_IN["thinking"]
    async with ChaosServer(script("rst@event:12", told=told)) as server:
        documents = [json.loads((await gathered(proxy, server)).body)]

        assert text_of_documents(documents) == told.text
        assert text_of_documents(documents, thought=True) == told.thoughts


async def test_switched_off_it_is_a_unary_call(proxy: StartProxy) -> None:
    async with ChaosServer(script()) as server:
        await (await proxy(server)).ask(TARGET)
        await gathered(proxy, server, headers={"X-Gemproxy-Repair": "off"})

        assert {seen.target for seen in server.requests} == {TARGET}


@pytest.mark.parametrize(
    "config",
    [{"responseModalities": ["AUDIO"]}, {"responseModalities": ["TEXT", "IMAGE"]}],
)
async def test_what_cannot_be_resumed_stays_a_unary_call(proxy: StartProxy, config: Json) -> None:
    body = body_of({**REQUEST, "generationConfig": config})
    async with ChaosServer(script()) as server:
        await gathered(proxy, server, body)

        assert [seen.target for seen in server.requests] == [TARGET]


async def test_a_masked_call_stays_a_unary_call(proxy: StartProxy) -> None:
    async with ChaosServer(script()) as server:
        await gathered(proxy, server, headers={"X-Goog-FieldMask": "candidates"})

        assert [seen.target for seen in server.requests] == [TARGET]


async def test_what_turns_out_to_be_beyond_repair_becomes_a_unary_call(
    proxy: StartProxy, access_log: AccessLog
) -> None:
    """A cut after an image cannot be resumed, but the client has none of it yet."""
    image = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    begun = sse_reply(sse(chunk(parts=[image])), closes=True)
    whole = chunk(parts=[image], finish="STOP")
    async with replying(begun, json_reply(whole)) as upstream:
        answer = await gathered(proxy, upstream.url)

        assert json.loads(answer.body) == whole
        assert [seen.target.partition(":")[2] for seen in upstream.seen] == [
            "streamGenerateContent?alt=sse",
            "generateContent",
        ]
        line = await access_log.line()
        assert (line["attempts"], line["model"]) == (1, "gemini-test")
        assert "ending" not in line


async def test_a_model_that_does_not_stream_is_called_as_it_wants(proxy: StartProxy) -> None:
    whole = chunk("a", finish="STOP")
    async with replying(error_reply(404), json_reply(whole)) as upstream:
        assert json.loads((await gathered(proxy, upstream.url)).body) == whole


@pytest.mark.parametrize("status", [400, 403, 429])
async def test_a_refusal_passes_with_its_status(proxy: StartProxy, status: int) -> None:
    given = error_reply(status)
    async with replying(given) as upstream:
        answer = await gathered(proxy, upstream.url)

        assert answer.status == status
        assert answer.body == given.raw.partition(b"\r\n\r\n")[2]
        assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "response", [chunk(finish="SAFETY"), {"promptFeedback": {"blockReason": "SAFETY"}}]
)
async def test_policy_endings_pass(proxy: StartProxy, response: Json) -> None:
    async with replying(sse_reply(sse(response))) as upstream:
        assert json.loads((await gathered(proxy, upstream.url)).body) == response
        assert len(upstream.seen) == 1


async def test_a_failure_has_its_status_while_nothing_went_out(proxy: StartProxy) -> None:
    async with ChaosServer(script("rst@900", *["clean@0"] * 9)) as server:
        answer = await gathered(proxy, server)

        assert answer.status == 503
        assert answer.error["status"] == "UNAVAILABLE"


async def test_a_waiting_client_is_kept_warm(proxy: StartProxy) -> None:
    async with ChaosServer(script("stall@event:3")) as server:
        running = await proxy(server, **WARM, upstream={"chunk_timeout_seconds": 0.2})
        answer = await running.ask(TARGET)

        assert answer.body.startswith(b"\n")
        assert text_of_documents([json.loads(answer.body)]) == STORY.text
        assert answer.ending is Ending.COMPLETE


async def test_a_failure_after_white_space_is_loud(proxy: StartProxy) -> None:
    patience = {"thinking_timeout_seconds": 0.1, "first_byte_timeout_seconds": 0.1}
    async with ChaosServer(script(*["stall@0"] * 9)) as server:
        answer = await (await proxy(server, **WARM, upstream=patience)).ask(TARGET)

        assert answer.status == 200
        assert answer.ending is Ending.FIN
        assert json.loads(answer.body)["error"]["status"] in {"UNAVAILABLE", "DEADLINE_EXCEEDED"}


async def test_the_deadline_bounds_it_all(proxy: StartProxy) -> None:
    async with replying(SILENT) as upstream:
        answer = await gathered(proxy, upstream.url, headers={"X-Server-Timeout": "0.05"})

        assert (answer.status, answer.error["status"]) == (504, "DEADLINE_EXCEEDED")


async def test_the_deadline_holds_for_the_plain_call_that_takes_over(proxy: StartProxy) -> None:
    async with replying(error_reply(404), SILENT) as upstream:
        answer = await gathered(proxy, upstream.url, headers={"X-Server-Timeout": "0.2"})

        assert answer.status == 504
        assert len(upstream.seen) == 2


async def test_a_deadline_after_white_space_is_loud(proxy: StartProxy) -> None:
    async with replying(SILENT) as upstream:
        running = await proxy(upstream.url, **WARM)
        answer = await running.ask(TARGET, BODY, {**KEY, "X-Server-Timeout": "0.3"})

        assert (answer.status, answer.ending) == (200, Ending.FIN)
        assert json.loads(answer.body)["error"]["code"] == 504


async def test_a_client_that_leaves_ends_it(proxy: StartProxy) -> None:
    async with replying(SILENT) as upstream:
        running = await proxy(upstream.url, **VIA_STREAM)
        async with running.connect() as connection:
            await connection.send(TARGET)
            await upstream.stalled.wait()
            assert not upstream.left.is_set()

        assert await upstream.left.wait()
        assert len(upstream.seen) == 1


async def test_the_form_that_a_model_takes_is_remembered(proxy: StartProxy) -> None:
    told = attrs.evolve(script("rst@900", behaviour=Behaviour.REFUSE_USER_TURN), rearm=True)
    async with ChaosServer(told) as server:
        running = await proxy(server, **VIA_STREAM)
        await running.ask(TARGET)
        learning = len(server.attempts)
        answer = await running.ask(TARGET)

        assert text_of_documents([json.loads(answer.body)]) == STORY.text
        assert len(server.attempts) == learning + 2 < 2 * learning


@pytest.mark.parametrize(
    ("target", "stream"),
    [
        ("/v1/models/m:generateContent", "/v1/models/m:streamGenerateContent?alt=sse"),
        ("/v1/models/m%3AgenerateContent", "/v1/models/m%3AstreamGenerateContent?alt=sse"),
        ("/m:generateContent?alt=json", "/m:streamGenerateContent?alt=sse"),
        ("/m:generateContent?a=%zz&key=k", "/m:streamGenerateContent?a=%zz&key=k&alt=sse"),
        ("/m:generateContent?alt=proto", None),
        ("/m:generateContent?$alt=json;enum-encoding=int", None),
        ("/m:generateContent?%24alt=json", None),
        ("/m:generateContent?fields=x", None),
        ("/m:countTokens", None),
    ],
)
def test_the_target_of_the_stream(target: str, stream: str | None) -> None:
    assert stream_target(target) == stream


@pytest.mark.parametrize("style", Style)
async def test_an_upstream_that_streams_in_another_framing_is_understood(
    proxy: StartProxy, style: Style
) -> None:
    told = attrs.evolve(script("fin@900"), style=style)
    async with ChaosServer(told) as server:
        answer = await gathered(proxy, server)

    assert text_of_documents([json.loads(answer.body)]) == STORY.text
    assert answer.headers["Content-Type"].startswith("application/json")


@pytest.mark.parametrize("document", [{"ok": True}, [1, 2], "a word"])
async def test_an_upstream_that_streams_other_json_is_passed_on_as_it_came(
    proxy: StartProxy, document: object
) -> None:
    async with replying(json_reply(document)) as upstream:
        answer = await gathered(proxy, upstream.url)

    assert answer.body == json.dumps(document, indent=2).encode()
