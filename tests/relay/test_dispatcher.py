"""The one way up: what goes up, and that every attempt has one outcome, however it ends."""

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, cast

import attrs
import pytest
from multidict import CIMultiDict
from yarl import URL

from gemproxy.core.errors import (
    BadRequest,
    Exhausted,
    GemproxyError,
    KeyRefused,
    UpstreamFailure,
    UpstreamRejection,
)
from gemproxy.core.repair.blame import Fault
from gemproxy.core.repair.events import Cause, How
from gemproxy.exchange.account import Entry
from gemproxy.exchange.credential import Credential
from gemproxy.exchange.exchange import Exchange
from gemproxy.relay.bodies import Once, Outgoing
from gemproxy.relay.dispatcher import Dispatcher
from gemproxy.relay.handshake import open_sockets
from gemproxy.relay.upstream import AttemptFailed, Reply, Upstream, open_upstream
from gemproxy.relay.wants import BYTES, DOCUMENT, EVENTS, STREAM, Want
from tests.reading import read_by_either
from tests.running import READING
from tests.sockets import CHUNKED, OK, Reader, Script, Writer, answering, cutting, head, scripted

__all__ = ["read_by_either"]

PATIENCE = 30.0
PATH = "/v1beta/models/m:streamGenerateContent"
QUOTA = (
    b'{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"quota","details":['
    b'{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"PerDay"}]},'
    b'{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"7.5s"}]}}'
)
REFUSED = b"HTTP/1.1 429 No\r\nContent-Length: %d\r\nRetry-After: 9\r\n\r\n%b" % (len(QUOTA), QUOTA)


@attrs.define
class Learning:
    """A source of one key, and a lease that notes what it hears."""

    base: URL
    key: str = "one"
    credential: Credential | None = attrs.field(factory=lambda: Credential.api_key("k"))
    proxy: URL | None = None
    another: bool = False
    detour: bool = False
    ends: GemproxyError | None = None
    project: str = ""
    heads: int = 0
    asked: int = 0
    heard: list[Entry] = attrs.field(factory=list)

    async def lease(self, exchange: Exchange, body: bytes | None) -> "Learning":
        del exchange, body
        self.asked += 1
        if self.asked > 1 and self.ends is not None:
            raise self.ends
        return self

    def answered(self) -> None:
        self.heads += 1

    def witness(self, exchange: Exchange, status: int, headers: Mapping[str, str]) -> None:
        del exchange, status, headers

    async def named(self, names: Mapping[str, float | None]) -> None:
        raise AssertionError(f"nobody records {names}")

    def over(self, entry: Entry) -> None:
        self.heard.append(entry)


@attrs.define
class Scene:
    """A dispatcher in front of a scripted upstream, and one exchange."""

    dispatcher: Dispatcher
    source: Learning
    exchange: Exchange

    @property
    def outcome(self) -> Entry:
        """The one outcome; it is the entry of the account, too."""
        (entry,) = self.source.heard
        assert self.exchange.account.entries == [entry]
        assert entry.ended is not None
        assert entry.ended >= entry.began
        return entry

    async def read(self, want: Want = STREAM, body: Outgoing = b"{}") -> bytes:
        """Make an attempt and return its whole body."""
        async with self.dispatcher.attempt(self.exchange, body, want) as reply:
            pieces = []
            while data := await reply.read():
                pieces.append(data)
            return b"".join(pieces)


@attrs.define
class Stub:
    """What stands for an upstream."""

    open: Callable[..., Awaitable[object]]


@contextlib.asynccontextmanager
async def scene(
    script: Script,
    method: str = "POST",
    query: str = "",
    headers: dict[str, str] | None = None,
    patience: float = PATIENCE,
) -> AsyncIterator[Scene]:
    async with (
        scripted(script) as url,
        open_upstream(connect_timeout=PATIENCE, proxy=None, **READING) as upstream,
        open_sockets(connect_timeout=PATIENCE, proxy=None, max_message=9) as sockets,
    ):
        source = Learning(url)
        dispatcher = Dispatcher(upstream, sockets, source, url, patience)
        given = CIMultiDict(headers or {})
        yield Scene(dispatcher, source, Exchange("id", "x", method, PATH, query, given))


def noting(seen: list[bytes], answer: bytes = OK) -> Script:
    """Return a script that notes the head of each request."""

    async def script(reader: Reader, writer: Writer) -> None:
        while True:
            seen.append(await head(reader))
            writer.write(answer)

    return script


