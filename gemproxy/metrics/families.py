"""The table of all metrics of our own: name, type, labels, help.

Names and units follow Prometheus: base units, ``_total`` behind counters. Every label has few
values: the vocabularies of the account and the ledger, models and keys that the operator's settings
or the price table know (``metrics.labels``), and HTTP statuses. No label holds a user, a prompt, a
path, or any other text that a client chose.

``Merge`` says how the samples of several workers become one. Counters and histograms are summed.
"""

import enum

import attrs


class Kind(enum.Enum):
    """The types of Prometheus that we use."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Merge(enum.Enum):
    """How the gauges of several workers become one."""

    SUM = "sum"
    MAX = "max"
    MIN = "min"


@attrs.frozen
class Family:
    """One metric. ``name`` has no ``_total``; ``bounds`` are the upper ends of buckets."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    bounds: tuple[float, ...] = ()
    merge: Merge = Merge.SUM

    @property
    def is_counter(self) -> bool:
        """Whether it only grows."""
        return self.kind is Kind.COUNTER

    @property
    def shown(self) -> str:
        """The name by which queries know it; that of a histogram without a suffix."""
        return f"{self.name}_total" if self.kind is Kind.COUNTER else self.name


WAITS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0)
"""Seconds of what a model needs: from a fast refusal to minutes of thinking."""
OURS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
"""Seconds of what the proxy itself needs."""


def _counter(name: str, help_: str, *labels: str, unit: str = "") -> Family:
    return Family(f"gemproxy_{name}", Kind.COUNTER, help_, labels, unit)


def _gauge(name: str, help_: str, *labels: str, unit: str = "", merge: Merge = Merge.SUM) -> Family:
    return Family(f"gemproxy_{name}", Kind.GAUGE, help_, labels, unit, merge=merge)


def _histogram(
    name: str, help_: str, *labels: str, bounds: tuple[float, ...], unit: str = "seconds"
) -> Family:
    return Family(f"gemproxy_{name}", Kind.HISTOGRAM, help_, labels, unit, bounds)


REQUESTS = _counter(
    "requests",
    "Requests that ended, by the status of the answer and by how they ended.",
    "route",
    "model",
    "code",
    "ending",
)
RESPONSE_BYTES = _counter(
    "response_bytes", "Bytes written to clients, heads included.", "route", unit="bytes"
)
REQUEST_SECONDS = _histogram(
    "request_duration_seconds",
    "Seconds from the head of a request to the end of its answer.",
    "route",
    "model",
    bounds=WAITS,
)
FIRST_CHUNK_SECONDS = _histogram(
    "time_to_first_chunk_seconds",
    "Seconds until the first content of a stream.",
    "model",
    bounds=WAITS,
)
OVERHEAD_SECONDS = _histogram(
    "overhead_seconds",
    "Seconds before the first attempt, the client's body included, and after the last one.",
    "phase",
    bounds=OURS,
)
ATTEMPTS = _counter(
    "upstream_attempts",
    "Requests to the upstream, by status or, without an answer, by the reason.",
    "model",
    "code",
    "key",
)
ATTEMPT_SECONDS = _histogram(
    "upstream_duration_seconds", "Seconds of a request to the upstream.", "model", bounds=WAITS
)
HEAD_SECONDS = _histogram(
    "upstream_time_to_head_seconds",
    "Seconds until the upstream's status and headers.",
    "model",
    bounds=WAITS,
)
INTERRUPTIONS = _counter(
    "stream_interruptions", "Attempts that had to be made again, by cause.", "model", "cause"
)
RESUMES = _counter(
    "stream_resumes",
    "Answers that were interrupted: ok (whole in the end), gave_up, or left by the client.",
    "result",
)
RESUME_ATTEMPTS = _histogram(
    "stream_resume_attempts",
    "Attempts of a stream beyond the first.",
    bounds=(0.0, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 50.0, 100.0),
    unit="",
)
REPAIR_DELAY = _histogram(
    "stream_repair_delay_seconds",
    "Seconds without content between an interruption and the text that joins there.",
    bounds=WAITS,
)
JOINTS = _counter(
    "splice_joints", "Resumed attempts that were joined, by how the joint was found.", "joint"
)
STREAMS_ENDED = _counter(
    "streams_ended",
    "Streamed generations that ended, by ending and by the finishReason that the client got.",
    "model",
    "ending",
    "finish_reason",
)
TOKENS = _counter(
    "tokens",
    "Tokens of answers: input (cached ones included), output and thoughts, without repairs.",
    "model",
    "kind",
)
CACHED_TOKENS = _counter("cached_tokens", "The part of input tokens from a cache.", "model")
EXTRA_TOKENS = _counter("extra_tokens", "Tokens that repairs cost beyond that.", "direction")
COST_USD = _counter(
    "cost_usd",
    "US dollars by the price table, of requests that the accounts count: what the user pays, and"
    " what repairs cost the operator.",
    "model",
    "payer",
    unit="usd",
)
SESSION_FRAMES = _counter("session_frames", "Messages of Live sessions.", "direction")
SESSION_BYTES = _counter("session_bytes", "Bytes of Live sessions.", "direction", unit="bytes")
RATE_LIMITED = _counter(
    "rate_limited",
    "Requests refused by limits of ours, by limit.",
    "scope",
)
AUTH_FAILURES = _counter(
    "auth_failures", "Requests refused for their access key, by reason.", "reason"
)
RECORDING_FAILURES = _counter(
    "recording_failures", "Requests that could not be counted in full, by a fault of ours."
)

