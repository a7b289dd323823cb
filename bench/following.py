"""Streams with an Idempotency-Key beside streams without one, and a crowd beside a few followers.

    python bench/following.py [--rounds 3] [--seconds 4]

Each round measures, one after the other:

- S1b without keys and with a key for each request: events a second;
- S2 without keys and with a key for each request: processor time for each event;
- one stream with an event every 2 ms, followed by 10 and by 100 clients: processor time.

It prints the ratios within the rounds, the median and in parentheses the smallest and the largest,
beside their bounds. Programs and machine are those of ``compare.py``.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    # In place of this folder, whose profile.py would hide the one of the standard library.
    sys.path[0] = str(ROOT)

import attrs

from bench.compare import measure
from bench.contenders import BUILD, GEMPROXY, KEYED, Contender
from bench.programs import Programs, compile_programs
from bench.scenarios import CPU, EVENTS, SCENARIOS, Scenario
from bench.system import raise_descriptor_limit, share_out

FOLLOWERS = (10, 100)
ONE_STREAM = attrs.evolve(KEYED, name="followed", headers=("Idempotency-Key: the-only-one",))
"""All clients have one key, so they follow one stream."""


@attrs.frozen
class Comparison:
    """A ratio of two measurements, and the bound that it has."""

    title: str
    above: tuple[Contender, Scenario]
    below: tuple[Contender, Scenario]
    figure: str
    bound: float
    at_least: bool

    def verdict(self, ratio: float) -> str:
        """Return whether a ratio is within the bound."""
        return "met" if (ratio >= self.bound) is self.at_least or ratio == self.bound else "MISSED"


def crowd(clients: int) -> Scenario:
    """Return the load of one stream that so many clients follow."""
    return Scenario(
        name=f"S8 {clients}",
        title=f"one stream with an event every 2 ms, {clients} followers",
        connections=clients,
        pace_us=2_000,
        ramp_us=100_000,
        metrics=(CPU,),
    )


def comparisons() -> Sequence[Comparison]:
    """Return what is compared."""
    bulk, paced = SCENARIOS["S1b"], SCENARIOS["S2"]
    few, many = map(crowd, FOLLOWERS)
    return (
        Comparison(
            "S1b events/s, keyed : unkeyed",
            (KEYED, bulk),
            (GEMPROXY, bulk),
            EVENTS.key,
            0.85,
            at_least=True,
        ),
        Comparison(
            "S2 CPU/event, keyed : unkeyed",
            (KEYED, paced),
            (GEMPROXY, paced),
            CPU.key,
            1.15,
            at_least=False,
        ),
        Comparison(
            "CPU, 100 followers : 10",
            (ONE_STREAM, many),
            (ONE_STREAM, few),
            "cpu_seconds",
            3.0,
            at_least=False,
        ),
    )


def ratio(one: Comparison, programs: Programs, window_us: int) -> float:
    """Measure both sides of a comparison; return their ratio."""
    above, below = (
        _figure(one.figure, measure(contender, scenario, programs, window_us))
        for contender, scenario in (one.above, one.below)
    )
    return above / below if below else float("inf")


def _figure(key: str, figures: dict[str, float]) -> float:
    """Return a figure; the processor time of all is that of an event times their number."""
    if key == "cpu_seconds":
        return figures[CPU.key] * figures[EVENTS.key]
    return figures[key]


def main(arguments: Sequence[str]) -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    options = parser.parse_args(arguments)
    raise_descriptor_limit()
    programs = compile_programs(BUILD, share_out(sorted(os.sched_getaffinity(0)), 1))
    window_us = int(options.seconds * 1_000_000)
    found = {one: list[float]() for one in comparisons()}
    for _ in range(options.rounds):
        for one, ratios in found.items():
            ratios.append(ratio(one, programs, window_us))
    for one, ratios in found.items():
        middle = median(ratios)
        span = f"{middle:.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        word = "at least" if one.at_least else "at most"
        print(f"{one.title:32} {span:24} {word} {one.bound}: {one.verdict(middle)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
