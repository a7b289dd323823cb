"""What a Live session costs: the sum of its turns.

A server message with usageMetadata tells the cost of the present turn, the whole context of the
session included, since Google bills it again for each turn. Within a turn the counts are running
totals, so the last one counts: a message belongs to the turn of the one before if it tells the same
prompt and no less output, and no turnComplete stands between them. Observed with gemini-3.1 and
2.5 Live models (pydantic-ai#7269). Messages are JSON, in text and in binary frames.
"""

import attrs
import msgspec

from gemproxy.core.answer.usage import Billed, billed, parse_usage

_USAGE, _COMPLETE = b'"usageMetadata"', b'"turnComplete"'


class _Content(msgspec.Struct, gc=False):
    turn_complete: bool | None = msgspec.field(default=None, name="turnComplete")


class _Message(msgspec.Struct, gc=False):
    usage_metadata: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="usageMetadata")
    server_content: _Content | None = msgspec.field(default=None, name="serverContent")


_decode = msgspec.json.Decoder(_Message).decode


@attrs.define(eq=False)
class Turns:
    """Adds up the turns of one session from the messages of its server."""

    _done: list[Billed] = attrs.field(factory=list)
    _turn: Billed | None = None

    @property
    def bills(self) -> tuple[Billed, ...]:
        """The cost of each turn."""
        return tuple(self._done) if self._turn is None else (*self._done, self._turn)

    def take(self, message: bytes) -> None:
        """Take a message of the server; one that is no JSON tells nothing."""
        if _USAGE not in message and _COMPLETE not in message:
            return
        try:
            said = _decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        usage = parse_usage(said.usage_metadata)
        if usage:
            self._tell(billed(usage))
        if said.server_content is not None and said.server_content.turn_complete:
            self._end()

    def _tell(self, cost: Billed) -> None:
        turn = self._turn
        if turn is not None and (cost.prompt != turn.prompt or cost.output < turn.output):
            self._end()
        self._turn = cost

    def _end(self) -> None:
        if self._turn is not None:
            self._done.append(self._turn)
            self._turn = None
