"""The dashboard and the alerts ask for what a scrape of a busy proxy has."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
from promql_parser import (
    AggModifierType,
    AggregateExpr,
    Call,
    MatchOp,
    VectorSelector,
    parse,
    walk,
)

from gemproxy.accounts.user import User
from gemproxy.chaos.faults import parse_fault
from gemproxy.chaos.refusals import INVALID, quota, requests_by_day
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.metrics.families import FAMILIES, Kind
from tests.metered.conftest import StartHouse
from tests.metered.house import limited
from tests.metered.test_metrics import send, settled
from tests.pooled.house import MODEL, OTHER
from tests.scraping import Scrape

pytestmark = pytest.mark.production_loop

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
DASHBOARD = DEPLOY / "grafana" / "gemproxy.json"
ALERTS = DEPLOY / "prometheus" / "alerts.yaml"
GUIDES = [DEPLOY.parent / "docs" / name for name in ("metrics.md", "metrics.zh-CN.md")]

SUFFIXES = ("_bucket", "_sum", "_count")


def panels() -> list[dict[str, Any]]:
    document = json.loads(DASHBOARD.read_text())
    return [panel for panel in document["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[str]:
    """Yield every expression, without Grafana's variables."""
    for panel in panels():
        for target in panel["targets"]:
            yield target["expr"].replace("$__rate_interval", "5m").replace("$model", ".*")
    alerts = re.sub(r"\n {12}", " ", ALERTS.read_text().replace("expr: |\n", "expr: "))
    yield from (line.partition(": ")[2].strip() for line in alerts.splitlines() if "expr:" in line)


@attrs.frozen
class Selected:
    """A metric that an expression asks for, by labels, and whether for its rate."""

    name: str
    matchers: Mapping[str, tuple[MatchOp, str]]
    rate: bool


@attrs.frozen
class Query:
    """What an expression asks for: metrics, and the labels by which it adds up."""

    metrics: Sequence[Selected]
    groups: frozenset[str]


def query_of(expression: str) -> Query:
    """Return what an expression asks for. Raises ValueError if Prometheus would refuse it."""
    metrics: list[Selected] = []
    groups: set[str] = set()
    rates: set[int] = set()

    def visit(node: object) -> bool:
        if isinstance(node, Call) and node.func.name in {"rate", "increase"}:
            rates.add(len(metrics))  # its metric is the next one
        elif isinstance(node, AggregateExpr) and node.modifier is not None:
            assert node.modifier.type == AggModifierType.By, expression
            groups.update(node.modifier.labels)
        elif isinstance(node, VectorSelector):
            matchers = {one.name: (one.op, one.value) for one in node.matchers.matchers}
            assert node.name is not None
            metrics.append(Selected(node.name, matchers, len(metrics) in rates))
        return True

    walk(parse(expression), visit)
    return Query(metrics, frozenset(groups))


async def busy(house: StartHouse) -> Scrape:
    """Return the samples of a proxy that has seen an interruption, refusals and sick keys."""
    script = Script(BUILT_IN["story"], [parse_fault("fin@event:1")], rearm=True)
    at = await house({"ann": User("", ""), "bob": limited(rpm=1)}, script)
    for number in range(3):
        assert await send(at, f"Prompt {number}") == 200
    at.fake.cloud.refuse("P2", INVALID)
    at.fake.cloud.refuse("P1", quota(requests_by_day(OTHER), delay=36), model=OTHER)
    for number in range(3):
        await send(at, f"Again {number}", OTHER if number else MODEL)
        await send(at, f"Limited {number}", user="bob")
    return await settled(at)


async def test_every_query_asks_for_metrics_and_labels_that_a_scrape_has(
    house: StartHouse,
) -> None:
    found = await busy(house)
    labels: dict[str, set[str]] = {}
    for name, given in found.samples:
        labels.setdefault(name, set()).update(label for label, _ in given)
    asked = list(expressions())

    for expression in asked:
        query = query_of(expression)
        assert query.metrics, expression
        for one in query.metrics:
            assert one.name in labels, expression
            assert set(one.matchers) <= labels[one.name], expression
            equal = {
                label: value for label, (how, value) in one.matchers.items() if how == MatchOp.Equal
            }
            matching = [
                given for n, given in found.samples if n == one.name and equal.items() <= set(given)
            ]
            assert matching, expression
        assert query.groups <= set.union(*(labels[one.name] for one in query.metrics)), expression
    assert len(asked) > 50


@pytest.mark.parametrize(
    "wrong", ["sum(rate(up[5m])", "rate(up)", "sum by le (up)", "histogram_quantile(up)"]
)
def test_a_query_that_prometheus_refuses_is_found(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        query_of(wrong)


def test_rates_are_of_what_only_grows_and_all_else_is_read_as_it_is() -> None:
    growing = {family.shown for family in FAMILIES if family.kind is Kind.COUNTER}
    for family in FAMILIES:
        if family.kind is Kind.HISTOGRAM:
            growing |= {f"{family.name}{suffix}" for suffix in SUFFIXES}

    for expression in expressions():
        for one in query_of(expression).metrics:
            assert one.rate is (one.name in growing), expression
        assert ("histogram_quantile" in expression) is ("_bucket" in expression), expression


def test_each_metric_of_ours_is_on_the_dashboard_or_is_left_out_on_purpose() -> None:
    shown = {one.name for expression in expressions() for one in query_of(expression).metrics}
    missing = {
        family.shown
        for family in FAMILIES
        if not {family.shown, *(f"{family.name}{suffix}" for suffix in SUFFIXES)} & shown
    }

    assert missing == {
        "gemproxy_picture_bytes",
        "gemproxy_picture_failures_total",
        "gemproxy_pictures",
        "gemproxy_pictures_kept_total",
        "gemproxy_recording_failures_total",
        "gemproxy_session_bytes_total",
        "gemproxy_session_frames_total",
        "process_start_time_seconds",
        "process_virtual_memory_bytes",
        "python_gc_collections_total",
        "python_gc_objects_collected_total",
    }


def test_panels_have_places_of_their_own_and_the_chosen_data_source() -> None:
    places: set[tuple[int, int]] = set()
    for panel in panels():
        assert panel["datasource"]["uid"] == "${datasource}"
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & places
        places |= cells
    assert max(x for x, _ in places) < 24


def test_alerts_say_what_is_wrong() -> None:
    text = ALERTS.read_text()
    names = re.findall(r"alert: (\w+)", text)

    assert len(names) == len(set(names)) == text.count("summary: ")
    for guide in GUIDES:
        assert all(name in guide.read_text() for name in names)
