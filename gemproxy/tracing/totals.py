"""The gen_ai metrics: summed up here, handed to the SDK's exporter as its own data.

An instrument of the SDK costs about as much for each figure as a whole attempt may (see
``bench/tracing.py``), and an attempt has up to a dozen. So the sums are kept here, one lookup and a
few additions for each attempt, and turned into ``MetricsData`` when they are due.

*Names.* ``new`` are those of semantic-conventions-genai v0.1.0, ``old`` those that dashboards had
before: one histogram of tokens by type. Buckets are the conventions' own. An attempt is one
operation. A failed one records its duration with ``error.type`` and, by the new names, 0 tokens of
the modality ``unknown``. Tokens are those that are billed: thoughts are output.
``time_per_output_chunk`` is not there, because nothing is measured for an event.

*Attributes* are bounded. A model that never answered is named while there is room for it; after
that it is ``other``, so invented names cannot fill a collector.
"""

import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

import attrs
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from gemproxy.core.answer.usage import Billed
from gemproxy.tracing.attempts import Attempt
from gemproxy.tracing.attributes import Conventions, shown
from gemproxy.tracing.operations import EMBED, FETCH

SECONDS = tuple(0.01 * 2**power for power in range(14))
TOKENS = tuple(4**power for power in range(14))
OTHER = "other"
_ROOM, _MOST = 100, 1000

Tags = tuple[tuple[str, str], ...]
"""Attributes besides those that all figures share."""

_INFERENCE = "gen_ai.client.inference"
_EMBEDDINGS = "gen_ai.client.embeddings"
_OLD = "gen_ai.client"
UNITS: Mapping[str, tuple[str, str]] = {
    f"{_INFERENCE}.duration": ("s", "Duration of an attempt."),
    f"{_INFERENCE}.time_to_first_chunk": ("s", "Time to the first bytes of a client's stream."),
    f"{_INFERENCE}.usage.input_tokens": ("{token}", "Input, cached tokens included."),
    f"{_INFERENCE}.usage.output_tokens": ("{token}", "Output, thoughts included."),
    f"{_INFERENCE}.usage.cache_read.input_tokens": ("{token}", "Input from a cache."),
    f"{_INFERENCE}.usage.reasoning.output_tokens": ("{token}", "Thoughts."),
    f"{_INFERENCE}.operation.input_tokens": ("{token}", "Input of an attempt."),
    f"{_INFERENCE}.operation.output_tokens": ("{token}", "Output of an attempt."),
    f"{_EMBEDDINGS}.duration": ("s", "Duration of an attempt to embed."),
    f"{_EMBEDDINGS}.operation.input_tokens": ("{token}", "Input of an attempt to embed."),
    f"{_OLD}.operation.duration": ("s", "Duration of an attempt."),
    f"{_OLD}.operation.time_to_first_chunk": ("s", "Time to the first bytes of a stream."),
    f"{_OLD}.token.usage": ("{token}", "Tokens of an attempt by type: input, output."),
}
"""Metric -> its unit, and its meaning."""


