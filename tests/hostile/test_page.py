"""The page about hostile input shows the probes that are sent."""

from tests.hostile.page import PAGE, written
from tests.hostile.probes import PROBES


def test_the_page_shows_the_probes() -> None:
    page = PAGE.read_text()

    assert page == written(page, PROBES), "python -m tests.hostile.page writes it anew"


def test_there_are_enough_probes_and_each_has_a_name() -> None:
    assert len({probe.name for probe in PROBES}) == len(PROBES) >= 40
