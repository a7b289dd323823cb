"""Writes the tables of attributes and metrics in docs/tracing.md from the code.

python docs/tracing_tables.py           prints them
python docs/tracing_tables.py --write   puts them into docs/tracing.md and docs/tracing.zh-CN.md
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gemproxy.tracing.attributes import ATTEMPT, GEN_AI, SERVER, Group
from gemproxy.tracing.totals import UNITS

FOLDER = Path(__file__).resolve().parent
PAGES = (FOLDER / "tracing.md", FOLDER / "tracing.zh-CN.md")


def attributes(groups: Sequence[Group[Any]]) -> str:
    """Return the table of some attributes."""
    lines = ["| attribute | value |", "|---|---|"]
    for group in groups:
        for row in group.rows:
            only = f" (`conventions`: {row.only} or both)" if row.only else ""
            lines.append(f"| `{row.name}` | {row.meaning}{only} |")
    return "\n".join(lines)


def metrics() -> str:
    """Return the table of metrics."""
    lines = ["| metric | unit | value |", "|---|---|---|"]
    return "\n".join(
        [*lines, *(f"| `{name}` | `{unit}` | {says} |" for name, (unit, says) in UNITS.items())]
    )


def page_with_tables(page: str) -> str:
    """Return ``page`` with the present tables, each in the block that is named after it."""
    tables = {
        "request": attributes(SERVER),
        "attempt": attributes(ATTEMPT),
        "gen_ai": attributes(GEN_AI),
        "metrics": metrics(),
    }
    for name, table in tables.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}{table}\n{end}{rest.partition(end)[2]}"
    return page


if __name__ == "__main__":
    for path in PAGES:
        made = page_with_tables(path.read_text("utf-8"))
        if "--write" in sys.argv[1:]:
            path.write_text(made, "utf-8")
        else:
            sys.stdout.write(made)
