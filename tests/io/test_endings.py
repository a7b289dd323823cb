"""How an answer ends when it cannot, or must not, be repaired: unchanged, or loudly.

What passes unchanged is compared with what the fake Gemini says to a client without a proxy.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import attrs
import pytest

from gemproxy.chaos import answers
from gemproxy.chaos.behaviours import Behaviour
from gemproxy.chaos.faults import parse_fault
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.core.repair.verdict import POLICY_REASONS
from gemproxy.relay.parting import NEVER
from gemproxy.routes.parts import IN_FLIGHT, PRESENT
from tests.gemini import BODY, REQUEST, Json, documents
from tests.resting import connections_in_use
from tests.running import AccessLog, StartProxy
from tests.wire import ARRAY, KEY, STREAM, Answer, Ending, body_of, connect

STORY = BUILT_IN["story"]
SHORT_OF_PATIENCE = {"max_consecutive_retries": 2}
DEAD = ["clean@0"] * 9

CLIENTS = {
    "python": "google-genai-sdk/3.4.0 gl-python/3.13.0",
    "javascript": "google-genai-sdk/2.32.0 gl-node/v20.1.0",
    "legacy-javascript": "genai-js/0.24.1",
    "go": "google-genai-sdk/1.30.0 gl-go/go1.24",
    "java": "google-genai-sdk/1.5.0 gl-java/17",
    "none": "",
}


def script(*specs: str, answer: answers.Answer = STORY, **more: Any) -> Script:
    """Return a script with the faults that the command line names so."""
    return Script(answer, [parse_fault(spec) for spec in specs], **more)


async def said_without_a_proxy(told: Script, target: str = STREAM) -> Answer:
    """Return what the fake Gemini itself answers."""
    async with ChaosServer(told) as server, connect(server.url) as connection:
        return await connection.ask(target)


def is_loud(answer: Answer, told: answers.Answer = STORY) -> Json:
    """Assert that the answer broke off with an error in a write of its own; return the error."""
    *frames, last = answer.chunks
    seen = attrs.evolve(answer, body=b"".join(frames))
    assert answer.ending is Ending.FIN
    assert seen.finish_reasons == []
    assert told.text.startswith(seen.text)
    error: Json = json.loads(last.removeprefix(b"data: "))["error"]
    return error


@pytest.mark.parametrize("client", CLIENTS)
async def test_the_last_words_are_in_the_clients_dialect(proxy: StartProxy, client: str) -> None:
    async with ChaosServer(script("clean@event:5", *DEAD)) as server:
        running = await proxy(server, repair=SHORT_OF_PATIENCE)

        answer = await running.ask(headers={**KEY, "X-Goog-Api-Client": CLIENTS[client]})

        assert is_loud(answer)["status"] == "UNAVAILABLE"
        assert answer.chunks[-1].startswith(b'{"error":' if client == "go" else b'data: {"error":')
        assert answer.chunks[-1].endswith(b"}\r\n\r\n")
        assert len(server.attempts) == 3


async def test_the_last_words_have_the_line_ends_of_the_stream(proxy: StartProxy) -> None:
    async with ChaosServer(script("clean@event:5", *DEAD, line_end="\n")) as server:
        answer = await (await proxy(server, repair=SHORT_OF_PATIENCE)).ask()

        assert documents(answer.body)[-1]["error"]["code"] == 503
        assert b"\r" not in answer.body


async def test_an_array_that_breaks_off_stays_open(proxy: StartProxy) -> None:
    async with ChaosServer(script("clean@event:5", *DEAD)) as server:
        answer = await (await proxy(server, repair=SHORT_OF_PATIENCE)).ask(ARRAY)

        assert answer.ending is Ending.FIN
        assert answer.chunks[-1].startswith(b',\r\n{"error":')
        *told, last = json.loads(answer.body + b"]")
        assert last["error"]["status"] == "UNAVAILABLE"
        assert len(told) == 5


@pytest.mark.parametrize("target", [STREAM, ARRAY], ids=["sse", "array"])
async def test_in_http_1_0_an_answer_that_breaks_off_is_reset_when_all_has_come(
    proxy: StartProxy, target: str
) -> None:
    asked = b"POST %b HTTP/1.0\r\nx-goog-api-key: k\r\nContent-Length: %d\r\n\r\n%b"
    async with ChaosServer(script("clean@event:5", *DEAD)) as server:
        running = await proxy(server, repair=SHORT_OF_PATIENCE)
        async with running.connect() as client:
            request = asked % (target.encode(), len(BODY), BODY)
            await asyncio.get_running_loop().sock_sendall(client.socket, request)
            status, _ = await client.head()
            with pytest.raises(ConnectionResetError):
                await client.exactly(1 << 20)

    *told, last = json.loads(client.unread + b"]") if target == ARRAY else documents(client.unread)
    assert (status, len(told), last["error"]["code"]) == (200, 5, 503)


async def test_while_the_last_words_are_read_nothing_is_held_for_them(proxy: StartProxy) -> None:
    async with ChaosServer(script("clean@event:5", *DEAD)) as server:
        running = await proxy(server, repair=SHORT_OF_PATIENCE)
        in_flight = running.app[IN_FLIGHT]
        in_flight.patience = 3600.0
        async with running.connect() as client:
            await client.send()
            await client.until(b'"error"')
            await client.until(b"\r\n" + NEVER)
            while len(in_flight):  # noqa: ASYNC110 (nothing announces it)
                await asyncio.sleep(0)

            assert running.app[PRESENT].live.repair.bodies.held == 0
            assert list(connections_in_use(running)) == []
            assert in_flight.lingering == 1


async def test_the_last_words_name_the_request(proxy: StartProxy, access_log: AccessLog) -> None:
    async with ChaosServer(script("clean@event:5", *DEAD)) as server:
        running = await proxy(server, repair=SHORT_OF_PATIENCE)

        answer = await running.ask(headers={**KEY, "X-Request-Id": "abc-1"})

        (detail,) = is_loud(answer)["details"]
        assert detail["requestId"] == "abc-1"
        line = await access_log.line()
        assert (line["ending"], line["attempts"]) == ("failed", 3)
        assert line["causes"] == ["drop"] * 3


@pytest.mark.parametrize("target", [STREAM, ARRAY], ids=["sse", "array"])
async def test_an_answer_that_never_began_is_an_error_status(
    proxy: StartProxy, target: str
) -> None:
    async with ChaosServer(script(*DEAD)) as server:
        running = await proxy(server, repair=SHORT_OF_PATIENCE)

        answer = await running.ask(target, headers={**KEY, "X-Request-Id": "abc-2"})

        assert answer.status == 503
        assert answer.ending is Ending.COMPLETE
        assert answer.body.startswith(b"[" if target == ARRAY else b"{")
        assert answer.error["details"][0]["requestId"] == "abc-2"


@pytest.mark.parametrize("target", [STREAM, ARRAY], ids=["sse", "array"])
@pytest.mark.parametrize(
    ("spec", "attempts"),
    [
        *(("status:400", 1), ("status:403", 1), ("status:404", 1), ("status:501", 1)),
        *(("status:429", 1), ("status:429,retry=31", 1), ("status:429,retry=0.001", 2)),
        *(("status:500", 3), ("status:503", 3)),
    ],
)
async def test_an_error_answer_passes_as_it_came(
    proxy: StartProxy, spec: str, attempts: int, target: str
) -> None:
    told = script(*[spec] * 9)
    said = await said_without_a_proxy(told, target)
    async with ChaosServer(told) as server:
        answer = await (await proxy(server, repair=SHORT_OF_PATIENCE)).ask(target)

        assert (answer.status, answer.body) == (said.status, said.body)
        assert answer.headers["Content-Type"] == said.headers["Content-Type"]
        assert len(server.attempts) == attempts


@pytest.mark.parametrize("target", [STREAM, ARRAY], ids=["sse", "array"])
async def test_a_gateways_page_is_told_again_in_the_clients_form(
    proxy: StartProxy, target: str
) -> None:
    async with ChaosServer(script(*["html"] * 9)) as server:
        running = await proxy(server, repair=SHORT_OF_PATIENCE)

        answer = await running.ask(target, headers={**KEY, "X-Request-Id": "abc-3"})

        assert answer.status == 502
        assert answer.headers["Content-Type"].startswith("application/json")
        assert answer.body.startswith(b"[" if target == ARRAY else b"{")
        assert answer.error["code"] == 502
        assert answer.error["details"][0]["requestId"] == "abc-3"
        assert b"<" not in answer.body
        assert len(server.attempts) == 3


async def test_an_upstream_that_is_not_there_is_said_to_be(proxy: StartProxy) -> None:
    async with ChaosServer(script()) as server:
        url = server.url

    answer = await (await proxy(url, repair=SHORT_OF_PATIENCE)).ask()

    assert (answer.status, answer.error["status"]) == (503, "UNAVAILABLE")


async def test_an_upstream_that_says_nothing_is_said_to(proxy: StartProxy) -> None:
    async with ChaosServer(script(*["stall@headers"] * 9)) as server:
        running = await proxy(
            server, upstream={"first_byte_timeout_seconds": 0.05}, repair=SHORT_OF_PATIENCE
        )

        answer = await running.ask()

        assert (answer.status, answer.error["status"]) == (504, "DEADLINE_EXCEEDED")


async def test_a_quota_error_in_the_stream_is_passed_on(proxy: StartProxy) -> None:
    async with ChaosServer(script("error:429,retry=31@event:5")) as server:
        answer = await (await proxy(server)).ask()

        error = is_loud(answer)
        assert (error["code"], error["status"]) == (429, "RESOURCE_EXHAUSTED")
        assert len(server.attempts) == 1


@pytest.mark.parametrize("target", [STREAM, ARRAY], ids=["sse", "array"])
@pytest.mark.parametrize(
    "reason", sorted({*POLICY_REASONS, "MAX_TOKENS", "RECITATION", "LANGUAGE", "ANOTHER_ONE"})
)
async def test_an_ending_by_policy_or_by_right_passes_byte_for_byte(
    proxy: StartProxy, reason: str, target: str
) -> None:
    told = script(f"finish:{reason}@event:5")
    said = await said_without_a_proxy(told, target)
    async with ChaosServer(told) as server:
        answer = await (await proxy(server)).ask(target)

        assert answer.ending is Ending.COMPLETE
        assert answer.body == said.body
        assert answer.finish_reasons == [reason]
        assert len(server.attempts) == 1


@pytest.mark.parametrize("at", [1, 5])
async def test_a_policy_ending_after_a_repair_is_the_end(proxy: StartProxy, at: int) -> None:
    async with ChaosServer(script("rst@event:5", f"finish:SAFETY@event:{at}")) as server:
        answer = await (await proxy(server)).ask()

        assert answer.ending is Ending.COMPLETE
        assert answer.finish_reasons == ["SAFETY"]
        assert len(server.attempts) == 2


async def test_a_blocked_prompt_passes_byte_for_byte(proxy: StartProxy) -> None:
    told = script(answer=BUILT_IN["blocked"])
    said = await said_without_a_proxy(told)
    async with ChaosServer(told) as server:
        answer = await (await proxy(server)).ask()

        assert answer.body == said.body
        assert len(server.attempts) == 1


@pytest.mark.parametrize("reason", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"])
async def test_a_spoilt_call_is_asked_for_again_while_nothing_was_seen(
    proxy: StartProxy, reason: str
) -> None:
    async with ChaosServer(script(f"finish:{reason}@event:0")) as server:
        answer = await (await proxy(server)).ask()

        assert answer.text == STORY.text
        assert answer.finish_reasons == ["STOP"]


@pytest.mark.parametrize("reason", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"])
async def test_a_spoilt_call_after_text_passes(proxy: StartProxy, reason: str) -> None:
    told = script(f"finish:{reason}@event:4")
    said = await said_without_a_proxy(told)
    async with ChaosServer(told) as server:
        assert (await (await proxy(server)).ask()).body == said.body


@pytest.mark.parametrize("name", ["empty", "thoughts-only"])
async def test_an_empty_answer_is_asked_for_twice_more_and_then_passed_on(
    proxy: StartProxy, name: str
) -> None:
    async with ChaosServer(script(answer=BUILT_IN[name])) as server:
        answer = await (await proxy(server)).ask()

        assert (answer.text, answer.finish_reasons) == ("", ["STOP"])
        assert answer.ending is Ending.COMPLETE
        assert BUILT_IN[name].thoughts.startswith(answer.thoughts)
        assert len(server.attempts) == 3


async def test_an_empty_answer_to_a_function_response_is_right(proxy: StartProxy) -> None:
    response = {"functionResponse": {"name": "f", "response": {"ok": True}}}
    body = {"contents": [*REQUEST["contents"], {"role": "user", "parts": [response]}]}
    async with ChaosServer(script(answer=BUILT_IN["empty"])) as server:
        answer = await (await proxy(server)).ask(body=body_of(body))

        assert answer.finish_reasons == ["STOP"]
        assert len(server.attempts) == 1


async def test_two_forms_without_new_text_complete_an_answer_that_is_closed(
    proxy: StartProxy,
) -> None:
    told = answers.Answer(text="It was said all along, and told. And so on.", chunk=(16, 16))
    nothing = script("rst@event:2", answer=told, behaviour=Behaviour.NOTHING)
    async with ChaosServer(nothing) as server:
        answer = await (await proxy(server)).ask()

        assert answer.text == told.text[:32]
        assert answer.finish_reasons == ["STOP"]
        assert answer.ending is Ending.COMPLETE
        assert len(server.attempts) == 3


async def test_a_stop_without_new_text_inside_a_sentence_is_loud(proxy: StartProxy) -> None:
    async with ChaosServer(script("rst@event:9", behaviour=Behaviour.NOTHING)) as server:
        answer = await (await proxy(server)).ask()

        assert "does not go on" in is_loud(answer)["message"]
        assert len(server.attempts) == 4


CALLS = pytest.mark.parametrize("name", ["call", "streamed-call"])


def calls_of(answer: Answer) -> list[Json]:
    return [
        part["functionCall"]
        for document in answer.documents
        for candidate in document["candidates"]
        for part in candidate["content"].get("parts", [])
        if "functionCall" in part
    ]


@CALLS
async def test_a_call_arrives_once_however_often_the_stream_breaks(
    proxy: StartProxy, name: str
) -> None:
    told = script(answer=BUILT_IN[name])
    said = await said_without_a_proxy(told)
    size = len(said.body)
    cuts = [f"rst@{size - 1}", f"fin@{size - 200}", f"clean@{size - 400}"]
    async with ChaosServer(script(*cuts, answer=BUILT_IN[name])) as server:
        answer = await (await proxy(server)).ask()

        assert answer.ending is Ending.COMPLETE
        assert answer.text == BUILT_IN[name].text
        assert calls_of(answer) == calls_of(said)
        assert answer.finish_reasons == ["STOP"]


@CALLS
async def test_a_call_that_went_out_at_once_cannot_be_repaired(
    proxy: StartProxy, name: str
) -> None:
    told = attrs.evolve(BUILT_IN[name], ending=answers.Ending(alone=True))
    size = len((await said_without_a_proxy(script(answer=told))).body)
    async with ChaosServer(script(f"rst@{size - 5}", answer=told)) as server:
        running = await proxy(server, repair={"hold_function_calls": False})

        assert is_loud(await running.ask(), told)["status"] == "UNAVAILABLE"
        assert len(server.attempts) == 1


@pytest.mark.parametrize(("name", "last_frames"), [("image", 1), ("code", 1), ("candidates", 3)])
async def test_what_text_cannot_continue_fails_loudly(
    proxy: StartProxy, name: str, last_frames: int
) -> None:
    told = attrs.evolve(BUILT_IN[name], ending=answers.Ending(alone=True))
    frames = len((await said_without_a_proxy(script(answer=told))).chunks)
    async with ChaosServer(script(f"clean@event:{frames - last_frames}", answer=told)) as server:
        answer = await (await proxy(server)).ask()

        assert answer.ending is Ending.FIN
        assert b'"error"' in answer.chunks[-1]
        assert len(server.attempts) == 1


@pytest.mark.parametrize("name", ["image", "code", "candidates"])
async def test_what_text_cannot_continue_is_replayed_while_nothing_was_seen(
    proxy: StartProxy, name: str
) -> None:
    async with ChaosServer(script("clean@1", answer=BUILT_IN[name])) as server:
        answer = await (await proxy(server)).ask()

        assert answer.ending is Ending.COMPLETE
        assert set(answer.finish_reasons) == {"STOP"}
        assert len(server.attempts) == 2


JSON_MODE = {**REQUEST, "generationConfig": {"responseMimeType": "application/json"}}


@pytest.mark.parametrize(
    "behaviour", [Behaviour.ECHO, Behaviour.PLAIN, Behaviour.ECHO_PREAMBLE, Behaviour.RESTART]
)
async def test_a_json_answer_is_whole_or_nothing(proxy: StartProxy, behaviour: Behaviour) -> None:
    told = BUILT_IN["json"]
    async with ChaosServer(script("rst@event:12", answer=told, behaviour=behaviour)) as server:
        answer = await (await proxy(server)).ask(body=body_of(JSON_MODE))

        assert json.loads(answer.text) == json.loads(told.text)
        assert answer.ending is Ending.COMPLETE


async def test_a_json_answer_that_cannot_be_joined_fails_loudly(proxy: StartProxy) -> None:
    told = BUILT_IN["json"]
    broken = script("rst@event:12", answer=told, behaviour=Behaviour.RESTART_DIFFERENT)
    async with ChaosServer(broken) as server:
        running = await proxy(server, repair=SHORT_OF_PATIENCE)

        assert is_loud(await running.ask(body=body_of(JSON_MODE)), told)["code"] == 503


async def test_a_model_that_takes_no_form_of_continuation_fails_loudly(proxy: StartProxy) -> None:
    async with ChaosServer(script("rst@event:9", behaviour=Behaviour.REFUSE)) as server:
        answer = await (await proxy(server)).ask()

        message = is_loud(answer)["message"]
        assert "refuses to continue" in message
        assert "continues no model turn" in message
        assert len(server.attempts) == 4


async def test_a_refusal_that_is_not_about_the_form_is_the_last(proxy: StartProxy) -> None:
    async with ChaosServer(script("rst@event:9", "status:400")) as server:
        answer = await (await proxy(server)).ask()

        assert "refuses to continue" in is_loud(answer)["message"]
        assert len(server.attempts) == 2


async def test_a_cap_on_extra_tokens_ends_the_repair(proxy: StartProxy) -> None:
    async with ChaosServer(script("rst@event:9", "rst@event:9", "rst@event:9")) as server:
        answer = await (await proxy(server, repair={"max_extra_tokens": 60})).ask()

        assert "extra tokens" in is_loud(answer)["message"]
        assert 1 <= len(server.attempts) < 4


@pytest.mark.parametrize("way", ["header", "setting"])
@pytest.mark.parametrize("spec", ["clean@event:5", "rst@event:5", "error:503@event:5"])
async def test_without_repair_a_break_is_still_loud(proxy: StartProxy, way: str, spec: str) -> None:
    headers = {**KEY, "X-Gemproxy-Repair": "off"} if way == "header" else KEY
    async with ChaosServer(script(spec)) as server:
        running = await proxy(server, repair={"enabled": way == "header"})

        answer = await running.ask(headers=headers)

        assert is_loud(answer)["code"] == 503
        assert len(server.attempts) == 1


@pytest.mark.parametrize("spec", ["finish:OTHER@event:5", "finish:MALFORMED_RESPONSE@event:5"])
async def test_without_repair_a_bad_ending_passes(proxy: StartProxy, spec: str) -> None:
    said = await said_without_a_proxy(script(spec))
    async with ChaosServer(script(spec)) as server:
        answer = await (await proxy(server)).ask(headers={**KEY, "X-Gemproxy-Repair": " OFF "})

        assert answer.body == said.body
        assert "x-gemproxy-repair" not in dict(server.requests[0].headers)


@pytest.mark.parametrize("mask", ["candidates/content", "candidates(content)", "usageMetadata"])
@pytest.mark.parametrize(
    ("spec", "ending"), [("clean@700", Ending.COMPLETE), ("fin@700", Ending.FIN)]
)
async def test_a_stream_whose_ending_is_masked_passes_as_it_is(
    proxy: StartProxy, mask: str, spec: str, ending: Ending
) -> None:
    target = f"{STREAM}&fields={mask}"
    said = await said_without_a_proxy(script(spec), target)
    async with ChaosServer(script(spec)) as server:
        answer = await (await proxy(server)).ask(target)

        assert (answer.body, answer.ending) == (said.body, ending)
        assert len(server.attempts) == 1


async def test_a_mask_that_shows_the_ending_is_no_hindrance(proxy: StartProxy) -> None:
    async with ChaosServer(script("clean@event:7")) as server:
        answer = await (await proxy(server)).ask(f"{STREAM}&fields=candidates,usageMetadata")

        assert answer.text == STORY.text


LARGE: Mapping[str, Any] = {**REQUEST, "systemInstruction": {"parts": [{"text": "x" * 5000}]}}


@pytest.mark.parametrize("bounds", [{"keep_body_bytes": 4000}, {"keep_total_bytes": 4000}])
async def test_a_body_too_large_to_keep_is_served_without_repair(
    proxy: StartProxy, access_log: AccessLog, bounds: Mapping[str, int]
) -> None:
    said = await said_without_a_proxy(script())
    async with ChaosServer(script("drip:512", "rst@event:9")) as server:
        running = await proxy(server, repair=bounds)

        answer = await running.ask(body=body_of(LARGE))
        assert answer.text == said.text
        assert server.requests[0].body == body_of(LARGE)
        assert (await access_log.line())["repair"] is False

        is_loud(await running.ask(body=body_of(LARGE)))
        assert len(server.attempts) == 2
