"""Other wordings of the notice, for a comparison with gemproxy's own.

A wording gets the parsed request and gemproxy's own user turn, and returns the turn that replaces
it.
"""

from collections.abc import Mapping

from bench.seams.real.adapter import Wording
from gemproxy.chaos.conversation import Asked


def own(_: Asked, notice: str) -> str:
    """Use gemproxy's own notice."""
    return notice


def short(asked: Asked, notice: str) -> str:
    """Ask in a few words, the anchor last."""
    if asked.anchor is None:
        return notice
    return f"Continue your last message. Start with: {asked.anchor}"


def first_words(asked: Asked, notice: str) -> str:
    """Name the words that must come first."""
    if asked.anchor is None:
        return notice
    return (
        f'Your last message was cut off. Go on with it. Your first words must be: "{asked.anchor}"'
    )


def without_anchor(asked: Asked, _: str) -> str:
    """Ask for a continuation without instructions."""
    del asked
    return "Continue exactly where you left off without any preamble or repetition."


WORDINGS: Mapping[str, Wording] = {
    "own": own,
    "short": short,
    "first-words": first_words,
    "no-anchor": without_anchor,
}
