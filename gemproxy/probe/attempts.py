"""Cuts one answer, and resumes one, both with the proxy's own core.

The first attempt is fed to a StreamMachine up to the cut, and then a reset. The probe sends the
request body that the machine asks for unchanged, and feeds the answer to the machine again. The
machine would not choose the form without an anchor for a text of this length, so ``continuation``
makes its request directly, and its answer is not joined.
"""

from collections.abc import Awaitable, Callable

import attrs

from gemproxy.core.repair import continuation
from gemproxy.core.repair.attempt import Plan
from gemproxy.core.repair.continuation import Form
from gemproxy.core.repair.events import Cause, Fail, How, Resume
from gemproxy.core.repair.intake import Intake, Step
from gemproxy.core.repair.machine import StreamMachine
from gemproxy.core.repair.policy import Policy
from gemproxy.core.repair.request import StreamRequest
from gemproxy.core.seam.anchor import choose_anchor
from gemproxy.core.seam.seam import Joint
from gemproxy.core.wire.sse import SSEDecoder
from gemproxy.probe.cutting import Broken, Cut, prefix_of
from gemproxy.probe.gemini import CannotTell, Gemini, Rejection
from gemproxy.probe.said import Said, listen
from gemproxy.relay.upstream import AttemptFailed, Reply
from gemproxy.voices.sse import EventVoice

_NOT_FOUND = 404
_OF_ITS_OWN = frozenset({Cause.DROP, Cause.STALL, Cause.GARBLED, Cause.ERROR_FRAME})
"""Accidents of a resumed answer, which give no result about the model."""


@attrs.frozen
class Heard:
    """An answer that was read to its end; ``how`` is the ending of its body.

    ``transfer`` is the HTTP mark of that end: chunked, length or close.
    """

    said: Said
    how: How
    transfer: str


@attrs.frozen
class Resumed:
    """The outcome of a resumption.

    ``body`` is the request, ``anchor`` the text that it asked to be repeated, ``after`` the text
    for the client, ``calls`` its number of function calls. ``joint`` is the core's reading of the
    beginning, ``diverged`` its reason to discard the attempt, if any.
    """

    said: Said
    body: bytes = attrs.field(repr=False)
    anchor: str | None
    after: str
    joint: Joint | None = None
    calls: int = 0
    diverged: Cause | None = None

    @property
    def dropped(self) -> int:
        """The number of the attempt's characters that the client does not get."""
        return 0 if self.joint is None else len(self.said.text) - len(self.after)


async def hear(gemini: Gemini, model: str, body: bytes) -> Heard:
    """Read an answer to its end. Raises Rejection."""
    said, how, transfer = Said(), How.EOF, ""
    try:
        async with gemini.stream(model, body) as reply:
            transfer = _transfer(reply)
            decoder = SSEDecoder()
            while data := await reply.read():
                for frame in decoder.feed(data):
                    said.take(frame)
    except AttemptFailed as failure:
        how = failure.how
    finally:
        gemini.meter.add(said.billed)
    return Heard(said, how, transfer)


async def break_off(gemini: Gemini, model: str, body: bytes, cut: Cut) -> Broken:
    """Stream an answer and abandon it at ``cut``.

    Raises CannotTell if the request is refused, or if the answer ends before such a place.
    """
    said = Said()
    try:
        async with gemini.stream(model, body) as reply:
            at = await _read_to(cut, reply, said)
    except Rejection as rejection:
        raise CannotTell(f"the first request was refused: {rejection}") from rejection
    except AttemptFailed as failure:
        raise CannotTell(f"the first answer broke by itself ({failure.how.value})") from failure
    finally:
        gemini.meter.add(said.billed)
    return Broken(model, body, prefix_of(said, at), said.text[:at], said.text[at:], said)


async def resume(gemini: Gemini, broken: Broken, form: Form, *, natively: bool = False) -> Resumed:
    """Resume a broken answer in ``form``, or else with Gemini's own continuationToken.

    Raises Rejection if the API refuses that, CannotTell if it cannot be tested.
    """
    played = _Played.up_to_the_cut(broken, form)
    if natively != (played.machine.plan is Plan.NATIVE):
        if natively:
            raise CannotTell("no continuationToken came before the cut")
        played.refuse_the_token()
    body = played.machine.next_request
    anchored = not natively and form is not Form.PREFILL
    anchor = choose_anchor(broken.text) if anchored else None
    said = await _listen(gemini, broken.model, body, played.run)
    return played.outcome(said, body, anchor)


