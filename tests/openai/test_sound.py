"""Sound that comes in pieces."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from gemproxy.openai import sound


@given(st.lists(st.binary(max_size=20), max_size=6))
def test_padded_pieces_are_joined(pieces: list[bytes]) -> None:
    deltas = [{"data": base64.b64encode(piece).decode()} for piece in pieces]
    assert base64.b64decode(sound.joined(deltas)["data"]) == b"".join(pieces)


def test_the_first_piece_names_the_sound() -> None:
    whole = sound.joined([{"id": "a", "data": "AQ=="}, {"data": "Ag=="}])
    assert whole == {"id": "a", "data": "AQI="}


def test_what_is_no_base64_is_left_out() -> None:
    assert sound.joined([{"data": "AQ=="}, {"data": "A"}])["data"] == "AQ=="
