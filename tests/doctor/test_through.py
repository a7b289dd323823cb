"""What a reverse proxy does to a stream, as the self-test finds it."""

import json
from collections.abc import Sequence

import pytest
from yarl import URL

from gemproxy.doctor.through import Arrival, arrive, judge
from tests.doctor.fronts import front
from tests.running import StartProxy

SECRET = "gp-admin-7Kq2mXv9TzRw4Lp8"


def arrival(
    times: Sequence[float], *, broken: bool, version: str = "HTTP/1.1", error: bool = True
) -> Arrival:
    pieces = [
        (at, b"data: %b\r\n\r\n" % json.dumps({"selftest": number, "version": version}).encode())
        for number, at in enumerate(times)
    ]
    if error:
        pieces.append((times[-1], b'data: {"error": "x"}\r\n\r\n'))
    return Arrival(200, pieces, broken=broken)


LIVELY = (0.0, 0.3, 0.6, 0.9)


@pytest.mark.parametrize(
    ("come", "statuses", "words"),
    [
        (arrival(LIVELY, broken=True), ["ok"], "one by one"),
        (arrival((0.9, 0.9, 0.9, 0.9), broken=True), ["fault"], "holds events back"),
        (arrival(LIVELY, broken=False), ["fault"], "hides broken endings"),
        (arrival((0.9,) * 4, broken=False), ["fault", "fault"], "holds events back"),
        (arrival((0.0,), broken=True), ["fault"], "of 4 events of a broken stream 1 arrive"),
        (arrival(LIVELY, broken=True, version="HTTP/1.0"), ["warning"], "speaks HTTP/1.0"),
        (arrival(LIVELY, broken=True, error=False), ["warning"], "the error in front"),
        (Arrival(403), ["skipped"], "refuses the self-test"),
        (Arrival(404), ["fault"], "status 404"),
        (None, ["fault"], "answers nothing"),
    ],
)
def test_what_an_arrival_says(come: Arrival | None, statuses: list[str], words: str) -> None:
    verdicts = judge(come)

    assert [one.status for one in verdicts] == statuses
    assert words in verdicts[0].message


@pytest.mark.parametrize(
    ("holds", "completes", "version", "words"),
    [
        (False, False, "1.1", ["one by one"]),
        (True, False, "1.1", ["holds events back"]),
        (False, True, "1.1", ["hides broken endings"]),
        (True, True, "1.1", ["holds events back", "hides broken endings"]),
        (False, False, "1.0", ["hides broken endings", "speaks HTTP/1.0"]),
    ],
)
async def test_what_a_reverse_proxy_does_is_found(
    proxy: StartProxy, *, holds: bool, completes: bool, version: str, words: list[str]
) -> None:
    running = await proxy("http://127.0.0.1:9", admin={"secret": SECRET})
    async with front(running.url, holds=holds, completes=completes, version=version) as url:
        found = judge(await arrive(URL(url), SECRET))

    assert len(found) == len(words)
    assert all(word in one.message for word, one in zip(words, found, strict=True))


async def test_another_secret_finds_nothing_out(proxy: StartProxy) -> None:
    running = await proxy("http://127.0.0.1:9", admin={"secret": SECRET})
    (found,) = judge(await arrive(URL(running.url), "gp-another-2mXv9TzRw4Lp8"))

    assert (found.status, "the same admin.secret" in found.advice) == ("skipped", True)


async def test_nothing_listens() -> None:
    assert await arrive(URL("http://127.0.0.1:1"), SECRET) is None
