"""The marks around the anchor and the tags around the quoted text in our notice to the model.

Models copy marks and tags into their answers: with more or fewer closing signs than opening ones,
after an echo without an opening mark, or with the tag before and after the whole text (seen with
SmolLM2 and Gemma 3 behind the proxy). A copy is recognisable only if the delivered text has no such
sign nearby; otherwise the notice shows the anchor without marks.

A trailing space also misleads models, whose words begin with a space (10 of 14 continuations by
SmolLM2, 5 of 6 by Gemma 3). So the notice shows the text without it.
"""

import re

import attrs

from gemproxy.core.seam.structure import inside_fence

NEAR = 600
"""Characters at the end of the delivered text that must not contain the marks' signs."""

QUOTE_OPEN, QUOTE_CLOSE = "<reply_so_far>\n", "\n</reply_so_far>\n\n"

_BLANKS = re.compile(r"(?<=\S) +\Z")


@attrs.frozen
class Marks:
    """The signs before and after an anchor in a notice."""

    opening: str
    closing: str


MARKS = (Marks("<<<", ">>>"), Marks("[[[", "]]]"), Marks("\u27e6", "\u27e7"))
NO_MARKS = Marks("\n\n", "")
"""The anchor in a paragraph of its own, the last of the notice."""


def marks_for(text: str) -> Marks:
    """Return the marks that surround an anchor of the delivered ``text`` in the notice.

    Inside a fence this is ``NO_MARKS``, because brackets of any kind are code there.
    """
    near = text[-NEAR:]
    fitting = (marks for marks in MARKS if not {marks.opening[0], marks.closing[0]} & set(near))
    return NO_MARKS if inside_fence(text) else next(fitting, NO_MARKS)


def shown(text: str) -> str:
    """Return the delivered ``text`` as the notice shows it: without trailing spaces.

    An indentation stays: only spaces after other characters of the same line are removed.
    """
    at = max(len(text.rstrip(" ")) - 1, 0)  # the expression would search all of a long text
    return text[:at] + _BLANKS.sub("", text[at:])