BUILD_INFO = _gauge(
    "build_info",
    "1, with the version of the proxy and of Python.",
    "version",
    "python",
    merge=Merge.MAX,
)
INFLIGHT_REQUESTS = _gauge("inflight_requests", "Requests that run now.")
INFLIGHT_LIMIT = _gauge(
    "inflight_limit", "Requests that may run at the same time, in all workers (max_connections)."
)
INFLIGHT_STREAMS = _gauge("inflight_streams", "Answers for models that run now, sessions included.")
LOOP_LAG = _gauge(
    "event_loop_lag_seconds",
    "The longest delay of a timer of the event loop in the last 15 seconds, of the slowest worker.",
    unit="seconds",
    merge=Merge.MAX,
)
WORKERS = _gauge(
    "workers", "Workers, by whether they answered this scrape.", "state", merge=Merge.MAX
)
KEYS = _gauge(
    "keys",
    "Keys of the pool: ready, resting (its project rests for some model), sick or disabled.",
    "state",
    merge=Merge.MAX,
)
KEYS_SICK = _gauge(
    "keys_sick", "Sick keys that are not disabled, by reason.", "reason", merge=Merge.MAX
)
RESTS = _gauge(
    "rests", "Projects that rest for a model now, by reason.", "model", "reason", merge=Merge.MAX
)
COOLDOWNS = _counter(
    "key_cooldowns", "Rests and sicknesses that refusals began, by reason.", "reason"
)
QUEUE_DEPTH = _gauge("usage_queue_depth", "Rows that wait for the ledger.")
USAGE_FAILING = _gauge(
    "usage_failing_seconds",
    "Seconds since the ledger cannot be written; 0 while it can.",
    unit="seconds",
    merge=Merge.MAX,
)
USAGE_FAILURES = _counter("usage_write_failures", "Rows that will never be in the ledger.")
PICTURES_KEPT = _counter("pictures_kept", "Pictures that were put into the store.")
PICTURES = _gauge("pictures", "Pictures in the store in memory.")
PICTURE_BYTES = _gauge("picture_bytes", "Bytes of these pictures.", unit="bytes")
PICTURE_FAILURES = _counter("picture_failures", "Failures of the store of pictures.")
LEDGER_REQUESTS = _gauge(
    "ledger_requests",
    "Requests in the ledger this day and this month, by ending, or running.",
    "period",
    "ending",
    merge=Merge.MAX,
)
LEDGER_TOKENS = _gauge(
    "ledger_tokens",
    "Tokens in the ledger this day and this month.",
    "period",
    "kind",
    merge=Merge.MAX,
)
LEDGER_USD = _gauge(
    "ledger_cost_usd",
    "US dollars in the ledger this day and this month.",
    "period",
    "payer",
    unit="usd",
    merge=Merge.MAX,
)
CPU_SECONDS = Family(
    "process_cpu_seconds", Kind.COUNTER, "Processor time of all workers.", unit="seconds"
)
RESIDENT = Family(
    "process_resident_memory_bytes", Kind.GAUGE, "Memory of all workers.", unit="bytes"
)
VIRTUAL = Family(
    "process_virtual_memory_bytes", Kind.GAUGE, "Virtual memory of all workers.", unit="bytes"
)
OPEN_FDS = Family("process_open_fds", Kind.GAUGE, "Open file descriptors of all workers.")
MAX_FDS = Family(
    "process_max_fds", Kind.GAUGE, "Most file descriptors of one worker.", merge=Merge.MIN
)
STARTED = Family(
    "process_start_time_seconds",
    Kind.GAUGE,
    "Unix time of the start.",
    unit="seconds",
    merge=Merge.MIN,
)
GC_COLLECTIONS = Family(
    "python_gc_collections", Kind.COUNTER, "Runs of Python's collector.", ("generation",)
)
GC_OBJECTS = Family(
    "python_gc_objects_collected", Kind.COUNTER, "Objects that it freed.", ("generation",)
)

COUNTED: tuple[Family, ...] = (
    REQUESTS,
    RESPONSE_BYTES,
    REQUEST_SECONDS,
    FIRST_CHUNK_SECONDS,
    OVERHEAD_SECONDS,
    ATTEMPTS,
    ATTEMPT_SECONDS,
    HEAD_SECONDS,
    INTERRUPTIONS,
    RESUMES,
    RESUME_ATTEMPTS,
    REPAIR_DELAY,
    JOINTS,
    STREAMS_ENDED,
    TOKENS,
    CACHED_TOKENS,
    EXTRA_TOKENS,
    COST_USD,
    SESSION_FRAMES,
    SESSION_BYTES,
    RATE_LIMITED,
    AUTH_FAILURES,
    RECORDING_FAILURES,
)
"""What is counted while requests end."""

READ: tuple[Family, ...] = (
    BUILD_INFO,
    WORKERS,
    INFLIGHT_REQUESTS,
    INFLIGHT_STREAMS,
    INFLIGHT_LIMIT,
    LOOP_LAG,
    KEYS,
    KEYS_SICK,
    RESTS,
    COOLDOWNS,
    QUEUE_DEPTH,
    USAGE_FAILING,
    USAGE_FAILURES,
    PICTURES_KEPT,
    PICTURES,
    PICTURE_BYTES,
    PICTURE_FAILURES,
    LEDGER_REQUESTS,
    LEDGER_TOKENS,
    LEDGER_USD,
    CPU_SECONDS,
    RESIDENT,
    VIRTUAL,
    OPEN_FDS,
    MAX_FDS,
    STARTED,
    GC_COLLECTIONS,
    GC_OBJECTS,
)
"""What is read when somebody scrapes."""

FAMILIES: tuple[Family, ...] = (*COUNTED, *READ)
"""All metrics, in the order of the page."""
