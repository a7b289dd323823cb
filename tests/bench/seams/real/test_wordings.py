"""Ways to ask for the rest."""

import pytest

from bench.seams.real.wordings import WORDINGS
from gemproxy.chaos.conversation import Asked, Relation

ASKED = Asked(Relation.USER_TURN, "told", "the lamp")


def test_gemproxys_own_notice_is_left_as_it_is() -> None:
    assert WORDINGS["own"](ASKED, "Please go on") == "Please go on"


@pytest.mark.parametrize("name", ["short", "first-words"])
def test_another_wording_shows_the_anchor_and_not_the_notice(name: str) -> None:
    assert "the lamp" in WORDINGS[name](ASKED, "Please go on")
    assert "Please" not in WORDINGS[name](ASKED, "Please go on")


@pytest.mark.parametrize("name", ["short", "first-words"])
def test_without_an_anchor_the_notice_stays(name: str) -> None:
    assert WORDINGS[name](Asked(Relation.USER_TURN, "told"), "Please go on") == "Please go on"


def test_one_wording_shows_no_anchor() -> None:
    assert "lamp" not in WORDINGS["no-anchor"](ASKED, "Please go on")
