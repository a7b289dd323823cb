"""Cut at every byte: wherever the upstream breaks off, the client gets one whole answer.

Each cut is a stream of its own over real sockets: the fake Gemini breaks the first attempt
off after exactly that many bytes of the body, and the client's bytes are compared with the
uncut answer. Names of models are all of one length, so that the offsets mean the same place
in every stream. The figures stand in the summary of the test run.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator

import attrs
import pytest

from gemproxy.chaos import answers
from gemproxy.chaos.behaviours import Behaviour
from gemproxy.chaos.faults import Fault, Kind, byte
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.running import Proxy, StartProxy
from tests.wire import Answer, Ending

TOLD = answers.Answer(
    text="# Größe ändern\n\n```python\nprint('测试 👩‍💻')\n```\n\n好的，一字不差。 Fertig 🎉.",
    thoughts="Short, and with a code block.",
    chunk=(10, 24),
)
CUTS = (Kind.CLEAN_EOF, Kind.FIN, Kind.RST)
SSE, ARRAY = "?alt=sse", ""
CLIENTS = 32
PARTS = 8
"""A test tries every eighth byte, so that no test takes minutes on a busy machine."""

pytestmark = pytest.mark.production_loop


@attrs.frozen
class Cut:
    """One stream whose first attempt breaks off after ``at`` bytes."""

    kind: Kind
    behaviour: Behaviour
    at: int

    @property
    def model(self) -> str:
        return f"{self.kind.value:-<5}-{self.behaviour.value:-<5}-{self.at:05}"

    @property
    def script(self) -> Script:
        return Script(TOLD, [Fault(self.kind, byte(self.at))], self.behaviour)


UNCUT = Cut(Kind.CLEAN_EOF, Behaviour.ECHO, 99_999)


def flaws(answer: Answer) -> Iterator[str]:
    """Yield what tells the answer that a client got from one that was never cut."""
    candidates = [c for document in answer.documents for c in document.get("candidates", [])]
    if answer.ending is not Ending.COMPLETE:
        yield f"ended with {answer.ending}"
    if answer.text != TOLD.text:
        yield f"text {answer.text!r}"
    if not TOLD.thoughts.startswith(answer.thoughts):
        yield f"thoughts {answer.thoughts!r}"
    if answer.finish_reasons != ["STOP"] or "finishReason" not in candidates[-1]:
        yield f"finished with {answer.finish_reasons}"
    if len(answer.response_ids) != 1:
        yield f"response ids {answer.response_ids}"


async def ask(proxy: Proxy, cuts: Iterable[Cut], query: str) -> dict[Cut, Answer]:
    """Ask for every cut's stream, a few at a time, on connections that are kept."""
    todo = iter(cuts)
    got: dict[Cut, Answer] = {}

    async def client() -> None:
        async with proxy.connect() as connection:
            for cut in todo:
                target = f"/v1/models/{cut.model}:streamGenerateContent{query}"
                got[cut] = await connection.ask(target)

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return got


@attrs.frozen
class Trial:
    """Tries cuts and records how many there were, and how many the client could not see."""

    start: StartProxy
    record: Callable[[str, object], None]

    async def __call__(self, query: str, choose: Callable[[int], list[Cut]]) -> list[str]:
        """Try the cuts that ``choose`` makes of the uncut body's length; return what was wrong."""
        cuts = choose(await self._length(query))
        async with ChaosServer({cut.model: cut.script for cut in cuts}) as server:
            got = await ask(await self.start(server), cuts, query)

            found = {cut: list(flaws(answer)) for cut, answer in got.items()}
            bad = [f"{cut}: {flaw}" for cut, flaw in found.items() if flaw]
            self.record("cuts", (len(cuts), len(cuts) - len(bad)))
            if len(got) != len(cuts):
                bad.append(f"{len(got)} answers to {len(cuts)} streams")
            if len(server.attempts) > 2 * len(cuts):
                bad.append(f"{len(server.attempts)} attempts for {len(cuts)} streams")
            return [*bad, *server.violations]

    async def _length(self, query: str) -> int:
        async with ChaosServer({UNCUT.model: UNCUT.script}) as server:
            (answer,) = (await ask(await self.start(server), [UNCUT], query)).values()
            assert list(flaws(answer)) == []
            assert len(server.attempts) == 1
            return len(answer.body)


@pytest.fixture
def trial(proxy: StartProxy, record_property: Callable[[str, object], None]) -> Trial:
    return Trial(proxy, record_property)


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("kind", CUTS)
async def test_a_cut_at_any_byte_is_not_seen_when_the_model_echoes(
    trial: Trial, kind: Kind, part: int
) -> None:
    def choose(size: int) -> list[Cut]:
        return [Cut(kind, Behaviour.ECHO, at) for at in range(part, size + 1, PARTS)]

    assert await trial(SSE, choose) == []


@pytest.mark.parametrize("part", range(PARTS))
async def test_a_cut_at_any_byte_is_not_seen_when_the_model_goes_on_plainly(
    trial: Trial, part: int
) -> None:
    def choose(size: int) -> list[Cut]:
        return [Cut(CUTS[at % 3], Behaviour.PLAIN, at) for at in range(part, size + 1, PARTS)]

    assert await trial(SSE, choose) == []


@pytest.mark.parametrize("behaviour", [Behaviour.ECHO, Behaviour.PLAIN])
async def test_a_cut_at_any_place_is_not_seen_in_a_json_array(
    trial: Trial, behaviour: Behaviour
) -> None:
    def choose(size: int) -> list[Cut]:
        around_the_end = range(size - 50, size + 1)
        every_fifth = range(0, size - 50, 5)
        return [Cut(CUTS[at % 3], behaviour, at) for at in (*every_fifth, *around_the_end)]

    assert await trial(ARRAY, choose) == []