async def test_a_whole_answer_has_one_outcome() -> None:
    async with scene(answering(OK)) as at:
        assert await at.read() == b"ok"

        entry = at.outcome
        assert (entry.key, entry.status, entry.how, entry.bytes) == ("one", 200, How.EOF, 2)
        assert (entry.error, entry.fault, entry.delay) == (None, None, None)
        assert entry.answered is not None


async def test_an_error_answer_that_was_read_tells_of_its_quota_and_its_delay() -> None:
    async with scene(answering(REFUSED)) as at:
        async with at.dispatcher.attempt(at.exchange, b"{}") as reply:
            assert not reply.another
            assert await reply.read_error(1 << 20) == QUOTA

        entry = at.outcome
        assert (entry.status, entry.how, entry.fault) == (429, How.EOF, Fault.KEY)
        assert entry.error is not None
        assert entry.error["details"][0]["violations"] == [{"quotaId": "PerDay"}]
        assert (entry.delay, entry.retry_after) == (7.5, 9)


async def test_an_error_answer_that_nobody_read_has_its_status_and_its_retry_after() -> None:
    async with scene(answering(REFUSED)) as at:
        async with at.dispatcher.attempt(at.exchange, b"{}"):
            pass

        assert (at.outcome.status, at.outcome.how, at.outcome.delay) == (429, None, 9)


async def test_an_error_that_a_reader_met_in_a_stream_is_in_the_outcome() -> None:
    async with scene(answering(OK)) as at:
        async with at.dispatcher.attempt(at.exchange, b"{}") as reply:
            reply.error = {"code": 503, "status": "UNAVAILABLE"}

        assert (at.outcome.status, at.outcome.fault) == (200, Fault.SERVICE)


@pytest.mark.parametrize(
    ("script", "status", "how", "fault"),
    [
        (cutting(CHUNKED + b"3\r\none\r\n"), 200, How.RESET, None),
        (cutting(), None, How.RESET, Fault.SERVICE),
        (answering(b"SMTP ready\r\n\r\n"), None, How.GARBLED, Fault.SERVICE),
    ],
)
async def test_an_attempt_that_breaks_says_how(
    script: Script, status: int | None, how: How, fault: Fault | None
) -> None:
    async with scene(script) as at:
        with pytest.raises(AttemptFailed):
            await at.read()

        assert (at.outcome.status, at.outcome.how, at.outcome.fault) == (status, how, fault)


async def test_an_upstream_that_says_nothing_in_time_is_given_up() -> None:
    async with scene(answering(), patience=0.05) as at:
        with pytest.raises(AttemptFailed):
            await at.read()

        assert (at.outcome.status, at.outcome.how) == (None, How.NO_FIRST_BYTE)


async def test_no_connection_is_an_outcome() -> None:
    async with scripted(cutting()) as gone:
        pass
    async with scene(answering()) as at:
        at.source.base = gone
        with pytest.raises(AttemptFailed):
            await at.read()

        assert (at.outcome.status, at.outcome.how) == (None, How.UNREACHABLE)


async def cancelled(reading: Awaitable[object], when: asyncio.Event) -> None:
    """Cancel what is being read once something has happened."""
    task = asyncio.ensure_future(reading)
    await when.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(("begun", "status"), [(b"", None), (CHUNKED + b"3\r\none\r\n", 200)])
async def test_an_attempt_that_is_left_has_one_outcome(begun: bytes, status: int | None) -> None:
    """While it waits for the head, and while it waits for more of the body."""
    there = asyncio.Event()

    async def script(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(begun)
        if not begun:
            there.set()
        await reader.read()

    async def reading(at: Scene) -> None:
        async with at.dispatcher.attempt(at.exchange, b"{}") as reply:
            assert await reply.read() == b"one"
            there.set()
            await reply.read()

    async with scene(script) as at:
        await cancelled(reading(at), there)

        assert (at.outcome.status, at.outcome.how, at.outcome.fault) == (status, None, None)


async def test_an_attempt_that_is_left_while_it_connects_has_one_outcome() -> None:
    connecting = asyncio.Event()

    async def never(*_: object) -> None:
        connecting.set()
        await asyncio.Event().wait()

    async with scene(answering(OK)) as at:
        stubbed = attrs.evolve(at.dispatcher, upstream=cast("Upstream", Stub(never)))
        await cancelled(attrs.evolve(at, dispatcher=stubbed).read(), connecting)

        assert (at.outcome.status, at.outcome.how) == (None, None)


async def test_an_answer_that_cannot_be_let_go_has_one_outcome(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def close(self: Reply) -> None:
        whole_close(self)
        raise RuntimeError("a fault of a test")

    whole_close = Reply.close
    monkeypatch.setattr(Reply, "close", close)
    async with scene(answering(OK)) as made:
        with pytest.raises(RuntimeError, match="a fault of a test"):
            await made.read()
        assert (made.outcome.status, made.outcome.how) == (200, How.EOF)


async def test_an_error_of_the_reader_leaves_the_attempt() -> None:
    async with scene(answering(CHUNKED + b"3\r\none\r\n")) as at:
        with pytest.raises(ZeroDivisionError):
            async with at.dispatcher.attempt(at.exchange, b"{}"):
                raise ZeroDivisionError

        assert (at.outcome.status, at.outcome.how) == (200, None)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 302 F\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n", 302),
        (b"HTTP/1.1 304 Not Modified\r\n\r\n", 304),
    ],
)
async def test_an_answer_without_a_body_has_an_outcome(answer: bytes, status: int) -> None:
    async with scene(answering(answer), method="GET") as at:
        assert await at.read(BYTES, None) == b""

        assert (at.outcome.status, at.outcome.how, at.outcome.bytes) == (status, How.EOF, 0)


