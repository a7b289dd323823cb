"""The header of the playground: what it asks of a fake, and what is wrong with it."""

from urllib.parse import urlencode

import pytest

from gemproxy.chaos.behaviours import Behaviour
from gemproxy.chaos.faults import parse_fault
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.core.errors import BadRequest
from gemproxy.playground.wish import wish_of


def test_a_wish_names_answer_cuts_behaviour_and_pause() -> None:
    cuts = ["clean@900", "none", "status:429,retry=2s"]
    fields = {"answer": "chinese", "cut": cuts, "behaviour": "restart", "pause": 40}
    wish = wish_of(urlencode(fields, doseq=True))

    assert wish.script.answer == BUILT_IN["chinese"]
    assert wish.script.faults == (parse_fault(cuts[0]), None, parse_fault(cuts[2]))
    assert wish.script.behaviour == (Behaviour.RESTART,)
    assert wish.pause == 0.04


def test_an_empty_wish_is_the_story_uncut() -> None:
    wish = wish_of("")

    assert wish.script.answer == BUILT_IN["story"]
    assert wish.script.faults == ()
    assert wish.pause == 0.0


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("answer=novel", "no answer 'novel'"),
        ("behaviour=sulk", "no behaviour 'sulk'"),
        ("cut=bang", "bang"),
        ("cut=endless-line", "no cut 'endless-line'"),
        ("pause=1001", "0 to 1000 ms"),
        ("pause=-1", "0 to 1000 ms"),
        ("pause=%C2%B2", "0 to 1000 ms"),
        ("cut=none&" * 13, "at most"),
    ],
)
def test_a_wrong_wish_is_refused_in_words(header: str, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        wish_of(header)
