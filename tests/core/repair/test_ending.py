"""How an attempt has ended, candidate by candidate, as tables."""

from typing import Any

import pytest

from gemproxy.core.answer.chunk import Chunk, Said
from gemproxy.core.repair.ending import End, Ending, Meaning, meaning
from gemproxy.core.repair.verdict import FinishTable, Verdict

TEXT = Chunk(news=True, text="a")
THOUGHT = Chunk(news=True, thought=True)
STOP = Chunk(finish_reason="STOP")
SAFETY = Chunk(finish_reason="SAFETY")
OTHER = Chunk(finish_reason="OTHER")
BLOCK = Chunk(block_reason="SAFETY")


def said(*candidates: tuple[int, bool, str | None]) -> Chunk:
    return Chunk(candidates=tuple(Said(*candidate) for candidate in candidates))


def ending(*chunks: Chunk) -> Ending:
    noted, seen = Ending(), False
    for chunk in chunks:
        noted.note(chunk, first_seen=seen)
        seen |= bool(chunk.text)
    return noted


@pytest.mark.parametrize(
    ("chunks", "over"),
    [
        ([], False),
        ([TEXT], False),
        ([TEXT, STOP], True),
        ([STOP, TEXT], False),
        ([STOP, TEXT, STOP], True),
        ([STOP, STOP], True),
        ([BLOCK], True),
        ([TEXT, said((1, True, "STOP"))], False),
        ([THOUGHT, said((1, True, "STOP"))], False),
        ([said((1, True, "STOP"))], True),
        ([said((0, True, "STOP"), (1, True, None))], False),
        ([said((0, True, "STOP"), (1, True, "OTHER"))], True),
        ([said((0, True, "STOP"), (1, True, "STOP")), said((1, True, None))], False),
        ([said((0, True, None), (1, True, "STOP")), STOP], True),
    ],
)
def test_an_attempt_is_over_when_each_candidate_has_a_reason(
    chunks: list[Chunk], over: bool
) -> None:
    assert ending(*chunks).is_over() is over


def test_candidates_that_were_asked_for_count_where_that_is_said() -> None:
    one = ending(TEXT, STOP)

    assert not one.is_over(2)
    assert one.missing(3) == {1, 2}
    assert one.missing() == set()


@pytest.mark.parametrize(
    ("chunks", "verdict"),
    [
        ([STOP], Verdict.ACCEPT),
        ([OTHER], Verdict.RESUME),
        ([SAFETY], Verdict.POLICY),
        ([BLOCK], Verdict.POLICY),
        ([SAFETY, TEXT, STOP], Verdict.POLICY),
        ([Chunk(finish_reason="CONTINUATION")], Verdict.CONTINUE),
        ([said((0, True, "OTHER"), (1, True, "STOP"))], Verdict.ACCEPT),
        ([said((0, True, "OTHER"), (1, True, "OTHER"))], Verdict.RESUME),
        ([said((0, True, "STOP"), (1, True, "SAFETY"))], Verdict.POLICY),
    ],
)
def test_the_reasons_have_one_meaning_together(chunks: list[Chunk], verdict: Verdict) -> None:
    assert ending(*chunks).verdict(FinishTable()) is verdict


def test_a_reason_is_revoked_by_content_of_its_candidate_alone() -> None:
    assert ending(STOP, TEXT).revoked
    assert not ending(TEXT, STOP).revoked
    assert not ending(said((0, True, "STOP")), said((1, True, None))).revoked


def test_the_reason_is_that_of_the_first_candidate() -> None:
    assert ending(said((1, True, "OTHER"), (0, True, "STOP"))).reason == "STOP"
    assert ending(said((1, True, "OTHER"))).reason == "OTHER"
    assert ending(TEXT).reason is None


# -- what an end means -----------------------------------------------------------------------

TWICE = said((1, True, None))
CONTINUATION = Chunk(finish_reason="CONTINUATION")
MALFORMED = Chunk(finish_reason="MALFORMED_FUNCTION_CALL")
REROLLED = FinishTable({"OTHER": Verdict.REROLL})


@pytest.mark.parametrize(
    ("chunks", "known", "means"),
    [
        # no end
        ([], {}, Meaning.DROP),
        ([TEXT], {"visible": True}, Meaning.DROP),
        ([STOP, TEXT], {"visible": True}, Meaning.DROP),
        ([TEXT, TWICE, STOP], {"visible": True}, Meaning.DROP),
        ([TEXT, STOP], {"visible": True, "asked": 2, "clean": False}, Meaning.DROP),
        # an end
        ([TEXT, STOP], {"visible": True}, Meaning.OVER),
        ([TEXT, STOP], {"visible": True, "clean": False}, Meaning.OVER),
        ([TEXT, STOP], {"visible": True, "asked": 2}, Meaning.OVER),
        ([TEXT, SAFETY], {"visible": True}, Meaning.OVER),
        ([SAFETY], {}, Meaning.OVER),
        ([BLOCK], {}, Meaning.OVER),
        ([Chunk(finish_reason="MAX_TOKENS")], {"proving": True, "visible": True}, Meaning.OVER),
        ([Chunk(finish_reason="NEW_REASON")], {}, Meaning.OVER),
        # a STOP that says nothing
        ([STOP], {}, Meaning.EMPTY_STOP),
        ([THOUGHT, STOP], {}, Meaning.EMPTY_STOP),
        ([TEXT, STOP], {"visible": True, "proving": True}, Meaning.NOTHING_NEW),
        ([STOP], {"visible": True, "proving": True}, Meaning.NOTHING_NEW),
        # a decision about content behind text that has no ending of its own
        ([BLOCK], {"visible": True}, Meaning.REFUSED),
        ([TEXT, STOP, BLOCK], {"visible": True}, Meaning.OVER),
        ([TEXT, STOP, BLOCK], {"visible": True, "proving": True}, Meaning.REFUSED),
        ([SAFETY, TEXT, STOP], {"visible": True, "proving": True}, Meaning.REFUSED),
        ([TEXT, SAFETY], {"visible": True, "proving": True}, Meaning.OVER),
        # an ending that is none
        ([TEXT, OTHER], {"visible": True}, Meaning.RESUME),
        ([OTHER], {}, Meaning.RESUME),
        ([TEXT, CONTINUATION], {"visible": True, "proving": True}, Meaning.CONTINUE),
        ([MALFORMED], {}, Meaning.REPLAY),
        ([TEXT, MALFORMED], {"visible": True}, Meaning.REPLAY),
        ([said((0, True, "OTHER"), (1, True, "STOP"))], {"visible": True}, Meaning.OVER),
    ],
)
def test_an_end_has_one_meaning(chunks: list[Chunk], known: dict[str, Any], means: Meaning) -> None:
    assert meaning(End(ending(*chunks), **known), FinishTable()) is means


def test_the_operator_says_what_some_reasons_mean() -> None:
    assert meaning(End(ending(OTHER)), REROLLED) is Meaning.REROLL


@pytest.mark.parametrize("chunk", [STOP, OTHER, SAFETY, MALFORMED, CONTINUATION, BLOCK])
def test_without_repair_every_ending_passes(chunk: Chunk) -> None:
    assert meaning(End(ending(chunk)), None) is Meaning.OVER


def test_without_repair_too_a_drop_is_none_and_a_refusal_is_told() -> None:
    assert meaning(End(ending(TEXT), visible=True), None) is Meaning.DROP
    assert meaning(End(ending(TEXT, BLOCK), visible=True), None) is Meaning.REFUSED
