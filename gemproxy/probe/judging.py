"""Whether a resumed text joins the delivered one, judged by the text around the seam.

A model does not repeat the same words, so the rest of an answer cannot be compared. Only the
boundary must fit: an expected space must come once, and a begun word must be completed. Besides,
neither the delivered text nor our notice may come again: small models repeated its words, copied
the marks around the anchor and apologised for the mishap that it reports.
"""

import enum
import functools
import json
import re

import attrs

from gemproxy.core.repair.continuation import continue_text
from gemproxy.core.repair.request import StreamRequest
from gemproxy.core.seam.seam import Joint
from gemproxy.probe.cutting import inside_fence

_REPETITION = range(200, 11, -1)  # characters; fewer can repeat by chance
_RESTART = 40
_EARLIER = 30  # characters of an earlier place; fewer may be a common phrase
_NEAR = 300  # characters after the seam that are searched for words of the notice
_IN_A_ROW = 6  # words of the notice
_HAN_IN_A_ROW = 8  # Chinese characters of the notice
_LETTERS = r"[A-Za-z\u00c0-\u024f]"
_LAST_WORD = re.compile(f"{_LETTERS}+$")
_FIRST_WORD = re.compile(f"{_LETTERS}+")
_PREAMBLE = re.compile(
    r"\s*(?:Sure|Certainly|Of course|Okay|OK|Here is|Here's|Here\u2019s|Continu|Picking up|"
    "Resuming|好的|当然|以下是|这是|继续|接着|接上)[^\\n]{0,120}?[:：\\n]"
)
_APOLOGY = re.compile(
    r"\s*(?:(?:I'm|I\u2019m|I am|We're|We are)(?: so| very| really)? sorry\b|Sorry\b|"
    r"(?:My |Our )?[Aa]pologies\b|I apologi[sz]e\b|Unfortunately, I\b|很?抱歉|对不起|不好意思)"
)
_MARK = re.compile(r"\s*(>{2,}|<{2,}|\]{2,}|\[{2,}|\u27e6|\u27e7|</?reply_so_far>)")
_TAG = re.compile(r"</?reply_so_far>")


class Echo(enum.Enum):
    """How an attempt followed the request to begin with the anchor."""

    EXACT = "exact"
    NORMALISED = "normalised"  # with other spaces or quotes, or text before it
    MORE = "more"  # with text from before the anchor
    LESS = "less"  # only an end of the anchor
    RESTART = "restart"  # the whole text
    NONE = "none"


@attrs.frozen
class Seam:
    """Both sides of a seam.

    ``delivered`` is the client's text, ``ahead`` the text of the cut answer after it, ``attempt``
    the resumed text, whose first ``dropped`` characters are omitted.
    """

    delivered: str
    ahead: str
    attempt: str
    dropped: int = 0

    @property
    def after(self) -> str:
        """The text that follows the delivered text."""
        return self.attempt[self.dropped :]


def echo_of(seam: Seam, anchor: str | None, joint: Joint | None) -> Echo:
    """Return how the attempt followed the request to begin with ``anchor``."""
    if joint is Joint.RESTART:
        return Echo.RESTART
    if joint is Joint.OVERLAP:
        return Echo.LESS
    if joint is not Joint.ECHO or anchor is None:
        return Echo.NONE
    if seam.attempt.startswith(anchor.rstrip()):
        return Echo.EXACT
    echoed = seam.attempt[: seam.dropped].strip()
    longer = len(echoed) > len(anchor.strip())
    repeats = seam.delivered.rstrip().endswith(echoed)
    return Echo.MORE if longer and repeats else Echo.NORMALISED


def flaw_of(seam: Seam) -> str | None:
    """Return a description of a seam's flaw, or None if the seam is invisible."""
    return (
        _nothing_new(seam)
        or _comes_again(seam)
        or _comes_from_before(seam)
        or _says_something_else(seam)
        or _space_is_wrong(seam)
        or _word_is_broken(seam)
    )


def _nothing_new(seam: Seam) -> str | None:
    return None if seam.after.strip() else "nothing new came"


