"""The operator's additions to native requests and to those of OpenAI's clients, over sockets."""

import asyncio
import gzip
import json
from collections.abc import Mapping
from typing import Any

import pytest

from gemproxy.chaos.faults import parse_fault
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.shaping.thinking import Thinking
from tests.gemini import BODY, REQUEST, chunk, sse
from tests.replies import Reply, error_reply, json_reply, replying, sse_reply
from tests.running import AccessLog, StartProxy
from tests.wire import KEY, STREAM, text_of_documents

MODEL = "/v1beta/models/gemini-2.5-pro"
GENERATE = f"{MODEL}:generateContent"
STREAMED = f"{MODEL}:streamGenerateContent?alt=sse"
HI = chunk("Hi", finish="STOP", usage=(3, 2))
PROMPT = {"text": "Be brief."}
INJECTED = {**REQUEST, "systemInstruction": {"parts": [PROMPT]}}
Sections = dict[str, Mapping[str, Any]]

ON: Sections = {"injection": {"enabled": True, "content": "Be brief."}}
DEFAULTS: Sections = {"thinking": {"budget": 1024, "native": True}}
THOUGHT = {**REQUEST, "generationConfig": {"thinkingConfig": {"thinkingBudget": 1024}}}
OFF = {"X-Gemproxy-Injection": "off"}
CONTENT = [
    (GENERATE, json_reply(HI)),
    ("/v1beta/tunedModels/mine:generateContent", json_reply(HI)),
    ("/v1/projects/p/locations/l/publishers/google/models/g:generateContent", json_reply(HI)),
    (f"{MODEL}%3AgenerateContent", json_reply(HI)),
    (f"{GENERATE}?fields=candidates", json_reply(HI)),
    (STREAMED, sse_reply(sse(HI))),
    (f"{MODEL}:streamGenerateContent", json_reply([HI])),
    (f"{STREAMED}&fields=candidates.content", sse_reply(sse(HI))),
    (f"{STREAMED}&$alt=media", sse_reply(sse(HI))),
]
EACH = pytest.mark.parametrize(("target", "given"), CONTENT)
OTHERS = [
    f"{MODEL}:countTokens",
    f"{MODEL}:embedContent",
    f"{MODEL}:batchGenerateContent",
    "/v1beta/cachedContents",
    "/v1beta/interactions",
    "/v1beta/openai/chat/completions",
]


async def sent(
    proxy: StartProxy,
    target: str = GENERATE,
    given: Reply | None = None,
    body: bytes = BODY,
    headers: Mapping[str, str] | None = None,
    sections: Sections | None = None,
) -> bytes:
    """Return the body that the upstream gets for one request."""
    async with replying(given or json_reply(HI)) as upstream:
        running = await proxy(upstream.url, **(sections or {}))
        answer = await running.ask(target, body, {**KEY, **(headers or {})})

        assert answer.status == 200
        (seen,) = upstream.seen
        assert not any(name.lower().startswith("x-gemproxy") for name in seen.headers)
        return seen.body


@EACH
@pytest.mark.parametrize("headers", [{}, OFF, {"X-Gemproxy-Repair": "off"}])
async def test_without_settings_bodies_are_the_clients(
    proxy: StartProxy, target: str, given: Reply, headers: Mapping[str, str]
) -> None:
    odd = b' {"contents" : [ {"parts":[{"text":"\\u00fc"}]} ],\r\n "a":1.0, "a":1e3 }\n'

    assert await sent(proxy, target, given, odd, headers) == odd
    only_chat: Sections = {"thinking": {"budget": 1024}}
    assert await sent(proxy, target, given, odd, headers, only_chat) == odd


@EACH
@pytest.mark.parametrize("headers", [{}, OFF, {"X-Gemproxy-Repair": "off"}])
async def test_the_prompt_is_in_every_request_for_content(
    proxy: StartProxy, target: str, given: Reply, headers: Mapping[str, str]
) -> None:
    assert json.loads(await sent(proxy, target, given, headers=headers, sections=ON)) == INJECTED


