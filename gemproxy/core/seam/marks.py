"""What a notice shows a model beside the text: marks around the anchor, tags around a quotation.

Models copy them into their answers: closed by more or fewer signs than were opened, behind an
echo that they did not open, or the tag before and behind the whole text (seen with SmolLM2
and Gemma 3 behind the proxy). Such a copy can be told from the answer only where the delivered
text has nothing like it nearby, so elsewhere the anchor is shown without marks.

Models also go astray behind a space that a text ends with: their words begin with one (10 of
14 continuations by SmolLM2, 5 of 6 by Gemma 3). So the text is shown without it.
"""

import re

import attrs

from gemproxy.core.seam.structure import inside_fence

NEAR = 600
"""Characters at the end of the delivered text that must have none of the marks."""

QUOTE_OPEN, QUOTE_CLOSE = "<reply_so_far>\n", "\n</reply_so_far>\n\n"

_BLANKS = re.compile(r"(?<=\S) +\Z")


@attrs.frozen
class Marks:
    """What stands before an anchor in a notice, and behind it."""

    opening: str
    closing: str


MARKS = (Marks("<<<", ">>>"), Marks("[[[", "]]]"), Marks("\u27e6", "\u27e7"))
NO_MARKS = Marks("\n\n", "")
"""The anchor in a paragraph of its own, the last of the notice."""


def marks_for(text: str) -> Marks:
    """Return the marks that show an anchor of the delivered ``text``.

    There are none where the text ends inside a fence: there brackets of any kind are code.
    """
    near = text[-NEAR:]
    fitting = (marks for marks in MARKS if not {marks.opening[0], marks.closing[0]} & set(near))
    return NO_MARKS if inside_fence(text) else next(fitting, NO_MARKS)


def shown(text: str) -> str:
    """Return the delivered ``text`` as a model is shown it: without the spaces that it ends with.

    Only spaces behind something on the same line are taken off: an indentation stays.
    """
    at = max(len(text.rstrip(" ")) - 1, 0)  # the expression would look at all of a long text
    return text[:at] + _BLANKS.sub("", text[at:])
