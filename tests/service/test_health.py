"""The question whether the proxy lives, as a container asks it."""

import asyncio

import pytest

from gemproxy.service.health import Address, ask
from tests.replies import json_reply, replying


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", ""])
@pytest.mark.parametrize(("status", "words"), [(200, ""), (503, "/healthz answers 503")])
async def test_the_answer_decides(host: str, status: int, words: str) -> None:
    async with replying(json_reply({}, status)) as upstream:
        port = int(upstream.url.rstrip("/").rpartition(":")[2])
        said = await asyncio.to_thread(ask, Address(host, port))

    assert said == words
    assert [one.target for one in upstream.seen] == ["/healthz"]


def test_nobody_at_the_port_is_told() -> None:
    assert "nothing answers at 127.0.0.1, port 1" in ask(Address("127.0.0.1", 1), 1.0)
