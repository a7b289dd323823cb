"""Everything that can go wrong on the way, over real sockets: the client must not see it."""

import asyncio
import random
from collections.abc import Iterable, Mapping
from typing import Any

import attrs
import pytest

from gemproxy.chaos import answers
from gemproxy.chaos.behaviours import REFUSE_ONCE, Behaviour
from gemproxy.chaos.faults import CUTS, parse_fault
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.gemini import REQUEST
from tests.running import PATIENCE, READING, AccessLog, Proxy, StartProxy
from tests.wire import ARRAY, STREAM, Answer, Ending, body_of

TOLD = attrs.evolve(
    BUILT_IN["emoji"],
    text=BUILT_IN["emoji"].text + BUILT_IN["story"].text,
    thoughts="A story is wanted. A lighthouse is good: it has a rhythm. 灯塔有节奏。",
)
TARGETS = pytest.mark.parametrize("target", [STREAM, ARRAY], ids=["sse", "array"])

# Half a second: silence is repeated once, so the second attempt may not seem silent when the
# machine is busy.
HASTY = {
    "thinking_timeout_seconds": 0.5,
    "chunk_timeout_seconds": 0.5,
    "finish_grace_seconds": 0.5,
}
TIRELESS = {"max_consecutive_retries": 50, "max_resumes": 50, "max_frame_bytes": 1 << 16}

PLACES = ("0", "1", "event:1", "event:4", "utf8:3", "thinking", "2500", "end")
AT_PLACES = [
    *(f"{kind.value}@{place}" for kind in sorted(CUTS, key=str) for place in PLACES),
    *(f"{kind}@headers" for kind in ("fin", "rst")),
    *(
        f"{fault}@event:{number}"
        for fault in ("error:503", "error:500", "raw-error:503", "garbage", "endless-line")
        for number in (0, 1, 4, 12)
    ),
    *(f"finish:{why}@event:{n}" for why in ("OTHER", "MALFORMED_RESPONSE") for n in (3, 4, 12)),
]
OF_THE_WHOLE = [
    *("status:500", "status:502", "status:503", "status:504", "status:429,retry=0.01"),
    *("html", "html:503", "empty", "bad-gzip", "refuse", "drip:1", "drip:7"),
]


def script(
    *specs: str,
    answer: answers.Answer = TOLD,
    behaviour: Behaviour | Iterable[Behaviour] = Behaviour.ECHO,
    amount: int = 40,
) -> Script:
    """Return a script with the faults that the command line names so."""
    return Script(answer, [parse_fault(spec) for spec in specs], behaviour, amount)


def is_whole(answer: Answer, told: answers.Answer = TOLD) -> bool:
    """Assert that a client cannot tell the answer from an undisturbed one."""
    assert answer.status == 200
    assert answer.ending is Ending.COMPLETE
    assert answer.text == told.text
    assert told.thoughts.startswith(answer.thoughts)
    assert answer.finish_reasons == ["STOP"]
    assert "finishReason" in answer.documents[-1]["candidates"][0]
    assert len(answer.response_ids) == 1
    return True


async def ask_all(proxy: Proxy, models: Iterable[str]) -> dict[str, Answer]:
    """Ask each model at the same time."""
    targets = [f"/v1/models/{model}:streamGenerateContent?alt=sse" for model in models]
    answers_of = await asyncio.gather(*(proxy.ask(target) for target in targets))
    return dict(zip(models, answers_of, strict=True))


@TARGETS
@pytest.mark.parametrize("spec", [*AT_PLACES, *OF_THE_WHOLE])
async def test_a_fault_is_not_seen(proxy: StartProxy, spec: str, target: str) -> None:
    upstream = HASTY if spec.startswith("stall") else {}
    async with ChaosServer(script(spec)) as server:
        running = await proxy(server, upstream=upstream, repair=TIRELESS)

        answer = await running.ask(target)

        assert is_whole(answer)
        assert server.violations == []


@pytest.mark.parametrize(
    ("spec", "cause"),
    [
        ("clean@event:4", "drop"),
        ("rst@event:4", "drop"),
        ("bad-chunk@event:4", "garbled"),
        ("empty", "drop"),
        ("stall@event:4", "stall"),
        ("garbage@event:4", "garbled"),
        ("endless-line@event:4", "garbled"),
        ("error:503@event:4", "error_frame"),
        ("raw-error:503@event:4", "error_frame"),
        ("error:429,retry=0.01@event:4", "error_frame"),
        ("status:503", "status"),
        ("html", "status"),
        ("status:429,retry=0.01", "status"),
        ("refuse", "unreachable"),
        ("finish:OTHER@event:4", "bad_finish"),
    ],
)
async def test_the_log_tells_what_went_wrong(
    proxy: StartProxy, access_log: AccessLog, spec: str, cause: str
) -> None:
    upstream = HASTY if spec.startswith("stall") else {}
    if READING and cause == "garbled" and "chunk" in spec:
        cause = "drop"  # the client library closes the connection and tells nobody why
    async with ChaosServer(script(spec, answer=BUILT_IN["story"])) as server:
        running = await proxy(server, upstream=upstream, repair=TIRELESS)

        await running.ask()

        line = await access_log.line()
        assert line["causes"][0] == cause
        assert line["ending"] == "done"


