"""The days of California, by the cases in which proxies got them wrong."""

import datetime as dt
import os
import subprocess
import sys

import pytest

from gemproxy.pool.pacific import day_of

MIDNIGHTS = {
    "summer": ("2026-07-10 20:00:00", "2026-07-11 07:00:00", 39_600),
    "winter": ("2026-12-10 20:00:00", "2026-12-11 08:00:00", 43_200),
    "a day of 25 hours": ("2026-11-01 07:30:00", "2026-11-02 08:00:00", 88_200),
    "the end of the day before": ("2026-11-01 06:59:30", "2026-11-01 07:00:00", 30),
    "a day of 23 hours": ("2027-03-14 09:00:00", "2027-03-15 07:00:00", 79_200),
}
"""Times in UTC: now, the next midnight, and the seconds until then."""


def utc(text: str) -> float:
    return dt.datetime.fromisoformat(f"{text}+00:00").timestamp()


@pytest.mark.parametrize("case", MIDNIGHTS)
def test_a_day_ends_at_midnight_in_california(case: str) -> None:
    now, midnight, seconds = MIDNIGHTS[case]

    assert day_of(utc(now)).end == utc(midnight) == utc(now) + seconds


def test_a_day_has_the_date_of_california() -> None:
    assert day_of(utc("2026-11-28 07:59:59")).name == "2026-11-27"
    assert day_of(utc("2026-11-28 08:00:00")).name == "2026-11-28"


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "UTC", None])
def test_neither_the_zone_of_the_machine_nor_its_zone_data_matter(zone: str | None) -> None:
    code = "from gemproxy.pool.pacific import day_of; print(day_of(1793518200.0).end)"
    environment = {name: value for name, value in os.environ.items() if name != "TZ"}
    environment["PYTHONTZPATH"] = ""  # as on a slim image
    if zone is not None:
        environment["TZ"] = zone

    run = [sys.executable, "-c", code]
    printed = subprocess.run(run, env=environment, capture_output=True, text=True, check=True)

    assert float(printed.stdout) == utc("2026-11-02 08:00:00")
