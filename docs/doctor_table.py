"""Prints the table of docs/doctor.md and its translation from the checks in the code.

python docs/doctor_table.py           prints it
python docs/doctor_table.py --write   puts it into the pages
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import attrs

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gemproxy.doctor.table import CHECKS, Check

DOCS = Path(__file__).resolve().parent
BEGIN, END = "<!-- checks -->\n", "<!-- /checks -->"


@attrs.frozen
class Language:
    """A page, and the words of its table."""

    page: Path
    head: tuple[str, str, str]
    network: str
    about: Callable[[Check], str]


ENGLISH = Language(
    page=DOCS / "doctor.md",
    head=("check", "what it finds", "with `--offline`"),
    network="left out",
    about=lambda check: check.about,
)
CHINESE = Language(
    page=DOCS / "doctor.zh-CN.md",
    head=("检查", "发现什么", "使用 `--offline` 时"),
    network="跳过",
    about=lambda check: check.zh,
)


def table(language: Language) -> str:
    """Return the table of all checks."""
    rows = [
        (f"`{check.name}`", language.about(check), language.network if check.network else "")
        for check in CHECKS
    ]
    lines = [f"| {' | '.join(row)} |\n" for row in (language.head, ("---",) * 3, *rows)]
    return (
        "".join(lines).replace("|  |", "| |").replace("| --- ", "|---").replace("--- |\n", "---|\n")
    )


def page_with_table(page: str, language: Language) -> str:
    """Return ``page`` with the present table in its block."""
    block = f"{BEGIN}{table(language)}{END}".replace("\\", r"\\")
    return re.sub(f"{BEGIN}.*?{END}", block, page, flags=re.DOTALL)


if __name__ == "__main__":
    for each in (ENGLISH, CHINESE):
        if "--write" in sys.argv[1:]:
            each.page.write_text(page_with_table(each.page.read_text("utf-8"), each), "utf-8")
        else:
            sys.stdout.write(f"{table(each)}\n")
