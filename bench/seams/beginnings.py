"""How real models began a continuation, with the right join for each.

``beginnings.json`` has attempts of SmolLM2-135M and Gemma 3 270M: the delivered text, the attempt,
and the ``right`` text to show after the delivered text; null if the attempt has no new text and
must not be shown.
"""

import json
from pathlib import Path

import attrs

from bench.figures import lines_of
from bench.seams.joining import anchor_of, join

PLACE = Path(__file__).with_name("beginnings.json")


@attrs.frozen
class Beginning:
    """One beginning."""

    name: str
    delivered: str
    attempt: str
    right: str | None

    def is_right(self) -> bool:
        """Return whether the seam joins it correctly."""
        joined = join(self.delivered, self.attempt, anchor_of(self.delivered))
        if self.right is None:
            return joined.text in {None, self.delivered}
        return joined.text == self.delivered + self.right


def load() -> list[Beginning]:
    """Return all beginnings."""
    return [Beginning(**entry) for entry in json.loads(PLACE.read_text("utf-8"))]


def report() -> list[str]:
    """Return the table as lines."""
    rows = [[found.name, "right" if found.is_right() else "wrong"] for found in load()]
    right = sum(row[1] == "right" for row in rows)
    return [*lines_of([["beginnings of real models", ""], *rows]), f"right: {right} of {len(rows)}"]
