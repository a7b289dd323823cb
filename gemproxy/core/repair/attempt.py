"""One attempt: what it sends, and what is known of its answer while it runs.

`next_attempt` makes it from what the client already has:

- A checkpoint is used whatever went out before it, thoughts only or code. Behind an opaque part
  that went out after it nothing can be continued.
- Nothing visible went out: the request is replayed as it came.
- Text went out that no anchor can show, because it is too short or repeats itself: the request
  is replayed once, and an answer that begins with the same characters goes on from there.
- Other text is continued in a form of continuation. Anything else cannot be continued honestly.
"""

import enum

import attrs
import msgspec

from gemproxy.core.answer.chunk import NAMELESS, Chunk, Named
from gemproxy.core.answer.rewrite import Rewriter
from gemproxy.core.answer.transcript import Checkpoint, Transcript, join_surrogates
from gemproxy.core.answer.usage import Tally, counts_output, parse_usage
from gemproxy.core.errors import NotContinuable
from gemproxy.core.repair.continuation import Form, continue_natively, continue_text
from gemproxy.core.repair.ending import Ending
from gemproxy.core.repair.engine import Patience
from gemproxy.core.repair.events import Received
from gemproxy.core.repair.holdback import HoldBack
from gemproxy.core.repair.policy import Policy
from gemproxy.core.repair.request import StreamRequest
from gemproxy.core.seam.anchor import choose_anchor
from gemproxy.core.seam.choice import Choice
from gemproxy.core.seam.document import LARGEST, SEAM_REACH, Document
from gemproxy.core.seam.seam import Seam
from gemproxy.core.seam.splice import Joiner, Repetition
from gemproxy.core.seam.tail import Tail
from gemproxy.core.wire.frame import Frame


class Plan(enum.Enum):
    """What an attempt is."""

    FIRST = "first"
    REPLAY = "replay"
    TEXT = "text"
    NATIVE = "native"


