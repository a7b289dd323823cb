"""gemproxy's use of time under load: the functions with the most time of their own.

    python bench/profile.py [--scenario S1b] [--seconds 5] [--top 25] [--native]
                            [--pooled | --metered]

py-spy samples from outside (bench/setup installs it; it needs root or ptrace), with the loads of
compare.py. Without py-spy, cProfile measures from inside: it overstates calls of small functions,
and its figures include the start.
"""

import argparse
import collections
import contextlib
import os
import pstats
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    # In place of this folder, where this file would hide the module profile that cProfile imports.
    sys.path[0] = str(ROOT)

import attrs

from bench.contenders import BUILD, GEMPROXY, METERED, POOLED, Contender, run
from bench.figures import lines_of
from bench.programs import LoadFailed, Programs, compile_programs
from bench.scenarios import SCENARIOS, Scenario
from bench.system import raise_descriptor_limit, share_out

PY_SPY = BUILD / "peers/bin/py-spy"
SAMPLES = BUILD / "profile.txt"
STATISTICS = BUILD / "profile.pstats"
_RATE = 500  # samples per second
_WRITER = "QueueListener._monitor"  # the log's thread: py-spy counts its waiting as work
_LINE = re.compile(r":\d+\)$")
_BEFORE_PACKAGE = re.compile(
    rf"(?<=\()(?:.*site-packages/|.*/lib/python[\d.]+/|{re.escape(str(ROOT))}/)"
)


@attrs.frozen
class Share:
    """A function with its share of all time: its own, and including its calls."""

    function: str
    own: float
    total: float


def shares_of_stacks(lines: Iterable[str]) -> list[Share]:
    """Return the shares from py-spy's raw format: ``outer;inner;innermost count``."""
    own: collections.Counter[str] = collections.Counter()
    total: collections.Counter[str] = collections.Counter()
    for line in lines:
        stack, _, count = line.rstrip().rpartition(" ")
        frames = [short_name(_LINE.sub(")", frame)) for frame in stack.split(";")]
        if any(frame.startswith(_WRITER) for frame in frames):
            continue
        own[frames[-1]] += int(count)
        for frame in set(frames):
            total[frame] += int(count)
    return _shares(own, total, own.total())


def shares_of_calls(statistics: pstats.Stats) -> list[Share]:
    """Return the shares from cProfile's output."""
    own: collections.Counter[str] = collections.Counter()
    total: collections.Counter[str] = collections.Counter()
    # typeshed lacks the table of pstats
    table = statistics.stats  # type: ignore[attr-defined]
    for (file, _, function), (_, _, own_seconds, with_calls, _) in table.items():
        name = short_name(f"{function} ({file})")
        own[name] += own_seconds
        total[name] += with_calls
    return _shares(own, total, sum(own.values()))


def _shares(
    own: collections.Counter[str], total: collections.Counter[str], everything: float
) -> list[Share]:
    return [
        Share(name, value / everything, total[name] / everything)
        for name, value in own.most_common()
    ]


def short_name(frame: str) -> str:
    """Return ``function (file)`` with the file from its package on."""
    return _BEFORE_PACKAGE.sub("", frame)


def table_of(shares: Sequence[Share], top: int) -> list[str]:
    """Return the first ``top`` shares as lines."""
    rows = [["own %", "total %"]] + [
        [f"{share.own:.1%}", f"{share.total:.1%}"] for share in shares[:top]
    ]
    names = ["function", *(share.function for share in shares[:top])]
    return [f"{cells}  {name}" for cells, name in zip(lines_of(rows), names, strict=True)]


@contextlib.contextmanager
def _sampling(pid: int, seconds: int, *, native: bool) -> Iterator[None]:
    command = [str(PY_SPY), "record", "--pid", str(pid), "--duration", str(seconds)]
    command += ["--rate", str(_RATE), "--format", "raw", "--output", str(SAMPLES)]
    command += ["--native"] if native else []
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as sampler:
        yield
        _, said = sampler.communicate()
        if sampler.returncode:
            raise LoadFailed(f"py-spy failed:\n{said.decode()}")


def by_sampling(
    contender: Contender, scenario: Scenario, programs: Programs, seconds: int, *, native: bool
) -> list[Share]:
    """Return the shares that py-spy samples during the load."""
    window_us = (seconds + 1) * 1_000_000
    with (
        programs.upstream(scenario, window_us) as upstream_port,
        run(contender, upstream_port, programs.cores.proxy) as proxy,
        contextlib.ExitStack() as stack,
    ):

        def at_edge(edge: str) -> None:
            if edge == "begin":
                stack.enter_context(_sampling(proxy.pid, seconds, native=native))

        programs.run_clients(
            scenario, window_us, port=proxy.port, headers=contender.headers, at_edge=at_edge
        )
    return shares_of_stacks(SAMPLES.read_text().splitlines())


def by_counting(
    contender: Contender, scenario: Scenario, programs: Programs, seconds: int
) -> list[Share]:
    """Return the shares that cProfile counts inside the proxy."""
    counted = attrs.evolve(
        contender,
        command=lambda site: [
            *(sys.executable, "-m", "cProfile", "-o", str(STATISTICS)),
            *contender.command(site)[1:],
        ],
    )
    window_us = seconds * 1_000_000
    with (
        programs.upstream(scenario, window_us) as upstream_port,
        run(counted, upstream_port, programs.cores.proxy) as proxy,
    ):
        programs.run_clients(scenario, window_us, port=proxy.port, headers=contender.headers)
    return shares_of_calls(pstats.Stats(str(STATISTICS)))


def main(arguments: Sequence[str]) -> int:
    """Profile and print; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--scenario", default="S1b", choices=SCENARIOS)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--top", type=int, default=25)
    parser.add_argument("--native", action="store_true", help="show C functions too (py-spy)")
    with_pool = parser.add_mutually_exclusive_group()
    with_pool.add_argument("--pooled", action="store_true", help="with a pool of fifty keys")
    with_pool.add_argument("--metered", action="store_true", help="and with limits and a ledger")
    options = parser.parse_args(arguments)
    contender = METERED if options.metered else POOLED if options.pooled else GEMPROXY
    raise_descriptor_limit()
    scenario = SCENARIOS[options.scenario]
    try:
        cores = share_out(sorted(os.sched_getaffinity(0)), scenario.cores)
        programs = compile_programs(BUILD, cores)
        if PY_SPY.exists():
            shares = by_sampling(
                contender, scenario, programs, options.seconds, native=options.native
            )
        else:
            sys.stderr.write("py-spy is not installed (bench/setup): cProfile is used\n")
            shares = by_counting(contender, scenario, programs, options.seconds)
    except (LoadFailed, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    print("\n".join(table_of(shares, options.top)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