async def resume_plainly(gemini: Gemini, broken: Broken) -> Resumed:
    """Resume a broken answer without asking for an echo. Raises Rejection, CannotTell."""
    tally = _Played.up_to_the_cut(broken, Form.ECHO).machine.tally
    body = continuation.continue_text(
        StreamRequest(broken.body),
        broken.text,
        anchor=None,
        delivered_tokens=tally.delivered_tokens,
        thought_tokens=tally.thought_tokens,
    )
    said = await _listen(gemini, broken.model, body, _read_all)
    return Resumed(said, body, None, said.text)


Reader = Callable[[Reply, Said], Awaitable[None]]


async def _listen(gemini: Gemini, model: str, body: bytes, read: Reader) -> Said:
    """Make the request of a resumption and read its answer."""
    said = Said()
    try:
        async with gemini.stream(model, body) as reply:
            await read(reply, said)
    except AttemptFailed as failure:
        raise CannotTell(f"the resumed answer broke by itself ({failure.how.value})") from failure
    finally:
        gemini.meter.add(said.billed)
    return said


async def _read_all(reply: Reply, said: Said) -> None:
    decoder = SSEDecoder()
    while data := await reply.read():
        for frame in decoder.feed(data):
            said.take(frame)
    if said.error is not None:
        raise CannotTell(f"an error came inside the resumed answer ({said.error.get('code')})")


async def _read_to(cut: Cut, reply: Reply, said: Said) -> int:
    """Read until the answer has a place for ``cut``; return its offset."""
    decoder = SSEDecoder()
    while data := await reply.read():
        for frame in decoder.feed(data):
            said.take(frame)
            if said.error is not None or said.garbled:
                raise CannotTell(_why_never_cut(said, cut))
            at = cut.find(said.text)
            if at is not None:
                return at
    raise CannotTell(_why_never_cut(said, cut))


def _why_never_cut(said: Said, cut: Cut) -> str:
    if said.error is not None:
        return f"an error came inside the first answer ({said.error.get('code')})"
    if said.garbled:
        return "a frame of the first answer is no JSON"
    if not said.text:
        return f"the first answer has no text ({said.blocked or said.finish_reason})"
    return f"the first answer has no place {cut.place.value} after {cut.least} characters"


def _transfer(reply: Reply) -> str:
    if "chunked" in reply.headers.get("Transfer-Encoding", "").lower():
        return "chunked"
    return "length" if "Content-Length" in reply.headers else "close"


@attrs.define(eq=False)
class _Played:
    """A machine that was interrupted at the cut, and its next attempt."""

    machine: StreamMachine
    intake: Intake[StreamMachine]
    voice: EventVoice = attrs.field(factory=EventVoice)
    emitted: bytes = b""
    last: Step = attrs.field(factory=Step)

    @classmethod
    def up_to_the_cut(cls, broken: Broken, form: Form) -> "_Played":
        """Feed the broken answer to a machine. Raises CannotTell if it cannot resume."""
        request = StreamRequest(broken.body)
        machine = StreamMachine(request, Policy(first_form=form))
        intake = Intake(machine, SSEDecoder)
        intake.opened()
        intake.received(broken.prefix)
        step = intake.ended(How.RESET)
        if not isinstance(step.next, Resume) or machine.transcript.text != broken.text:
            raise CannotTell("the core does not resume such an answer from its text")
        return cls(machine, intake)

    def refuse_the_token(self) -> None:
        """Make the machine resume from text, as it does if the API refuses a token."""
        self.intake.rejected(_NOT_FOUND, b"", None)

    async def run(self, reply: Reply, said: Said) -> None:
        """Run the attempt through the machine until that has a verdict on it."""
        self.intake.opened()
        decoder = SSEDecoder()
        while data := await reply.read():
            for frame in decoder.feed(data):
                said.take(frame)
            if self._take(self.intake.received(data)):
                return
        self._take(self.intake.ended(How.EOF))

    def _take(self, step: Step) -> bool:
        self.emitted += self.voice.say(step.out)
        self.last = step
        return step.next is not None

    def outcome(self, said: Said, body: bytes, anchor: str | None) -> Resumed:
        """Return the outcome of the attempt. Raises CannotTell for an accident."""
        verdict = self.last.next
        if isinstance(verdict, Fail):
            raise CannotTell(f"the resumed answer failed: {verdict.error.message}")
        cause = verdict.cause if isinstance(verdict, Resume) else None
        if cause in _OF_ITS_OWN:
            raise CannotTell(f"the resumed answer broke by itself ({cause.value})")
        client = listen(self.emitted)
        joint = self.machine.joints[-1] if self.machine.joints else None
        diverged = cause if cause in (Cause.DIVERGED, Cause.INVALID) else None
        return Resumed(said, body, anchor, client.text, joint, len(client.calls), diverged)