@attrs.define(eq=False)
class Spread:
    """A histogram; bounds belong to the bucket below them, as OpenTelemetry has it."""

    bounds: Sequence[float]
    counts: list[int] = attrs.field(init=False)
    count: int = 0
    sum: float = 0.0
    least: float = float("inf")
    most: float = float("-inf")

    def __attrs_post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def record(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.count += 1
        self.sum += value
        self.least = min(self.least, value)
        self.most = max(self.most, value)


@attrs.define(eq=False)
class Cell:
    """The figures of one operation, model and error."""

    seconds: Spread = attrs.field(factory=lambda: Spread(SECONDS))
    first: Spread = attrs.field(factory=lambda: Spread(SECONDS))
    input: Spread = attrs.field(factory=lambda: Spread(TOKENS))
    output: Spread = attrs.field(factory=lambda: Spread(TOKENS))
    used: Billed = attrs.field(factory=Billed)
    with_usage: int = 0


Key = tuple[str, str, str]
"""Operation, model, kind of error."""


@attrs.define(eq=False)
class Totals:
    """Counts attempts; ``base`` are the attributes that all figures share.

    ``observe`` is for one thread, ``take`` for another.
    """

    resource: Resource
    scope: InstrumentationScope
    base: Mapping[str, str | int]
    conventions: Conventions = "new"
    delta: bool = False
    _cells: dict[Key, Cell] = attrs.field(factory=dict)
    _models: set[str] = attrs.field(factory=set)
    _lock: threading.Lock = attrs.field(factory=threading.Lock)
    _since: int = attrs.field(factory=time.time_ns)

    def observe(self, attempt: Attempt) -> None:
        """Count an attempt that is an operation."""
        key = attempt.operation, self._name(attempt), attempt.error
        with self._lock:
            cell = self._cells.get(key)
            if cell is None:
                cell = self._cells[key] = Cell()
            cell.seconds.record(attempt.seconds)
            if attempt.is_stream and attempt.first_chunk is not None:
                cell.first.record(attempt.first_chunk)
            if attempt.operation == FETCH:
                return
            used = attempt.usage
            cell.input.record(0 if used is None else used.prompt)
            cell.output.record(0 if used is None else used.output + used.thoughts)
            if used is not None:
                cell.used += used
                cell.with_usage += 1

    def _name(self, attempt: Attempt) -> str:
        """Return the model as a figure names it."""
        model = attempt.model
        if model in self._models or not model:
            return model
        answered = attempt.entry.status is not None and not attempt.error
        model = shown(model)
        if len(self._models) >= (_MOST if answered else _ROOM):
            return OTHER
        self._models.add(model)
        return model

    def take(self) -> MetricsData | None:
        """Return the figures: of all time, or with ``delta`` those since the last call."""
        now = time.time_ns()
        with self._lock:
            if not self._cells:
                return None
            cells = self._cells if self.delta else _copied(self._cells)
            if self.delta:
                self._cells = {}
        since, self._since = self._since, (now if self.delta else self._since)
        points = _Points(self.base, since, now)
        for key, cell in cells.items():
            if self.conventions != "old":
                _by_new_names(points, key, cell)
            if self.conventions != "new":
                _by_old_names(points, key, cell)
        kind = AggregationTemporality.DELTA if self.delta else AggregationTemporality.CUMULATIVE
        metrics = list(points.metrics(kind))
        scoped = ScopeMetrics(self.scope, metrics, self.scope.schema_url or "")
        return MetricsData([ResourceMetrics(self.resource, [scoped], self.resource.schema_url)])


def _copied(cells: Mapping[Key, Cell]) -> dict[Key, Cell]:
    """Return a copy that stays as it is."""
    return {
        key: attrs.evolve(
            cell,
            seconds=_copy(cell.seconds),
            first=_copy(cell.first),
            input=_copy(cell.input),
            output=_copy(cell.output),
        )
        for key, cell in cells.items()
    }


def _copy(spread: Spread) -> Spread:
    made = attrs.evolve(spread)
    made.counts = list(spread.counts)
    return made


@attrs.define(eq=False)
class _Points:
    """Collects points by metric; points with the same attributes are one."""

    base: Mapping[str, str | int]
    since: int
    now: int
    sums: dict[tuple[str, Tags], int] = attrs.field(factory=dict)
    spreads: dict[tuple[str, Tags], Spread] = attrs.field(factory=dict)

    def add(self, name: str, tags: Tags, value: int) -> None:
        """Add to a counter."""
        self.sums[name, tags] = self.sums.get((name, tags), 0) + value

    def spread(self, name: str, tags: Tags, spread: Spread) -> None:
        """Add a histogram, unless it is empty."""
        if not spread.count:
            return
        found = self.spreads.get((name, tags))
        self.spreads[name, tags] = spread if found is None else _merged(found, spread)

    def metrics(self, kind: AggregationTemporality) -> Iterator[Metric]:
        """Yield the metrics, each with all its points."""
        numbers: dict[str, list[NumberDataPoint]] = {}
        for (name, tags), value in self.sums.items():
            point = NumberDataPoint({**self.base, **dict(tags)}, self.since, self.now, value)
            numbers.setdefault(name, []).append(point)
        for name, found in numbers.items():
            unit, meaning = UNITS[name]
            yield Metric(name, meaning, unit, Sum(found, kind, is_monotonic=True))
        shapes: dict[str, list[HistogramDataPoint]] = {}
        for (name, tags), spread in self.spreads.items():
            shapes.setdefault(name, []).append(self._shape(tags, spread))
        for name, drawn in shapes.items():
            unit, meaning = UNITS[name]
            yield Metric(name, meaning, unit, Histogram(drawn, kind))

    def _shape(self, tags: Tags, spread: Spread) -> HistogramDataPoint:
        return HistogramDataPoint(
            {**self.base, **dict(tags)},
            self.since,
            self.now,
            spread.count,
            spread.sum,
            spread.counts,
            spread.bounds,
            spread.least,
            spread.most,
        )


def _merged(one: Spread, other: Spread) -> Spread:
    made = Spread(
        one.bounds,
        one.count + other.count,
        one.sum + other.sum,
        min(one.least, other.least),
        max(one.most, other.most),
    )
    made.counts = [a + b for a, b in zip(one.counts, other.counts, strict=True)]
    return made


def _by_new_names(points: _Points, key: Key, cell: Cell) -> None:
    operation, model, error = key
    tags, failed = _tags(operation, model), _tags(operation, model, error)
    if operation == FETCH:
        return
    if operation == EMBED:
        points.spread(f"{_EMBEDDINGS}.duration", failed, cell.seconds)
        points.spread(f"{_EMBEDDINGS}.operation.input_tokens", failed, cell.input)
        return
    points.spread(f"{_INFERENCE}.duration", failed, cell.seconds)
    points.spread(f"{_INFERENCE}.time_to_first_chunk", tags, cell.first)
    points.spread(f"{_INFERENCE}.operation.input_tokens", failed, cell.input)
    points.spread(f"{_INFERENCE}.operation.output_tokens", failed, cell.output)
    for name, by_modality in _usage(cell).items():
        for modality, tokens in by_modality.items():
            of_modality = (*tags, ("gen_ai.token.modality", modality))
            points.add(f"{_INFERENCE}.usage.{name}", of_modality, tokens)


def _usage(cell: Cell) -> Mapping[str, Mapping[str, int]]:
    """Return the tokens by kind and modality; a kind without tokens has 0 of an unknown one."""
    used = cell.used
    asked = _parted(used.prompt, used.audio, used.images, used.video)
    said = _parted(
        used.output + used.thoughts, used.audio_output, used.image_output, used.video_output
    )
    nothing = {"unknown": 0}
    usage: dict[str, Mapping[str, int]] = {
        "input_tokens": asked or nothing,
        "output_tokens": said or nothing,
    }
    if used.cached:
        usage["cache_read.input_tokens"] = _parted(used.cached, used.cached_audio)
    if used.thoughts:
        usage["reasoning.output_tokens"] = {"text": used.thoughts}
    return usage


def _parted(whole: int, audio: int, images: int = 0, video: int = 0) -> dict[str, int]:
    parts = {
        "text": max(whole - audio - images - video, 0),
        "image": images,
        "audio": audio,
        "video": video,
    }
    return {modality: tokens for modality, tokens in parts.items() if tokens}


def _by_old_names(points: _Points, key: Key, cell: Cell) -> None:
    operation, model, error = key
    system = (("gen_ai.system", str(points.base["gen_ai.provider.name"])),)
    tags, failed = system + _tags(operation, model), system + _tags(operation, model, error)
    points.spread(f"{_OLD}.operation.duration", failed, cell.seconds)
    points.spread(f"{_OLD}.operation.time_to_first_chunk", tags, cell.first)
    if cell.with_usage:
        for kind, spread in (("input", cell.input), ("output", cell.output)):
            points.spread(f"{_OLD}.token.usage", (*tags, ("gen_ai.token.type", kind)), spread)


def _tags(operation: str, model: str, error: str = "") -> Tags:
    tags: Tags = (("gen_ai.operation.name", operation),)
    if model:
        tags = (*tags, ("gen_ai.request.model", model))
    return (*tags, ("error.type", error)) if error else tags
