"""A generation of a stream, between an upstream and a client that are lists."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.answer.usage import Billed
from gemproxy.core.errors import (
    Exhausted,
    GemproxyError,
    NoFirstByte,
    TooLarge,
    Unreachable,
    Unrepaired,
)
from gemproxy.core.repair.blame import Fault, blame
from gemproxy.core.repair.continuation import Form
from gemproxy.core.repair.engine import Patience
from gemproxy.core.repair.events import Cause, How
from gemproxy.core.repair.machine import StreamMachine
from gemproxy.core.repair.request import StreamRequest
from gemproxy.core.seam.seam import Joint
from gemproxy.core.wire.sse import SSEDecoder
from gemproxy.exchange.account import Entry, StreamResult
from gemproxy.generation import generation
from gemproxy.generation.generation import Generation, Refused
from gemproxy.generation.kinds import STREAM
from gemproxy.owners.naming import TOKENS, hashed
from gemproxy.owners.witness import TokenWitness
from gemproxy.relay.downstream import ClientGone
from gemproxy.relay.pacing import Budget, Pacing
from gemproxy.relay.upstream import AttemptFailed, Reply
from gemproxy.relay.watch import Timing, Watch
from tests.gemini import BODY, REQUEST, chunk, documents, sse, text_of
from tests.generation.scripted import DROP, HOUR, SILENCE, ListReader, Read, Scripted, exchange

ONE, TWO, END = (
    sse(chunk("The lamp is never left alone, ")),
    sse(chunk("and the keeper knows it well; ")),
    sse(chunk("good night.", finish="STOP")),
)
BUDGET = Budget(max_consecutive_retries=2, retry_delay_ms=0)


@attrs.define(eq=False)
class Stage:
    """A generation with its upstream, its client, and the waits between attempts."""

    attempts: list[Scripted | AttemptFailed | GemproxyError]
    client: ListReader = attrs.field(factory=ListReader)
    bodies: list[bytes] = attrs.field(factory=list)
    waits: list[float] = attrs.field(factory=list)
    made: list[Scripted] = attrs.field(factory=list)
    usages: list[Billed | None] = attrs.field(factory=list)
    generation: Generation[StreamMachine] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        machine = StreamMachine(StreamRequest(BODY))
        self.generation = Generation(
            STREAM,
            exchange(),
            STREAM.intake(machine, SSEDecoder),
            self.client,
            self.open_attempt,
            Pacing(BUDGET, lambda: machine.progress, sleep=self.sleep),
            Timing(dict.fromkeys(Patience, HOUR), HOUR, HOUR),
            lambda headers: {**headers, "X-Passed": "yes"},
        )

    @property
    def result(self) -> StreamResult:
        """What became of it."""
        result = self.generation.exchange.account.result
        assert isinstance(result, StreamResult)
        return result

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    @contextlib.asynccontextmanager
    async def open_attempt(self, body: bytes) -> AsyncIterator[Reply]:
        self.bodies.append(body)
        self.generation.exchange.account.entries.append(Entry(began=0.0))  # as the dispatcher does
        attempt = self.attempts.pop(0)
        if isinstance(attempt, Exception):
            raise attempt
        self.made.append(attempt)
        try:
            yield cast(Reply, attempt)
        finally:
            attempt.closed = True
            self.usages.append(self.generation.exchange.account.entries[-1].usage)


def stage(*attempts: list[Read] | Scripted | AttemptFailed | GemproxyError, **more: Any) -> Stage:
    return Stage([Scripted(a) if isinstance(a, list) else a for a in attempts], **more)


async def test_others_have_their_turn_while_a_large_document_is_judged() -> None:
    rows = json.dumps([{"id": number, "ok": True} for number in range(4000)])
    at = len(rows) // 2
    scene = stage([sse(chunk(rows[:at])), DROP], [sse(chunk(rows[at:], finish="STOP"))])
    config = {"generationConfig": {"responseMimeType": "application/json"}}
    scene.generation.machine.request = StreamRequest(json.dumps({**REQUEST, **config}).encode())
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    busy = asyncio.create_task(others())
    await scene.generation.run()
    busy.cancel()

    assert text_of(b"".join(scene.client.writes)) == rows
    assert scene.client.ending == "finished"
    assert turns > 40


async def test_a_stream_passes_read_by_read() -> None:
    scene = stage([ONE, TWO + END])

    await scene.generation.run()

    assert scene.client.writes == [ONE, TWO, END]
    assert scene.client.ending == "finished"
    assert scene.bodies == [BODY]
    assert scene.made[0].closed


@pytest.mark.parametrize("begun", [True, False])
async def test_what_the_client_did_wrong_is_told_in_the_middle_too(begun: bool) -> None:
    wrong = TooLarge("The request body is larger than the proxy accepts.")
    scene = stage([ONE, wrong] if begun else [wrong])

    if begun:
        await scene.generation.run()
        assert scene.client.ending == wrong.payload("request-1")
    else:
        with pytest.raises(TooLarge):
            await scene.generation.run()
    assert scene.bodies == [BODY], "nothing is asked again"


async def test_frames_that_come_in_one_read_go_out_in_one_write() -> None:
    scene = stage([ONE + TWO, END])

    await scene.generation.run()

    assert scene.client.writes == [ONE + TWO, END]


async def test_half_a_frame_waits_for_the_other() -> None:
    scene = stage([ONE[:20], ONE[20:] + TWO[:9], TWO[9:], END])

    await scene.generation.run()

    assert scene.client.writes == [ONE, TWO, END]


async def test_attempts_that_bring_more_than_a_stream_may_are_the_last() -> None:
    scene = stage([ONE, DROP], [TWO, TWO, END])
    scene.generation.max_bytes = len(ONE + TWO)

    await scene.generation.run()

    assert scene.client.writes[0] == ONE
    assert "larger than" in str(scene.client.ending)
    assert len(scene.bodies) == 2


@pytest.mark.parametrize("thinks", [False, True])
async def test_what_an_attempt_only_repeats_does_not_count(thinks: bool) -> None:
    """Together the attempts bring more than a stream may; what the client gets is less."""
    said = "The keeper counts the ships that pass, and every night there are some fewer of them. "
    story = "".join(said.replace("ships", f"{n} ships") for n in range(20))
    half = len(story) // 2
    again = [{"text": "Hm. " * 300, "thought": True}] if thinks else []
    repeated = story[half:] if thinks else story
    first = sse(chunk(parts=[*again, {"text": story[:half]}]))
    rest = [sse(chunk(parts=again))] * thinks + [
        sse(chunk(repeated[at : at + 50])) for at in range(0, len(repeated), 50)
    ]
    scene = stage([first, DROP], [*rest, END])
    scene.generation.max_bytes = len(first) + sum(map(len, rest)) - 600

    await scene.generation.run()

    assert scene.client.ending == "finished"
    assert text_of(b"".join(scene.client.writes)) == story + "good night."


async def test_one_attempt_may_not_bring_more_than_a_stream_even_if_all_is_repeated() -> None:
    thought = sse(chunk(parts=[{"text": "Hm. " * 300, "thought": True}]))
    scene = stage([thought + ONE, DROP], [thought] * 9)
    scene.generation.max_bytes = 4 * len(thought)

    await scene.generation.run()

    assert "larger than" in str(scene.client.ending)
    assert len(scene.made[1].reads) > 0


async def test_the_head_is_that_of_the_first_attempt_that_streamed() -> None:
    scene = stage(
        Scripted([b"{}"], status=503, headers={"X-A": "0"}),
        Scripted([ONE, DROP], headers={"X-A": "1"}),
        Scripted([TWO + END], headers={"X-A": "2"}),
    )

    await scene.generation.run()

    assert scene.client.head == (200, {"X-A": "1", "X-Passed": "yes"})


async def test_after_a_drop_the_next_attempt_goes_on_from_the_text() -> None:
    scene = stage([ONE, DROP], [TWO, END])

    await scene.generation.run()

    assert text_of(b"".join(scene.client.writes)) == text_of(ONE + TWO + END)
    assert scene.bodies[0] == BODY
    assert b"The lamp is never left alone," in scene.bodies[1]
    assert scene.waits == [0.0]
    assert all(attempt.closed for attempt in scene.made)


async def test_a_form_that_is_refused_is_followed_by_the_next_at_once() -> None:
    refused = Scripted([b'{"error": {"message": "No model turn."}}'], status=400)
    scene = stage([ONE, DROP], refused, [TWO, END])

    await scene.generation.run()

    assert text_of(b"".join(scene.client.writes)) == text_of(ONE + TWO + END)
    assert scene.waits == [0.0]
    assert scene.result.causes == [Cause.DROP, Cause.REFUSED]


async def test_a_retry_after_in_the_head_is_kept() -> None:
    busy = Scripted([b"{}"], status=429, headers={"Retry-After": "7"})
    scene = stage(busy, [ONE, END])

    await scene.generation.run()

    assert scene.waits == [7.0]


@given(st.lists(st.integers(0, 1200), max_size=6), st.sampled_from([b"\n\n", b"\r\n\r\n"]))
def test_a_token_is_recorded_wherever_the_reads_are_cut(cuts: list[int], end: bytes) -> None:
    token = {"candidates": [{"content": {"parts": [{"text": "a"}]}, "continuationToken": "T"}]}
    stream = b"".join([ONE, TWO, sse(token), ONE, TWO, END]).replace(b"\r\n\r\n", end)
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    reads = [stream[begin:after] for begin, after in itertools.pairwise(edges) if begin < after]
    reply = Scripted([*reads], witness=TokenWitness(lines=True))
    scene = stage(reply)

    asyncio.run(scene.generation.run())

    assert reply.recorded == [{hashed(TOKENS, "T"): None}]
    assert b"".join(scene.client.writes) == stream


async def test_plain_events_are_not_searched_for_names() -> None:
    looked: list[tuple[bytes, bool]] = []

    class Listening:
        mark, waits = b"mark", False

        def look(self, data: bytes, *, anew: bool = False) -> Mapping[str, float | None]:
            looked.append((data, anew))
            return {}

    await stage(Scripted([ONE + TWO, TWO + END], witness=Listening())).generation.run()

    assert looked == [(END, True)]


async def test_a_refusal_before_anything_was_sent_is_the_callers_to_pass_on() -> None:
    scene = stage(Scripted([b'{"error": {}}'], status=403, headers={"X-A": "1"}))

    with pytest.raises(Refused) as caught:
        await scene.generation.run()

    assert caught.value.refusal.status == 403
    assert caught.value.refusal.headers == {"X-A": "1", "X-Passed": "yes"}
    assert caught.value.refusal.body == b'{"error": {}}'
    assert scene.client.head is None


@pytest.mark.parametrize(
    ("how", "error", "attempts"),
    [(How.UNREACHABLE, Unreachable, 3), (How.NO_FIRST_BYTE, NoFirstByte, 1)],
)
async def test_attempts_that_never_open_end_in_an_error(
    how: How, error: type[Exception], attempts: int
) -> None:
    scene = stage(*[AttemptFailed(how, "")] * 3)

    with pytest.raises(error):
        await scene.generation.run()

    assert scene.result.attempts == attempts
    assert scene.client.head is None


async def test_an_answer_that_cannot_be_completed_fails_where_it_is() -> None:
    scene = stage([ONE, DROP], [DROP], [DROP])

    await scene.generation.run()

    assert scene.client.writes == [ONE]
    assert isinstance(scene.client.ending, Mapping)
    error = scene.client.ending["error"]
    assert (error["code"], error["status"]) == (503, "UNAVAILABLE")
    assert error["details"][0]["requestId"] == "request-1"
    assert "2 retries in a row" in error["message"]


async def test_nothing_at_all_is_an_error_of_ours() -> None:
    with pytest.raises(Unrepaired):
        await stage([], [], []).generation.run()


async def test_an_old_refusal_is_not_what_a_later_failure_is_told_as() -> None:
    scene = stage(Scripted([b'{"error": {}}'], status=503), [], [])

    with pytest.raises(Unrepaired):
        await scene.generation.run()


async def test_a_client_that_is_gone_ends_the_attempt() -> None:
    scene = stage([ONE, TWO, END], client=ListReader(leaves_after=1))

    with pytest.raises(ClientGone):
        await scene.generation.run()

    assert scene.made[0].closed
    assert scene.client.ending == "open"


async def test_a_cancelled_handler_closes_the_attempt() -> None:
    scene = stage([ONE, SILENCE])
    running = asyncio.create_task(scene.generation.run())
    await scene.client.written.wait()

    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    assert scene.made[0].closed


async def test_silence_is_broken_off_by_the_clock() -> None:
    scene = stage([ONE, SILENCE], [TWO, END])
    scene.generation.timing = Timing(
        {**dict.fromkeys(Patience, HOUR), Patience.CHUNK: 0.0}, HOUR, HOUR
    )

    await scene.generation.run()

    assert scene.result.causes == [Cause.STALL]
    assert text_of(b"".join(scene.client.writes)) == text_of(ONE + TWO + END)


async def test_a_wish_to_be_called_again_without_a_token_is_paced() -> None:
    more = [sse(chunk(f"word{n} ", finish="CONTINUATION")) for n in range(99)]
    scene = stage(*(Scripted([one]) for one in more))

    await scene.generation.run()

    assert len(scene.bodies) == 1 + BUDGET.max_resumes
    assert scene.result.finish_reason == "CONTINUATION"


async def test_the_report_tells_what_happened() -> None:
    usage = sse(chunk("whatever may come, ", usage=(7, 5)))
    scene = stage([ONE, DROP], [usage, END])

    await scene.generation.run()

    report = scene.result
    assert report.ending == "done"
    assert report.finish_reason == "STOP"
    assert report.attempts == 2
    assert report.causes == [Cause.DROP]
    assert report.joints == [Joint.PLAIN]
    assert all(milliseconds >= 0 for milliseconds in report.seam_ms)
    assert report.first_byte_ms is not None
    assert report.first_byte_ms >= 0
    text = text_of(b"".join(scene.client.writes))
    assert report.characters == len(text)
    assert report.repair is True
    assert report.billed.prompt == 7
    assert report.extra_tokens >= 0


async def test_each_attempt_has_its_entry_in_the_account() -> None:
    first = sse(chunk("The lamp is never left alone, ", usage=(7, 5)))
    second = sse(chunk("whatever may come; ", usage=(16, 4)))
    scene = stage([first, DROP], [second, END])

    await scene.generation.run()

    one, other = scene.generation.exchange.account.entries
    assert (one.cause, other.cause) == (Cause.DROP, None)
    assert (one.joint, other.joint) == (None, Joint.PLAIN)
    assert one.form is None
    assert isinstance(other.form, Form)
    assert one.usage == Billed(7, 5, 0, 12)
    assert other.usage is not None
    assert other.usage.total > 0
    assert one.usage + other.usage == scene.result.billed


async def test_a_fault_of_the_key_is_answered_with_another_one() -> None:
    denied = Scripted([b'{"error": {"code": 403, "status": "PERMISSION_DENIED"}}'], status=403)
    denied.another = True
    scene = stage(denied, [ONE + END])

    await scene.generation.run()

    assert len(scene.bodies) == 2
    assert scene.waits == []
    assert text_of(b"".join(scene.client.writes)) == text_of(ONE + END)


INVALID = {"code": 400, "status": "INVALID_ARGUMENT", "message": "API key not valid: AIzaSecret"}
QUOTA = {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "quota of AIzaSecret"}


def failing(error: dict[str, Any], *before: bytes) -> Scripted:
    """Return a stream that breaks off with an error of the key, where others may serve."""
    return Scripted([*before, sse({"error": error})], another=True)


@pytest.mark.parametrize("error", [INVALID, QUOTA])
async def test_an_error_of_the_key_in_a_stream_goes_elsewhere_unpaced(error: Any) -> None:
    """More often than attempts may fail in a row: each is the first of its key."""
    scene = stage(*(failing(error) for _ in range(4)), failing(error, ONE), [ONE + TWO + END])

    await scene.generation.run()

    assert len(scene.bodies) == 6
    assert scene.waits == []
    assert text_of(b"".join(scene.client.writes)) == text_of(ONE + TWO + END)
    assert [made.error for made in scene.made[:-1]] == [error] * 5


async def test_an_error_of_the_key_is_not_told_where_nothing_is_repaired() -> None:
    scene = stage(failing(INVALID, ONE))
    machine = scene.generation.machine
    machine.policy = attrs.evolve(machine.policy, repair=False)

    await scene.generation.run()

    assert "AIzaSecret" not in str(scene.client.ending)
    assert scene.client.ending != "finished"


async def test_a_stream_that_no_key_goes_on_with_ends_with_the_true_time() -> None:
    scene = stage(failing(QUOTA, ONE), Exhausted("All rest.", 42.0))

    await scene.generation.run()

    assert isinstance(scene.client.ending, dict)
    error = scene.client.ending["error"]
    assert (error["code"], error["message"]) == (429, "All rest.")
    assert scene.result.ending == "failed"


async def test_a_request_that_no_key_serves_is_the_callers_to_answer() -> None:
    scene = stage(Exhausted("All rest.", 42.0))

    with pytest.raises(Exhausted):
        await scene.generation.run()

    assert scene.client.head is None


async def test_an_ending_that_is_kept_is_passed_on_where_no_key_is_left() -> None:
    odd = sse(chunk("", finish="MALFORMED_FUNCTION_CALL"))
    scene = stage([odd], Exhausted("All rest.", 42.0))

    await scene.generation.run()

    assert scene.client.ending == "finished"
    assert b"MALFORMED_FUNCTION_CALL" in b"".join(scene.client.writes)


async def test_a_lease_hears_what_an_attempt_cost() -> None:
    usage = {"promptTokenCount": 7, "candidatesTokenCount": 5, "totalTokenCount": 12}
    scene = stage([sse({**chunk("All of it.", finish="STOP"), "usageMetadata": usage})])

    await scene.generation.run()

    assert scene.usages == [Billed(7, 5, 0, 12)]


async def test_an_ending_of_a_disabled_account_is_the_keys_fault() -> None:
    scene = stage([ONE, sse(chunk("", finish="PUP_LIMITED_DISABLED"))])

    await scene.generation.run()

    assert scene.client.ending == "finished"
    assert blame(403, scene.made[0].error) is Fault.KEY
    assert scene.result.attempts == 1


async def test_the_report_tells_of_candidates_that_never_came() -> None:
    scene = stage([sse(chunk("All of it.", finish="STOP"))])
    asked = {"generationConfig": {"candidateCount": 3}}
    scene.generation.machine.request = StreamRequest(json.dumps(asked).encode())

    await scene.generation.run()

    report = scene.result
    assert report.missing_candidates == 2
    assert not report.grace_ran_out


async def test_the_reply_remembers_the_error_in_its_stream() -> None:
    overloaded = {"code": 503, "status": "UNAVAILABLE", "message": "overloaded"}
    event = b"data: " + json.dumps({"error": overloaded}).encode() + b"\r\n\r\n"
    scene = stage([ONE, event], [TWO, END])

    await scene.generation.run()

    assert scene.made[0].error == overloaded
    assert scene.made[1].error is None


async def test_an_undisturbed_stream_has_no_extra_tokens() -> None:
    scene = stage([sse(chunk("All of it.", finish="STOP", usage=(7, 3)))])

    await scene.generation.run()

    assert scene.result.extra_tokens == 0
    assert documents(scene.client.writes[0])[0]["usageMetadata"]["totalTokenCount"] == 10


JSON_HEAD = {"Content-Type": "application/json", "X-A": "1"}


async def test_the_head_of_a_translated_answer_names_the_framing_that_was_asked_for() -> None:
    body = json.dumps(chunk("All of it.", finish="STOP")).encode()
    scene = stage(Scripted([body[:9], body[9:]], headers=JSON_HEAD))

    await scene.generation.run()

    head = {"Content-Type": "text/event-stream", "X-A": "1", "X-Passed": "yes"}
    assert scene.client.head == (200, head)
    assert text_of(b"".join(scene.client.writes)) == "All of it."
    assert scene.client.ending == "finished"


async def test_json_that_is_no_generation_passes_with_its_own_head() -> None:
    scene = stage(Scripted([b'{"ok":', b" true}"], headers=JSON_HEAD))

    await scene.generation.run()

    assert scene.client.head == (200, {**JSON_HEAD, "X-Passed": "yes"})
    assert scene.client.writes == [b'{"ok": true}']
    assert scene.client.ending == "finished"
    assert scene.result.ending == "passed"
    assert len(scene.bodies) == 1


@attrs.define(eq=False)
class Hurried(Scripted):
    """An attempt before whose reads the head is due, but for the first ones, to be ``patient``."""

    watches: list[Watch] = attrs.field(factory=list)
    patient: int = 0

    async def read(self) -> bytes:
        (watch,) = self.watches
        self.patient -= 1
        if self.patient < 0 and not watch.busy:
            await watch.commit()
        return await super().read()


@pytest.fixture
def watches(monkeypatch: pytest.MonkeyPatch) -> list[Watch]:
    """Return the watches that relays make from now on."""
    made: list[Watch] = []

    def make(*arguments: Any) -> Watch:
        made.append(Watch(*arguments))
        return made[-1]

    monkeypatch.setattr(generation, "Watch", make)
    return made


@pytest.mark.parametrize(
    ("kind", "ending"), [("application/json", "no generation"), ("text/plain", "finished")]
)
async def test_json_that_is_no_generation_is_an_error_behind_a_head_of_ours(
    watches: list[Watch], kind: str, ending: str
) -> None:
    attempt = Hurried([b'{"ok": true}'], headers={"Content-Type": kind}, watches=watches)
    scene = stage(attempt)

    await scene.generation.run()

    assert ending in str(scene.client.ending)
    assert scene.client.writes == ([b'{"ok": true}'] if ending == "finished" else [])


async def test_the_head_waits_while_json_is_not_known_to_be_an_answer(
    watches: list[Watch],
) -> None:
    reads: list[Read] = [b'{"ok":', b" true", b"}"]
    scene = stage(Hurried(reads, headers=JSON_HEAD, watches=watches, patient=1))

    await scene.generation.run()

    assert scene.client.head == (200, {**JSON_HEAD, "X-Passed": "yes"})
    assert scene.client.writes == [b'{"ok": true}']
    assert scene.client.ending == "finished"


async def test_signs_of_life_go_on_when_json_was_no_answer(watches: list[Watch]) -> None:
    cut = Hurried([b'{"ok":', DROP], headers=JSON_HEAD, watches=watches, patient=1)
    scene = stage(cut, Hurried([ONE, END], watches=watches))

    await scene.generation.run()

    assert scene.client.head == (200, {"X-Passed": "yes"})
    assert scene.client.writes == [ONE, END]


async def test_the_head_is_that_of_the_attempt_that_brings_the_first_bytes() -> None:
    scene = stage(
        Scripted([b"<html>"], headers={"Content-Type": "text/html"}),
        Scripted([ONE + END], headers={"Content-Type": "text/event-stream"}),
    )

    await scene.generation.run()

    assert scene.client.head == (200, {"Content-Type": "text/event-stream", "X-Passed": "yes"})