def _comes_again(seam: Seam) -> str | None:
    after, delivered = seam.after.lstrip(), seam.delivered
    if len(delivered) > _RESTART and after.startswith(delivered.lstrip()[:_RESTART]):
        return "the answer starts over"
    for length in _REPETITION:
        end = delivered[-length:].strip()
        if len(end) >= _REPETITION[-1] and after.startswith(end):
            return f"the last {len(end)} characters come again"
    return None


def _comes_from_before(seam: Seam) -> str | None:
    """Search the seam for a repetition of an earlier place of the delivered text."""
    again = seam.after.strip()[:_EARLIER]
    if len(again) < _EARLIER or seam.ahead.lstrip().startswith(again):
        return None
    if inside_fence(seam.delivered):
        return None  # lines of code repeat
    return "an earlier place comes again" if again in seam.delivered else None


def _says_something_else(seam: Seam) -> str | None:
    for begins, flaw in (
        (_APOLOGY, "an apology at the seam"),
        (_PREAMBLE, "a preamble at the seam"),
        (_MARK, "a mark of the notice at the seam"),
    ):
        if begins.match(seam.after) and not begins.match(seam.ahead):
            return flaw
    fence = seam.after.lstrip().startswith("```")
    if fence and not seam.ahead.lstrip().startswith("```"):
        return "a code fence opened at the seam"
    return _speaks_of_the_notice(seam)


def _speaks_of_the_notice(seam: Seam) -> str | None:
    """Search near the seam for words of the notice that the answer itself does not have."""
    after, own = seam.after[:_NEAR], seam.delivered + seam.ahead
    if _TAG.search(after) and not _TAG.search(own):
        return "a mark of the notice at the seam"
    came = _runs(after) & _notice_runs() - _runs(own)
    return "words of the notice at the seam" if came else None


@functools.cache
def _notice_runs() -> frozenset[str]:
    """Return all runs of words of the notices, in both of their languages."""
    request = StreamRequest(b'{"contents":[{"parts":[{"text":"?"}]}]}')
    bodies = [continue_text(request, text, anchor="") for text in ("text " * 9, "文" * 40)]
    notices = [json.loads(body)["contents"][-1]["parts"][-1]["text"] for body in bodies]
    return frozenset().union(*map(_runs, notices))


def _runs(text: str) -> frozenset[str]:
    """Return the runs of words in the text, and those of Chinese characters."""
    words = re.findall(r"[a-z']+", text.casefold().replace("\u2019", "'"))
    han = "".join(re.findall("[\u4e00-\u9fff]", text))
    of_words = (" ".join(run) for run in zip(*(words[n:] for n in range(_IN_A_ROW)), strict=False))
    of_han = (han[at : at + _HAN_IN_A_ROW] for at in range(len(han) - _HAN_IN_A_ROW + 1))
    return frozenset([*of_words, *of_han])


def _space_is_wrong(seam: Seam) -> str | None:
    due, came = _leading_space(seam.ahead), _leading_space(seam.after)
    if not due:
        return _no_space_was_due(seam.delivered, came)
    if "\n" in due:
        return None if "\n" in came else "the line break was lost"
    if "\n" in came:
        return "a line break came instead of the space"
    if len(came) > len(due):
        return "the space was doubled"
    lost = not came and seam.after[:1].isalnum()
    return "the space was lost" if lost else None


def _no_space_was_due(delivered: str, came: str) -> str | None:
    if not came:
        return None
    return "the space was doubled" if delivered[-1:].isspace() else "a space was put in"


def _leading_space(text: str) -> str:
    return text[: len(text) - len(text.lstrip())]


def _word_is_broken(seam: Seam) -> str | None:
    """Judge a cut inside a word; its end is known if ``ahead`` goes beyond it."""
    head, rest = _LAST_WORD.search(seam.delivered), _FIRST_WORD.match(seam.ahead)
    if head is None or rest is None or rest.end() == len(seam.ahead):
        return None
    came = _FIRST_WORD.match(seam.after)
    word = came[0] if came else ""
    if word == rest[0]:
        return None
    again = word.casefold() == (head[0] + rest[0]).casefold()
    return "the word was begun again" if again else "the word goes on differently"
