"""docs/thinking.md and its translation: what their tables say is what the code does."""

import re
from pathlib import Path

import pytest

from gemproxy.shaping.family import family_of
from gemproxy.shaping.suffix import SUFFIXES, Wish, split
from gemproxy.shaping.thinking import effort, thinking_config

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = pytest.mark.parametrize("page", ["thinking.md", "thinking.zh-CN.md"])
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")


def rows(page: str) -> list[list[str]]:
    """Return the cells of all rows of all tables of a page."""
    lines = (DOCS / page).read_text("utf-8").splitlines()
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines
        if line.startswith("|")
    ]


@PAGES
def test_the_table_of_efforts(page: str) -> None:
    table = {cells[0]: cells[1:] for cells in rows(page) if cells[0].startswith("gemini-")}

    assert len(table) > 9
    for model, cells in table.items():
        for word, cell in zip(EFFORTS, cells, strict=True):
            wish = effort(word)
            assert wish is not None
            config = thinking_config(family_of(model), wish)
            assert config is not None
            assert [str(value) for value in config.values()] == [cell], (model, word)


@PAGES
def test_the_table_of_suffixes(page: str) -> None:
    written = [
        (suffix, cells[2])
        for cells in rows(page)
        for suffix in re.findall(r"`([-(][^`]*)`", cells[0])
    ]

    assert len(written) > 12
    fitting = {
        next(row for row in SUFFIXES if row.ending.match(f"m{suffix}")) for suffix, _ in written
    }
    assert fitting == set(SUFFIXES)
    for suffix, tools in written:
        assert split(f"gemini-2.5-flash{suffix}")[0] == "gemini-2.5-flash"
        assert split(f"gemini-2.5-flash{suffix}")[1] != Wish()
        row = next(row for row in SUFFIXES if row.ending.match(f"m{suffix}"))
        assert re.split("[,、] ?", tools) == row.tools.split(", ")
