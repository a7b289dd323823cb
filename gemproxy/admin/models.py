"""Models and their prices: what the price table has, and which models were used without a price.

Prices are dollars as decimal strings. A kind of token without a price of its own has that of the
kind that it is a part of, as costs are counted. Usage comes from the query layer; a proxy without a
ledger has prices, and null where usage would be.
"""

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import attrs
import msgspec

from gemproxy.accounts.prices import MILLION, PriceList, Rates
from gemproxy.admin.desk import Desk
from gemproxy.admin.periods import reading
from gemproxy.admin.route import Call, Form, Nothing, Route, says
from gemproxy.admin.sums import dollars
from gemproxy.ledger.pieces import SECOND_MS, Span
from gemproxy.ledger.queries import By
from gemproxy.ledger.sums import Sums

DAYS = 30
"""Days of usage that are looked at."""

_DAY = 86_400
_STANDARD = "standard"
_THINGS = ("per_picture", "per_second")
_THOUSAND = 1000


def _usd_of(kind: str) -> Any:  # noqa: ANN401 (an annotation)
    return says(f"USD for a million tokens of {kind}; null: no price")


class PriceRates(Form, frozen=True):
    """What each kind of token costs, in USD as decimal strings."""

    input: Annotated[str | None, _usd_of("text in a prompt")]
    input_audio: Annotated[str | None, _usd_of("sound in a prompt")]
    input_image: Annotated[str | None, _usd_of("pictures in a prompt")]
    input_video: Annotated[str | None, _usd_of("video in a prompt")]
    cached: Annotated[str | None, _usd_of("a cached prompt")]
    cached_audio: Annotated[str | None, _usd_of("sound in a cached prompt")]
    output: Annotated[str | None, _usd_of("text in an answer")]
    output_audio: Annotated[str | None, _usd_of("sound in an answer")]
    output_image: Annotated[str | None, _usd_of("pictures in an answer")]
    output_video: Annotated[str | None, _usd_of("video in an answer")]
    thoughts: Annotated[str | None, _usd_of("thoughts")]
    per_picture: Annotated[str | None, says("USD for a picture; null: no such price")]
    per_second: Annotated[str | None, says("USD for a second of film; null: no such price")]


class DatedPrices(Form, frozen=True):
    """The prices of a model from a day on."""

    since: Annotated[dt.datetime | None, says("When they begin; null: since ever")]
    current: Annotated[bool, says("Whether they hold now")]
    source: Annotated[str, says("Where they were read")]
    rates: Annotated[PriceRates, says("The usual prices")]
    above: Annotated[int | None, says("Prompts with more tokens have the prices of `long`")]
    long: Annotated[PriceRates | None, says("The prices of a request with a long prompt")]
    tiers: Annotated[
        dict[str, str], says("The service tiers that have prices, with the factor of each")
    ]


class PricedModel(Form, frozen=True):
    """A model of the price table."""

    names: Annotated[list[str], says("Its names; a # stands for a digit")]
    prices: Annotated[list[DatedPrices], says("Its prices, newest first")]


class UnpricedModel(Form, frozen=True):
    """A model that was used without a price."""

    name: Annotated[str, says("The model")]
    requests: Annotated[int, says("Its requests in the last 30 days")]
    unpriced: Annotated[int, says("Those of them that ended and had no price")]
    listed: Annotated[bool, says("Whether the table has the model, but not this tier or kind")]


class PriceTable(Form, frozen=True):
    """The prices by which money is counted."""

    models: Annotated[list[PricedModel], says("The models, in the order of the price table")]
    used_without_price: Annotated[
        list[UnpricedModel] | None,
        says("Models that were used in the last 30 days without a price; null without a ledger"),
    ]


class ModelsQuery(Form, frozen=True):
    """Which models are wanted."""

    priced: Annotated[bool | None, says("Only models with a price now, or only the others")] = None
    used: Annotated[
        bool | None, says("Only models that were used in the last 30 days, or only the others")
    ] = None
    cursor: Annotated[str, says("`next` of the page before")] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000, description="Most models")] = 100


