"""What a request of the playground asks of its fake Gemini.

The header ``X-Gemproxy-Playground`` has it in the form of a query: ``answer`` is one of the fake's
built-in answers, ``cut`` a fault in the fake's grammar (``chaos.faults``), once for each attempt,
``behaviour`` how the model takes up a continuation, and ``pause`` the milliseconds between two
frames.
"""

from urllib.parse import parse_qs

import attrs

from gemproxy.chaos.behaviours import Behaviour
from gemproxy.chaos.faults import BadFault, Fault, Kind, parse_fault
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.core.errors import BadRequest

HEADER = "X-Gemproxy-Playground"

ANSWERS = ("story", "thinking", "chinese", "emoji", "table", "json", "repetitive", "call")
"""The built-in answers that one can watch."""
BEHAVIOURS = tuple(
    behaviour.value for behaviour in Behaviour if behaviour is not Behaviour.ANOTHER_DOCUMENT
)
FAULTS = tuple(
    kind.value for kind in Kind if kind not in {Kind.ENDLESS_LINE, Kind.DRIP, Kind.REFUSE_CONNECT}
)
"""A line that never ends is of use to nobody, and the others cut nothing."""
MOST_CUTS = 9
LONGEST_PAUSE = 1000

_LONGEST = 1000


@attrs.frozen
class Wish:
    """The script of a fake, and the seconds that it waits between two frames."""

    script: Script
    pause: float


def wish_of(header: str) -> Wish:
    """Return what a header asks. Raises BadRequest."""
    fields = parse_qs(header[:_LONGEST])
    cuts = fields.get("cut", [])
    if len(cuts) > MOST_CUTS:
        raise BadRequest(f"The playground cuts an answer at most {MOST_CUTS} times.")
    script = Script(
        BUILT_IN[_one_of(fields, "answer", ANSWERS)],
        faults=[_cut(text) for text in cuts],
        behaviour=Behaviour(_one_of(fields, "behaviour", BEHAVIOURS)),
        documents=True,
    )
    return Wish(script, _pause(fields.get("pause", ["0"])[-1]) / 1000)


def _one_of(fields: dict[str, list[str]], name: str, words: tuple[str, ...]) -> str:
    word = fields.get(name, [words[0]])[-1]
    if word not in words:
        raise BadRequest(f"The playground has no {name} {word!r}: one of {', '.join(words)}.")
    return word


def _cut(text: str) -> Fault | None:
    try:
        fault = parse_fault(text)
    except BadFault as exc:
        raise BadRequest(f"A cut of the playground: {exc}") from None
    if fault is not None and fault.kind.value not in FAULTS:
        raise BadRequest(f"The playground has no cut {text!r}: one of {', '.join(FAULTS)}.")
    return fault


def _pause(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text[:9]) > LONGEST_PAUSE:
        raise BadRequest(f"The playground pauses for 0 to {LONGEST_PAUSE} ms, not {text!r}.")
    return int(text)
