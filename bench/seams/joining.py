"""Joins one attempt to one delivered text, as the proxy does, and measures it.

Only this module calls the seam, so a change of its interface affects one place.
"""

import attrs

from gemproxy.core.seam.anchor import choose_anchor
from gemproxy.core.seam.marks import marks_for, shown
from gemproxy.core.seam.seam import Diverged, Seam


@attrs.frozen
class Joined:
    """The outcome of an attempt.

    ``text`` is the client's final text; None if the whole attempt was refused, which ends with an
    error if no later one joins. ``kind`` is the recognised kind of joint, ``drop`` the number of
    dropped characters, ``held`` the number of characters read before the seam decided.
    """

    text: str | None
    kind: str
    drop: int
    held: int


def join(delivered: str, attempt: str, anchor: str | None, size: int = 1) -> Joined:
    """Join a complete ``attempt`` that was asked to begin with ``anchor``.

    It comes in pieces of ``size`` characters; only ``held`` may depend on that.
    """
    seam = Seam(delivered, anchor)
    decision = None
    held = 0
    while decision is None and held < len(attempt):
        decision = seam.feed(attempt[held : held + size])
        held = min(held + size, len(attempt))
    decision = decision or seam.close()
    if isinstance(decision, Diverged):
        return Joined(None, "diverged", 0, held)
    text = delivered + attempt[decision.drop :]
    return Joined(text, decision.kind.value, decision.drop, held)


def anchor_of(delivered: str) -> str | None:
    """Return the anchor that a notice for ``delivered`` shows."""
    return choose_anchor(delivered)


def shown_of(delivered: str, anchor: str) -> tuple[str, str]:
    """Return the ``anchor`` as a notice for ``delivered`` shows it, and its closing mark.

    The mark is empty if the notice shows none.
    """
    return shown(anchor), marks_for(delivered).closing
