"""The committed tables of SDKs are ones that the present tests can have written."""

import re

import pytest

from tests.sdk.chat.conformance import CHAT_TABLE
from tests.sdk.table import SDK_TABLE, Outcomes, Table

TABLES = pytest.mark.parametrize("table", [SDK_TABLE, CHAT_TABLE], ids=["SDKs", "chat"])


def works(table: Table) -> Outcomes:
    return {(sdk.name, row): ["passed"] for sdk in table.sdks for row in table.rows}


def rows(text: str) -> list[list[str]]:
    """Return the cells of the page's table, without the line that makes it one."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [cells[0], *cells[2:]]


@TABLES
def test_the_page_names_the_versions_and_capabilities_that_are_tested(table: Table) -> None:
    committed, now = rows(table.page.read_text()), rows(table.text({}))

    assert committed[0] == now[0], "make sdk-table writes it anew"
    assert [row[0] for row in committed] == [row[0] for row in now]


@TABLES
def test_nothing_on_the_page_failed_or_was_left_out(table: Table) -> None:
    cells = {cell for row in rows(table.page.read_text())[1:] for cell in row[1:]}

    assert cells == {"works", "not offered"}


def test_a_cell_works_when_all_of_its_tests_passed() -> None:
    first, second = SDK_TABLE.sdks[0].name, SDK_TABLE.sdks[1].name
    outcomes = {(first, "chats"): ["passed", "passed"], (second, "chats"): ["failed"]}
    table = rows(SDK_TABLE.text(outcomes))

    assert table[1 + SDK_TABLE.rows.index("chats")][1:3] == ["works", "failed"]
    assert table[1][1] == "not tested"


@TABLES
def test_the_rest_of_the_page_is_as_it_is_written(table: Table) -> None:
    def prose(text: str) -> str:
        return re.sub(r"(?m)^\|.*\n", "", text)

    assert prose(table.page.read_text()) == prose(table.text(works(table)))


def test_a_mark_names_a_cell_that_there_is() -> None:
    assert SDK_TABLE.check("@google/genai", "Live") == ("@google/genai", "Live")
    with pytest.raises(ValueError, match="no such cell"):
        SDK_TABLE.check("@google/genai", "telepathy")
