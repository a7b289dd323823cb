"""How a model continues a given text.

Each behaviour was seen in models, or a cautious client must expect it. A behaviour that starts with
ECHO follows the request to begin by repeating the anchor.
"""

import enum
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs

DIFFERENT_STORY = "Once more, from the top and in other words: "
PREAMBLE = "Sure, continuing from where I left off:\n\n"


class Behaviour(enum.Enum):
    """The model's behaviour at the seam, by its name on the command line."""

    ECHO = "echo"  # repeats the anchor, then continues
    ECHO_MORE = "echo-more"  # repeats the anchor and the text before it
    QUOTED_ECHO = "quoted-echo"  # repeats the anchor in quotation marks
    ECHO_LOSE_SPACE = "echo-lose-space"  # repeats the anchor without the space at its ends
    ECHO_DOUBLE_SPACE = "echo-double-space"  # a space, the anchor, and on
    ECHO_PARAGRAPH_BREAK = "echo-paragraph-break"  # a blank line, the anchor, and on
    ECHO_REOPEN_FENCE = "echo-reopen-fence"  # opens the code block again, the anchor, and on
    ECHO_PREAMBLE = "echo-preamble"  # a polite sentence, the anchor, and on
    THINK_FIRST = "think-first"  # thoughts, then as ECHO
    PLAIN = "plain"  # just continues
    REPEAT = "repeat"  # repeats the last characters, regardless of the anchor
    LOSE_SPACE = "lose-space"  # continues without the expected space
    DOUBLE_SPACE = "double-space"  # continues with one space too many
    PARAGRAPH_BREAK = "paragraph-break"  # continues in a new paragraph
    REOPEN_FENCE = "reopen-fence"  # opens the code block again
    PREAMBLE = "preamble"  # a polite sentence first
    RESTART = "restart"  # the whole answer again
    RESTART_DIFFERENT = "restart-different"  # the answer again, which soon becomes another one
    ANOTHER_DOCUMENT = "another-document"  # a JSON answer again, with other values
    NOTHING = "nothing"  # STOP, at once
    REFUSE_MODEL_TURN = "refuse-model-turn"  # 400 when the last turn is the model's, else ECHO
    REFUSE_USER_TURN = "refuse-user-turn"  # 400 when it is the user's, else PLAIN
    REFUSE = "refuse"  # 400, whatever the form


REFUSE_ONCE = (Behaviour.REFUSE, Behaviour.ECHO)
"""For a script: refuse the first continuation, answer the following ones."""

SCARRING = frozenset(
    {
        Behaviour.REPEAT,
        Behaviour.LOSE_SPACE,
        Behaviour.DOUBLE_SPACE,
        Behaviour.PARAGRAPH_BREAK,
        Behaviour.REOPEN_FENCE,
        Behaviour.PREAMBLE,
    }
)
"""Behaviours that look like the model's intended text: a client may keep their additions and
omissions, so a later continuation may quote them."""


@attrs.frozen
class Seam:
    """The place where the model continues.

    ``full`` is the uncut text, ``held`` the beginning of it that the client has, ``anchor`` the
    text that the client asked to be repeated (empty: none), ``amount`` the number of characters
    that REPEAT and ECHO_MORE repeat.
    """

    full: str
    held: str
    anchor: str = ""
    amount: int = 40

    @property
    def rest(self) -> str:
        """The text after ``held``."""
        return self.full[len(self.held) :]


def resumed_text(behaviour: Behaviour, seam: Seam) -> str:
    """Return the model's text for a continuation."""
    return _SAYS[behaviour](seam)


def _echo(seam: Seam) -> str:
    return seam.anchor + seam.rest


def _plain(seam: Seam) -> str:
    return seam.rest


def _echo_more(seam: Seam) -> str:
    length = len(seam.anchor) + seam.amount if seam.anchor else 0
    return _tail(seam.held, length) + seam.rest


def _quoted_echo(seam: Seam) -> str:
    return f'"{seam.anchor}"{seam.rest}' if seam.anchor else seam.rest


def _different(seam: Seam) -> str:
    """Return a text that equals the delivered one at most to its middle, then differs."""
    agreed = min(len(seam.held) // 2, 200)
    return seam.full[:agreed] + DIFFERENT_STORY + " ".join(reversed(seam.full.split()))


def _another_document(seam: Seam) -> str:
    """Return a document of the same shape with other values; another story for other text."""
    try:
        document = json.loads(seam.full)
    except ValueError:
        return _different(seam)
    return json.dumps(_otherwise(document), ensure_ascii=False)


def _otherwise(value: Any) -> Any:  # noqa: ANN401 - JSON is any
    """Return a value with each string reversed and each number one higher."""
    if isinstance(value, dict):
        return {name: _otherwise(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_otherwise(inner) for inner in value]
    if isinstance(value, str):
        return value[::-1]
    return value if isinstance(value, bool) or value is None else value + 1


def _reopened(seam: Seam) -> str:
    """Return the line that opened the code block around the end of the delivered text, if any."""
    fences = re.findall(r"^```.*\n?", seam.held, re.MULTILINE)
    return str(fences[-1]) if len(fences) % 2 else ""


def _tail(text: str, length: int) -> str:
    return text[max(0, len(text) - length) :]


_SAYS: Mapping[Behaviour, Callable[[Seam], str]] = {
    Behaviour.ECHO: _echo,
    Behaviour.ECHO_MORE: _echo_more,
    Behaviour.QUOTED_ECHO: _quoted_echo,
    Behaviour.ECHO_LOSE_SPACE: lambda seam: seam.anchor.strip(" ") + seam.rest,
    Behaviour.ECHO_DOUBLE_SPACE: lambda seam: " " + _echo(seam),
    Behaviour.ECHO_PARAGRAPH_BREAK: lambda seam: "\n\n" + _echo(seam),
    Behaviour.ECHO_REOPEN_FENCE: lambda seam: _reopened(seam) + _echo(seam),
    Behaviour.ECHO_PREAMBLE: lambda seam: PREAMBLE + _echo(seam),
    Behaviour.THINK_FIRST: _echo,
    Behaviour.PLAIN: _plain,
    Behaviour.REPEAT: lambda seam: _tail(seam.held, seam.amount) + seam.rest,
    Behaviour.LOSE_SPACE: lambda seam: seam.rest.removeprefix(" "),
    Behaviour.DOUBLE_SPACE: lambda seam: " " + seam.rest,
    Behaviour.PARAGRAPH_BREAK: lambda seam: "\n\n" + seam.rest,
    Behaviour.REOPEN_FENCE: lambda seam: _reopened(seam) + seam.rest,
    Behaviour.PREAMBLE: lambda seam: PREAMBLE + seam.rest,
    Behaviour.RESTART: lambda seam: seam.full,
    Behaviour.RESTART_DIFFERENT: _different,
    Behaviour.ANOTHER_DOCUMENT: _another_document,
    Behaviour.NOTHING: lambda _: "",
    Behaviour.REFUSE_MODEL_TURN: _echo,
    Behaviour.REFUSE_USER_TURN: _plain,
    Behaviour.REFUSE: _plain,
}
