"""Pieces: where the sums of each part of a span are."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gemproxy.accounts.calendar import Calendar
from gemproxy.ledger.pieces import HOUR, Piece, Source, Span, State, cut, slot_seconds
from tests.ledger.book import MS, at, zone

DAY = 86_400
UTC = Calendar()


def state(text: str, pruned: int = 0) -> State:
    """Return a state that is folded up to a time, with all its days and months."""
    seconds = at(text) // MS
    day = UTC.day(seconds)
    return State(seconds, int(day.start), int(day.month.start), "UTC", pruned)


def pieces(since: str, until: str, known: State) -> list[tuple[str, str, str]]:
    """Return the pieces of a span with their times in UTC."""
    found = cut(Span(at(since), at(until)), known, UTC)
    return [
        (one.source.value, UTC.clock(one.start / MS)[:16], UTC.clock(one.end / MS)[:16])
        for one in found
    ]


def test_what_is_not_folded_comes_from_rows() -> None:
    assert cut(Span(), State(), UTC) == [Piece(Source.ROWS, 0, Span().end)]


def test_months_days_and_hours_are_used_where_they_are_whole() -> None:
    assert pieces("2026-01-30T22:00", "2026-04-02T03:30", state("2026-04-02T03:00")) == [
        ("hours", "2026-01-30T22:00", "2026-01-31T00:00"),
        ("days", "2026-01-31T00:00", "2026-02-01T00:00"),
        ("months", "2026-02-01T00:00", "2026-04-01T00:00"),
        ("days", "2026-04-01T00:00", "2026-04-02T00:00"),
        ("hours", "2026-04-02T00:00", "2026-04-02T03:00"),
        ("rows", "2026-04-02T03:00", "2026-04-02T03:30"),
    ]


def test_smaller_sources_are_used_where_larger_ones_are_not_wanted() -> None:
    span, known = Span(at("2026-02-01"), at("2026-03-01")), state("2026-04-02")

    assert cut(span, known, UTC, Source.DAYS) == [Piece(Source.DAYS, span.start, span.end)]
    assert cut(span, known, UTC, Source.HOURS) == [Piece(Source.HOURS, span.start, span.end)]


def test_parts_of_hours_at_the_ends_come_from_rows() -> None:
    assert pieces("2026-03-01T09:10", "2026-03-01T12:50", state("2026-03-02")) == [
        ("rows", "2026-03-01T09:10", "2026-03-01T10:00"),
        ("rows", "2026-03-01T12:00", "2026-03-01T12:50"),
        ("hours", "2026-03-01T10:00", "2026-03-01T12:00"),
    ]
    assert pieces("2026-03-01T09:10", "2026-03-01T09:50", state("2026-03-02")) == [
        ("rows", "2026-03-01T09:10", "2026-03-01T09:50")
    ]


def test_where_rows_are_gone_hours_count_as_they_begin() -> None:
    known = state("2026-03-02", pruned=at("2026-03-02") // MS)

    assert pieces("2026-03-01T09:10", "2026-03-01T12:50", known) == [
        ("hours", "2026-03-01T09:10", "2026-03-01T12:50")
    ]


def test_an_hour_that_waits_for_another_fold_comes_from_rows() -> None:
    day = at("2026-03-01") // MS
    known = State(folded=day + DAY, zone="UTC", refolds=(day + 5 * HOUR, day + 6 * HOUR))

    assert pieces("2026-03-01T03:00", "2026-03-01T09:00", known) == [
        ("hours", "2026-03-01T03:00", "2026-03-01T05:00"),
        ("rows", "2026-03-01T05:00", "2026-03-01T06:00"),
        ("rows", "2026-03-01T06:00", "2026-03-01T07:00"),
        ("hours", "2026-03-01T07:00", "2026-03-01T09:00"),
    ]


def test_roll_ups_of_another_time_zone_are_used_by_hours() -> None:
    span = Span(at("2026-02-01"), at("2026-03-01"))

    found = cut(span, state("2026-04-02"), Calendar(zone("Europe/Berlin")))

    assert found == [Piece(Source.HOURS, span.start, span.end)]


def test_a_day_that_begins_within_an_hour_needs_no_rows_in_its_own_zone() -> None:
    kolkata = Calendar(zone("Asia/Kolkata"))
    day = kolkata.day(at("2026-03-01T12:00") / MS)
    span = Span(int(day.start) * MS, int(day.end) * MS)
    known = State(folded=at("2026-03-05") // MS, zone="Asia/Kolkata")

    assert cut(span, known, kolkata) == [Piece(Source.HOURS, span.start, span.end)]


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("UTC", 3600),
        ("America/New_York", 3600),
        ("Asia/Kolkata", 1800),
        ("Australia/Lord_Howe", 1800),
        ("Asia/Kathmandu", 900),
    ],
)
def test_slots_fit_the_offset_of_the_zone(name: str, seconds: int) -> None:
    start = at("2026-10-03T14:00") // MS  # the clocks change at Lord Howe an hour later

    assert slot_seconds(zone(name), start, start + DAY) == seconds


@given(
    start=st.integers(0, 90 * DAY * MS),
    length=st.integers(0, 90 * DAY * MS),
    folded=st.integers(0, 90 * 24),
    share=st.floats(0, 1),
    name=st.sampled_from(["UTC", "Asia/Kathmandu", "America/New_York"]),
    refolds=st.sets(st.integers(0, 90 * 24), max_size=4),
)
@example(start=1, length=0, folded=1, share=0.0, name="UTC", refolds={0})
@example(start=1, length=5, folded=1, share=0.0, name="UTC", refolds={0})
def test_pieces_are_a_partition_of_their_span(
    start: int, length: int, folded: int, share: float, name: str, refolds: set[int]
) -> None:
    base = at("2026-09-15") // MS
    calendar = Calendar(zone(name))
    known = State(
        folded=base + folded * HOUR,
        days=int(calendar.day(base + folded * HOUR * share).start),
        months=int(calendar.day(base + folded * HOUR * share).month.start),
        zone=name,
        pruned=base + int(folded * share) * HOUR,
        refolds=tuple(
            base + hour * HOUR for hour in sorted(refolds) if int(folded * share) <= hour < folded
        ),
    )
    span = Span(base * MS + start, base * MS + start + length)

    found = sorted(cut(span, known, calendar), key=lambda piece: piece.start)

    edges = [edge for piece in found for edge in (piece.start, piece.end)]
    assert edges == sorted(edges)
    assert all(piece.start < piece.end for piece in found)
    assert edges[1:-1:2] == edges[2::2]
    assert (edges[:1], edges[-1:]) == (([span.start], [span.end]) if length else ([], []))
