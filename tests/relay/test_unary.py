"""The pieces of a unary call: what is kept of an answer, and what can be read in it."""

import gzip
import random
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import attrs
import pytest
from multidict import CIMultiDict

from gemproxy.core.answer.usage import Billed
from gemproxy.core.errors import DeadlinePassed, Exhausted, GemproxyError, KeyRefused
from gemproxy.core.repair.blame import Fault, blame
from gemproxy.core.repair.events import Cause, How
from gemproxy.core.repair.policy import Policy
from gemproxy.core.repair.request import StreamRequest
from gemproxy.core.repair.unary import Judge, Look
from gemproxy.exchange.deadline import Deadline
from gemproxy.relay.bodies import Bodies
from gemproxy.relay.downstream import ClientSink
from gemproxy.relay.pacing import Budget, Pacing
from gemproxy.relay.unary import Answer, Call, OpenReply, Shelf, is_json
from gemproxy.relay.upstream import AttemptFailed, Reply

JSON = {"Content-Type": "application/json; charset=UTF-8"}
PACKED = {**JSON, "Content-Encoding": "gzip"}


@attrs.define
class Told:
    """A sink that notes what it is told."""

    committed: bool = False
    status: int = 0
    headers: CIMultiDict[str] = attrs.field(factory=CIMultiDict)
    body: bytes = b""
    finished: bool = False

    async def open(self, status: int, headers: CIMultiDict[str]) -> None:
        self.committed, self.status, self.headers = True, status, headers

    async def emit(self, raw: bytes) -> None:
        self.body += raw

    async def answer(self, status: int, headers: CIMultiDict[str], body: bytes) -> None:
        await self.open(status, headers)
        await self.emit(body)
        await self.finish()

    async def finish(self) -> None:
        self.finished = True


@attrs.define
class Said:
    """One answer of an upstream: pieces of a body, and how it breaks, if it does."""

    pieces: list[bytes]
    status: int = 200
    headers: dict[str, str] = attrs.field(factory=lambda: dict(JSON))
    breaks: How | None = None
    silences: list[float] = attrs.field(factory=list)
    error: object = None
    another: bool = False
    usage: object = None
    named: object = None

    def allow_silence(self, seconds: float) -> None:
        self.silences.append(seconds)

    async def read(self) -> bytes:
        if self.pieces:
            return self.pieces.pop(0)
        if self.breaks is not None:
            raise AttemptFailed(self.breaks, "scripted")
        return b""


def opening(*answers: Said | How | GemproxyError) -> OpenReply:
    left = list(answers)

    @asynccontextmanager
    async def attempt() -> AsyncIterator[Reply]:
        answer = left.pop(0)
        if isinstance(answer, GemproxyError):
            raise answer
        if isinstance(answer, How):
            raise AttemptFailed(answer, "scripted")
        yield cast(Reply, answer)

    return attempt


async def no_sleep(_seconds: float) -> None:
    pass


def calling(
    sink: Told,
    *answers: Said | How | GemproxyError,
    each: int = 100,
    room: int = 1000,
    judge: Judge | None = None,
    **more: Any,
) -> Call:
    retries = Budget(max_consecutive_retries=len(answers) - 1)
    return Call(
        judge or Judge(StreamRequest(b""), Policy()),
        opening(*answers),
        Pacing(retries, lambda: 0, sleep=no_sleep),
        cast(ClientSink, sink),
        Shelf(Bodies(each=1, total=room), each),
        **{"deadline": Deadline(), "silence": 3600.0, **more},
    )


async def test_an_answer_is_told_when_it_is_whole() -> None:
    sink = Told()
    call = calling(sink, Said([b"a"], breaks=How.RESET), Said([b"b", b"c"]))

    await call.run()

    assert (sink.status, sink.body, sink.finished) == (200, b"bc", True)
    report = call.report()
    assert (report.attempts, report.causes, report.repair) == (2, [Cause.DROP], True)
    assert (report.generation, report.upstream) == (None, None)
    assert call.shelf.bodies.held == 0


async def test_an_answer_that_outgrows_the_shelf_is_told_from_its_beginning() -> None:
    sink = Told()

    await calling(sink, Said([b"a" * 60, b"b" * 60, b"c" * 60])).run()

    assert sink.body == b"a" * 60 + b"b" * 60 + b"c" * 60
    assert sink.finished


