"""Names of pictures: random, with the type, and nothing else is one."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.images.names import ENDINGS, PATTERN, new_name, type_in


@pytest.mark.parametrize("mime", ENDINGS)
def test_a_name_has_128_random_bits_and_the_type(mime: str) -> None:
    one, two = new_name(mime), new_name(mime)

    assert one != two
    assert re.fullmatch(r"[0-9a-f]{32}\.[a-z]{3,4}", one)
    assert type_in(one) == mime


@pytest.mark.parametrize(
    "name",
    [
        "",
        "0" * 32,
        "0" * 31 + ".png",
        "0" * 33 + ".png",
        "0" * 32 + ".svg",
        "0" * 32 + ".html",
        "0" * 32 + ".png ",
        "0" * 32 + ".png\n",
        "0" * 32 + ".PNG",
        "0" * 32 + ".png#1",
        "A" * 32 + ".png",
        "٣" * 32 + ".png",
        "../" + "0" * 32 + ".png",
        "0" * 32 + ".png/..",
    ],
)
def test_anything_else_is_no_name(name: str) -> None:
    assert type_in(name) is None


@given(st.text())
def test_a_text_is_a_name_or_has_no_type(text: str) -> None:
    assert (type_in(text) is None) == (re.fullmatch(PATTERN, text) is None)
