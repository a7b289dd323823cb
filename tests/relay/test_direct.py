"""An answer read directly, against a connection that does what a test wants in each call."""

import asyncio
import gc
import gzip
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import attrs
import pytest
from aiohttp.connector import Connection

from gemproxy.core.repair.events import How
from gemproxy.generation.pump import Pump
from gemproxy.relay.bell import Bell
from gemproxy.relay.direct import Broken, Direct
from gemproxy.relay.filling import GULP, Filling
from gemproxy.relay.message import Message
from gemproxy.relay.silence import Silence
from tests.sockets import CHUNKED, END, OK, chunk

HEAD = b"POST / HTTP/1.1\r\n\r\n"
LARGE = bytes(1 << 18)
PATIENCE = 30.0


@attrs.define(eq=False)
class Wire(asyncio.Transport):
    """Stands for a transport, its connection and the library's protocol; ``said`` are the calls.

    ``fails`` names a call that raises, and ``room`` is how much is taken before writing pauses.
    """

    said: list[str] = attrs.field(factory=list)
    written: bytearray = attrs.field(factory=bytearray)
    fails: str = ""
    room: float = float("inf")
    protocol: object = None
    transport: "Wire | None" = None
    inner: object = None
    closing: bool = False
    reading: bool = True
    unsent: int = 0

    def __attrs_post_init__(self) -> None:
        super().__init__()
        self.transport, self.protocol = self, self
        self.inner = self

    def _do(self, call: str) -> None:
        self.said.append(call)
        if call == self.fails:
            raise RuntimeError("a fault of a test")

    def set_protocol(self, protocol: object) -> None:
        self._do("restore" if protocol is self else "set_protocol")
        self.inner = protocol

    def write(self, data: object) -> None:
        self._do("write")
        self.written += cast("bytes", data)
        if len(self.written) > self.room and not self.unsent:
            self.unsent = 1
            cast("Direct", self.inner).pause_writing()

    def take_more(self) -> None:
        """Take what was written."""
        self.unsent, self.room = 0, self.room + (1 << 16)
        cast("Direct", self.inner).resume_writing()

    def is_closing(self) -> bool:
        self._do("is_closing")
        return self.closing

    def get_write_buffer_size(self) -> int:
        self._do("get_write_buffer_size")
        return self.unsent

    def pause_reading(self) -> None:
        self._do("pause_reading")
        self.reading = False

    def resume_reading(self) -> None:
        self._do("resume_reading")
        self.reading = True

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        self._do(f"get_extra_info {name}")
        return default

    def abort(self) -> None:
        self.closing = True
        self._do("abort")

    def release(self) -> None:
        self._do("release")

    def close(self) -> None:
        self.closing = True
        self._do("close")

    def connection_lost(self, _: object) -> None:
        self._do("connection_lost")


def opened(wire: Wire, *, unpacked: bool = False) -> Direct:
    return Direct(cast("Connection", wire), unpacked=unpacked)


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    """Give a connection; the loop must not hear of an error."""
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    yield Wire()
    await asyncio.sleep(0)
    assert errors == []


async def whole(direct: Direct) -> bytes:
    pieces = []
    while data := await direct.readany():
        pieces.append(data)
    return b"".join(pieces)


async def asked(wire: Wire, answer: bytes, *, unpacked: bool = False) -> Direct:
    """Return an answer to a small request whose first bytes are ``answer``."""
    direct = opened(wire, unpacked=unpacked)
    direct.ask(HEAD, b"{}", PATIENCE)
    direct.data_received(answer)
    await direct.head()
    return direct


async def test_an_answer_gives_the_connection_back_in_the_call_that_ends_it(wire: Wire) -> None:
    direct = opened(wire)
    direct.ask(HEAD, b"{}", PATIENCE)
    direct.data_received(OK)

    assert (bytes(wire.written), wire.said[-2:]) == (HEAD + b"{}", ["restore", "release"])
    assert wire.inner is wire
    await direct.head()
    assert (direct.status, direct.reason, await whole(direct), direct.size) == (200, "OK", b"ok", 2)
    direct.close()
    assert wire.said[-1] == "release"


