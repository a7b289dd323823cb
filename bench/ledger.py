"""The ledger at five million rows in SQLite: its size, and how long its questions take.

    python bench/ledger.py [--rows 5000000] [--days 90] [--folder DIR]

Rows are invented: 40 users, 6 models, 8 projects, 12 keys, over 90 days, one in twenty with more
than one attempt. They are written straight into a new database and folded by the ledger's own
passes, all but the last hour and a half, as while a proxy runs. Then each question is asked in turn
with a look-up of one row by its number, through the same engine; what counts is the best time of
each as a multiple of that look-up's. Exits with 1 if a limit is missed: 30 look-ups, 1.5 GB for
five million rows.
"""

import argparse
import asyncio
import contextlib
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sqlalchemy import select

from gemproxy.accounts.calendar import Calendar
from gemproxy.ledger.buckets import bucket_of
from gemproxy.ledger.cleanup import Cleanup
from gemproxy.ledger.contents import contents_of
from gemproxy.ledger.engine import Engines, place_of
from gemproxy.ledger.naming import Only
from gemproxy.ledger.pieces import Span
from gemproxy.ledger.queries import By, Queries
from gemproxy.ledger.requests import Wanted
from gemproxy.ledger.rollup import Rollups
from gemproxy.ledger.row import Ending
from gemproxy.ledger.schema import prepare
from gemproxy.ledger.tables import ATTEMPTS, GENERATIONS

LIMIT_LOOKUPS = 30.0
LIMIT_BYTES_PER_ROW = 300
ROUNDS = 40
MOST_PARTS = 6
BEGIN = 1_780_000_000_000
DAY_MS = 86_400_000
AT_ONCE = 20_000

USERS = [f"user-{number:02}" for number in range(40)]
MODELS = [
    "gemini-2.5-flash",
    "gemini-2.5-pro",
    "gemini-2.5-flash-lite",
    "gemini-3-pro-preview",
    "gemini-3.5-flash",
    "gemini-embedding-001",
]
PROJECTS = [f"project-{number}" for number in range(8)]
KEYS = [f"{number:08x}" for number in range(0x1A2B3C4D, 0x1A2B3C4D + 12)]
OTHERS = ["stream", "generate", "gemini", "openai", "cut", "quota", "plain", "anchor"]
NAMES = [*USERS, *MODELS, *PROJECTS, *KEYS, *OTHERS]
NUMBER = {name: number for number, name in enumerate(NAMES, 1)}


def numbers(names: Sequence[str]) -> list[int]:
    """Return the numbers of names."""
    return [NUMBER[name] for name in names]


def invented(count: int, days: float, dice: random.Random) -> Iterator[tuple[object, ...]]:
    """Yield rows in the order of time, with as many values as the table has columns."""
    users = dice.choices(numbers(USERS), [1 / (1 + n) for n in range(40)], k=4096)
    models = dice.choices(numbers(MODELS), [40, 20, 15, 10, 10, 5], k=4096)
    projects, keys = numbers(PROJECTS), numbers(KEYS)
    routes, dialects = numbers(OTHERS[:2]), numbers(OTHERS[2:4])
    step = days * DAY_MS / count
    bits, chance = dice.getrandbits, dice.random
    for index in range(count):
        at = BEGIN + int((index + chance()) * step)
        picked = bits(36)
        key = (picked >> 27) % 12
        tokens, answer = 200 + bits(13), 50 + bits(10)
        thoughts = bits(11) if picked & 1 else 0
        attempts = 1 if chance() < 0.95 else 2 + (picked & 1)  # noqa: PLR2004 (one in twenty)
        spare = 0 if attempts == 1 else tokens
        wait = 200 + bits(11)
        yield (
            at << 22 | index & 0x3FFFFF,
            f"{at:012x}7{bits(76):019x}",
            at,
            users[picked & 4095],
            models[picked >> 12 & 4095],
            routes[picked & 1],
            dialects[picked >> 3 & 1],
            1,
            1 if chance() < 0.97 else 2,  # noqa: PLR2004 (three in a hundred fail)
            200,
            projects[key % 8],
            keys[key],
            attempts,
            attempts - 1,
            answer * 4,
            tokens,
            tokens // 2 if picked & 6 == 0 else 0,
            answer,
            thoughts,
            spare,
            0,
            tokens * 300 + (answer + thoughts) * 2500,
            spare * 300,
            0,
            wait,
            1000 + bits(14),
            0,
            0,
            1,
            bucket_of(wait),
        )


def attempts_of(row: tuple[object, ...]) -> Iterator[tuple[object, ...]]:
    """Yield the attempts of a row with more than one."""
    count = row[12]
    if not isinstance(count, int) or count < 2:  # noqa: PLR2004 (more than one)
        return
    cut, plain, anchor = NUMBER["cut"], NUMBER["plain"], NUMBER["anchor"]
    for number in range(1, count + 1):
        asked = (row[0], number, row[11], 200, cut, plain, anchor, 4000, 9000, row[15], 100, 0)
        yield (*asked, row[10], 0, 40, 300, 40, 0, 200, 4000 * (number - 1), 300)


