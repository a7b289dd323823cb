"""docs/openai.md and its translation: their tables are those of the code."""

import re

import pytest

from docs.openai_tables import CHINESE, ENGLISH, TABLES, Language, page_with_tables

PAGES = pytest.mark.parametrize("language", [ENGLISH, CHINESE], ids=["English", "Chinese"])


@PAGES
def test_the_tables_are_those_of_the_code(language: Language) -> None:
    page = language.page.read_text("utf-8")

    assert re.findall(r"<!-- (\w+) -->", page) == list(TABLES)
    assert page == page_with_tables(page, language), "python docs/openai_tables.py --write"


def test_both_pages_have_the_same_sections() -> None:
    sections = [
        [
            line.split(" ")[0]
            for line in language.page.read_text("utf-8").splitlines()
            if line[:1] == "#"
        ]
        for language in (ENGLISH, CHINESE)
    ]

    assert sections[0] == sections[1]