async def test_an_answer_that_breaks_after_its_beginning_is_raised() -> None:
    sink = Told()
    call = calling(sink, Said([b"a" * 200], breaks=How.STALLED), Said([b"never"]))

    with pytest.raises(AttemptFailed):
        await call.run()

    assert not sink.finished
    assert call.report().upstream is How.STALLED


@pytest.mark.parametrize("length", ["101", "many", "²"])
async def test_an_answer_that_says_it_is_too_large_is_told_as_it_comes(length: str) -> None:
    sink = Told()
    said = Said([b"a"], headers={**JSON, "Content-Length": length}, breaks=How.RESET)

    with pytest.raises(AttemptFailed):
        await calling(sink, said).run()

    assert sink.body == b"a"


@pytest.mark.parametrize(
    ("how", "status"),
    [
        (How.UNREACHABLE, 503),
        (How.NO_FIRST_BYTE, 504),
        (How.STALLED, 504),
        (How.RESET, 502),
        (How.GARBLED, 502),
    ],
)
async def test_no_answer_is_explained_by_the_last_failure(how: How, status: int) -> None:
    call = calling(Told(), How.RESET, how)

    with pytest.raises(GemproxyError) as caught:
        await call.run()

    assert caught.value.status == status
    assert call.report().upstream is how


async def test_silence_up_to_the_deadline_is_told_as_that() -> None:
    sink = Told()

    with pytest.raises(DeadlinePassed):
        await calling(sink, How.NO_FIRST_BYTE, deadline=Deadline(1, began=-1)).run()

    assert not sink.committed


async def test_silence_is_not_asked_again_and_an_earlier_error_says_more() -> None:
    sink = Told()
    call = calling(sink, Said([b"busy"], status=503), How.NO_FIRST_BYTE, Said([b"never"]))

    await call.run()

    assert (sink.status, sink.body) == (503, b"busy")
    assert call.report().attempts == 2


@pytest.mark.parametrize("said", [Said([b"a", b"b"]), Said([b"a"] * 200), Said([b"a"], headers={})])
async def test_an_answer_that_has_begun_may_pause_for_longer_than_the_client_gave(
    said: Said,
) -> None:
    await calling(Told(), said, silence=7.0).run()

    assert set(said.silences) == {7.0}


@pytest.mark.parametrize(
    ("said", "body"),
    [
        (Said([b"{}"]), b"other"),
        (Said([b"{}"], status=201), b"{}"),
        (Said([b"{}"], headers={}), b"{}"),
        (Said([gzip.compress(b"{}", mtime=0)], headers=PACKED), gzip.compress(b"{}", mtime=0)),
    ],
)
async def test_a_plain_json_answer_can_be_rewritten(said: Said, body: bytes) -> None:
    sink = Told()
    said.headers |= {"Content-Length": str(len(said.pieces[0]))}

    await calling(sink, said, rewrite=lambda _: b"other").run()

    assert sink.body == body
    assert sink.headers["Content-Length"] == str(len(body))


async def test_what_is_not_rewritten_is_told_as_it_came() -> None:
    sink = Told()

    await calling(sink, Said([b"{ }"]), rewrite=lambda _: None).run()

    assert sink.body == b"{ }"


@pytest.mark.parametrize("size", [1, 200])
async def test_the_headers_of_every_answer_are_translated(size: int) -> None:
    sink = Told()

    def translate(headers: CIMultiDict[str]) -> None:
        headers["X-New"] = "1"

    await calling(sink, Said([b"a" * size]), translate=translate).run()

    assert sink.headers["X-New"] == "1"


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON ; charset=UTF-8"])
def test_json_is_known_by_its_type(kind: str) -> None:
    assert is_json({"Content-Type": kind})


@pytest.mark.parametrize("kind", ["", "text/event-stream", "application/jsonl", "json"])
def test_everything_else_is_no_json(kind: str) -> None:
    assert not is_json({"Content-Type": kind})


@pytest.mark.parametrize("status", [200, 429])
def test_a_packed_answer_can_be_read(status: int) -> None:
    assert Answer(status, PACKED, gzip.compress(b"{}", mtime=0)).document == b"{}"


@pytest.mark.parametrize("coding", ["br", "zstd"])
def test_a_coding_that_is_not_undone_hides_the_document(coding: str) -> None:
    assert Answer(200, {**JSON, "Content-Encoding": coding}, b"{}").document is None
    assert Answer(429, {**JSON, "Content-Encoding": coding}, b"{}").document is None


def test_an_error_that_cannot_be_unpacked_says_enough_by_its_status() -> None:
    assert Answer(429, PACKED, b"nonsense").document is None


