"""Native requests as bytes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.openai.encoding import encoded


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.booleans()))
def test_a_request_is_utf8_json(body: dict[str, object]) -> None:
    assert json.loads(encoded(body).decode()) == body


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("a\ud83db", "a�b"),
        ("\udc00", "�"),
        ("\ud83e\udeb8", "🪸"),
        ("🪸\ud800", "🪸�"),
        ("🪸 海\u2028", "🪸 海\u2028"),
    ],
)
def test_half_a_pair_is_replaced(text: str, sent: str) -> None:
    assert json.loads(encoded({"text": text, text: [1]}).decode()) == {"text": sent, sent: [1]}


def test_whole_numbers_keep_their_digits() -> None:
    assert encoded({"big": 9007199254740993, "bigger": 2**70, "one": 1.0}) == (
        b'{"big":9007199254740993,"bigger":1180591620717411303424,"one":1.0}'
    )
