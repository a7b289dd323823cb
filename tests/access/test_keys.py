"""Access keys: they are found by their names, and only their hashes are kept."""

import pickle

from hypothesis import given
from hypothesis import strategies as st

from gemproxy.access.keys import AccessKeys

ANN = "gp-7Kq2mXv9TzRw4Lp8"


def test_a_key_is_found_by_its_whole_text_alone() -> None:
    keys = AccessKeys.of({"ann": ANN, "bob": "bobs-5f2c9a7e31d84b60"})

    assert keys.find(ANN) == "ann"
    assert keys.find("bobs-5f2c9a7e31d84b60") == "bob"
    for other in ("", ANN[:-1], f"{ANN} ", ANN.upper(), "ann"):
        assert keys.find(other) is None


def test_where_there_are_none_nothing_is_found() -> None:
    assert not AccessKeys().lengths
    assert AccessKeys.of({"ann": ANN}).lengths == {len(ANN)}
    assert AccessKeys().find("") is None


def test_the_keys_are_not_kept() -> None:
    keys = AccessKeys.of({"ann": ANN})

    assert ANN not in repr(keys)
    assert ANN.encode() not in pickle.dumps(keys)


def test_two_processes_have_other_hashes() -> None:
    one, two = (AccessKeys.of({"ann": ANN}) for _ in range(2))

    assert pickle.dumps(one) != pickle.dumps(two)


@given(st.text())
def test_any_text_may_be_asked_for(text: str) -> None:
    assert AccessKeys.of({"ann": ANN}).find(f"{text}\ud800") is None
