"""Ids of calls that carry signatures, and ids that only look so."""

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.openai.callid import MOST, apart, carried

ids = st.text(st.characters(), min_size=1, max_size=60)
signatures = st.one_of(
    st.binary(min_size=1, max_size=400).map(lambda data: base64.b64encode(data).decode()),
    st.text(st.characters(), min_size=1, max_size=60),
)


@given(ids, st.none() | signatures)
def test_an_id_and_its_signature_come_back(own: str, signature: str | None) -> None:
    client_id = carried(own, signature)

    assert apart(client_id) == (own, signature)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", client_id)
    assert len(client_id) <= MOST


@given(ids, signatures, ids, st.none() | signatures)
def test_glued_ids_are_none_of_ours(
    own: str, signature: str, other: str, another: str | None
) -> None:
    glued = carried(own, signature) + carried(other, another)

    assert apart(glued) == (glued, None)


@given(ids, signatures, st.data())
def test_a_cut_id_is_none_of_ours(own: str, signature: str, data: st.DataObject) -> None:
    whole = carried(own, signature)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]

    assert apart(cut) == (cut, None)


@given(ids, signatures, st.data())
def test_a_changed_id_is_none_of_ours(own: str, signature: str, data: st.DataObject) -> None:
    whole = carried(own, signature)
    place = data.draw(st.integers(0, len(whole) - 1))
    changed = whole[:place] + ("x" if whole[place] != "x" else "y") + whole[place + 1 :]

    assert apart(changed) == (changed, None)


@given(st.text(st.characters(), max_size=80))
def test_a_foreign_id_stays_as_it_is(foreign: str) -> None:
    assert apart(foreign) == (foreign, None)


@pytest.mark.parametrize("own", ["a1", "call_abc-123", "function-call-7", "call_0"])
def test_an_id_without_a_signature_is_not_changed(own: str) -> None:
    assert carried(own) == own
    assert carried(own, "") == own


def test_ids_that_are_cut_at_40_characters_still_differ() -> None:
    signed = [carried(f"call_{number}", "c2ln" * 100) for number in range(50)]

    assert len({client_id[:40] for client_id in signed}) == len(signed)


def test_a_form_of_ours_as_an_own_id_is_carried_once_more() -> None:
    inner = carried("a1", "c2ln")

    assert apart(carried(inner)) == (inner, None)
    assert apart(carried(inner, "UzE=")) == (inner, "UzE=")


def test_a_signature_that_is_too_long_is_left_out() -> None:
    longest = base64.b64encode(b"s" * (MOST // 4 * 3 - 100)).decode()

    assert apart(carried("a1", longest)) == ("a1", longest)
    assert len(carried("a1", longest)) <= MOST
    assert carried("a1", longest + longest) == "a1"


def test_an_id_that_is_too_long_by_itself_stays_as_it_is() -> None:
    own = "é" * MOST

    assert carried(own, "c2ln") == own
    assert apart(own) == (own, None)
