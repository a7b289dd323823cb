"""The table of attributes, and the pages that show it."""

import json

import pytest

from docs.tracing_tables import PAGES, page_with_tables
from gemproxy.exchange.account import Charge
from gemproxy.tracing.attempts import attempts_of
from gemproxy.tracing.attributes import (
    ATTEMPT,
    GEN_AI,
    SERVER,
    Conventions,
    chosen,
    method_of,
    values,
)
from tests.tracing.records import UPSTREAM, entry, served, three_attempts


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_pages_have_the_tables_of_the_code(path: object) -> None:
    page = path.read_text("utf-8")  # type: ignore[attr-defined]  # a Path

    assert page_with_tables(page) == page


def test_no_name_is_there_twice() -> None:
    for tables in ((SERVER,), (ATTEMPT, GEN_AI)):
        names = [row.name for table in tables for group in table for row in group.rows]
        assert len(names) == len(set(names))


def test_the_request_has_no_usage_by_the_names_of_the_conventions() -> None:
    of = three_attempts()
    of.account.charge = Charge(4, 0, 35, 5, 14, 5, 1000, None)
    found = values(chosen(SERVER, "both"), of)

    assert not [name for name in found if name.startswith("gen_ai.")]
    assert found["gemproxy.output_tokens"] == 35
    assert found["gemproxy.cost_nano_usd"] == 1000
    assert "gemproxy.operator_cost_nano_usd" not in found
    assert found["gemproxy.causes"] == ["drop", "status"]


@pytest.mark.parametrize(
    ("conventions", "systems"), [("new", set()), ("old", {"gcp.gemini"}), ("both", {"gcp.gemini"})]
)
def test_the_old_name_of_the_provider(conventions: Conventions, systems: set[str]) -> None:
    attempts = attempts_of(three_attempts(), UPSTREAM)
    found = [values(chosen(GEN_AI, conventions), attempt) for attempt in attempts]

    assert {one["gen_ai.system"] for one in found if "gen_ai.system" in one} == systems
    assert all(one["gen_ai.provider.name"] == "gcp.gemini" for one in found)


def test_the_key_of_an_attempt_is_its_fingerprint() -> None:
    last = attempts_of(three_attempts(), UPSTREAM)[-1]
    found = values(chosen(ATTEMPT, "new"), last)

    assert found["gemproxy.key"] == "12ab34cd"
    assert found["gemproxy.project"] == "lab"
    assert found["gemproxy.joint"] == "echo"


def test_a_key_in_the_path_is_masked_and_a_query_is_not_shown() -> None:
    key = "AIzaSy" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6q"
    of = served(entry(), family="passthrough", path=f"/v1beta/{key}/models/{key}:x")
    found = values(chosen(SERVER, "new"), of)
    found |= values(chosen(ATTEMPT, "new"), attempts_of(of, UPSTREAM)[0])

    assert key not in json.dumps(found)
    assert "secret" not in json.dumps(found)


def test_an_unknown_method_is_none() -> None:
    assert method_of("POST") == "POST"
    assert method_of("BREW") == "_OTHER"
