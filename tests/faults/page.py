"""Writes the fault table into docs/faults.md: ``python -m tests.faults.page``."""

from collections.abc import Sequence
from pathlib import Path

from tests.faults.rows import ROWS, SECTIONS, Row, Section

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "faults.md"
_BEGIN, _END = "<!-- faults -->\n", "<!-- /faults -->\n"


def covered(rows: Sequence[Row]) -> str:
    """Return how many of the rows have a test."""
    return f"{sum(bool(row.tests) for row in rows)} of {len(rows)}"


def tables(sections: Sequence[Section]) -> str:
    """Return the sections as Markdown."""
    return "\n".join(_table(section) for section in sections)


def _table(section: Section) -> str:
    lines = [f"## {section.title}", "", "| fault | how | the client sees | proved by |"]
    lines += ["|---|---|---|---|", *map(_line, section.rows)]
    return "\n".join([*lines, ""])


def _line(row: Row) -> str:
    proof = "<br>".join(f"`{test}`" for test in row.tests) or f"left: {row.left}"
    return f"| {row.fault} | {row.injected} | {row.seen} | {proof} |"


def written(page: str) -> str:
    """Return ``page`` with the present tables between its marks."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    count = f"{covered(ROWS)} rows have a test; the others give the reason.\n"
    return f"{before}{_BEGIN}{count}\n{tables(SECTIONS)}{_END}{after}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
    print(f"faults: {covered(ROWS)} rows have a test")
    for row in ROWS:
        if not row.tests:
            print(f"  left: {row.fault}: {row.left}")
