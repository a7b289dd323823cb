"""The stream that breaks on purpose: who gets it, and how it ends."""

import json
import time

import pytest

from gemproxy.access.selftest import HEADER, proof
from gemproxy.routes.selftest import EVENTS, LAST_WORDS
from tests.running import StartProxy
from tests.wire import Ending

PATH = "/selftest/stream"
SECRET = "gp-admin-7Kq2mXv9TzRw4Lp8"
NOWHERE = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("secret", "headers", "words"),
    [
        ("", {}, "needs admin.secret"),
        ("", {HEADER: proof("", 0.0)}, "needs admin.secret"),
        (SECRET, {}, "same admin.secret"),
        (SECRET, {HEADER: SECRET}, "same admin.secret"),
        (SECRET, {"Authorization": f"Bearer {SECRET}"}, "same admin.secret"),
    ],
)
async def test_nobody_else_gets_it(
    proxy: StartProxy, secret: str, headers: dict[str, str], words: str
) -> None:
    running = await proxy(NOWHERE, admin={"secret": secret})
    answer = await running.ask(PATH, b"", headers, "GET")

    assert answer.status == 403
    assert words in json.loads(answer.body)["error"]["message"]


async def test_it_ends_as_a_stream_that_cannot_be_repaired(proxy: StartProxy) -> None:
    running = await proxy(NOWHERE, admin={"secret": SECRET})
    answer = await running.ask(PATH, b"", {HEADER: proof(SECRET, time.time())}, "GET")

    assert answer.status == 200
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert answer.body.count(b'"selftest"') == EVENTS
    assert answer.body.endswith(LAST_WORDS)
    assert answer.ending is Ending.FIN
