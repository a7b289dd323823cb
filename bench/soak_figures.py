"""The results of a soak: samples of the proxy, slopes through them, the counts of the clients.

This module only computes; it runs nothing.
"""

import collections
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Self

import attrs

HOUR = 3600.0
MIB = float(1 << 20)
FIGURES = {"rss": ("RSS", MIB, "MiB"), "fds": ("descriptors", 1.0, ""), "tasks": ("tasks", 1.0, "")}
"""Field of a sample -> its name, the size of its unit, and the unit."""


@attrs.frozen(kw_only=True)
class Sample:
    """The proxy at one moment: ``at`` seconds after its start; ``rss`` and ``log`` are bytes."""

    at: float
    rss: int
    fds: int
    tasks: int
    in_flight: int
    log: int = 0

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """Return the sample in a line of the proxy's report."""
        return cls(**{field.name: document[field.name] for field in attrs.fields(cls)})


@attrs.frozen
class Slope:
    """A straight line through samples: growth per hour, and its standard error."""

    per_hour: float
    error: float


def slope(points: Sequence[tuple[float, float]]) -> Slope:
    """Return the least-squares line through (seconds, value); NaN for fewer than three points.

    The error assumes independent samples, so it is too small for a slow sawtooth.
    """
    if len(points) < 3:  # noqa: PLR2004 (two points are always on a line)
        return Slope(math.nan, math.nan)
    times, values = zip(*points, strict=True)
    middle = statistics.fmean(times)
    spread = sum((time - middle) ** 2 for time in times)
    line = statistics.linear_regression(times, values)
    rest = sum((v - line.intercept - line.slope * t) ** 2 for t, v in points)
    error = math.sqrt(rest / (len(points) - 2) / spread)
    return Slope(line.slope * HOUR, error * HOUR)


def after_start_up(samples: Sequence[Sample], share: float) -> list[Sample]:
    """Return the samples after the first ``share`` of the time, when caches and pools fill."""
    if not samples:
        return []
    first, last = samples[0].at, samples[-1].at
    return [sample for sample in samples if sample.at >= first + share * (last - first)]


@attrs.define
class Totals:
    """The answers of the clients.

    ``wrong`` describes forbidden answers: a text that is not the upstream's or a beginning of it,
    or a clean end without a finishReason. ``errors`` are honest.
    """

    begun: collections.Counter[str] = attrs.field(factory=collections.Counter)
    exact: collections.Counter[str] = attrs.field(factory=collections.Counter)
    left: int = 0
    errors: collections.Counter[str] = attrs.field(factory=collections.Counter)
    wrong: list[str] = attrs.field(factory=list)


@attrs.frozen(kw_only=True)
class Soak:
    """A finished soak; ``counts`` are the proxy's: requests, attempts, causes, failures."""

    samples: Sequence[Sample]
    before: Sample
    after: Sample
    totals: Totals
    counts: Mapping[str, Any]
    violations: Sequence[str]
    start_up: float

    @property
    def faults(self) -> list[str]:
        """The faults; a soak with any of them has failed."""
        found = [f"WRONG: {wrong}" for wrong in self.totals.wrong]
        found += [f"the upstream saw: {violation}" for violation in self.violations]
        if failures := self.counts.get("failures", 0):
            found.append(f"{failures} errors that the proxy did not expect; see its log")
        for name in ("fds", "tasks"):
            was, now = getattr(self.before, name), getattr(self.after, name)
            if now > was:
                found.append(f"at rest again it has {now} {FIGURES[name][0]}, before {was}")
        return found


def report(soak: Soak) -> str:
    """Return the figures of a soak for people."""
    steady = after_start_up(soak.samples, soak.start_up)
    minutes = (steady[-1].at - steady[0].at) / 60 if steady else 0.0
    left_out = f"the first {soak.start_up:.0%} of the time left out"
    lines = [f"Slopes over {minutes:.1f} minutes ({len(steady)} samples; {left_out})"]
    lines += [_line(name, steady) for name in FIGURES]
    lines += ["", "At rest, before and after"]
    lines += [_pair(name, soak.before, soak.after) for name in FIGURES]
    lines += ["", "Clients", *_clients(soak.totals), "", "Proxy", *_proxy(soak)]
    lines += ["", *(soak.faults or ["Nothing is wrong."])]
    return "\n".join(lines)


def _line(name: str, samples: Sequence[Sample]) -> str:
    title, unit, sign = FIGURES[name]
    values = [getattr(sample, name) / unit for sample in samples]
    line = slope([(s.at, value) for s, value in zip(samples, values, strict=True)])
    span = f"{min(values):.1f} .. {max(values):.1f}" if values else "none"
    return f"  {title:<12} {line.per_hour:+9.3f} {sign}/h  ± {line.error:.3f}   ({span})"


def _pair(name: str, before: Sample, after: Sample) -> str:
    title, unit, sign = FIGURES[name]
    was, now = getattr(before, name) / unit, getattr(after, name) / unit
    return f"  {title:<12} {was:.1f} -> {now:.1f} {sign}".rstrip()


def _clients(totals: Totals) -> list[str]:
    lines = [
        f"  {kind:<12} {count:>8}, exact {totals.exact[kind]}"
        for kind, count in sorted(totals.begun.items())
    ]
    lines.append(f"  {'left early':<12} {totals.left:>8}")
    lines += [f"  {kind:<12} {count:>8}" for kind, count in sorted(totals.errors.items())]
    return [*lines, f"  {'wrong':<12} {len(totals.wrong):>8}"]


def _proxy(soak: Soak) -> list[str]:
    counts = soak.counts
    causes = ", ".join(f"{cause} {n}" for cause, n in sorted(counts.get("causes", {}).items()))
    busiest = max((sample.in_flight for sample in soak.samples), default=0)
    log = max((sample.log for sample in soak.samples), default=0) / MIB
    return [
        f"  requests     {counts.get('requests', 0):>8}",
        f"  repairs      {counts.get('repairs', 0):>8}   ({causes or 'none'})",
        f"  in flight    {busiest:>8} at most",
        f"  log          {log:>8.1f} MiB at most",
    ]
