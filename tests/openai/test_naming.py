"""Names of functions, as Gemini takes them and as the client knows them."""

import re

from hypothesis import given
from hypothesis import strategies as st

from gemproxy.openai.naming import Names

FINE = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}")
REFUSED = ["1c_reload", "shop server/list items", "重启", "n" * 90, "", "-", "a b", "a\n", "é" * 70]


def test_fine_names_stay() -> None:
    names = Names.of(["shop_server_list_items", "a.b:c-d", "_", "n" * 64])
    assert [names.up(name) for name in ["shop_server_list_items", "a.b:c-d", "_", "n" * 64]] == [
        "shop_server_list_items",
        "a.b:c-d",
        "_",
        "n" * 64,
    ]
    assert names.changed == {}


def test_refused_names_become_fine_and_distinct_and_come_back() -> None:
    names = Names.of([*REFUSED, "shop_server_list_items"])
    up = [names.up(name) for name in REFUSED]
    assert all(FINE.fullmatch(name) for name in up)
    assert len({*up, "shop_server_list_items"}) == len(REFUSED) + 1
    assert [names.down(name) for name in up] == REFUSED
    assert names.changed == dict(zip(up, REFUSED, strict=True))


def test_a_name_stays_readable() -> None:
    assert Names.of(["shop server/list items"]).up("shop server/list items").startswith("shop_ser")


def test_the_mapping_is_the_same_in_another_request() -> None:
    few, all_names = Names.of(["重启"]), Names.of(reversed([*REFUSED, "other"]))
    assert few.up("重启") == all_names.up("重启") == Names.of([]).up("重启")


def test_a_made_name_is_not_merged_with_a_proper_one() -> None:
    made = Names.of(["重启"]).up("重启")
    names = Names.of([made, "重启"])
    assert names.up(made) == made
    assert names.up("重启") != made
    assert names.down(names.up("重启")) == "重启"


def test_a_name_that_the_model_made_up_stays() -> None:
    assert Names.of(["tide"]).down("undeclared") == "undeclared"


TEXT = st.text(st.characters(), max_size=100) | st.sampled_from(REFUSED)


@given(st.lists(TEXT, max_size=12), st.randoms())
def test_names_are_fine_and_injective_whatever_their_order(
    names: list[str], random: object
) -> None:
    one, other = Names.of(names), Names.of([*reversed(names), *names])
    ups = {name: one.up(name) for name in names}
    assert all(FINE.fullmatch(up) for up in ups.values())
    assert len(set(ups.values())) == len(ups)
    assert all(one.down(up) == name == other.down(other.up(name)) for name, up in ups.items())
    assert ups == {name: other.up(name) for name in names}
