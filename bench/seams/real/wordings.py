"""Other ways to ask for the rest, to be compared with gemproxy's own notice.

A wording gets what is asked for and gemproxy's own user turn, and returns the turn that the
model is to read in its place.
"""

from collections.abc import Mapping

from bench.seams.real.adapter import Wording
from gemproxy.chaos.conversation import Asked


def own(_: Asked, notice: str) -> str:
    """Ask as gemproxy does."""
    return notice


def short(asked: Asked, notice: str) -> str:
    """Ask in a few words, the anchor last."""
    if asked.anchor is None:
        return notice
    return f"Continue your last message. Start with: {asked.anchor}"


def first_words(asked: Asked, notice: str) -> str:
    """Say which words have to come first."""
    if asked.anchor is None:
        return notice
    return (
        f'Your last message was cut off. Go on with it. Your first words must be: "{asked.anchor}"'
    )


def without_anchor(asked: Asked, _: str) -> str:
    """Ask to go on without a word about how."""
    del asked
    return "Continue exactly where you left off without any preamble or repetition."


WORDINGS: Mapping[str, Wording] = {
    "own": own,
    "short": short,
    "first-words": first_words,
    "no-anchor": without_anchor,
}