async def test_a_download_that_was_followed_is_one_attempt() -> None:
    seen: list[bytes] = []

    async def script(reader: Reader, writer: Writer) -> None:
        while True:
            seen.append(await head(reader))
            moved = b"HTTP/1.1 302 F\r\nLocation: /kept\r\nContent-Length: 0\r\n\r\n"
            writer.write(moved if len(seen) == 1 else OK)

    async with scene(script, method="GET") as at:
        assert await at.read(BYTES, None) == b"ok"

        assert len(seen) == 2
        assert (at.outcome.status, at.outcome.bytes) == (200, 2)


async def test_a_stream_that_is_redirected_is_not_followed() -> None:
    moved = b"HTTP/1.1 302 F\r\nLocation: /kept\r\nContent-Length: 0\r\n\r\n"
    async with scene(answering(moved), method="GET") as at:
        assert await at.read(EVENTS, None) == b""

        assert at.outcome.status == 302


async def test_a_second_hop_that_cannot_be_made_is_the_outcome() -> None:
    moved = b"HTTP/1.1 302 F\r\nLocation: /kept\r\nContent-Length: 0\r\n\r\n"
    async with scene(cutting(moved), method="GET") as at:
        first = at.dispatcher.upstream.open
        hops: list[object] = []

        async def once(*args: Any) -> Reply:
            hops.append(args)
            if len(hops) > 1:
                raise AttemptFailed(How.UNREACHABLE, "a test")
            return await first(*args)

        stubbed = attrs.evolve(at.dispatcher, upstream=cast("Upstream", Stub(once)))
        with pytest.raises(AttemptFailed):
            await attrs.evolve(at, dispatcher=stubbed).read(BYTES, None)

        assert (at.outcome.status, at.outcome.how) == (None, How.UNREACHABLE)


async def test_what_leads_nowhere_takes_no_lease() -> None:
    async with scene(answering(OK)) as at:
        nowhere = at.exchange.towards("/v1/../m")
        with pytest.raises(BadRequest):
            async with at.dispatcher.attempt(nowhere):
                pass
        with pytest.raises(BadRequest):
            async with at.dispatcher.socket(nowhere, []):
                pass

        assert (at.source.heard, at.exchange.account.entries) == ([], [])


@pytest.mark.parametrize(
    ("want", "asked", "sent"),
    [
        (STREAM, "gzip", b"identity"),
        (STREAM, None, b"identity"),
        (EVENTS, None, b"identity"),
        (DOCUMENT, "gzip", b"identity"),
        (DOCUMENT, None, None),
        (BYTES, "gzip", b"gzip"),
        (BYTES, None, None),
    ],
)
async def test_an_answer_is_asked_for_in_the_coding_that_it_is_wanted_in(
    want: Want, asked: str | None, sent: bytes | None
) -> None:
    seen: list[bytes] = []
    headers = {"Accept-Encoding": asked} if asked else {}
    async with scene(noting(seen), headers=headers) as at:
        await at.read(want, None)

    line = None if sent is None else b"Accept-Encoding: " + sent
    found = [line for line in seen[0].split(b"\r\n") if line.startswith(b"Accept-Encoding")]
    assert found == ([] if line is None else [line])


async def test_the_credential_of_the_lease_is_the_only_one() -> None:
    seen: list[bytes] = []
    headers = {"Authorization": "Bearer ya29.client"}
    async with scene(noting(seen), query="key=clients&alt=sse", headers=headers) as at:
        await at.read()

    assert seen[0].startswith(b"POST %b?alt=sse HTTP/1.1\r\n" % PATH.encode())
    assert b"x-goog-api-key: k\r\n" in seen[0]
    assert b"client" not in seen[0]


