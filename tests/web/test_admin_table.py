"""docs/admin.md and its translation: their tables are the routes of the code."""

import pytest

from docs.admin_table import CHINESE, ENGLISH, Language, page_with_table, untranslated


@pytest.mark.parametrize("language", [ENGLISH, CHINESE], ids=["English", "Chinese"])
def test_the_table_is_that_of_the_code(language: Language) -> None:
    page = language.page.read_text("utf-8")

    assert "| `GET /admin/api/v1/openapi.json` |" in page
    assert page == page_with_table(page, language), "python docs/admin_table.py --write"
    assert untranslated(language) == []


def test_both_pages_have_the_same_sections() -> None:
    sections = [
        [line.split(" ")[0] for line in page.splitlines() if line.startswith("#")]
        for page in (language.page.read_text("utf-8") for language in (ENGLISH, CHINESE))
    ]

    assert sections[0] == sections[1]
