"""Models and prices through the admin API, from a price table and a ledger."""

import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gemproxy.accounts.prices import parse_prices
from gemproxy.admin.desk import Desk, Figures
from gemproxy.admin.models import ModelsQuery, UnpricedModel, models, prices
from gemproxy.admin.route import NOTHING, Call, Form
from gemproxy.core.errors import Busy
from gemproxy.ledger.engine import Engines, place_of
from gemproxy.ledger.schema import prepare
from tests.ledger.book import Book, at, row

NOW = at("2026-11-29T08:00") / 1000
TABLE = parse_prices("""\
[[models]]
name = "gemini-x"
also = ["gemini-x-0##"]

[[models.prices]]
source = "the first list"
checked = 2026-01-01
input = 1.25
input_audio = 3
output = 10
flex = 0.5

[models.prices.long]
above = 200_000
input = 2.5

[[models.prices]]
from = 2026-12-01
source = "the second list"
checked = 2026-11-28
input = 0.075
output = 30

[[models]]
name = "drawer"

[[models.prices]]
source = "a page"
checked = 2026-01-01
per_picture = 0.039
""")


@pytest.fixture
async def book(tmp_path: Path) -> AsyncIterator[Book]:
    """Return a ledger in which three models were used."""
    engines = Engines.of(place_of("", tmp_path))
    await prepare(engines)
    made = Book(engines)
    await made.put(
        row(at("2026-11-28"), model="gemini-x"),
        row(at("2026-11-28"), model="gemini-x-001", cost_nano_usd=None),
        row(at("2026-11-27"), model="nameless", cost_nano_usd=None),
        row(at("2026-11-27"), model="nameless", cost_nano_usd=None, ending=None),
        row(at("2026-10-01"), model="long-ago", cost_nano_usd=None),
    )
    yield made
    await engines.close()


def call(book: Book | None, query: Form = NOTHING) -> Call[Any, Any]:
    figures = Figures(book.queries, clock=lambda: NOW) if book else None
    return Call(Desk(prices=TABLE, figures=figures), {}, query, NOTHING, "operator", "192.0.2.7")


async def test_prices_are_those_of_the_table_as_decimal_strings(book: Book) -> None:
    found = await prices(call(book))
    model, drawer = found.models
    later, now = model.prices

    assert model.names == ["gemini-x", "gemini-x-0##"]
    assert (later.current, now.current, now.since) == (False, True, None)
    assert later.since == dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
    assert (later.rates.input, later.rates.output) == ("0.075", "30")
    assert (now.rates.input, now.rates.input_audio, now.rates.thoughts) == ("1.25", "3", "10")
    assert now.source == "the first list"
    assert now.above == 200_000
    assert now.long is not None
    assert (now.long.input, now.long.output) == ("2.5", "10")
    assert now.tiers == {"standard": "1", "flex": "0.5"}
    assert (drawer.prices[0].rates.per_picture, drawer.prices[0].rates.input) == ("0.039", None)


async def test_models_that_were_used_without_a_price_are_named(book: Book) -> None:
    found = await prices(call(book))

    assert found.used_without_price == [
        UnpricedModel(name="gemini-x-001", requests=1, unpriced=1, listed=True),
        UnpricedModel(name="nameless", requests=2, unpriced=1, listed=False),
    ]


async def test_models_are_listed_by_pages(book: Book) -> None:
    first = await models(call(book, ModelsQuery(limit=3)))
    second = await models(call(book, ModelsQuery(limit=3, cursor=first.next or "")))
    shown = [(one.name, one.priced_as, one.requests) for one in first.models + second.models]

    assert shown == [
        ("drawer", "drawer", 0),
        ("gemini-x", "gemini-x", 1),
        ("gemini-x-001", "gemini-x-0##", 1),
        ("nameless", None, 2),
    ]
    assert (first.next, second.next) == ("gemini-x-001", None)
    assert first.models[1].tiers == ["standard", "flex"]


@pytest.mark.parametrize(
    ("priced", "names"),
    [(True, ["drawer", "gemini-x", "gemini-x-001"]), (False, ["nameless"])],
)
async def test_models_with_and_without_a_price(
    book: Book,
    priced: bool,
    names: list[str],
) -> None:
    page = await models(call(book, ModelsQuery(priced=priced)))

    assert [one.name for one in page.models] == names


async def test_without_a_ledger_there_are_prices_and_no_usage() -> None:
    table, page = await prices(call(None)), await models(call(None, ModelsQuery()))

    assert len(table.models) == 2
    assert table.used_without_price is None
    assert [(one.name, one.requests) for one in page.models] == [
        ("drawer", None),
        ("gemini-x", None),
    ]


async def test_a_database_that_fails_is_told_in_words(book: Book) -> None:
    async with book.engines.writing() as connection:
        await connection.exec_driver_sql("DROP TABLE generations")

    with pytest.raises(Busy, match="cannot be read"):
        await prices(call(book))
