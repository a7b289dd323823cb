"""Measure the seam on texts with a known right join.

    python -m bench.seams
    python -m bench.seams --only joins --joins 20000 --seed 7

The program prints a table for each measurement; README.md explains them. The same seed gives the
same figures for any number of processes. It takes some minutes on two cores.
"""

import argparse
import os
from collections.abc import Callable, Mapping

from bench.seams import beginnings, boundaries, joins, plain, retellings, spellings

Arguments = argparse.Namespace


def _joins(arguments: Arguments) -> list[str]:
    return joins.report(*joins.run(arguments.joins, arguments.seed, arguments.processes))


def _spellings(arguments: Arguments) -> list[str]:
    found = spellings.measure(arguments.variants, arguments.seed)
    return spellings.report(found, arguments.variants)


def _boundaries(arguments: Arguments) -> list[str]:
    return boundaries.report(boundaries.measure(arguments.seed))


def _beginnings(_: Arguments) -> list[str]:
    return beginnings.report()


def _plain(arguments: Arguments) -> list[str]:
    return plain.report(plain.measure(arguments.texts, arguments.seed))


def _retellings(arguments: Arguments) -> list[str]:
    large = retellings.measure(arguments.retellings, arguments.seed, retellings.LARGE)
    small = retellings.measure(arguments.retellings // 10, arguments.seed, retellings.SMALL)
    return retellings.report({**large, **small})


INSTRUMENTS: Mapping[str, Callable[[Arguments], list[str]]] = {
    "spellings": _spellings,
    "beginnings": _beginnings,
    "plain": _plain,
    "retellings": _retellings,
    "boundaries": _boundaries,
    "joins": _joins,
}


def main() -> None:
    """Run the measurements and print their tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.seams")
    parser.add_argument("--only", choices=INSTRUMENTS, action="append", help="run only this")
    parser.add_argument("--joins", type=int, default=100_000)
    parser.add_argument("--variants", type=int, default=40, help="of each spelling")
    parser.add_argument("--texts", type=int, default=1_000, help="with nothing to drop")
    parser.add_argument("--retellings", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    for name in arguments.only or INSTRUMENTS:
        print(*INSTRUMENTS[name](arguments), "", sep="\n", flush=True)


if __name__ == "__main__":
    main()
