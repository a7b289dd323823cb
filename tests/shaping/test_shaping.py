"""When the operator's additions apply."""

import pytest
from multidict import CIMultiDict

from gemproxy.shaping.injection import Injection
from gemproxy.shaping.shaping import HEADER, Shaping
from gemproxy.shaping.thinking import Thinking, Thoughts

OPEN = Injection("p", allow_opt_out=True)


def test_nothing_is_native_by_default() -> None:
    assert not Shaping().native
    assert not Shaping(Thoughts(Thinking(budget=0))).native
    assert Shaping(Thoughts(native=True)).native
    assert Shaping(injection=OPEN).native


@pytest.mark.parametrize("value", ["off", " OFF "])
def test_a_client_opts_out_where_it_may(value: str) -> None:
    headers = CIMultiDict({HEADER.lower(): value})

    assert Shaping(injection=OPEN).prompt(headers) is None
    assert Shaping(injection=OPEN).of(headers) == Shaping()
    strict = Injection("p")
    assert Shaping(injection=strict).of(headers) == Shaping(injection=strict)
    assert Shaping(injection=strict).prompt(headers) is strict


@pytest.mark.parametrize("value", ["", "on", "no"])
def test_any_other_word_is_no_wish(value: str) -> None:
    assert Shaping(injection=OPEN).prompt({HEADER: value}) is OPEN
    assert Shaping().prompt({HEADER: value}) is None
