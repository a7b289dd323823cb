"""Access keys: they are found by their names, and only their hashes are kept."""

import pickle
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gemproxy.access.keys import AccessKeys, Stored
from gemproxy.access.secret import hashed, id_in, new_id, new_key
from gemproxy.accounts.user import User

ANN = "gp-7Kq2mXv9TzRw4Lp8"
NOW = 1_800_000_000.0


def test_a_key_is_found_by_its_whole_text_alone() -> None:
    keys = AccessKeys.of({"ann": ANN, "bob": "bobs-5f2c9a7e31d84b60"})

    assert keys.find(ANN, NOW) == User("ann", "ann")
    assert keys.find("bobs-5f2c9a7e31d84b60", NOW) == User("bob", "bob")
    for other in ("", ANN[:-1], f"{ANN} ", ANN.upper(), "ann"):
        assert keys.find(other, NOW) is None


def test_where_there_are_none_nothing_is_found() -> None:
    assert not AccessKeys().lengths
    assert AccessKeys.of({"ann": ANN}).lengths == {len(ANN)}
    assert AccessKeys().find("", NOW) is None


def test_the_keys_are_not_kept() -> None:
    keys = AccessKeys.of({"ann": ANN})

    assert ANN not in repr(keys)
    assert ANN.encode() not in pickle.dumps(keys)


def test_two_processes_have_other_hashes() -> None:
    one, two = (AccessKeys.of({"ann": ANN}) for _ in range(2))

    assert pickle.dumps(one) != pickle.dumps(two)


@given(st.text())
def test_any_text_may_be_asked_for(text: str) -> None:
    assert AccessKeys.of({"ann": ANN}).find(f"{text}\ud800", NOW) is None


PEPPER = b"pepper"


def stored(name: str, key: str, **fields: Any) -> Stored:
    return Stored(User(id_in(key), name), hashed(key, PEPPER), **fields)


def test_stored_keys_come_and_go() -> None:
    keys = AccessKeys.of({"bob": ANN})
    one, two = new_key(new_id()), new_key(new_id())

    keys.put([stored("carl", one), stored("dora", two)], PEPPER)

    assert keys.find(one, NOW) == keys.named("carl") == User(id_in(one), "carl")
    assert keys.find_any(["x", two], NOW) == keys.named("dora")
    assert keys.find(ANN, NOW) == User("bob", "bob")
    assert keys.count == 3
    keys.put([stored("carl", one)], PEPPER)
    assert keys.find(two, NOW) is None
    assert keys.named("dora") is None
    keys.put([], PEPPER)
    assert keys.find(one, NOW) is None
    assert keys.lengths == {len(ANN)}


def test_a_stored_key_is_found_by_its_whole_text_alone() -> None:
    keys, key = AccessKeys(), new_key("abcdefghjkmn")
    keys.put([stored("ann", key)], PEPPER)

    assert keys.find(key, NOW) is not None
    for other in (new_key("abcdefghjkmn"), key[:-1], f"{key}x", key.swapcase(), "abcdefghjkmn"):
        assert keys.find(other, NOW) is None
    keys.put([stored("ann", key)], b"other")
    assert keys.find(key, NOW) is None


def test_the_key_before_a_rotation_is_good_for_its_time() -> None:
    keys, old, new = AccessKeys(), new_key("abcdefghjkmn"), new_key("abcdefghjkmn")
    keys.put([stored("ann", new, old=hashed(old, PEPPER), old_until=NOW + 60)], PEPPER)

    assert keys.find(new, NOW + 61) is not None
    assert keys.find(old, NOW + 59.9) is not None
    assert keys.find(old, NOW + 60) is None


def test_a_name_of_the_settings_stays_with_the_settings() -> None:
    keys, key = AccessKeys.of({"ann": ANN}), new_key(new_id())

    keys.put([stored("ann", key)], PEPPER)

    assert keys.find(key, NOW) is None
    assert keys.named("ann") == User("ann", "ann")
    assert keys.given == {"ann"}
