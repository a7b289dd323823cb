"""The words of a session's end; that it passes messages is tested over sockets, in tests/io."""

import asyncio

import pytest
from aiohttp import WSCloseCode
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.answer.turns import Turns
from gemproxy.core.answer.usage import Billed
from gemproxy.core.errors import (
    BadRequest,
    Exhausted,
    GemproxyError,
    LimitReached,
    NoFirstByte,
    NoKey,
    NotOwned,
    TooLarge,
    TooSlow,
    Unreachable,
    UpstreamRejection,
)
from gemproxy.exchange.account import Farewell, SessionResult, Spent
from gemproxy.relay.sockets import (
    CLIENT_LOST,
    SHUTDOWN,
    ClientSocket,
    Peer,
    Session,
    SessionEnd,
    SessionEnding,
    refusal,
    sendable,
)
from tests.running import PATIENCE


class Transport(asyncio.Transport):
    """A transport that tells when it is aborted."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted = asyncio.Event()

    def abort(self) -> None:
        self.aborted.set()


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 4999])
def test_a_code_that_may_be_written_passes(code: int) -> None:
    assert sendable(code) == code


@pytest.mark.parametrize("code", [0, 1005])
def test_a_close_without_a_code_is_a_normal_one(code: int) -> None:
    assert sendable(code) == 1000


@pytest.mark.parametrize("code", [1004, 1006, 1015, 1016, 2999, 5000, 65535])
def test_any_other_code_becomes_an_internal_error(code: int) -> None:
    assert sendable(code) == 1011


@given(st.integers(0, 65535))
def test_a_code_that_is_written_is_one_that_may_be(code: int) -> None:
    assert sendable(sendable(code)) == sendable(code)


@pytest.mark.parametrize(
    ("ending", "code", "word"),
    [
        (SessionEnding("client", SessionEnd.CLOSED, 4001, "bye"), 4001, "bye"),
        (SessionEnding("upstream", SessionEnd.CLOSED, 1005), 1000, ""),
        (SessionEnding("upstream", SessionEnd.LOST), 1011, "lost"),
        (SessionEnding("upstream", SessionEnd.SILENT), 1011, "lost"),
        (SessionEnding("upstream", SessionEnd.GARBLED, 1009), 1011, "cannot be passed on"),
        (SessionEnding("client", SessionEnd.UNREAD), 1001, "gone"),
        (SessionEnding("client", SessionEnd.GARBLED, 1009), 1001, "gone"),
        (CLIENT_LOST, 1001, "gone"),
        (SHUTDOWN, 1001, "shutting down"),
    ],
)
def test_the_other_peer_is_told_how_it_ended(ending: SessionEnding, code: int, word: str) -> None:
    assert ending.farewell[0] == code
    assert word in ending.farewell[1]


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (BadRequest("No."), 1008, "No."),
        (NotOwned("No."), 1008, "No."),
        (TooSlow("Slow."), 1008, "Slow."),
        (TooLarge("Large."), 1009, "Large."),
        (Exhausted("Rest.", 6.2), 1013, "Rest. Retry in 7 s."),
        (Exhausted("Rest.", None), 1013, "Rest."),
        (LimitReached("Spent.", 6.2), 1013, "Spent. Retry in 7 s."),
        (LimitReached("Long.", 6.2, brief="Short."), 1013, "Short. Retry in 7 s."),
        (NoKey("Sick."), 1013, "Sick."),
        (Unreachable("Gone."), 1013, "Gone."),
        (NoFirstByte("Silence."), 1011, "Silence."),
        (UpstreamRejection(403, b"canary"), 1008, "The upstream answered with status 403."),
        (UpstreamRejection(500, b"canary"), 1011, "The upstream answered with status 500."),
    ],
)
def test_a_refusal_is_told_by_code_and_reason(error: GemproxyError, code: int, reason: str) -> None:
    assert refusal(error).farewell == (code, reason)


@given(st.text(), st.floats(0, 1e6))
def test_the_reason_of_a_refusal_fits_into_a_close_frame(message: str, seconds: float) -> None:
    message = message.encode(errors="ignore").decode()

    assert len(refusal(Exhausted(message, seconds)).farewell[1].encode()) <= 123
    assert len(refusal(BadRequest(message)).farewell[1].encode()) <= 123


def test_a_refused_client_is_waited_for_and_the_upstream_hardly() -> None:
    ending = refusal(BadRequest("No."))

    assert (ending.hurries("client"), ending.hurries("upstream")) == (False, True)


@pytest.mark.parametrize("end", SessionEnd)
def test_what_is_said_at_the_end_fits_into_a_close_frame(end: SessionEnd) -> None:
    _, reason = SessionEnding("upstream", end).farewell

    assert len(reason.encode()) <= 123


def test_only_who_can_still_answer_a_close_is_waited_for() -> None:
    assert not SessionEnding("client", SessionEnd.CLOSED, 1000).hurries("client")
    assert not SessionEnding("upstream", SessionEnd.LOST).hurries("client")
    assert SessionEnding("upstream", SessionEnd.LOST).hurries("upstream")
    assert SessionEnding("client", SessionEnd.UNREAD).hurries("client")
    assert SessionEnding("client", SessionEnd.UNREAD).hurries("upstream")
    assert SHUTDOWN.hurries("client")
    assert SHUTDOWN.hurries("upstream")


def test_a_reason_is_in_no_repr() -> None:
    assert "secret" not in repr(SessionEnding("client", SessionEnd.CLOSED, 1000, "secret"))


async def test_a_peer_is_not_silent_while_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
    peer = Peer("client", ClientSocket(decode_text=False), Transport())
    now += 5
    assert peer.silence() == 5

    peer.heard(listening=False)
    now += 5
    assert peer.silence() == 0

    peer.heard(listening=True)
    assert peer.silence() == 0
    now += 1
    assert peer.silence() == 1


def session() -> Session:
    """Return a session whose sockets are not open."""
    socket = ClientSocket(decode_text=False)
    client, upstream = Peer("client", socket, Transport()), Peer("upstream", socket, Transport())
    return Session(client, upstream, 15, 120)


async def test_a_report_counts_both_ways_and_names_no_reason() -> None:
    told = session()
    told.client.frames, told.client.bytes, told.upstream.frames, told.upstream.bytes = 1, 2, 3, 4
    assert told.report() == SessionResult(1, 2, 3, 4)

    told.ending = SessionEnding("upstream", SessionEnd.CLOSED, 1008, "secret")

    assert told.report() == SessionResult(1, 2, 3, 4, Farewell("upstream", "closed", 1008))


async def test_a_report_has_the_cost_of_all_turns_if_anybody_asks() -> None:
    told = session()
    told.turns = Turns()
    for prompt in (10, 20):
        told.turns.take(b'{"usageMetadata": {"promptTokenCount": %d}}' % prompt)
    bills = (Billed(10, total=10), Billed(20, total=20))

    assert told.report().spent == Spent(bills, Billed(30, total=30))


async def test_what_cannot_be_sent_is_thrown_away() -> None:
    transport = Transport()
    Peer("client", ClientSocket(decode_text=False), transport).cut(0)
    assert not transport.aborted.is_set()

    async with asyncio.timeout(PATIENCE):
        assert await transport.aborted.wait()


def test_the_library_s_codes_are_those_that_were_thought_of() -> None:
    assert {*WSCloseCode} == {1000, 1001, 1002, 1003, *range(1006, 1015)}