def fill(file: Path, count: int, days: float) -> None:
    """Write the rows; the database has its tables and indexes."""
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA synchronous = OFF")
        database.executemany(
            "INSERT INTO names (id, name) VALUES (?, ?)", [(n, name) for name, n in NUMBER.items()]
        )
        places = ", ".join("?" * len(GENERATIONS.c))
        insert = f"INSERT INTO generations VALUES ({places})"
        places = ", ".join("?" * len(ATTEMPTS.c))
        insert_attempts = f"INSERT INTO attempts VALUES ({places})"
        batch: list[tuple[object, ...]] = []
        for row in invented(count, days, random.Random(1)):
            batch.append(row)
            if len(batch) == AT_ONCE:
                _write(database, batch, insert, insert_attempts)
        _write(database, batch, insert, insert_attempts)
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _write(
    database: sqlite3.Connection, batch: list[tuple[object, ...]], insert: str, attempts: str
) -> None:
    with database:
        database.executemany(insert, batch)
        database.executemany(attempts, [one for row in batch for one in attempts_of(row)])
    batch.clear()


async def fold(engines: Engines, now: float) -> list[float]:
    """Fold all that is over; return the seconds of each step."""
    rollups = Rollups(engines, Calendar())
    steps: list[float] = []
    while True:
        begun = time.perf_counter()
        more = await rollups.fold(now)
        steps.append(time.perf_counter() - begun)
        if not more:
            return steps


Question = Callable[[], Awaitable[object]]


async def timed(questions: dict[str, Question]) -> dict[str, float]:
    """Return the least seconds of each question; they are asked in turn."""
    times: dict[str, list[float]] = {name: [] for name in questions}
    for _ in range(ROUNDS):
        for name, ask in questions.items():
            begun = time.perf_counter()
            await ask()
            times[name].append(time.perf_counter() - begun)
    return {name: min(found) for name, found in times.items()}


def look_up(engines: Engines, serials: Sequence[int]) -> Question:
    """Return a question for one row by its number."""
    dice = random.Random(2)
    statement = select(GENERATIONS)

    async def ask() -> object:
        async with engines.reading() as connection:
            chosen = statement.where(GENERATIONS.c.serial == dice.choice(serials))
            return (await connection.execute(chosen)).one()

    return ask