@EACH
async def test_the_default_for_thinking_is_in_requests_that_say_nothing(
    proxy: StartProxy, target: str, given: Reply
) -> None:
    body = json.loads(await sent(proxy, target, given, sections=DEFAULTS))

    if "gemini-2.5-pro" in target:
        assert body == THOUGHT
    else:
        assert body["generationConfig"]["thinkingConfig"] == {"thinkingBudget": 1024}


@pytest.mark.parametrize("target", [GENERATE, STREAMED])
async def test_a_request_that_says_something_keeps_its_bytes(
    proxy: StartProxy, target: str
) -> None:
    own = b'{"contents":[], "generation_config": {"thinking_config":{"thinking_budget" : 5}}}'
    given = sse_reply(sse(HI)) if target == STREAMED else json_reply(HI)

    assert await sent(proxy, target, given, own, sections=DEFAULTS) == own


@pytest.mark.parametrize("target", OTHERS)
async def test_other_requests_are_the_clients(proxy: StartProxy, target: str) -> None:
    assert await sent(proxy, target, sections=ON | DEFAULTS) == BODY


async def test_a_client_opts_out_where_it_may(proxy: StartProxy) -> None:
    may: Sections = {"injection": {**ON["injection"], "allow_opt_out": True}}

    assert await sent(proxy, headers=OFF, sections=may) == BODY
    assert json.loads(await sent(proxy, sections=may)) == INJECTED


@pytest.mark.parametrize("position", ["user_prefix", "user_suffix"])
async def test_positions(proxy: StartProxy, position: str) -> None:
    on: Sections = {"injection": {**ON["injection"], "position": position}}
    (said,) = REQUEST["contents"][0]["parts"]

    body = json.loads(await sent(proxy, sections=on))

    right = [PROMPT, said] if position == "user_prefix" else [said, PROMPT]
    assert body == {"contents": [{"role": "user", "parts": right}]}


@pytest.mark.parametrize("target", [GENERATE, STREAMED])
async def test_googles_error_for_what_is_no_request(proxy: StartProxy, target: str) -> None:
    async with replying(error_reply(400)) as upstream:
        running = await proxy(upstream.url, **ON, **DEFAULTS)
        answer = await running.ask(target, b'{"contents": [', KEY)

        assert answer.status == 400
        assert b"scripted 400" in answer.body
        assert upstream.seen[0].body == b'{"contents": ['


@pytest.mark.parametrize("target", [GENERATE, STREAMED, f"{GENERATE}?$alt=media"])
async def test_a_compressed_body_cannot_hide_from_the_prompt(
    proxy: StartProxy, target: str
) -> None:
    async with replying(json_reply(HI)) as upstream:
        running = await proxy(upstream.url, **ON)
        headers = {**KEY, "Content-Encoding": "gzip"}
        answer = await running.ask(target, gzip.compress(BODY), headers)

        assert answer.status == 415
        assert not upstream.seen


async def test_a_resumed_stream_has_the_prompt_once(proxy: StartProxy) -> None:
    story = BUILT_IN["story"]
    async with ChaosServer(
        Script(story, [parse_fault("rst@event:3"), parse_fault("rst@event:5")])
    ) as fake:
        running = await proxy(fake, **ON, **DEFAULTS)
        answer = await running.ask(STREAM, BODY, KEY)

        bodies = [request.body for request in fake.requests]
        assert len(bodies) == 3
        assert all(body.count(b"Be brief.") == 1 for body in bodies)
        assert text_of_documents(answer.documents) == "".join(story.text)


@pytest.mark.parametrize("via_stream", [False, True])
async def test_a_repeated_call_has_the_prompt_once(proxy: StartProxy, *, via_stream: bool) -> None:
    repair = {"repair": {"unary_via_stream": via_stream}}
    well = sse_reply(sse(HI)) if via_stream else json_reply(HI)
    async with replying(error_reply(503), well) as upstream:
        running = await proxy(upstream.url, **ON, **repair)
        answer = await running.ask(GENERATE, BODY, KEY)

        assert answer.status == 200
        assert [json.loads(seen.body) for seen in upstream.seen] == [INJECTED, INJECTED]


