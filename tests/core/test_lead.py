"""What may stand before an echo, and what may not."""

import pytest

from gemproxy.core.lead import LEADS, PAIRED, inside_fence

OUTSIDE, INSIDE = LEADS[False], LEADS[True]


@pytest.mark.parametrize(
    "lead",
    [
        "",
        "\n\n",
        "...",
        '"',
        "<<<",
        "\u27e6",
        "Sure, here is the continuation:\n\n",
        "**Continuing from where I left off...**\n",
        "好的，接着上文：",
        'Sure:\n"',
    ],
)
def test_the_usual_leads_are_leads_from_their_first_character_on(lead: str) -> None:
    assert OUTSIDE.whole.fullmatch(lead)
    assert all(OUTSIDE.possible(lead[:length]) for length in range(1, len(lead) + 1))


@pytest.mark.parametrize("text", ["brown fox", "return x", "他说", "| a | b |"])
def test_text_is_none(text: str) -> None:
    assert not OUTSIDE.possible(text)


def test_a_fence_is_one_only_inside_a_fence() -> None:
    assert INSIDE.whole.fullmatch("```python\n")
    assert not OUTSIDE.whole.fullmatch("```python\n")


@pytest.mark.parametrize(("mark", "partner"), [('"', '"'), ("<<<", ">>>"), ("\u27e6", "\u27e7")])
def test_a_mark_has_a_partner(mark: str, partner: str) -> None:
    assert mark.translate(PAIRED) == partner


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
