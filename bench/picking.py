"""How much longer a pool of 5,000 keys takes to pick one than a pool of 5.

    python bench/picking.py

The program prints how long a start with 5,000 keys takes: making the keys, taking in a rest, a
count and a home for each, and the first pick. Then it prints the processor time of a pick with its
outcome in both pools, and their ratio, which is the median of rounds that measure both in turn. The
exit status is 1 if the start takes a second or a ratio exceeds 1.5.
"""

import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gemproxy.pool.key import Key, Limits, Project
from gemproxy.pool.pacific import day_of
from gemproxy.pool.pool import Nobody, Outcome, Pool, Wish
from gemproxy.pool.state import Change, Home, Rest, Spent, Why

FEW, MANY = 5, 5_000
ROUNDS, PICKS = 15, 2_000
LONGEST_START, LARGEST_RATIO = 1.0, 1.5
NOW = 1_795_900_000.0
MODEL, LIMITED = "gemini-3.5-flash", "gemini-2.5-pro"
LIMITS = {LIMITED: Limits(rpm=1_000_000, tpm=1_000_000_000, rpd=100_000_000)}
OK = Outcome(200, tokens=20)


def projects(count: int) -> list[Project]:
    """Return that many projects with a key each."""
    names = (f"project-{number}" for number in range(count))
    return [Project(name, (Key(f"AQ.secret-{name}", name),)) for name in names]


def learnt(count: int) -> Iterator[Change]:
    """Yield what a store brings at the start: a tenth of the projects rests."""
    for number in range(count):
        name = f"project-{number}"
        if number % 10 == 0:
            yield Rest(name, "another", NOW + 3600, Why.DAY, NOW - 1)
        yield Spent(name, MODEL, day_of(NOW).name, number % 7)
        yield Home(b"conversation %d" % number, name, NOW - 1)


def started(count: int, strategy: str) -> Pool:
    """Return a pool that has picked once."""
    pool = Pool(projects(count), strategy, LIMITS)
    pool.apply(learnt(count), NOW)
    pool.pick(Wish(MODEL), NOW)
    return pool


def plain(number: int) -> Wish:
    """Return an attempt that is no conversation."""
    del number
    return Wish(MODEL, tokens=20)


def limited(number: int) -> Wish:
    """Return an attempt with a model whose limits are known."""
    del number
    return Wish(LIMITED, tokens=20)


def conversation(number: int) -> Wish:
    """Return an attempt of one of a hundred conversations."""
    return Wish(MODEL, opening=(b"conversation %d" % (number % 100), b"answer %d" % (number % 100)))


def creation(number: int) -> Wish:
    """Return an attempt that creates a name for one of a hundred callers."""
    return Wish(MODEL, caller=f"access-{number % 100}")


WISHES: Mapping[str, Callable[[int], Wish]] = {
    "plain": plain,
    "limited": limited,
    "conversation": conversation,
    "creation": creation,
}


def timed(pool: Pool, wish: Callable[[int], Wish], times: Iterator[float]) -> float:
    """Return the microseconds of one pick with its outcome."""
    wishes = list(map(wish, range(PICKS)))
    began = time.thread_time()
    for wished, now in zip(wishes, times, strict=False):
        pick = pool.pick(wished, now)
        if isinstance(pick, Nobody):
            raise TypeError(f"nobody can serve {wished}")
        pool.answered(pick, now)
        pool.over(pick, OK, now)
    took = time.thread_time() - began
    pool.changes()
    return took / PICKS * 1e6


def main() -> int:
    """Measure and print; return the exit status."""
    began = time.perf_counter()
    started(MANY, "least_used")
    start = time.perf_counter() - began
    print(f"start with {MANY:,} keys: {start:.3f} s\n")
    print(f"{'strategy':>12} {'wish':>13} {FEW:>9} {MANY:>9,}  ratio")
    worst = 0.0
    for strategy in ("least_used", "round_robin", "weighted"):
        few, many = started(FEW, strategy), started(MANY, strategy)
        for name, wish in WISHES.items():
            times = itertools.count(NOW, 0.001)
            timed(few, wish, times)
            timed(many, wish, times)
            rounds = [(timed(few, wish, times), timed(many, wish, times)) for _ in range(ROUNDS)]
            small, large = map(statistics.median, zip(*rounds, strict=True))
            ratio = statistics.median(more / less for less, more in rounds)
            worst = max(worst, ratio)
            print(f"{strategy:>12} {name:>13} {small:>8.2f}u {large:>8.2f}u  {ratio:.2f}")
    return int(start >= LONGEST_START or worst > LARGEST_RATIO)


if __name__ == "__main__":
    sys.exit(main())
