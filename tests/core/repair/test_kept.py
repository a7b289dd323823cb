"""An ending that was not accepted is kept for the place where it came."""

from gemproxy.core.answer.rewrite import Rewriter
from gemproxy.core.answer.transcript import Transcript
from gemproxy.core.answer.usage import Tally
from gemproxy.core.repair.attempt import Attempt
from gemproxy.core.repair.holdback import HoldBack
from gemproxy.core.repair.kept import KeptEnding
from gemproxy.core.repair.policy import Policy

TRANSCRIPT = Transcript(response_id="first", started=True)


def attempt(rewriter: Rewriter | None = None) -> Attempt:
    return Attempt(b"{}", HoldBack(TRANSCRIPT, Policy(), rewriter))


def test_nothing_is_kept_at_first() -> None:
    assert KeptEnding().attempt(0, TRANSCRIPT) is None


def test_an_ending_counts_only_where_it_came() -> None:
    kept, one = KeptEnding(), attempt()
    kept.keep(one, 7, started=True)

    assert kept.attempt(8, TRANSCRIPT) is None
    assert kept.attempt(7, TRANSCRIPT) is one
    assert one.settled, "its usage was counted when it ended"


def test_the_first_ending_at_a_place_stays_and_a_later_place_takes_over() -> None:
    kept, first, second = KeptEnding(), attempt(), attempt()
    kept.keep(first, 7, started=True)
    kept.keep(second, 7, started=True)
    assert kept.attempt(7, TRANSCRIPT) is first

    kept.keep(second, 9, started=True)

    assert kept.attempt(9, TRANSCRIPT) is second
    assert kept.attempt(7, TRANSCRIPT) is None


def test_a_decision_about_content_leaves_none() -> None:
    kept = KeptEnding()
    kept.keep(attempt(), 7, started=True)
    kept.forget()

    assert kept.attempt(7, TRANSCRIPT) is None


def test_an_ending_that_came_first_gets_the_names_that_the_client_knows_by_now() -> None:
    kept, one = KeptEnding(), attempt()
    kept.keep(one, 0, started=False)
    kept.attempt(0, TRANSCRIPT)

    rewriter = one.holdback.rewriter
    assert rewriter is not None
    assert rewriter.response_id == "first"


def test_an_ending_that_has_a_rewriter_keeps_it() -> None:
    own = Rewriter(Tally(), "own")
    kept, one = KeptEnding(), attempt(own)
    kept.keep(one, 0, started=False)
    kept.attempt(0, TRANSCRIPT)

    assert one.holdback.rewriter is own
