"""The fault table is true: its tests exist, and docs/faults.md shows it."""

import ast
from pathlib import Path

import pytest

from tests.faults.page import PAGE, written
from tests.faults.rows import HERE, ROWS, Row

ROOT = Path(__file__).resolve().parent.parent.parent


def names_in(file: str) -> set[str]:
    """Return the names of the tests in a file."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    body = ast.parse((ROOT / file).read_text()).body
    names = {node.name for node in body if isinstance(node, functions)}
    return {name for name in names if name.startswith("test_")}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fault)
def test_a_row_names_tests_that_exist_or_says_why_there_is_none(row: Row) -> None:
    assert bool(row.tests) != bool(row.left)
    for test in row.tests:
        file, _, name = test.partition("::")
        assert name in names_in(file), test


def test_every_test_of_this_package_proves_a_row() -> None:
    named = {test for row in ROWS for test in row.tests}
    files = {f"{HERE}/{file.name}" for file in (ROOT / HERE).glob("test_*.py")}
    files -= {f"{HERE}/test_rows.py"}

    assert {f"{file}::{name}" for file in files for name in names_in(file)} <= named


def test_no_fault_is_named_twice() -> None:
    assert len({row.fault for row in ROWS}) == len(ROWS)


def test_the_page_shows_the_table() -> None:
    page = PAGE.read_text()

    assert page == written(page), "python -m tests.faults.page writes it anew"
