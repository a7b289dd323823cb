"""The command in this process, on a database of the test's own."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from gemproxy.__main__ import main
from gemproxy.ledger.engine import Engines, Place
from gemproxy.ledger.row import Ending
from tests.ledger.book import MS, Book, at, row, zone


@attrs.frozen
class Outcome:
    """What a call of the command came to."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The JSON that it printed."""
        return json.loads(self.out)


Usage = Callable[..., Outcome]


@pytest.fixture
def usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Usage:
    """Run ``gemproxy usage`` with arguments, in an empty directory."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def run(*arguments: str) -> Outcome:
        code = main(["usage", *arguments])
        return Outcome(code, *capfd.readouterr())

    return run


async def ask(usage: Usage, place: Place, *arguments: str) -> Outcome:
    """Run the command on a database, beside what is open there."""
    file, server = place.file, place.url.render_as_string(hide_password=False)
    url = server if file is None else f"sqlite:///{file}"
    return await asyncio.to_thread(usage, "--ledger.database_url", url, *arguments)


async def test_sums_and_requests_are_those_of_the_ledger(
    engines: Engines, place: Place, usage: Usage
) -> None:
    book = Book(engines)
    rows = [
        row(at("2026-03-01T10:00"), user="ann", input_tokens=5, cost_nano_usd=7),
        row(at("2026-03-01T11:00"), user="bob", input_tokens=6, cost_nano_usd=8, attempts=3),
        row(at("2026-03-02T10:00"), user="ann", input_tokens=7, ending=Ending.FAILED),
    ]
    await book.put(*rows)
    await book.fold(at("2026-03-02") / MS)

    total = (await ask(usage, place, "--json")).document
    users = (await ask(usage, place, "--by", "user", "--json")).document
    hours = (await ask(usage, place, "--by", "hour", "--json")).document
    first = (await ask(usage, place, "--until", "2026-03-02", "--json")).document
    listed = (await ask(usage, place, "requests", "--last", "2", "--json")).document

    assert (total["requests"], total["input_tokens"], total["retries"]) == (3, 18, 2)
    assert [(one["user"], one["input_tokens"]) for one in users] == [("ann", 12), ("bob", 6)]
    assert [one["hour"] for one in hours] == [
        "2026-03-01T10:00:00+00:00",
        "2026-03-01T11:00:00+00:00",
        "2026-03-02T10:00:00+00:00",
    ]
    assert (first["requests"], first["cost_nano_usd"]) == (2, 15)
    assert [one["id"] for one in listed] == [rows[2].request_id, rows[1].request_id]


async def test_days_are_those_of_the_time_zone_of_the_settings(
    engines: Engines, place: Place, usage: Usage
) -> None:
    book = Book(engines, zone("Asia/Kolkata"))
    await book.put(row(at("2026-03-01T18:29:59")), row(at("2026-03-01T18:30")))
    flags = ("--accounts.timezone", "Asia/Kolkata", "--json")

    for _ in range(2):
        days = (await ask(usage, place, *flags, "--by", "day")).document
        since = (await ask(usage, place, *flags, "--since", "2026-03-02")).document
        assert [(one["day"], one["requests"]) for one in days] == [
            ("2026-03-01", 1),
            ("2026-03-02", 1),
        ]
        assert since["requests"] == 1
        await book.fold(at("2026-03-04") / MS)


async def test_people_get_tables(engines: Engines, place: Place, usage: Usage) -> None:
    await Book(engines).put(row(at("2026-03-01T10:00"), cost_nano_usd=460_002_000))

    by_model = await ask(usage, place, "--by", "model")
    total = await ask(usage, place)
    requests = await ask(usage, place, "requests")

    assert by_model.out.splitlines()[0].startswith("model     requests  failed")
    assert "$0.460002" in by_model.out
    assert "cost             $0.460002" in total.out
    assert requests.out.splitlines()[1].startswith("2026-03-01T10:00:00+00:00")


async def test_an_unwritten_database_is_an_empty_one(place: Place, usage: Usage) -> None:
    listed = await ask(usage, place, "requests", "--json")
    grouped = await ask(usage, place, "--by", "day", "--json")
    total = await ask(usage, place, "--json")
    words = await ask(usage, place)

    assert [listed.code, grouped.code, total.code, words.code] == [0] * 4
    assert (listed.document, grouped.document, total.document["requests"]) == ([], [], 0)
    assert words.out == "there are no requests\n"
    assert place.file is None or not place.file.exists()


def test_nothing_is_made_in_the_data_directory(usage: Usage, tmp_path: Path) -> None:
    assert usage("requests", "--json").document == []
    assert list((tmp_path / "here").iterdir()) == []


def test_the_data_directory_is_that_of_the_settings(
    usage: Usage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMPROXY_DATA_DIR", str(tmp_path / "there"))
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "ledger.sqlite").write_bytes(b"no database at all, but some text" * 99)

    outcome = usage("--json")

    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == "gemproxy usage: the ledger cannot be read: file is not a database\n"


async def test_a_database_that_does_not_answer_is_a_failure_without_its_password(
    usage: Usage,
) -> None:
    url = "postgresql://ann:geheim-canary@127.0.0.1:1/books"
    outcome = await asyncio.to_thread(usage, "--ledger.database_url", url, "--json")

    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("gemproxy usage: the ledger cannot be read: ")
    assert "geheim" not in outcome.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--by", "week"),
        ("--since", "soon"),
        ("--since", "2026-03-02", "--until", "2026-03-01"),
        ("requests", "--last", "x"),
        ("--ledger.database_url", "mysql://h/d"),
        ("--accounts.timezone", "Mars/Olympus"),
    ],
)
def test_wrong_command_lines_and_settings_are_2(usage: Usage, arguments: tuple[str, ...]) -> None:
    outcome = usage(*arguments)

    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("gemproxy")


def test_help_is_0(usage: Usage) -> None:
    outcome = usage("--help")

    assert outcome.code == 0
    assert "--since D" in outcome.out
