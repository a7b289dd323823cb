"""What is dropped behind a repetition, and what is new text."""

import pytest

from gemproxy.core.seam.landing import Landing, Place, closers_for
from gemproxy.core.seam.lead import Before

SHOWN = Place(own=">", inside=True)


def behind(
    rest: str, *, trailing: str = "", before: Before | None = None, place: Place = SHOWN
) -> str:
    """Return what of ``rest`` is new text, taken character by character."""
    before = before or Before()
    landing = Landing(0, trailing, place, before, closers_for(before, place, "x"))
    for taken, char in enumerate(rest, 1):
        landing.rest += char
        drop, settled = landing.cut()
        if settled and not landing.is_open():
            assert drop <= taken
            break
    return rest[landing.cut()[0] :]


@pytest.mark.parametrize(
    ("rest", "new"),
    [
        (">>> and", " and"),
        (">>and", "and"),
        (">>>> and", " and"),
        ("...>> and", " and"),
        (".>>> and", " and"),
        ("> and", "> and"),
        (">>>>> and", ">>>>> and"),
        ("\n>>> and", "\n>>> and"),
        (". And", ". And"),
        ("\n</reply_so_far>\n\nand", "and"),
        ("</reply and", "</reply and"),
        (" and", " and"),
    ],
)
def test_copies_of_our_own_signs_are_dropped(rest: str, new: str) -> None:
    assert behind(rest) == new


@pytest.mark.parametrize(
    ("place", "rest"),
    [
        (Place(own=""), ">>> and"),
        (Place(own="]"), ">>> and"),
        (Place(own=">", tag=False), "\n</reply_so_far>\n\nand"),
        (Place(own=">"), "...>> and"),
    ],
)
def test_signs_that_the_notice_did_not_show_are_text(place: Place, rest: str) -> None:
    assert behind(rest, place=place) == rest


@pytest.mark.parametrize(
    ("rest", "new"),
    [
        (">> and", " and"),
        (">" * 12 + "\nand", "\nand"),
        ("\n>>>\nand", "\nand"),
        (" and", " and"),
        (">" * 13 + " and", ">" * 13 + " and"),
    ],
)
def test_a_mark_that_was_opened_is_closed_by_any_number_of_its_signs(rest: str, new: str) -> None:
    assert behind(rest, before=Before(mark="<<<", gap=True)) == new


def test_a_line_end_behind_a_mark_in_mid_line_belongs_to_the_mark() -> None:
    assert behind(">>\nand", trailing=" ", before=Before(mark="<<<")) == "and"


def test_the_line_end_of_a_mark_in_a_line_of_its_own_belongs_to_it_among_lines() -> None:
    dense = Place(own=">", dense=True)
    rest = "\n>>>\n| b |"
    assert behind(rest, trailing="\n", before=Before(mark="<<<"), place=dense) == "| b |"
    assert behind(rest, trailing="\n", before=Before(mark="<<<")) == "\n| b |"


@pytest.mark.parametrize(
    ("rest", "new"),
    [("\n```\nand", "and"), ("\n```\n\nand", "and"), ("\n```\n\n\nAnd", "\n\nAnd")],
)
def test_a_fence_of_its_own_is_closed(rest: str, new: str) -> None:
    before = Before(fence="```")
    landing = Landing(0, "", SHOWN, before, closers_for(before, SHOWN, "x"), must_close=True)
    for char in rest:
        landing.rest += char
        assert not landing.is_void()
    assert rest[landing.cut()[0] :] == new


def test_an_echo_in_a_fence_that_is_not_closed_is_none() -> None:
    before = Before(fence="```")
    landing = Landing(0, "", SHOWN, before, must_close=True, rest="\nand")
    assert landing.is_void()
    assert not landing.stands()


def test_markdown_that_an_echo_left_out_is_passed_over() -> None:
    assert behind(" and", trailing="** **") == "and"
    assert behind("** **and", trailing="** **") == "and"
