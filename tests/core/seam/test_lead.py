"""What may stand before an echo, and what may not."""

import pytest

from gemproxy.core.seam.lead import LEADS, PAIRED

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
    assert OUTSIDE.parse(lead)
    assert all(OUTSIDE.possible(lead[:length]) for length in range(1, len(lead) + 1))


@pytest.mark.parametrize("text", ["brown fox", "return x", " He said", "| a | b |"])
def test_text_is_none(text: str) -> None:
    assert not OUTSIDE.possible(text)


def test_a_fence_of_its_own_must_be_closed_and_one_opened_again_not() -> None:
    again, own = INSIDE.parse("```python\n"), OUTSIDE.parse("```python\n")
    assert again is not None
    assert not again.fence
    assert own is not None
    assert own.fence == "```"


@pytest.mark.parametrize(
    "line",
    [
        "Klar, hier geht es weiter:\n\n",
        "Claro, contin\u00fao desde donde lo dej\u00e9.\n",
        "以下は続きです：\n",
        "Продолжаю с того места, где остановился:\n",
        "<reply_so_far>\n",
        "Here's a revised version of the previous answer:\n\n",
    ],
)
def test_a_line_that_only_speaks_of_going_on_is_a_lead_in_any_language(line: str) -> None:
    before = OUTSIDE.parse(line)
    assert before is not None
    assert not before.foreign
    assert all(OUTSIDE.possible(line[:length]) for length in range(1, len(line) + 1))


@pytest.mark.parametrize("line", ["Right. My last words were these:\n", "Bine, iată:\n"])
def test_a_line_of_other_words_is_foreign(line: str) -> None:
    before = OUTSIDE.parse(line + "\n")
    assert before is not None
    assert before.foreign == line


@pytest.mark.parametrize("text", ["the red fox\n", " And then\n", "x" * 121, "One.\nTwo.\n"])
def test_what_is_no_line_of_its_own_is_no_lead(text: str) -> None:
    assert OUTSIDE.parse(text) is None


@pytest.mark.parametrize(("mark", "partner"), [('"', '"'), ("<<<", ">>>"), ("\u27e6", "\u27e7")])
def test_a_mark_has_a_partner(mark: str, partner: str) -> None:
    assert mark.translate(PAIRED) == partner
