"""The committed table of SDKs is one that the present tests can have written."""

import re

import pytest

from tests.sdk.table import CAPABILITIES, PAGE, SDKS, check, page

WORKS = {(sdk.name, capability): ["passed"] for sdk in SDKS for capability in CAPABILITIES}


def rows(text: str) -> list[list[str]]:
    """Return the cells of the page's table, without the line that makes it one."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [cells[0], *cells[2:]]


def test_the_page_names_the_versions_and_capabilities_that_are_tested() -> None:
    committed, now = rows(PAGE.read_text()), rows(page({}))

    assert committed[0] == now[0], "make sdk-table writes it anew"
    assert [row[0] for row in committed] == [row[0] for row in now]


def test_nothing_on_the_page_failed_or_was_left_out() -> None:
    cells = {cell for row in rows(PAGE.read_text())[1:] for cell in row[1:]}

    assert cells == {"works", "not offered"}


def test_a_cell_works_when_all_of_its_tests_passed() -> None:
    first, second = SDKS[0].name, SDKS[1].name
    table = rows(page({(first, "chats"): ["passed", "passed"], (second, "chats"): ["failed"]}))

    assert table[1 + CAPABILITIES.index("chats")][1:3] == ["works", "failed"]
    assert table[1][1] == "not tested"


def test_the_rest_of_the_page_is_as_it_is_written() -> None:
    def prose(text: str) -> str:
        return re.sub(r"(?m)^\|.*\n", "", text)

    assert prose(PAGE.read_text()) == prose(page(WORKS))


def test_a_mark_names_a_cell_that_there_is() -> None:
    assert check("@google/genai", "Live") == ("@google/genai", "Live")
    with pytest.raises(ValueError, match="no such cell"):
        check("@google/genai", "telepathy")
