"""Which request bodies are kept, and that what was taken for them is given back."""

import asyncio
from typing import Any, cast

import attrs
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.errors import Busy, Encoded, TooLarge
from gemproxy.relay.bodies import Bodies, Body


@attrs.define
class Content:
    """A request's body as it comes."""

    pieces: list[bytes]
    broken: Exception | None = None

    async def readany(self) -> bytes:
        while self.pieces:
            if piece := self.pieces.pop(0):
                return piece
        if self.broken is not None:
            raise self.broken
        return b""

    def is_eof(self) -> bool:
        return False


@attrs.define
class Request:
    """The part of a request that matters here."""

    content: Content
    content_length: int | None = None
    headers: dict[str, str] = attrs.field(factory=dict)


def request(*pieces: bytes, length: int | None = None, broken: Exception | None = None) -> Any:
    return cast("web.BaseRequest", Request(Content(list(pieces), broken), length))


async def whole(body: Body) -> bytes:
    """Return what goes up: what is kept, or what the stream yields."""
    if body.stream is None:
        return body.kept
    return b"".join([piece async for piece in body.stream])


async def test_a_body_within_the_bounds_is_kept() -> None:
    async with Bodies(each=10, total=100).receive(request(b"01234", b"56789")) as body:
        assert body == Body(kept=b"0123456789")


async def test_a_body_that_is_empty_is_kept() -> None:
    async with Bodies(each=10, total=100).receive(request()) as body:
        assert body == Body(kept=b"")


async def test_a_body_beyond_the_bound_is_streamed_whole() -> None:
    async with Bodies(each=10, total=100).receive(request(b"01234", b"567890", b"!")) as body:
        assert body.kept == b""
        assert body.stream is not None
        assert await whole(body) == b"01234567890!"


async def test_bodies_together_are_bounded() -> None:
    bodies = Bodies(each=10, total=15)
    async with bodies.receive(request(b"x" * 10)) as first:
        async with bodies.receive(request(b"y" * 10)) as second:
            assert first.stream is None
            assert second.stream is not None
        async with bodies.receive(request(b"z" * 5)) as third:
            assert third.stream is None


def test_a_body_that_outlives_its_request_counts_until_it_is_let_go() -> None:
    bodies = Bodies(each=10, total=5)
    with bodies.outliving(6):
        assert bodies.is_crowded()
    assert (bodies.held, bodies.is_crowded()) == (0, False)


@pytest.mark.parametrize("error", [ConnectionResetError(), asyncio.CancelledError()])
async def test_a_body_that_breaks_off_gives_back_what_it_took(error: Exception) -> None:
    bodies = Bodies(each=10, total=100)

    with pytest.raises(type(error)):
        async with bodies.receive(request(b"01234", broken=error)):
            pytest.fail("there is no body")

    assert bodies.held == 0


async def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    with pytest.raises(TooLarge):
        async with Bodies(each=10, total=100, limit=20).receive(request(b"x", length=21)):
            pytest.fail("there is no body")


async def test_a_body_that_turns_out_too_large_is_not_read_to_its_end() -> None:
    bodies = Bodies(each=10, total=100, limit=20)
    async with bodies.receive(request(b"x" * 15, b"x" * 5, b"x")) as body:
        with pytest.raises(TooLarge):
            await whole(body)


@given(st.lists(st.lists(st.binary(max_size=20), max_size=5), max_size=5))
async def test_every_body_goes_up_whole_and_all_is_given_back(contents: list[list[bytes]]) -> None:
    bodies = Bodies(each=30, total=60)

    async def serve(pieces: list[bytes]) -> bytes:
        async with bodies.receive(request(*pieces)) as body:
            assert len(body.kept) <= 30
            return await whole(body)

    sent = await asyncio.gather(*map(serve, contents))

    assert sent == [b"".join(pieces) for pieces in contents]
    assert bodies.held == 0


