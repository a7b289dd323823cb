"""Texts of the kinds that models write, each made from a seed.

They are as repetitive as real texts: word frequencies follow the rank in the language, lines of a
table or a log are similar as in real ones, a song has a refrain. A text has 400 to 3,000 characters
and is the same for the same seed on every machine.
"""

import json
import random
from collections.abc import Callable, Sequence

from bench.seams.vocabulary import (
    ARABIC,
    CHINESE,
    EMOJI,
    ENGLISH,
    GERMAN,
    HEBREW,
    JAPANESE,
    NAMES,
    SPANISH,
)

Rng = random.Random

_ENDS = (". ",) * 8 + ("? ", "! ", "\u2026 ", ".\n\n", ".\n\n")
_WIDE_ENDS = ("。",) * 6 + ("？", "！", "。\n\n")


def words(rng: Rng, vocabulary: Sequence[str], count: int) -> list[str]:
    """Return ``count`` words, each with the frequency of its rank (Zipf's law)."""
    weights = [1 / (rank + 3) for rank in range(len(vocabulary))]
    return rng.choices(vocabulary, weights, k=count)


def clause(rng: Rng, vocabulary: Sequence[str] = ENGLISH, *, least: int = 3, most: int = 8) -> str:
    """Return some words with spaces between them."""
    return " ".join(words(rng, vocabulary, rng.randint(least, most)))


def sentence(rng: Rng, vocabulary: Sequence[str] = ENGLISH) -> str:
    """Return a sentence of one to three clauses without its end."""
    clauses = [clause(rng, vocabulary) for _ in range(rng.randint(1, 3))]
    joined = ", ".join(clauses)
    return joined[:1].upper() + joined[1:]


def prose(rng: Rng, vocabulary: Sequence[str] = ENGLISH) -> str:
    """Return paragraphs of sentences."""
    count = rng.randint(8, 30)
    return "".join(sentence(rng, vocabulary) + rng.choice(_ENDS) for _ in range(count)).rstrip()


def german(rng: Rng) -> str:
    """Return German prose."""
    return prose(rng, GERMAN)


def spanish(rng: Rng) -> str:
    """Return Spanish prose."""
    return prose(rng, SPANISH)


def right_to_left(rng: Rng) -> str:
    """Return Arabic or Hebrew prose."""
    return prose(rng, rng.choice([ARABIC, HEBREW]))


def _wide(rng: Rng, vocabulary: Sequence[str]) -> str:
    parts: list[str] = []
    for _ in range(rng.randint(15, 60)):
        clauses = ["".join(words(rng, vocabulary, rng.randint(3, 7))) for _ in range(2)]
        parts.append("，".join(clauses) + rng.choice(_WIDE_ENDS))
    return "".join(parts).rstrip()


def chinese(rng: Rng) -> str:
    """Return Chinese prose."""
    return _wide(rng, CHINESE)


def japanese(rng: Rng) -> str:
    """Return Japanese prose."""
    return _wide(rng, JAPANESE).replace("，", "、")


def table(rng: Rng) -> str:
    """Return a Markdown table whose cells come from short lists, as they often do."""
    colours, states = ["red", "green", "blue"], ["open", "closed", "open", "on hold"]
    rows = [
        f"| {rng.choice(NAMES)} | {rng.choice(colours)} | {rng.choice(states)} "
        f"| {rng.randint(1, 12) * 5} |"
        for _ in range(rng.randint(12, 50))
    ]
    head = ["| Name | Colour | State | Count |", "|---|---|---|---|"]
    return f"{sentence(rng)}:\n\n" + "\n".join([*head, *rows]) + f"\n\n{sentence(rng)}."


def csv(rng: Rng) -> str:
    """Return lines of comma-separated values, some of them alike."""
    rows = [
        f"2026-{rng.randint(1, 12):02},{rng.choice(NAMES)},{rng.choice(['paid', 'open'])},"
        f"{rng.choice(['10.00', '25.50', '99.90'])},EUR"
        for _ in range(rng.randint(15, 70))
    ]
    return "\n".join(["month,customer,state,amount,currency", *rows])


def log(rng: Rng) -> str:
    """Return lines of a log, with increasing times and repeated messages."""
    messages = ["connection accepted", "request done", "cache miss", "retrying in 5 s", "timeout"]
    second, lines = rng.randint(0, 9), []
    for _ in range(rng.randint(12, 40)):
        second += rng.choice([0, 0, 1, 2])
        level = rng.choice(["INFO", "INFO", "WARN", "DEBUG"])
        lines.append(
            f"2026-11-28 12:{second // 60:02}:{second % 60:02} {level} "
            f"[worker-{rng.randint(1, 3)}] {rng.choice(messages)}"
        )
    return "\n".join(lines)


def bullets(rng: Rng) -> str:
    """Return a list with bullets, some of them a level deeper."""
    marker = rng.choice("-*+")
    items = [
        f"{rng.choice(['', '', '  '])}{marker} {clause(rng, least=2, most=12)}"
        for _ in range(rng.randint(10, 40))
    ]
    return f"{sentence(rng)}:\n\n" + "\n".join(items)


