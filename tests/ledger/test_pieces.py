"""Pieces: where the sums of each part of a span are."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gemproxy.accounts.calendar import Calendar
from gemproxy.ledger.pieces import DAY, HOUR, Local, Piece, Source, Span, State, cut, slot_seconds
from tests.ledger.book import MS, at, zone

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


def test_a_span_without_groups_has_the_same_pieces_by_any_clock() -> None:
    span, known = Span(at("2026-01-30T22:00"), at("2026-03-02")), state("2026-04-02T03:00")

    assert cut(span, known, Calendar(zone("Europe/Berlin"))) == cut(span, known, UTC)


def test_months_of_another_time_zone_have_days_within() -> None:
    span, known = Span(at("2026-02-01"), at("2026-03-01")), state("2026-04-02")
    berlin = Calendar(zone("Europe/Berlin"))

    found = cut(span, known, berlin, Source.MONTHS)

    march, february = at("2026-02-28T23:00"), at("2026-01-31T23:00") // MS
    assert found == [
        Piece(Source.DAYS, span.start, march - 23 * HOUR * MS, month=february),
        Piece(Source.HOURS, march - 23 * HOUR * MS, march, month=february),
        Piece(Source.HOURS, march, span.end, month=march // MS),
    ]


def test_days_of_another_time_zone_are_put_together_from_hours_of_one_offset() -> None:
    span, known = Span(at("2026-10-24"), at("2026-10-27")), state("2026-11-02")

    found = cut(span, known, Calendar(zone("Europe/Berlin")), Source.DAYS)

    change = at("2026-10-25T01:00")
    assert found == [
        Piece(Source.HOURS, span.start, change, Local(7200, DAY)),
        Piece(Source.HOURS, change, span.end, Local(3600, DAY)),
    ]


def test_an_hour_in_which_a_day_begins_comes_from_quarters_or_else_from_rows() -> None:
    span, known = Span(at("2026-10-24"), at("2026-10-25")), state("2026-11-02")
    kathmandu, offset = Calendar(zone("Asia/Kathmandu")), 5 * HOUR + 45 * 60

    by_quarters = cut(span, known, kathmandu, Source.DAYS, Source.QUARTERS)
    by_rows = cut(span, known, kathmandu, Source.DAYS)
    every, broken = Local(offset, DAY), at("2026-10-24T18:00")

    assert by_quarters == [
        Piece(Source.HOURS, span.start, span.end, Local(offset, DAY, 0, DAY - HOUR)),
        Piece(Source.QUARTERS, span.start, span.end, Local(offset, DAY, DAY - HOUR + 1, DAY)),
    ]
    assert by_rows == [
        Piece(Source.HOURS, span.start, broken, every),
        Piece(Source.ROWS, broken, broken + HOUR * MS),
        Piece(Source.HOURS, broken + HOUR * MS, span.end, every),
    ]


def test_hours_of_another_clock_are_put_together_from_quarters() -> None:
    span, known = Span(at("2026-10-24"), at("2026-10-25")), state("2026-11-02")
    kolkata = Calendar(zone("Asia/Kolkata"))
    local = Local(5 * HOUR + 1800, HOUR)

    assert cut(span, known, kolkata, Source.HOURS, Source.QUARTERS) == [
        Piece(Source.QUARTERS, span.start, span.end, local)
    ]
    assert cut(span, known, kolkata, Source.HOURS) == [Piece(Source.ROWS, span.start, span.end)]


def test_an_hour_within_which_the_clocks_change_is_read_by_itself() -> None:
    span, known = Span(at("2026-10-03"), at("2026-10-04")), state("2026-11-02")
    adelaide = Calendar(zone("Australia/Adelaide"))  # 02:00 is 16:30 UTC

    found = cut(span, known, adelaide, Source.DAYS, Source.QUARTERS)

    change = at("2026-10-03T16:00")
    assert Piece(Source.QUARTERS, change, change + HOUR * MS) in found
    assert {piece.local.offset for piece in found if piece.local} == {34_200, 37_800}


def test_where_rows_are_gone_hours_of_another_clock_count_as_they_begin() -> None:
    pruned = at("2026-10-24T12:00")
    known = state("2026-11-02", pruned // MS)
    span = Span(at("2026-10-24"), at("2026-10-24T18:00"))
    kolkata = Calendar(zone("Asia/Kolkata"))

    first, *_ = cut(span, known, kolkata, Source.DAYS, Source.QUARTERS)

    assert first == Piece(Source.HOURS, span.start, pruned, Local(19_800, DAY))


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
