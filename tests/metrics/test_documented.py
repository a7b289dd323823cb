"""The pages about metrics say what the code does."""

import pytest

from docs.metrics_table import CHINESE, ENGLISH, Language, page_with_table
from gemproxy.metrics.families import FAMILIES


@pytest.mark.parametrize("language", [ENGLISH, CHINESE], ids=["english", "chinese"])
def test_the_tables_of_the_pages_are_those_of_the_code(language: Language) -> None:
    page = language.page.read_text(encoding="utf-8")

    assert page == page_with_table(page, language), "python docs/metrics_table.py --write"
    assert set(language.words) == {family.shown for family in FAMILIES}
    assert all(f"`{family.shown}`" in page for family in FAMILIES)
