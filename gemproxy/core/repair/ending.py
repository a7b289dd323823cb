"""How an attempt has ended: what each of its candidates gave as its finishReason.

A finishReason stands until its candidate brings more content: Gemini emits intermediate ones
around its built-in tools, and gateways put STOP on frames in the middle. An attempt has ended
when a reason stands for each candidate that was seen, or when the prompt was blocked.

``meaning`` says what the end of an attempt is to the answer. It looks the reasons up in the tables
of ``verdict`` and changes nothing: what is done about it, and how often, is for the machine.
"""

import enum

import attrs

from gemproxy.core.answer.chunk import Chunk, Said
from gemproxy.core.repair.verdict import FinishTable, Verdict, is_policy


@attrs.define
class Ending:
    """The endings of one attempt's candidates, noted frame by frame.

    ``reasons`` maps the index of a candidate to the reason that stands for it. ``others`` are
    the candidates seen in frames that name several, or another than the first. ``first_seen``
    says that the first one has brought content, be it a thought. ``revoked`` says
    that content came after a reason, ``policy`` that a reason was a decision about content,
    and ``block_reason`` that the prompt was refused.
    """

    reasons: dict[int, str] = attrs.field(factory=dict)
    others: set[int] = attrs.field(factory=set)
    first_seen: bool = False
    revoked: bool = False
    policy: bool = False
    block_reason: str | None = None

    def note(self, chunk: Chunk, *, first_seen: bool) -> None:
        """Take what a frame says; ``first_seen``: the first candidate came unnoted before it."""
        self.first_seen |= first_seen
        if self.first_seen and (chunk.candidates or self.others):
            self.others.add(0)
        self.first_seen |= chunk.news and not chunk.candidates
        for said in chunk.candidates or (Said(0, chunk.news, chunk.finish_reason),):
            says = said.news or said.finish_reason is not None
            if chunk.candidates or (says and self.others):
                self.others.add(said.index)
            if said.news and self.reasons.pop(said.index, None) is not None:
                self.revoked = True
            if said.finish_reason is not None:
                self.reasons[said.index] = said.finish_reason
                self.policy |= is_policy(said.finish_reason)
        self.block_reason = chunk.block_reason or self.block_reason

    @property
    def blocked(self) -> bool:
        """Whether the prompt was refused."""
        return self.block_reason is not None

    @property
    def reason(self) -> str | None:
        """The reason that stands for the first candidate, or else for another."""
        return self.reasons.get(0) or next(iter(self.reasons.values()), None)

    def is_over(self, asked: int = 1) -> bool:
        """Return whether each candidate seen, and each of the ``asked`` first, has a reason."""
        if self.block_reason is not None:
            return True
        return bool(self.reasons) and not self.missing(asked)

    def missing(self, asked: int = 1) -> set[int]:
        """Return the candidates seen, or among the ``asked`` first, that have no reason."""
        due = self.others | set(range(asked)) if asked > 1 else self.others or {0}
        return due - self.reasons.keys()

    def verdict(self, table: FinishTable) -> Verdict:
        """Return what the reasons mean together; a block means what a policy reason does.

        One candidate that is whole is worth more than the others' faults: nothing better can
        be asked for, because several candidates cannot be continued.
        """
        if self.blocked or self.policy or not self.reasons:
            return Verdict.POLICY
        verdicts = [table.of(reason) for reason in self.reasons.values()]
        return Verdict.ACCEPT if Verdict.ACCEPT in verdicts else verdicts[0]


class Meaning(enum.Enum):
    """What the end of an attempt is to the answer."""

    OVER = "over"  # the answer ends here, as the upstream says
    DROP = "drop"  # the body ended before the answer did
    EMPTY_STOP = "empty stop"  # nothing visible came, which may be a fault
    NOTHING_NEW = "nothing new"  # a resumed attempt only repeated what the client has
    REFUSED = "refused"  # Gemini refused to go on behind text that has no ending of its own
    REPLAY = "replay"  # ask again if the client has nothing visible
    REROLL = "reroll"  # the same, once
    RESUME = "resume"  # keep the text, go on from it
    CONTINUE = "continue"  # Gemini's own request to be called again


@attrs.frozen
class End:
    """What is known of an attempt whose body is over.

    ``clean`` says that the body ended as HTTP wants it, and ``asked`` how many candidates the
    request asked for. ``proving`` says that a resumed attempt has brought nothing new, ``visible``
    that there is content, from this attempt or an earlier one.
    """

    ending: Ending
    clean: bool = True
    asked: int = 1
    proving: bool = False
    visible: bool = False


def meaning(end: End, table: FinishTable | None) -> Meaning:
    """Return what an end means; without a ``table`` nothing is repaired, and every ending passes.

    Where the body has no clean end, the candidates that were asked for count, too.
    """
    ending = end.ending
    if not ending.is_over(1 if end.clean else end.asked):
        return Meaning.DROP
    nothing = ending.reason == "STOP" and end.proving
    refused = ending.blocked or (ending.policy and nothing)
    if refused and end.visible and (nothing or ending.missing()):
        return Meaning.REFUSED
    verdict = Verdict.POLICY if table is None else ending.verdict(table)
    if verdict is Verdict.ACCEPT and ending.reason == "STOP":
        return _meaning_of_stop(end)
    return _MEANINGS[verdict]


def _meaning_of_stop(end: End) -> Meaning:
    if end.proving:
        return Meaning.NOTHING_NEW
    return Meaning.OVER if end.visible else Meaning.EMPTY_STOP


_MEANINGS = {
    Verdict.ACCEPT: Meaning.OVER,
    Verdict.POLICY: Meaning.OVER,
    Verdict.RESUME: Meaning.RESUME,
    Verdict.CONTINUE: Meaning.CONTINUE,
    Verdict.REPLAY: Meaning.REPLAY,
    Verdict.REROLL: Meaning.REROLL,
}
