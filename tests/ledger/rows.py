"""Rows for tests, and what a database has of them."""

from typing import Any

from sqlalchemy import select

from gemproxy.ledger.engine import Engines
from gemproxy.ledger.row import Ending, Row, Try
from gemproxy.ledger.tables import ATTEMPTS, ENDINGS, GENERATIONS, NAMES

NOW = 1_780_000_000.0
"""A Unix time."""

MOMENT = int(NOW * 1000)

TRY = Try("k1", 429, "quota", "", "", 12, 0, 0, 0, 0)
TRIES = (
    TRY,
    Try("k2", 200, "reset", "turns", "cut", 34, 5, 6, 7, 8, "p", "eof", 9, 10, 11, 12, 13, 14, 15),
)


def row(serial: int = 1, **more: Any) -> Row:
    """Return the row of a generation that has begun."""
    values = {"request_id": f"r{serial}", "started": MOMENT, "user": "ann", "model": "m"}
    return Row(serial, **{**values, **more})


def settled(serial: int = 1, **more: Any) -> Row:
    """Return the row of a generation that is over, with a value in each field."""
    numbers = dict(
        zip(
            (
                "attempts",
                "repairs",
                "characters",
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
                "seam_ms",
            ),
            range(2, 100),
            strict=False,
        )
    )
    words = {"route": "stream", "dialect": "gemini", "project": "p", "key": "k2"}
    end = {"ending": Ending.DONE, "status": 200, "estimated": True, "injected": True}
    return row(serial, **{**numbers, **words, **end, "tries": TRIES, **more})


async def stored(engines: Engines) -> list[Row]:
    """Return all rows as the database has them, by serial."""
    endings = {number: ending for ending, number in ENDINGS.items()}
    async with engines.snapshot() as connection:
        found = await connection.execute(select(NAMES.c.id, NAMES.c.name))
        names = dict(found.all())
        statement = select(ATTEMPTS).order_by(ATTEMPTS.c.serial, ATTEMPTS.c.number)
        attempts: dict[int, list[Try]] = {}
        for found_try in (await connection.execute(statement)).mappings():
            values = {name: found_try[name] for name in ATTEMPTS.c.keys() if name != "number"}  # noqa: SIM118
            serial = values.pop("serial")
            for name in ("key", "cause", "form", "joint", "project", "how"):
                values[name] = names[values[name]]
            attempts.setdefault(serial, []).append(Try(**values))
        rows = await connection.execute(select(GENERATIONS).order_by(GENERATIONS.c.serial))
        return [_row(dict(it), names, endings, attempts) for it in rows.mappings()]


def _row(
    values: dict[str, Any],
    names: dict[int, str],
    endings: dict[int, Ending],
    attempts: dict[int, list[Try]],
) -> Row:
    del values["process"], values["bucket"]
    for name in ("user", "model", "route", "dialect", "project", "key"):
        values[name] = names[values[name]]
    values["ending"] = endings.get(values["ending"])
    values |= {name: bool(values[name]) for name in ("estimated", "injected")}
    return Row(**values, tries=tuple(attempts.get(values["serial"], ())))
