"""Bare letters: one text in several spellings."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gemproxy.core.seam.spelling import Bare, bare


def letters(text: str) -> str:
    return "".join(letter for letter, _ in bare(text))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Caf\u00e9 \u00fcber", "Cafe\u0301 u\u0308ber"),
        ("\ud55c\uad6d", unicodedata.normalize("NFD", "\ud55c\uad6d")),
        ("你好，世界：好。", "你好, 世界:好."),
        ("\uff76\uff9e", "\u30ac"),
        ("开头，国家", "開頭，國家"),
        ('a < b & "c" it\'s', "a &lt; b &amp; &quot;c&quot; it&#39;s"),
        ("**bold** and `code`", "bold and code"),
        ("- one\n- two", "* one\n2) two"),
        ("one\ntwo", "> one\n> two"),
        ("| a | b |\n| c", "a | b |\nc"),
        ("ab\u200bc\u200ed", "abcd"),
        ("\u201cyes\u201d \u2013 no\u2026", '"yes" - no...'),
    ],
)
def test_spellings_of_one_text_have_the_same_letters(one: str, other: str) -> None:
    assert letters(one) == letters(other)


@pytest.mark.parametrize(
    ("one", "other"), [("x\u00b2", "x2"), ("\ufb01n", "fin"), ("a", "A"), ("1.5", "15")]
)
def test_other_texts_have_other_letters(one: str, other: str) -> None:
    assert letters(one) != letters(other)


@given(st.text(st.sampled_from("ae\u0301\u0308 *>-1.&amp;lt\n\u200b\uff76\uff9e国國")) | st.text())
@example("&e1;\u0301")
@example("&amp;\u0301x")
def test_offsets_are_behind_raw_characters_and_never_before_their_marks(text: str) -> None:
    last = 0
    for _, end in bare(text):
        assert last <= end <= len(text)
        assert end == len(text) or not unicodedata.category(text[end]).startswith("M")
        last = end


@given(st.text(st.sampled_from("ae\u0301 *>-1.&amp;#39lt\n\u200b国")), st.data())
def test_a_letter_that_is_certain_stays(text: str, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(text)))
    reader = Bare()
    early = [letter for char in text[:cut] for letter in reader.feed(char)]
    assert bare(text)[: len(early)] == early
