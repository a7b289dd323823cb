"""The dashboard and the alerts ask for what a scrape of a busy proxy has."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

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

METRIC = re.compile(r"(?P<inside>(?:rate|increase)\()?\b(?P<name>[a-z]+_\w+)(?:\{(?P<of>[^}]*)\})?")
MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
GROUPS = re.compile(r"\bby \(([^)]*)\)")
WORDS = {"histogram_quantile", "topk", "sum", "max", "min", "rate", "increase", "and", "by"}
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


def metrics_of(expression: str) -> list[tuple[str, dict[str, tuple[str, str]], bool]]:
    """Return each metric, its matchers, and whether the expression asks for its rate."""
    found = []
    for match in METRIC.finditer(GROUPS.sub("", expression)):
        if match["name"] not in WORDS:
            matchers = {m[1]: (m[2], m[3]) for m in MATCHER.finditer(match["of"] or "")}
            found.append((match["name"], matchers, match["inside"] is not None))
    return found


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
        names = metrics_of(expression)
        assert names, expression
        for name, matchers, _ in names:
            assert name in labels, expression
            assert set(matchers) <= labels[name], expression
            equal = {label: value for label, (how, value) in matchers.items() if how == "="}
            matching = [
                given for n, given in found.samples if n == name and equal.items() <= set(given)
            ]
            assert matching, expression
        groups = {word.strip() for one in GROUPS.findall(expression) for word in one.split(",")}
        assert groups <= set.union(*(labels[name] for name, _, _ in names)), expression
    assert len(asked) > 50


def test_rates_are_of_what_only_grows_and_all_else_is_read_as_it_is() -> None:
    growing = {family.shown for family in FAMILIES if family.kind is Kind.COUNTER}
    for family in FAMILIES:
        if family.kind is Kind.HISTOGRAM:
            growing |= {f"{family.name}{suffix}" for suffix in SUFFIXES}

    for expression in expressions():
        for name, _, rate in metrics_of(expression):
            assert rate is (name in growing), expression
        assert ("histogram_quantile" in expression) is ("_bucket" in expression), expression
        assert expression.count("(") == expression.count(")"), expression


def test_each_metric_of_ours_is_on_the_dashboard_or_is_left_out_on_purpose() -> None:
    shown = {name for expression in expressions() for name, _, _ in metrics_of(expression)}
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
