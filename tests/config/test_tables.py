"""Tables as values of settings."""

import pytest

from gemproxy.config.tables import shown, table_of


@pytest.mark.parametrize("value", [{"a": 1}, '{"a": 1}', ' {"a": 1} '])
def test_a_table_comes_from_toml_or_json(value: object) -> None:
    assert table_of(value, "a table") == {"a": 1}


@pytest.mark.parametrize("value", ["", "  ", {}])
def test_nothing_is_an_empty_table(value: object) -> None:
    assert table_of(value, "a table") == {}


@pytest.mark.parametrize(
    ("value", "why"),
    [("a=1", "is not a table in JSON"), ("[1]", "is not a table"), (3, "is not a table")],
)
def test_anything_else_is_refused(value: object, why: str) -> None:
    with pytest.raises(ValueError, match=f"^{why}$"):
        table_of(value, "a table")


def test_a_key_in_the_place_of_a_name_is_masked() -> None:
    assert shown("gemini-2.5-pro") == "'gemini-2.5-pro'"
    assert "AIza" not in shown("AIza" + "x" * 35)
