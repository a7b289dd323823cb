"""The scenarios: their loads, and the figures that they measure.

S1   64 streams of 200 events at full speed, a write for each event
S1b  the same in writes of 64 KiB: the limit in bulk
S2   500 streams with an event every 20 ms: processor time per event
S2L  50 such streams: latency without saturation
S2W  twice the streams of S2 for two processes on two cores
S3   2,000 streams with an event every 200 ms: memory
S4   64 connections, unary answers of 2 KB
S5   one connection: time to the first event
S6   one connection: an event of 20 MB down
S6u  one connection: a request of 10 MB up
S7   S1b with every stream cut once in the middle: the cost of a resume
"""

import attrs

_MICROSECONDS = 1_000_000


@attrs.frozen(kw_only=True)
class Metric:
    """One figure: its key in the results, its name and unit, and the better direction."""

    key: str
    title: str
    more_is_better: bool = False
    decimals: int = 0


EVENTS = Metric(key="events_per_s", title="events/s", more_is_better=True)
CPU = Metric(key="cpu_us_per_event", title="CPU us/event", decimals=2)
P50 = Metric(key="added_p50_us", title="added p50 us")
P99 = Metric(key="added_p99_us", title="added p99 us")
DONE = Metric(key="good", title="streams done", more_is_better=True)
MEMORY = Metric(key="kb_per_stream", title="peak KB/stream", decimals=1)
REQUESTS = Metric(key="requests_per_s", title="requests/s", more_is_better=True)
WHOLE = Metric(key="whole_p99_us", title="p99 us")
FIRST = Metric(key="added_first_us", title="added to first event us")
DOWN = Metric(key="mb_per_s", title="MB/s", more_is_better=True)
GROWTH = Metric(key="growth_in_events", title="memory / event", decimals=2)


@attrs.frozen(kw_only=True)
class Scenario:
    """One load and its figures.

    ``pace_us`` is the time between two events of a stream, 0 for full speed; with a pace each
    connection has one stream, which lasts longer than the measurement. ``write_bytes`` is the size
    of the upstream's writes. ``events`` is 0 for unary answers. Cut streams need a proxy that
    repairs.
    """

    name: str
    title: str
    connections: int
    metrics: tuple[Metric, ...]
    events: int = 200
    write_bytes: int = 0
    pace_us: int = 0
    ramp_us: int = 0
    big_bytes: int = 0
    body_bytes: int = 0
    cut_at: int = 0
    cores: int = 1

    @property
    def target(self) -> str:
        """The request's target at Gemini."""
        method = "streamGenerateContent?alt=sse" if self.events else "generateContent"
        return f"/v1beta/models/bench:{method}"

    def warm_up_us(self) -> int:
        """Return the seconds before the measurement, until all streams flow and code is warm."""
        return self.ramp_us + _MICROSECONDS // 2

    def events_of_stream(self, window_us: int) -> int:
        """Return the number of a stream's events; paced streams must last until the end."""
        if not self.pace_us:
            return self.events
        return (self.warm_up_us() + window_us) // self.pace_us + 1


# The ramps are not multiples of the pace, so the events of the streams are spread evenly.
SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            name="S1",
            title="64 streams of 200 events, a write for each",
            connections=64,
            metrics=(EVENTS, CPU),
        ),
        Scenario(
            name="S1b",
            title="64 streams of 200 events, writes of 64 KiB",
            connections=64,
            write_bytes=1 << 16,
            metrics=(EVENTS, CPU),
        ),
        Scenario(
            name="S2L",
            title="50 streams, an event every 20 ms",
            connections=50,
            pace_us=20_000,
            ramp_us=470_000,
            metrics=(P50, P99, CPU),
        ),
        Scenario(
            name="S2",
            title="500 streams, an event every 20 ms",
            connections=500,
            pace_us=20_000,
            ramp_us=970_000,
            metrics=(CPU, P50, P99, DONE),
        ),
        Scenario(
            name="S2W",
            title="1,000 streams, an event every 20 ms, two processes on two cores",
            connections=1000,
            pace_us=20_000,
            ramp_us=1_970_000,
            cores=2,
            metrics=(CPU, P50, P99, DONE),
        ),
        Scenario(
            name="S3",
            title="2,000 streams, an event every 200 ms",
            connections=2000,
            pace_us=200_000,
            ramp_us=2_970_000,
            metrics=(MEMORY, DONE, CPU),
        ),
        Scenario(
            name="S4",
            title="64 connections, unary answers of 2 KB",
            connections=64,
            events=0,
            metrics=(REQUESTS, WHOLE),
        ),
        Scenario(
            name="S5",
            title="one connection, time to the first event",
            connections=1,
            events=10,
            metrics=(FIRST,),
        ),
        Scenario(
            name="S6",
            title="one connection, an event of 20 MB down",
            connections=1,
            events=2,
            big_bytes=20_000_000,
            metrics=(DOWN, GROWTH),
        ),
        Scenario(
            name="S6u",
            title="one connection, a request of 10 MB up",
            connections=1,
            events=1,
            body_bytes=10_000_000,
            metrics=(REQUESTS,),
        ),
        Scenario(
            name="S7",
            title="S1b with one resume in every stream",
            connections=64,
            write_bytes=1 << 16,
            cut_at=100,
            metrics=(EVENTS, CPU),
        ),
    )
}
