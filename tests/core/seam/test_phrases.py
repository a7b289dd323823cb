"""Lines that speak of going on, and lines that speak of something too."""

import pytest

from gemproxy.core.seam.phrases import speaks_of_going_on, speaks_only_of_going_on


@pytest.mark.parametrize(
    "line",
    [
        "Sure, continuing from where I left off:",
        "Okay, here is the rest of the story",
        "(continued)",
        "**Continuing:**",
        "Nat\u00fcrlich, hier geht es weiter",
        "Ich setze meine Antwort genau dort fort, wo sie unterbrochen wurde.",
        "Bien s\u00fbr, voici la suite de ma r\u00e9ponse",
        "Claro, contin\u00fao desde donde lo dej\u00e9",
        "Claro, continuo de onde parei",
        "Certo, riprendo da dove ho lasciato".replace(" ho", ""),
        "Продолжаю с того места, где остановился",
        "以下は続きです：",
        "はい、続きを書きます。",
        "好的，接着上文",
        "以下是后续内容：",
        "네, 이어서 계속하겠습니다.",
    ],
)
def test_these_say_nothing_else(line: str) -> None:
    assert speaks_only_of_going_on(line)


@pytest.mark.parametrize(
    "line",
    [
        "Sure, the king said.",
        "The story of the rest of the kingdom",
        "Continue to page 12",
        "Rest: 30 minutes",
        "Weiter:",
        '"Go on," she said, and he went on.',
        "The train stopped where the road was.",
        "Resume of Ada Lovelace",
        "继续走了三天，他们到了海边",
        "続きは来週の木曜日に放送",
        "",
    ],
)
def test_these_say_something(line: str) -> None:
    assert not speaks_only_of_going_on(line)


@pytest.mark.parametrize(
    "line", ["Happy to pick this back up.", "Gern, es geht weiter mit Ada:", "계속"]
)
def test_a_word_of_going_on_is_enough_to_speak_of_it(line: str) -> None:
    assert speaks_of_going_on(line)


def test_a_line_without_one_does_not() -> None:
    assert not speaks_of_going_on("Right. My last words were these:")
