"""Cuts at every byte: streams whose first attempt breaks off, and the clients that ask for them.

Each cut is a stream of its own over real sockets: the fake Gemini breaks the first attempt
off after exactly that many bytes of the body, and the client's bytes are compared with the
uncut answer. Names of models are all of one length, so that the offsets mean the same place
in every stream. The figures stand in the summary of the test run.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

import attrs

from gemproxy.chaos import answers
from gemproxy.chaos.behaviours import Behaviour
from gemproxy.chaos.faults import Fault, Kind, byte
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.gemini import BODY
from tests.running import Proxy, StartProxy
from tests.wire import KEY, Answer, Ending

TOLD = answers.Answer(
    text="# Größe ändern\n\n```python\nprint('测试 👩‍💻')\n```\n\n好的，一字不差。 Fertig 🎉.",
    thoughts="Short, and with a code block.",
    chunk=(10, 24),
)
CALLING = answers.Answer(
    text="Gleich 🪸.",
    chunk=(10, 24),
    calls=(
        answers.Call("tide", {"port": "Ålesund", "note": "海藻 🪸"}, signature="UzE="),
        answers.Call("tide", {"port": "Kiel"}),
        answers.Call("moon"),
    ),
)
CUTS = (Kind.CLEAN_EOF, Kind.FIN, Kind.RST)
CLIENTS = 32
PARTS = 8
"""A test tries every eighth byte, so that no test takes minutes on a busy machine."""


@attrs.frozen
class Cut:
    """One stream whose first attempt breaks off after ``at`` bytes."""

    kind: Kind
    behaviour: Behaviour
    at: int
    answer: answers.Answer = attrs.field(default=TOLD, repr=False, eq=False)

    @property
    def model(self) -> str:
        return f"{self.kind.value:-<5}-{self.behaviour.value:-<5}-{self.at:05}"

    @property
    def script(self) -> Script:
        return Script(self.answer, [Fault(self.kind, byte(self.at))], self.behaviour)


UNCUT = Cut(Kind.CLEAN_EOF, Behaviour.ECHO, 99_999)


class Client(Protocol):
    """One kind of client: how it asks, and what it must get."""

    @property
    def native(self) -> "Native":
        """The client that gets the bytes of which the cuts are counted."""

    def request(self, model: str) -> tuple[str, bytes, Mapping[str, str]]:
        """Return the target, the body and the headers of a request."""

    def flaws(self, answer: Answer) -> Iterator[str]:
        """Yield what tells the answer that it got from one that was never cut."""


@attrs.frozen
class Native:
    """A client of Gemini's own API, with events or, without ``alt=sse``, with a JSON array."""

    query: str = "?alt=sse"
    told: answers.Answer = TOLD

    @property
    def native(self) -> "Native":
        """This client: it gets the upstream's bytes."""
        return self

    def request(self, model: str) -> tuple[str, bytes, Mapping[str, str]]:
        """Return a request for a stream."""
        return f"/v1/models/{model}:streamGenerateContent{self.query}", BODY, KEY

    def flaws(self, answer: Answer) -> Iterator[str]:
        """Compare the text, the ending, and the number of ids and finish reasons."""
        candidates = [c for document in answer.documents for c in document.get("candidates", [])]
        if answer.ending is not Ending.COMPLETE:
            yield f"ended with {answer.ending}"
        if answer.text != self.told.text:
            yield f"text {answer.text!r}"
        if not self.told.thoughts.startswith(answer.thoughts):
            yield f"thoughts {answer.thoughts!r}"
        if answer.finish_reasons != ["STOP"] or "finishReason" not in candidates[-1]:
            yield f"finished with {answer.finish_reasons}"
        if len(answer.response_ids) != 1:
            yield f"response ids {answer.response_ids}"


async def ask(proxy: Proxy, cuts: Iterable[Cut], kind: Client) -> dict[Cut, Answer]:
    """Ask for every cut's stream, a few at a time, on connections that are kept."""
    todo = iter(cuts)
    got: dict[Cut, Answer] = {}

    async def client() -> None:
        async with proxy.connect() as connection:
            for cut in todo:
                got[cut] = await connection.ask(*kind.request(cut.model))

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return got


@attrs.frozen
class Trial:
    """Tries cuts and records how many there were, and how many the client could not see."""

    start: StartProxy
    record: Callable[[str, object], None]

    async def __call__(
        self, kind: Client, choose: Callable[[int], list[Cut]], told: answers.Answer = TOLD
    ) -> list[str]:
        """Try the cuts that ``choose`` makes of the uncut body's length; return what was wrong."""
        uncut = attrs.evolve(UNCUT, answer=told)
        cuts = choose(await self._length(kind.native, uncut))
        async with ChaosServer({cut.model: cut.script for cut in cuts}) as server:
            got = await ask(await self.start(server), cuts, kind)

            found = {cut: list(kind.flaws(answer)) for cut, answer in got.items()}
            bad = [f"{cut}: {flaw}" for cut, flaw in found.items() if flaw]
            self.record("cuts", (len(cuts), len(cuts) - len(bad)))
            if len(got) != len(cuts):
                bad.append(f"{len(got)} answers to {len(cuts)} streams")
            if len(server.attempts) > 2 * len(cuts):
                bad.append(f"{len(server.attempts)} attempts for {len(cuts)} streams")
            return [*bad, *server.violations]

    async def _length(self, kind: Native, uncut: Cut) -> int:
        """Return the length of the upstream's body."""
        async with ChaosServer({uncut.model: uncut.script}) as server:
            start = await self.start(server)
            ((_, answer),) = (await ask(start, [uncut], kind)).items()
            assert list(kind.flaws(answer)) == []
            assert len(server.attempts) == 1
            return len(answer.body)