@pytest.mark.parametrize("specs", ["fin@headers", "rst@headers"])
async def test_no_answer_at_all_is_asked_for_again(
    proxy: StartProxy, access_log: AccessLog, specs: str
) -> None:
    async with ChaosServer(script(specs)) as server:
        assert is_whole(await (await proxy(server)).ask())

        assert (await access_log.line())["attempts"] == 2


@TARGETS
async def test_many_faults_in_a_row_are_not_seen(proxy: StartProxy, target: str) -> None:
    specs = [
        *("status:503", "refuse", "clean@thinking", "rst@1500", "html", "status:500", "fin@700"),
        *("error:503@event:5", "empty", "raw-error:503@event:3", "finish:OTHER@event:9"),
        *("truncated-chunk@900", "garbage@event:4", "bad-gzip", "short-length@utf8:2"),
    ]
    async with ChaosServer(script(*specs)) as server:
        running = await proxy(server, repair=TIRELESS)

        assert is_whole(await running.ask(target))

        assert len(server.attempts) == len(specs)  # all but the refused one, and the last
        assert server.violations == []


@pytest.mark.production_loop
@pytest.mark.parametrize("name", ["story", "chinese", "emoji", "table", "thinking"])
async def test_any_succession_of_faults_is_not_seen(proxy: StartProxy, name: str) -> None:
    rng = random.Random(name)
    kinds = ["clean", "fin", "rst", "truncated-chunk", "error:503", "raw-error:503", "finish:OTHER"]

    def draw() -> str:
        kind = rng.choice(kinds)
        at = f"event:{rng.randint(4, 9)}" if ":" in kind else str(rng.randint(0, 4000))
        return rng.choice([f"{kind}@{at}", "status:503"] + 3 * [f"{kind}@{at}"])

    scripts = {
        f"model-{number}": script(
            *(draw() for _ in range(rng.randint(2, 9))),
            answer=BUILT_IN[name],
            behaviour=[rng.choice([Behaviour.ECHO, Behaviour.PLAIN]) for _ in range(9)],
        )
        for number in range(40)
    }
    async with ChaosServer(scripts) as server:
        got = await ask_all(await proxy(server, repair=TIRELESS), scripts)

        wrong = {model for model, answer in got.items() if answer.text != BUILT_IN[name].text}
        assert [scripts[model] for model in wrong] == []
        assert all(is_whole(answer, BUILT_IN[name]) for answer in got.values())
        assert server.violations == []


TOOLS = {**REQUEST, "tools": [{"googleSearch": {}}]}


@pytest.mark.parametrize(
    ("spec", "setting", "request_body"),
    [
        ("stall@0", "thinking_timeout_seconds", REQUEST),
        ("stall@thinking", "thinking_timeout_seconds", REQUEST),
        ("stall@event:40", "chunk_timeout_seconds", REQUEST),
        ("stall@end", "finish_grace_seconds", REQUEST),
        ("stall@end", "tool_finish_grace_seconds", TOOLS),
    ],
)
async def test_every_moment_has_a_patience_of_its_own(
    proxy: StartProxy, spec: str, setting: str, request_body: Mapping[str, Any]
) -> None:
    async with ChaosServer(script(spec)) as server:
        running = await proxy(server, upstream={setting: 0.05}, repair=TIRELESS)

        async with asyncio.timeout(PATIENCE):
            answer = await running.ask(body=body_of(request_body))

        assert is_whole(answer)


EXACT = [
    *(Behaviour.ECHO, Behaviour.ECHO_MORE, Behaviour.THINK_FIRST, Behaviour.PLAIN),
    *(Behaviour.REFUSE_MODEL_TURN, Behaviour.REFUSE_USER_TURN, REFUSE_ONCE),
]
LOSSLESS = [
    *(Behaviour.QUOTED_ECHO, Behaviour.ECHO_LOSE_SPACE, Behaviour.ECHO_DOUBLE_SPACE),
    *(Behaviour.ECHO_PARAGRAPH_BREAK, Behaviour.ECHO_REOPEN_FENCE, Behaviour.ECHO_PREAMBLE),
    *(Behaviour.REPEAT, Behaviour.LOSE_SPACE, Behaviour.DOUBLE_SPACE, Behaviour.PARAGRAPH_BREAK),
    *(Behaviour.REOPEN_FENCE, Behaviour.PREAMBLE, Behaviour.RESTART),
]
SEAMS = [f"fin@event:{number}" for number in range(4, 60, 5)]
NAMES = pytest.mark.parametrize("name", ["story", "chinese", "emoji", "table", "repetitive"])


