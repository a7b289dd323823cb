"""Forms as pages send them: rows of tables, items of lists, and errors by field."""

import pytest
from multidict import MultiDict

from gemproxy.core.errors import BadField, BadRequest
from gemproxy.pages.forms import errors_of, items_of, rows_of


def test_a_table_comes_back_by_its_rows_and_without_empty_ones() -> None:
    form = MultiDict(
        {
            "limit.10.kind": "rpm",
            "limit.10.amount": " 5 ",
            "limit.2.kind": "tpm",
            "limit.2.amount": "",
            "limit.3.kind": "",
            "limit.3.amount": " ",
            "other.1.kind": "x",
            "limit.x.kind": "x",
            "limit": "x",
        }
    )

    assert rows_of(form, "limit") == [
        {"kind": "tpm", "amount": ""},
        {"kind": "rpm", "amount": "5"},
    ]


@pytest.mark.parametrize(
    ("text", "items"),
    [("", []), (" one \r\n\r\ntwo,three ,", ["one", "two", "three"]), ("\n,\n", [])],
)
def test_a_list_is_one_a_line_or_between_commas(text: str, items: list[str]) -> None:
    assert items_of(text) == items


def test_an_error_belongs_to_its_field_or_to_the_form() -> None:
    assert errors_of(BadField("limits[2].amount", "is wrong")) == {
        "limits": "'limits[2].amount' is wrong."
    }
    assert errors_of(BadField("name", "is wrong")) == {"name": "'name' is wrong."}
    assert errors_of(BadRequest("Nothing fits.")) == {"": "Nothing fits."}