@pytest.mark.parametrize(
    ("coding", "false"),
    [
        ("gzip", b"nonsense"),
        ("gzip", gzip.compress(b"{}", mtime=0)[:-1]),
        ("gzip", gzip.compress(b"{}", mtime=0)[:-8] + bytes(8)),
        ("GZIP", b'{"candidates": []}'),
        ("x-gzip", gzip.compress(b"{}", mtime=0)[:9]),
        ("deflate", b"nonsense"),
        ("deflate", zlib.compress(b"{}")[:-1]),
    ],
)
async def test_an_answer_of_false_compression_is_asked_again_and_never_passed_on(
    coding: str, false: bytes
) -> None:
    head = {**JSON, "Content-Encoding": coding}
    good = gzip.compress(b"{}", mtime=0)
    sink = Told()
    call = calling(sink, Said([false], headers=head), Said([good], headers=dict(PACKED)))

    await call.run()

    assert (sink.body, sink.headers["Content-Encoding"]) == (good, "gzip")
    assert call.report().causes == [Cause.GARBLED]

    with pytest.raises(GemproxyError) as caught:
        await calling(Told(), *(Said([false], headers=head) for _ in range(2))).run()
    assert caught.value.status == 502


async def test_a_large_packed_answer_passes_as_it_came() -> None:
    packed = gzip.compress(random.Random(0).randbytes(400_000))
    sink = Told()

    await calling(sink, Said([packed], headers=dict(PACKED)), each=1 << 20, room=1 << 20).run()

    assert sink.body == packed


@pytest.mark.parametrize("status", [200, 204, 304])
async def test_an_answer_without_a_body_is_of_no_false_compression(status: int) -> None:
    sink = Told()

    await calling(sink, Said([], status=status, headers=dict(PACKED))).run()

    assert (sink.status, sink.body, sink.finished) == (status, b"", True)


def test_no_more_of_a_packed_error_is_unpacked_than_an_error_needs() -> None:
    bomb = gzip.compress(bytes(50 << 20))

    assert len(Answer(503, PACKED, bomb).document or b"") == 1 << 20


def test_a_shelf_has_room_for_one_answer_and_shares_the_space_of_all() -> None:
    bodies = Bodies(each=1, total=100, held=50)
    shelf = Shelf(bodies, each=30)

    assert shelf.takes(30)
    assert not shelf.takes(1)
    assert bodies.held == 50, "an answer that does not fit is passed on, and not kept"
    shelf.clear()
    assert bodies.held == 50
    assert not Shelf(bodies, each=99).takes(51)


DENIED = b'{"error":{"code":403,"status":"PERMISSION_DENIED","message":"leaked"}}'
EMPTY = b'{"candidates":[{"finishReason":"STOP"}]}'
LIMITED = b"""{"candidates":[{"content":{"parts":[{"text":"a"}]},
    "finishReason":"PUP_LIMITED_DISABLED"}],"usageMetadata":{"promptTokenCount":7}}"""


def judging(*, repair: bool = True) -> Judge:
    return Judge(StreamRequest(b""), Policy(repair=repair), Look.GENERATION)


async def test_an_error_of_the_key_behind_a_success_is_asked_of_another_key() -> None:
    sink, refused = Told(), Said([DENIED], another=True)

    await calling(sink, refused, Said([LIMITED]), each=1000, judge=judging()).run()

    assert sink.body == LIMITED
    assert blame(403, cast("Any", refused.error)) is Fault.KEY


async def test_an_error_of_the_key_is_not_told_where_nothing_is_repaired() -> None:
    refused = Said([DENIED], another=True)

    with pytest.raises(KeyRefused):
        await calling(Told(), refused, judge=judging(repair=False)).run()


async def test_an_empty_answer_says_more_than_that_no_key_is_left() -> None:
    sink = Told()

    await calling(sink, Said([EMPTY]), Exhausted("All rest.", 7.0), judge=judging()).run()

    assert (sink.status, sink.body) == (200, EMPTY)


async def test_that_no_key_serves_says_more_than_an_error() -> None:
    with pytest.raises(Exhausted):
        await calling(Told(), Said([b"{}"], status=503), Exhausted("All rest.", 7.0)).run()


async def test_the_lease_hears_what_an_answer_cost_and_of_a_disabled_account() -> None:
    said = Said([LIMITED])

    await calling(Told(), said, each=1000, judge=judging()).run()

    assert said.usage == Billed(7, 0, 0, 7)
    assert blame(403, cast("Any", said.error)) is Fault.KEY
