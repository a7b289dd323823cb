"""The words: the reader's language, and Chinese for every text that stands in a page."""

import ast
import tomllib
from collections import Counter
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import jinja2
import pytest
from jinja2.ext import extract_from_ast

import gemproxy.pages
from gemproxy.pages.table import CHANGES, PAGES
from gemproxy.pages.words import chinese, language_of, said

FOLDER = Path(str(resources.files(gemproxy.pages)))
SAY = {"say", "said", "worded"}
"""Functions whose argument is a text of a page."""


def of_templates() -> Iterator[str]:
    environment = jinja2.Environment(extensions=["jinja2.ext.i18n"], autoescape=True)
    for file in FOLDER.glob("templates/**/*.html"):
        tree = environment.parse(file.read_text("utf-8"))
        for _, _, texts in extract_from_ast(tree):
            found = [texts] if isinstance(texts, str) else texts or ()
            yield from (text for text in found if text)


def of_code() -> Iterator[str]:
    for file in FOLDER.glob("**/*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            given = [one.value for one in node.args if isinstance(one, ast.Constant)]
            yield from (str(value) for value in given if name in SAY)


def test_every_text_has_its_chinese() -> None:
    titles = {page.title for page in PAGES} | {change.title for change in CHANGES if change.title}
    texts = {*of_templates(), *of_code(), *titles}

    assert sorted(texts - set(chinese())) == []


def test_no_chinese_is_left_over() -> None:
    kept = "".join(
        file.read_text("utf-8") for kind in ("*.py", "*.html") for file in FOLDER.rglob(kind)
    )

    assert [text for text in chinese() if text not in kept] == []


def test_a_text_has_one_place_in_all_files() -> None:
    files = FOLDER.glob("words/*.toml")
    places = Counter(text for file in files for text in tomllib.loads(file.read_text("utf-8")))

    assert [text for text, count in places.items() if count > 1] == []


def test_the_values_of_a_text_have_the_same_names_in_both_languages() -> None:
    for english, other in chinese().items():
        assert _names(english) == _names(other), english


def _names(text: str) -> set[str]:
    return {part.partition(")")[0] for part in text.split("%(")[1:]}


@pytest.mark.parametrize(
    ("chosen", "accepted", "language"),
    [
        ("", "", "en"),
        ("", "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("", "de, en;q=0.7, zh;q=0.8", "zh"),
        ("", "en-GB, zh;q=0.5", "en"),
        ("", "fr, *;q=0.1", "en"),
        ("", "zh;q=x, en", "en"),
        ("zh", "en", "zh"),
        ("xx", "zh", "zh"),
    ],
)
def test_the_language_is_the_chosen_one_or_the_browsers(
    chosen: str, accepted: str, language: str
) -> None:
    assert language_of(chosen, accepted) == language


def test_a_text_has_its_values() -> None:
    assert (
        said("zh", "All times are of the zone %(zone)s.", zone="UTC") == "所有时间均为 UTC 时区。"
    )
    assert said("en", "100 %") == "100 %"
