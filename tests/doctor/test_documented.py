"""The pages about the command say what the code does."""

import pytest

from docs.doctor_table import CHINESE, ENGLISH, Language, page_with_table
from gemproxy.doctor.table import CHECKS


@pytest.mark.parametrize("language", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_the_table_of_the_page_is_that_of_the_code(language: Language) -> None:
    page = language.page.read_text("utf-8")

    assert page == page_with_table(page, language), "python docs/doctor_table.py --write"
    assert all(f"| `{check.name}` |" in page for check in CHECKS)


def test_every_check_is_explained_in_both_languages() -> None:
    assert all(check.about and check.zh for check in CHECKS)