UNFIT: dict[str, bytes] = {
    "more behind the end": OK + b"HTTP/1.1 200 OK\r\n",
    "another answer": OK + OK,
    "the upstream closes": OK.replace(b"\r\n", b"\r\nConnection: close\r\n", 1),
    "an old protocol": OK.replace(b"1.1", b"1.0"),
}


@pytest.mark.parametrize("answer", UNFIT.values(), ids=UNFIT.keys())
async def test_a_connection_that_is_not_fit_is_closed(wire: Wire, answer: bytes) -> None:
    direct = await asked(wire, answer)

    assert await whole(direct) == b"ok"
    assert "close" in wire.said
    assert "release" not in wire.said
    direct.data_received(OK)  # what comes until it is closed
    assert await whole(direct) == b""
    direct.connection_lost(None)
    assert wire.said[-1] == "connection_lost"


async def test_a_request_that_is_not_sent_is_never_followed_by_another(wire: Wire) -> None:
    wire.room = 1
    direct = await asked(wire, OK)

    assert await whole(direct) == b"ok"
    assert "abort" in wire.said
    assert "release" not in wire.said


async def test_a_large_request_goes_up_in_slices_as_there_is_room(wire: Wire) -> None:
    wire.room = 100_000
    direct = opened(wire)
    direct.ask(HEAD, LARGE, PATIENCE)
    for _ in range(9):
        await asyncio.sleep(0)
    assert 100_000 < len(wire.written) < 200_000

    while len(wire.written) < len(HEAD + LARGE):
        wire.take_more()
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    wire.take_more()
    assert bytes(wire.written) == HEAD + LARGE

    direct.data_received(OK)
    assert wire.said[-1] == "release"