def seams(name: str, behaviour: Behaviour | Iterable[Behaviour]) -> dict[str, Script]:
    """Return scripts with a seam at many places of an answer, by model."""
    return {
        f"model-{number}": script(spec, answer=BUILT_IN[name], behaviour=behaviour)
        for number, spec in enumerate(SEAMS)
    }


@pytest.mark.production_loop
@NAMES
@pytest.mark.parametrize("behaviour", EXACT, ids=str)
async def test_a_seam_is_exact(
    proxy: StartProxy, name: str, behaviour: Behaviour | Iterable[Behaviour]
) -> None:
    scripts = seams(name, behaviour)
    async with ChaosServer(scripts) as server:
        got = await ask_all(await proxy(server), scripts)

        assert all(is_whole(answer, BUILT_IN[name]) for answer in got.values())
        assert server.violations == []


@pytest.mark.production_loop
@NAMES
@pytest.mark.parametrize("behaviour", LOSSLESS, ids=str)
async def test_a_seam_loses_no_text(proxy: StartProxy, name: str, behaviour: Behaviour) -> None:
    scripts = seams(name, behaviour)
    async with ChaosServer(scripts) as server:
        got = await ask_all(await proxy(server), scripts)

        assert {m: a.text for m, a in got.items() if loses_text(a.text, BUILT_IN[name].text)} == {}
        assert {answer.ending for answer in got.values()} == {Ending.COMPLETE}
        assert server.violations == []


def loses_text(seen: str, told: str) -> bool:
    """Tell whether ``seen`` lacks any of ``told``, spaces apart, before or after one seam."""
    seen, told = "".join(seen.split()), "".join(told.split())
    before = common(seen, told)
    return before + common(seen[::-1], told[::-1]) < len(told)


def common(one: str, other: str) -> int:
    """Return how many characters two texts have in common at their beginning."""
    length = min(len(one), len(other))
    return next((at for at in range(length) if one[at] != other[at]), length)


@pytest.mark.parametrize("amount", [20, 40, 100, 200])
@pytest.mark.parametrize("spec", ["fin@event:9", "fin@event:25", "fin@event:36"])
async def test_a_repetition_at_the_seam_is_cut_exactly(
    proxy: StartProxy, spec: str, amount: int
) -> None:
    told = BUILT_IN["story"]
    broken = script(spec, answer=told, behaviour=Behaviour.REPEAT, amount=amount)
    async with ChaosServer(broken) as server:
        assert is_whole(await (await proxy(server)).ask(), told)


@pytest.mark.parametrize("name", ["story", "chinese", "emoji", "table"])
async def test_an_answer_that_begins_again_is_cut_exactly(proxy: StartProxy, name: str) -> None:
    broken = script("rst@event:15", answer=BUILT_IN[name], behaviour=Behaviour.RESTART)
    async with ChaosServer(broken) as server:
        assert is_whole(await (await proxy(server)).ask(), BUILT_IN[name])


async def test_another_story_is_never_spliced_in(proxy: StartProxy, access_log: AccessLog) -> None:
    behaviour = [Behaviour.RESTART_DIFFERENT, Behaviour.ECHO]
    broken = script("rst@event:15", answer=BUILT_IN["story"], behaviour=behaviour)
    async with ChaosServer(broken) as server:
        assert is_whole(await (await proxy(server)).ask(), BUILT_IN["story"])

        assert (await access_log.line())["causes"] == ["drop", "diverged"]


async def test_a_model_that_refused_a_form_is_not_asked_in_it_again(proxy: StartProxy) -> None:
    told = BUILT_IN["story"]
    async with ChaosServer(script("rst@event:9", answer=told, behaviour=REFUSE_ONCE)) as server:
        running = await proxy(server)

        assert is_whole(await running.ask(), told)
        assert is_whole(await running.ask(body=body_of("Another one.")), told)

        asked = [[turn["role"] for turn in r.document["contents"]] for r in server.requests]
        assert asked[:3] == [["user"], ["user", "model", "user"], ["user", "user"]]
        assert asked[3:5] == [["user"], ["user", "user"]]


@TARGETS
@pytest.mark.parametrize("specs", [(), ("rst@event:7",), ("clean@event:7", "rst@event:9", "fin@0")])
async def test_a_long_decode_goes_on_from_its_checkpoints(
    proxy: StartProxy, specs: tuple[str, ...], target: str
) -> None:
    told = BUILT_IN["long-decode"]
    async with ChaosServer(script(*specs, answer=told)) as server:
        assert is_whole(await (await proxy(server)).ask(target), told)

        first, *others = [r.document.get("continuationToken") for r in server.requests]
        assert first is None
        assert None not in others
        assert server.violations == []


async def test_a_long_decode_that_breaks_before_its_first_checkpoint_goes_on_from_its_text(
    proxy: StartProxy,
) -> None:
    told = BUILT_IN["long-decode"]
    async with ChaosServer(script("rst@event:3", answer=told)) as server:
        assert is_whole(await (await proxy(server)).ask(), told)

        tokens = {r.document.get("continuationToken") for r in server.requests}
        assert tokens == {None}
