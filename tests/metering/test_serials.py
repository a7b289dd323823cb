"""Serials are unique and grow with time."""

from gemproxy.metering.serials import Serials

NOW = 1_795_000_000_000


def test_a_serial_has_the_time_and_fits_into_63_bits() -> None:
    serial = Serials(1023).next(NOW)

    assert serial >> 22 == NOW
    assert Serials(1023).next(NOW + 12 * 365 * 86_400_000) < 1 << 63


def test_serials_of_one_process_grow_also_within_a_millisecond_and_beyond_its_count() -> None:
    serials = Serials(7)
    made = [serials.next(NOW) for _ in range(10_000)]

    assert made == sorted(set(made))
    assert {serial >> 12 & 1023 for serial in made} == {7}
    assert made[-1] >> 22 == NOW + 2


def test_serials_grow_when_the_clock_goes_back() -> None:
    serials = Serials(7)

    assert serials.next(NOW) < serials.next(NOW - 5000) < serials.next(NOW + 1)


def test_serials_of_two_processes_differ() -> None:
    one, other = Serials(1), Serials(2)

    assert {one.next(NOW) for _ in range(5000)}.isdisjoint(other.next(NOW) for _ in range(5000))
