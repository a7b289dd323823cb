"""One interaction's request, between an upstream and a client that are lists."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import attrs
import pytest

from gemproxy.core.errors import Unreachable, Unrepaired
from gemproxy.core.interactions.machine import InteractionMachine
from gemproxy.core.interactions.origin import Origin, Point
from gemproxy.core.repair.engine import Patience
from gemproxy.core.repair.events import Cause, How
from gemproxy.core.wire.sse import SSEDecoder
from gemproxy.exchange.account import InteractionResult
from gemproxy.generation.generation import Generation, Refused
from gemproxy.generation.kinds import INTERACTION, is_event_stream
from gemproxy.relay.downstream import ClientGone
from gemproxy.relay.pacing import Budget, Pacing
from gemproxy.relay.pages import Refusal
from gemproxy.relay.upstream import AttemptFailed, Reply
from gemproxy.relay.watch import Timing
from tests.generation.scripted import DROP, HOUR, SILENCE, ListReader, Read, Scripted, exchange

NO_WAY = AttemptFailed(How.UNREACHABLE, "refused")
EVENTS = {"Content-Type": "text/event-stream; charset=utf-8"}
CREATE = Origin(creates=True)
READ = Origin(creates=False, interaction_id="v1_a")


def event(kind: str, more: str) -> bytes:
    return f'event: {kind}\ndata: {{{more},"event_type":"{kind}"}}\n\n'.encode()


CREATED = event("interaction.created", '"interaction":{"id":"v1_a","status":"in_progress"}')
ONE = event("step.delta", '"event_id":"e1","delta":{"type":"text","text":"one"}')
TWO = event("step.delta", '"event_id":"e2","delta":{"type":"text","text":"two"}')
COMPLETED = event("interaction.completed", '"interaction":{"id":"v1_a","status":"completed"}')
END = b"event: done\ndata: [DONE]\n\n"


def scripted(reads: list[Read], status: int = 200, headers: Mapping[str, str] = EVENTS) -> Scripted:
    """Return a reply, an event stream unless it is said otherwise."""
    return Scripted(reads, status, headers)


@attrs.define(eq=False)
class Stage:
    """A generation with its upstream, its client, and the waits between attempts."""

    attempts: list[Scripted | AttemptFailed]
    origin: Origin = CREATE
    client: ListReader = attrs.field(factory=ListReader)
    timing: Timing = attrs.field(factory=lambda: Timing(dict.fromkeys(Patience, HOUR), HOUR, HOUR))
    points: list[Point | None] = attrs.field(factory=list)
    waits: list[float] = attrs.field(factory=list)
    passed: list[Reply] = attrs.field(factory=list)
    generation: Generation[InteractionMachine] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        machine = InteractionMachine(self.origin)
        self.generation = Generation(
            INTERACTION,
            exchange(),
            INTERACTION.intake(machine, SSEDecoder),
            self.client,
            self.open_attempt,
            Pacing(
                Budget(max_consecutive_retries=2, retry_delay_ms=0),
                lambda: machine.progress,
                sleep=self.sleep,
            ),
            self.timing,
            lambda headers: {**headers, "X-Passed": "yes"},
            pass_on=self.pass_on,
        )

    @property
    def result(self) -> InteractionResult:
        """What became of it."""
        result = self.generation.exchange.account.result
        assert isinstance(result, InteractionResult)
        return result

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    async def pass_on(self, attempt: Reply) -> None:
        self.passed.append(attempt)
        await attempt.read()

    @contextlib.asynccontextmanager
    async def open_attempt(self, point: Point | None) -> AsyncIterator[Reply]:
        self.points.append(point)
        attempt = self.attempts.pop(0)
        if isinstance(attempt, AttemptFailed):
            raise attempt
        yield cast(Reply, attempt)


def stage(*attempts: list[Read] | Scripted | AttemptFailed, **more: Any) -> Stage:
    return Stage([scripted(a) if isinstance(a, list) else a for a in attempts], **more)


async def test_a_stream_passes_read_by_read() -> None:
    scene = stage([CREATED + ONE, TWO, COMPLETED + END])

    await scene.generation.run()

    assert scene.client.writes == [CREATED + ONE, TWO, COMPLETED + END]
    assert scene.client.head == (200, {**EVENTS, "X-Passed": "yes"})
    assert scene.client.ending == "finished"
    assert scene.points == [None]


async def test_a_cut_stream_is_read_on_at_once() -> None:
    scene = stage([CREATED + ONE + TWO[:9], DROP], [TWO + COMPLETED + END])

    await scene.generation.run()

    assert b"".join(scene.client.writes) == CREATED + ONE + TWO + COMPLETED + END
    assert scene.points == [None, Point("v1_a", "e1")]
    assert scene.waits == [0]
    report = scene.result
    assert (report.ending, report.attempts, report.causes) == ("done", 2, [Cause.DROP])
    assert (report.events, report.status) == (4, "completed")
    assert report.first_byte_ms is not None
    assert report.first_byte_ms >= 0


async def test_a_silent_stream_is_given_up_and_read_on() -> None:
    patience = {**dict.fromkeys(Patience, HOUR), Patience.CHUNK: 0.0}
    scene = stage(
        [CREATED + ONE, SILENCE], [TWO + COMPLETED + END], timing=Timing(patience, HOUR, HOUR)
    )

    await scene.generation.run()

    assert b"".join(scene.client.writes) == CREATED + ONE + TWO + COMPLETED + END
    assert scene.result.causes == [Cause.STALL]


async def test_the_head_goes_down_before_the_first_event() -> None:
    scene = stage([DROP])

    await scene.generation.run()

    assert scene.client.head is not None
    assert isinstance(scene.client.ending, Mapping)
    assert scene.client.ending["error"]["details"][0]["requestId"] == "request-1"


async def test_nothing_is_written_before_the_head() -> None:
    patience = {**dict.fromkeys(Patience, HOUR), Patience.THINKING: 0.05}
    timing = Timing(patience, heartbeat=0.0, headers_after=0.0)
    scene = stage([SILENCE], [CREATED + COMPLETED + END], origin=READ, timing=timing)

    await scene.generation.run()

    *beats, last = scene.client.writes
    assert set(beats) == {b"\r\n\r\n"}
    assert last == CREATED + COMPLETED + END


async def test_when_the_retries_are_used_up_the_end_is_loud() -> None:
    scene = stage([CREATED, DROP], NO_WAY, NO_WAY, NO_WAY)

    await scene.generation.run()

    assert isinstance(scene.client.ending, Mapping)
    assert scene.client.ending["error"]["code"] == 503
    assert scene.result.causes == [Cause.DROP, Cause.UNREACHABLE, Cause.UNREACHABLE]


async def test_a_refusal_to_read_on_is_told_in_the_stream() -> None:
    gone = scripted([b'{"error":{"code":403,"message":"gone"}}'], 403, {})
    scene = stage([CREATED, DROP], gone)

    await scene.generation.run()

    assert isinstance(scene.client.ending, Mapping)
    assert scene.client.ending["error"]["message"] == "gone"


async def test_retry_after_is_kept_to_the_second() -> None:
    busy = scripted([b""], 503, {"Retry-After": "7"})
    scene = stage([CREATED, DROP], busy, [COMPLETED + END])

    await scene.generation.run()

    assert scene.waits == [0, 7]
    assert scene.client.ending == "finished"


async def test_what_is_no_stream_when_read_on_is_asked_again() -> None:
    resource = scripted([b"{}"], 200, {"Content-Type": "application/json"})
    scene = stage([CREATED, DROP], resource, [COMPLETED + END])

    await scene.generation.run()

    assert scene.client.ending == "finished"
    assert scene.result.causes == [Cause.DROP, Cause.GARBLED]


@pytest.mark.parametrize("status", [200, 400, 503])
async def test_the_answer_to_a_creation_that_is_no_stream_is_the_routes(status: int) -> None:
    scene = stage(scripted([b"{}"], status, {"Content-Type": "application/json"}))

    await scene.generation.run()

    assert len(scene.passed) == 1
    assert scene.client.head is None
    assert scene.result.ending is None


async def test_such_an_answer_that_breaks_is_cut() -> None:
    scene = stage(scripted([DROP], 200, {"Content-Type": "application/json"}))

    with pytest.raises(AttemptFailed):
        await scene.generation.run()


async def test_a_creation_that_never_arrived_is_made_again() -> None:
    scene = stage(NO_WAY, [CREATED + COMPLETED + END])

    await scene.generation.run()

    assert scene.points == [None, None]
    assert scene.client.ending == "finished"


async def test_a_creation_that_cannot_arrive_is_an_error() -> None:
    scene = stage(NO_WAY, NO_WAY, NO_WAY)

    with pytest.raises(Unreachable):
        await scene.generation.run()


async def test_a_read_is_refused_with_the_upstreams_own_words() -> None:
    scene = stage(scripted([b"no"], 404, {"X-Said": "no"}), origin=READ)

    with pytest.raises(Refused) as caught:
        await scene.generation.run()

    assert caught.value.refusal == Refusal(404, {"X-Said": "no", "X-Passed": "yes"}, b"no")


async def test_a_read_is_asked_again_while_the_server_is_down() -> None:
    down = scripted([b"down"], 503, {})
    scene = stage(down, [CREATED + COMPLETED + END], origin=READ)

    await scene.generation.run()

    assert scene.client.ending == "finished"


async def test_where_the_client_goes_on_by_itself_the_cut_is_without_a_word() -> None:
    token = event("interaction.status_update", '"status":"in_progress","continuation_token":"t"')
    scene = stage([CREATED + token, DROP], origin=Origin(creates=True, keeps=False))

    await scene.generation.run()

    assert scene.client.ending == "cut"


async def test_a_client_that_is_gone_ends_it() -> None:
    scene = stage([CREATED, ONE], client=ListReader(leaves_after=1))

    with pytest.raises(ClientGone):
        await scene.generation.run()


async def test_what_is_told_otherwise_is_an_error() -> None:
    plain = event("step.delta", '"delta":{"type":"text","text":"one"}')
    other = event("step.delta", '"delta":{"type":"text","text":"on"}')
    scene = stage([CREATED + plain, DROP], [CREATED + other])

    await scene.generation.run()

    assert isinstance(scene.client.ending, Mapping)
    assert scene.client.ending == Unrepaired(
        "The stream broke, and is told otherwise the second time."
    ).payload("request-1")


@pytest.mark.parametrize(
    ("status", "headers", "events"),
    [
        (200, EVENTS, True),
        (200, {"Content-Type": "Text/Event-Stream", "Content-Encoding": "identity"}, True),
        (200, {**EVENTS, "Content-Encoding": "gzip"}, False),
        (503, EVENTS, False),
        (200, {"Content-Type": "application/json"}, False),
        (200, {}, False),
    ],
)
def test_an_event_stream_is_one_that_can_be_read(
    status: int, headers: Mapping[str, str], events: bool
) -> None:
    assert is_event_stream(cast(Reply, scripted([], status, headers))) is events
