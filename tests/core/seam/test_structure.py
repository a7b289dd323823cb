"""What kind of place a text ends in."""

import pytest

from gemproxy.core.seam.structure import (
    among_like_lines,
    cannot_repeat,
    has_fence,
    has_like_lines,
    inside_fence,
    inside_quotation,
    is_data,
    is_plain_words,
    shape_of,
    words_of_item,
)


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("text", False),
        ("```python\nx = 1", True),
        ("```python\nx = 1\n```\n", False),
        ("````md\n```\ninner", True),
        ("  ~~~\nx", True),
        ("`inline` and ``` in a line", False),
    ],
)
def test_fences_open_and_close(text: str, inside: bool) -> None:
    assert inside_fence(text) is inside


@pytest.mark.parametrize(
    "text",
    [
        "| Name | Count |\n| --- | --- |\n| Ada | 3",
        "month,customer,state\n2026-01,Ada,open\n2026-02,Bru",
        "2026-11-28 12:00:01 INFO request done\n2026-11-28 12:00:02 IN",
        "Things:\n\n- apples\n- pea",
        "Steps:\n\n1. Begin.\n2. Go ",
        '{"id": 1, "name": "Ada"}\n{"id": 2, "na',
        "12 x 12 = 144\n13 x 13 = 16",
        "name\tage\tcity\nAda\t3",
        "These were paid:\n\npaid,open,paid,EUR\nEUR",
    ],
)
def test_lines_of_a_table_a_log_a_list_or_json_are_alike(text: str) -> None:
    assert among_like_lines(text)


@pytest.mark.parametrize(
    "text",
    [
        "Once upon a time, in a small town by the sea, there lived a man",
        "The first paragraph of all.\n\nThe second one, which is longer, goes on",
        '"Yes," said Ada, "and no."\n\n"Why," said Bruno, "not',
        "The roses are red,\nThe violets blue,\nAnd sugar is",
        "他说。快点停下来不要再跑了！\n\n然后他走了，",
        "",
    ],
)
def test_lines_of_prose_and_verse_are_not(text: str) -> None:
    assert not among_like_lines(text)


def test_words_and_numbers_have_no_part_in_a_shape() -> None:
    assert shape_of("| Ada | 12 |") == shape_of("  | Bruno | 7 |")


def test_fences_and_lines_alike_are_found_anywhere() -> None:
    assert has_fence("a\n```py\nx")
    assert not has_fence("a `b` c")
    assert has_like_lines("Prose.\n- an item\nMore prose.")
    assert not has_like_lines("Prose.\nMore - prose.")


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ('He said, "I will', True),
        ('He said, "I will."', False),
        ("\u201cYes, and", True),
        ("\u300c好的\u300d他说", False),
        ('"Open.\n\nA new paragraph', False),
    ],
)
def test_a_quotation_is_open_until_it_is_closed(text: str, inside: bool) -> None:
    assert inside_quotation(text) is inside


def test_data_begins_with_a_bracket() -> None:
    assert is_data(' {"a": 1')
    assert is_data("[1, 2")
    assert not is_data("Data: {")


@pytest.mark.parametrize(
    ("text", "end", "proved"),
    [
        ("a,b,c\nd,e,f\ng,h,i\nj,k", ",i\nj,k", False),
        ("a,b,c\nd,e,f\ng,h,i\nj", "h,i\nj", True),
        ("a,b\nd,e,f\ng,h,i\nj,k", "h,i\nj,k", False),
        ('a,b,c\nd,e,f\ng,h,i\n"j",k', 'h,i\n"j",k', False),
        ("a,b,\nd,e,\ng,h,\nj", ",\nj", False),
        ('"a": [1, 2],\n"b": [1, 2],\n"c": [3, 4],\n"d": 1', '2],\n"d": 1', False),
        ("1. a\n2. b\n3. c", "b\n3. c", True),
        ("1. a\n2. b\n3. c", "a\n2. b\n3. c", True),
        ("2. x\n1. a\n2. b\n3. c", "x\n1. a\n2. b\n3. c", False),
        ("1. a\n1. b\n1. c", "b\n1. c", False),
        ("- a\n- so we", "- so we", True),
        ("a word\nso we", "so we", False),
    ],
)
def test_rows_and_numbers_say_where_a_text_cannot_repeat_its_end(
    text: str, end: str, proved: bool
) -> None:
    assert cannot_repeat(text, end) is proved


def test_an_item_has_words_behind_its_mark() -> None:
    assert words_of_item("- one\n  * two words") == "two words"
    assert words_of_item("12. **Bold:** words") == "**Bold:** words"
    assert not words_of_item("- one\ntwo words")
    assert is_plain_words("of a few words")
    assert not is_plain_words("of | cells")
    assert not is_plain_words("two\nlines")
