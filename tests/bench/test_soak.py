"""What a soak says: slopes, totals, and when it has failed."""

import json
import random
from pathlib import Path

import attrs
import pytest

from bench import soak
from bench.soak import Watched
from bench.soak_clients import Wrong, check_beginning, check_beginning_of_array, check_whole, events
from bench.soak_figures import MIB, Sample, Soak, Totals, after_start_up, report, slope
from bench.soak_upstream import ANSWERS, MODELS_OF_EACH, scripts, stream_faults, unary_faults
from gemproxy.chaos.faults import parse_fault
from tests.gemini import chunk, sse

TOLD = "One, two, three."
WHOLE = sse(chunk("One, two,"), chunk(" three.", finish="STOP"))
ERROR = b'data: {"error": {"code": 503}}\r\n\r\n'
REST = Sample(at=0.0, rss=50 << 20, fds=16, tasks=1, in_flight=0)


def growing(hours: float, count: int = 100) -> list[Sample]:
    """Return samples of a proxy that gains 36 MiB and 9 tasks in an hour."""
    times = [hours * 3600 * number / (count - 1) for number in range(count)]
    return [
        Sample(at=t, rss=round(t * MIB / 100), fds=40, tasks=round(t / 400), in_flight=3)
        for t in times
    ]


def done(**how: object) -> Soak:
    """Return a soak that went well, but for what is named."""
    told = {
        "samples": growing(1.0),
        "before": REST,
        "after": REST,
        "totals": Totals(),
        "counts": {"requests": 7, "repairs": 5, "failures": 0, "causes": {"drop": 5}},
        "violations": [],
        "start_up": 0.2,
    }
    return Soak(**{**told, **how})  # type: ignore[arg-type]


def test_a_slope_is_the_growth_in_an_hour() -> None:
    line = slope([(0.0, 5.0), (1800.0, 6.0), (3600.0, 7.0)])

    assert line.per_hour == pytest.approx(2.0)
    assert line.error == pytest.approx(0.0)


def test_noise_makes_the_error_of_a_slope() -> None:
    rng = random.Random(1)
    noisy = [(float(at), at / 3600 + rng.gauss(0, 1)) for at in range(0, 36_000, 60)]

    line = slope(noisy)

    assert 0.005 < line.error < 0.05
    assert abs(line.per_hour - 1.0) < 4 * line.error


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_samples_have_no_slope(count: int) -> None:
    line = slope([(float(number), 1.0) for number in range(count)])

    assert str(line.per_hour) == str(line.error) == "nan"


def test_the_start_up_is_left_out() -> None:
    samples = growing(1.0, count=101)

    assert after_start_up(samples, 0.2) == samples[20:]
    assert after_start_up([], 0.2) == []


def test_the_report_names_slopes_rests_and_counts() -> None:
    totals = Totals(left=2)
    totals.begun["stream"], totals.exact["stream"] = 9, 7
    totals.errors["stream: status 503"] = 1

    lines = report(done(totals=totals)).splitlines()

    assert lines[0].startswith("Slopes over 47.9 minutes (80 samples; the first 20%")
    assert any("RSS" in line and "+36.0" in line for line in lines)
    assert any("tasks" in line and "+9.0" in line for line in lines)
    assert "  RSS          50.0 -> 50.0 MiB" in lines
    assert "  stream              9, exact 7" in lines
    assert "  stream: status 503        1" in lines
    assert any("(drop 5)" in line for line in lines)
    assert lines[-1] == "Nothing is wrong."


WRONGS: dict[str, tuple[dict[str, object], str]] = {
    "a wrong answer": ({"totals": Totals(wrong=["client-1: other text"])}, "WRONG: client-1"),
    "a violation": ({"violations": ["no beginning"]}, "the upstream saw: no beginning"),
    "an error of the proxy": ({"counts": {"failures": 3}}, "3 errors that the proxy did not"),
    "descriptors left": ({"after": attrs.evolve(REST, fds=19)}, "it has 19 descriptors, before 16"),
    "tasks left": ({"after": attrs.evolve(REST, tasks=2)}, "it has 2 tasks, before 1"),
}


@pytest.mark.parametrize("name", WRONGS)
def test_what_must_not_be_fails_a_soak_and_is_said(name: str) -> None:
    how, said = WRONGS[name]
    failed = done(**how)

    (fault,) = failed.faults
    assert said in fault
    assert report(failed).endswith(fault)


def test_honest_errors_and_growth_of_memory_alone_fail_no_soak() -> None:
    totals = Totals(left=4)
    totals.errors["file: status 502"] = 2

    assert done(totals=totals, after=attrs.evolve(REST, rss=90 << 20)).faults == []


def test_the_check_of_a_whole_answer_raises_nothing() -> None:
    check_whole(events(WHOLE), TOLD)


BAD = {
    "text twice": sse(chunk("One, two,"), chunk(" two, three.", finish="STOP")),
    "text lost": sse(chunk("One, two,"), chunk(" three", finish="STOP")),
    "no reason": sse(chunk("One, two,"), chunk(" three.")),
    "two reasons": sse(chunk("One, two,", finish="STOP"), chunk(" three.", finish="STOP")),
    "half an event": WHOLE[:-9],
    "no JSON": b"data: {broken\r\n\r\n",
}


@pytest.mark.parametrize("name", BAD)
def test_anything_else_that_ends_cleanly_is_wrong(name: str) -> None:
    with pytest.raises(Wrong):
        check_whole(events(BAD[name]), TOLD)


def test_an_answer_that_ends_loudly_may_be_a_beginning_and_nothing_else() -> None:
    check_beginning(sse(chunk("One, two,")) + ERROR, TOLD)
    check_beginning(b"", TOLD)
    check_beginning_of_array(b'[{"candidates": []},\r\n{"error": {}}', TOLD)

    with pytest.raises(Wrong, match=r"differing at 6"):
        check_beginning(sse(chunk("One, three")) + ERROR, TOLD)


def test_a_seed_decides_what_goes_wrong() -> None:
    assert scripts(3) == scripts(3)
    assert scripts(3) != scripts(4)
    assert len(scripts(3)) == 2 * len(ANSWERS) * MODELS_OF_EACH


@pytest.mark.parametrize("draw", [stream_faults, unary_faults])
def test_every_fault_that_is_drawn_can_be_made(draw: object) -> None:
    assert callable(draw)
    rng = random.Random(5)
    for _ in range(300):
        for spec in draw(rng):
            parse_fault(spec)


async def test_samples_are_the_complete_lines_of_the_report(tmp_path: Path) -> None:
    report_file = tmp_path / "report"
    watched = Watched(report_file)
    assert watched.samples() == []

    line = json.dumps({**attrs.asdict(REST), "counts": {"requests": 0}})
    report_file.write_text(f"{line}\n{line[:20]}")

    assert watched.samples() == [REST]


def test_a_short_soak_finds_nothing_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    status = soak.main(["--minutes", "0.05", "--clients", "4", "--every", "0.2"])

    assert status == 0, capsys.readouterr().out
    assert capsys.readouterr().out.rstrip().endswith("Nothing is wrong.")
