"""What becomes of a stream on its way through a reverse proxy: the self-test of a running proxy.

The running proxy sends four events in about a second, and then breaks the stream off as it does one
that cannot be repaired (``routes.selftest``). The time of each event's arrival and the end that a
client sees are judged here.
"""

import asyncio
import json
import time
from collections.abc import Sequence

import aiohttp
import attrs
from yarl import URL

from gemproxy.access.selftest import HEADER, proof
from gemproxy.doctor.asking import FAILURES
from gemproxy.doctor.finding import Verdict, fault, ok, skipped, warning

PATH = "selftest/stream"
SECONDS = 6.0
EVENTS = 4
_FORBIDDEN = 403
_OK = 200
_LIVELY = 0.3
"""Seconds between the first event and the last, of about 0.9, that are no proof of being held."""
_NGINX = "proxy_http_version 1.1; in nginx"
_PAGE = "docs/reverse-proxies.md has the settings of each"


@attrs.frozen
class Arrival:
    """A stream as it arrived: each piece with its time (s), and whether its end is a broken one."""

    status: int
    pieces: Sequence[tuple[float, bytes]] = ()
    broken: bool = False

    @property
    def events(self) -> list[tuple[float, dict[str, object]]]:
        """The events with the time at which each was complete."""
        found: list[tuple[float, dict[str, object]]] = []
        text = b""
        for at, piece in self.pieces:
            *whole, text = (text + piece.replace(b"\r", b"")).split(b"\n\n")
            for event in whole:
                try:
                    document = json.loads(event.removeprefix(b"data:"))
                except ValueError:
                    continue
                if isinstance(document, dict):
                    found.append((at, document))
        return found


async def arrive(url: URL, secret: str) -> Arrival | None:
    """Return the self-test of the proxy at ``url`` as it arrives; None if nothing does."""
    headers = {HEADER: proof(secret, time.time()), "Accept": "text/event-stream"}
    pieces: list[tuple[float, bytes]] = []
    status = 0
    try:
        async with (
            asyncio.timeout(SECONDS),
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.get(url / PATH, headers=headers, allow_redirects=False) as response,
        ):
            status = response.status
            while piece := await response.content.readany():
                pieces.append((time.monotonic(), piece))
    except TimeoutError:
        return Arrival(status, pieces, broken=True) if status else None
    except FAILURES:
        return Arrival(status, pieces, broken=True) if status else None
    return Arrival(status, pieces)


def judge(arrival: Arrival | None) -> list[Verdict]:
    """Judge the self-test as it arrived."""
    if arrival is None or arrival.status != _OK:
        return [_not_found(arrival)]
    events = arrival.events
    numbered = [(at, event) for at, event in events if "selftest" in event]
    found = [*_pace(numbered), *_ending(arrival, events)]
    if any(event.get("version") == "HTTP/1.0" for _, event in numbered):
        found.append(
            warning(
                "the reverse proxy speaks HTTP/1.0 to gemproxy: if gemproxy dies in the middle of a"
                " stream, the client takes the piece for the whole",
                f"let it speak HTTP/1.1: {_NGINX}",
            )
        )
    return found or [ok("events come one by one, and a broken stream ends as one (by HTTP/1.1)")]


def _not_found(arrival: Arrival | None) -> Verdict:
    words = "whether events are held back and broken endings are passed on was not found out"
    if arrival is not None and arrival.status == _FORBIDDEN:
        return skipped(
            f"{words}: the running proxy refuses the self-test",
            "restart the proxy, so that it has the same admin.secret as this command",
        )
    status = f"status {arrival.status}" if arrival is not None else "nothing"
    return fault(
        f"{words}: the self-test of the running proxy answers {status}",
        "let the reverse proxy pass /selftest/stream on, and restart an older gemproxy",
    )


def _pace(numbered: Sequence[tuple[float, dict[str, object]]]) -> list[Verdict]:
    if len(numbered) < EVENTS:
        words = f"of {EVENTS} events of a broken stream {len(numbered)} arrive"
        return [fault(words, f"switch buffering off in the reverse proxy: {_PAGE}")]
    if numbered[-1][0] - numbered[0][0] < _LIVELY:
        words = "the reverse proxy holds events back, and passes them on all at once"
        return [fault(words, f"switch buffering and compression of streams off: {_PAGE}")]
    return []


def _ending(arrival: Arrival, events: Sequence[tuple[float, dict[str, object]]]) -> list[Verdict]:
    found = []
    if not arrival.broken:
        words = (
            "the reverse proxy hides broken endings: it completes a stream that gemproxy breaks off"
        )
        found.append(fault(words, f"let it speak HTTP/1.1 ({_NGINX}), or update it: {_PAGE}"))
    if not any("error" in event for _, event in events):
        words = "the error in front of a broken ending is lost on the way"
        found.append(warning(words, f"see what the reverse proxy does with its buffers: {_PAGE}"))
    return found
