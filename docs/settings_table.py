"""Prints the table of docs/settings.md and its translation from the table of the code.

python docs/settings_table.py           prints them
python docs/settings_table.py --write   puts them into the pages
"""

import re
import sys
from collections.abc import Mapping
from pathlib import Path

import attrs

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gemproxy.config.live import LIVE

DOCS = Path(__file__).resolve().parent

_ZH: Mapping[str, str] = {
    "Further attempts of a running request have the new time, too.": (
        "正在进行的请求，其后续尝试也用新的时间。"
    ),
    "With a pool, also the most keys that one running request may try.": (
        "使用池时，也是一个正在进行的请求最多尝试的密钥数。"
    ),
    "Running requests wait for a key of the pool by the new value.": (
        "正在进行的请求等待池中的密钥时，也按新的值。"
    ),
    "Acts on running requests, too, and keeps what is counted.": (
        "对正在进行的请求也生效；已经计的数保留。"
    ),
    "A conversation stays with the project that it has.": "已有项目的对话留在原来的项目。",
    "Only projects that have a key can have a weight.": "只有拥有密钥的项目才能有权重。",
    "Requests of the day that were counted stay counted; the first limit per minute of a model"
    " counts from the change on.": (
        "当天已经计的请求保留；一个模型的第一个每分钟限额从更改时起计数。"
    ),
    "Is the prompt itself: file:// is not read.": "就是提示词本身：不读取 file://。",
    "Keeps what is counted of the last minute.": "最近一分钟的计数保留。",
    "url needs a storage, which is set at the start.": "url 需要存储位置，而它只在启动时设置。",
    "Shows nothing without a storage, which is set at the start.": (
        "没有存储位置就没有链接，而它只在启动时设置。"
    ),
}
"""The notes of the table in Chinese."""


@attrs.frozen
class Language:
    """A page, the head of its table, and its words for the notes; None: those of the table."""

    page: Path
    head: tuple[str, str]
    notes: Mapping[str, str] | None = None


ENGLISH = Language(DOCS / "settings.md", ("setting", "what to know"))
CHINESE = Language(DOCS / "settings.zh-CN.md", ("设置", "须知"), _ZH)


def table(language: Language) -> str:
    """Return the settings that change without a restart, a row each."""
    rows = [language.head, ("---", "---")]
    rows += [(f"`{path}`", _note(note, language)) for path, note in LIVE.items()]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _note(note: str, language: Language) -> str:
    return language.notes[note] if note and language.notes is not None else note


def page_with_table(page: str, language: Language) -> str:
    """Return ``page`` with the present table in its block."""
    block = f"<!-- live -->\n{table(language)}<!-- /live -->"
    return re.sub(r"<!-- live -->\n.*?<!-- /live -->", lambda _: block, page, flags=re.DOTALL)


if __name__ == "__main__":
    for each in (ENGLISH, CHINESE):
        if "--write" in sys.argv[1:]:
            each.page.write_text(page_with_table(each.page.read_text("utf-8"), each), "utf-8")
        else:
            sys.stdout.write(f"{table(each)}\n")
