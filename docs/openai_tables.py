"""Prints the tables of docs/openai.md and its translation from the tables of the code.

python docs/openai_tables.py           prints them
python docs/openai_tables.py --write   puts them into the pages
"""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import attrs

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gemproxy.core.repair.verdict import POLICY_REASONS
from gemproxy.openai.finish import FAILURES, WORDS, finish_reason
from gemproxy.openai.parameters import FIELDS, GOOGLE_FIELDS, Field
from gemproxy.openai.rules import RULES, Rule
from gemproxy.openai.words import WORDS as ERRORS

DOCS = Path(__file__).resolve().parent


@attrs.frozen
class Language:
    """A page, and the words of its tables."""

    page: Path
    fates: Mapping[str, str]
    heads: Mapping[str, tuple[str, ...]]
    failure: str
    other: str
    call: str
    why: Callable[[Field], str]
    rule: Callable[[Rule], tuple[str, str]]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _table(head: tuple[str, ...], rows: Iterable[Iterable[str]]) -> str:
    return "".join(map(_row, (head, ["---"] * len(head), *rows)))


def _fields(fields: Iterable[Field], language: Language) -> str:
    rows = (
        (
            ", ".join(f"`{name}`" for name in field.name.split(", ")),
            language.fates[field.fate.value],
            ", ".join(f"`{to}`" if " " not in to else to for to in field.to.split(", ") if to),
            language.why(field),
        )
        for field in fields
    )
    return _table(language.heads["fields"], rows)


def _schemas(language: Language) -> str:
    rows = ((rule.keywords, *language.rule(rule)) for rule in RULES)
    return _table(language.heads["schemas"], rows)


def _finishes(language: Language) -> str:
    said: dict[str, list[str]] = {}
    for reason in (*WORDS, *sorted(POLICY_REASONS - WORDS.keys())):
        word = finish_reason(reason, called=False, legacy=False, said=True)
        said.setdefault(f"`{word}`", []).append(f"`{reason}`")
    rows = [(", ".join(reasons), word) for word, reasons in said.items()]
    failed = ", ".join(f"`{reason}`" for reason in sorted(FAILURES))
    ends = [(failed, language.failure), (language.other, "`stop`")]
    return _table(
        language.heads["finishes"],
        [(language.call, "`tool_calls`"), *rows, *ends],
    )


def _errors(language: Language) -> str:
    rows = (
        (str(status), f"`{kind}`", f"`{code}`" if code else "")
        for status, (kind, code) in sorted(ERRORS.items())
    )
    return _table(language.heads["errors"], rows)


ENGLISH = Language(
    page=DOCS / "openai.md",
    fates={"sent": "sent", "obeyed": "obeyed", "ignored": "ignored", "refused": "400"},
    heads={
        "fields": ("field", "fate", "becomes", ""),
        "schemas": ("keyword", "becomes", "because"),
        "finishes": ("Gemini's finishReason", "finish_reason"),
        "errors": ("status", "`type`", "`code`"),
    },
    failure="an error: the model did not finish",
    other="any other word",
    call="any, if a call went out",
    why=lambda field: field.why,
    rule=lambda rule: (rule.what, rule.why),
)
CHINESE = Language(
    page=DOCS / "openai.zh-CN.md",
    fates={"sent": "发送", "obeyed": "遵从", "ignored": "忽略", "refused": "400"},
    heads={
        "fields": ("字段", "处理", "变为", ""),
        "schemas": ("关键字", "变为", "原因"),
        "finishes": ("Gemini 的 finishReason", "finish_reason"),
        "errors": ("状态码", "`type`", "`code`"),
    },
    failure="错误：模型没有完成",
    other="其他任何值",
    call="任何值，只要发出过调用",
    why=lambda field: field.zh,
    rule=lambda rule: (rule.what_zh, rule.why_zh),
)
TABLES: Mapping[str, Callable[[Language], str]] = {
    "fields": lambda language: _fields(FIELDS, language),
    "google": lambda language: _fields(GOOGLE_FIELDS, language),
    "schemas": _schemas,
    "finishes": _finishes,
    "errors": _errors,
}


def page_with_tables(page: str, language: Language) -> str:
    """Return ``page`` with the present tables, each in the block that is named after it."""
    for name, table in TABLES.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        block = f"{begin}{table(language)}{end}"
        block = block.replace("\\", r"\\")
        page = re.sub(f"{begin}.*?{end}", block, page, flags=re.DOTALL)
    return page


if __name__ == "__main__":
    for each in (ENGLISH, CHINESE):
        if "--write" in sys.argv[1:]:
            each.page.write_text(page_with_tables(each.page.read_text("utf-8"), each), "utf-8")
        else:
            sys.stdout.write("".join(f"{table(each)}\n" for table in TABLES.values()))
