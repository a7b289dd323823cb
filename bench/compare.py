"""Compare gemproxy with other proxies, and print ratios.

    python bench/compare.py [--only S1b,S7] [--rounds 5] [--seconds 4] [--peers all]
                            [--before CHECKOUT] [--json FILE]

Each proxy runs alone, on a core of its own, between an upstream and clients in C that are faster
than any proxy; "direct" is the speed of these two without a proxy. Every round runs each scenario
with every proxy, one after the other and in rotating order, so a slow minute of the machine affects
all of them. bench/README.md explains the results.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    # In place of this folder, whose profile.py would hide the one of the standard library.
    sys.path[0] = str(ROOT)

import attrs

from bench.contenders import (
    BUILD,
    CONTENDERS,
    GEMPROXY,
    OTHERS,
    Contender,
    NoAnswer,
    Running,
    before,
    run,
)
from bench.figures import (
    DIRECT,
    Counted,
    Run,
    Table,
    figures,
    lines_of,
    scenario_report,
    span,
    with_added_latency,
)
from bench.goals import GOALS, goals_report
from bench.programs import LoadFailed, Programs, compile_programs
from bench.scenarios import SCENARIOS, Scenario
from bench.system import (
    cpu_seconds,
    memory,
    raise_descriptor_limit,
    share_out,
)

Entry = Contender | None
"""The contender of a run: a proxy, or None (direct)."""


@attrs.frozen
class Step:
    """A scenario and its contenders."""

    scenario: Scenario
    entries: tuple[Entry, ...]


@attrs.define
class _Edges:
    """Reads the processor time of a proxy at the edges of the measured window."""

    pid: int
    readings: list[float] = attrs.field(factory=list)

    def read(self, _: str) -> None:
        """Read the processor time."""
        self.readings.append(cpu_seconds(self.pid))

    @property
    def used(self) -> float:
        """Return the seconds between the two edges."""
        first, last = self.readings
        return last - first


def measure(
    entry: Entry, scenario: Scenario, programs: Programs, window_us: int
) -> dict[str, float]:
    """Run one scenario with one proxy; return the figures."""
    with programs.upstream(scenario, window_us) as upstream_port:
        if entry is None:
            report = programs.run_clients(scenario, window_us, port=upstream_port)
            return figures(scenario, report, Counted())
        with run(entry, upstream_port, programs.cores.proxy) as proxy:
            return _measure_proxy(entry, proxy, scenario, programs, window_us)


def _measure_proxy(
    contender: Contender, proxy: Running, scenario: Scenario, programs: Programs, window_us: int
) -> dict[str, float]:
    idle = memory(proxy.pid, "VmRSS")
    edges = _Edges(proxy.pid)
    report = programs.run_clients(
        scenario,
        window_us,
        port=proxy.port,
        prefix=contender.prefix,
        chat=contender.chat,
        headers=contender.headers,
        at_edge=edges.read,
    )
    counted = Counted(
        cpu_seconds=edges.used,
        idle_bytes=idle,
        peak_bytes=memory(proxy.pid, "VmHWM"),
        start_seconds=proxy.start_seconds,
    )
    return figures(scenario, report, counted)


def plan(names: Sequence[str], contenders: Sequence[Contender]) -> list[Step]:
    """Return the steps of a round; add scenarios of gemproxy that a goal compares with."""
    beside = {goal.beside for goal in GOALS if goal.scenario in names and goal.beside}
    steps = []
    for name, scenario in SCENARIOS.items():
        everybody: tuple[Entry, ...] = () if scenario.cut_at else (None,)
        everybody += tuple(one for one in contenders if one.can_run(scenario))
        if name in names:
            steps.append(Step(scenario, everybody))
        elif name in beside and GEMPROXY in contenders:
            steps.append(Step(scenario, (GEMPROXY,)))
    return steps


def fitting(steps: Sequence[Step], cores: Sequence[int]) -> list[Step]:
    """Return the steps for which there are cores, and print the omitted ones."""
    fits = []
    for step in steps:
        try:
            share_out(cores, step.scenario.cores)
        except ValueError as error:
            sys.stderr.write(f"{step.scenario.name} is left out: {error}\n")
        else:
            fits.append(step)
    return fits


def in_turn(entries: Sequence[Entry], turn: int) -> list[Entry]:
    """Return the entries in the order of round ``turn``: each is first in one round."""
    start = turn % len(entries) if entries else 0
    return [*entries[start:], *entries[:start]]


def rounds(
    steps: Sequence[Step], count: int, window_us: int, programs: Programs, cores: Sequence[int]
) -> Iterator[Run]:
    """Yield the runs of all rounds; drop a proxy that fails to answer from its scenario."""
    out: set[tuple[str, str]] = set()
    for turn in range(count):
        for step in steps:
            placed = attrs.evolve(programs, cores=share_out(cores, step.scenario.cores))
            for entry in in_turn(step.entries, turn):
                name = DIRECT if entry is None else entry.name
                if (step.scenario.name, name) in out:
                    continue
                _progress(f"round {turn + 1}/{count}  {step.scenario.name}  {name}")
                try:
                    found = measure(entry, step.scenario, placed, window_us)
                except NoAnswer as error:
                    out.add((step.scenario.name, name))
                    _progress(f"left out: {error}\n")
                else:
                    yield Run(step.scenario.name, name, turn, found)
    _progress("")


def _progress(text: str) -> None:
    """Print the progress; on a terminal in one line that is overwritten."""
    end = "\r" if sys.stderr.isatty() and not text.endswith("\n") else "\n"
    if text or end == "\r":
        sys.stderr.write(f"{text.rstrip():60}{end}")
        sys.stderr.flush()


def report(runs: Sequence[Run]) -> str:
    """Return the output for the end of the run."""
    table = Table(with_added_latency(runs))
    present = {run.scenario for run in runs}
    lines = [
        line
        for name, scenario in SCENARIOS.items()
        if name in present
        for line in scenario_report(table, scenario, GEMPROXY.name)
    ]
    return "\n".join([*lines, *_at_rest(table, sorted(present)), "", *goals_report(table)])


def _at_rest(table: Table, scenarios: Sequence[str]) -> list[str]:
    """Return the time of each proxy to its first answer, and its memory then."""
    rows = [["", "start to first answer ms", "idle MB"]]
    for scenario in scenarios[:1]:
        for name in table.contenders(scenario):
            start = table.figure("start_ms", (scenario, name))
            idle = table.figure("idle_mb", (scenario, name))
            if start and idle:
                rows.append([name, span(start), span(idle, 1)])
    return lines_of(rows) if len(rows) > 1 else []


def choose_contenders(wanted: str, checkout: Path | None = None) -> list[Contender]:
    """Return the contenders of ``--peers`` that are installed, with gemproxy.

    ``checkout`` holds another state of gemproxy, which is compared as "before".
    """
    everybody = (*CONTENDERS, *OTHERS)
    names = {"": CONTENDERS, "all": everybody}.get(wanted)
    chosen = names or [one for one in everybody if one.name in wanted.split(",")]
    found = []
    earlier = [before(checkout)] if checkout is not None else []
    for one in dict.fromkeys((*chosen, *earlier, GEMPROXY)):
        if one.missing():
            sys.stderr.write(f"{one.name} is left out: {one.missing()}\n")
        else:
            found.append(one)
    return found


def as_json(runs: Sequence[Run], options: argparse.Namespace) -> str:
    """Return the runs, and the facts about the machine, as JSON."""
    document = {
        "python": platform.python_version(),
        "kernel": platform.release(),
        "cores": os.cpu_count(),
        "rounds": options.rounds,
        "seconds": options.seconds,
        "runs": [attrs.asdict(run) for run in with_added_latency(runs)],
    }
    return json.dumps(document, indent=1)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default=",".join(SCENARIOS), help="scenarios, by comma")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--peers", default="", help="names by comma, or all")
    parser.add_argument("--before", type=Path, help="another checkout, to compare with")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    options = parser.parse_args(arguments)
    options.only = options.only.split(",")
    unknown = set(options.only) - SCENARIOS.keys()
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    return options


def main(arguments: Sequence[str]) -> int:
    """Measure and print; return the exit status."""
    options = _parse(arguments)
    raise_descriptor_limit()
    cores = sorted(os.sched_getaffinity(0))
    steps = fitting(plan(options.only, choose_contenders(options.peers, options.before)), cores)
    window_us = round(options.seconds * 1e6)
    try:
        programs = compile_programs(BUILD, share_out(cores, 1))
        runs = list(rounds(steps, options.rounds, window_us, programs, cores))
    except (LoadFailed, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    print(report(runs))
    if options.json:
        options.json.write_text(as_json(runs, options))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