@attrs.define
class Attempt:
    """What belongs to one attempt and ends with it.

    ``holdback`` decides which of its frames go out. ``joiner`` is there until it is known where
    the attempt joins; until then its frames are ``pending``. ``kept`` is text that waits for a
    later attempt (``ahead``), and ``repeated`` counts the characters before it that came again.
    ``begins_at`` counts the visible characters that went out before.
    ``another`` says that a key other than its own could serve the next one.
    ``spoke`` says that its last news was text, ``shown`` that it thinks again behind text, and
    ``content`` that it has brought any. ``own`` is what its answer called itself in a frame that
    was looked at: plain ones of the first attempt are not, and go out as they are. ``form`` is the
    form of continuation in which it asks for the rest of a text, and ``anchor`` counts the
    characters that it asks to be repeated.
    """

    body: bytes = attrs.field(repr=False)
    holdback: HoldBack
    plan: Plan = Plan.FIRST
    form: Form | None = None
    anchor: int = 0
    joiner: Joiner | None = None
    begins_at: int = 0
    another: bool = False
    pending: list[Received] = attrs.field(factory=list)
    ending: Ending = attrs.field(factory=Ending)
    marked: bool = False
    spoke: bool = False
    shown: bool = False
    content: bool = False
    kept: str = ""
    repeated: int = 0
    settled: bool = False
    usage: msgspec.Raw = attrs.field(factory=msgspec.Raw)
    own: Named = NAMELESS

    @property
    def named(self) -> Named:
        """What its answer calls itself."""
        transcript = self.holdback.transcript
        if self.own is NAMELESS and self.holdback.rewriter is None:
            return Named(transcript.response_id, transcript.model_version)
        return self.own

    @property
    def ended(self) -> bool:
        """Whether the upstream has said that, and how, the answer ends."""
        return self.marked and self.ending.is_over()

    def note(self, chunk: Chunk) -> None:
        """Take what a frame says of usage and of the end, and whether it brings content."""
        if chunk.usage:
            self.usage = chunk.usage
        if self.own is NAMELESS and chunk.response_id is not None:
            self.own = Named(chunk.response_id, chunk.model_version)
        self.content |= self.spoke
        self.ending.note(chunk, first_seen=self.content or self.begins_at > 0)
        self.marked = bool(self.ending.reasons) or self.ending.blocked
        self.content |= bool(chunk.text) or chunk.call or chunk.opaque
        self.shown |= self.spoke
        self.spoke = bool(chunk.text) or (self.spoke and not chunk.thought)

    def take(self, received: Received) -> list[Frame]:
        """Take a frame that may have to be held; return what goes out now."""
        chunk = received.chunk
        more = chunk.news and self.ended  # that reason was an intermediate one
        out = self.holdback.free() if more else []
        self.note(chunk)
        return out + self.holdback.take(received, ended=self.ended)

    def joined(self, drop: int) -> list[Received]:
        """Note that the attempt joins behind ``drop`` characters; return its frames.

        They are to be taken again from the first one, and so are the reasons in them.
        """
        if isinstance(self.joiner, Document | Choice):  # and that is proof enough
            self.holdback.proving = False
        pending, self.pending = self.pending, []
        self.holdback.skip, self.joiner = drop, None
        self.ending, self.marked = Ending(), False
        return pending

    def undelivered(self) -> int:
        """Return how many visible characters came and did not go out."""
        pending = sum(len(received.chunk.text) for received in self.pending)
        rewriter = self.holdback.rewriter
        dropped = rewriter.dropped if rewriter else 0
        return self.holdback.characters + pending + self.repeated + dropped

    def settle(self, tally: Tally, *, final: bool = False) -> Tally:
        """Return the tally with this attempt, which is over; the second time as it is.

        ``final`` says that its ending is the answer's.
        """
        if self.settled:
            return tally
        self.settled = True
        transcript, rewriter = self.holdback.transcript, self.holdback.rewriter
        delivered = transcript.chars - self.begins_at + len(self.kept)
        usage = parse_usage(self.usage)
        text = "" if counts_output(usage) else transcript.text[self.begins_at :] + self.kept
        reached = final or transcript.visible or transcript.thoughts
        return tally.settled(
            usage,
            received=delivered + self.undelivered(),
            delivered=delivered,
            text=text,
            opaque=final or transcript.opaque,
            swallowed=not reached or (rewriter is not None and rewriter.swallow_thoughts),
            final=final,
        )

    def patience(self, request: StreamRequest) -> Patience:
        """Return how long silence is normal now that it has been answered."""
        if not self.ended:
            if self.spoke:
                return Patience.CHUNK
            return Patience.THINKING_ON if self.shown else Patience.THINKING
        ending = self.ending
        due = not ending.blocked and ending.missing(request.candidates)
        if ending.revoked or due:
            return Patience.CHUNK  # a reason says little where one was revoked, or one is due
        if ending.reason == "STOP" and not self.content:
            return Patience.EMPTY_FINISH
        tools = request.server_tools or self.holdback.transcript.opaque
        return Patience.TOOL_FINISH if tools else Patience.FINISH

    def waiting(self, delivered: int) -> int:
        """Return the bytes of the frames that wait.

        Those at the seam may only repeat the ``delivered`` bytes, and count as far as they are
        more.
        """
        pending = sum(received.frame.size for received in self.pending)
        return self.holdback.size + max(pending - delivered, 0)


@attrs.frozen
class Way:
    """How a text is continued.

    ``form`` is the form of continuation, and ``last`` says that all others have failed.
    ``natively`` says whether checkpoints are of use, ``replay`` whether a text without an
    anchor may be asked for again from its beginning. ``ahead`` is text that waits behind what
    the client has: it is continued, too.
    """

    form: Form = Form.ECHO
    last: bool = False
    natively: bool = True
    replay: bool = True
    ahead: str = ""


def next_attempt(
    request: StreamRequest, transcript: Transcript, tally: Tally, policy: Policy, way: Way
) -> Attempt:
    """Return the attempt that can complete what the client has, and what waits for it.

    Raises NotContinuable when there is no such attempt, or when it would cost too much.
    """
    cap = policy.max_extra_tokens
    if cap is not None and tally.extra() + tally.expected_prompt() > cap:
        raise NotContinuable("The cap on extra tokens for this stream is reached.")
    checkpoint = transcript.checkpoint or _own_checkpoint(request)
    if checkpoint is not None and way.natively and not transcript.opaque_since_checkpoint:
        return _native(request, transcript, tally, policy, checkpoint)
    if not transcript.visible:
        rewriter = _rewriter(transcript, tally, policy) if transcript.started else None
        return Attempt(request.body, HoldBack(transcript, policy, rewriter), Plan.REPLAY)
    if transcript.opaque or request.several:
        raise NotContinuable("What the client already has cannot be continued as text.")
    return _continuing(request, transcript, tally, policy, way)