async def test_a_url_that_was_given_out_goes_up_with_its_own_credential() -> None:
    seen: list[bytes] = []
    async with scene(noting(seen)) as at:
        url = at.source.base / "session"
        given = at.exchange.at(url, Credential.api_key("sessions"))
        async with at.dispatcher.attempt(given, b"{}") as reply:
            assert reply.credential == Credential.api_key("sessions")

        assert at.source.heard == []
        (entry,) = at.exchange.account.entries
        assert (entry.key, entry.status) == ("", 200)
    assert seen[0].startswith(b"POST /session HTTP/1.1\r\n")
    assert b"x-goog-api-key: sessions\r\n" in seen[0]


async def pieces() -> AsyncIterator[bytes]:
    yield b"{"
    yield b"}"


@pytest.mark.parametrize(
    ("body", "length"), [(b"{}", True), (Once(b"{}"), True), (pieces, True), (pieces, False)]
)
async def test_a_body_has_its_length_where_that_is_known(
    body: Outgoing | Callable[[], Outgoing], *, length: bool
) -> None:
    seen: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def script(reader: Reader, writer: Writer) -> None:
        seen.set_result(await head(reader))
        await reader.readuntil(b"}")
        writer.write(OK)

    headers = {"Content-Length": "2"} if length else {}
    async with scene(script, headers=headers) as at:
        await at.read(body=body() if callable(body) else body)

    assert (b"Content-Length: 2\r\n" in await seen) is length


@pytest.mark.parametrize("body", [b"{}", Once(b"{}"), None])
async def test_only_plain_bytes_are_sent_again_on_a_connection_that_had_gone_stale(
    body: Outgoing,
) -> None:
    requests = 0

    async def script(reader: Reader, writer: Writer) -> None:
        nonlocal requests
        for answer in (OK, b""):
            await head(reader)
            requests += 1
            writer.write(answer)

    async with scene(script) as at:
        await at.read(body=b"")
        if isinstance(body, bytes):
            assert await at.read(body=body) == b"ok"
        else:
            with pytest.raises(AttemptFailed):
                await at.read(body=body)

        assert requests == (3 if isinstance(body, bytes) else 2)
        assert len(at.source.heard) == 2, "a request that is sent again is one attempt"


async def test_an_attempt_is_told_what_is_left_of_the_clients_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[bytes] = []
    async with scene(noting(seen), headers={"X-Server-Timeout": "60"}) as at:
        assert at.exchange.deadline.seconds == 60
        now = asyncio.get_running_loop().time() + 20.5
        monkeypatch.setattr("gemproxy.exchange.deadline._now", lambda: now)
        await at.read()

    assert b"x-server-timeout: 40\r\n" in seen[0].lower()


@pytest.mark.parametrize(
    ("answer", "raised", "status", "how"),
    [
        (REFUSED, UpstreamRejection, 429, How.EOF),
        (OK, UpstreamFailure, None, None),
        (b"SMTP ready\r\n\r\n", AttemptFailed, None, How.GARBLED),
    ],
)
async def test_a_handshake_that_is_refused_has_one_outcome(
    answer: bytes, raised: type[Exception], status: int | None, how: How | None
) -> None:
    async with scene(answering(answer), method="GET") as at:
        with pytest.raises(raised):
            async with at.dispatcher.socket(at.exchange, []):
                pass

        assert (at.outcome.status, at.outcome.how) == (status, how)
        if status:
            assert (at.outcome.fault, at.outcome.delay) == (Fault.KEY, 7.5)


async def test_a_handshake_that_is_left_has_one_outcome() -> None:
    there = asyncio.Event()

    async def script(reader: Reader, _writer: Writer) -> None:
        await head(reader)
        there.set()
        await reader.read()

    async def dialling(at: Scene) -> None:
        async with at.dispatcher.socket(at.exchange, []):
            pass

    async with scene(script, method="GET") as at:
        await cancelled(dialling(at), there)

        assert (at.outcome.status, at.outcome.how) == (None, None)


LEAKED = b'{"error":{"code":403,"status":"PERMISSION_DENIED","message":"leaked"}}'
ABROAD = (
    b'{"error":{"code":400,"status":"FAILED_PRECONDITION",'
    b'"message":"User location is not supported for the API use."}}'
)
WRONG = b'{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"a bad argument"}}'


def refusing(status: int, body: bytes, *fields: bytes) -> bytes:
    top = (b"HTTP/1.1 %d No" % status, b"Content-Length: %d" % len(body), *fields, b"", b"")
    return b"\r\n".join(top) + body