def questions(engines: Engines, serials: Sequence[int], days: float) -> dict[str, Question]:
    """Return what is asked; the look-up comes first."""
    queries = Queries(engines, Calendar())
    span = Span(BEGIN, BEGIN + int(days * DAY_MS))
    abroad = {name: queries.by_clock(ZoneInfo(zone)) for name, zone in ABROAD.items()}
    user, deep = USERS[20], sorted(serials)[len(serials) // 2]
    today = Span(span.end // DAY_MS * DAY_MS, span.end)
    week = Span(span.end - 7 * DAY_MS, span.end)
    return {
        "look-up of a row": look_up(engines, serials),
        "usage by day": lambda: queries.usage([By.DAY], span),
        "usage by model": lambda: queries.usage([By.MODEL], span),
        "usage by access key": lambda: queries.usage([By.USER], span),
        "usage by project": lambda: queries.usage([By.PROJECT], span),
        "total": lambda: queries.total(span),
        "interruptions": lambda: queries.interruptions(span),
        "newest 50 of an access key": lambda: queries.requests(50, Wanted(Only(user))),
        "newest 50 of all": lambda: queries.requests(50),
        "one access key by day": lambda: queries.usage([By.DAY], span, Only(user)),
        "usage by key": lambda: queries.usage([By.KEY], span),
        "usage by day and model": lambda: queries.usage([By.DAY, By.MODEL], span),
        "by day, Berlin": lambda: abroad["Berlin"].usage([By.DAY], span),
        "by day, Kolkata (+5:30)": lambda: abroad["Kolkata"].usage([By.DAY], span),
        "by day, Kathmandu (+5:45)": lambda: abroad["Kathmandu"].usage([By.DAY], span),
        "by model, Kathmandu": lambda: abroad["Kathmandu"].usage([By.MODEL], span),
        "interruptions, Kathmandu": lambda: abroad["Kathmandu"].interruptions(span),
        "this day by hour": lambda: queries.usage([By.HOUR], today),
        "seven days by hour": lambda: queries.usage([By.HOUR], week),
        "50 deep in the list": lambda: queries.requests(50, Wanted(before=deep)),
        "50 that failed": lambda: queries.requests(50, Wanted(ending=Ending.FAILED)),
        "50 that were interrupted": lambda: queries.requests(50, Wanted(interrupted=True)),
        "50 of a model": lambda: queries.requests(50, Wanted(Only(model=MODELS[5]))),
        "50 of no model": lambda: queries.requests(50, Wanted(Only(model="none"))),
        "usage by hour": lambda: queries.usage([By.HOUR], span),
        "day and model, Kathmandu": lambda: abroad["Kathmandu"].usage([By.DAY, By.MODEL], span),
        "last use of 40 access keys": lambda: queries.last_starts(USERS),
        "rows that a cleanup deletes": lambda: Cleanup(engines).count(span.end / 1000, days / 2),
        "contents of the database": lambda: contents_of(engines),
        "what is committed this day": lambda: queries.committed(span.end // 1000 // 86400 * 86400),
    }


ABROAD = {"Berlin": "Europe/Berlin", "Kolkata": "Asia/Kolkata", "Kathmandu": "Asia/Kathmandu"}

LIMITED = (
    "usage by day",
    "usage by model",
    "usage by access key",
    "usage by project",
    "total",
    "interruptions",
    "newest 50 of an access key",
    "usage by key",
    "usage by day and model",
    "by day, Berlin",
    "by day, Kolkata (+5:30)",
    "by day, Kathmandu (+5:45)",
    "by model, Kathmandu",
    "interruptions, Kathmandu",
    "this day by hour",
    "seven days by hour",
    "50 deep in the list",
    "50 that failed",
    "50 that were interrupted",
    "last use of 40 access keys",
)


def sizes(file: Path) -> list[tuple[str, int]]:
    """Return the bytes of each table and index, where SQLite can tell, largest first."""
    with contextlib.closing(sqlite3.connect(file)) as database:
        try:
            found = database.execute(
                "SELECT name, SUM(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC"
            )
            return [(str(name), int(size)) for name, size in found]
        except sqlite3.OperationalError:
            return []


def columns(file: Path) -> list[tuple[str, float]]:
    """Return the mean bytes of each column of a row, from a sample of rows."""
    with contextlib.closing(sqlite3.connect(file)) as database:
        rows = database.execute("SELECT * FROM generations LIMIT 10000").fetchall()
    names = [column.name for column in GENERATIONS.c]
    means = [1 + statistics.mean(map(_bytes, values)) for values in zip(*rows, strict=True)]
    return list(zip(names, means, strict=True))


def _bytes(value: object) -> int:
    """Return the bytes of a value in SQLite's record format, without its type."""
    if isinstance(value, str):
        return len(value.encode())
    if not isinstance(value, int) or value in {0, 1}:
        return 0
    return next(size for size in (1, 2, 3, 4, 6, 8) if abs(value) < 1 << (8 * size - 1))


async def measure(folder: Path, count: int, days: float) -> int:
    """Do all of it; return the exit code."""
    place = place_of("", folder)
    engines = Engines.of(place)
    file = folder / "ledger.sqlite"
    try:
        await prepare(engines)
        begun = time.perf_counter()
        await asyncio.to_thread(fill, file, count, days)
        print(f"{count:,} rows written in {time.perf_counter() - begun:.0f} s")
        steps = await fold(engines, BEGIN / 1000 + days * 86_400 - 1800)
        print(
            f"folded in {sum(steps):.1f} s: {len(steps)} steps, median "
            f"{statistics.median(steps) * 1000:.0f} ms, longest {max(steps) * 1000:.0f} ms"
        )
        async with engines.reading() as connection:
            found = await connection.execute(select(GENERATIONS.c.serial).limit(100_000))
            serials = random.Random(3).sample(list(found.scalars()), min(count, 1000))
        best = await timed(questions(engines, serials, days))
    finally:
        await engines.close()
    return report(file, count, best)


def report(file: Path, count: int, best: dict[str, float]) -> int:
    """Print what was found; return 1 if a limit is missed."""
    one = best["look-up of a row"]
    missed = 0
    for name, seconds in best.items():
        over = name in LIMITED and seconds > LIMIT_LOOKUPS * one
        missed += over
        limit = f"  limit {LIMIT_LOOKUPS:g}{', MISSED' if over else ''}" if name in LIMITED else ""
        print(f"{name:28} {seconds * 1000:9.3f} ms  {seconds / one:8.1f} x{limit}")
    size = file.stat().st_size
    over = size > LIMIT_BYTES_PER_ROW * count
    print(f"file: {size / 1e9:.3f} GB, {size / count:.0f} bytes a row", "MISSED" if over else "")
    for name, part in sizes(file)[:MOST_PARTS]:
        print(f"  {name:40} {part / count:7.1f} bytes a row")
    if over:
        for name, mean in columns(file):
            print(f"    {name:38} {mean:7.1f} bytes")
    return 1 if missed or over else 0


def main() -> int:
    """Run it with the arguments of the process."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--days", type=float, default=90)
    parser.add_argument("--folder", type=Path, help="an empty folder, which is kept")
    arguments = parser.parse_args()
    if arguments.folder is not None:
        return asyncio.run(measure(arguments.folder, arguments.rows, arguments.days))
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(measure(Path(folder), arguments.rows, arguments.days))


if __name__ == "__main__":
    sys.exit(main())