def numbered(rng: Rng) -> str:
    """Return a numbered list with bold beginnings."""
    items = [
        f"{number}. **{clause(rng, least=1, most=3).capitalize()}:** {sentence(rng)}."
        for number in range(1, rng.randint(8, 25))
    ]
    return f"{sentence(rng)}:\n\n" + "\n".join(items)


def _record(rng: Rng) -> dict[str, object]:
    return {
        "id": rng.randint(1, 999),
        "name": rng.choice(NAMES),
        "active": rng.choice([True, False]),
        "tags": rng.choices(["new", "old", "vip"], k=rng.randint(0, 2)),
        "note": rng.choice([None, clause(rng)]),
    }


def json_lines(rng: Rng) -> str:
    """Return a JSON object a line."""
    return "\n".join(json.dumps(_record(rng)) for _ in range(rng.randint(6, 25)))


def json_document(rng: Rng) -> str:
    """Return an indented JSON document."""
    records = [_record(rng) for _ in range(rng.randint(4, 14))]
    return json.dumps({"total": len(records), "items": records}, indent=2)


def python(rng: Rng) -> str:
    """Return Python functions in a fence between two sentences."""
    bodies = []
    for _ in range(rng.randint(3, 9)):
        lines = rng.choices(
            [
                '    if value is None:\n        raise ValueError("not implemented yet")',
                f"    {rng.choice(words(rng, ENGLISH, 3))} = compute(value, {rng.randint(0, 9)})",
                "    for item in items:\n        print(item)",
                "    return None",
                f"    # {clause(rng)}",
            ],
            k=rng.randint(2, 5),
        )
        bodies.append(f"def {'_'.join(words(rng, ENGLISH, 2))}(value, items):\n" + "\n".join(lines))
    return f"{sentence(rng)}:\n\n```python\n" + "\n\n\n".join(bodies) + f"\n```\n\n{sentence(rng)}."


def javascript(rng: Rng) -> str:
    """Return JavaScript in a fence, with lines of closing brackets only."""
    bodies = [
        f"  {name}({{ id, name }}) {{\n    if (!id) {{\n      return null;\n    }}\n"
        f"    return `{clause(rng, least=1, most=4)} ${{name}}`;\n  }},"
        for name in words(rng, ENGLISH, rng.randint(5, 14))
    ]
    return f"{sentence(rng)}:\n\n```js\nconst handlers = {{\n" + "\n".join(bodies) + "\n};\n```"


def poem(rng: Rng) -> str:
    """Return verses with a refrain after each."""
    refrain = f"{sentence(rng)},\n{sentence(rng)}."
    verses = []
    for _ in range(rng.randint(4, 9)):
        lines = ",\n".join(clause(rng, least=4, most=7) for _ in range(4))
        verses.append(f"{lines.capitalize()}.\n\n{refrain}")
    return "\n\n".join(verses)


def dialogue(rng: Rng) -> str:
    """Return a dialogue of two speakers, who often agree in the same words."""
    speakers = rng.sample(NAMES, 2)
    openings = ["Sure, ", "Of course. ", "Yes. ", "No. ", "", "", "Well, ", "OK. "]
    turns = [
        f"{speakers[turn % 2]}: {rng.choice(openings)}{sentence(rng)}{rng.choice('.?!')}"
        for turn in range(rng.randint(10, 40))
    ]
    return "\n".join(turns)


def squares(rng: Rng) -> str:
    """Return numbers with their squares, one a line."""
    first = rng.randint(1, 60)
    return "\n".join(f"{n} x {n} = {n * n}" for n in range(first, first + rng.randint(25, 90)))


def quotations(rng: Rng) -> str:
    """Return prose in which people are quoted, with typographic or plain marks."""
    opening, closing = rng.choice([("\u201c", "\u201d"), ('"', '"'), ("\u00ab", "\u00bb")])
    parts = [
        f"{opening}{sentence(rng)},{closing} said {rng.choice(NAMES)} \u2013 {clause(rng)}."
        for _ in range(rng.randint(8, 25))
    ]
    return rng.choice([" ", "\n\n"]).join(parts)


def emoji(rng: Rng) -> str:
    """Return chat lines with characters of several code points."""
    lines = []
    for _ in range(rng.randint(10, 40)):
        signs = "".join(rng.choices(EMOJI, k=rng.randint(1, 3)))
        lines.append(f"{clause(rng)} {signs}{rng.choice([' ', chr(10)])}")
    return "".join(lines).rstrip()


KINDS: dict[str, Callable[[Rng], str]] = {
    "English prose": prose,
    "German prose": german,
    "Spanish prose": spanish,
    "Chinese prose": chinese,
    "Japanese prose": japanese,
    "Arabic or Hebrew prose": right_to_left,
    "Markdown table": table,
    "CSV": csv,
    "log": log,
    "list": bullets,
    "numbered list": numbered,
    "JSON lines": json_lines,
    "JSON": json_document,
    "Python": python,
    "JavaScript": javascript,
    "poem with a refrain": poem,
    "dialogue": dialogue,
    "squares": squares,
    "quotations": quotations,
    "emoji": emoji,
}
"""The kinds of text by name."""
