"""What a model said, and what its client got."""

import pytest

from bench.seams.real.adapter import Attempt
from bench.seams.real.classes import Outcome, class_of, report
from bench.seams.real.conversations import Case
from gemproxy.chaos.conversation import Asked, Relation

TOLD = "The keeper had one rule: the lamp is never left alone, not for an hour"
ANCHOR = "the lamp is never left alone, not for an hour"
CASE = Case(
    "story-1", "before a space", "Tell me", TOLD, " of the night, and no more.", reset=False
)


def attempt(text: str) -> Attempt:
    return Attempt(Asked(Relation.USER_TURN, TOLD, ANCHOR), text)


def outcome(received: str, *, whole: bool = True) -> Outcome:
    return Outcome(CASE, [attempt(ANCHOR)], ["echo"], received, whole)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (ANCHOR + " of rain", "exact"),
        (f"\n{ANCHOR} of rain", "exact"),
        (f"<<<{ANCHOR}>>>", "in marks"),
        (f'"{ANCHOR}"', "in marks"),
        (ANCHOR.replace("never", "not ever") + " of", "altered"),
        (TOLD, "restart"),
        ("The connection broke and", "notice"),
        ("I'm sorry for the confusion.", "apology"),
        ("Sure, here it is:", "preamble"),
        (" of the night", "other"),
        ("", "other"),
    ],
)
def test_a_first_attempt_has_a_class(text: str, found: str) -> None:
    assert class_of(CASE, attempt(text)) == found


@pytest.mark.parametrize(
    ("after", "whole", "verdict"),
    [
        (" of the storm.", True, "reads on"),
        ("of the storm.", True, "flawed"),
        (" of the storm.", False, "loud"),
        ("", True, "STOP with nothing new"),
        (".>>>", True, "STOP with nothing new"),
    ],
)
def test_a_stream_has_a_verdict(after: str, whole: bool, verdict: str) -> None:
    assert outcome(TOLD + after, whole=whole).verdict == verdict


def test_the_tables_count_by_wording_and_by_place() -> None:
    lines = report([("own", [outcome(TOLD + " of rain."), outcome(TOLD, whole=False)])])

    assert "own" in lines[1]
    assert lines[-1].split() == ["own:", "before", "a", "space", "2", "1"]
