"""One attempt: what it sends, and what is known of its answer while it runs.

`next_attempt` makes it from what the client already has. Nothing visible went out: the
request is replayed as it came. Text went out: it is continued, natively from a checkpoint
where there is one, else in the text form. Anything else cannot be continued honestly.
"""

import enum

import attrs
import msgspec

from gemproxy.core.anchor import choose_anchor
from gemproxy.core.continuation import Form, continue_natively, continue_text
from gemproxy.core.document import LARGEST, Document
from gemproxy.core.errors import NotContinuable
from gemproxy.core.events import Received
from gemproxy.core.policy import Policy
from gemproxy.core.request import StreamRequest
from gemproxy.core.rewrite import Rewriter
from gemproxy.core.seam import Seam
from gemproxy.core.splice import Joiner, Repetition
from gemproxy.core.tail import Tail
from gemproxy.core.transcript import Checkpoint, Transcript
from gemproxy.core.usage import Ledger


class Plan(enum.Enum):
    """What an attempt is."""

    FIRST = "first"
    REPLAY = "replay"
    TEXT = "text"
    NATIVE = "native"


@attrs.frozen
class Told:
    """A received frame, of whose visible text the client already has ``drop`` characters."""

    received: Received
    drop: int = 0

    @property
    def text(self) -> str:
        """The visible text that is new to the client."""
        return self.received.chunk.text[self.drop :]


@attrs.define
class Attempt:
    """What belongs to one attempt and ends with it.

    ``rewriter`` is None while frames go out as they came. ``joiner`` is there until it is
    known where the attempt joins; until then its frames are ``pending``, and ``skip`` is what
    it found. ``held`` frames wait for the end. ``begins_at`` counts the visible characters
    that went out before.
    """

    body: bytes = attrs.field(repr=False)
    plan: Plan = Plan.FIRST
    rewriter: Rewriter | None = None
    joiner: Joiner | None = None
    begins_at: int = 0
    held: list[Told] = attrs.field(factory=list)
    pending: list[Received] = attrs.field(factory=list)
    standing: str | None = None
    blocked: bool = False
    holds_calls: bool = False
    spoke: bool = False
    skip: int = 0
    settled: bool = False
    usage: msgspec.Raw = attrs.field(factory=msgspec.Raw)

    @property
    def ended(self) -> bool:
        """Whether the upstream has said that, and how, the answer ends."""
        return self.blocked or self.standing is not None

    def undelivered(self) -> int:
        """Return how many visible characters came and did not go out."""
        held = sum(len(told.received.chunk.text) for told in self.held)
        pending = sum(len(received.chunk.text) for received in self.pending)
        return held + pending + (self.rewriter.dropped if self.rewriter else 0)


def next_attempt(  # noqa: PLR0913 - each is one side of the decision
    request: StreamRequest,
    transcript: Transcript,
    ledger: Ledger,
    policy: Policy,
    *,
    form: Form,
    natively: bool,
) -> Attempt:
    """Return the attempt that can complete what the client has.

    ``form`` is how a text is continued, ``natively`` whether checkpoints are of use. Raises
    NotContinuable when there is no such attempt, or when it would cost too much.
    """
    cap = policy.max_extra_tokens
    if cap is not None and ledger.extra() + ledger.expected_prompt() > cap:
        raise NotContinuable("The cap on extra tokens for this stream is reached.")
    if not transcript.visible:
        rewriter = _rewriter(transcript, ledger, policy) if transcript.started else None
        return Attempt(request.body, Plan.REPLAY, rewriter)
    if transcript.opaque or request.several:
        raise NotContinuable("What the client already has cannot be continued as text.")
    checkpoint = transcript.checkpoint or _own_checkpoint(request)
    if checkpoint is not None and natively:
        return _native(request, transcript, ledger, policy, checkpoint)
    return _textual(request, transcript, ledger, policy, form)


def _own_checkpoint(request: StreamRequest) -> Checkpoint | None:
    """Return where a request begins that itself goes on with an answer."""
    token = request.continuation_token
    return Checkpoint(token, 0) if isinstance(token, str) and token else None


def _native(
    request: StreamRequest,
    transcript: Transcript,
    ledger: Ledger,
    policy: Policy,
    checkpoint: Checkpoint,
) -> Attempt:
    since = transcript.text[checkpoint.at :]
    return Attempt(
        continue_natively(request, checkpoint.token),
        Plan.NATIVE,
        _rewriter(transcript, ledger, policy),
        Repetition(since) if since else None,
        begins_at=transcript.chars,
    )


def _textual(
    request: StreamRequest, transcript: Transcript, ledger: Ledger, policy: Policy, form: Form
) -> Attempt:
    transcript.forget_checkpoints()
    text = transcript.text
    tail = Tail.of(text)
    anchor = None if form is Form.PREFILL else choose_anchor(text, tail)
    body = continue_text(
        request,
        text,
        anchor=anchor,
        form=form,
        delivered_tokens=ledger.delivered_tokens,
        thought_tokens=ledger.thought_tokens,
    )
    joiner: Joiner = Seam(text, anchor, tail)
    if request.wants_document and len(text) <= LARGEST:
        joiner = Document(text, joiner, request.schema)
    rewriter = _rewriter(transcript, ledger, policy, continued=True)
    return Attempt(body, Plan.TEXT, rewriter, joiner, begins_at=transcript.chars)


def _rewriter(
    transcript: Transcript, ledger: Ledger, policy: Policy, *, continued: bool = False
) -> Rewriter:
    swallow = policy.swallow_thoughts and (transcript.visible or transcript.thoughts)
    return Rewriter(
        ledger,
        transcript.response_id,
        transcript.model_version,
        swallow_thoughts=swallow,
        continued=continued,
        base=len(transcript.text.encode("utf-8", "surrogatepass")),
        grounding=transcript.grounding if continued else {},
    )
