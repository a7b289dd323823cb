"""What answers name belongs to the access key that asked, through every kind of route."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from gemproxy.owners.naming import TOKENS, hashed
from gemproxy.routes.parts import POOLED
from tests.gemini import chunk, sse
from tests.replies import Reply, json_reply, reply, replying, sse_reply
from tests.running import running
from tests.sockets import CHUNKED, END, Reader, Writer, head, scripted
from tests.sockets import chunk as framed

ANN, BOB = "gp-8f3a61c0d95e47b2a7c4f019", "gp-2b7e94d1f06c48a3b5d8e362"
KEYS = {"P": ["AIza-of-the-first"], "Q": ["AIza-of-the-second"], "R": ["AIza-of-the-third"]}
MODEL = "/v1beta/models/m"
HELLO = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
TOKEN = hashed(TOKENS, "T")
STREAMED = CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Type: text/event-stream\r\n\r\n")
PADDING = "x" * 200_000
"""Longer than what the upstream brings in one read."""


def answer(**more: Any) -> dict[str, Any]:
    said = {"content": {"parts": [{"text": "Yes."}], "role": "model"}, "finishReason": "STOP"}
    return {"candidates": [{**said, **more}]}


def events(*events: Mapping[str, Any]) -> Reply:
    return sse_reply(b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in events))


@pytest.mark.parametrize(
    ("method", "target", "document", "answered", "names"),
    [
        (
            "POST",
            "/upload/v1beta/files",
            b"content",
            json_reply({"file": {"name": "files/a"}}),
            {"files/a"},
        ),
        (
            "POST",
            "/v1beta/cachedContents",
            HELLO,
            json_reply({"padding": PADDING, "name": "cachedContents/c"}),
            {"cachedContents/c"},
        ),
        (
            "POST",
            f"{MODEL}:batchGenerateContent",
            {"batch": {}},
            json_reply({"name": "batches/b", "response": {"responsesFile": "files/out"}}),
            {"batches/b", "files/out"},
        ),
        (
            "POST",
            f"{MODEL}:predictLongRunning",
            {"instances": []},
            json_reply({"name": "models/m/operations/o"}),
            {"models/m/operations/o"},
        ),
        (
            "POST",
            "/v1beta/openai/files",
            b"--x",
            json_reply({"id": "files/a", "object": "file"}),
            {"files/a"},
        ),
        (
            "POST",
            "/v1beta/openai/videos",
            {"prompt": "A cat."},
            json_reply({"id": "v", "object": "video"}),
            {"videos/v"},
        ),
        (
            "POST",
            "/v1beta/interactions",
            {"input": "Hello"},
            json_reply({"id": "i", "continuation_token": "T"}),
            {"interactions/i", TOKEN},
        ),
        (
            "POST",
            "/v1beta/interactions",
            {"input": "Hello", "stream": True},
            events(
                {"event_type": "interaction.created", "interaction": {"id": "i"}},
                {"event_type": "interaction.status_update", "continuation_token": "T"},
                {"event_type": "interaction.completed", "interaction": {"id": "i"}},
            ),
            {"interactions/i", TOKEN},
        ),
        (
            "POST",
            f"{MODEL}:generateContent",
            HELLO,
            json_reply(answer(continuationToken="T")),
            {TOKEN},
        ),
        (
            "POST",
            f"{MODEL}:streamGenerateContent?alt=sse",
            HELLO,
            sse_reply(sse(chunk("Y")) + sse(answer(continuationToken="T"))),
            {TOKEN},
        ),
        (
            "POST",
            f"{MODEL}:streamGenerateContent",
            HELLO,
            reply(json.dumps([answer(continuationToken="T")], indent=2).encode()),
            {TOKEN},
        ),
        ("POST", "/v1beta/agents", {"id": "a"}, json_reply({"id": "a"}), {"agents/a"}),
    ],
)
async def test_what_an_answer_names_belongs_to_who_asked(
    no_leaked_tasks: None,
    method: str,
    target: str,
    document: Any,
    answered: Reply,
    names: set[str],
) -> None:
    del no_leaked_tasks
    pool, people = {"projects": KEYS, "mode": "pool"}, {"keys": {"ann": ANN, "bob": BOB}}
    kind = "application/json"
    if isinstance(document, bytes):
        kind = "multipart/form-data; boundary=x" if "openai" in target else "text/plain"
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    async with (
        replying(answered) as upstream,
        running(upstream.url, pool=pool, access=people) as proxy,
    ):
        headers = {"x-goog-api-key": ANN, "Content-Type": kind}
        got = await proxy.ask(target, body, headers, method)

        assert got.status == 200, got.body
        sent = upstream.seen[0].headers
        key = sent.get("x-goog-api-key") or sent["Authorization"].split()[1]
        found = await proxy.app[POOLED].binding.registry.find(names)
        assert {*found} == names
        assert {owner.caller for owner in found.values()} == {"ann"}
        assert {tuple(KEYS[owner.project]) for owner in found.values()} == {(key,)}


async def test_a_token_late_in_a_stream_is_recorded_before_its_client_has_it(
    no_leaked_tasks: None,
) -> None:
    """Late events are read in callbacks, where no task is current."""
    del no_leaked_tasks
    pool, people = {"projects": KEYS, "mode": "pool"}, {"keys": {"ann": ANN, "bob": BOB}}
    go_on = asyncio.Event()

    async def script(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(STREAMED)
        checkpoint = chunk("c")
        checkpoint["candidates"][0]["continuationToken"] = "T"
        for event in (chunk("a"), chunk("b"), checkpoint, answer()):
            writer.write(framed(sse(event)))
            await writer.drain()
            await go_on.wait()
            go_on.clear()
        writer.write(END)

    async with (
        scripted(script) as url,
        running(str(url).rstrip("/"), pool=pool, access=people) as proxy,
        proxy.connect() as connection,
    ):
        registry = proxy.app[POOLED].binding.registry
        target = f"{MODEL}:streamGenerateContent?alt=sse"
        headers = {"x-goog-api-key": ANN, "Content-Type": "application/json"}
        await connection.send(target, json.dumps(HELLO).encode(), headers)
        await connection.until(b'"a"')
        go_on.set()
        await connection.until(b'"b"')
        assert await registry.find([TOKEN]) == {}
        go_on.set()
        await connection.until(b'"T"')
        assert {owner.caller for owner in (await registry.find([TOKEN])).values()} == {"ann"}
        go_on.set()
        await connection.until(b"STOP")
        go_on.set()
        await connection.until(b"0\r\n\r\n")
