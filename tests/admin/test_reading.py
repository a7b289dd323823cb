"""Queries of the admin API become forms; what does not fit is refused by its name."""

import datetime as dt
from typing import Annotated

import msgspec
import pytest
from multidict import MultiDict

from gemproxy.admin.reading import query_of
from gemproxy.admin.route import Form
from gemproxy.core.errors import BadField


class Query(Form, frozen=True):
    """A query with a text, a time and a list."""

    user: str | None = None
    begin: dt.datetime | None = None
    by: Annotated[list[str], msgspec.Meta(max_length=2)] = msgspec.field(default_factory=list)


def test_a_query_is_read_by_its_fields() -> None:
    read = query_of(Query, MultiDict([("by", "a,b"), ("begin", "2026-01-02T03:04:05Z")]))

    assert read == Query(begin=dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC), by=["a", "b"])


def test_null_is_a_text_and_nothing_else() -> None:
    assert query_of(Query, MultiDict(user="null")) == Query(user="null")
    for word in ("null", "NULL"):
        with pytest.raises(BadField, match="begin"):
            query_of(Query, MultiDict(begin=word))


@pytest.mark.parametrize(
    "given", [[("usr", "x")], [("user", "x"), ("user", "y")], [("begin", "")], [("by", "a,b,c")]]
)
def test_what_does_not_fit_is_refused_by_its_name(given: list[tuple[str, str]]) -> None:
    with pytest.raises(BadField, match=given[0][0]):
        query_of(Query, MultiDict(given))
