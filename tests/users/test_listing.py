"""Users in words and in JSON."""

from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest

from gemproxy.accounts.user import Kind, Limit, User
from gemproxy.ledger.users import Entry
from gemproxy.users.listing import document, may_use, state, table

NOW = 1_800_000_000.0
BERLIN = ZoneInfo("Europe/Berlin")
ANN = User(
    "abcdefghjkmn",
    "ann",
    (
        Limit(Kind.RPM, 1),
        Limit(Kind.RPM, 5, "gemini-x"),
        Limit(Kind.USD_PER_DAY, 1_500_000_001, shadow=True),
    ),
    ("gemini-x", "gemma-*"),
    NOW + 86_400,
)
ENTRY = Entry(ANN, b"hash", NOW - 0.5)


def test_limits_are_told_in_words() -> None:
    assert may_use(ANN, BERLIN) == (
        "1 request per minute; 5 requests per minute for gemini-x; $1.500000001 per day (shadow); "
        "only gemini-x, gemma-*; until 2027-01-16 09:00 CET"
    )
    assert may_use(User("x", "bob"), BERLIN) == "everything, without limits"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "good"),
        (
            {"old_hash": b"x", "old_until": NOW + 1},
            "good, and the old key until 2027-01-15 09:00 CET",
        ),
        ({"old_until": NOW}, "good"),
        ({"user": attrs.evolve(ANN, expires=NOW)}, "expired at 2027-01-15 09:00 CET"),
        ({"revoked": NOW}, "revoked at 2027-01-15 09:00 CET"),
    ],
)
def test_the_state_of_a_key_is_told(changes: dict[str, Any], words: str) -> None:
    entry = attrs.evolve(ENTRY, **changes)

    assert state(entry, NOW, BERLIN) == words
    assert table([entry], NOW, BERLIN)[1][:3] == ("abcdefghjkmn", "ann", words)


def test_programs_get_times_in_utc_and_exact_money() -> None:
    assert document(ENTRY) == {
        "id": "abcdefghjkmn",
        "name": "ann",
        "made": "2027-01-15T07:59:59.500Z",
        "expires": "2027-01-16T08:00:00Z",
        "revoked": None,
        "old_key_until": None,
        "models": ["gemini-x", "gemma-*"],
        "limits": [
            {"kind": "rpm", "model": "", "amount": 1, "shadow": False},
            {"kind": "rpm", "model": "gemini-x", "amount": 5, "shadow": False},
            {"kind": "usd_per_day", "model": "", "amount": "1.500000001", "shadow": True},
        ],
    }
