"""The requests behind each picture, over real sockets, for all routes that draw."""

import asyncio
import base64
import json

import pytest

from gemproxy.routes.parts import ROOM
from tests.drawing import drawn
from tests.images.samples import JPEG, PNG
from tests.replies import DEAD, SILENT, Reply, cut, error_reply, replying
from tests.running import PATIENCE, Proxy, StartProxy
from tests.sockets import END, chunk
from tests.wire import Answer, Ending

BEARER = {"Authorization": "Bearer some-key"}
RELAY = "/generate"
ROUTES = pytest.mark.parametrize("route", ["/v1/images/generations", RELAY])


async def ask(served: Proxy, route: str) -> Answer:
    return await served.ask(route, json.dumps({"prompt": "a kelp"}).encode(), BEARER)


@ROUTES
async def test_a_picture_is_asked_for_again_while_nothing_came(
    proxy: StartProxy, route: str
) -> None:
    async with replying(DEAD, error_reply(503), drawn()) as upstream:
        answer = await ask(await proxy(upstream.url), route)

    assert answer.status == 200
    assert len(upstream.seen) == 3


@ROUTES
async def test_a_picture_that_is_late_has_failed(proxy: StartProxy, route: str) -> None:
    async with replying(SILENT) as upstream:
        answer = await ask(await proxy(upstream.url, images={"timeout_seconds": 0.01}), route)

    assert answer.status == 504
    assert "0.01 seconds" in json.loads(answer.body)["error"]["message"]


@ROUTES
async def test_a_client_that_leaves_ends_its_requests(proxy: StartProxy, route: str) -> None:
    async with replying(SILENT) as upstream:
        served = await proxy(upstream.url)
        asking = asyncio.create_task(ask(served, route))
        await upstream.stalled.wait()
        asking.cancel()
        await upstream.left.wait()

    assert len(upstream.seen) == 1


LARGE = PNG + bytes(300_000)
"""A picture that is read when there is room."""
LITTLE = {"max_memory_bytes": 1}
"""Room for one call at a time, so the replies go to the pictures in their order."""


async def several(served: Proxy, n: int) -> Answer:
    return await served.ask(RELAY, many(n), BEARER)


def many(n: int) -> bytes:
    return json.dumps({"prompt": "a kelp", "number_of_images": n}).encode()


def pictures_of(answer: Answer) -> list[bytes]:
    return [base64.b64decode(one["data"]) for one in json.loads(answer.body)["images"]]


def is_empty(served: Proxy) -> bool:
    room = served.app[ROOM]
    return room.calls == room.answers == 0


async def test_the_client_has_a_picture_while_the_next_one_is_drawn(proxy: StartProxy) -> None:
    async with replying(drawn(LARGE), SILENT) as upstream:
        served = await proxy(upstream.url, images=LITTLE)
        async with served.connect() as client:
            await client.send(RELAY, many(2), BEARER)
            status, headers = await client.head()
            begun = b""
            while len(begun) < len(base64.b64encode(LARGE)):
                begun += await client.chunk()
            await upstream.stalled.wait()
        await upstream.left.wait()

    assert (status, "Content-Length" in headers) == (200, False)
    assert begun.startswith(b'{"images":[{"mime_type":"image/png","data":"')


async def test_what_fails_behind_a_picture_is_told_at_the_end(proxy: StartProxy) -> None:
    async with replying(drawn(), error_reply(400), drawn(JPEG)) as upstream:
        answer = await several(await proxy(upstream.url, images=LITTLE), 3)

    assert answer.ending is Ending.COMPLETE
    assert pictures_of(answer) == [PNG, JPEG]
    assert json.loads(answer.body)["failed"] == [{"index": 1, "error": "scripted 400"}]


async def test_the_first_picture_may_fail(proxy: StartProxy) -> None:
    async with replying(error_reply(400), drawn(LARGE)) as upstream:
        answer = await several(await proxy(upstream.url, images=LITTLE), 2)

    assert pictures_of(answer) == [LARGE]
    assert [failed["index"] for failed in json.loads(answer.body)["failed"]] == [0]


async def test_pictures_that_are_larger_than_the_room_come_one_by_one(proxy: StartProxy) -> None:
    async with replying(drawn(LARGE)) as upstream:
        served = await proxy(upstream.url, images=LITTLE)
        answers = await asyncio.gather(*(several(served, 3) for _ in range(3)))

    assert all(pictures_of(answer) == [LARGE] * 3 for answer in answers)
    assert is_empty(served)


@pytest.mark.parametrize("sized", [True, False])
async def test_a_large_answer_is_whole_whether_it_says_its_length_or_not(
    proxy: StartProxy, sized: bool
) -> None:
    whole = drawn(LARGE)
    head, _, body = whole.raw.partition(b"\r\n\r\n")
    chunks = (
        b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    reply = whole if sized else Reply(chunks + chunk(body) + END)
    assert head
    async with replying(cut(whole), reply) as upstream:
        served = await proxy(upstream.url)
        answer = await several(served, 1)

    assert pictures_of(answer) == [LARGE]
    assert "Content-Length" in answer.headers  # one alone is known when it begins
    assert is_empty(served)


async def test_a_client_that_does_not_read_holds_two_pictures_and_up_nobody(
    proxy: StartProxy,
) -> None:
    large = PNG + bytes(2_000_000)
    async with replying(drawn(large)) as upstream:
        served = await proxy(upstream.url)
        async with served.connect(receive_buffer=1 << 12) as lazy:
            await lazy.send(RELAY, many(6), BEARER)
            await lazy.head()
            answer = await several(served, 6)
            held = served.app[ROOM].answers

        async with asyncio.timeout(PATIENCE):
            while not is_empty(served):  # noqa: ASYNC110 (nobody announces the end of a handler)
                await asyncio.sleep(0.005)

    assert pictures_of(answer) == [large] * 6
    assert 0 < held < 3 * len(large) * 4 / 3


async def test_the_time_of_a_picture_stands_still_while_it_waits_for_room(
    proxy: StartProxy,
) -> None:
    async with replying(drawn(LARGE)) as upstream:
        served = await proxy(upstream.url, images={"timeout_seconds": 0.5})
        held = await served.app[ROOM].answer(1 << 30)
        asking = asyncio.create_task(several(served, 1))
        await asyncio.wait([asking], timeout=1.0)
        held.release()
        answer = await asking

    assert pictures_of(answer) == [LARGE]
