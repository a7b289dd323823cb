"""Server-Timing: who gets it, and what it says."""

import re

import pytest
from multidict import CIMultiDict

from gemproxy.web.timing import Mode, is_wanted
from tests.gemini import BODY, chunk, sse
from tests.replies import json_reply, replying, sse_reply
from tests.running import StartProxy

ASKING = {"x-goog-api-key": "k", "X-Gemproxy-Server-Timing": "1"}
UNARY = "/v1beta/models/gemini-x:generateContent"


def named(header: str) -> list[str]:
    return re.findall(r"(gp_\w+);dur=\d+\.\d", header)


@pytest.mark.parametrize(
    ("mode", "asked", "wanted"),
    [
        ("off", "1", False),
        ("on", None, True),
        ("ask", None, False),
        ("ask", "1", True),
        ("ask", "TRUE ", True),
        ("ask", "0", False),
        ("ask", "", False),
    ],
)
def test_who_gets_it(mode: Mode, asked: str | None, wanted: bool) -> None:
    headers = CIMultiDict({} if asked is None else {"X-Gemproxy-Server-Timing": asked})

    assert is_wanted(mode, headers) is wanted


async def test_an_answer_tells_what_it_knows(proxy: StartProxy) -> None:
    async with replying(
        json_reply(chunk("a", finish="STOP"), 200, "Server-Timing: gfet4t7; dur=5"),
        sse_reply(sse(chunk("a", finish="STOP"))),
    ) as upstream:
        here = await proxy(upstream.url)
        unary = await here.ask(UNARY, BODY, ASKING)
        stream = await here.ask(headers=ASKING)

        told = ["gp_auth", "gp_queue", "gp_upstream_ttfb", "gp_total"]
        values = unary.headers.getall("Server-Timing")
        assert values[0] == "gfet4t7; dur=5"
        assert named(values[1]) == told
        assert named(stream.headers["Server-Timing"]) == told
        assert all("x-gemproxy-server-timing" not in seen.headers for seen in upstream.seen)


async def test_a_refusal_knows_less(proxy: StartProxy) -> None:
    access = {"keys": {"ann": "aV9dKq2XwT7mRz4LpB8s"}}
    pool = {"mode": "pool", "keys": ()}
    async with replying() as upstream:
        here = await proxy(upstream.url, access=access, pool={**pool, "mode": ""})
        answer = await here.ask("/v1beta/../x", BODY, ASKING)

        assert answer.status >= 400
        assert named(answer.headers["Server-Timing"])[-1] == "gp_total"


async def test_nobody_gets_it_unasked_or_where_it_is_off(proxy: StartProxy) -> None:
    reply = json_reply(chunk("a", finish="STOP"))
    async with replying(reply, reply) as upstream:
        unasked = await (await proxy(upstream.url)).ask(UNARY, BODY)
        off = await (await proxy(upstream.url, server={"server_timing": "off"})).ask(
            UNARY, BODY, ASKING
        )

        assert "Server-Timing" not in unasked.headers
        assert "Server-Timing" not in off.headers