@pytest.mark.parametrize("coding", ["", " ", "Identity", " identity "])
async def test_a_body_that_is_not_compressed_may_say_so(coding: str) -> None:
    plain = request(b"x")
    plain.headers["Content-Encoding"] = coding

    async with Bodies(each=10, total=100).receive(plain) as body:
        assert body.kept == b"x"


async def test_a_compressed_body_is_refused_before_it_is_read() -> None:
    packed = request(b"x")
    packed.headers["Content-Encoding"] = "gzip"

    with pytest.raises(Encoded):
        async with Bodies(each=10, total=100).receive(packed):
            pytest.fail("it was taken")
    assert packed.content.pieces == [b"x"]


async def test_bodies_too_large_to_keep_leave_the_room_to_small_ones() -> None:
    bodies = Bodies(each=10, total=20)
    async with (
        bodies.receive(request(b"x" * 11)) as one,
        bodies.receive(request(b"y" * 6, b"y" * 6, b"y")) as other,
        bodies.receive(request(b"z" * 6)) as small,
    ):
        assert one.stream is not None
        assert other.stream is not None
        assert small.kept == b"z" * 6
        assert bodies.held == 6
        assert await whole(other) == b"y" * 13


@attrs.define
class Halting(Content):
    """A body that brings its pieces, and waits for ``go`` before its end."""

    waits: asyncio.Event = attrs.field(factory=asyncio.Event)
    go: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def readany(self) -> bytes:
        if not self.pieces:
            self.waits.set()
            await self.go.wait()
        return await Content.readany(self)


async def test_large_bodies_that_halt_leave_the_room_to_small_ones() -> None:
    bodies = Bodies(each=10, total=20)
    halting = [Halting([b"x" * 9]), Halting([b"y" * 10])]

    async def serve(content: Halting) -> bytes:
        async with bodies.receive(cast("web.BaseRequest", Request(content))) as body:
            content.go.set()
            return await whole(body)

    waiting = [asyncio.create_task(serve(content)) for content in halting]
    for content in halting:
        await content.waits.wait()
    async with bodies.receive(request(b"z" * 6)) as small:
        assert small.kept == b"z" * 6
        assert bodies.held == 6 + 9
        assert await waiting[1] == b"y" * 10, "the largest goes up at once, and whole"
        halting[0].go.set()
        assert await waiting[0] == b"x" * 9

    assert bodies.held == 0


async def test_a_body_that_says_it_is_too_large_to_keep_is_not_read_ahead() -> None:
    large = request(b"x" * 11, length=11)
    async with Bodies(each=10, total=20).receive(large) as body:
        assert body.stream is not None
        assert large.content.pieces == [b"x" * 11]
        assert await whole(body) == b"x" * 11


async def test_little_is_read_ahead_while_much_waits_to_be_passed_on() -> None:
    bodies = Bodies(each=10 << 20, total=15 << 20)
    piece = b"x" * (2 << 20)

    async with (
        bodies.receive(request(*[piece] * 6)) as first,
        bodies.receive(request(*[piece] * 3)) as second,
        bodies.receive(request(piece)) as third,
    ):
        assert first.stream is not None
        assert second.stream is not None
        assert first.stream.buffered + second.stream.buffered <= 16 << 20
        assert await whole(second) == piece * 3
        assert await whole(first) == piece * 6
        assert third.stream is not None
    async with bodies.receive(request(piece)) as fourth:
        assert fourth.kept == piece


async def test_a_body_that_has_to_be_read_is_kept_beyond_the_bound() -> None:
    bodies = Bodies(each=10, total=100)
    async with bodies.receive(request(b"01234", b"567890", length=11), whole=True) as body:
        assert body == Body(kept=b"01234567890")
        assert bodies.held == 11
    assert bodies.held == 0


async def test_a_body_that_has_to_be_read_and_has_no_room_is_refused() -> None:
    bodies = Bodies(each=10, total=100)
    with pytest.raises(Busy, match="no room"):
        async with bodies.receive(request(b"0" * 60, b"1" * 60), whole=True):
            pass
    assert bodies.held == 0
