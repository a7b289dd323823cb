"""Parts that are neither text nor calls."""

import pytest

from gemproxy.openai import parts


@pytest.mark.parametrize(
    ("before", "block"),
    [("", "x"), ("a", "\n\nx"), ("a\n", "\nx"), ("a\n\n", "x")],
)
def test_a_block_is_a_paragraph(before: str, block: str) -> None:
    assert parts.behind("x", before) == block


def test_a_fence_is_longer_than_any_within() -> None:
    told = parts.code({"executableCode": {"language": "PYTHON", "code": "s = '````'"}})
    assert told == "`````python\ns = '````'\n`````\n\n"


def test_code_of_no_language_has_none() -> None:
    told = parts.code({"executableCode": {"language": "LANGUAGE_UNSPECIFIED", "code": "x"}})
    assert told == "```\nx\n```\n\n"


@pytest.mark.parametrize(
    "part", [{}, {"text": "a"}, {"executableCode": None}, {"codeExecutionResult": 3}]
)
def test_other_parts_are_no_code(part: dict[str, object]) -> None:
    assert parts.code(part) is None


def test_data_without_a_type_has_the_general_one() -> None:
    assert parts.data_url({"data": "AA=="}) == "data:application/octet-stream;base64,AA=="