async def test_an_error_ends_the_request_that_it_answers(wire: Wire) -> None:
    wire.room = 1
    direct = opened(wire)
    direct.ask(HEAD, LARGE, PATIENCE)
    direct.data_received(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n")
    await direct.head()
    wire.take_more()
    await asyncio.sleep(0)
    direct.data_received(b"no")

    assert await whole(direct) == b"no"
    assert len(wire.written) < 2 * (1 << 16)
    assert "release" not in wire.said


async def test_another_early_answer_is_read_while_the_request_goes_up(wire: Wire) -> None:
    wire.room = 1
    direct = opened(wire)
    direct.ask(HEAD, LARGE, PATIENCE)
    direct.data_received(CHUNKED + chunk(b"one"))
    await direct.head()
    while len(wire.written) < len(HEAD + LARGE):
        wire.take_more()
        await asyncio.sleep(0)
    direct.data_received(chunk(b"two") + END)

    assert await whole(direct) == b"onetwo"


async def test_no_more_is_read_than_is_taken(wire: Wire) -> None:
    direct = await asked(wire, CHUNKED)
    for _ in range(4):
        direct.data_received(chunk(bytes(1 << 16)))
    assert wire.reading

    direct.data_received(chunk(b"more"))
    direct.data_received(chunk(b"what was on its way"))
    assert not wire.reading

    assert len(await direct.readany()) == (1 << 18) + 23
    assert wire.reading
    assert wire.said.count("pause_reading") == 1


async def test_an_end_with_data_left_gives_a_connection_back_that_is_read(wire: Wire) -> None:
    direct = await asked(wire, CHUNKED)
    direct.data_received(chunk(bytes(1 << 19)))
    assert not wire.reading
    direct.data_received(END)

    assert wire.reading
    assert wire.said[-3:] == ["restore", "resume_reading", "release"]
    assert len(await whole(direct)) == 1 << 19


@pytest.mark.parametrize("error", [None, ConnectionResetError()])
async def test_what_came_before_a_cut_is_read_first(wire: Wire, error: Exception | None) -> None:
    direct = await asked(wire, CHUNKED + chunk(b"one"))
    direct.connection_lost(error)

    assert await direct.readany() == b"one"
    for _ in range(2):
        with pytest.raises(Broken) as caught:
            await direct.readany()
        assert (caught.value.how, caught.value.heard) == (How.RESET, True)
    assert "connection_lost" in wire.said


async def test_what_came_before_a_false_chunk_is_read_first(wire: Wire) -> None:
    direct = await asked(wire, CHUNKED + chunk(b"one") + b"zz\r\n")

    assert await direct.readany() == b"one"
    with pytest.raises(Broken) as caught:
        await direct.readany()
    assert caught.value.how is How.GARBLED
    assert "close" in wire.said


async def test_no_answer_at_all_is_told_apart(wire: Wire) -> None:
    direct = opened(wire)
    direct.ask(HEAD, b"", PATIENCE)
    direct.connection_lost(None)

    with pytest.raises(Broken) as caught:
        await direct.head()
    assert (caught.value.how, caught.value.heard) == (How.RESET, False)


@pytest.mark.parametrize(("answer", "how"), [(b"", How.NO_FIRST_BYTE), (CHUNKED, How.STALLED)])
async def test_silence_ends_an_answer(wire: Wire, answer: bytes, how: How) -> None:
    direct = opened(wire)
    direct.ask(HEAD, b"", 0.01)
    if answer:
        direct.data_received(answer)

    with pytest.raises(Broken) as caught:
        await (direct.readany() if answer else direct.head())
    assert caught.value.how is how
    assert "abort" in wire.said


async def test_silence_is_allowed_and_forbidden_again(wire: Wire) -> None:
    direct = await asked(wire, CHUNKED)
    direct.allow_silence(None)
    direct.allow_silence(0.01)

    with pytest.raises(Broken) as caught:
        await direct.readany()
    assert caught.value.how is How.STALLED
    direct.allow_silence(0.01)  # of no consequence behind the end


async def test_abort_wakes_the_reader_also_from_within(wire: Wire) -> None:
    direct = await asked(wire, CHUNKED + chunk(b"one"))
    assert await direct.readany() == b"one"
    asyncio.get_running_loop().call_soon(direct.abort)

    with pytest.raises(Broken):
        await direct.readany()
    direct.abort()
    direct.close()
    assert wire.said.count("close") == 1


async def test_abort_does_not_undo_an_end(wire: Wire) -> None:
    direct = await asked(wire, OK)
    direct.abort()

    assert await whole(direct) == b"ok"


async def test_a_reader_may_be_cancelled_and_another_read(wire: Wire) -> None:
    direct = await asked(wire, CHUNKED)
    reading = asyncio.ensure_future(direct.readany())
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.sleep(0)
    direct.data_received(chunk(b"one"))

    assert await direct.readany() == b"one"


async def test_a_lost_connection_cannot_be_asked(wire: Wire) -> None:
    wire.transport = None

    with pytest.raises(Broken) as caught:
        opened(wire)
    assert not caught.value.heard


@pytest.mark.parametrize("coding", ["gzip", "br"])
async def test_a_false_coding_is_garbled(wire: Wire, coding: str) -> None:
    head = CHUNKED.replace(b"\r\n", f"\r\nContent-Encoding: {coding}\r\n".encode(), 1)

    with pytest.raises(Broken) as caught:
        await whole(await asked(wire, head + chunk(b"hello") + END, unpacked=True))
    assert caught.value.how is How.GARBLED


PIECES = [
    CHUNKED[:9],
    CHUNKED[9:] + chunk(b"one"),
    *[chunk(bytes(1 << 17))] * 4,
    END,
]
TRANSPORT = [
    "set_protocol",
    "write",
    "restore",
    "is_closing",
    "get_write_buffer_size",
    "pause_reading",
    "resume_reading",
    "abort",
    "close",
    "release",
    "connection_lost",
    "get_extra_info ssl_object",
]
PARTS: list[tuple[type, str]] = [
    (Message, "feed"),
    (Message, "on_header"),
    (Message, "on_message_complete"),
    (Message, "let_go"),
    (Message, "closed"),
    (Silence, "allow"),
    (Silence, "heard"),
    (Silence, "hold"),
    (Silence, "go_on"),
    (Silence, "stop"),
    (Direct, "_finish"),
    (Direct, "_pause"),
    (Direct, "_head_came"),
]


async def played(wire: Wire, pieces: list[bytes], end: Callable[[Direct], None]) -> bytes:
    """Run a large request and its answer as a loop would; return the body."""
    wire.room = 100_000
    direct = opened(wire)

    async def bring() -> None:
        while len(wire.written) < len(HEAD + LARGE) and not wire.closing:
            wire.take_more()
            await asyncio.sleep(0)
        for piece in pieces:
            while not wire.reading and not wire.closing:  # noqa: ASYNC110 (a loop would poll, too)
                await asyncio.sleep(0)
            direct.data_received(piece)
            await asyncio.sleep(0)
        end(direct)

    bringing: asyncio.Task[None] | None = None
    try:
        direct.ask(HEAD, LARGE, PATIENCE)
        bringing = asyncio.create_task(bring())
        await direct.head()
        return await whole(direct)
    finally:
        if bringing is not None:
            bringing.cancel()
            await asyncio.wait([bringing])
            if not bringing.cancelled() and (error := bringing.exception()) is not None:
                raise error  # a callback has raised into the loop
        direct.close()


ENDS: dict[str, tuple[list[bytes], Callable[[Direct], None]]] = {
    "whole": (PIECES, lambda _: None),
    "cut": (PIECES[:-1], lambda direct: direct.connection_lost(ConnectionResetError())),
    "until the end": (
        [b"HTTP/1.1 200 OK\r\n\r\n", b"one"],
        lambda direct: direct.connection_lost(None),
    ),
    "garbled": ([*PIECES[:-1], b"zz\r\n"], lambda _: None),
    "aborted": (PIECES[:2], lambda direct: direct.abort()),
    "silent": (PIECES[:2], lambda direct: direct._late()),
}


async def fared(wire: Wire, end: str) -> str:
    """Return how an answer ended for its reader; it must end."""
    try:
        async with asyncio.timeout(PATIENCE):
            await played(wire, *ENDS[end])
    except Broken:
        return "broken"
    except RuntimeError:
        return "loud"
    return "whole"


@pytest.mark.parametrize("end", ENDS)
async def test_answers_end_as_they_should(wire: Wire, end: str) -> None:
    expected = "whole" if end in {"whole", "until the end"} else "broken"

    assert await fared(wire, end) == expected


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("call", TRANSPORT)
async def test_a_fault_of_the_connection_leaves_nobody_asleep(
    wire: Wire, end: str, call: str
) -> None:
    expected = await fared(Wire(), end)
    wire.fails = call

    fate = await fared(wire, end)

    assert fate == ("loud" if call in wire.said else expected)
    if fate == "loud":
        assert "release" not in wire.said or call == "release"


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(("part", "call"), PARTS)
async def test_a_fault_of_ours_leaves_nobody_asleep(
    monkeypatch: pytest.MonkeyPatch, wire: Wire, part: type, call: str, end: str
) -> None:
    expected = await fared(Wire(), end)
    raised = []

    def fail(*_: object, **__: object) -> None:
        raised.append(call)
        raise RuntimeError("a fault of a test")

    monkeypatch.setattr(part, call, fail)

    assert await fared(wire, end) == ("loud" if raised else expected)


async def test_an_interrupt_goes_on_to_the_loop(
    monkeypatch: pytest.MonkeyPatch, wire: Wire
) -> None:
    def fail(*_: object) -> bytes:
        raise KeyboardInterrupt

    direct = opened(wire)
    direct.ask(HEAD, b"", PATIENCE)
    monkeypatch.setattr(Message, "feed", fail)

    with pytest.raises(KeyboardInterrupt):
        direct.data_received(OK)
    with pytest.raises(RuntimeError):
        await direct.head()


async def test_an_answer_that_was_read_leaves_no_cycle(wire: Wire) -> None:
    gc.collect()
    gc.disable()
    try:
        direct = await asked(wire, OK)
        assert await whole(direct) == b"ok"
        direct.close()
        del direct
        assert [found for found in gc.get_objects() if isinstance(found, Direct | Message)] == []
    finally:
        gc.enable()


async def test_a_bell_brings_each_read_in_the_call_that_has_it(wire: Wire) -> None:
    direct, bell, came = await asked(wire, CHUNKED), Bell(), list[bytes]()

    async def reading() -> str:
        direct.ring(bell)
        while data := await direct.readany():
            came.append(data)
        return "the end"

    handler = asyncio.create_task(Pump(reading(), bell).run())
    await asyncio.sleep(0)
    direct.data_received(chunk(b"one"))
    direct.data_received(chunk(b"two"))
    assert came == [b"one", b"two"]
    direct.data_received(chunk(b"three") + END)
    assert came == [b"one", b"two", b"three"]

    assert await handler == "the end"
    assert wire.said[-1] == "release"


async def test_what_is_taken_at_once_pauses_nothing(wire: Wire) -> None:
    direct, bell = await asked(wire, CHUNKED), Bell()

    async def reading() -> int:
        direct.ring(bell)
        size = 0
        while data := await direct.readany():
            size += len(data)
        return size

    handler = asyncio.create_task(Pump(reading(), bell).run())
    await asyncio.sleep(0)
    direct.data_received(chunk(bytes(1 << 20)))
    assert "pause_reading" not in wire.said
    direct.data_received(END)

    assert await handler == 1 << 20


async def test_an_attempt_that_its_reader_lets_go_within_a_read_is_paused_no_more(
    wire: Wire,
) -> None:
    direct, bell = await asked(wire, CHUNKED), Bell()

    async def reading() -> None:
        direct.ring(bell)
        await bell
        direct.close()

    handler = asyncio.create_task(Pump(reading(), bell).run())
    await asyncio.sleep(0)
    direct.data_received(chunk(bytes(1 << 20)))
    await handler

    assert "pause_reading" not in wire.said


@pytest.mark.parametrize("end", ["abort", "lost"])
async def test_a_bell_tells_the_end_of_the_connection(wire: Wire, end: str) -> None:
    direct, bell = await asked(wire, CHUNKED), Bell()

    async def reading() -> None:
        direct.ring(bell)
        await direct.readany()

    handler = asyncio.create_task(Pump(reading(), bell).run())
    await asyncio.sleep(0)
    if end == "abort":
        direct.abort()
    else:
        direct.connection_lost(ConnectionResetError())

    with pytest.raises(Broken) as broken:
        await handler
    assert broken.value.how is How.RESET


def sparing(wire: Wire, *, unpacked: bool = False) -> Direct:
    """Return an answer of which nothing is read ahead."""
    common = memoryview(bytearray(GULP))
    direct = Direct(cast("Connection", wire), unpacked=unpacked, common=common)
    direct.ask(HEAD, b"{}", PATIENCE)
    return direct


def comes(wire: Wire, data: bytes) -> bytes:
    """Have bytes come until the connection reads no more, or another; return the rest."""
    filling = cast("Filling", wire.inner)
    while data and wire.reading and wire.inner is filling:
        here = filling.get_buffer(-1)
        size = min(len(here), len(data))
        here[:size] = data[:size]
        filling.buffer_updated(size)
        data = data[size:]
    return data


SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


async def test_a_sparing_reader_has_little_read_ahead_and_the_rest_in_its_memory(
    wire: Wire,
) -> None:
    direct = sparing(wire)
    rest = comes(wire, SIZED % len(LARGE) + LARGE)
    await direct.head()
    assert len(rest) > len(LARGE) - (1 << 15)
    assert not wire.reading

    target = bytearray(b"x" * (len(LARGE) + 1))
    filling = asyncio.ensure_future(direct.fill(memoryview(target)))
    await asyncio.sleep(0)
    assert comes(wire, rest[:-1]) == b""
    assert not filling.done()
    comes(wire, rest[-1:])

    assert wire.said[-2:] == ["restore", "release"]
    assert await filling == direct.size == len(LARGE)
    assert bytes(target) == LARGE + b"x"
    assert await direct.readany() == b""
    direct.close()
    target.append(0)  # nothing refers to it


async def test_a_body_that_came_with_its_head_is_taken_over(wire: Wire) -> None:
    direct, target = sparing(wire), bytearray(9)
    comes(wire, OK)
    await direct.head()

    assert await direct.fill(memoryview(target)) == 2
    assert target.startswith(b"ok")


@pytest.mark.parametrize(
    "answer",
    [
        CHUNKED + chunk(b"four") + END,
        SIZED % 4 + b"four",
        OK.replace(b"\r\n", b"\r\nConnection: close\r\n", 1),
    ],
    ids=["chunks", "larger than the memory", "fits"],
)
async def test_what_is_not_filled_is_read(wire: Wire, answer: bytes) -> None:
    direct, target = sparing(wire), bytearray(3)
    comes(wire, answer)
    await direct.head()

    size = await direct.fill(memoryview(target))
    assert bytes(target[:size]) + await whole(direct) in {b"four", b"ok"}
    assert "release" in wire.said or "close" in wire.said


async def test_no_memory_is_lent_for_a_coded_body_or_by_others(wire: Wire) -> None:
    body = gzip.compress(b"packed")
    coded = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    direct = sparing(wire, unpacked=True)
    comes(wire, coded % len(body) + body)
    await direct.head()
    other = await asked(Wire(), OK)

    assert await direct.fill(memoryview(bytearray(99))) == 0
    assert await whole(direct) == b"packed"
    assert await other.fill(memoryview(bytearray(99))) == 0


@pytest.mark.parametrize("error", [None, ConnectionResetError()])
async def test_a_body_that_is_cut_while_it_is_filled_is_broken(
    wire: Wire, error: Exception | None
) -> None:
    direct, target = sparing(wire), bytearray(9)
    comes(wire, SIZED % 9 + b"half")
    await direct.head()
    filling = asyncio.ensure_future(direct.fill(memoryview(target)))
    await asyncio.sleep(0)
    comes(wire, b" a")
    cast("Filling", wire.inner).connection_lost(error)

    with pytest.raises(Broken) as caught:
        await filling
    assert caught.value.how is How.RESET


async def test_who_stops_waiting_takes_the_memory_back(wire: Wire) -> None:
    direct, target = sparing(wire), bytearray(9)
    comes(wire, SIZED % 9 + b"half")
    await direct.head()
    filling = asyncio.ensure_future(direct.fill(memoryview(target)))
    await asyncio.sleep(0)
    filling.cancel()
    await asyncio.wait([filling])
    direct.close()

    assert "release" not in wire.said
    comes(wire, b" a body")
    assert bytes(target) == b"half" + bytes(5)


async def test_a_body_that_falls_silent_while_it_is_filled_is_stalled(wire: Wire) -> None:
    direct = sparing(wire)
    comes(wire, SIZED % 9 + b"half")
    await direct.head()
    direct.allow_silence(0.01)

    with pytest.raises(Broken) as caught:
        await direct.fill(memoryview(bytearray(9)))
    assert caught.value.how is How.STALLED