def _continuing(
    request: StreamRequest, transcript: Transcript, tally: Tally, policy: Policy, way: Way
) -> Attempt:
    """Return an attempt that continues a text, or a replay where it is too short for that."""
    text = join_surrogates(transcript.text + way.ahead) if way.ahead else transcript.text
    tail = Tail.of(text)
    anchor = choose_anchor(text, tail)
    if anchor is None and way.replay and not way.ahead and not request.server_tools:
        return _replay(request, transcript, tally, policy)
    transcript.forget_checkpoints()
    return _textual(request, transcript, tally, policy, (way, text, anchor, tail))


def _replay(
    request: StreamRequest, transcript: Transcript, tally: Tally, policy: Policy
) -> Attempt:
    """Return the whole request again, of whose answer the client has the beginning."""
    rewriter, text = _rewriter(transcript, tally, policy), transcript.text
    repetition = Repetition(text)
    return Attempt(
        request.body,
        HoldBack(transcript, policy, rewriter),
        Plan.REPLAY,
        joiner=Choice(text, repetition, request.values) if request.values else repetition,
        begins_at=transcript.chars,
    )


def _own_checkpoint(request: StreamRequest) -> Checkpoint | None:
    """Return where a request begins that itself goes on with an answer."""
    token = request.continuation_token
    return Checkpoint(token, 0) if isinstance(token, str) and token else None


def _native(
    request: StreamRequest,
    transcript: Transcript,
    tally: Tally,
    policy: Policy,
    checkpoint: Checkpoint,
) -> Attempt:
    since = transcript.text[checkpoint.at :]
    return Attempt(
        continue_natively(request, checkpoint.token),
        HoldBack(
            transcript,
            policy,
            _rewriter(transcript, tally, policy),
            proving=transcript.chars > 0,
        ),
        Plan.NATIVE,
        joiner=Repetition(since) if since else None,
        begins_at=transcript.chars,
    )


def _textual(
    request: StreamRequest,
    transcript: Transcript,
    tally: Tally,
    policy: Policy,
    how: tuple[Way, str, str | None, Tail],
) -> Attempt:
    way, text, anchor, tail = how
    anchor = None if way.form is Form.PREFILL else anchor
    body = continue_text(
        request,
        text,
        anchor=anchor,
        form=way.form,
        delivered_tokens=tally.delivered_tokens,
        thought_tokens=tally.thought_tokens,
    )
    joiner = _joiner(request, way, (text, anchor, tail))
    rewriter = _rewriter(transcript, tally, policy, continued=text)
    holdback = HoldBack(transcript, policy, rewriter, proving=True)
    return Attempt(
        body,
        holdback,
        Plan.TEXT,
        way.form,
        len(anchor or ""),
        joiner,
        begins_at=transcript.chars,
    )


def _joiner(request: StreamRequest, way: Way, end: tuple[str, str | None, Tail]) -> Joiner:
    """Return what joins an answer of the kind that was asked for."""
    text, anchor, tail = end
    if request.wants_document and len(text) <= LARGEST:
        # A restart is found by the document itself, so the seam needs the end alone.
        return Document(text, Seam(text[-SEAM_REACH:], anchor, tail), request.schema)
    seam = Seam(text, anchor, tail, last_form=way.last, request_says=request.says)
    return Choice(text, seam, request.values) if request.values else seam


def _rewriter(
    transcript: Transcript, tally: Tally, policy: Policy, continued: str | None = None
) -> Rewriter:
    swallow = policy.swallow_thoughts and (transcript.visible or transcript.thoughts)
    return Rewriter(
        tally,
        transcript.response_id,
        transcript.model_version,
        swallow_thoughts=swallow,
        continued=continued is not None,
        base=len((continued or "").encode("utf-8", "surrogatepass")),
        grounding=transcript.grounding if continued is not None else {},
    )