@pytest.mark.parametrize("target", [GENERATE, STREAMED])
async def test_the_line_says_so_without_the_prompt(
    proxy: StartProxy, access_log: AccessLog, target: str
) -> None:
    given = sse_reply(sse(HI)) if target == STREAMED else json_reply(HI)
    for sections, injected in ((ON, True), (DEFAULTS, None)):
        await sent(proxy, target, given, sections=sections)
        line = await asyncio.wait_for(access_log.line(), 5)

        assert line.get("injected") is injected
        assert "Be brief." not in str(line)


CHAT = "/v1/chat/completions"
PROMPTED: Sections = {"injection": {"enabled": True, "content": "Be brief.", "allow_opt_out": True}}


def chat(**fields: Any) -> bytes:
    asked = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hi."}]}
    return json.dumps({**asked, **fields}).encode()


async def chatted(
    proxy: StartProxy, asked: bytes, sections: Sections | None = None, **headers: str
) -> tuple[str, dict[str, Any]]:
    """Return the upstream's path and body for one chat request."""
    async with replying(sse_reply(sse(HI))) as upstream:
        running = await proxy(upstream.url, **(sections or {}))
        answer = await running.ask(CHAT, asked, KEY | headers)

        assert answer.status == 200
        (seen,) = upstream.seen
        assert not any(name.lower().startswith("x-gemproxy") for name in seen.headers)
        document: dict[str, Any] = json.loads(seen.body)
        return seen.target.partition("?")[0], document


@pytest.mark.parametrize("stream", [False, True])
async def test_the_defaults_for_thinking_are_in_chat_requests(
    proxy: StartProxy, *, stream: bool
) -> None:
    defaults: Sections = {
        "thinking": {"budget": 1024, "models": {"gemini-2.5-pro": Thinking(level="HIGH")}}
    }
    own = {"thinking_config": {"thinking_budget": 7}}

    async def thinking(**fields: Any) -> object:
        _, document = await chatted(proxy, chat(stream=stream, **fields), defaults)
        return document["generationConfig"]["thinkingConfig"]

    assert await thinking() == {"thinkingBudget": 1024}
    assert await thinking(model="gemini-2.5-pro") == {"thinkingBudget": 24576}
    assert await thinking(model="gemini-3.5-flash") == {"thinkingLevel": "LOW"}
    assert await thinking(extra_body={"google": own}) == {"thinkingBudget": 7}


async def test_suffixes_of_models_where_they_are_taken(proxy: StartProxy) -> None:
    asked = chat(model="gemini-2.5-flash-search-nothinking")
    path, document = await chatted(proxy, asked, {"openai": {"model_suffixes": True}})

    assert path == "/v1beta/models/gemini-2.5-flash:streamGenerateContent"
    assert document["generationConfig"]["thinkingConfig"] == {"thinkingBudget": 0}
    assert document["tools"] == [{"googleSearch": {}}]
    path, document = await chatted(proxy, asked)
    assert path == "/v1beta/models/gemini-2.5-flash-search-nothinking:streamGenerateContent"
    assert "tools" not in document


@pytest.mark.parametrize("position", ["system", "user_prefix", "user_suffix"])
async def test_the_operators_prompt_is_in_chat_requests(
    proxy: StartProxy, access_log: AccessLog, position: str
) -> None:
    sections: Sections = {"injection": {**PROMPTED["injection"], "position": position}}

    _, document = await chatted(proxy, chat(), sections)
    assert (await access_log.line())["injected"] is True
    assert json.dumps(document).count("Be brief.") == 1
    assert ("systemInstruction" in document) is (position == "system")
    _, without = await chatted(proxy, chat(), sections, **{"X-Gemproxy-Injection": "off"})
    assert "injected" not in await access_log.line()
    assert "Be brief." not in json.dumps(without)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_resumed_chat_has_the_prompt_once(proxy: StartProxy, *, stream: bool) -> None:
    faults = [parse_fault("rst@event:3"), parse_fault("rst@event:5")]
    async with ChaosServer(Script(BUILT_IN["story"], faults)) as server:
        running = await proxy(server, **PROMPTED)
        await running.ask(CHAT, chat(stream=stream), KEY)

        assert [one.body.count(b"Be brief.") for one in server.requests] == [1, 1, 1]