def answering_in_turn(seen: list[bytes], *answers: bytes) -> Script:
    """Return a script that gives its answers in order."""

    async def script(reader: Reader, writer: Writer) -> None:
        while True:
            seen.append(await head(reader))
            await reader.readexactly(2)
            writer.write(answers[len(seen) - 1])

    return script


@pytest.mark.parametrize("body", [b"{}", Once(b"{}")])
async def test_a_fault_of_the_key_takes_another_lease_at_once(body: Outgoing) -> None:
    """Also where the request may be sent only once: a refusal has made nothing."""
    seen: list[bytes] = []
    async with scene(answering_in_turn(seen, REFUSED, refusing(403, LEAKED), OK)) as at:
        at.source.another = True

        assert await at.read(body=body) == b"ok"

        heard = [(entry.status, entry.fault, entry.cause) for entry in at.source.heard]
        refused = [(429, Fault.KEY, Cause.STATUS), (403, Fault.KEY, Cause.STATUS)]
        assert heard == [*refused, (200, None, None)]
        assert at.source.asked == 3
        assert at.source.heard == at.exchange.account.entries


async def test_a_packed_refusal_is_read() -> None:
    seen: list[bytes] = []
    packed = refusing(403, gzip.compress(LEAKED), b"Content-Encoding: gzip")
    async with scene(answering_in_turn(seen, packed, OK)) as at:
        at.source.another = True

        assert await at.read(BYTES) == b"ok"


async def test_a_refused_location_is_tried_on_another_way_out() -> None:
    seen: list[bytes] = []
    async with scene(answering_in_turn(seen, refusing(400, ABROAD), OK)) as at:
        at.source.detour = True

        assert await at.read() == b"ok"

        assert [entry.fault for entry in at.source.heard] == [Fault.REQUEST, None]


@pytest.mark.parametrize(
    "answer", [refusing(400, WRONG), refusing(404, LEAKED), refusing(503, LEAKED)]
)
async def test_another_refusal_passes_whole(answer: bytes) -> None:
    seen: list[bytes] = []
    async with scene(answering_in_turn(seen, answer)) as at:
        at.source.another = at.source.detour = True

        async with at.dispatcher.attempt(at.exchange, b"{}") as reply:
            body = await reply.read_error(1 << 20)

        assert answer.endswith(body)
        assert body
        assert at.outcome.how is How.EOF


async def test_a_body_that_is_gone_is_not_sent_with_another_key() -> None:
    seen: list[bytes] = []
    async with scene(noting(seen, refusing(403, LEAKED))) as at:
        at.source.another = True

        with pytest.raises(KeyRefused):
            await at.read(body=pieces())

        assert (at.outcome.status, at.outcome.fault) == (403, Fault.KEY)


async def test_a_refusal_that_stops_is_left_with_one_outcome() -> None:
    there = asyncio.Event()

    async def script(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\n{")
        there.set()
        await reader.read()

    async with scene(script) as at:
        at.source.another = True
        await cancelled(at.read(), there)

        assert len(at.source.heard) == len(at.exchange.account.entries) == 1


async def test_no_key_that_serves_is_the_sources_to_say() -> None:
    seen: list[bytes] = []
    async with scene(answering_in_turn(seen, REFUSED)) as at:
        at.source.another = True
        at.source.ends = Exhausted("All keys rest.", 7.0)

        with pytest.raises(Exhausted):
            await at.read()

        assert at.outcome.status == 429


@pytest.mark.parametrize("access", ["ann", ""])
async def test_a_body_that_was_read_as_json_goes_up_as_json(access: str) -> None:
    seen: list[bytes] = []
    kind = "application/x-www-form-urlencoded"
    async with scene(noting(seen), headers={"Content-Type": kind}) as here:
        here.exchange.account.access = access
        await here.read()

    sent = "application/json" if access else kind
    assert f"Content-Type: {sent}\r\n".encode() in seen[0]


async def test_a_handshake_whose_key_is_refused_is_made_with_another() -> None:
    answers = [refusing(403, LEAKED), refusing(429, QUOTA), refusing(400, WRONG)]
    seen: list[bytes] = []

    async def script(reader: Reader, writer: Writer) -> None:
        while True:
            seen.append(await head(reader))
            writer.write(answers[len(seen) - 1])

    async with scene(script, method="GET") as at:
        at.source.another = True
        with pytest.raises(UpstreamRejection) as caught:
            async with at.dispatcher.socket(at.exchange, ["a"]):
                pass

        assert caught.value.rejected_with == 400
        assert [entry.status for entry in at.source.heard] == [403, 429, 400]
        assert at.source.asked == 3
