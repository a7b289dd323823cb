"""What is shown of sums and requests."""

from typing import Any

import pytest

from gemproxy.accounts.calendar import Calendar
from gemproxy.ledger.queries import By, Group
from gemproxy.ledger.row import Ending
from gemproxy.ledger.sums import Sums
from gemproxy.usage.listing import (
    document_of_group,
    document_of_request,
    document_of_sums,
    dollars,
    table_of_groups,
    table_of_requests,
    table_of_total,
)
from tests.ledger.book import at, row

FIELDS = [
    "id",
    "started",
    "user",
    "project",
    "key",
    "model",
    "route",
    "dialect",
    "ending",
    "attempts",
    "repairs",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "thought_tokens",
    "extra_input_tokens",
    "extra_output_tokens",
    "cost_nano_usd",
    "operator_cost_nano_usd",
    "first_byte_ms",
    "duration_ms",
    "injected",
]


@pytest.mark.parametrize(
    ("nano", "words"),
    [
        (0, "$0.00"),
        (1, "$0.000000001"),
        (240_000_000, "$0.24"),
        (460_002_000, "$0.460002"),
        (100_000_000_000, "$100.00"),
        (12_500_000_000_000, "$12500.00"),
    ],
)
def test_money_is_exact(nano: int, words: str) -> None:
    assert dollars(nano) == words


def test_a_request_has_the_fields_that_programs_know() -> None:
    document = document_of_request(row(at("2026-03-01T10:00:00") + 7, key="abcd1234"))

    assert list(document) == FIELDS
    assert document["started"] == "2026-03-01T10:00:00.007Z"
    assert (document["ending"], document["key"]) == ("done", "abcd1234")


def test_a_request_that_runs_has_no_ending() -> None:
    running = row(at("2026-03-01"), ending=None, cost_nano_usd=None)

    assert document_of_request(running)["ending"] is None
    assert table_of_requests([running], Calendar())[1][4] == "running"


def test_a_group_has_its_key_and_the_sums() -> None:
    document = document_of_group([By.DAY], Group(("2026-03-01",), Sums(2, done=2, input_tokens=20)))

    figures = {"requests": 2, "input_tokens": 20, "cost_nano_usd": 0, "running": 0}
    assert document["day"] == document["key"] == "2026-03-01"
    assert document.items() >= figures.items()
    sums = {name for name in FIELDS if name.endswith(("tokens", "usd", "ms"))}
    assert document.keys() >= sums | {"attempts", "repairs", "retries", "unpriced"}


@pytest.mark.parametrize(
    ("sums", "cost", "words"),
    [
        ({"done": 2, "unpriced": 2}, None, "unknown"),
        ({"done": 2, "unpriced": 1, "cost_nano_usd": 5 * 10**8}, 5 * 10**8, "$0.50 and 1 unknown"),
        ({"done": 2}, 0, "$0.00"),
        ({}, 0, "-"),
    ],
)
def test_an_unknown_price_is_never_nothing(
    sums: dict[str, Any], cost: int | None, words: str
) -> None:
    group = Group(("gemini-x",), Sums(2, **sums))

    assert document_of_sums(group.sums)["cost_nano_usd"] == cost
    assert table_of_groups([By.MODEL], [group])[1][-2] == words
    assert ("cost", words) in table_of_total(group.sums)


def test_a_request_without_a_price_says_so() -> None:
    (_, shown) = table_of_requests([row(at("2026-03-01"), cost_nano_usd=None)], Calendar())

    assert "unknown" in shown
    assert document_of_request(row(at("2026-03-01"), cost_nano_usd=None))["cost_nano_usd"] is None


def test_names_from_clients_do_not_steer_a_terminal() -> None:
    evil = row(at("2026-03-01"), model="a\x1b[31m\nb", request_id="x", ending=Ending.FAILED)

    assert table_of_requests([evil], Calendar())[1][3] == "a?[31m?b"
    assert table_of_groups([By.MODEL], [Group(("a\x1bb",), Sums(1))])[1][0] == "a?b"
