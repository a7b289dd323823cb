"""The anchor: an end of the text that an attempt cannot begin with by chance."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.seam.anchor import ANCHOR_LENGTH, choose_anchor

STORY = "Once upon a time, in a small town by the sea, there lived "


@pytest.mark.parametrize(
    "delivered", ["", "Hello", "      ", "\n\n\n\n\n\n\n\n", "Hi     ", "a" * 5]
)
def test_there_is_none_for_a_text_that_is_too_short(delivered: str) -> None:
    assert choose_anchor(delivered) is None


@pytest.mark.parametrize(
    "delivered",
    [
        "ha " * 30,
        "ha ha ha",
        "0, " * 500,
        "|---|---|---|---|",
        "=" * 2000,
        "哈" * 50,
        "👩\u200d💻" * 50,
        "| a | b |\n" * 100,
        ("A refrain of this song that is longer than a line.\n" * 3 + "And its end.\n\n") * 10,
    ],
)
def test_there_is_none_when_the_text_is_one_repetition(delivered: str) -> None:
    assert choose_anchor(delivered) is None


def test_it_is_about_forty_characters_from_the_start_of_a_word() -> None:
    anchor = choose_anchor(STORY + "an old man")
    assert anchor == "small town by the sea, there lived an old man"
    assert len(anchor) >= ANCHOR_LENGTH


def test_it_keeps_the_whitespace_that_the_text_ends_with() -> None:
    assert (choose_anchor(STORY + "  \n ") or "").endswith("there lived   \n ")


def test_all_of_a_short_text_is_its_anchor() -> None:
    assert choose_anchor("Hello wor") == "Hello wor"


def test_it_does_not_begin_with_whitespace() -> None:
    assert choose_anchor("\n\n  Hello wor") == "Hello wor"


@pytest.mark.parametrize(
    ("delivered", "telling"),
    [
        (STORY + "a king who laughed: " + "ha " * 30, "laughed: ha"),
        (STORY + "| key | value |\n|---|---|\n" + "| a | 1 |\n" * 9, "|---|---|\n| a"),
        (STORY + "and said:\n" + "    pass\n" * 9, "said:\n"),
        (STORY + "see " + "1, 0, " * 20, "see 1, 0"),
    ],
)
def test_it_reaches_back_beyond_a_repetition(delivered: str, telling: str) -> None:
    assert telling in (choose_anchor(delivered) or "")


def test_it_is_longer_where_a_shorter_one_occurs_twice() -> None:
    line = "the very same words come here a second time, word by word"
    anchor = choose_anchor(f"First, {line}. {STORY}. Second, {line}")
    assert anchor is not None
    assert anchor.endswith(f"Second, {line}")


@pytest.mark.parametrize("last", ["    return None\n", "| apples | 100 | green |", "- of wood"])
def test_it_takes_along_some_of_the_line_before_a_short_one(last: str) -> None:
    before = STORY + "a man who saw\n"
    assert "saw\n" in (choose_anchor(before + last) or "")


def test_it_does_not_begin_with_a_line_that_is_as_long_as_an_anchor() -> None:
    line = "x" * 20 + " " + "y" * 19
    assert (choose_anchor(f"{STORY}here.\n{line}\n") or "").endswith(f"here.\n{line}\n")


def test_it_does_not_begin_where_a_begun_repetition_would_go_on() -> None:
    row = "| the first column | the second column |\n"
    delivered = f"{STORY}\n\n{row}| the first col"
    assert not (choose_anchor(delivered) or "").startswith("umn |")


@pytest.mark.parametrize(
    "unit",
    [
        "👩\u200d💻",
        "👨\u200d👩\u200d👧\u200d👦",
        "👍🏽",
        "🇩🇪",
        "❤\ufe0f",
        "1\ufe0f\u20e3",
        "e\u0301",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "\u1112\u1161\u11ab",
        "\ud83d\udc69",
    ],
)
def test_it_does_not_begin_inside_what_a_reader_sees_as_one_character(unit: str) -> None:
    for count in range(20, 20 + 3 * len(unit)):
        delivered = STORY.replace(" ", "") + unit * 9 + "x" * count
        anchor = choose_anchor(delivered) or ""
        if unit[0] in anchor:
            units = anchor.rstrip("x").removesuffix(unit)
            assert units.replace(unit, "") in STORY.replace(" ", "")


@given(st.text(max_size=300))
def test_it_is_an_end_of_the_text_and_begins_with_a_character(delivered: str) -> None:
    anchor = choose_anchor(delivered)
    if anchor is not None:
        assert delivered.endswith(anchor)
        assert len(delivered) == len(anchor) or not unicodedata.category(anchor[0]).startswith("M")
        assert not anchor[0].isspace()


@pytest.mark.parametrize(
    ("before", "sentence"),
    [
        ("He was old. ", "The lamp of the lighthouse was never left alone at ni"),
        (
            "他很老。",
            "灯塔上的灯在夜里从来没有人看着，船长每天晚上都要走上那条很长的山路去点亮它，风雨中也不停",
        ),
    ],
)
def test_it_begins_with_a_sentence_that_begins_not_far_before(before: str, sentence: str) -> None:
    assert choose_anchor(STORY + before + sentence) == sentence


@pytest.mark.parametrize("before", ["He was old.\n", "1. ", "Version 2. ", "- He was old. "])
def test_a_line_or_a_number_begins_no_sentence(before: str) -> None:
    last = "The lamp of the lighthouse was never left alone at ni"
    assert choose_anchor(f"{STORY}\n{before}{last}") != last


def test_a_sentence_that_begins_too_far_before_does_not_count() -> None:
    last = "The lamp of the lighthouse " + "was never left alone, and " * 5 + "at ni"
    assert not (choose_anchor(f"{STORY}. {last}") or "").startswith("The lamp")
