"""The turns of a conversation: what the model said and called, and what came back for it.

OpenAI's results of calls are messages of their own, in any order, and name their call by its id.
Gemini wants one content with as many results as calls, in the order of the calls, right behind
them. So each result is given to its call here, wherever it stands:

    of several calls with its id   the first of the latest turn that has no result yet
    a second result for a call     is kept beside the first one
    a result without an id         goes by its function's name, to the latest turn with calls
    a result without a call        is told as text by the user

Assistant messages with nothing between them are one turn, and so are the user's.
"""

import attrs

from gemproxy.openai.fields import Json


@attrs.frozen
class Result:
    """The content of one result, as native parts; ``value`` is it if it was an object already."""

    parts: list[Json] = attrs.field(repr=False)
    value: Json | None = attrs.field(default=None, repr=False)


@attrs.define(eq=False)
class Call:
    """A call of the model's. ``id`` goes up with it; None: the client gave none."""

    name: str
    id: str | None
    args: Json = attrs.field(repr=False)
    signature: str | None = attrs.field(default=None, repr=False)
    results: list[Result] = attrs.field(factory=list)


@attrs.define(eq=False)
class Turn:
    """One turn of the model's, and the user's one behind it.

    ``parts`` are the model's, without its calls. ``shown`` are pictures of the model's that the
    user shows it again. ``said`` is the user's. ``ids`` are those that Gemini gets.
    ``over``: something came behind the model's part.
    """

    parts: list[Json] = attrs.field(factory=list)
    calls: list[Call] = attrs.field(factory=list)
    shown: list[Json] = attrs.field(factory=list)
    said: list[Json] = attrs.field(factory=list)
    ids: set[str] = attrs.field(factory=set)
    over: bool = False


@attrs.define(eq=False)
class _Same:
    """Calls of one turn that a result may mean; ``_first`` is behind those with a result."""

    turn: Turn
    calls: list[Call] = attrs.field(factory=list)
    _first: int = 0

    def free(self) -> Call | None:
        """Return the first call without a result."""
        while self._first < len(self.calls) and self.calls[self._first].results:
            self._first += 1
        return self.calls[self._first] if self._first < len(self.calls) else None


@attrs.define(eq=False)
class History:
    """A conversation as it is read; ``turns[0]`` has nothing but what the user said first."""

    turns: list[Turn] = attrs.field(factory=lambda: [Turn(over=True)])
    _by_id: dict[str, _Same] = attrs.field(factory=dict)
    _by_name: dict[str | None, _Same] = attrs.field(factory=dict)

    def say(self, parts: list[Json]) -> None:
        """Add parts of the user's."""
        self.turns[-1].said += parts
        self.turns[-1].over = True

    def speak(self, parts: list[Json], shown: list[Json], calls: list[Call]) -> None:
        """Add a message of the model's; one without anything in it is no message."""
        if not (parts or shown or calls):
            return
        if self.turns[-1].over:
            self.turns.append(Turn())
        turn = self.turns[-1]
        turn.parts += parts
        turn.shown += shown
        for call in calls:
            self._add(turn, call)

    def answer(self, call_id: str | None, name: str | None, result: Result) -> bool:
        """Give a result to its call; return whether it has one."""
        self.turns[-1].over = True
        same = self._by_id.get(call_id) if call_id else self._by_name.get(name)
        call = None if same is None else same.free()
        if call is None and same is not None and (call_id or name):
            call = same.calls[-1]
        if call is None:
            return False
        call.results.append(result)
        return True

    def _add(self, turn: Turn, call: Call) -> None:
        """Add a call; Gemini gets different ids even where the client's are equal."""
        if not turn.calls:
            self._by_name = {}
        turn.calls.append(call)
        for name in (None, call.name):
            self._by_name.setdefault(name, _Same(turn)).calls.append(call)
        if call.id is None:
            return
        same = self._by_id.get(call.id)
        if same is None or same.turn is not turn:
            same = self._by_id[call.id] = _Same(turn)
        same.calls.append(call)
        given, number = call.id, len(same.calls)
        while call.id in turn.ids:
            call.id, number = f"{given}-{number}", number + 1
        turn.ids.add(call.id)
