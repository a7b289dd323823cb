"""What a profile is made of: stacks or calls in, shares out."""

import cProfile
import pstats

import pytest

from bench.profile import ROOT, Share, shares_of_calls, shares_of_stacks, short_name, table_of


def test_the_innermost_frame_has_the_time_and_the_others_share_it() -> None:
    shares = shares_of_stacks(
        ["run (a.py:1);read (b.py:7) 30", "run (a.py:2);read (b.py:9) 50", "run (a.py:3) 20"]
    )

    assert shares == [Share("read (b.py)", 0.8, 0.8), Share("run (a.py)", 0.2, 1.0)]


def test_a_function_that_calls_itself_is_counted_once_for_a_stack() -> None:
    assert shares_of_stacks(["f (a.py:1);f (a.py:2) 5"]) == [Share("f (a.py)", 1.0, 1.0)]


def test_the_waiting_of_the_log_is_no_work() -> None:
    waiting = "run (a.py:1);QueueListener._monitor (logging/handlers.py:1570);get (x.py:1) 99"

    assert shares_of_stacks([waiting, "run (a.py:1) 1"]) == [Share("run (a.py)", 1.0, 1.0)]


def test_calls_are_read_from_the_statistics_of_cprofile() -> None:
    profile = cProfile.Profile()
    profile.runcall(sorted, range(1000), key=lambda value: -value)

    shares = shares_of_calls(pstats.Stats(profile))

    assert sum(share.own for share in shares) == pytest.approx(1)
    assert f"<lambda> ({__file__.removeprefix(f'{ROOT}/')})" in [s.function for s in shares]


@pytest.mark.parametrize(
    ("frame", "name"),
    [
        (f"read ({ROOT}/gemproxy/core/answer/chunk.py)", "read (gemproxy/core/answer/chunk.py)"),
        (f"f ({ROOT}/.venv/lib/python3.11/site-packages/attr/x.py)", "f (attr/x.py)"),
        ("run (/usr/lib/python3.11/asyncio/runners.py)", "run (asyncio/runners.py)"),
        ("<built-in method len> (~)", "<built-in method len> (~)"),
    ],
)
def test_files_are_named_from_their_package_on(frame: str, name: str) -> None:
    assert short_name(frame) == name


def test_the_table_has_the_first_shares() -> None:
    shares = [Share("read (b.py)", 0.8, 0.8), Share("run (a.py)", 0.2, 1.0)]

    assert table_of(shares, 1) == ["own %  total %  function", "80.0%    80.0%  read (b.py)"]
