"""One attempt joined to one delivered text, as the proxy does it, and measured.

All the measuring programs join through here, so a change of the seam's interface is made in
one place.
"""

import attrs

from gemproxy.core.seam.anchor import choose_anchor
from gemproxy.core.seam.marks import marks_for, shown
from gemproxy.core.seam.seam import Diverged, Seam


@attrs.frozen
class Joined:
    """What came of an attempt.

    ``text`` is what the client ends up with; None when the attempt was refused as a whole,
    which ends loudly when no later one joins. ``kind`` is what the attempt was taken for,
    ``drop`` how many of its characters were left out, and ``held`` how many were read before
    the seam decided.
    """

    text: str | None
    kind: str
    drop: int
    held: int


def join(delivered: str, attempt: str, anchor: str | None, size: int = 1) -> Joined:
    """Join an ``attempt`` that was asked to begin with ``anchor`` and has then ended.

    It comes in pieces of ``size`` characters, on which only ``held`` may depend.
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
    """Return the ``anchor`` as a notice for ``delivered`` shows it, and the mark that closes it.

    The mark is empty where the notice shows none.
    """
    return shown(anchor), marks_for(delivered).closing
