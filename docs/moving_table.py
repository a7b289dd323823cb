"""Prints the tables of docs/moving.md and its translation from the rows in the code.

python docs/moving_table.py           prints them
python docs/moving_table.py --write   puts them into the pages
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import attrs

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gemproxy.moving.row import Row, Tool
from gemproxy.moving.tables import TOOLS

DOCS = Path(__file__).resolve().parent
BEGIN, END = "<!-- settings of other proxies -->\n", "<!-- /settings of other proxies -->"


@attrs.frozen
class Language:
    """A page, and the words of its tables."""

    page: Path
    head: tuple[str, str, str]
    same: str
    none: str
    note: Callable[[Row], str]


ENGLISH = Language(
    DOCS / "moving.md", ("there", "here", "note"), "the same", "none", lambda r: r.why
)
CHINESE = Language(
    DOCS / "moving.zh-CN.md", ("原名", "此处", "说明"), "同名", "无", lambda row: row.zh
)


def tables(language: Language) -> str:
    """Return the tables of all other proxies."""
    return "\n".join(_table(tool, language) for tool in TOOLS)


def _table(tool: Tool, language: Language) -> str:
    rows = [(f"`{row.name}`", _here(row, language), language.note(row)) for row in tool.rows]
    lines = [f"| {' | '.join(row)} |" for row in (language.head, *rows)]
    lines.insert(1, "|---|---|---|")
    table = "\n".join(lines).replace("|  |", "| |")
    return f"### {tool.title}: `--from {tool.name}`\n\n{table}\n"


def _here(row: Row, language: Language) -> str:
    if not row.ours:
        return language.none
    return language.same if row.ours == row.name else f"`{row.ours}`"


def page_with_tables(page: str, language: Language) -> str:
    """Return ``page`` with the present tables in its block."""
    block = f"{BEGIN}\n{tables(language)}\n{END}".replace("\\", r"\\")
    return re.sub(f"{BEGIN}.*?{END}", block, page, flags=re.DOTALL)


if __name__ == "__main__":
    for each in (ENGLISH, CHINESE):
        if "--write" in sys.argv[1:]:
            each.page.write_text(page_with_tables(each.page.read_text("utf-8"), each), "utf-8")
        else:
            sys.stdout.write(f"{tables(each)}\n")
