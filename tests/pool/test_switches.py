"""The book of switches: the last word of the operator counts."""

from gemproxy.pool.state import Switch
from gemproxy.pool.switches import Switches


def test_the_later_switch_counts() -> None:
    book = Switches()
    assert not book.is_off("k")

    assert book.put(Switch("k", enabled=False, at=2.0))
    assert not book.put(Switch("k", enabled=True, at=1.0))
    assert book.is_off("k")
    assert book.off() == {"k"}

    assert book.put(Switch("k", enabled=True, at=3.0))
    assert book.off() == set()
