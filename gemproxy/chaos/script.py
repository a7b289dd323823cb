"""The answer, the fault and the behaviour of each attempt.

A ``Script`` is the fixed plan; a ``Conversation`` is one client's position in it. The first user
text identifies a conversation, so concurrent streams do not take each other's faults. The same
prompt sent twice belongs to one conversation.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from gemproxy.chaos.answers import Answer, expected_text
from gemproxy.chaos.behaviours import SCARRING, Behaviour, Seam, resumed_text
from gemproxy.chaos.conversation import CONTINUATIONS, Asked, Relation, Turn, recognise, turns_of
from gemproxy.chaos.delivery import Wiring
from gemproxy.chaos.documents import NoExample
from gemproxy.chaos.faults import END, HARMLESS, Fault, Kind
from gemproxy.chaos.fitting import fitting
from gemproxy.chaos.frames import Portion, all_of, offset_of
from gemproxy.chaos.framing import Style

_SECOND_THOUGHTS = "The reply broke off. I have to find where it stopped and go on from there."


def _in_order(faults: Iterable[Fault | None]) -> tuple[Fault | None, ...]:
    return tuple(faults)


def _behaviours(value: Behaviour | Iterable[Behaviour]) -> tuple[Behaviour, ...]:
    return (value,) if isinstance(value, Behaviour) else tuple(value)


@attrs.frozen
class Script:
    """The answer and the faults of a conversation.

    ``faults`` are for the first, second, ... attempt of a conversation, None for a clean one; later
    attempts have none. A REFUSE_CONNECT comes between attempts and refuses the next new connection
    of the whole server. ``behaviour`` is for the first, second, ... continuation; the last one
    applies to all further ones. ``amount`` is the number of characters that some behaviours repeat.
    With ``rearm`` a completely answered conversation starts over with the first fault. ``line_end``
    ends the lines of SSE. With ``documents`` a request for JSON gets a document even if ``answer``
    is not one (``fitting``). ``style`` and ``media_type`` set the form and the Content-Type of
    streams; None means Gemini's own.
    """

    answer: Answer
    faults: tuple[Fault | None, ...] = attrs.field(default=(), converter=_in_order)
    behaviour: tuple[Behaviour, ...] = attrs.field(
        default=(Behaviour.ECHO,), converter=_behaviours, validator=attrs.validators.min_len(1)
    )
    amount: int = 40
    rearm: bool = False
    documents: bool = False
    line_end: str = attrs.field(default="\r\n", validator=attrs.validators.in_(("\r\n", "\n")))
    wiring: Wiring = attrs.field(factory=Wiring)
    style: Style | None = None
    media_type: str | None = None

    def refusals_at(self, position: int) -> int:
        """Return how many connections to refuse before the fault at ``position``."""
        count = 0
        for fault in self.faults[position:]:
            if fault is None or fault.kind is not Kind.REFUSE_CONNECT:
                break
            count += 1
        return count


@attrs.frozen
class Plan:
    """The plan of one attempt.

    ``refusal`` is the message of a 400 in place of an answer; ``violation`` means that the client
    caused it. ``number`` counts the attempts of the conversation from 0.
    """

    number: int
    asked: Asked
    answer: Answer
    portion: Portion
    behaviour: Behaviour | None = None
    fault: Fault | None = None
    refusal: str | None = None
    violation: bool = False


@attrs.define
class Conversation:
    """The position of one client in a script.

    ``answer`` is the answer of the turn. Internally, ``unfit`` is the reason if no answer fits, and
    ``texts`` are the texts whose beginning the client may hold: the answer, and its versions after
    a seam that cannot be repaired.
    """

    script: Script
    attempts: int = 0
    _refusals: int = attrs.field(default=0, init=False)
    _position: int = attrs.field(init=False)
    _continuations: int = attrs.field(default=0, init=False)
    _original: list[Turn] | None = attrs.field(default=None, init=False)
    answer: Answer = attrs.field(factory=Answer, init=False)
    _unfit: str | None = attrs.field(default=None, init=False)
    _texts: list[str] = attrs.field(factory=list, init=False)
    _answered: bool = attrs.field(default=False, init=False)

    @_position.default
    def _after_the_first_refusals(self) -> int:
        return self.script.refusals_at(0)

    def take(self, document: dict[str, Any]) -> Plan:
        """Return the plan for the request with this body, and count it."""
        asked = recognise(document, self._original)
        if self._begins_a_turn(asked):
            self._begin(document)
            asked = asked if asked.form is Relation.REPLAY else Asked(Relation.NEW_TURN)
        plan = self._plan(asked)
        self.attempts += 1
        self._answered = False
        return plan if plan.refusal is not None else attrs.evolve(plan, fault=self._next_fault())

    def sent(self, plan: Plan) -> None:
        """Record that the attempt of ``plan`` was sent, up to its fault."""
        fault = plan.fault
        whole = fault is None or fault.kind in HARMLESS or fault.at == END
        as_scripted = plan.behaviour not in (
            Behaviour.RESTART_DIFFERENT,
            Behaviour.ANOTHER_DOCUMENT,
        )
        self._answered = whole and as_scripted and plan.refusal is None

    def take_refusals(self) -> int:
        """Return how many connections to refuse from now on, and reset this count."""
        refusals, self._refusals = self._refusals, 0
        return refusals

    def _begins_a_turn(self, asked: Asked) -> bool:
        """Return whether a request begins a new turn and is not another try at the present one.

        After a complete answer, a request without an anchor begins a new turn.
        """
        if self._original is None or asked.form is Relation.NEW_TURN:
            return True
        return self._answered and asked.anchor is None and asked.form is not Relation.TOKEN

    def _begin(self, document: dict[str, Any]) -> None:
        if self._answered and self.script.rearm:
            self._position = self._skip_refusals(0)
        self._original = turns_of(document)
        self.answer, self._unfit = Answer(), None
        try:
            self.answer = fitting(self.script.answer, document, documents=self.script.documents)
        except NoExample as exc:
            self._unfit = str(exc)
        self._texts = [expected_text(self.answer)]
        self._continuations = 0

    def _next_fault(self) -> Fault | None:
        faults = self.script.faults[self._position :]
        self._position = self._skip_refusals(self._position + 1)
        return faults[0] if faults else None

    def _skip_refusals(self, position: int) -> int:
        count = self.script.refusals_at(position)
        self._refusals += count
        return position + count

    def _plan(self, asked: Asked) -> Plan:
        answer = self.answer
        plan = Plan(self.attempts, asked, answer, all_of(answer))
        if self._unfit is not None:
            return _violated(plan, f"There is no answer in JSON: {self._unfit}.")
        if asked.form is Relation.TOKEN:
            return _from_checkpoint(plan)
        if asked.form not in CONTINUATIONS:
            return plan
        return self._continued(plan)

    def _continued(self, plan: Plan) -> Plan:
        behaviour = self.script.behaviour[min(self._continuations, len(self.script.behaviour) - 1)]
        self._continuations += 1
        plan = attrs.evolve(plan, behaviour=behaviour)
        held = plan.asked.held
        full = next((text for text in self._texts if text.startswith(held)), None)
        if full is None:
            return _violated(plan, "The text to continue is no beginning of the answer.")
        if refusal := _refusal(behaviour, plan.asked.form):
            return attrs.evolve(plan, refusal=refusal)
        if behaviour is Behaviour.NOTHING:
            return attrs.evolve(plan, answer=Answer(), portion=all_of(Answer()))
        said = resumed_text(
            behaviour, Seam(full, held, plan.asked.anchor or "", self.script.amount)
        )
        if behaviour in SCARRING:
            self._texts.append(held + said)
        return attrs.evolve(plan, portion=Portion(said, len(full), _thoughts(plan), resumed=True))


def _thoughts(plan: Plan) -> str:
    if plan.behaviour is Behaviour.THINK_FIRST:
        return plan.answer.thoughts or _SECOND_THOUGHTS
    return plan.answer.thoughts


def _from_checkpoint(plan: Plan) -> Plan:
    text = plan.answer.text
    offset = offset_of(plan.asked.token)
    if offset is None or offset > len(text):
        return _violated(plan, "The continuationToken is none of this server's.")
    return attrs.evolve(plan, portion=Portion(text[offset:], len(text), resumed=True))


def _violated(plan: Plan, message: str) -> Plan:
    return attrs.evolve(plan, refusal=message, violation=True)


def _refusal(behaviour: Behaviour, form: Relation) -> str | None:
    model_turn = form is Relation.PREFILL
    if behaviour is Behaviour.REFUSE:
        return "The chaos server continues no model turn, as told."
    if behaviour is Behaviour.REFUSE_MODEL_TURN and model_turn:
        return "Requests ending with a model turn are not supported."
    if behaviour is Behaviour.REFUSE_USER_TURN and not model_turn:
        return "The chaos server refuses a continuation that ends with a user turn, as told."
    return None


@attrs.define
class Stage:
    """The scripts by model name, and the current conversations.

    The name ``*`` stands for models without a script of their own.
    """

    scripts: Mapping[str, Script]
    _conversations: dict[tuple[str, str], Conversation] = attrs.field(factory=dict, init=False)

    def has_script(self, model: str) -> bool:
        """Return whether there is a script for ``model``."""
        return model in self.scripts or "*" in self.scripts

    def script(self, model: str) -> Script | None:
        """Return the script for ``model``, None if there is none."""
        return self.scripts.get(model, self.scripts.get("*"))

    def conversation(self, model: str, opening: str) -> Conversation:
        """Return the conversation that began with the user text ``opening``.

        Raises KeyError for a model without a script.
        """
        name = model if model in self.scripts else "*"
        key = (name, opening)
        if key not in self._conversations:
            self._conversations[key] = Conversation(self.scripts[name])
        return self._conversations[key]

    def connections_to_refuse_first(self) -> int:
        """Return how many connections to refuse before the first request."""
        return sum(script.refusals_at(0) for script in self.scripts.values())
