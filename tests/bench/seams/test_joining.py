"""What the measuring programs learn of a join."""

from bench.seams.joining import Joined, anchor_of, join

TOLD = "The keeper had one rule: the lamp is never left alone, not for an hour"


def test_an_echo_is_dropped_and_counted() -> None:
    anchor = anchor_of(TOLD) or ""

    joined = join(TOLD, anchor + " of rain.", anchor)

    assert joined == Joined(TOLD + " of rain.", "echo", len(anchor), joined.held)
    assert len(anchor) <= joined.held < len(anchor + " of rain.")


def test_plain_text_is_whole() -> None:
    joined = join(TOLD, " of rain.", anchor_of(TOLD))

    assert (joined.text, joined.kind, joined.drop) == (TOLD + " of rain.", "plain", 0)
    assert 0 < joined.held < len(" of rain.")


def test_another_answer_is_refused() -> None:
    joined = join(TOLD, TOLD[:50] + " and that was all there was to say about it.", None)

    assert (joined.text, joined.kind) == (None, "diverged")


def test_pieces_change_only_how_much_was_read() -> None:
    anchor = anchor_of(TOLD) or ""
    attempt = anchor + " of rain."

    one, all_at_once = join(TOLD, attempt, anchor), join(TOLD, attempt, anchor, len(attempt))

    assert (one.text, one.drop) == (all_at_once.text, all_at_once.drop)
    assert all_at_once.held == len(attempt)
