"""The documents: their links lead somewhere, and both languages show the same commands."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.web.test_server import ROOT

PAGES = sorted(
    path
    for folder in (ROOT, ROOT / "docs", ROOT / "bench", ROOT / "deploy", ROOT / "findings")
    for path in folder.glob("*.md" if folder == ROOT else "**/*.md")
)
TRANSLATED = [page for page in PAGES if page.name.endswith(".zh-CN.md")]
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
_FENCE = re.compile(r"^(`{3,}|~{3,})(\w*)[^\n]*\n(.*?)^\1\s*$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)


def prose(page: Path) -> str:
    """Return a page without its code."""
    text = _FENCE.sub("", page.read_text("utf-8"))
    return re.sub(r"`[^`\n]*`", "", text)


def anchors(page: Path) -> Iterator[str]:
    """Yield the anchors of a page's headings, as the forges make them."""
    for heading in _HEADING.findall(_FENCE.sub("", page.read_text("utf-8"))):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        yield re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page: Path) -> None:
    for target in _LINK.findall(prose(page)):
        parts = urlsplit(target)
        if parts.scheme or parts.netloc:
            continue
        file = page if not parts.path else (page.parent / unquote(parts.path)).resolve()
        assert file.is_relative_to(ROOT), target
        assert file.exists(), target
        if parts.fragment and file.suffix == ".md":
            assert unquote(parts.fragment) in set(anchors(file)), target


@pytest.mark.parametrize("page", TRANSLATED, ids=lambda page: page.name)
def test_a_translation_shows_the_same_code(page: Path) -> None:
    """Comments in the code may be translated; so lines that have other than ASCII do not count."""
    english = page.with_name(page.name.replace(".zh-CN", ""))

    assert code(page) == code(english)


def code(page: Path) -> list[tuple[str, list[str]]]:
    """Return the fences of a page: the language of each, and its lines without comments."""
    found = _FENCE.findall(page.read_text("utf-8"))
    return [(language, [_bare(line) for line in body.splitlines()]) for _, language, body in found]


def _bare(line: str) -> str:
    return (
        re.sub(r"\s*(?:#|//|--|<!--) .*$", "", line) if not line.isascii() or "#" in line else line
    )
