"""Folding: what two tellings of a text may differ in without differing."""

from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.seam.folding import common_length, fold, folded


def plain(text: str) -> str:
    return "".join(char for _, char in fold(text))


def test_whitespace_quotes_and_dashes_are_one_of_each() -> None:
    assert plain("a \n\t b \u201cc\u201d \u2013 it\u2019s") == 'a b "c" - it\'s'


@given(st.text())
def test_offsets_are_those_of_the_raw_text(text: str) -> None:
    for offset, char in fold(text):
        assert plain(text[offset]) == char


@given(st.text())
def test_folding_what_is_folded_changes_nothing(text: str) -> None:
    assert plain(plain(text)) == plain(text)


@given(st.text(), st.text(), st.text())
def test_the_common_length_is_that_of_the_longest_common_beginning(
    same: str, one: str, other: str
) -> None:
    one, other = same + one, same + other

    length = common_length(one, other)

    assert length >= len(same)
    assert one[:length] == other[:length]
    assert length == min(len(one), len(other)) or one[length] != other[length]


@given(
    st.text(alphabet=st.sampled_from("ab \t\n\x1c\u3000\xa0\u2028\u201c\u2014\ud800")) | st.text()
)
def test_a_whole_text_is_folded_like_its_characters(text: str) -> None:
    one, offsets = folded(text)

    assert list(zip(offsets, one, strict=True)) == list(fold(text))
