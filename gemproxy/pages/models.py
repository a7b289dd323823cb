"""The page of models and prices: what was used, what it costs, and what has no price."""

from collections.abc import Mapping
from typing import Any

from multidict import MultiDict

from gemproxy.admin.models import ModelsQuery, models, prices
from gemproxy.admin.reading import query_of
from gemproxy.admin.usage import UsageQuery, usage
from gemproxy.pages.page import Page, Visit
from gemproxy.pages.periods import since_of

CHOICES: Mapping[str, Mapping[str, str]] = {
    "used": {"used": "true"},
    "all": {},
    "priced": {"priced": "true"},
    "unpriced": {"priced": "false"},
}
"""What a list may have, with the query of the API that it is."""

_AT_ONCE = "40"
"""Models of a page, which stays below a hundred kilobytes with the price table."""


async def shown(visit: Visit) -> Mapping[str, Any]:
    """Return the models with their use, and the price table."""
    chosen = visit.query.get("show", "")
    chosen = chosen if chosen in CHOICES else next(iter(CHOICES))
    cursor = visit.query.get("cursor", "")
    query = query_of(
        ModelsQuery, MultiDict({**CHOICES[chosen], "cursor": cursor, "limit": _AT_ONCE})
    )
    page = await visit.ask(models, query)
    today, total = await _today(visit)
    table = await visit.ask(prices)
    return {
        "chosen": chosen,
        "choices": list(CHOICES),
        "page": page,
        "is_first": not cursor,
        "today": today,
        "total": total,
        "table": table,
    }


async def _today(visit: Visit) -> tuple[Mapping[str, Any] | None, Any]:
    """Return what each model was used this day, and all of them; None without a ledger."""
    begin = since_of(visit, 1)
    if begin is None:
        return None, None
    query = query_of(UsageQuery, MultiDict({"from": begin, "by": "model"}))
    found = await visit.ask(usage, query)
    return {group.of["model"]: group.sums for group in found.groups}, found.total


PAGES = (Page("/models", "Models and prices", "models.html", shown, in_menu=True),)
