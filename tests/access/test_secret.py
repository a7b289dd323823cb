"""The form of stored access keys, and their hashes."""

from hypothesis import given
from hypothesis import strategies as st

from gemproxy.access.secret import LENGTH, PREFIX, hashed, id_in, new_id, new_key
from gemproxy.config.strength import weakness
from gemproxy.observe.logs import redact


def test_a_new_key_names_itself_and_has_its_own_secret() -> None:
    public = new_id()
    keys = {new_key(public) for _ in range(20)}

    assert len(keys) == 20
    for key in keys:
        assert key.startswith(f"{PREFIX}{public}-")
        assert len(key) == LENGTH
        assert id_in(key) == public
        assert weakness(key) is None
        assert redact(f"sent {key} up") == "sent gp-*** up"


def test_no_letter_of_the_public_part_looks_like_another() -> None:
    for _ in range(50):
        assert not set("01ilo").intersection(new_id())


@given(st.text())
def test_another_form_names_nobody(text: str) -> None:
    key = new_key("abcdefghjkmn")

    for other in (text, key[:-1], f"{key}x", f"{key}\n", key.upper(), f"{text}{key}"):
        assert id_in(other) == "" or other == key


def test_a_hash_needs_the_pepper_and_the_whole_key() -> None:
    key = new_key("abcdefghjkmn")

    assert hashed(key, b"one") == hashed(key, b"one")
    assert len({hashed(key, b"one"), hashed(key, b"two"), hashed(key[:-1], b"one")}) == 3
    assert key.encode() not in hashed(key, b"one")
