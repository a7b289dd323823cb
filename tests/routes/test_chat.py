"""/v1/chat/completions over real sockets: translated, repaired, and refused in OpenAI's form."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest

from gemproxy.chaos.faults import parse_fault
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.routes.parts import IN_FLIGHT
from tests.gemini import Json, chunk, sse
from tests.replies import DEAD, SILENT, Reply, error_reply, json_reply, replying, sse_reply
from tests.running import AccessLog, StartProxy
from tests.wire import Answer, Ending

CHAT = "/v1/chat/completions"
BEARER = {"Authorization": "Bearer some-key"}
STORY = BUILT_IN["story"]
NONE = {"repair": {"max_consecutive_retries": 0}}
MODEL = "gemini-2.5-flash"


def body(**fields: Any) -> bytes:
    asked = {"model": MODEL, "messages": [{"role": "user", "content": "Tell me a story."}]}
    return json.dumps({**asked, **fields}).encode()


def events(answer: Answer) -> list[Json]:
    """Return the events of a stream, without its end and without comments."""
    lines = [line for line in answer.body.decode().split("\n\n") if line.startswith("data: ")]
    return [json.loads(line[6:]) for line in lines if line != "data: [DONE]"]


def text(answer: Answer, index: int = 0) -> str:
    choices = [choice for event in events(answer) for choice in event.get("choices", ())]
    deltas = [choice["delta"] for choice in choices if choice["index"] == index]
    return "".join(delta.get("content") or "" for delta in deltas)


def finishes(answer: Answer) -> list[str]:
    choices = [choice for event in events(answer) for choice in event.get("choices", ())]
    return [choice["finish_reason"] for choice in choices if choice["finish_reason"]]


def error(answer: Answer) -> Json:
    document: Json = json.loads(answer.body)
    assert set(document) == {"error"}
    told: Json = document["error"]
    assert {"message", "type", "param", "code"} <= set(told)
    return told


@pytest.mark.parametrize("faults", [(), ("rst@900",), ("clean@event:4", "status:503", "fin@0")])
async def test_a_stream_is_translated_and_resumed(
    proxy: StartProxy, faults: tuple[str, ...]
) -> None:
    async with ChaosServer(Script(STORY, [parse_fault(spec) for spec in faults])) as server:
        answer = await (await proxy(server)).ask(CHAT, body(stream=True), BEARER)

        assert (answer.status, answer.ending) == (200, Ending.COMPLETE)
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert text(answer) == STORY.text
        assert finishes(answer) == ["stop"]
        assert answer.body.count(b"data: [DONE]") == 1
        assert server.violations == []


@pytest.mark.parametrize("faults", [(), ("rst@900",), ("clean@event:4", "status:503", "fin@0")])
async def test_a_whole_answer_goes_up_as_a_stream_and_is_resumed(
    proxy: StartProxy, access_log: AccessLog, faults: tuple[str, ...]
) -> None:
    async with ChaosServer(Script(STORY, [parse_fault(spec) for spec in faults])) as server:
        answer = await (await proxy(server)).ask(CHAT, body(), BEARER)

        document = json.loads(answer.body)
        assert document["object"] == "chat.completion"
        assert document["choices"][0]["message"]["content"] == STORY.text
        assert answer.headers["Content-Length"] == str(len(answer.body))
        assert answer.headers["Content-Type"].startswith("application/json")
        line = await access_log.line()
        assert (line["route"], line["model"], line["attempts"]) == ("chat", MODEL, len(faults) + 1)


async def test_the_native_request_has_the_key_and_no_header_of_openai_s(proxy: StartProxy) -> None:
    headers = {
        **BEARER,
        "OpenAI-Organization": "org",
        "OpenAI-Beta": "x",
        "X-Stainless-Lang": "python",
        "User-Agent": "OpenAI/Python",
        "traceparent": f"00-{5:032x}-{6:016x}-01",
    }
    async with replying(sse_reply(sse(chunk("a", finish="STOP")))) as upstream:
        await (await proxy(upstream.url)).ask(f"//{CHAT[1:]}/", body(stream=True), headers)

        (seen,) = upstream.seen
        assert seen.target == f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"
        assert seen.headers["x-goog-api-key"] == "some-key"
        assert "traceparent" not in seen.headers
        assert {name.lower() for name in seen.headers} == {
            *("host", "content-type", "content-length", "accept-encoding"),
            "x-goog-api-key",
        }


async def test_a_file_that_was_uploaded_through_the_proxy_is_the_upstreams(
    proxy: StartProxy,
) -> None:
    async with replying(sse_reply(sse(chunk("a", finish="STOP")))) as upstream:
        running = await proxy(upstream.url, server={"public_url": "https://gem.example"})
        names = ("https://gem.example/v1beta/files/a", f"{upstream.url}/v1beta/files/b")
        parts = [{"type": "image_url", "image_url": {"url": name}} for name in names]
        messages = [{"role": "user", "content": parts}]

        answer = await running.ask(CHAT, body(messages=messages), BEARER)

        assert answer.status == 200
        sent = json.loads(upstream.seen[0].body)["contents"][0]["parts"]
        assert [part["fileData"]["fileUri"] for part in sent] == [
            f"{upstream.url}/v1beta/files/a",
            f"{upstream.url}/v1beta/files/b",
        ]


async def test_half_an_emoji_does_not_spoil_a_request(proxy: StartProxy) -> None:
    async with replying(sse_reply(sse(chunk("a", finish="STOP")))) as upstream:
        messages = [{"role": "user", "content": "boats \ud83d"}]

        await (await proxy(upstream.url)).ask(CHAT, body(messages=messages), BEARER)

        assert json.loads(upstream.seen[0].body)["contents"][0]["parts"] == [
            {"text": "boats \ufffd"}
        ]


async def test_a_tuned_model_is_asked_by_the_name_that_the_list_has(
    proxy: StartProxy, access_log: AccessLog
) -> None:
    async with replying(sse_reply(sse(chunk("a", finish="STOP")))) as upstream:
        answer = await (await proxy(upstream.url)).ask(CHAT, body(model="tunedModels/mine"), BEARER)

        assert json.loads(answer.body)["model"] == "tunedModels/mine"
        assert upstream.seen[0].target.startswith("/v1beta/tunedModels/mine:stream")
        assert (await access_log.line())["model"] == "mine"


async def test_an_oauth_token_stays_one(proxy: StartProxy) -> None:
    async with replying(sse_reply(sse(chunk("a", finish="STOP")))) as upstream:
        running = await proxy(upstream.url)
        await running.ask(CHAT, body(), {"Authorization": "Bearer ya29.token"})

        assert upstream.seen[0].headers["Authorization"] == "Bearer ya29.token"
        assert "x-goog-api-key" not in upstream.seen[0].headers


async def test_an_answer_in_json_is_read_as_the_stream(proxy: StartProxy) -> None:
    async with replying(json_reply(chunk("a", finish="STOP"))) as upstream:
        running = await proxy(upstream.url)
        streamed = await running.ask(CHAT, body(stream=True), BEARER)
        whole = await running.ask(CHAT, body(), BEARER)

        assert text(streamed) == "a"
        assert json.loads(whole.body)["choices"][0]["message"]["content"] == "a"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("document", [{"ok": True}, [1, 2], "a word"])
async def test_json_that_is_no_generation_is_an_error(
    proxy: StartProxy, document: object, stream: bool
) -> None:
    async with replying(json_reply(document)) as upstream:
        answer = await (await proxy(upstream.url)).ask(CHAT, body(stream=stream), BEARER)

        assert answer.status == 502
        assert error(answer)["type"] == "server_error"


@pytest.mark.parametrize(
    "sent",
    [b"", b"{", b"[]", b'{"a": NaN}', b'{"a": 1, "a": 2}', b"\xff", b"[" * 100_000],
)
async def test_a_body_that_is_no_clear_json_is_refused(proxy: StartProxy, sent: bytes) -> None:
    async with replying(DEAD) as upstream:
        answer = await (await proxy(upstream.url)).ask(CHAT, sent, BEARER)

        assert answer.status == 400
        told = error(answer)
        assert told["type"] == "invalid_request_error"
        assert told["request_id"] == answer.headers["X-Request-Id"]
        assert answer.headers["x-should-retry"] == "false"
        assert upstream.seen == []


async def test_a_field_that_cannot_be_used_is_named(proxy: StartProxy) -> None:
    async with replying(DEAD) as upstream:
        answer = await (await proxy(upstream.url)).ask(CHAT, body(messages=[]), BEARER)

        assert (answer.status, error(answer)["param"]) == (400, "messages")
        assert upstream.seen == []


async def test_a_body_beyond_the_cap_is_refused(proxy: StartProxy) -> None:
    async with replying(DEAD) as upstream:
        running = await proxy(upstream.url, server={"max_body_bytes": 100})
        answer = await running.ask(CHAT, body(user="u" * 100), BEARER)

        assert answer.status == 413
        assert error(answer)["type"] == "invalid_request_error"


async def test_a_compressed_body_is_refused(proxy: StartProxy) -> None:
    async with replying(DEAD) as upstream:
        running = await proxy(upstream.url)
        answer = await running.ask(CHAT, body(), {**BEARER, "Content-Encoding": "gzip"})

        assert answer.status == 415
        assert error(answer)["type"] == "invalid_request_error"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("status", "retried"), [(400, "false"), (403, "false"), (404, "false"), (429, "true")]
)
async def test_a_refusal_of_the_upstream_is_told_over(
    proxy: StartProxy, status: int, retried: str, stream: bool
) -> None:
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "36.5s"}
    async with replying(error_reply(status, retry)) as upstream:
        running = await proxy(upstream.url, **NONE)
        answer = await running.ask(CHAT, body(stream=stream), BEARER)

        assert answer.status == status
        told = error(answer)
        assert told["message"] == f"scripted {status}"
        assert told["request_id"] == answer.headers["X-Request-Id"]
        assert answer.headers["Retry-After"] == "37"
        assert answer.headers["x-should-retry"] == retried
        assert answer.headers["Content-Type"].startswith("application/json")


async def test_a_quota_of_a_day_is_not_asked_for_again(proxy: StartProxy) -> None:
    quota = {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}],
    }
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "36s"}
    async with replying(error_reply(429, quota, retry)) as upstream:
        answer = await (await proxy(upstream.url, **NONE)).ask(CHAT, body(), BEARER)

        assert (answer.status, error(answer)["code"]) == (429, "insufficient_quota")
        assert answer.headers["x-should-retry"] == "false"


async def test_a_retry_after_is_kept(proxy: StartProxy) -> None:
    refused = json_reply({"error": {"code": 429, "message": "m"}}, 429, "Retry-After: 7")
    async with replying(refused) as upstream:
        answer = await (await proxy(upstream.url, **NONE)).ask(CHAT, body(), BEARER)

        assert (answer.status, answer.headers["Retry-After"]) == (429, "7")


@pytest.mark.parametrize("refused", [Reply(b"HTTP/1.1 302 X\r\nContent-Length: 0\r\n\r\n")])
async def test_an_answer_that_is_neither_is_an_error(proxy: StartProxy, refused: Reply) -> None:
    async with replying(refused) as upstream:
        answer = await (await proxy(upstream.url, **NONE)).ask(CHAT, body(), BEARER)

        assert (answer.status, error(answer)["type"]) == (502, "server_error")


@pytest.mark.parametrize(("stream", "status"), [(True, 503), (False, 503)])
async def test_a_failure_has_its_status_while_nothing_went_out(
    proxy: StartProxy, stream: bool, status: int
) -> None:
    async with replying(DEAD) as upstream:
        answer = await (await proxy(upstream.url, **NONE)).ask(CHAT, body(stream=stream), BEARER)

        assert answer.status >= 500
        assert error(answer)["type"] == "server_error"


@pytest.mark.parametrize("closes", [True, False])
async def test_a_stream_that_breaks_ends_with_an_error_and_a_cut(
    proxy: StartProxy, access_log: AccessLog, closes: bool
) -> None:
    begun = sse_reply(sse(chunk("ab")), closes=closes)
    async with replying(begun, DEAD) as upstream:
        answer = await (await proxy(upstream.url, **NONE)).ask(CHAT, body(stream=True), BEARER)

        assert text(answer) == "ab"
        assert finishes(answer) == []
        assert {"message", "type", "code"} <= set(events(answer)[-1]["error"])
        assert b"[DONE]" not in answer.body
        assert answer.ending is not Ending.COMPLETE
        assert (await access_log.line())["ending"] == "failed"


@pytest.mark.parametrize("stream", [True, False])
async def test_an_end_that_openai_has_no_word_for_is_an_error(
    proxy: StartProxy, access_log: AccessLog, stream: bool
) -> None:
    ended = sse_reply(sse(chunk(finish="MALFORMED_FUNCTION_CALL")))
    async with replying(ended) as upstream:
        answer = await (await proxy(upstream.url, **NONE)).ask(CHAT, body(stream=stream), BEARER)

        assert answer.status >= 500
        assert error(answer)["code"] == "malformed_function_call"
        assert (await access_log.line())["ending"] == "failed"


async def test_an_end_without_a_word_behind_text_is_an_error_and_a_cut(proxy: StartProxy) -> None:
    ended = sse_reply(sse(chunk("ab"), chunk(finish="MALFORMED_FUNCTION_CALL")))
    async with replying(ended) as upstream:
        answer = await (await proxy(upstream.url, **NONE)).ask(CHAT, body(stream=True), BEARER)

        assert text(answer) == "ab"
        assert events(answer)[-1]["error"]["code"] == "malformed_function_call"
        assert finishes(answer) == []
        assert answer.ending is not Ending.COMPLETE


async def test_frames_that_say_nothing_do_not_end_the_stream(proxy: StartProxy) -> None:
    silent = {"usageMetadata": {"promptTokenCount": 3}}
    frames = sse_reply(sse(silent, silent, chunk("ab"), silent, chunk(finish="STOP")))
    async with replying(frames) as upstream:
        answer = await (await proxy(upstream.url)).ask(CHAT, body(stream=True), BEARER)

        assert (text(answer), finishes(answer)) == ("ab", ["stop"])
        assert answer.ending is Ending.COMPLETE


WARM: dict[str, Mapping[str, Any]] = {
    "client": {"headers_after_seconds": 0.01, "heartbeat_seconds": 0.01},
    "repair": {"max_consecutive_retries": 0},
}


async def test_a_silent_stream_is_kept_warm_by_comments(proxy: StartProxy) -> None:
    async with ChaosServer(Script(STORY, [parse_fault("stall@event:3")])) as server:
        running = await proxy(
            server,
            client=WARM["client"],
            upstream={"chunk_timeout_seconds": 0.2, "thinking_timeout_seconds": 0.2},
        )
        answer = await running.ask(CHAT, body(stream=True), BEARER)

        assert b": " in answer.body.replace(b"data: ", b"")
        assert text(answer) == STORY.text
        assert answer.ending is Ending.COMPLETE


async def test_a_client_that_waits_hears_white_space(proxy: StartProxy) -> None:
    async with ChaosServer(Script(STORY, [parse_fault("stall@event:3")])) as server:
        running = await proxy(
            server, client=WARM["client"], upstream={"chunk_timeout_seconds": 0.2}
        )
        answer = await running.ask(CHAT, body(), BEARER)

        assert answer.body.startswith(b"\n")
        assert json.loads(answer.body)["choices"][0]["message"]["content"] == STORY.text


@pytest.mark.parametrize("stream", [True, False])
async def test_a_failure_after_the_head_is_an_error_and_a_cut(
    proxy: StartProxy, stream: bool
) -> None:
    async with replying(SILENT) as upstream:
        running = await proxy(upstream.url, **WARM)
        headers = {**BEARER, "X-Server-Timeout": "0.3"}
        answer = await running.ask(CHAT, body(stream=stream), headers)

        assert (answer.status, answer.ending) == (200, Ending.FIN)
        said = events(answer)[-1] if stream else json.loads(answer.body)
        assert said["error"]["code"]


@pytest.mark.parametrize("stream", [True, False])
async def test_the_deadline_of_the_client_holds(proxy: StartProxy, stream: bool) -> None:
    async with replying(SILENT) as upstream:
        headers = {**BEARER, "X-Server-Timeout": "0.3"}
        answer = await (await proxy(upstream.url)).ask(CHAT, body(stream=stream), headers)

        assert answer.status == 504
        assert error(answer)["code"]


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_ends_all_attempts(
    proxy: StartProxy, stream: bool, n: int
) -> None:
    async with replying(SILENT) as upstream:
        running = await proxy(upstream.url)
        async with running.connect() as connection:
            await connection.send(CHAT, body(stream=stream, n=n), BEARER)
            await upstream.stalled.wait()

        await upstream.left.wait()


async def test_no_further_attempt_is_made_where_repair_is_off(proxy: StartProxy) -> None:
    async with replying(sse_reply(sse(chunk("ab")), closes=True)) as upstream:
        running = await proxy(upstream.url)
        headers = {**BEARER, "X-Gemproxy-Repair": "off"}
        answer = await running.ask(CHAT, body(stream=True), headers)

        assert answer.ending is not Ending.COMPLETE
        assert len(upstream.seen) == 1
        assert "X-Gemproxy-Repair" not in upstream.seen[0].headers


def numbered(name: str) -> Reply:
    usage = {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7}
    return sse_reply(sse({**chunk(name, finish="STOP"), "usageMetadata": usage}))


async def test_several_answers_are_one_document(proxy: StartProxy, access_log: AccessLog) -> None:
    async with replying(numbered("Alk"), numbered("Bora"), numbered("Cirrus")) as upstream:
        answer = await (await proxy(upstream.url)).ask(CHAT, body(n=3), BEARER)

        document = json.loads(answer.body)
        assert [choice["index"] for choice in document["choices"]] == [0, 1, 2]
        said = {choice["message"]["content"] for choice in document["choices"]}
        assert said == {"Alk", "Bora", "Cirrus"}
        assert {choice["finish_reason"] for choice in document["choices"]} == {"stop"}
        assert document["usage"]["prompt_tokens"] == 15
        assert document["usage"]["completion_tokens"] == 6
        assert document["usage"]["total_tokens"] == 21
        assert len(upstream.seen) == 3
        assert b"candidateCount" not in b"".join(seen.body for seen in upstream.seen)
        line = await access_log.line()
        assert (line["attempts"], line["ending"], line["tokens"]["total"]) == (3, "done", 21)


async def test_several_streams_are_one(proxy: StartProxy) -> None:
    asked = body(n=3, stream=True, stream_options={"include_usage": True})
    async with replying(numbered("Alk"), numbered("Bora"), numbered("Cirrus")) as upstream:
        answer = await (await proxy(upstream.url)).ask(CHAT, asked, BEARER)

        assert {text(answer, index) for index in range(3)} == {"Alk", "Bora", "Cirrus"}
        assert finishes(answer) == ["stop"] * 3
        assert len({event["id"] for event in events(answer)}) == 1
        usages = [event["usage"] for event in events(answer) if event.get("usage")]
        assert [usage["total_tokens"] for usage in usages] == [21]
        assert events(answer)[-1]["usage"] == usages[0]
        assert answer.body.endswith(b"data: [DONE]\n\n")
        assert answer.body.count(b"[DONE]") == 1
        assert answer.ending is Ending.COMPLETE


@pytest.mark.parametrize("stream", [True, False])
async def test_several_answers_are_resumed_each(proxy: StartProxy, stream: bool) -> None:
    """All ask the same, so for the fake they are the attempts of one conversation."""
    cut = sse_reply(sse(chunk("Once upon a time there was a boat. ")), closes=True)
    whole = sse_reply(sse(chunk("Once upon a time there was a boat. It sank.", finish="STOP")))
    async with replying(cut, cut, whole) as upstream:
        answer = await (await proxy(upstream.url)).ask(CHAT, body(n=2, stream=stream), BEARER)

        assert answer.status == 200
        assert answer.ending is Ending.COMPLETE
        assert len(upstream.seen) > 2


async def test_one_of_several_answers_that_fails_is_the_failure_of_all(
    proxy: StartProxy, access_log: AccessLog
) -> None:
    async with replying(numbered("Alk"), error_reply(500)) as upstream:
        answer = await (await proxy(upstream.url, **NONE)).ask(CHAT, body(n=3), BEARER)

        assert answer.status == 500
        assert error(answer)["message"] == "scripted 500"
        line = await access_log.line()
        assert line["ending"] == "failed"


async def test_one_of_several_streams_that_fails_is_the_failure_of_all(proxy: StartProxy) -> None:
    begun = sse_reply(sse(chunk("a")))
    async with replying(begun) as upstream:
        answer = await (await proxy(upstream.url, **NONE)).ask(CHAT, body(n=3, stream=True), BEARER)

        assert answer.ending is not Ending.COMPLETE
        assert [event for event in events(answer) if "error" in event] == [events(answer)[-1]]
        assert finishes(answer) == []
        assert b"[DONE]" not in answer.body


PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\nnot much of a picture").decode()


async def test_the_signature_of_a_drawn_picture_comes_back_with_the_picture(
    proxy: StartProxy,
) -> None:
    part = {
        "inlineData": {"mimeType": "image/png", "data": PICTURE},
        "thoughtSignature": "c2lnbmVk",
    }
    drawn = sse_reply(sse(chunk(parts=[part], finish="STOP")))
    model = "gemini-3-pro-image"
    async with replying(drawn) as upstream:
        running = await proxy(upstream.url)
        first = await running.ask(CHAT, body(model=model), BEARER)
        message = json.loads(first.body)["choices"][0]["message"]
        url = message["images"][0]["image_url"]["url"]
        history = [
            {"role": "user", "content": "draw"},
            {"role": "assistant", "content": [{"type": "image_url", "image_url": {"url": url}}]},
            {"role": "user", "content": "larger"},
        ]
        await running.ask(CHAT, body(model=model, messages=history), BEARER)
        await running.ask(CHAT, body(model=model, messages=history), {"x-goog-api-key": "other"})

        assert b"c2lnbmVk" in upstream.seen[1].body
        assert b"c2lnbmVk" not in upstream.seen[2].body


async def test_the_operator_s_settings_hold(proxy: StartProxy, access_log: AccessLog) -> None:
    async with replying(numbered("a")) as upstream:
        running = await proxy(
            upstream.url,
            openai={"aliases": {"gpt-4o": "gemini-3.5-flash"}},
            injection={"enabled": True, "content": "Be brief.", "allow_opt_out": True},
        )
        told = await running.ask(CHAT, body(model="gpt-4o"), BEARER)
        assert (await access_log.line())["injected"]
        await running.ask(CHAT, body(), {**BEARER, "X-Gemproxy-Injection": "off"})

        assert json.loads(told.body)["model"] == "gpt-4o"
        assert "/models/gemini-3.5-flash:" in upstream.seen[0].target
        assert b"Be brief." in upstream.seen[0].body
        assert b"Be brief." not in upstream.seen[1].body
        assert "injected" not in await access_log.line()


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_shutdown_is_told(proxy: StartProxy, stream: bool, n: int) -> None:
    begun = Reply(sse_reply(sse(chunk("ab"))).raw[:-5], stalls=True)
    async with replying(begun) as upstream:
        running = await proxy(upstream.url, client=WARM["client"])
        async with running.connect() as connection:
            await connection.send(CHAT, body(stream=stream, n=n), BEARER)
            await upstream.stalled.wait()
            head = await connection.until(b"ab" if stream else b"\r\n\r\n")
            await running.app[IN_FLIGHT].drain(0)
            running.app[IN_FLIGHT].expired = False
            said = head + await connection.rest()

        assert b"shutting down" in said
        assert b"[DONE]" not in said


async def test_several_answers_that_fail_at_once_may_be_asked_for_again(proxy: StartProxy) -> None:
    async with replying(error_reply(503)) as upstream:
        answer = await (await proxy(upstream.url, **NONE)).ask(CHAT, body(n=3), BEARER)

        assert (answer.status, answer.headers["x-should-retry"]) == (503, "true")