class KnownModel(Form, frozen=True):
    """A model that has a price, or was used in the last 30 days."""

    name: Annotated[str, says("The model")]
    priced_as: Annotated[str | None, says("Its name in the price table; null: it is not there")]
    priced: Annotated[bool, says("Whether it has a price now")]
    tiers: Annotated[list[str], says("The service tiers that have a price now")]
    requests: Annotated[int | None, says("Requests in the last 30 days; null without a ledger")]
    unpriced: Annotated[int | None, says("Those that ended without a price; null without a ledger")]


class ModelPage(Form, frozen=True):
    """Models by name."""

    models: Annotated[list[KnownModel], says("The models")]
    next: Annotated[str | None, says("The cursor of the next page; null: there is none")]


async def prices(call: Call[Nothing, Any]) -> PriceTable:
    """Return the price table. Raises Busy."""
    now = _now(call.desk)
    used = await _used(call.desk, now)
    return PriceTable(
        models=[
            PricedModel(names=names, prices=_dated(lists, now))
            for names, lists in call.desk.prices.by_names()
        ],
        used_without_price=None
        if used is None
        else [
            UnpricedModel(
                name=name,
                requests=sums.requests,
                unpriced=sums.unpriced,
                listed=call.desk.prices.name_of(name) is not None,
            )
            for name, sums in used.items()
            if sums.unpriced
        ],
    )


async def models(call: Call[ModelsQuery, Any]) -> ModelPage:
    """Return a page of the models that are known or were used. Raises Busy."""
    desk, query, now = call.desk, call.query, _now(call.desk)
    used = await _used(desk, now)
    names = sorted({*desk.prices.names, *(used or ())})
    known = (_known(desk, name, now, used) for name in names if name > query.cursor)
    found = [one for one in known if _is_wanted(one, query)]
    more = len(found) > query.limit
    page = found[: query.limit]
    return ModelPage(models=page, next=page[-1].name if more else None)


def _is_wanted(one: KnownModel, query: ModelsQuery) -> bool:
    return query.priced in {None, one.priced} and query.used in {None, bool(one.requests)}


def _known(desk: Desk, name: str, now: float, used: Mapping[str, Sums] | None) -> KnownModel:
    listed = desk.prices.of(name, now)
    sums = None if used is None else used.get(name, Sums())
    return KnownModel(
        name=name,
        priced_as=desk.prices.name_of(name),
        priced=listed is not None,
        tiers=[] if listed is None else [_STANDARD, *listed.factors],
        requests=None if sums is None else sums.requests,
        unpriced=None if sums is None else sums.unpriced,
    )


async def _used(desk: Desk, now: float) -> Mapping[str, Sums] | None:
    """Return what was used of each model lately, by name; None without a ledger. Raises Busy."""
    if desk.figures is None:
        return None
    span = Span(int((now - DAYS * _DAY) * SECOND_MS))
    with reading():
        groups = await desk.figures.queries.usage([By.MODEL], span)
    return {group.keys[0]: group.sums for group in groups if group.keys[0]}


def _now(desk: Desk) -> float:
    return time.time() if desk.figures is None else desk.figures.clock()


def _dated(lists: Sequence[PriceList], now: float) -> list[DatedPrices]:
    current = next((one for one in lists if one.since is None or one.since <= now), None)
    return [_shown(one, current=one is current) for one in lists]


def _shown(one: PriceList, *, current: bool) -> DatedPrices:
    since = None if one.since is None else dt.datetime.fromtimestamp(one.since, dt.UTC)
    return DatedPrices(
        since=since,
        current=current,
        source=one.source,
        rates=_rates(one.rates),
        above=one.above,
        long=None if one.long is None else _rates(one.long),
        tiers={_STANDARD: "1"}
        | {tier: f"{factor / _THOUSAND:g}" for tier, factor in one.factors.items()},
    )


def _rates(rates: Rates) -> PriceRates:
    given = attrs.asdict(rates)
    for thing in _THINGS:
        if given[thing] is not None:
            given[thing] //= MILLION
    return PriceRates(**{kind: dollars(nano) for kind, nano in given.items()})


ROUTES = (
    Route(
        "GET",
        "/models",
        models,
        "List the models that have prices or were used in the last 30 days.",
        ModelPage,
        query=ModelsQuery,
        tag="models",
    ),
    Route(
        "GET",
        "/prices",
        prices,
        "Show the price table, and which models were used without a price.",
        PriceTable,
        tag="models",
    ),
)
